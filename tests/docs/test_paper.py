"""docs/explanation/paper.md is true: what it links exists and cites what it is linked for; its
commands parse."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest

from scp.cli.main import _parser

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "explanation" / "paper.md"
SOURCES = [
    path
    for folder in ("csrc", "scp")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in (".c", ".h", ".cu", ".cuh", ".py", ".pyi", ".md")
]
LINK = re.compile(r"\[([^]]+)\]\(([^)#\s]*)(#[^)\s]*)?\)")
RANGE = re.compile(r"Eqs?\.\s*\d+\s*(?:-|–|,|to|and)\s*\d+\b(?!\.\d)|Eqs\.")
NUMBERS = {
    "Eq.": range(1, 12),
    "Section": ("3.1", "3.2", "3.3"),
    "Table": range(1, 7),
    "Figure": (1, 4, 5, 6),
    "Data:": ("cephalograms", "hands", "faces", "own"),
}


def rows() -> dict[str, dict[str, str]]:
    """The lines of all tables of the page by their first cell: column -> cell."""
    found: dict[str, dict[str, str]] = {}
    header: list[str] = []
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if not line.startswith("|"):
            header = []
        elif not header:
            header = cells
        elif not line.startswith("|---"):
            assert len(cells) == len(header), line
            assert cells[0] not in found, line
            found[cells[0]] = dict(zip(header, cells, strict=True))
    return found


def links(cell: str) -> list[tuple[str, Path]]:
    """Texts and targets of the links into the repository."""
    return [
        (text, (PAGE.parent / target).resolve())
        for text, target, _ in LINK.findall(cell)
        if target and "://" not in target
    ]


def text_of(path: Path) -> str:
    """A source with the line breaks of comments and docstrings taken out."""
    return re.sub(r"\s*\n\s*(?:\*|#|//)?\s*", " ", path.read_text())


def cites(path: Path, what: str) -> bool:
    return re.search(re.escape(what) + r"(?![\d.]\d|\d)", text_of(path), re.I) is not None


def defined(path: Path) -> set[str]:
    """Functions, classes and methods of a Python file: f, C, C.f."""
    names = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{f.name}" for f in node.body if isinstance(f, ast.FunctionDef)}
    return names


def anchors(path: Path) -> set[str]:
    """The places in a page that a link can name."""
    heads = re.findall(r"^#+ (.+)$", path.read_text(), re.M)
    return {"#" + re.sub(r"[^\w -]", "", head).strip().lower().replace(" ", "-") for head in heads}


ROWS = rows()


def test_every_number_has_its_row():
    assert list(ROWS) == [f"{kind} {n}" for kind, numbers in NUMBERS.items() for n in numbers]


def test_links_lead_somewhere():
    for text, target, anchor in LINK.findall(PAGE.read_text()):
        if "://" in target:
            continue
        path = (PAGE.parent / target).resolve()
        assert path.exists(), target
        assert not anchor or anchor in anchors(path), target + anchor
        if path.suffix in (".c", ".h"):
            assert text == path.name


@pytest.mark.parametrize("row", [r for r in ROWS if r.startswith("Eq.")])
def test_equations_are_cited_where_they_are_computed(row):
    cells = ROWS[row]
    sources = [path for c in ("header", "C", "twin", "Python") for _, path in links(cells[c])]
    assert sources
    assert [str(path) for path in sources if not cites(path, row)] == []
    grep = re.compile(row.replace(".", r"\.") + r"\b")
    line_by_line = [p for p in SOURCES if any(map(grep.search, p.read_text().splitlines()))]
    assert set(line_by_line) & set(sources), f'grep "{row}" finds none of them'


@pytest.mark.parametrize("row", [r for r in ROWS if not r.startswith(("Eq.", "Data"))])
def test_others_are_cited_somewhere_in_their_row(row):
    cells = ROWS[row]
    sources = [path for c in ("header", "C", "Python") for _, path in links(cells.get(c, ""))]
    assert any(cites(path, row) for path in sources)


@pytest.mark.parametrize("row", ROWS)
def test_no_row_lacks_code_a_test_or_a_command(row):
    cells = ROWS[row]
    assert links(cells["study"] if "study" in cells else cells["Python"])
    assert links(cells["test"]) and "`scp " in cells["command"]


@pytest.mark.parametrize("row", ROWS)
def test_functions_are_in_the_files_that_are_linked(row):
    for column in ("twin", "Python", "reader", "study", "test"):
        for text, path in links(ROWS[row].get(column, "")):
            if text.startswith("`"):
                assert text.strip("`") in defined(path), (text, str(path))


@pytest.mark.parametrize("row", ROWS)
def test_commands_are_commands(row):
    for command in re.findall("`([^`]+)`", ROWS[row]["command"]):
        name, *words = shlex.split(command)
        assert name == "scp"
        _parser().parse_args(words)


def test_no_source_cites_a_range():
    """A search for one equation finds all that compute it."""
    assert RANGE.search("Eq. 1-4") and RANGE.search("Eq. 5, 7") and not RANGE.search("Eq. 5, Eq. 7")
    pages = sorted((ROOT / "docs").rglob("*.md"))
    found = {
        (str(path.relative_to(ROOT)), hit)
        for path in [*SOURCES, *pages]
        for hit in RANGE.findall(text_of(path))
    }
    assert found == set()
