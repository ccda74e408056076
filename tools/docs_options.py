"""Writes the tables of options in docs/ from the rows of the core (scp/options.py).

    python tools/docs_options.py [--check]

Between <!-- options NAME --> and <!-- end of options --> stands the table of NAME (those of PAGES).
--check changes nothing and ends with 1 where a table is not the one that the rows give.
"""

import re
import sys
from pathlib import Path

from scp.baselines import InstanceOptions, VaalOptions
from scp.faces import AutoencoderOptions, TransferOptions
from scp.refinement import RefinementOptions, SupervisedOptions
from scp.training import TrainingOptions

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGES = {
    "training.md": ("train", TrainingOptions),
    "refinement.md": ("refine", RefinementOptions),
    "supervised.md": ("supervise", SupervisedOptions),
    "faces.md": ("autoencode", AutoencoderOptions, "transfer", TransferOptions),
    "active.md": ("vaal", VaalOptions, "instances", InstanceOptions),
}


def rendered(options) -> str:
    """The table of all options with their defaults."""
    lines = ["| option | default | legal | meaning |", "|---|---|---|---|"]
    for row, value in options().rows():
        lines.append(f"| `{row.name}` | {row.text(value)} | {row.legal} | {row.meaning} |")
    return "\n".join(lines)


def page(name: str) -> tuple[str, str]:
    """The page as it is, and as it should be."""
    text = new = (DOCS / name).read_text(encoding="utf-8")
    for table, options in zip(PAGES[name][::2], PAGES[name][1::2], strict=True):
        new = _with_table(name, new, table, options)
    return text, new


def _with_table(name: str, text: str, table: str, options) -> str:
    marks = f"<!-- options {table} -->\n", "\n<!-- end of options -->"
    pattern = re.escape(marks[0]) + ".*?" + re.escape(marks[1])
    whole = marks[0] + rendered(options) + marks[1]
    new, count = re.subn(pattern, lambda _: whole, text, flags=re.DOTALL)
    if count != 1:
        raise SystemExit(f"docs/{name}: {marks[0].strip()} must stand there once")
    return new


def main(check: bool) -> int:
    stale = 0
    for name in PAGES:
        old, new = page(name)
        if old != new and check:
            print(f"docs/{name}: python tools/docs_options.py writes its table anew")
            stale = 1
        elif old != new:
            (DOCS / name).write_text(new, encoding="utf-8")
    return stale


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
