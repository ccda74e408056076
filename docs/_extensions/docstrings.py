"""Docstrings are plain text with `names`, which reStructuredText would read otherwise.

`name` is code; names_ that end in an underscore are no links; a block that is indented by four
where text has none is an example.
"""

from __future__ import annotations

import re

from sphinx.application import Sphinx

# In front of napoleon, which reads Args, Returns, Raises and Attributes.
BEFORE_NAPOLEON = 100


def plain(app, what, name, obj, options, lines: list[str]) -> None:
    """Rewrites the lines of a docstring in place."""
    out: list[str] = []
    example = False
    for line in lines:
        begins = re.match(r" {4}\S", line) and (not out or not out[-1].strip())
        section = any(re.match(r"(Args|Returns|Raises|Attributes|Yields):$", t) for t in out)
        if begins and not section and not example:
            out += [".. code-block:: python", ""]
            example = True
        elif line.strip() and not line.startswith(" "):
            example = False
        out.append(line if example else _escaped(line))
    lines[:] = out


def _escaped(line: str) -> str:
    """`code` as reStructuredText has it; names_ that are no links, and bars of |x|."""
    parts = re.split(r"(?<!`)`([^`]+)`(?!`)", line)
    for k, part in enumerate(parts):
        parts[k] = f"``{part}``" if k % 2 else re.sub(r"(?<=\w)_(?!\w)|\|", r"\\\g<0>", part)
    return "".join(parts)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", plain, priority=BEFORE_NAPOLEON)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
