"""Who is who among DICOM files: SOP instance UIDs as names, patients as numbers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from . import dicom
from .header import HeaderError
from .reading import DatasetError

IDS = ("path", "uid")


def check_ids(ids: str) -> None:
    """ValueError unless it is one of IDS."""
    if ids not in IDS:
        raise ValueError(f"ids must be one of {', '.join(IDS)}, got {ids!r}")


def check_groups(groups: str | None) -> None:
    """ValueError unless it is "patient" or None."""
    if groups not in (None, "patient"):
        raise ValueError(f"groups must be 'patient' or None, got {groups!r}")


def uids(files: Sequence[Path]) -> list[str]:
    """The SOP instance UID of each file; DatasetError names a file without one, or two with the
    same."""
    found: dict[str, Path] = {}
    for path in files:
        uid, _ = _of(path) or (None, None)
        if uid is None:
            raise DatasetError(f"{path}: no DICOM file with a SOP instance UID, which ids are")
        if uid in found:
            raise DatasetError(f"{path}: has the SOP instance UID of {found[uid]}, which ids are")
        found[uid] = path
    return list(found)


def patients(files: Sequence[Path]) -> list[int | None]:
    """A number for each patient, 1, 2, ... in the order in which they come; None where a file says
    none. The patient's ID, with its issuer, is compared and not kept."""
    numbers: dict[tuple[str, str], int] = {}
    out: list[int | None] = []
    for path in files:
        _, patient = _of(path) or (None, None)
        out.append(None if patient is None else numbers.setdefault(patient, len(numbers) + 1))
    return out


def _of(path: Path) -> tuple[str | None, tuple[str, str] | None] | None:
    """`dicom.identity` of a file; None of other formats."""
    try:
        with open(path, "rb") as file:
            if not dicom.is_dicom(file):
                return None
            return dicom.identity(file, os.fstat(file.fileno()).st_size)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error
    except HeaderError as error:
        raise DatasetError(f"{path}: {error}") from error
