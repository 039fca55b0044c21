"""Mathematical functions as native code, for scalars and vectors alike: reductions to a small interval and polynomials.

Every lane does the same work, special cases are chosen by selects. ERROR_BOUNDS states the largest error in units in the last
place (ulp) of the exact result over all arguments, denormal results included; infinities, NaN and signed zeros come out as in
NumPy. remainder and floor_divide are C's exact fmod with NumPy's signs.

Two things take a branch, which is not taken where no lane needs it: angles beyond 2^49, which are reduced with 1,200 bits of
2 / pi, and remainders whose quotient is beyond 2^70 (float64: 2^155), which are divided bit by bit. Both are done lane after lane
(see `far`).

Sources of the methods: Cody and Waite, Software Manual for the Elementary Functions (1980); Muller, Elementary Functions (2016);
Dekker, A floating-point technique for extending the available precision (1971); Payne and Hanek, Radian reduction for
trigonometric functions (1983).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..ops.special import CENTRE, FAR, NEAR
from . import integer_division
from .builder import MATH, Builder
from .coefficients import POLYNOMIALS
from .far import far_angle, far_rest, replaced
from .fma import fma
from .values import Value

FLOAT64 = np.dtype("float64")

ERROR_BOUNDS: dict[tuple[str, str], float] = {
    (name, dtype): bound
    for name, bounds in {
        "exp": (1.0, 1.0), "expm1": (1.5, 2.0), "log": (1.0, 1.0), "log1p": (1.5, 1.5), "pow": (0.6, 1.5),
        "sin": (1.6, 1.6), "cos": (1.6, 1.6), "tan": (3.5, 3.5), "asin": (2.5, 2.5), "acos": (1.5, 1.5), "atan": (2.5, 2.5),
        "atan2": (2.5, 2.5), "sinh": (2.0, 2.0), "cosh": (1.5, 1.5), "tanh": (2.5, 2.5), "asinh": (2.0, 2.0), "acosh": (2.5, 2.5),
        "atanh": (2.5, 2.5), "erf": (1.5, 2.0), "rsqrt": (1.5, 1.5),
    }.items()
    for dtype, bound in zip(("float32", "float64"), bounds)
}

# Numbers too long for a float, as sums of floats.
LOG2_E, TWO_OVER_PI = 1.4426950408889634, 0.6366197723675814
HALF_PI_64 = (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33)
LN2_SHORT_64 = (0.6931471805592082, 7.371002565167799e-13)  # the first has 40 bits: its multiples up to 2^13 are exact
TWO_THIRDS_64 = (0.6666666666666666, 3.700743415417188e-17)
LARGEST_ANGLE = 2.0**49  # for which the three parts of pi / 2 are enough
ERF_IS_ONE = 3.92  # from here on erf(x) rounds to 1 in float32


@dataclass(frozen=True)
class Format:
    """What the functions must know of a floating-point format."""

    dtype: np.dtype
    bits: np.dtype  # the unsigned integer of the same size
    mantissa: int
    bias: int
    ln2: tuple[float, float]
    half_pi: tuple[float, float]
    tanh_limit: float  # beyond, tanh is 1
    magic: float  # adding it rounds to a whole number, which stands in the lowest bits

    @property
    def size(self) -> int:
        return self.dtype.itemsize

    @property
    def one_bits(self) -> int:
        return self.bias << self.mantissa

    def exp_range(self, extra: int = 0) -> tuple[float, float]:
        """Where `scale` multiplies exp(x) 2^extra by 0, and where by infinity."""
        return -(2 * self.bias - 1 + extra) * math.log(2), (self.bias + 1.4 - extra) * math.log(2)

    def pattern(self, number: float) -> int:
        """The bits of a number."""
        return int(np.array(number, self.dtype).view(self.bits))


SINGLE = Format(np.dtype("float32"), np.dtype("uint32"), 23, 127, (0.6931471824645996, -1.9046542121259336e-09),
                (1.5707963705062866, -4.371138828673793e-08), 9.1, 1.5 * 2.0**23)
DOUBLE = Format(FLOAT64, np.dtype("uint64"), 52, 1023, (0.6931471805599453, 2.3190468138462996e-17),
                HALF_PI_64[:2], 19.1, 1.5 * 2.0**52)


def format_of(x: Value) -> Format:
    return SINGLE if x.dtype == SINGLE.dtype else DOUBLE


def native(name: str) -> Callable[[Callable[..., Value]], Callable[..., Value]]:
    """Enter a function into the builder's table."""

    def enter(function: Callable[..., Value]) -> Callable[..., Value]:
        MATH[name] = function
        return function

    return enter


