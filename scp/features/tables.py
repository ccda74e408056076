"""Vectors of images in text and safetensors files: the forms in which other programs leave them."""

from __future__ import annotations

import os

import numpy as np

from ..landmarks.text import csv_lines, is_number, number_in, read_text
from ..runs import read_safetensors


def read_csv(path: str | os.PathLike[str]) -> tuple[list[str], np.ndarray]:
    """Ids and vectors float64 [N][d] of lines id,number,number,...; a first line of names is left
    out.

    Raises:
        ValueError: names the file and the line: a cell is empty or no number, a line is shorter or
            longer than the first, there are no lines.
    """
    ids: list[str] = []
    rows: list[list[float]] = []
    for number, cells in csv_lines(path, read_text(path)):
        where = f"{path}, line {number}"
        if not rows and not any(is_number(cell) for cell in cells[1:]) and len(cells) > 1:
            if ids:
                raise ValueError(f"{where}: a second line without numbers; is this id,number,...?")
            ids.append("")  # the names of the columns
            continue
        if len(cells) < 2:
            raise ValueError(f"{where}: an id and numbers are needed, with commas between")
        if rows and len(cells) != len(rows[0]) + 1:
            raise ValueError(f"{where}: {len(cells) - 1} numbers, {len(rows[0])} in lines before")
        if not cells[0].strip():
            raise ValueError(f"{where}: the id is empty")
        row = [number_in(cell, where, f"column {k}") for k, cell in enumerate(cells[1:], 2)]
        if np.isnan(row).any():
            raise ValueError(f"{where}: column {int(np.isnan(row).argmax()) + 2} is empty")
        ids.append(cells[0].strip())
        rows.append(row)
    if not rows:
        raise ValueError(f"{path}: there are no vectors in it, lines id,number,number,...")
    return ids[len(ids) - len(rows) :], np.array(rows)


def read_tensors(path: str | os.PathLike[str]) -> tuple[list[str] | None, dict[str, np.ndarray]]:
    """Ids, or None, and arrays by name: tensors [d], each named by its image; else those there are.

    Raises:
        ValueError: names the file, and a tensor that does not fit the others.
    """
    _, tensors = read_safetensors(path)
    if not tensors or any(tensor.ndim != 1 for tensor in tensors.values()):
        return None, tensors
    sizes = {len(tensor) for tensor in tensors.values()}
    if len(sizes) > 1:
        raise ValueError(f"{path}: vectors of {min(sizes)} and of {max(sizes)} numbers")
    return list(tensors), {"": np.stack(list(tensors.values()))}
