"""Names of images, landmarks and patients: which of them mean the same.

An image is looked for by its name as it is, then in the composed Unicode form without blanks around
it (macOS stores names decomposed, which look the same), then without the suffixes of image files.
A name that could mean two images is an error, never a guess.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence, Set
from typing import Any

import numpy as np

from ..errors import DatasetError
from ..values import entries

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".dcm", ".dicom")
SUFFIXES += (".mha", ".mhd", ".nrrd", ".nii.gz", ".nii")
_MISSING = ("", "nan", "none", "<na>", "nat")  # what numpy and pandas make of None in a text column
_CONTROL = ("Cc", "Cs", "Zl", "Zp")  # control characters, half characters, other line ends
_DIRECTION = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def stem(name: str) -> str:
    """The name of an image without the suffix of an image file."""
    lower = name.lower()
    for suffix in SUFFIXES:
        if lower.endswith(suffix) and not lower.endswith("/" + suffix) and lower != suffix:
            return name[: -len(suffix)]
    return name


def form(name: str) -> str:
    """What names that look the same have in common: composed (NFC), without blanks around."""
    return (name if name.isascii() else unicodedata.normalize("NFC", name)).strip()


def twice(names: Iterable[str]) -> str | None:
    """The first name that is there more than once, or None."""
    return next((name for name, count in Counter(names).items() if count > 1), None)


def check_name(name: str) -> None:
    """DatasetError where a name cannot be written to a file: its bytes are not UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raw = name.encode("utf-8", "surrogateescape") if _from_bytes(name) else name
        raise DatasetError(
            f"{raw!r}: the name is not UTF-8 text; rename the file (convmv does many at once)"
        ) from None


def _from_bytes(name: str) -> bool:
    return not any("\ud800" <= c < "\udc80" or "\udcff" < c <= "\udfff" for c in name)


def writable(text: str) -> str:
    """The text with what is no UTF-8 written out, so that it can stand in a file."""
    return text.encode("utf-8", "backslashreplace").decode()


def visible(text: str, keep: str = "") -> str:
    """The text with control characters, marks of direction and halves of characters written as
    \\u001b, so that no name can steer a terminal; `keep`: characters that stay."""
    if text.isascii() and text.isprintable():
        return text

    def safe(c: str) -> str:
        hidden = c in _DIRECTION or unicodedata.category(c) in _CONTROL
        return f"\\u{ord(c):04x}" if hidden and c not in keep else c

    return "".join(map(safe, text))


class Index:
    """Names of images, in which others are looked up.

    A name means the image of exactly that name; or the one of the same `form`; or, where one of the
    two is without suffix, the one of the same stem. ("001.png" never means "001.jpg".)
    """

    def __init__(self, names: Sequence[str]):
        self.names = [str(name) for name in names]
        self._exact = {name: i for i, name in enumerate(self.names)}
        self._forms: dict[str, list[int]] = {}
        self._stems: dict[str, list[int]] = {}
        for i, name in enumerate(self.names):
            same = form(name)
            self._forms.setdefault(same, []).append(i)
            self._stems.setdefault(stem(same), []).append(i)

    def __contains__(self, name: str) -> bool:
        """An image has exactly this name."""
        return name in self._exact

    def place(self, name: str) -> int:
        """Row of this name, -1 where there is none; ValueError where it could be two."""
        if name in self._exact:
            return self._exact[name]
        same = form(name)
        rows = self._forms.get(same, [])
        if not rows:
            bare = stem(same)
            rows = self._stems.get(bare, [])
            if bare != same:
                rows = [i for i in rows if form(self.names[i]) == bare]
        if len(rows) > 1:
            raise ValueError(f"{name!r} could be {either([self.names[i] for i in rows])}")
        return rows[0] if rows else -1

    def rows(self, names: Iterable[str], where: str) -> list[int]:
        """Rows of these names, each once; ValueError says `where` a wrong one is named."""
        found: dict[int, str] = {}
        for name in map(str, names):
            try:
                row = self.place(name)
            except ValueError as error:
                raise ValueError(f"{where}: {error}") from None
            if row < 0:
                raise ValueError(f"{where}: no image is called {name!r}")
            if row in found:
                more = "" if found[row] == name else f", as {found[row]!r} and as {name!r}"
                raise ValueError(f"{where}: image {self.names[row]!r} is named twice{more}")
            found[row] = name
        return list(found)


def either(names: Sequence[str]) -> str:
    """ "a.png or a.jpg"; where these look the same, what differs is shown."""
    some = list(names[:3])
    if len({form(name) for name in some}) < len(some):
        return " or ".join(map(ascii, some)) + ", which differ in blanks or Unicode form only"
    return " or ".join(some)


def check_alike(names: Sequence[str], where: str) -> None:
    """DatasetError where two names of landmarks look the same: blanks, Unicode form."""
    seen: dict[str, str] = {}
    for name in names:
        same = " ".join(form(name).split())
        if same in seen and seen[same] != name:
            raise DatasetError(
                f"{where}: landmarks {seen[same]!a} and {name!a} differ in blanks or "
                "Unicode form only; give them one name"
            )
        seen.setdefault(same, name)


def check_split(names: Sequence[str], present: np.ndarray, where: str) -> None:
    """DatasetError where two names that differ in case or punctuation only are never marked in one
    image: one landmark that is spelled in two ways. present: bool [N][L]."""
    seen: dict[str, list[int]] = {}
    for k, name in enumerate(names):
        letters = "".join(c for c in form(name).casefold() if c.isalnum())
        for other in seen.get(letters, []) if letters else []:
            apart = not (present[:, other] & present[:, k]).any()
            if apart and present[:, other].any() and present[:, k].any():
                raise DatasetError(
                    f"{where}: landmarks {names[other]!r} and {name!r} differ in case or "
                    "punctuation only, and no image has both; give them one name"
                )
        if len(seen.setdefault(letters, [])) < 4:
            seen[letters].append(k)


# ---- patients ----


def known_groups(values: Iterable[Any]) -> list[Hashable | None]:
    """A patient (or another group) for each image: plain values, None where it is missing.

    Missing are None, NaN, NA, NaT, masked entries, and the texts that arrays of text make of them:
    "", "nan", "None", "<NA>", "NaT".

    Raises:
        TypeError: text, a mapping, a set, which has no order; or an entry that is no key.
        ValueError: a table.
    """
    if isinstance(values, Set):
        raise TypeError(f"groups must be a sequence of names, got {values!r}")
    values = entries(values, "groups", "names")
    out = [None if _missing(v) else v.item() if isinstance(v, np.generic) else v for v in values]
    if not all(isinstance(v, Hashable) for v in out):
        raise TypeError("groups must hold hashable values, such as names")
    return out


def group_numbers(values: Iterable[Any]) -> list[int]:
    """Numbers of the groups, in the order they come in; each image without one is its own."""
    numbers: dict[Hashable, int] = {}
    keys = (
        ("image", i) if value is None else form(value) if isinstance(value, str) else ("", value)
        for i, value in enumerate(known_groups(values))
    )
    return [numbers.setdefault(key, len(numbers)) for key in keys]


def _missing(value: Any) -> bool:
    if value is None or value is np.ma.masked or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if isinstance(value, str):
        return value.strip().casefold() in _MISSING
    return isinstance(value, float | np.floating | np.datetime64) and bool(value != value)
