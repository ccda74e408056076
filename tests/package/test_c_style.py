"""The rules of csrc that a compiler does not check: csrc/README.md says why they are there."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CSRC = ROOT / "csrc"
FILES = sorted(p for p in CSRC.rglob("*") if p.suffix in (".c", ".h", ".cu", ".cuh"))
HEADERS = [p for p in FILES if p.suffix in (".h", ".cuh")]
PUBLIC = sorted((CSRC / "include" / "scp").glob("*.h"))
FOLDERS = sorted({p.parent.relative_to(CSRC).as_posix() for p in FILES})

# Folders and headers that do not keep the rules yet. Empty it.
NOT_YET = {
    "kernels",
    "kernels/simd",
    "nn",
    "python",
    "include/scp/nn.h",
}
MAX_PARAMETERS = 8
MAX_LINES = 75

# Parts of identifiers that were this project's own words, and the field's words for them.
PRIVATE_WORDS = {
    "arrive": "name what is computed",
    "ask": "prefetch",
    "carrier": "pseudo_template",
    "consider": "score, update the incumbent",
    "dive": "beam",
    "least": "min",
    "most": "max",
    "pending": "deferred",
    "pull": "backward",
    "rest": "residual, or remainder",
    "turn": "transpose",
    "walk": "search, branch_and_bound",
}
# Words with one meaning, and the folders that may use them.
ONE_MEANING = {
    "steps": ("of a training", {"include/scp", "python", "testing", "train"}),
    "pool": (
        "unlabelled images, or pooling",
        {"include/scp", "kernels", "nn", "python", "testing", "train"},
    ),
}


def checked(files):
    """Those that keep the rules already."""
    for path in files:
        name = path.relative_to(CSRC)
        if not {name.as_posix(), name.parent.as_posix()} & NOT_YET:
            yield path


def code(path: Path) -> str:
    """The text without comments, strings and preprocessor lines; lines keep their numbers."""
    text = path.read_text()
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), text, flags=re.S)
    text = re.sub(r"//[^\n]*", "", text)
    text = re.sub(r'"(\\.|[^"\\\n])*"', '""', text)
    text = re.sub(r"'(\\.|[^'\\\n])+'", "0", text)
    return re.sub(
        r"^[ \t]*#(\\\n|[^\n])*", lambda m: "\n" * m.group().count("\n"), text, flags=re.M
    )


ATTRIBUTES = r"__launch_bounds__\([^()]*\)|__attribute__\(\((?:[^()]|\([^()]*\))*\)\)"


def functions(path: Path):
    """(name, lines) of every function defined at the top level."""
    text = re.sub(ATTRIBUTES, "", code(path).replace('extern "" {', ""))
    depth, start, name = 0, 0, None
    for at, c in enumerate(text):
        if c == "{":
            if depth == 0:
                head = text[start:at]
                found = re.search(r"(\w+)\s*\([^{;=]*\)\s*$", head)
                name = found and found.group(1)
                start += len(head) - len(head.lstrip())
            depth += 1
        elif c == "}" and depth > 0:
            depth -= 1
            if depth == 0:
                if name:
                    yield name, text.count("\n", start, at) + 1
                start = at + 1
        elif c == ";" and depth == 0:
            start = at + 1


def parameters(path: Path):
    """(name, number) of every function and function pointer declared."""
    pattern = r"(?:(\w+)|\(\*(\w+)\))\s*\(((?:[^();]|\([^();]*\))*)\)\s*;"
    for found in re.finditer(pattern, code(path)):
        inner = re.sub(r"\([^()]*\)", "", found.group(3)).strip()
        yield found.group(1) or found.group(2), inner.count(",") + 1 if inner != "void" else 0


def includes(path: Path):
    """The headers of csrc that a file includes."""
    for name in re.findall(r'^#include "([^"]+)"', path.read_text(), flags=re.M):
        for base in (path.parent, CSRC / "include"):
            if (base / name).exists():
                yield (base / name).resolve()


def circle(edges: dict):
    """The nodes of a circle, or []."""
    state = {}

    def visit(node, way):
        if state.get(node) == "done":
            return []
        if node in way:
            return [*way[way.index(node) :], node]
        for other in sorted(edges.get(node, ())):
            if found := visit(other, [*way, node]):
                return found
        state[node] = "done"
        return []

    return next((found for node in sorted(edges) if (found := visit(node, []))), [])


def test_the_list_of_exceptions_names_what_exists():
    names = {*FOLDERS, *(p.relative_to(CSRC).as_posix() for p in HEADERS)}
    assert names >= NOT_YET


def test_sources_say_first_what_they_are():
    sources = [p for p in FILES if p.suffix in (".c", ".cu")]
    silent = [str(p) for p in checked(sources) if not p.read_text().startswith("/* ")]
    assert silent == []
    assert [str(p) for p in checked(HEADERS) if not p.read_text().startswith("/* ")] == []


def test_no_two_headers_have_one_name():
    names = [p.stem for p in checked(HEADERS)]
    assert sorted(n for n in set(names) if names.count(n) > 1) == []


def test_headers_include_each_other_in_no_circle():
    assert circle({p: set(includes(p)) for p in HEADERS}) == []


def test_modules_depend_on_each_other_in_no_circle():
    """A module is a source with its private header."""
    edges = {}
    for path in checked(FILES):
        module = path.with_suffix("")
        uses = {p.with_suffix("") for p in includes(path) if p not in PUBLIC}
        edges.setdefault(module, set()).update(uses - {module})
    assert circle(edges) == []


def test_folders_look_into_few_others():
    allowed = {(folder, "kernels") for folder in ("match", "nn", "select", "train")}
    allowed |= {
        ("train", "nn"),
        ("python", "nn"),
        ("testing", "nn"),
        ("testing", "python"),
        ("kernels/simd", "kernels"),
        ("kernels", "kernels/simd"),
    }
    found = set()
    for path in FILES:
        for other in includes(path):
            folder, there = (p.parent.relative_to(CSRC).as_posix() for p in (path, other))
            if there not in (folder, "include/scp"):
                found.add((folder, there))
    assert found <= allowed


@pytest.mark.parametrize("header", PUBLIC, ids=lambda p: p.name)
def test_functions_take_few_arguments(header):
    if header not in set(checked(PUBLIC)):
        pytest.skip("not yet")
    many = {name: n for name, n in parameters(header) if n > MAX_PARAMETERS}
    assert many == {}


@pytest.mark.parametrize("folder", FOLDERS)
def test_functions_fit_on_a_screen(folder):
    if folder in NOT_YET:
        pytest.skip("not yet")
    files = [p for p in checked(FILES) if p.parent == CSRC / folder]
    long = {f"{p.name}: {name}": n for p in files for name, n in functions(p) if n > MAX_LINES}
    assert long == {}


@pytest.mark.parametrize("folder", FOLDERS)
def test_words_are_those_of_the_field(folder):
    if folder in NOT_YET:
        pytest.skip("not yet")
    found = set()
    for path in (p for p in checked(FILES) if p.parent == CSRC / folder):
        for identifier in set(re.findall(r"\b[A-Za-z_]\w*", code(path))):
            words = set(identifier.lower().split("_"))
            for word in words & set(PRIVATE_WORDS):
                if not identifier.startswith(("atomic_", "uint_least")):
                    found.add((path.name, identifier, PRIVATE_WORDS[word]))
            for word in words & set(ONE_MEANING):
                meaning, allowed = ONE_MEANING[word]
                if folder not in allowed:
                    found.add((path.name, identifier, meaning))
        if "thread pool" in path.read_text().lower():
            found.add((path.name, "thread pool", "thread team"))
    assert found == set()


def test_equations_are_cited_one_by_one():
    """A search for "Eq. 8" finds what computes it."""
    for path in checked(FILES):
        text = re.sub(r"\s*\n \* ?", " ", path.read_text())
        assert re.findall(r"Eqs?\. ?\d+ ?(?:-|,|to|and) ?\d+", text) == [], path
        assert "Eqs." not in text, path
    text = "".join(p.read_text() for p in FILES)
    for number in (1, 2, 5, 7, 8, 9, 10):
        assert re.search(rf"Eq\. {number}\b", text), number


# ---- the umbrella ----


def test_the_umbrella_includes_every_public_header():
    umbrella = CSRC / "include" / "scp" / "scp.h"
    assert sorted(includes(umbrella)) == sorted(p for p in PUBLIC if p != umbrella)


def test_the_version_is_that_of_the_package():
    text = (CSRC / "include" / "scp" / "scp.h").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert re.findall(r'#define SCP_VERSION "(.*)"', text) == [project["version"]]


def test_the_program_of_the_umbrella_is_the_one_that_runs():
    shown = (CSRC / "include" / "scp" / "scp.h").read_text()
    shown = re.search(r"^ \* ---- program ----\n(.*?)^ \* ---- end ----$", shown, re.M | re.S)
    run = (ROOT / "tests" / "c" / "test_usage.c").read_text()
    run = re.search(r"^/\* ---- program ---- \*/\n(.*?)^/\* ---- end ---- \*/$", run, re.M | re.S)
    lines = [re.sub(r"^ \* ?", "", line).strip() for line in shown.group(1).splitlines()]
    assert [x for x in lines if x] == [x.strip() for x in run.group(1).splitlines() if x.strip()]
    assert 15 <= len([x for x in lines if x]) <= 40


def test_the_readme_speaks_of_every_folder():
    text = (CSRC / "README.md").read_text()
    missing = [f for f in FOLDERS if "/" not in f and f"`{f}/`" not in text]
    assert missing == []
