"""The site: what it must name. `make docs` builds it, with warnings as errors."""

import importlib.util
import inspect
import re
from pathlib import Path

import pytest

import scp

DOCS = Path(__file__).resolve().parents[2] / "docs"
TERMS = {
    "feature": "g#feature",
    "feature pyramid": "g#pyramid",
    "similarity": "g#similarity",
    "mean radial error (MRE)": "g#mre",
    "pool": "g#pool",
}


def test_the_reference_names_everything_that_scp_exports():
    named = set(re.findall(r"^   ([\w.]+)$", (DOCS / "reference/api.rst").read_text(), re.M))
    exported = {n for n in scp.__all__ if not n.startswith("__")}
    classes = {n for n in exported if not inspect.ismodule(getattr(scp, n))}
    assert classes <= named, f"docs/reference/api.rst lacks {sorted(classes - named)}"
    modules = exported - classes
    parts = {word for n in named for word in n.split(".")[:-1]} | named
    assert modules <= parts, f"docs/reference/api.rst lacks {sorted(modules - parts)}"
    for name in named:  # and what it names is there
        part = scp
        for word in name.split("."):
            part = getattr(part, word)


def test_every_page_can_be_reached():
    listed = {"index"}
    for index in DOCS.rglob("index.md"):
        for entry in re.findall(r"^([\w/-]+)$", index.read_text(), re.M):
            listed.add((index.parent / entry).relative_to(DOCS).as_posix())
    pages = {p.relative_to(DOCS).with_suffix("").as_posix() for p in DOCS.rglob("*.md")}
    pages = {p for p in pages if not p.startswith(("_", "reference/generated"))}
    assert pages <= listed, f"no index lists {sorted(pages - listed)}"


@pytest.fixture(scope="module")
def glossary():
    """The extension of that name; it needs Sphinx."""
    pytest.importorskip("sphinx")
    path = DOCS / "_extensions" / "glossary.py"
    spec = importlib.util.spec_from_file_location("scp_docs_glossary", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def page(*parts):
    """A section with these nodes below its heading."""
    from docutils import nodes

    return nodes.section("", nodes.title("", "The pool"), *parts)


def paragraph(*parts):
    from docutils import nodes

    return nodes.paragraph("", "", *(nodes.Text(p) if isinstance(p, str) else p for p in parts))


def links(tree) -> list[tuple[str, str]]:
    from docutils import nodes

    return [(r.astext(), r["refuri"]) for r in tree.findall(nodes.reference) if "refuri" in r]


def test_the_first_use_of_each_term_is_linked_once(glossary):
    tree = page(paragraph("A feature and two features. "), paragraph("Features of the pool."))
    text = tree.astext()
    assert glossary.link(tree, TERMS) == ["feature", "pool"]
    assert links(tree) == [("feature", "g#feature"), ("pool", "g#pool")]
    assert tree.astext() == text  # not a letter more or less


@pytest.mark.parametrize(
    ("text", "shown", "target"),
    [
        ("the Feature\npyramids of", "Feature\npyramids", "g#pyramid"),  # the longest, over lines
        ("three similarities", "similarities", "g#similarity"),
        ("Similarity is", "Similarity", "g#similarity"),
        ("the mean radial errors", "mean radial errors", "g#mre"),
        ("its MRE.", "MRE", "g#mre"),
    ],
)
def test_forms_of_a_term(glossary, text, shown, target):
    tree = page(paragraph(text))
    glossary.link(tree, TERMS)
    assert links(tree) == [(shown, target)]


@pytest.mark.parametrize("text", ["max-pool", "pooling", "carpools", "featured", "pool_size", "s"])
def test_parts_of_words_are_no_terms(glossary, text):
    tree = page(paragraph(text))
    assert glossary.link(tree, TERMS) == [] and links(tree) == []


def test_headings_bold_code_links_and_heads_of_tables_stay(glossary):
    from docutils import nodes

    own = nodes.reference("", "the pool", refuri="elsewhere")
    head = nodes.thead("", nodes.row("", nodes.entry("", paragraph("pool"))))
    body = nodes.tbody("", nodes.row("", nodes.entry("", paragraph("a feature"))))
    table = nodes.table("", nodes.tgroup("", head, body, cols=1))
    code = nodes.literal_block("", "the pool")
    bold = nodes.strong("", "The pool.")
    tree = page(paragraph(bold, nodes.literal("", "pool"), " ", own), code, table)
    assert glossary.link(tree, TERMS) == ["feature"]
    assert links(tree) == [("the pool", "elsewhere"), ("feature", "g#feature")]


def test_a_glossary_without_terms_links_nothing(glossary):
    tree = page(paragraph("the pool"))
    assert glossary.link(tree, {}) == [] and links(tree) == []


def test_every_term_of_the_glossary_is_found_by_its_own_name(glossary):
    block = (DOCS / "reference/glossary.md").read_text().split(":::{glossary}\n")[1]
    terms = re.findall(r"^(\w[^\n]*)\n  \S", block, re.M)
    assert len(terms) > 20 and "key point" in terms
    for term in terms:
        for form in glossary.forms(term):
            tree = page(paragraph(f"The {form} here."))
            assert glossary.link(tree, {t: f"g#{t}" for t in terms}) == [term], form