# ---------------------------------------------------------------------------------------------------------------- small steps


def horner(b: Builder, x: Value, coefficients: Sequence[float]) -> Value:
    """c0 + x (c1 + x (c2 + ...))"""
    result = b.const(coefficients[-1], like=x)
    for coefficient in reversed(coefficients[:-1]):
        result = fma(b, result, x, b.const(coefficient, like=x))
    return result


def polynomial(b: Builder, name: str, x: Value) -> Value:
    return horner(b, x, POLYNOMIALS[name, x.dtype.itemsize])


def scaled(b: Builder, x: Value, factor: float) -> Value:
    return b.mul(x, b.const(factor, like=x))


def plus(b: Builder, x: Value, term: float) -> Value:
    return b.add(x, b.const(term, like=x))


def clip(b: Builder, x: Value, low: float, high: float) -> Value:
    """x within bounds; NaN stays NaN."""
    return b.max(b.min(x, b.const(high, like=x)), b.const(low, like=x))


def is_less(b: Builder, x: Value, bound: float) -> Value:
    return b.compare("<", x, b.const(bound, like=x))


def is_greater(b: Builder, x: Value, bound: float) -> Value:
    return b.compare(">", x, b.const(bound, like=x))


def odd_series(b: Builder, name: str, x: Value) -> Value:
    """x + x^3 P(x^2)"""
    square = b.mul(x, x)
    return fma(b, b.mul(square, x), polynomial(b, name, square), x)


def product(b: Builder, x: Value, y: Value) -> tuple[Value, Value]:
    """x y as an exact sum of two floats (the fma keeps LLVM from fusing the product into a later sum)."""
    high = fma(b, x, y, b.const(-0.0, like=x))
    return high, fma(b, x, y, b.neg(high))


def ordered_sum(b: Builder, large: Value, small: Value) -> tuple[Value, Value]:
    """large + small as an exact sum of two floats, where |large| >= |small| or large is 0."""
    high = b.add(large, small)
    return high, b.sub(small, b.sub(high, large))


def whole_part(b: Builder, x: Value, factor: float) -> tuple[Value, Value]:
    """The nearest whole number to x * factor, as a float, and as the lowest bits of an integer."""
    magic = b.const(format_of(x).magic, like=x)
    shifted = fma(b, x, b.const(factor, like=x), magic)
    return b.sub(shifted, magic), b.bitcast(shifted, format_of(x).bits)


def shifted_left(b: Builder, bits: Value, count: int) -> Value:
    return b.shl(bits, b.const(count, like=bits))


# ---------------------------------------------------------------------------------------------------------------- exponentials


def exp_reduced(b: Builder, x: Value) -> tuple[Value, Value]:
    """x = n log(2) + r: exp(r) - 1, and the bits that end in n."""
    high, low = format_of(x).ln2
    n, bits = whole_part(b, x, LOG2_E)
    r = fma(b, n, b.const(-high, like=x), x)
    r = fma(b, n, b.const(-low, like=x), r)
    return fma(b, b.mul(r, r), polynomial(b, "exp", r), r), bits


def scale_within(b: Builder, x: Value, bits: Value) -> Value:
    """x 2^n, where 2^n is neither too large nor denormal."""
    form = format_of(x)
    exponent = shifted_left(b, bits, form.mantissa)
    return b.mul(x, b.bitcast(b.add(exponent, b.const(form.one_bits, like=bits)), form.dtype))


def half_power(b: Builder, bits: Value, form: Format) -> Value:
    """2^(n - 1)"""
    exponent = shifted_left(b, bits, form.mantissa)
    return b.bitcast(b.add(exponent, b.const((form.bias - 1) << form.mantissa, like=bits)), form.dtype)


def scale(b: Builder, x: Value, bits: Value, extra: int = 0) -> Value:
    """x 2^(n + extra) for x near 1 and any n within `exp_range`, by two factors: results overflow and become denormal as they should.

    The second factor is 0 at the lower end, as for the masked logits of attention: the processor takes a hundred cycles for each
    product that is too small for a float, and none for a product with 0.
    """
    form = format_of(x)
    both = b.cast(b.sub(bits, b.const(form.pattern(form.magic) - 2 * form.bias - extra, like=bits)), np.dtype(f"int{8 * form.size}"))
    first = b.max(b.sub(both, b.const(form.bias + 1, like=both)), b.const(1, like=both))
    for factor in (b.sub(both, first), first):
        x = b.mul(x, b.bitcast(shifted_left(b, factor, form.mantissa), x.dtype))
    return x


