"""Writes notebooks/NAME.ipynb, without outputs, from notebooks/NAME.py in the percent format.

    python tools/notebooks.py          # all of them; make format does it too

tests/docs/test_notebooks.py says that what is committed is what this makes. jupytext is not needed;
in a Jupyter that has it, the two files of a pair are opened and saved as one.
"""

import json
import re
from pathlib import Path

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
METADATA = {
    "jupytext": {"formats": "ipynb,py:percent"},
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def cells(source: str) -> list[tuple[str, str]]:
    """Kind ("code" or "markdown") and text of each cell."""
    _, *parts = re.split(r"^# %%", source, flags=re.MULTILINE)
    out = []
    for part in parts:
        head, _, text = part.partition("\n")
        kind = {"": "code", "[markdown]": "markdown"}[head.strip()]
        if kind == "markdown":
            text = re.sub("^# ?", "", text, flags=re.MULTILINE)
        out.append((kind, text.strip("\n")))
    return out


def notebook(source: str) -> str:
    """The .ipynb file of a .py file."""
    made = []
    for number, (kind, text) in enumerate(cells(source)):
        cell = {"cell_type": kind, "id": f"cell-{number:02d}", "metadata": {}}
        if kind == "code":
            cell |= {"execution_count": None, "outputs": []}
        made.append({**cell, "source": text.splitlines(keepends=True)})
    content = {"cells": made, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def main() -> None:
    for path in sorted(NOTEBOOKS.glob("*.py")):
        text = notebook(path.read_text(encoding="utf-8"))
        path.with_suffix(".ipynb").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
