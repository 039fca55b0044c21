"""Constraints on arguments as data, from which checks, messages and tests of invalid values derive."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from .errors import ArgumentError


@dataclass(frozen=True)
class Constraint:
    """`text` completes "must be ..."; `holds` decides; `wrong` are values that it must refuse (tests read them)."""

    text: str
    holds: Callable[[Any], bool]
    wrong: tuple[Any, ...]
    repair: str = ""


def check(owner: str, constraints: Mapping[str, Constraint], values: Mapping[str, Any]) -> None:
    """Raise an ArgumentError for the first value that its constraint refuses.

    >>> check("Linear", {"in_features": COUNT}, {"in_features": 3})
    """
    for name, value in values.items():
        constraint = constraints.get(name)
        if constraint is not None and not constraint.holds(value):
            raise ArgumentError(f"{owner}: {name} must be {constraint.text}, not {value!r}", repair=constraint.repair)


def is_whole(value: Any) -> bool:
    value = as_python(value) if type(value).__module__ == "numpy" else value
    return isinstance(value, int) and not isinstance(value, bool)


def as_python(value: Any) -> Any:
    """The Python number in a NumPy scalar or a 0-d tensor; anything else as it is."""
    return value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value


def is_real(value: Any) -> bool:
    value = as_python(value)
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def is_count(value: Any) -> bool:
    return is_whole(value) and value >= 1


def are_sizes(value: Any, least: int) -> bool:
    sizes = value if isinstance(value, (tuple, list)) else (value,)
    return bool(sizes) and all(is_whole(n) and n >= least for n in sizes)


WORDS = (str, bool, int, float, type(None))  # what options that are one of a few words are written as


def one_of(*names: Any) -> Constraint:
    """A constraint to one of a few names."""
    listed = " or ".join(repr(name) for name in names)
    return Constraint(f"one of {listed}" if len(names) > 2 else listed, lambda value: isinstance(value, WORDS) and value in names,
                      ("no such name", -1))


NATURAL = Constraint("a whole number of at least 0", lambda value: is_whole(value) and value >= 0, (-1, 2.5, True, "3"))
COUNT = Constraint("a whole number of at least 1", is_count, (0, -3, 2.5, True, "3"))
LAYERS = Constraint("a whole number from 1 to 10,000", lambda value: is_count(value) and value <= 10_000, (0, -3, 2.5, True, "3", 2**70))
WHOLE = Constraint("a whole number", is_whole, (1.5, "0", True))
OPTIONAL_COUNT = Constraint("a whole number of at least 1, or None", lambda value: value is None or is_count(value), (0, 2.5, "3"))
OPTIONAL_WHOLE = Constraint("a whole number or None", lambda value: value is None or is_whole(value), (1.5, "0", True))
FLAG = Constraint("True or False", lambda value: isinstance(value, bool), ("yes", None, 1))
REAL = Constraint("a finite number", is_real, (math.nan, math.inf, "1", None))
OPTIONAL_REAL = Constraint("a finite number or None", lambda value: value is None or is_real(value), (math.nan, math.inf, "1"))
NOT_NEGATIVE = Constraint("a finite number of at least 0", lambda value: is_real(value) and as_python(value) >= 0,
                          (-0.1, math.nan, math.inf, "1"))
POSITIVE = Constraint("a finite number greater than 0", lambda value: is_real(value) and as_python(value) > 0,
                      (0, -1.0, math.nan, math.inf, "1"))
OPTIONAL_POSITIVE = Constraint("a finite number greater than 0, or None", lambda value: value is None or POSITIVE.holds(value),
                               (0, -1.0, math.nan, "1"))
SHARE = Constraint("a number p with 0 <= p < 1", lambda value: is_real(value) and 0 <= as_python(value) < 1,
                   (-0.1, 1, 1.5, math.nan, "0.5"))
SHARE_OR_ONE = Constraint("a number from 0 to 1", lambda value: is_real(value) and 0 <= as_python(value) <= 1,
                          (-0.1, 1.5, math.nan, "0.5"))
OPTIONAL_SHARE = Constraint("a number from 0 to 1, or None", lambda value: value is None or SHARE_OR_ONE.holds(value),
                            (-0.1, 1.5, "0.5"))
SIZES = Constraint("a whole number of at least 1, or one per axis", lambda value: are_sizes(value, 1),
                   (0, -2, 1.5, (3, 0), (), "3"))
OPTIONAL_SIZES = Constraint("a whole number of at least 1, one per axis, or None",
                            lambda value: value is None or are_sizes(value, 1), (0, -2, 1.5, (3, 0), ()))
MARGINS = Constraint("a whole number of at least 0, or one per axis", lambda value: are_sizes(value, 0), (-1, 1.5, (0, -1), "3"))
SIDES = Constraint("a whole number, or two per axis",
                   lambda value: all(map(is_whole, value)) and bool(value) if isinstance(value, (tuple, list)) else is_whole(value),
                   (1.5, "3", (), (1, 0.5), True))
RISING = Constraint("rising whole numbers of at least 1",
                    lambda value: isinstance(value, (tuple, list)) and len(value) > 0 and all(is_count(item) for item in value)
                    and all(one < other for one, other in pairwise(value)), ((), (5, 5), (9, 3), (0, 2), 3, ("2",)))
PADDING = Constraint("a whole number of at least 0, one per axis, 'same' or 'valid'",
                     lambda value: value in ("same", "valid") if isinstance(value, str) else are_sizes(value, 0),
                     (-1, 1.5, (0, -1), "some"))

FLOATS = {"float32": "float32", "float": "float32", "float64": "float64", "double": "float64"}


def float_name(dtype: Any) -> str | None:
    """"float32" or "float64" for a name, a NumPy type or another system's type of that name; None for anything else.

    >>> float_name("float64"), float_name(float), float_name("int8")
    ('float64', 'float32', None)
    """
    text = getattr(dtype, "name", None) or getattr(dtype, "__name__", None) or str(dtype)
    return FLOATS.get(str(text).rpartition(".")[2])


DEVICE = Constraint("'cpu' or None", lambda value: value is None or str(value) == "cpu", ("cuda", "mps", 0),
                    "leave it out: everything is computed on the CPU")
DTYPE = Constraint("float32, float64 or None", lambda value: value is None or float_name(value) is not None, ("float16", "int64", 3))
FACTORY = {"device": DEVICE, "dtype": DTYPE}  # the arguments of every layer with parameters


def per_axis(owner: str, name: str, value: Any, axes: int) -> tuple[int, ...]:
    """A size for each of `axes` axes; one integer applies to all.

    >>> per_axis("Conv2d", "stride", 2, 2)
    (2, 2)
    """
    if isinstance(value, (tuple, list)):
        if len(value) != axes:
            raise ArgumentError(f"{owner}: {name} must be one number or {axes} of them, not {tuple(value)!r}",
                                why=f"there {'is one spatial axis' if axes == 1 else f'are {axes} spatial axes'}")
        return tuple(int(n) for n in value)
    return (int(value),) * axes
