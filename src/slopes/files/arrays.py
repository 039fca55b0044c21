"""Validate the user's arrays (numbers, labels, indices); errors show the first invalid value."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ArgumentError, DTypeError, NonFiniteError, OutOfRangeError, ShapeError

BLOCK = 4096  # examples checked at a time, so that temporary arrays stay small


def as_numbers(values: Any, field: str, keep: tuple[str, ...] = ()) -> np.ndarray:
    """`values` as a finite array: floats become float32, integers and booleans int64; dtypes named in `keep` are not converted."""
    array = as_array(values, field)
    if array.dtype.kind not in "biuf":
        raise not_numeric(array, field)
    if array.dtype == np.uint64 and array.size and array.max() >= 2**63:
        raise OutOfRangeError(f"{field} hold {array.max()}, which int64 cannot", repair="use smaller numbers or floats")
    dtype = array.dtype if array.dtype.name in keep else np.dtype("float32" if array.dtype.kind == "f" else "int64")
    converted = cast(array, dtype)
    check_finite(converted, field)
    return converted


def as_labels(values: Any, field: str) -> np.ndarray:
    """Class indices as int64; DTypeError for text and for fractions, which a cast would truncate."""
    array = as_array(values, field)
    if array.size and array.dtype.kind not in "biuf":
        raise not_numeric(array, field)
    if array.dtype.kind == "f" and not (whole := array == np.rint(array)).all():
        raise DTypeError(f"{field} hold {array[~whole][0]}", why="a class index is a whole number",
                         repair="round them first, if they are class indices")
    return array.astype(np.int64)


def not_numeric(array: np.ndarray, field: str) -> DTypeError:
    """The error that shows the first value that is not a number."""
    repair = "encode text and categories as integers: classes, y = np.unique(y, return_inverse=True)"
    if array.dtype.kind in "mM":
        repair = "convert dates to numbers, such as days since the first: (dates - dates.min()) / np.timedelta64(1, 'D')"
    if array.dtype.kind != "O":
        return DTypeError(f"{field} have dtype {array.dtype}, not numbers", why="a network computes with numbers only", repair=repair)
    other = next(((index, value) for index, value in np.ndenumerate(array) if not isinstance(value, (int, float, np.number))), None)
    if other is None:
        return DTypeError(f"{field} are Python numbers in an array of dtype object", repair="cast it: x.astype(np.float32)")
    index, value = other
    if value is None or type(value).__name__ == "NAType":
        repair = "remove examples with missing values, or fill them in; data.split_table does so for tables"
    return DTypeError(f"{field} hold {value!r:.60}, of type {type(value).__name__}, at {list(index)}",
                      why="a network computes with numbers only", repair=repair)


def cast(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """The array as `dtype`, C-contiguous, as a new view: it can be made read-only without affecting the caller's array."""
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, which check_finite reports
        return np.ascontiguousarray(array, dtype).reshape(array.shape).view()


def as_array(values: Any, field: str) -> np.ndarray:
    """np.asarray(values), with errors for ragged rows and masked values."""
    if isinstance(values, np.ma.MaskedArray) and np.ma.getmaskarray(values).any():
        raise ArgumentError(f"{field}: {int(np.ma.getmaskarray(values).sum())} values of a masked array are masked",
                            why="the mask would be ignored", repair="remove them, or fill them in: x.filled(0)")
    try:
        return np.asarray(values)
    except ValueError as error:
        raise ShapeError(f"{field} are ragged: their rows differ in length", why=str(error),
                         repair="pad the rows to one length") from None


def check_finite(array: np.ndarray, field: str) -> None:
    if array.dtype.kind != "f":
        return
    for start in range(0, len(array) if array.ndim else 0, BLOCK):  # in blocks: a mask of the whole array would be large
        finite = np.isfinite(array[start : start + BLOCK])
        if not finite.all():
            offset = np.argwhere(~finite)[0]
            index = (start + int(offset[0]), *map(int, offset[1:]))
            raise NonFiniteError(f"{field} hold {array[index]} at {list(index)}",
                                 why="a single one makes every weight NaN",
                                 repair="remove or replace such examples, for example with np.nan_to_num(x)")


def checked_index(index: Any, size: int) -> np.ndarray:
    """Indices of examples as int64; negative ones count from the end."""
    array = np.asarray(index)
    if array.dtype == bool and array.shape == (size,):
        return np.flatnonzero(array)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ArgumentError(f"an index of shape {array.shape} and type {array.dtype} selects no examples",
                            repair=f"pass integers, or {size} booleans")
    if array.size and not -size <= array.min() <= array.max() < size:
        raise OutOfRangeError(f"the index holds {array.min()} to {array.max()}, but there are {size} examples")
    return array.astype(np.int64)