def exp_within(b: Builder, x: Value) -> Value:
    """exp(x) where it is neither too large nor denormal."""
    rest, bits = exp_reduced(b, x)
    return scale_within(b, plus(b, rest, 1.0), bits)


def exp_times(b: Builder, x: Value, extra: int) -> Value:
    """exp(x) 2^extra"""
    rest, bits = exp_reduced(b, clip(b, x, *format_of(x).exp_range(extra)))
    return scale(b, plus(b, rest, 1.0), bits, extra)


@native("exp")
def exp(b: Builder, x: Value) -> Value:
    return exp_times(b, x, 0)


@native("expm1")
def expm1(b: Builder, x: Value) -> Value:
    form = format_of(x)
    largest = math.log(float(np.finfo(form.dtype).max)) + 0.02
    rest, bits = exp_reduced(b, clip(b, x, -0.75 * form.mantissa - 2, largest))
    half = half_power(b, bits, form)  # the largest 2^n fits when halved
    result = fma(b, rest, half, plus(b, half, -0.5))
    return b.select(is_less(b, b.abs(x), 2.0 ** (-form.mantissa - 1)), x, b.add(result, result))


# ---------------------------------------------------------------------------------------------------------------- logarithms


def exponent_field(b: Builder, x: Value) -> tuple[Value, Value]:
    """x = 2^k m with sqrt(1/2) <= m < sqrt(2), for x positive and not denormal: k + bias, and the bits of m."""
    form = format_of(x)
    root = form.pattern(math.sqrt(0.5))
    moved = b.add(b.bitcast(x, form.bits), b.const(form.one_bits - root, dtype=form.bits, lanes=x.lanes))
    field = b.shr(moved, b.const(form.mantissa, like=moved))
    fraction = b.bit_and(moved, b.const((1 << form.mantissa) - 1, like=moved))
    return field, b.add(fraction, b.const(root, like=fraction))


def field_to_float(b: Builder, field: Value, form: Format) -> Value:
    """A small whole number, given in integer bits, as a float plus 2^mantissa."""
    return b.bitcast(b.bit_or(field, b.const(form.pattern(2.0**form.mantissa), like=field)), form.dtype)


def split(b: Builder, x: Value) -> tuple[Value, Value]:
    """x = 2^k (1 + f) for a positive x, denormal or not: k and f as floats."""
    form = format_of(x)
    denormal = is_less(b, x, float(np.finfo(form.dtype).tiny))
    lift = form.mantissa + 1
    field, bits = exponent_field(b, b.select(denormal, scaled(b, x, 2.0**lift), x))
    offset = 2.0**form.mantissa + form.bias
    offsets = b.select(denormal, b.const(offset + lift, like=x), b.const(offset, like=x))
    return b.sub(field_to_float(b, field, form), offsets), plus(b, b.bitcast(bits, form.dtype), -1.0)


def log_reduced(b: Builder, k: Value, f: Value) -> Value:
    """k log(2) + log(1 + f)"""
    high, low = (b.const(part, like=f) for part in format_of(f).ln2)
    square = b.mul(f, f)
    if f.dtype == SINGLE.dtype:
        rest = fma(b, f, polynomial(b, "log", f), b.const(-0.5, like=f))
        small = fma(b, square, rest, b.mul(k, low))
    else:
        s = b.div(f, plus(b, f, 2.0))
        z, half = b.mul(s, s), scaled(b, square, 0.5)
        small = b.sub(fma(b, s, fma(b, z, polynomial(b, "log_ratio", z), half), b.mul(k, low)), half)
    return fma(b, k, high, b.add(f, small))


def log_edges(b: Builder, x: Value, result: Value, zero: float) -> Value:
    """inf at inf, -inf where the argument is `zero`, NaN below."""
    below = b.select(b.compare("==", x, b.const(zero, like=x)), b.const(-math.inf, like=x), b.const(math.nan, like=x))
    return b.select(is_greater(b, x, zero), b.select(is_less(b, x, math.inf), result, x), below)


