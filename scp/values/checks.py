"""What callers give: arrays of any library and numbers, taken exactly or refused by name.

Arrays of NumPy, PyTorch, pandas, Dask and whatever else turns into a NumPy array are taken in any
byte order, alignment and strides. What would lose something on the way is refused: masks, sparse
matrices, text, complex numbers.
"""

from __future__ import annotations

import mmap
import numbers
import operator
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np


def array(
    values: Any,
    name: str,
    dtype: Any = np.float64,
    ndim: int | None = None,
    *,
    absent: bool = False,
    copy: bool = False,
) -> np.ndarray:
    """`values` as an array of that dtype, C-contiguous and aligned.

    Args:
        values: what a caller gave as the argument `name`.
        dtype: of the result; None: that of `values`, in the byte order of this machine.
        ndim: how many axes it must have.
        absent: masked and missing entries (None, NA of pandas) become NaN; else they are refused.
        copy: later changes of `values` do not reach the result.

    Raises:
        TypeError: no array of real numbers. ValueError: masked entries, another number of axes, a
            finite number that is infinite in that dtype.
    """
    given = _numbers(values, name, absent)
    if ndim is not None and given.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} dimensions, got {given.ndim}")
    target = given.dtype.newbyteorder("=") if dtype is None else np.dtype(dtype)
    with np.errstate(over="ignore"):
        out = np.require(given, target, "CA")
    narrower = out.dtype.kind == given.dtype.kind == "f" and out.itemsize < given.itemsize
    if narrower and np.isinf(out).any():
        _no_overflow(given, out, name)
    if copy and np.may_share_memory(out, given) and not _frozen(out):
        out = out.copy()
    return out


def _numbers(values: Any, name: str, absent: bool) -> np.ndarray:
    """An array of bool, int or float."""
    kind = type(values).__name__
    if hasattr(values, "nnz") and not isinstance(values, np.ndarray):
        raise TypeError(f"{name} must be a dense array, got {kind}: give {name}.toarray()")
    if _has_masks(values):
        values = _without_masks(values, name, absent)
    try:
        out = np.asarray(values)
        if out.dtype == object and out.ndim == 0 and hasattr(values, "__dlpack__"):
            out = np.from_dlpack(values)
    except (TypeError, ValueError, RuntimeError, BufferError) as error:
        # ragged lists; a tensor on a device, with a gradient, in bfloat16: each says what to do
        raise TypeError(f"{name} must be an array of numbers, got {kind}: {error}") from None
    if out.dtype == object and out.ndim == 0:
        raise TypeError(f"{name} must be an array of numbers, got {kind}")
    if out.dtype == object:
        out = _of_objects(out, name, absent)
    if out.dtype.kind not in "biuf":
        what = "real numbers" if out.dtype.kind == "c" else "numbers"
        raise TypeError(f"{name} must be {what}, got dtype {out.dtype}")
    return out


def _has_masks(values: Any) -> bool:
    if isinstance(values, (list, tuple)):
        return any(_has_masks(v) for v in values)
    return isinstance(values, np.ma.MaskedArray)


def _without_masks(values: Any, name: str, absent: bool) -> Any:
    """The same without masks: NaN where something is masked."""
    if isinstance(values, (list, tuple)):
        return [_without_masks(v, name, absent) for v in values]
    if not isinstance(values, np.ma.MaskedArray):
        return values
    masked = np.ma.getmaskarray(values)
    if not masked.any():
        return values.data
    if not absent:
        raise ValueError(
            f"{name} must not be masked, but {int(masked.sum())} entries are; give "
            f"{name}.filled(value), or leave out their rows"
        )
    return values.astype(np.float64).filled(np.nan)


def _of_objects(out: np.ndarray, name: str, absent: bool) -> np.ndarray:
    """Python's numbers, and those of pandas, as float64."""
    if all(issubclass(c, (numbers.Real, np.bool_)) for c in set(map(type, out.flat))):
        return out.astype(np.float64)
    found = np.empty(out.shape)
    for place, value in np.ndenumerate(out):
        if not isinstance(value, (numbers.Real, np.bool_)) and not (absent and _is_missing(value)):
            what = "is missing" if _is_missing(value) else f"is of {type(value).__name__}"
            where = ", ".join(map(str, place))
            raise TypeError(f"{name} must be an array of numbers, but {name}[{where}] {what}")
        found[place] = np.nan if _is_missing(value) else value
    return found


def _no_overflow(given: np.ndarray, out: np.ndarray, name: str) -> None:
    large = np.isinf(out) & np.isfinite(given)
    if large.any():
        place = np.unravel_index(int(large.argmax()), out.shape)
        where = ", ".join(map(str, place))
        raise ValueError(f"{name}[{where}] is too large for {out.dtype}: {given[place]:g}")


def _frozen(out: np.ndarray) -> bool:
    """Nobody can write to this memory: it is read-only all the way down, as that of a file that was
    opened for reading."""
    memory: Any = out
    while isinstance(memory, np.ndarray):
        if memory.flags.writeable:
            return False
        memory = memory.base
    return isinstance(memory, (bytes, mmap.mmap))


def whole(value: Any, name: str, low: int | None = None, high: int | None = None) -> int:
    """A whole number of that range: no bool, no text, no float."""
    try:
        if isinstance(value, (bool, np.bool_, np.ma.MaskedArray)):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be a whole number, got {value!r}") from None
    if (low is not None and number < low) or (high is not None and number > high):
        limit = f"at least {low}" if high is None else f"{low} to {high}"
        raise ValueError(f"{name} must be {limit}, got {number}")
    return number


def real(value: Any, name: str) -> float:
    """A number, no bool and no text; NaN and infinity are for the caller to refuse."""
    try:
        if isinstance(value, (bool, np.bool_, str, bytes, np.ma.MaskedArray)):
            raise TypeError
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"{name} must be a number, got {value!r}") from None


def whole_numbers(
    values: Iterable[Any], name: str, low: int | None = None, high: int | None = None
) -> list[int]:
    """Whole numbers of that range, such as rows."""
    values = entries(values, name, "whole numbers")
    if isinstance(values, np.ndarray) and values.dtype.kind == "b":
        raise TypeError(f"{name} must be whole numbers, not a mask: give np.flatnonzero({name})")
    return [whole(value, name, low, high) for value in values]


def entries(values: Any, name: str, what: str) -> Iterable[Any]:
    """What is given one by one. Arrays of any library become NumPy's: tensors give tensors, of
    which no two are the same key; mappings, which give their keys, are refused."""
    kind = type(values).__name__
    if hasattr(values, "__array__") and not isinstance(values, np.ndarray):
        try:
            values = np.asarray(values)
        except (TypeError, ValueError, RuntimeError) as error:
            raise TypeError(f"{name} must be a sequence of {what}, got {kind}: {error}") from None
    if isinstance(values, (str, bytes, Mapping)) or not np.iterable(values):
        raise TypeError(f"{name} must be a sequence of {what}, got {values!r}")
    if not isinstance(values, np.ndarray):
        return map(_plain, values)
    if values.ndim != 1:
        raise ValueError(f"{name} must have 1 dimension, got {values.ndim}")
    return values


def _plain(value: Any) -> Any:
    """An array without axes as its one value."""
    if not hasattr(value, "__array__") or isinstance(value, (np.generic, np.ma.MaskedArray)):
        return value
    return np.asarray(value)[()] if np.ndim(value) == 0 else value


def _is_missing(value: Any) -> bool:
    """None, NaN, and the NA and NaT of pandas."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, numbers.Real) and value != value
