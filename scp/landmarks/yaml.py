"""The part of YAML in which tools say what a folder holds: names, numbers, lists and what they are
in each other. Anchors, tags, text of several lines and several documents are refused."""

from __future__ import annotations

import json
import re
from typing import Any

from ..errors import DatasetError

DEEPEST = 16  # lists in each other
_KEY = re.compile(
    r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s#:\[\]{},&*!|>'"%@`-][^:#]*?)\s*:(?=\s|$)"""
)
_INT = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_QUOTED = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')""")
_PLAIN = re.compile(r"[^,\[\]{}#]*")
_COMMENT = re.compile(r"\s+#.*|\s*$|^#.*")


def load_yaml(path, text: str, only: tuple[str, ...] | None = None) -> dict[str, Any]:
    """The content, a mapping; keys are texts. DatasetError names the line.

    only: keys of the file that are read; what else there is may be any YAML.
    """
    lines, wanted = [], only is None
    for k, line in enumerate(text.splitlines()):
        bare = line.strip()
        if only is not None and bare and line[0] not in " \t-#":
            found = _KEY.match(line)
            wanted = found is not None and str(_scalar(found[1])) in only
        if wanted and bare and not bare.startswith("#") and not (k == 0 and bare == "---"):
            if "\t" in line[: len(line) - len(line.lstrip())]:
                raise DatasetError(f"{path}, line {k + 1}: a tab before the text; use blanks")
            lines.append((k + 1, len(line) - len(line.lstrip(" ")), bare))
    block = _Block(path, lines)
    if not lines:
        said = f"nothing in it of {', '.join(only)}" if only else "nothing in it"
        raise DatasetError(f"{path}: {said}")
    value = block.value(lines[0][1], 0)
    if block.at < len(lines) or not isinstance(value, dict):
        raise block.wrong("expected NAME: VALUE")
    return value


class _Block:
    """Lines that are not blank, as (number, blanks before it, text), read from the first on."""

    def __init__(self, path, lines: list[tuple[int, int, str]]):
        self.path, self.lines, self.at = path, lines, 0

    def wrong(self, what: str) -> DatasetError:
        number = self.lines[min(self.at, len(self.lines) - 1)][0]
        return DatasetError(f"{self.path}, line {number}: {what}")

    def value(self, indent: int, depth: int) -> Any:
        """What stands in the lines from here with so many blanks before them."""
        if depth > DEEPEST:
            raise self.wrong(f"more than {DEEPEST} lists in each other")
        dash = self.lines[self.at][2].startswith(("- ", "-")) and self._dash()
        out: Any = [] if dash else {}
        while self.at < len(self.lines) and self.lines[self.at][1] == indent:
            if self._dash() != dash:
                if dash:  # a list as deep as its key
                    break
                raise self.wrong("a list among names")
            bare = self.lines[self.at][2]
            if dash:
                rest = bare[1:].strip()
                if _KEY.match(rest):
                    raise self.wrong("a list of mappings is not read")
                out.append(self._inner(rest, indent, depth))
                continue
            found = _KEY.match(bare)
            if not found:
                raise self.wrong("expected NAME: VALUE")
            key = str(_scalar(found[1]))
            if key in out:
                raise self.wrong(f"{key[:60]!r} is there twice")
            out[key] = self._inner(bare[found.end() :].strip(), indent, depth)
        return out

    def _dash(self) -> bool:
        return self.lines[self.at][2] == "-" or self.lines[self.at][2].startswith("- ")

    def _inner(self, rest: str, indent: int, depth: int) -> Any:
        if rest and not rest.startswith("#"):
            value, end = self._flow(rest, 0, depth + 1)
            if not _COMMENT.fullmatch(rest[end:]):
                raise self.wrong(f"{rest[end : end + 40]!r} is not expected")
            self.at += 1
            return value
        self.at += 1
        if self.at < len(self.lines):
            _, deep, bare = self.lines[self.at]
            if deep > indent or (deep == indent and (bare == "-" or bare.startswith("- "))):
                return self.value(deep, depth + 1)
        return None

    def _flow(self, text: str, at: int, depth: int) -> tuple[Any, int]:
        """A value of one line that begins here, and where it ends."""
        if depth > DEEPEST:
            raise self.wrong(f"more than {DEEPEST} lists in each other")
        first = text[at : at + 1]
        if first in ("[", "{"):
            return self._collection(text, at + 1, "]" if first == "[" else "}", depth)
        if first and first in "&*!|>%@`":
            raise self.wrong(f"{first!r} is not read: write the value out, in one line")
        if first in ("'", '"'):
            found = _QUOTED.match(text, at)
            if not found:
                raise self.wrong("a quote that does not end")
        elif depth == 1:  # to the end of the line, but for a comment
            end = text.find(" #")
            return _scalar(text[: end if end >= 0 else len(text)].strip()), len(text)
        else:
            found = _PLAIN.match(text, at)
            assert found is not None
        return _scalar(found[0].strip()), found.end()

    def _collection(self, text: str, at: int, close: str, depth: int) -> tuple[Any, int]:
        out: Any = [] if close == "]" else {}
        while True:
            at = _blanks(text, at)
            if text[at : at + 1] == close:
                return out, at + 1
            if close == "}":
                found = _KEY.match(text, at)
                if not found:
                    raise self.wrong("expected NAME: VALUE")
                key, at = str(_scalar(found[1])), _blanks(text, found.end())
                out[key], at = self._flow(text, at, depth + 1)
            else:
                value, at = self._flow(text, at, depth + 1)
                out.append(value)
            at = _blanks(text, at)
            if text[at : at + 1] == ",":
                at += 1
            elif text[at : at + 1] != close:
                raise self.wrong(f"expected , or {close}; a list stands in one line")


def _blanks(text: str, at: int) -> int:
    while text[at : at + 1] in (" ", "\t"):
        at += 1
    return at


def _scalar(text: str) -> Any:
    if text[:1] == "'":
        return text[1:-1].replace("''", "'")
    if text[:1] == '"':
        try:
            return json.loads(text)
        except ValueError:  # an escape that JSON has not
            return text[1:-1]
    if _INT.fullmatch(text):
        return int(text)
    return None if text in ("", "~", "null") else text