@native("log")
def log(b: Builder, x: Value) -> Value:
    return log_edges(b, x, log_reduced(b, *split(b, x)), 0.0)


@native("log1p")
def log1p(b: Builder, x: Value) -> Value:
    # 1 + x is rounded, but only its exponent is used: f = (1 + x) / 2^k - 1 is then computed from x with one rounding.
    form = format_of(x)
    field, _ = exponent_field(b, plus(b, x, 1.0))
    k = plus(b, field_to_float(b, field, form), -(2.0**form.mantissa) - form.bias)
    quarter_bits = b.sub(b.const(2 * form.bias + 2, like=field), field)  # 4 / 2^k: 1 / 2^k itself could be denormal
    quarter = b.bitcast(shifted_left(b, quarter_bits, form.mantissa), form.dtype)
    rest = b.multiply_add(quarter, b.const(0.25, like=x), b.const(-1.0, like=x))
    f = fma(b, scaled(b, x, 0.25), quarter, rest)
    result = log_edges(b, x, log_reduced(b, k, f), -1.0)
    return b.select(is_less(b, b.abs(x), 2.0 ** (-form.mantissa - 2)), x, result)


# ---------------------------------------------------------------------------------------------------------------- circular


def angle_reduced(b: Builder, x: Value) -> tuple[Value, Value]:
    """x = n pi / 2 + r: r in x's type, and the bits that end in n. float32 is reduced in float64: one rounding, any size."""
    wide = b.cast(x, FLOAT64)
    n, bits = whole_part(b, wide, TWO_OVER_PI)
    r = wide
    for part in HALF_PI_64[: 2 if x.dtype == SINGLE.dtype else 3]:
        r = fma(b, n, b.const(-part, like=wide), r)
    size = b.abs(wide)
    large = b.bit_and(is_greater(b, size, LARGEST_ANGLE), is_less(b, size, math.inf))  # inf leaves NaN in r
    r, bits = replaced(b, large, far_angle, (wide,), (r, bits), usual=2 * LARGEST_ANGLE)
    return b.cast(r, x.dtype), b.cast(bits, format_of(x).bits)


def cos_series(b: Builder, r: Value) -> Value:
    square = b.mul(r, r)
    start = fma(b, square, b.const(-0.5, like=r), b.const(1.0, like=r))
    return fma(b, b.mul(square, square), polynomial(b, "cos", square), start)


def has_bit(b: Builder, bits: Value, mask: int) -> Value:
    return b.compare("!=", b.bit_and(bits, b.const(mask, like=bits)), b.const(0, like=bits))


def quarter_wave(b: Builder, r: Value, bits: Value) -> Value:
    """sin(r + n pi / 2)"""
    form = format_of(r)
    size = b.select(has_bit(b, bits, 1), cos_series(b, r), odd_series(b, "sin", r))
    sign = shifted_left(b, b.bit_and(bits, b.const(2, like=bits)), form.size * 8 - 2)
    return b.bitcast(b.bit_xor(b.bitcast(size, form.bits), sign), form.dtype)


@native("sin")
def sin(b: Builder, x: Value) -> Value:
    return zero_kept(b, x, quarter_wave(b, *angle_reduced(b, x)))


@native("cos")
def cos(b: Builder, x: Value) -> Value:
    r, bits = angle_reduced(b, x)
    return quarter_wave(b, r, b.add(bits, b.const(1, like=bits)))


@native("tan")
def tan(b: Builder, x: Value) -> Value:
    r, bits = angle_reduced(b, x)
    odd, s, c = has_bit(b, bits, 1), odd_series(b, "sin", r), cos_series(b, r)
    return zero_kept(b, x, b.div(b.select(odd, b.neg(c), s), b.select(odd, s, c)))


def zero_kept(b: Builder, x: Value, result: Value) -> Value:
    """The result, but -0 for -0: a series with a negative second term loses that sign."""
    return b.select(b.compare("==", x, b.const(0.0, like=x)), x, result)


def half_angle(b: Builder, x: Value) -> tuple[Value, Value]:
    """(asin(|x|), False) for |x| <= 1/2, else (asin of the root of (1 - |x|) / 2, True); NaN above 1."""
    size = b.abs(x)
    large = is_greater(b, size, 0.5)
    half = b.const(0.5, like=x)
    square = b.select(large, fma(b, size, b.const(-0.5, like=x), half), b.mul(size, size))
    base = b.select(large, b.sqrt(square), size)
    return fma(b, b.mul(base, square), polynomial(b, "asin", square), base), large


