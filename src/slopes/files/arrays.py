"""Arrays of what users give: numbers, labels and indices, checked with errors that show the first wrong value."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ArgumentError, DTypeError, NonFiniteError, OutOfRangeError, ShapeError

BLOCK = 4096  # examples looked at together: keeps what is computed in float64 small


def numbers(given: Any, field: str, keep: tuple[str, ...] = ()) -> np.ndarray:
    """The array of `given`: float32 for floats, int64 for integers and truth values, except the types to keep; finite."""
    array = as_array(given, field)
    if array.dtype.kind not in "biuf":
        raise no_numbers(array, field)
    if array.dtype == np.uint64 and array.size and array.max() >= 2**63:
        raise OutOfRangeError(f"{field} hold {array.max()}, which int64 cannot", repair="use smaller numbers or floats")
    wanted = array.dtype if array.dtype.name in keep else np.dtype("float32" if array.dtype.kind == "f" else "int64")
    converted = as_wanted(array, wanted)
    check_finite(converted, field)
    return converted


def as_labels(given: Any, field: str) -> np.ndarray:
    """The numbers of classes as int64; DTypeError for words and for fractions, which would be cut off."""
    array = as_array(given, field)
    if array.size and array.dtype.kind not in "biuf":
        raise no_numbers(array, field)
    if array.dtype.kind == "f" and not (whole := array == np.rint(array)).all():
        raise DTypeError(f"{field} hold {array[~whole][0]}", why="a class has a whole number",
                         repair="round them yourself, if they are classes")
    return array.astype(np.int64)


def no_numbers(array: np.ndarray, field: str) -> DTypeError:
    """The error that shows the first value that is no number."""
    repair = "give text and categories numbers: classes, y = np.unique(y, return_inverse=True)"
    if array.dtype.kind in "mM":
        repair = "make a number of each date, such as days since the first: (dates - dates.min()) / np.timedelta64(1, 'D')"
    if array.dtype.kind != "O":
        return DTypeError(f"{field} are of type {array.dtype}, not numbers", why="a network computes with numbers only", repair=repair)
    other = next(((place, value) for place, value in np.ndenumerate(array) if not isinstance(value, (int, float, np.number))), None)
    if other is None:
        return DTypeError(f"{field} are Python's numbers in an array of type object", repair="cast it: x.astype(np.float32)")
    place, value = other
    if value is None or type(value).__name__ == "NAType":
        repair = "a network needs every number: leave such examples out, or put one there; data.split_table fills the gaps of tables"
    return DTypeError(f"{field} hold {value!r:.60}, of type {type(value).__name__}, at {list(place)}",
                      why="a network computes with numbers only", repair=repair)


def as_wanted(array: np.ndarray, wanted: np.dtype) -> np.ndarray:
    """The array in the wanted type, in rows, as a view that may be made read-only without touching the caller's."""
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, which check_finite reports
        return np.ascontiguousarray(array, wanted).reshape(array.shape).view()


def as_array(given: Any, field: str) -> np.ndarray:
    """The array of what was given; an error for ragged rows and for hidden values."""
    if isinstance(given, np.ma.MaskedArray) and np.ma.getmaskarray(given).any():
        raise ArgumentError(f"{field}: {int(np.ma.getmaskarray(given).sum())} values of a masked array are hidden",
                            why="nothing here would know", repair="leave them out, or put numbers there: x.filled(0)")
    try:
        return np.asarray(given)
    except ValueError as error:
        raise ShapeError(f"{field} are ragged: their rows differ in length", why=str(error),
                         repair="pad the rows to one length") from None


def check_finite(array: np.ndarray, field: str) -> None:
    if array.dtype.kind != "f":
        return
    for start in range(0, len(array) if array.ndim else 0, BLOCK):  # in pieces: a mask of everything would be large
        part = np.isfinite(array[start : start + BLOCK])
        if not part.all():
            place = np.argwhere(~part)[0]
            position = (start + int(place[0]), *map(int, place[1:]))
            raise NonFiniteError(f"{field} hold {array[position]} at {list(position)}",
                                 why="one such number makes every weight NaN",
                                 repair="remove or replace such examples, for example with np.nan_to_num(x)")


def checked_index(index: Any, size: int) -> np.ndarray:
    """The numbers of examples as int64; negative ones count from the end."""
    found = np.asarray(index)
    if found.dtype == bool and found.shape == (size,):
        return np.flatnonzero(found)
    if found.ndim != 1 or (found.size and found.dtype.kind not in "iu"):
        raise ArgumentError(f"an index of shape {found.shape} and type {found.dtype} selects no examples",
                            repair=f"pass integers, or {size} booleans")
    if found.size and not -size <= found.min() <= found.max() < size:
        raise OutOfRangeError(f"the index holds {found.min()} to {found.max()}, but there are {size} examples")
    return found.astype(np.int64)
