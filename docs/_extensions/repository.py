"""Links from a page to what is no page: on the site they are text.

Notebooks are pages of the site, which lie elsewhere. Files of code become downloads, as MyST makes
them.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from sphinx.application import Sphinx

from notebooks import PAGES

LINK = re.compile(r"\[([^\]]+)\]\((\.\./[^)#]+)(#[^)]*)?\)")


def as_text(app: Sphinx, page: str, source: list[str]) -> None:
    """Links to folders, and to Markdown outside docs/, in place."""
    here, docs = Path(app.env.doc2path(page)).parent, Path(app.srcdir).resolve()

    def shown(link: re.Match) -> str:
        target = (here / link[2]).resolve()
        if target.suffix == ".ipynb":
            return f"[{link[1]}]({os.path.relpath(docs / PAGES / target.name, here)})"
        outside = docs not in target.parents
        if outside and (target.is_dir() or target.suffix == ".md"):
            return f"{link[1]} (`{target.relative_to(docs.parent)}`)"
        return link[0]

    source[0] = LINK.sub(shown, source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", as_text)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