def from_half_pi(b: Builder, angle: Value, factor: float, turns: int = 1) -> Value:
    """turns pi / 2 + factor angle"""
    high, low = format_of(angle).half_pi
    return plus(b, fma(b, angle, b.const(factor, like=angle), b.const(turns * low, like=angle)), turns * high)


@native("asin")
def asin(b: Builder, x: Value) -> Value:
    angle, large = half_angle(b, x)
    return b.copysign(b.select(large, from_half_pi(b, angle, -2.0), angle), x)


@native("acos")
def acos(b: Builder, x: Value) -> Value:
    angle, large = half_angle(b, x)
    negative = is_less(b, x, 0.0)
    twice = b.select(negative, from_half_pi(b, angle, -2.0, 2), scaled(b, angle, 2.0))
    return b.select(large, twice, from_half_pi(b, b.copysign(angle, x), -1.0))


def atan_series(b: Builder, numerator: Value, denominator: Value) -> Value:
    return odd_series(b, "atan", b.div(numerator, denominator))


@native("atan")
def atan(b: Builder, x: Value) -> Value:
    size = b.abs(x)
    middle, large = is_greater(b, size, math.tan(math.pi / 8)), is_greater(b, size, math.tan(3 * math.pi / 8))
    one = b.const(1.0, like=x)
    top = b.select(large, b.neg(one), b.select(middle, b.sub(size, one), size))
    bottom = b.select(large, size, b.select(middle, b.add(size, one), one))
    return b.copysign(turned(b, atan_series(b, top, bottom), b.bit_and(middle, b.bit_not(large)), large), x)


def turned(b: Builder, angle: Value, eighth: Value, quarter: Value) -> Value:
    """angle, plus pi / 4 or pi / 2 where asked."""
    high, low = (choose(b, angle, eighth, part / 2, quarter, part) for part in format_of(angle).half_pi)
    return b.add(high, b.add(angle, low))


def choose(b: Builder, like: Value, first: Value, x: float, second: Value, y: float) -> Value:
    """x where the first holds, y where the second does, else 0."""
    return b.select(first, b.const(x, like=like), b.select(second, b.const(y, like=like), b.const(0.0, like=like)))


@native("atan2")
def atan2(b: Builder, y: Value, x: Value) -> Value:
    short, long = shrunk(b, *edge_lengths(b, b.abs(y), b.abs(x)))
    steep = b.compare(">", b.abs(y), b.abs(x))
    middle = b.compare(">", short, scaled(b, long, math.tan(math.pi / 8)))
    angle = atan_series(b, b.select(middle, b.sub(short, long), short), b.select(middle, b.add(short, long), long))
    never = b.const(False, dtype=middle.dtype, lanes=x.lanes)
    angle = turned(b, angle, middle, never)
    angle = b.select(steep, from_half_pi(b, angle, -1.0), angle)
    angle = b.select(sign_bit(b, x), from_half_pi(b, angle, -1.0, 2), angle)
    return b.copysign(angle, y)


def edge_lengths(b: Builder, first: Value, second: Value) -> tuple[Value, Value]:
    """(smaller, larger), with 0 / 0 made 0 / 1, and infinities 0 or 1: the angle stays the same."""
    short, long = b.min(first, second), b.max(first, second)
    zero, one = b.const(0.0, like=short), b.const(1.0, like=short)
    infinite = b.const(math.inf, like=short)
    endless = b.compare("==", long, infinite)
    short = b.select(endless, b.select(b.compare("==", short, infinite), one, zero), short)
    return short, b.select(b.bit_or(endless, b.compare("==", long, zero)), one, long)


def shrunk(b: Builder, short: Value, long: Value) -> tuple[Value, Value]:
    """Both a quarter where their sum could overflow."""
    huge = is_greater(b, long, float(np.finfo(long.dtype).max) / 4)
    factor = b.select(huge, b.const(0.25, like=long), b.const(1.0, like=long))
    return b.mul(short, factor), b.mul(long, factor)


def sign_bit(b: Builder, x: Value) -> Value:
    """Whether x is negative, -0 included."""
    return is_less(b, b.copysign(b.const(1.0, like=x), x), 0.0)


# ---------------------------------------------------------------------------------------------------------------- hyperbolic


