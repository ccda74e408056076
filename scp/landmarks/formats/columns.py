"""What the columns of a table of landmarks are, from their names; what could be two things is
refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain

from ...errors import DatasetError
from ..text import is_number

EXPECTED = "expected a header image,landmark,x,y or image,NAME_x,NAME_y,..."
# Names of columns in small letters, without blanks, points, hyphens and underscores.
_IMAGE = {"image", "images", "img", "file", "path"}
_IMAGE |= {"imageid", "imagename", "imagefile", "imagefilename", "imagepath"}
_IMAGE |= {"imgid", "imgname", "imgpath", "filename", "filepath"}
_LANDMARK = {"landmark", "landmarks", "label", "point", "keypoint", "bodypart", "bodyparts", "part"}
_LANDMARK |= {"landmarkname", "landmarkid", "pointname", "pointid", "keypointname", "keypointid"}
_EITHER = {"name", "id", "ids"}  # of images; of landmarks where another column has the images
_CONFIDENCE = ("confidence", "conf", "likelihood", "score", "probability")
_AXES = ("x", "y", *_CONFIDENCE)
_X = {"x": "x", "y": "y"} | {f"{a}{b}": a for a in "xy" for b in ("px", "coord", "coordinate")}
_SEPARATORS = " _.-\t"


@dataclass(frozen=True)
class Columns:
    """Places of the columns of a table.

    Attributes:
        image: of the names of images.
        points: (name, x, y, confidence or None) of each point of a line; in a long table one.
        landmark: of the names of landmarks in a long table, else None.
        visible: of the column of that name in a long table, or None.
        unused: names of the columns that are no part of it.
        maybe_lines: the landmarks are in a column `id`, which may count the lines instead.
    """

    image: int
    points: list[tuple[str, int, int, int | None]]
    landmark: int | None = None
    visible: int | None = None
    unused: list[str] = field(default_factory=list)
    maybe_lines: bool = False


def columns_of(header: Sequence[str], where: str) -> Columns:
    """The columns of a header; DatasetError says `where` it is and what to do."""
    keys = [_key(cell) for cell in header]
    axes = [_X.get(key, "") for key in keys]
    if axes.count("x") == 1 and axes.count("y") == 1 and "x.1" not in map(str.lower, header):
        return _long(header, keys, axes.index("x"), axes.index("y"), where)
    image = _image(header, keys, where)
    if image is None:
        raise DatasetError(f"{where}: {EXPECTED}; got {','.join(header)[:60]!r}")
    others = [k for k in range(len(header)) if k != image]
    if pairs := _nameless([header[k].lower() for k in others]):
        return Columns(image, [(str(k + 1), others[2 * k], others[2 * k + 1], None) for k in pairs])
    return _wide(header, image, others, where)


def without_header(cells: Sequence[str]) -> Columns | None:
    """The columns where the first line holds points already: a name, then pairs of numbers."""
    values = cells[1:]
    if len(values) % 2 or not cells[0] or not any(map(is_number, values)):
        return None
    if not all(is_number(cell) or cell.casefold() in ("", "nan") for cell in values):
        return None
    pairs = range(len(values) // 2)
    return Columns(0, [(str(k + 1), 2 * k + 1, 2 * k + 2, None) for k in pairs])


def _key(cell: str) -> str:
    return "".join(c for c in cell.casefold() if c not in _SEPARATORS)


def _nameless(names: list[str]) -> range | None:
    """The pairs of x,y,x,y,... or of what pandas makes of it: x,y,x.1,y.1,..."""
    pairs = range(len(names) // 2)
    if len(names) > 2 and (
        names == ["x", "y"] * len(pairs)
        or names == ["x", "y", *chain(*((f"x.{k}", f"y.{k}") for k in pairs[1:]))]
    ):
        return pairs
    return None


# ---- which column is what ----


def _image(header: Sequence[str], keys: list[str], where: str) -> int | None:
    found = [k for k, key in enumerate(keys) if key in _IMAGE]
    found = found or [k for k, key in enumerate(keys) if key in _EITHER]
    if not found and keys and keys[0] in ("", "unnamed:0"):  # the index of pandas
        return 0
    return _one(header, keys, found, "image", where)


def _one(
    header: Sequence[str], keys: list[str], found: list[int], what: str, where: str
) -> int | None:
    """The one of these columns that is meant: the only one, or the one that is called so."""
    if len(found) > 1:
        called = [k for k in found if keys[k] == what]
        if len(called) != 1:
            some = " or ".join(repr(header[k][:40]) for k in found[:3])
            raise DatasetError(
                f"{where}: which column is the {what}, {some}? call that one {what!r}"
            )
        found = called
    return found[0] if found else None


def _long(header: Sequence[str], keys: list[str], x: int, y: int, where: str) -> Columns:
    either = [k for k, key in enumerate(keys) if key in _EITHER]
    landmark = _one(
        header, keys, [k for k, key in enumerate(keys) if key in _LANDMARK], "landmark", where
    )
    image = _image(header, keys, where)
    if image is None:
        raise DatasetError(f"{where}: {EXPECTED}; got {','.join(header)[:60]!r}")
    lines = False
    if landmark is None:
        left = [k for k in either if k != image]
        if len(left) > 1:
            left = [k for k in left if keys[k] == "name"]
        if left:
            landmark, lines = left[0], keys[left[0]] != "name"
    confidence = _one(
        header, keys, [k for k, key in enumerate(keys) if key in _CONFIDENCE], "confidence", where
    )
    visible = keys.index("visible") if "visible" in keys and landmark is not None else None
    used = {image, landmark, x, y, confidence, visible}
    rest = [k for k in range(len(header)) if k not in used]
    for split in (_last, _first):
        found = {split(header[k]): k for k in rest}
        for name, axis in filter(None, found):
            if axis == "x" and (name, "y") in found:
                raise DatasetError(
                    f"{where}: columns {header[x]!r} and {header[y]!r}, and "
                    f"{header[found[name, axis]][:40]!r} too: which are the points? take the "
                    "others out"
                )
    return Columns(
        image,
        [("1", x, y, confidence)],
        landmark,
        visible,
        [header[k] for k in rest],
        lines,
    )


def _wide(header: Sequence[str], image: int, others: list[int], where: str) -> Columns:
    ways = [_paired(header, others, split, where) for split in (_last, _first)]
    sizes = [sum("x" in axes and "y" in axes for axes in way.values()) for way in ways]
    if sizes[0] == sizes[1] > 0 and ways[0] != ways[1]:
        raise DatasetError(
            f"{where}: is the axis the first or the last letter of a column? name them NAME_x and "
            "NAME_y"
        )
    way = ways[0] if sizes[0] >= sizes[1] else ways[1]
    points, used = [], {image}
    for name, axes in way.items():
        if "x" in axes and "y" in axes:
            score = next((axes[key] for key in _CONFIDENCE if key in axes), None)
            points.append((name, axes["x"], axes["y"], score))
            used |= {axes["x"], axes["y"]} | ({score} if score is not None else set())
    if not points:
        raise DatasetError(
            f"{where}: no landmark in the header: {EXPECTED}; got {','.join(header)[:60]!r}"
        )
    for name, axes in way.items():
        for axis in ("x", "y"):
            if axis in axes and _other(axis) not in axes:
                raise DatasetError(
                    f"{where}: column {header[axes[axis]][:60]!r} without the {_other(axis)} of "
                    f"{name[:60]!r}; add it, or take the column out"
                )
    return Columns(image, points, unused=[header[k] for k in others if k not in used])


def _other(axis: str) -> str:
    return "y" if axis == "x" else "x"


def _paired(
    header: Sequence[str],
    others: list[int],
    split: Callable[[str], tuple[str, str] | None],
    where: str,
) -> dict[str, dict[str, int]]:
    """By name, the places of its x, y and confidence."""
    found: dict[str, dict[str, int]] = {}
    for k in others:
        parts = split(header[k])
        if parts is None:
            continue
        axes = found.setdefault(parts[0], {})
        if parts[1] in axes:
            raise DatasetError(
                f"{where}: columns {header[axes[parts[1]]][:40]!r} and {header[k][:40]!r} are both "
                f"the {parts[1]} of {parts[0][:40]!r}; rename or remove one"
            )
        axes[parts[1]] = k
    return found


def _last(cell: str) -> tuple[str, str] | None:
    """(name, axis) of "sella_x", "sella.x", "sella x", "sella (x)", "1x"."""
    bare = cell[:-1] if cell[-1:] in (")", "]") else cell
    for axis in _AXES:
        rest = bare[: -len(axis)]
        if bare[-len(axis) :].lower() != axis or not rest:
            continue
        name = rest.rstrip(_SEPARATORS + "([")
        if name and (len(name) < len(rest) or (name[-1].isdigit() and len(axis) == 1)):
            return name, axis
    return None


def _first(cell: str) -> tuple[str, str] | None:
    """(name, axis) of "x_sella", "x.sella", "x sella", "x1"."""
    for axis in _AXES:
        rest = cell[len(axis) :]
        if cell[: len(axis)].lower() != axis or not rest:
            continue
        name = rest.lstrip(_SEPARATORS)
        if name and (len(name) < len(rest) or name[0].isdigit()):
            return name, axis
    return None
