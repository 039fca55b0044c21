"""Integer division that rounds down, as Python and NumPy divide; a zero divisor is reported and replaced by one."""

from __future__ import annotations

from .builder import Builder
from .values import Value


def floor_divide(b: Builder, x: Value, y: Value) -> Value:
    """floor(x / y) of integers."""
    x, y = b.match(x, _checked_divisor(b, y))
    if x.dtype.kind == "u":
        return b.binary("udiv", x, y)
    quotient, remainder = _signed_division(b, x, y)
    low = _is_rounded_up(b, remainder, y)
    return b.sub(quotient, b.select(low, b.const(1, like=x), b.const(0, like=x)))


def remainder(b: Builder, x: Value, y: Value) -> Value:
    """x - floor(x / y) y of integers, which has the divisor's sign."""
    x, y = b.match(x, _checked_divisor(b, y))
    if x.dtype.kind == "u":
        return b.binary("urem", x, y)
    _, rest = _signed_division(b, x, y)
    low = _is_rounded_up(b, rest, y)
    return b.add(rest, b.select(low, y, b.const(0, like=x)))


def _checked_divisor(b: Builder, y: Value) -> Value:
    zero = b.compare("==", y, b.const(0, like=y))
    b.check_not(zero)
    return b.select(zero, b.const(1, like=y), y)


def _signed_division(b: Builder, x: Value, y: Value) -> tuple[Value, Value]:
    # The most negative number divided by -1 traps on some processors: divide by 1 and negate instead.
    minus = b.compare("==", y, b.const(-1, like=y))
    safe = b.select(minus, b.const(1, like=y), y)
    quotient = b.binary("sdiv", x, safe)
    rest = b.sub(x, b.mul(quotient, safe))
    return b.select(minus, b.neg(quotient), quotient), rest


def _is_rounded_up(b: Builder, rest: Value, divisor: Value) -> Value:
    """Whether a quotient rounded toward zero is above the exact one: there is a rest, and its sign is not the divisor's."""
    zero = b.const(0, like=rest)
    opposite = b.compare("<", b.bit_xor(rest, divisor), zero)
    return b.bit_and(b.compare("!=", rest, zero), opposite)