@native("tanh")
def tanh(b: Builder, x: Value) -> Value:
    # (e^2|x| - 1) / (e^2|x| + 1) with e^2|x| - 1 = t computed as such: nothing cancels near 0, and t / (t + 2) is never above 1.
    size = b.min(b.abs(x), b.const(format_of(x).tanh_limit, like=x))
    rest, bits = exp_reduced(b, b.add(size, size))
    power = scale_within(b, b.const(1.0, like=x), bits)
    t = fma(b, rest, power, plus(b, power, -1.0))
    return b.copysign(b.div(t, plus(b, t, 2.0)), x)


@native("sinh")
def sinh(b: Builder, x: Value) -> Value:
    size = b.abs(x)
    half = exp_times(b, size, -1)
    large = b.sub(half, b.div(b.const(0.25, like=x), half))
    return b.select(is_less(b, size, 1.0), odd_series(b, "sinh", x), b.copysign(large, x))


@native("cosh")
def cosh(b: Builder, x: Value) -> Value:
    half = exp_times(b, b.abs(x), -1)
    return b.add(half, b.div(b.const(0.25, like=x), half))


@native("asinh")
def asinh(b: Builder, x: Value) -> Value:
    size = b.abs(x)
    one = b.const(1.0, like=x)
    rest = b.div(b.mul(size, size), b.add(b.sqrt(b.multiply_add(size, size, one)), one))
    return b.copysign(log_of_sum(b, size, rest), x)


@native("acosh")
def acosh(b: Builder, x: Value) -> Value:
    over = plus(b, x, -1.0)
    rest = b.sqrt(fma(b, over, over, b.add(over, over)))
    return b.select(is_less(b, x, 1.0), b.const(math.nan, like=x), log_of_sum(b, over, rest))


def log_of_sum(b: Builder, x: Value, rest: Value) -> Value:
    """log(1 + x + rest); where x is huge, rest has overflowed or is x itself: log(2 x)."""
    huge = is_greater(b, x, 2.0 ** (format_of(x).mantissa + 3))
    result = log1p(b, b.select(huge, x, b.add(x, rest)))
    high, _ = format_of(x).ln2
    return b.add(result, b.select(huge, b.const(high, like=x), b.const(0.0, like=x)))


@native("atanh")
def atanh(b: Builder, x: Value) -> Value:
    size = b.abs(x)
    ratio = b.div(b.add(size, size), b.sub(b.const(1.0, like=x), size))
    return b.copysign(scaled(b, log1p(b, ratio), 0.5), x)


# ---------------------------------------------------------------------------------------------------------------- erf, rsqrt


@native("erf")
def erf(b: Builder, x: Value) -> Value:
    size = b.abs(x)
    low = b.min(size, b.const(1.0, like=x))
    square = b.mul(low, low)
    if x.dtype == SINGLE.dtype:
        near = fma(b, x, polynomial(b, "erf_near", square), x)
        far = polynomial(b, "erf_far", plus(b, clip(b, size, 1.0, 3.95), -2.475))
        far = b.select(is_greater(b, size, ERF_IS_ONE), b.const(1.0, like=x), far)  # exactly: gelu multiplies 1 - erf by x
    else:
        near = b.mul(x, horner(b, square, NEAR))
        far = erf_far_double(b, clip(b, size, 1.0, 6.0))
    return b.select(is_less(b, size, 1.0), near, b.copysign(far, x))


def erf_far_double(b: Builder, x: Value) -> Value:
    shape = horner(b, b.div(plus(b, x, -CENTRE), plus(b, x, CENTRE)), FAR)
    return fma(b, exp_within(b, b.neg(b.mul(x, x))), b.neg(shape), b.const(1.0, like=x))


@native("rsqrt")
def rsqrt(b: Builder, x: Value) -> Value:
    return b.div(b.const(1.0, like=x), b.sqrt(x))


# ---------------------------------------------------------------------------------------------------------------- powers


@native("pow")
def power(b: Builder, x: Value, y: Value) -> Value:
    if x.dtype.kind != "f":
        return whole_power(b, x, y)
    size = b.abs(x)
    result = power_single(b, size, y) if x.dtype == SINGLE.dtype else power_double(b, size, y)
    return power_signs(b, x, y, result)


