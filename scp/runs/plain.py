"""JSON and TOML as they may lie in a file that was damaged, or that somebody else made: a value, or
a ValueError in one line. Nothing else comes out, and the work is linear in the length."""

from __future__ import annotations

import hashlib
import json
import math
import os
import tomllib
from pathlib import Path
from typing import Any

DIGEST = "digest"  # of the other fields, in files that `sealed` has gone into
MOST_DIGITS = 30
MOST_DOTS = 200  # of a line of TOML: a key with n dots takes tomllib n^2 steps


def parse_json(text: str | bytes, constants: bool = True) -> Any:
    """The value of a JSON text.

    constants: take NaN, Infinity and -Infinity, which Python writes and JSON does not have.

    Raises:
        ValueError: no JSON, nested too deeply, a name that is there twice in an object, a number
            that no float or no 64-bit integer can be.
    """
    try:
        return json.loads(
            text if isinstance(text, str) else text.decode("utf-8"),
            parse_constant=None if constants else _constant,
            parse_int=_whole,
            parse_float=_real,
            object_pairs_hook=_object,
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}: {error.msg}") from None
    except UnicodeDecodeError:
        raise ValueError("not UTF-8 text") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _real(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError(f"{digits[:MOST_DIGITS]} is too large for a number")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        raise ValueError("an object has a name twice")
    return out


def brief(error: Exception) -> str:
    """What an exception of a library says, in one short line."""
    return ascii(str(error) or type(error).__name__)[1:-1][:200]


def sealed(content: dict[str, Any]) -> dict[str, Any]:
    """The same with a digest of all fields, which `read_json` checks."""
    fields = {k: v for k, v in content.items() if k != DIGEST}
    return {DIGEST: _digest(fields), **fields}  # first, where its line can be taken out


def sealed_toml(text: str) -> str:
    """The same for TOML."""
    return f'{DIGEST} = "{_digest(tomllib.loads(text))}"\n\n{text}'


def is_sealed(path: str | os.PathLike[str]) -> bool:
    """Whether a JSON or TOML file is as `sealed` or `sealed_toml` made it."""
    try:
        text = Path(path).read_bytes().decode("utf-8")
        toml = Path(path).suffix == ".toml"
        content = tomllib.loads(text) if toml else parse_json(text)
        return content[DIGEST] == _digest(content)
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return False


def _digest(content: dict[str, Any]) -> str:
    """Of the values as a reader has them, whatever types and spaces they are written with."""
    content = {k: v for k, v in content.items() if k != DIGEST}
    text = json.dumps(json.loads(json.dumps(content, default=str)), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def read_json(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The object in a JSON file, without its digest.

    Raises:
        ValueError: `parse_json`'s, no object, or not what its digest says; names the file.
    """
    path = Path(path)
    try:
        content = parse_json(path.read_bytes())
        if not isinstance(content, dict):
            raise ValueError("not a JSON object")
        return _checked(content)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _checked(content: dict[str, Any]) -> dict[str, Any]:
    told = content.pop(DIGEST, None)
    if told is not None and told != _digest(content):
        raise ValueError(
            f"damaged, or changed after it was written (to use it as it is, delete its {DIGEST})"
        )
    return content


def read_toml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The tables of a TOML file; ValueError names it. A digest is checked as in `read_json`."""
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8")
        if any(line.count(".") > MOST_DOTS for line in text.splitlines()):
            raise ValueError("nested too deeply")
        return _checked(tomllib.loads(text))
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not UTF-8 text") from None
    except RecursionError:
        raise ValueError(f"{path}: nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
