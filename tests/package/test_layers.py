"""The layers of scp, which docs/explanation/architecture.md lists: what may import what."""

import ast
import re
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

import scp

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(scp.__file__).parent
FILES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
PAGE = ROOT / "docs" / "explanation" / "architecture.md"

MAX_LINES = 520
MAX_ENTRIES = 33
IMPORTS = ast.Import | ast.ImportFrom

# Imports that climb, and why they may: "importer -> imported".
CLIMBING = {
    "scp.landmarks.table -> scp.datasets": "a type: landmarks can be those of a data set",
}


class Import(NamedTuple):
    """One name that a module takes from another module of scp."""

    importer: str
    imported: str
    late: bool  # inside a function
    typing: bool  # for type checkers only

    def __str__(self) -> str:
        return f"{self.importer} -> {self.imported}"


def imports(module: str, text: str, package: bool = False) -> Iterator[Import]:
    """The imports of one file from scp. package: the file is an __init__.py."""
    parts = module.split(".") if package else module.split(".")[:-1]

    def targets(node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = parts[: len(parts) + 1 - node.level] if node.level else []
            base = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                name = f"{base}.{alias.name}"
                yield name if name in FILES or base == "scp" else base

    def visit(node: ast.AST, late: bool, typing: bool) -> Iterator[Import]:
        for name in targets(node):
            if name.split(".")[0] == "scp":
                yield Import(module, name, late, typing)
        late |= isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        typing |= isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, late, typing)

    yield from visit(ast.parse(text), False, False)


def layers(text: str) -> dict[str, int]:
    """Entries of scp/ and their height, from the fenced list of a page."""
    (block,) = re.findall(r"^```text\nscp/\n(.*?)^```$", text, re.M | re.S)
    lines = [re.split(r" {2,}", line.strip())[0].split() for line in block.splitlines()]
    heights = {name: height for height, names in enumerate(lines) for name in names}
    assert len(heights) == sum(map(len, lines)), "a name stands twice"
    return heights


HEIGHT = layers(PAGE.read_text()) if PAGE.exists() else {}
ALL = [
    found
    for module, path in FILES.items()
    for found in imports(module, path.read_text(), path.name == "__init__.py")
]

pytestmark = pytest.mark.skipif(not HEIGHT, reason="needs a checkout")


def entry(module: str) -> str:
    """The top-level entry that a module belongs to."""
    return module.split(".")[1] if "." in module else ""


def climbs(found: Import) -> bool:
    """Whether an import goes to the same height or higher. scp itself is above all."""
    source, target = entry(found.importer), entry(found.imported)
    if source not in HEIGHT or source == target or target == "_core":
        return False
    return HEIGHT.get(target, len(HEIGHT)) >= HEIGHT[source]


def test_reading_of_imports():
    text = (
        "import scp.run, os\nfrom . import _core, grid\nfrom ..runs import RunFolder\n"
        "if TYPE_CHECKING:\n    from ..report.svg import Drawing\n"
        "def f():\n    from .. import keypoints\n"
    )
    assert list(imports("scp.features.learned", text)) == [
        Import("scp.features.learned", "scp.run", False, False),
        Import("scp.features.learned", "scp.features", False, False),
        Import("scp.features.learned", "scp.features", False, False),
        Import("scp.features.learned", "scp.runs", False, False),
        Import("scp.features.learned", "scp.report.svg", False, True),
        Import("scp.features.learned", "scp.keypoints", True, False),
    ]
    assert len(ALL) > 300
    assert climbs(Import("scp.runs.files", "scp.run", False, False))
    assert climbs(Import("scp.runs.files", "scp", False, False))
    assert climbs(Import("scp.devices", "scp.errors", False, False))
    assert not climbs(Import("scp.run", "scp.runs.files", False, False))


def test_the_list_names_what_stands_in_scp():
    found = {entry(module) for module in FILES} - {"", "__main__"}
    assert set(HEIGHT) == found


def test_the_top_level_is_small():
    assert len({entry(module) or "__init__" for module in FILES}) <= MAX_ENTRIES


def test_no_import_climbs():
    assert sorted({str(i) for i in ALL if climbs(i)} - set(CLIMBING)) == []


def test_exceptions_are_used():
    assert set(CLIMBING) <= {str(i) for i in ALL if climbs(i)}
    assert all(i.typing for i in ALL if str(i) in CLIMBING)


def test_twins_stand_apart():
    """They import the core alone; only tests import them."""
    for found in ALL:
        if entry(found.importer) == "reference":
            assert entry(found.imported) in ("reference", "_core"), str(found)
        assert entry(found.importer) == "reference" or entry(found.imported) != "reference"


def test_modules_import_each_other_in_no_circle():
    """Late imports count: they hide a circle, they do not open it."""
    graph = {module: set() for module in FILES}
    for found in ALL:
        if found.importer != found.imported and found.imported in FILES and not found.typing:
            graph[found.importer].add(found.imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_imports_of_scp_stand_at_the_top():
    late = {str(i) for i in ALL if i.late and entry(i.importer) != "cli"}
    assert sorted(late) == []


def test_imports_of_the_standard_library_stand_at_the_top():
    for module, path in FILES.items():
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                found = [ast.unparse(n) for n in ast.walk(function) if isinstance(n, IMPORTS)]
                names = {re.split(r"[ .]", text)[1] for text in found}
                assert names & sys.stdlib_module_names == set(), (module, function.name)


@pytest.mark.parametrize("module", FILES)
def test_files_are_short(module):
    assert len(FILES[module].read_text().splitlines()) <= MAX_LINES
