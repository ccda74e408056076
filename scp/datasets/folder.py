"""Any folder of images."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from .base import Dataset, check_files, check_on_error
from .foreign import images_in, is_image, is_nameless_dicom, why_foreign
from .identity import check_groups, check_ids, patients, uids
from .reading import SUFFIXES, DatasetError, folder_at


def folder(
    root: str | os.PathLike[str],
    on_error: str = "raise",
    *,
    ids: str = "path",
    groups: str | None = None,
    scale: tuple[float, float] | None = None,
) -> Dataset:
    """The PNG, JPEG, BMP, TIFF, DICOM, NIfTI, MetaImage and NRRD images of a folder, and below it.

    Ids are paths relative to `root`, with "/" and suffix, sorted by code point. Left out, and
    counted in `skipped`, are hidden files and folders, run folders of scp, what file servers and
    archives add (thumbnails in @eaDir, __MACOSX, ..), named pipes, devices, and symbolic links that
    lead back to themselves or out of `root`. What `root` names itself is read wherever it is.
    Images may differ in size, depth (8 or 16 bit) and colour. Spacing is that of the files, where
    their format has one (`Dataset.spacing_note`). There are no landmarks.

    Args:
        root: the folder.
        on_error: what a damaged file does: "raise" or "skip" (listed in `skipped`).
        ids: "path", or "uid": the SOP instance UIDs of DICOM files.
        groups: "patient": one for each patient ID in DICOM files, as a number that tells nothing.
        scale: (black, white) of floating-point, signed and 32-bit pixels, which say none.

    Raises:
        DatasetError: no such folder, no image in it, or a damaged file.
    """
    check_on_error(on_error)
    check_ids(ids)
    check_groups(groups)
    root = folder_at(root)
    odd: list[tuple[str, str]] = []
    names = sorted(walk(root, odd))
    if not names:
        out = f"; left out: {odd[0][0]}, {odd[0][1]}" if odd else ""
        raise DatasetError(f"{root}: no image found (looked for {', '.join(SUFFIXES)}){out}")
    keep, headers, skipped = check_files(names, [root / v for v in names], on_error, scale=scale)
    if not keep:
        raise DatasetError(f"{root}: none of {len(names)} image files is usable; {skipped[0][1]}")
    files = [root / names[i] for i in keep]
    return Dataset(
        "folder",
        uids(files) if ids == "uid" else [names[i] for i in keep],
        root=root,
        files=files,
        **headers,
        groups=patients(files) if groups else None,
        skipped=sorted(odd) + skipped,
    )


def walk(root: Path, odd: list[tuple[str, str]] | None = None) -> list[str]:
    """Paths of the image files below `root`, relative to it, with "/", in no order that counts.

    odd: takes (path, reason) of what is left out.
    """
    inside = root.resolve()
    odd = [] if odd is None else odd
    found, seen, hidden, outside = [], set(), 0, 0

    def visit(path: str, prefix: str) -> None:
        nonlocal hidden, outside
        real = os.path.realpath(path)
        if real in seen:  # a link back: a cycle
            return
        seen.add(real)
        try:
            entries = sorted(os.scandir(path), key=lambda e: e.name)
        except OSError as error:
            raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error
        reason = why_foreign(path, [e.name for e in entries]) if prefix else None
        if reason is not None:
            if count := images_in(path):
                odd.append((prefix, f"{reason}: {count} image{'s' if count > 1 else ''}"))
            return
        # Plain folders before links, so that a link never takes the place of the real one.
        for entry in sorted(entries, key=lambda e: e.is_symlink()):
            if entry.name.startswith("."):
                folder_too = entry.is_dir(follow_symlinks=False)
                hidden += images_in(entry.path) if folder_too else is_image(entry.name)
                continue
            named = is_image(entry.name)
            kind = _kind(entry, inside)
            if kind == "folder":
                visit(entry.path, f"{prefix}{entry.name}/")
            elif kind == "file" and (named or is_nameless_dicom(entry.path)):
                found.append(prefix + entry.name)
            elif kind == "outside":
                outside += named or os.path.isdir(entry.path)
            elif kind == "loop" or (named and kind == "device"):
                reason = "a link to itself" if kind == "loop" else "a pipe or a device, no file"
                odd.append((prefix + entry.name, reason))

    visit(str(root), "")
    if hidden:
        odd.append((".*", f"hidden files and folders: {hidden} image{'s' if hidden > 1 else ''}"))
    if outside:
        odd.append(("symbolic links", f"lead out of the folder: {outside}"))
    return found


def _kind(entry: os.DirEntry[str], inside: Path) -> str:
    """folder, file, device (or pipe), loop (a link that leads to itself), or outside (a link)."""
    try:
        if entry.is_symlink() and not Path(entry.path).resolve().is_relative_to(inside):
            return "outside"
        if entry.is_dir():
            return "folder"
        mode = os.stat(entry.path).st_mode
    except (OSError, RuntimeError) as error:  # RuntimeError: Path.resolve, before Python 3.13
        looping = isinstance(error, RuntimeError) or error.errno == errno.ELOOP
        return "loop" if looping else "file"  # what is wrong is said when it is read
    return "file" if stat.S_ISREG(mode) else "device"
