"""Results as text, markdown, CSV and drawings."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..landmarks.csv import safe_cell
from ..report import cells
from ..report.svg import Drawing
from ..runs import RunFolder


@dataclass(frozen=True)
class Table:
    """Texts in rows and columns; the first column is left-aligned, the others are numbers."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        lines = [f"**{self.title}**", "", _line(self.columns)]
        lines.append(_line(["---"] + ["---:"] * (len(self.columns) - 1)))
        return "\n".join([*lines, *(_line(row) for row in self.rows)]) + "\n"

    def text(self) -> str:
        rows = [[str(v) for v in row] for row in (self.columns, *self.rows)]
        widths = [max(len(row[k]) for row in rows) for k in range(len(self.columns))]
        lines = [self.title]
        for row in rows:
            cells = [row[0].ljust(widths[0])]
            cells += [cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True)]
            lines.append("  " + "  ".join(cells).rstrip())
        return "\n".join(lines) + "\n"

    def _repr_html_(self) -> str:
        return cells.paragraph(self.title) + cells.table(self.columns, self.rows)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(str(c).replace("|", "\\|") for c in cells) + " |"


@dataclass(repr=False)
class Result:
    """A table or figure of the paper, made again.

    Attributes:
        name: "table1", ... title: in words.
        tables: for reading. records: rows of the CSV file, all with the same keys.
        figure: what it shows, or None. notes: sentences that belong to it.
    """

    name: str
    title: str
    tables: list[Table] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    figure: Drawing | None = None
    notes: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"<Result: {self.title}>"

    def __str__(self) -> str:
        return self.text()

    def text(self) -> str:
        parts = [self.title, *(t.text() for t in self.tables), *self.notes]
        return "\n\n".join(p.rstrip() for p in parts) + "\n"

    def markdown(self) -> str:
        parts = [f"# {self.title}"]
        if self.figure is not None:
            parts.append(f"![{self.title}]({self.name}.svg)")
        parts += [t.markdown().rstrip() for t in self.tables]
        return "\n\n".join([*parts, *self.notes]) + "\n"

    def _repr_html_(self) -> str:
        """In a notebook: the figure, the tables, the notes."""
        parts = [] if self.figure is None else [str(self.figure)]
        parts += [t._repr_html_() for t in self.tables]
        return "".join([*parts, *map(cells.paragraph, self.notes)])

    def csv(self) -> str:
        out = io.StringIO()
        if self.records:
            writer = csv.DictWriter(out, list(self.records[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows({k: _cell(v) for k, v in r.items()} for r in self.records)
        return out.getvalue()

    def write(self, folder: str | os.PathLike[str]) -> list[str]:
        """NAME.md, NAME.csv and, of a figure, NAME.svg; the names written."""
        files = [f"{self.name}.md", f"{self.name}.csv"]
        folder = RunFolder.of(folder)
        folder.write_text(files[0], self.markdown())
        folder.write_text(files[1], self.csv())
        if self.figure is not None:
            files.append(f"{self.name}.svg")
            folder.write_text(files[-1], f"{self.figure}\n")
        return files


def _cell(value):
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, (list, tuple)):
        value = " ".join(str(v) for v in value)
    return safe_cell(value) if isinstance(value, str) else value


def number(value: float | None, digits: int = 3) -> str:
    """ "2.571", or "-" for None."""
    return "-" if value is None else f"{value:.{digits}f}"


def mean_sd(mean: float, sd: float, digits: int = 3) -> str:
    """ "3.595 ± 0.381"."""
    return f"{mean:.{digits}f} ± {sd:.{digits}f}"
