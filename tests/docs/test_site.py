"""The site: what it must name. `make docs` builds it, with warnings as errors."""

import inspect
import re
from pathlib import Path

import scp

DOCS = Path(__file__).resolve().parents[2] / "docs"


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
