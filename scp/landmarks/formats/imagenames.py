"""Which image a tool means: it may name a path, a URL, or what it made of an upload's name."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ...errors import DatasetError
from ..names import Index, either, form, stem
from .base import Images

# Label Studio keeps an upload as /data/upload/PROJECT/8 hexadecimal digits-NAME.
_UPLOAD = re.compile(r"(?:.*/)?upload/\d+/[0-9a-f]{8}-([^/]+)", re.DOTALL)
DIGITS = 18  # of a number that is a name
_LOCAL = re.compile(r"(?:.*/)?local-files/?\?d=(.+)", re.DOTALL)


def plain_path(name: str) -> str:
    """A path out of what a tool names: of a URL its path, of an upload its name before it."""
    name = name.replace("\\", "/")
    if found := _LOCAL.fullmatch(name):
        return unquote(found[1]).lstrip("/")
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+://", name):
        try:
            name = unquote(urlsplit(name).path).lstrip("/") or name
        except ValueError:  # no address after all
            return name
    elif "/upload/" in name:
        name = unquote(name)
    if found := _UPLOAD.fullmatch(name):
        return found[1]
    return name


class ImageNames:
    """Ids of the images that a file names.

    Without `images` an id is the name as the file has it, less what the tool is known to put
    before it. With them, it is the image of that name; else the one whose path ends as the name
    does, or the other way round, if that is one only; or of that number ("1" is "001.png").
    """

    def __init__(self, path: Path, images: Images | None):
        self.path = path
        self._ids = None if images is None else list(images.ids)
        self._index = None if images is None else Index(images.ids)
        self._tails: dict[str, list[str]] | None = None
        self._numbers: dict[int, list[str]] | None = None
        self._known: dict[str, str] = {}

    def row_of(self, name: str) -> int:
        """Row of an id that `id_of` gave, in the images."""
        assert self._index is not None
        return self._index.place(name)

    def id_of(self, name: str, where: str) -> str:
        """The id; DatasetError where no image has it, or more than one could."""
        if self._index is None or self._ids is None:
            return plain_path(name) or name
        if name not in self._known:
            self._known[name] = self._look_up(name, where)
        return self._known[name]

    def _look_up(self, name: str, where: str) -> str:
        assert self._index is not None and self._ids is not None
        for candidate in dict.fromkeys((name, plain_path(name))):
            parts = [part for part in candidate.split("/") if part]
            for k in range(len(parts)):
                try:
                    row = self._index.place("/".join(parts[k:]))
                except ValueError as error:
                    raise DatasetError(f"{where}: {error}") from None
                if row >= 0:
                    return self._ids[row]
            found = self._ending_in(parts) or self._numbered(candidate)
            if len(found) > 1:
                raise DatasetError(
                    f"{where}: image {name!r} could be {either(found)}; name it with its folder "
                    "and suffix"
                )
            if found:
                return found[0]
        raise DatasetError(
            f"{where}: no image is called {name!r}; there are {len(self._ids)} images, the first "
            f"is {self._ids[0]!r}"
        )

    def _ending_in(self, parts: list[str]) -> list[str]:
        """Ids in a folder that the name does not say; with as much of the name as there is."""
        if not parts:
            return []
        if self._tails is None:
            self._tails = {}
            for name in self._ids or ():
                if "/" in name:
                    tail = form(name.rsplit("/", 1)[1])
                    for key in {tail, stem(tail)}:  # a tool's file may be called so
                        self._tails.setdefault(key, []).append(name)
        wanted = form("/" + "/".join(parts))
        return [n for n in self._tails.get(form(parts[-1]), []) if form(n).endswith(wanted)]

    def _numbered(self, name: str) -> list[str]:
        """Ids of this number, whose leading zeros a spreadsheet takes away."""
        if not (name.isascii() and name.isdigit() and len(name) <= DIGITS):
            return []
        if self._numbers is None:
            self._numbers = {}
            for known in self._ids or ():
                last = stem(known.rsplit("/", 1)[-1])
                if last.isascii() and last.isdigit() and len(last) <= DIGITS:
                    self._numbers.setdefault(int(last), []).append(known)
        return self._numbers.get(int(name), [])