def power_signs(b: Builder, x: Value, y: Value, result: Value) -> Value:
    """Make |x|^y into x^y: odd powers of negative numbers are negative, fractional ones NaN; 1^y and x^0 are 1."""
    whole, half = b.compare("==", b.trunc(y), y), scaled(b, y, 0.5)
    odd = b.bit_and(whole, b.compare("!=", b.trunc(half), half))
    signed = b.select(b.bit_and(odd, sign_bit(b, x)), b.neg(result), result)
    one, zero = b.const(1.0, like=x), b.const(0.0, like=x)
    finite_negative = b.bit_and(is_less(b, x, 0.0), is_greater(b, x, -math.inf))
    undefined = b.bit_and(finite_negative, b.bit_not(whole))
    signed = b.select(undefined, b.const(math.nan, like=x), signed)
    return b.select(b.bit_or(b.compare("==", x, one), b.compare("==", y, zero)), one, signed)


def edges_of_log(b: Builder, size: Value, logarithm: Value) -> Value:
    """log |x| with its values at 0, inf and NaN."""
    logarithm = b.select(b.compare("==", size, b.const(0.0, like=size)), b.const(-math.inf, like=logarithm), logarithm)
    return b.select(is_less(b, size, math.inf), logarithm, b.cast(size, logarithm.dtype))


def times_exponent(b: Builder, y: Value, logarithm: Value) -> Value:
    """y log |x|, and 0 for |x| = 1 also when y is infinite."""
    zero = b.const(0.0, like=logarithm)
    return b.select(b.compare("==", logarithm, zero), zero, b.mul(y, logarithm))


def power_single(b: Builder, size: Value, y: Value) -> Value:
    """2^(y log2 |x|) in float64, rounded once."""
    k, f = (b.cast(part, FLOAT64) for part in split(b, size))
    s = b.div(f, plus(b, f, 2.0))
    z = b.mul(s, s)
    ratio = horner(b, z, POLYNOMIALS["log_ratio", 4])
    natural = fma(b, b.mul(s, z), ratio, b.add(s, s))
    logarithm = edges_of_log(b, size, fma(b, natural, b.const(LOG2_E, like=natural), k))
    exponent = clip(b, times_exponent(b, b.cast(y, FLOAT64), logarithm), -200.0, 200.0)
    n, bits = whole_part(b, exponent, 1.0)
    return b.cast(scale_within(b, horner(b, b.sub(exponent, n), POLYNOMIALS["exp2", 4]), bits), size.dtype)


def power_double(b: Builder, size: Value, y: Value) -> Value:
    """exp(y log |x|), with the logarithm and the product as sums of two floats."""
    y = clip(b, y, -(2.0**70), 2.0**70)  # the smallest logarithm that is not 0 is 2^-53
    high, low = log_twice(b, *split(b, size))
    main = times_exponent(b, y, edges_of_log(b, size, high))
    small = fma(b, y, low, fma(b, y, high, b.neg(main)))
    inside = is_less(b, b.abs(main), 1000.0)
    small = b.select(inside, small, b.const(0.0, like=y))
    rest, bits = exp_reduced(b, clip(b, main, *DOUBLE.exp_range()))
    correction = fma(b, small, rest, small)  # exp(r + small) - exp(r)
    return scale(b, plus(b, b.add(rest, correction), 1.0), bits)


def log_twice(b: Builder, k: Value, f: Value) -> tuple[Value, Value]:
    """k log(2) + log(1 + f) as a sum of two floats, good to about 2^-64 of its size."""
    s, s_low = quotient_twice(b, f)
    z, z_low = product(b, s, s)
    z_low = fma(b, b.add(s, s), s_low, z_low)
    tail = b.mul(z, polynomial(b, "log_twice", z))
    factor, factor_low = ordered_sum(b, b.const(TWO_THIRDS_64[0], like=f), tail)
    factor_low = plus(b, factor_low, TWO_THIRDS_64[1])
    cube, cube_low = product_twice(b, (s, s_low), (z, z_low))
    series, series_low = product_twice(b, (cube, cube_low), (factor, factor_low))
    main, main_low = ordered_sum(b, b.add(s, s), series)
    main_low = b.add(main_low, fma(b, s_low, b.const(2.0, like=f), series_low))
    short, rest = (b.const(part, like=f) for part in LN2_SHORT_64)
    total, total_low = ordered_sum(b, fma(b, k, short, b.const(-0.0, like=f)), main)
    return ordered_sum(b, total, b.add(total_low, fma(b, k, rest, main_low)))


