"""Links the first use of each term of the glossary on a page to the glossary.

In running text only: not in headings, bold, code, links, heads of tables, signatures, nor in the
glossary. Whole words, in singular or plural; of terms that begin at the same place, the longest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

PAGE = "reference/glossary"
NOT_IN = (
    nodes.title,
    nodes.rubric,
    nodes.strong,  # a lead
    nodes.term,
    nodes.thead,
    nodes.literal,
    nodes.FixedTextElement,
    nodes.math,
    nodes.reference,
    nodes.footnote_reference,
    nodes.Invisible,
    addnodes.pending_xref,
    addnodes.toctree,
    addnodes.desc,
)


def forms(term: str) -> list[str]:
    """How a term is written: `mean radial error (MRE)` also as `MRE`."""
    found = re.fullmatch(r"(.+?) \((.+)\)", term)
    return [found[1], found[2]] if found else [term]


def pattern(terms: Mapping[str, str]) -> re.Pattern[str]:
    """Matches any form of any term, the longest first; a hyphen is part of a word."""
    written = sorted((f for term in terms for f in forms(term)), key=len, reverse=True)
    any_of = "|".join(_plural(form) for form in written)
    return re.compile(rf"(?<![\w-])(?:{any_of})(?![\w-])", re.I)


def _plural(form: str) -> str:
    words = re.escape(form).replace(r"\ ", r"\s+")
    return rf"{words[:-1]}(?:y|ies)" if form.endswith("y") else rf"{words}s?"


def link(tree: nodes.Element, terms: Mapping[str, str]) -> list[str]:
    """Links the first use of each term in place; the terms that were linked, in order.

    Args:
        tree: of a page. terms: each term of the glossary, and the address of its entry.
    """
    if not terms:
        return []
    search = pattern(terms)
    term_of = {form.lower(): term for term in terms for form in forms(term)}
    linked: list[str] = []
    for text in list(tree.findall(nodes.Text)):
        if _inside(text, NOT_IN):
            continue
        parts, end = [], 0
        for found in search.finditer(text):
            form = _singular(" ".join(found[0].split()), term_of)
            if form is None or term_of[form] in linked:
                continue
            linked.append(term_of[form])
            parts.append(nodes.Text(text[end : found.start()]))
            target = terms[term_of[form]]
            parts.append(nodes.reference("", found[0], refuri=target, internal=True))
            end = found.end()
        if parts:
            text.parent.replace(text, [p for p in [*parts, nodes.Text(text[end:])] if p.astext()])
    return linked


def _singular(word: str, term_of: Mapping[str, str]) -> str | None:
    low = word.lower()
    tried = (low, low.removesuffix("s"), re.sub("ies$", "y", low))
    return next((form for form in tried if form in term_of), None)


def _inside(node: nodes.Node, kinds: tuple[type, ...]) -> bool:
    while node.parent is not None:
        node = node.parent
        if isinstance(node, kinds):
            return True
    return False


def first_uses(app: Sphinx, tree: nodes.document, page: str) -> None:
    """`link` with the glossary of the site; on a page of text for people."""
    if page == PAGE or page.endswith("index") or app.builder.format != "html":
        return
    entries = app.env.domaindata["std"]["objects"].items()
    to_page = app.builder.get_relative_uri(page, PAGE)
    link(tree, {name: f"{to_page}#{at}" for (kind, name), (_, at) in entries if kind == "term"})


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-resolved", first_uses)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
