"""PyTorch's functions of elements that the core composes of others."""

from __future__ import annotations

import math
from typing import Any

from .. import functions as F
from ..graph.dtype import bool_, float64
from .functions import function
from .sides import lifted


@function
def deg2rad(input: Any) -> Any:
    """pi x / 180; in slopes: x * (sl.pi / 180)."""
    return input * (math.pi / 180)


@function
def rad2deg(input: Any) -> Any:
    """180 x / pi; in slopes: x * (180 / sl.pi)."""
    return input * (180 / math.pi)


@function
def exp2(input: Any) -> Any:
    """2^x; in slopes: sl.pow(2.0, x)."""
    return F.pow(2.0, input)


@function
def logaddexp2(input: Any, other: Any) -> Any:
    """log2(2^x + 2^y); in slopes: sl.logaddexp of both times log 2, divided by log 2."""
    return F.logaddexp(input * math.log(2), other * math.log(2)) / math.log(2)


@function
def frac(input: Any) -> Any:
    """x - trunc(x); in slopes: x - sl.trunc(x)."""
    return input - F.trunc(input)


@function
def fmod(input: Any, other: Any) -> Any:
    """The remainder with the sign of x; in slopes: sl.sign(x) * sl.remainder(sl.abs(x), sl.abs(y))."""
    return F.sign(input) * F.remainder(F.abs(input), abs(other))


@function
def fmax(input: Any, other: Any) -> Any:
    """The larger of both, of a number and NaN the number; in slopes: sl.where(sl.isnan(y) | (x >= y), x, y)."""
    return F.where(F.isnan(other) | (input >= other), input, other)


@function
def fmin(input: Any, other: Any) -> Any:
    """The smaller of both, of a number and NaN the number; in slopes: sl.where(sl.isnan(y) | (x <= y), x, y)."""
    return F.where(F.isnan(other) | (input <= other), input, other)


@function
def float_power(input: Any, exponent: Any) -> Any:
    """x^y in float64; in slopes: sl.pow(sl.astype(x, "float64"), y)."""
    return F.pow(F.astype(input, float64), exponent)


@function
def logit(input: Any, eps: float | None = None) -> Any:
    """log(x / (1 - x)), x limited to eps .. 1 - eps; in slopes: sl.log(x) - sl.log1p(-x)."""
    limited = input if eps is None else F.clip(input, eps, 1 - eps)
    return F.log(limited) - F.log1p(-limited)


@function
def sinc(input: Any) -> Any:
    """sin(pi x) / (pi x), 1 at 0; in slopes: sl.where on sl.sin(sl.pi * x) / (sl.pi * x)."""
    x = math.pi * F.where(input == 0, 1, input)
    return F.where(input == 0, 1, F.sin(x) / x)


@function
def xlogy(input: Any, other: Any) -> Any:
    """x log(y), 0 where x is 0; in slopes: sl.where(x == 0, 0, x * sl.log(y))."""
    zero = (input == 0) & ~F.isnan(other)
    return F.where(zero, 0, input * F.log(F.where(zero, 1, other)))


@function
def angle(input: Any) -> Any:
    """pi where x < 0, else 0; in slopes: sl.where(x < 0, sl.pi, 0)."""
    return F.where(F.isnan(input), input, F.where(input < 0, math.pi, F.zeros_like(input)))


@function
def isposinf(input: Any) -> Any:
    """Whether x is +infinity; in slopes: x == sl.inf."""
    return input == math.inf


@function
def isneginf(input: Any) -> Any:
    """Whether x is -infinity; in slopes: x == -sl.inf."""
    return input == -math.inf


@function
def isreal(input: Any) -> Any:
    """Whether the imaginary part is 0: true for real numbers; in slopes: sl.ones of bool."""
    return F.ones_like(input, bool_)


@function
def clamp_min(input: Any, min: Any) -> Any:
    """max(x, min); in slopes: sl.clip(x, min)."""
    return F.clip(input, min, None)


@function
def clamp_max(input: Any, max: Any) -> Any:
    """min(x, max); in slopes: sl.clip(x, None, max)."""
    return F.clip(input, None, max)


def is_floating_point(input: Any) -> bool:
    """Whether the dtype is a float; in slopes: x.dtype.kind == "f"."""
    return bool(input.dtype.kind == "f")


def is_complex(input: Any) -> bool:
    """Whether the dtype is complex; in slopes: x.dtype.kind == "c"."""
    return bool(input.dtype.kind == "c")


def is_nonzero(input: Any) -> bool:
    """Whether the only element is not 0; in slopes: bool(x)."""
    return bool(input)


SAME = {name: name for name in ("erfc", "erfinv", "digamma", "lgamma", "signbit", "nextafter", "positive", "real", "imag", "conj",
                                "bitwise_left_shift", "bitwise_right_shift")} | {"sgn": "sign", "fix": "trunc"}
globals().update({name: lifted(getattr(F, own)) for name, own in SAME.items()})

METHODS = ("deg2rad", "rad2deg", "exp2", "logaddexp2", "frac", "fmod", "fmax", "fmin", "float_power", "logit", "sinc", "xlogy", "angle",
           "isposinf", "isneginf", "isreal", "clamp_min", "clamp_max", *(name for name in SAME if name not in ("real", "imag")))
NAMES = (*METHODS, "real", "imag", "is_floating_point", "is_complex", "is_nonzero")
