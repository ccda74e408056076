"""A landmark file of one tool made to one of another."""

from __future__ import annotations

import os
from pathlib import Path

from .formats import FORMATS, Images, writable_names
from .read import read_landmarks, write_landmarks
from .table import Landmarks


def convert_landmarks(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    to: str | None = None,
    images: Images | None = None,
    format: str | None = None,
    category: str | None = None,
    origin: str | None = None,
    several: str = "raise",
    units: str | None = None,
) -> Landmarks:
    """Read a file of landmarks, or a folder of a tool, and write it for another tool.

    Args:
        source: what is read. target: the file or folder that is written; it must not be there.
        to: the format that is written; None: the one whose files end as `target` does.
        images: what is known of the images, a `scp.datasets.Dataset` for one; many formats need
            their sizes.
        format, category, origin, several, units: of `source`, see `scp.read_landmarks`.

    Returns:
        what was written.

    Raises:
        ValueError: `target` is there; no format, or more than one, has its suffix; a format that is
            not written, or that needs the images.
        DatasetError: names the file that is read, and the place.
    """
    name = _format_for(Path(target)) if to is None else to
    if os.path.lexists(target):
        raise ValueError(f"{target} is there already; move it, or give another name")
    if name not in writable_names():
        raise ValueError(f"to must be one of {', '.join(writable_names())}; got {name!r}")
    found = read_landmarks(
        source,
        category,
        origin=origin,
        several=several,
        format=format,
        images=images,
        units=units,
    )
    write_landmarks(target, found, name, images)
    return found


def _format_for(target: Path) -> str:
    """The format whose new files end as the target does."""
    name = target.name.lower()
    rows = [row for row in FORMATS if row.write is not None]
    fitting = [row.name for row in rows if row.suffixes[0] and name.endswith(row.suffixes[0])]
    if not target.suffix:
        fitting = [row.name for row in rows if not row.suffixes[0]]
    if len(fitting) == 1:
        return fitting[0]
    said = f"could be for {', '.join(fitting)}" if fitting else "is the end of no format's files"
    raise ValueError(
        f"{target}: {target.suffix or 'a folder'} {said}; to= (--to) says it: "
        f"{', '.join(writable_names())}"
    )