def quotient_twice(b: Builder, f: Value) -> tuple[Value, Value]:
    """f / (2 + f) as a sum of two floats."""
    bottom, bottom_low = ordered_sum(b, b.const(2.0, like=f), f)
    s = b.div(f, bottom)
    left = fma(b, b.neg(s), bottom_low, fma(b, b.neg(s), bottom, f))
    return s, b.div(left, bottom)


def product_twice(b: Builder, x: tuple[Value, Value], y: tuple[Value, Value]) -> tuple[Value, Value]:
    """The product of two sums of two floats."""
    high, low = product(b, x[0], y[0])
    return high, fma(b, x[0], y[1], fma(b, x[1], y[0], low))


def whole_power(b: Builder, x: Value, y: Value) -> Value:
    """Integers by repeated squaring, wrapping around; negative exponents give the whole part of the true value."""
    one, zero = b.const(1, like=x), b.const(0, like=x)
    result, square = one, x
    for bit in range(x.dtype.itemsize * 8 - (x.dtype.kind == "i")):
        result = b.select(has_bit(b, y, 1 << bit), b.mul(result, square), result)
        square = b.mul(square, square)
    if x.dtype.kind == "u":
        return result
    inverse = b.select(b.compare("==", x, b.const(-1, like=x)), b.select(has_bit(b, y, 1), x, one), zero)
    inverse = b.select(b.compare("==", x, one), one, inverse)
    return b.select(b.compare("<", y, zero), inverse, result)


# ---------------------------------------------------------------------------------------------------------------- division


def size_of_rest(b: Builder, x: Value, y: Value) -> Value:
    """|x| modulo |y|. What a rounded whole quotient leaves is exact, of either sign, and at least 2^23 times smaller."""
    size, divisor = b.abs(x), b.abs(y)
    largest, zero = b.const(float(np.finfo(x.dtype).max), like=x), b.const(0.0, like=x)
    rest = size
    for _ in range(3):
        quotient = b.trunc(b.min(b.div(rest, divisor), largest))
        rest = fma(b, b.neg(quotient), divisor, rest)
    rest = b.select(b.compare("<", rest, zero), b.add(rest, divisor), rest)
    inside = b.bit_and(b.compare("<", rest, divisor), b.compare(">=", rest, zero))
    defined = b.bit_and(is_less(b, size, math.inf), is_greater(b, divisor, 0.0))
    rest = b.select(inside, rest, b.const(math.nan, like=x))
    rest = b.select(b.compare("<", size, divisor), size, rest)
    rest, = replaced(b, b.bit_and(defined, b.compare("!=", rest, rest)), far_rest, (size, divisor), (rest,), usual=1.0)
    return rest


def signed_rest(b: Builder, x: Value, y: Value) -> tuple[Value, Value]:
    """x minus a whole multiple of y, with the sign of y; and the same remainder with the sign of x."""
    rest = b.copysign(size_of_rest(b, x, y), x)
    opposite = is_less(b, b.mul(b.copysign(b.const(1.0, like=x), rest), b.copysign(b.const(1.0, like=y), y)), 0.0)
    nothing = b.compare("==", rest, b.const(0.0, like=x))
    moved = b.select(opposite, b.add(rest, y), rest)
    return b.select(nothing, b.copysign(b.const(0.0, like=x), y), moved), rest


@native("remainder")
def remainder(b: Builder, x: Value, y: Value) -> Value:
    return signed_rest(b, x, y)[0] if x.dtype.kind == "f" else integer_division.remainder(b, x, y)


@native("floor_divide")
def floor_divide(b: Builder, x: Value, y: Value) -> Value:
    if x.dtype.kind != "f":
        return integer_division.floor_divide(b, x, y)
    signed, rest = signed_rest(b, x, y)
    zero, one = b.const(0.0, like=x), b.const(1.0, like=x)
    quotient = b.div(b.sub(x, rest), y)
    below = b.bit_and(b.compare("!=", rest, zero), b.compare("!=", signed, rest))
    quotient = b.sub(quotient, b.select(below, one, zero))
    whole = b.floor(quotient)
    quotient = b.select(is_greater(b, b.sub(quotient, whole), 0.5), b.add(whole, one), whole)
    quotient = b.select(b.compare("==", quotient, zero), b.copysign(zero, b.div(x, y)), quotient)
    return b.select(b.compare("==", y, zero), b.div(x, y), quotient)
