"""Any folder of images."""

from __future__ import annotations

import os
from pathlib import Path

from .base import Dataset, check_files, check_on_error
from .reading import SUFFIXES, DatasetError


def folder(root: str | os.PathLike[str], on_error: str = "raise") -> Dataset:
    """The PNG, JPEG, BMP and TIFF images of a folder and its subfolders.

    Ids are paths relative to `root`, with "/" and suffix, sorted by code point. Hidden files and
    folders are left out, and so are symbolic links that lead out of `root`. Images may differ in
    size, depth (8 or 16 bit) and colour. There is no spacing and there are no landmarks.

    Args:
        root: the folder.
        on_error: what a damaged file does: "raise" or "skip" (listed in `skipped`).

    Raises:
        DatasetError: no such folder, no image in it, or a damaged file.
    """
    check_on_error(on_error)
    root = Path(root)
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder")
    ids = sorted(walk(root))
    if not ids:
        raise DatasetError(f"{root}: no image found (looked for {', '.join(SUFFIXES)})")
    keep, shapes, skipped = check_files(ids, [root / v for v in ids], on_error)
    if not keep:
        raise DatasetError(f"{root}: none of {len(ids)} image files is usable; {skipped[0][1]}")
    kept = [ids[i] for i in keep]
    return Dataset(
        "folder", kept, root=root, files=[root / v for v in kept], shapes=shapes, skipped=skipped
    )


def walk(root: Path) -> list[str]:
    """Paths of the image files below `root`, relative to it, with "/", in no order that counts."""
    inside = root.resolve()
    found, seen = [], set()

    def visit(path: str, prefix: str) -> None:
        real = os.path.realpath(path)
        if real in seen:  # a link back: a cycle
            return
        seen.add(real)
        try:
            entries = sorted(os.scandir(path), key=lambda e: e.name)
        except OSError as error:
            raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error
        # Plain folders before links, so that a link never takes the place of the real one.
        for entry in sorted(entries, key=lambda e: e.is_symlink()):
            if entry.name.startswith("."):
                continue
            if entry.is_symlink() and not Path(entry.path).resolve().is_relative_to(inside):
                continue
            if entry.is_dir():
                visit(entry.path, f"{prefix}{entry.name}/")
            elif entry.name.lower().endswith(SUFFIXES):
                found.append(prefix + entry.name)

    visit(str(root), "")
    return found
