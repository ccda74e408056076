"""Where the paper's data sets lie below a folder that holds several."""

from __future__ import annotations

import os
from pathlib import Path

# What a data set is known by, and its usual folders; the paper's, in its order.
PAPER = {
    "cephalometric": "folder RawImage",
    "hand": "all.csv",
    "faces": "WFLW_annotations, or landmarks.csv beside images",
}
_FOLDERS = {"hand": ("", "hand", "hands"), "faces": ("", "faces", "wflw", "WFLW")}


def place_of(kind: str, root: str | os.PathLike[str]) -> str | None:
    """The root of a data set of the paper: this folder or one below; None where it is not there."""
    from ...datasets.cephalometric import find_folder

    root = Path(root)
    if not root.is_dir():
        return None
    if kind == "cephalometric":
        return str(root) if find_folder(root, "RawImage") is not None else None
    for name in _FOLDERS[kind]:
        if _is(kind, root / name, named=bool(name)):
            return str(root / name)
    return None


def _is(kind: str, place: Path, named: bool) -> bool:
    if kind == "hand":
        return any((place / name).is_file() for name in ("all.csv", "setup/all.csv"))
    if (place / "WFLW_annotations").is_dir():
        return True
    return named and (place / "landmarks.csv").is_file() and (place / "images").is_dir()
