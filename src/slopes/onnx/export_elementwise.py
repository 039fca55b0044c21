"""ONNX forms of the operations that act on each element alone.

Runtimes compute an ONNX operator for some of the types that the standard allows. Integers of other types are widened first, which
changes no result; what no wider type holds has no form.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..graph.dtype import DType, bool_, float32, int32, int64, is_float, is_integer, uint8, uint64
from ..graph.node import Node
from .export_builder import Builder, Form, NoForm
from .export_values import Value

BASIC = "float32 float64 int32 int64"
COMMON = f"{BASIC} uint32 uint64"
WIDE = f"{COMMON} int8 int16 uint8 uint16"
FLOATS = "float32 float64"


def computed_in(dtype: DType, types: str, wraps: bool = False) -> DType:
    """The type in which an operator that exists for `types` is computed: the own one, or a wider integer.

    `wraps`: whether only the lowest bits of integers matter, as in sums and products.
    """
    names = types.split()
    if dtype.name in names or is_float(dtype):
        return dtype
    for wider in (uint8, int32, int64, uint64):
        if wider.name in names and np.can_cast(dtype, wider, "safe"):
            return wider
    if wraps and dtype == uint64:
        return int64
    raise NoForm(f"ONNX runtimes do not compute it for {dtype}")


def widened(b: Builder, values: Sequence[Value], types: str, wraps: bool = False) -> list[Value]:
    """Values of one type in the type in which they are computed."""
    return [b.cast(value, computed_in(value.dtype, types, wraps)) for value in values]


def direct(operator: str, types: str = FLOATS, wraps: bool = False) -> Form:
    """The form of an operation that an ONNX operator of the same meaning computes."""
    def form(b: Builder, node: Node) -> Value:
        return b.cast(b.apply(operator, *widened(b, b.operands(node), types, wraps)), node.dtype)

    return form


def question(operator: str, types: str, negated: bool = False, wraps: bool = False) -> Form:
    """The form of a comparison or a test."""
    def form(b: Builder, node: Node) -> Value:
        answer = b.apply(operator, *widened(b, b.operands(node), types, wraps), dtype=bool_)
        return b.apply("Not", answer) if negated else answer

    return form


def bits(operator: str, logical: str) -> Form:
    """The form of an operation on bits; of truth values it is a logical one."""
    def form(b: Builder, node: Node) -> Value:
        return b.apply(logical if node.dtype == bool_ else operator, *b.operands(node))

    return form


def same(b: Builder, node: Node) -> Value:
    """The argument itself."""
    return b.value(node.args[0])


# ---------------------------------------------------------------------- division
def remainder_of(b: Builder, x: Value, y: Value) -> Value:
    """x - y floor(x / y)."""
    if is_integer(x.dtype):
        return b.apply("Mod", x, y)
    rest, zero = b.apply("Mod", x, y, fmod=1), b.like(x, 0)
    signs_differ = b.apply("Xor", b.apply("Less", rest, zero, dtype=bool_), b.apply("Less", y, zero, dtype=bool_))
    wrong = b.apply("And", signs_differ, b.apply("Not", b.apply("Equal", rest, zero, dtype=bool_)))
    return b.apply("Where", wrong, b.apply("Add", rest, y), rest, dtype=x.dtype)


def remainder(b: Builder, node: Node) -> Value:
    return b.cast(remainder_of(b, *widened(b, b.operands(node), BASIC)), node.dtype)


def floor_divide(b: Builder, node: Node) -> Value:
    """(x - x mod y) / y, which is a whole number up to rounding."""
    x, y = widened(b, b.operands(node), BASIC)
    quotient = b.apply("Div", b.apply("Sub", x, remainder_of(b, x, y)), y)
    return b.cast(b.apply("Round", quotient) if is_float(x.dtype) else quotient, node.dtype)


def power(b: Builder, node: Node) -> Value:
    """x to the power y; of integers to a negative one the whole part of the true value."""
    x, y = widened(b, b.operands(node), BASIC)
    if is_float(node.dtype):
        return b.apply("Pow", x, y)
    zero, one = b.like(x, 0), b.like(x, 1)
    negative = b.apply("Less", y, zero, dtype=bool_)
    positive = b.apply("Pow", x, b.apply("Where", negative, zero, y, dtype=y.dtype))
    odd = b.apply("Where", b.apply("Equal", b.apply("Mod", y, b.like(y, 2)), one, dtype=bool_), x, one, dtype=x.dtype)
    inverse = b.apply("Where", b.apply("Equal", b.apply("Abs", x), one, dtype=bool_), odd, zero, dtype=x.dtype)
    inverse = b.apply("Where", b.apply("Equal", x, one, dtype=bool_), one, inverse, dtype=x.dtype)
    return b.cast(b.apply("Where", negative, inverse, positive, dtype=x.dtype), node.dtype)


# ---------------------------------------------------------------------- functions that ONNX lacks
def is_negative(b: Builder, x: Value) -> Value:
    """Whether the sign is minus, also of -0.0."""
    zero = b.like(x, 0)
    return b.apply("Or", b.apply("Less", x, zero, dtype=bool_), b.apply("Less", b.apply("Reciprocal", x), zero, dtype=bool_))


def signbit(b: Builder, node: Node) -> Value:
    return is_negative(b, b.value(node.args[0]))


def atan2(b: Builder, node: Node) -> Value:
    """The angle of (x, y): atan(y / x), moved by pi where x is negative; a quarter turn where x is 0."""
    y, x = b.operands(node)
    zero, pi = b.like(x, 0), b.like(x, math.pi)
    side = b.apply("Where", is_negative(b, y), b.apply("Neg", pi), pi, dtype=x.dtype)
    left = b.apply("Where", is_negative(b, x), side, zero, dtype=x.dtype)
    level = b.apply("Equal", x, zero, dtype=bool_)
    angle = b.apply("Add", b.apply("Atan", b.apply("Div", y, b.apply("Where", level, b.like(x, 1), x, dtype=x.dtype))), left)
    upright = b.apply("Where", b.apply("Equal", y, zero, dtype=bool_), left, b.apply("Mul", side, b.like(x, 0.5)), dtype=x.dtype)
    return b.apply("Where", level, upright, angle, dtype=x.dtype)


def expm1(b: Builder, node: Node) -> Value:
    """exp(x) - 1 = tanh(x / 2) (exp(x) + 1), which loses no digits near 0."""
    x = b.value(node.args[0])
    return b.apply("Mul", b.apply("Tanh", b.apply("Mul", x, b.like(x, 0.5))), b.apply("Add", b.apply("Exp", x), b.like(x, 1)))


def log1p(b: Builder, node: Node) -> Value:
    """log(1 + x); near 0 as log(u) x / (u - 1) with u = 1 + x rounded, in which the rounding cancels (Kahan)."""
    x = b.value(node.args[0])
    one = b.like(x, 1)
    u = b.apply("Add", x, one)
    log, lost = b.apply("Log", u), b.apply("Equal", u, one, dtype=bool_)
    rounded = b.apply("Where", lost, one, b.apply("Sub", u, one), dtype=x.dtype)
    near = b.apply("Where", lost, x, b.apply("Mul", log, b.apply("Div", x, rounded)), dtype=x.dtype)
    return b.apply("Where", b.apply("Less", x, one, dtype=bool_), near, log, dtype=x.dtype)


def rsqrt(b: Builder, node: Node) -> Value:
    return b.apply("Reciprocal", b.apply("Sqrt", b.value(node.args[0])))


def whole_part(b: Builder, x: Value) -> Value:
    below = b.apply("Less", x, b.like(x, 0), dtype=bool_)
    return b.apply("Where", below, b.apply("Ceil", x), b.apply("Floor", x), dtype=x.dtype)


def trunc(b: Builder, node: Node) -> Value:
    return whole_part(b, b.value(node.args[0]))


def isfinite(b: Builder, node: Node) -> Value:
    x = b.value(node.args[0])
    return b.apply("Not", b.apply("Or", b.apply("IsNaN", x, dtype=bool_), b.apply("IsInf", x, dtype=bool_)))


# ---------------------------------------------------------------------- choices and casts
def where(b: Builder, node: Node) -> Value:
    condition, *choices = b.operands(node)
    x, y = widened(b, choices, f"{BASIC} uint8", wraps=True)
    return b.cast(b.apply("Where", condition, x, y, dtype=x.dtype), node.dtype)


def cast(b: Builder, node: Node) -> Value:
    """A value in another type; floats beyond the range of an integer type become its nearest number, NaN becomes 0."""
    x, target = b.value(node.args[0]), node.dtype
    if not (is_float(x.dtype) and is_integer(target)):
        return b.cast(x, target)
    limits = np.iinfo(target)
    bound = float(2 ** (limits.bits - (target.kind == "i")))
    above = b.apply("GreaterOrEqual", x, b.like(x, bound), dtype=bool_)
    below = b.apply("Less", x, b.like(x, float(limits.min)), dtype=bool_)
    outside = b.apply("Or", b.apply("Or", above, below), b.apply("IsNaN", x, dtype=bool_))
    inside = b.cast(b.apply("Where", outside, b.like(x, 0), x, dtype=x.dtype), target)
    wide = computed_in(target, f"{BASIC} uint8", wraps=True)
    inside = b.cast(inside, wide)
    low, high = (b.cast(b.constant(limit, target), wide) for limit in (limits.min, limits.max))
    clipped = b.apply("Where", below, low, b.apply("Where", above, high, inside, dtype=wide), dtype=wide)
    return b.cast(clipped, target)


def round_bfloat16(b: Builder, node: Node) -> Value:
    x = b.value(node.args[0])
    return b.call("Cast", b.call("Cast", x, dtype=float32, shape=x.shape, to="bfloat16"), dtype=float32, shape=x.shape, to=float32)


# ---------------------------------------------------------------------- shifts
def shifted(b: Builder, x: Value, by: Value, direction: str) -> Value:
    """Bits moved, of numbers that are not negative."""
    x, by = (b.cast(value, uint64) for value in (x, by))
    return b.apply("BitShift", x, by, direction=direction)


def shift_left(b: Builder, node: Node) -> Value:
    x, by = b.operands(node)
    return b.cast(shifted(b, x, by, "LEFT"), node.dtype)


def shift_right(b: Builder, node: Node) -> Value:
    """x 2^-y rounded down: of a negative number the inverted bits are moved."""
    x, by = b.operands(node)
    if x.dtype.kind == "u":
        return b.cast(shifted(b, x, by, "RIGHT"), node.dtype)
    x, by = b.cast(x, int64), b.cast(by, int64)
    negative = b.apply("Less", x, b.like(x, 0), dtype=bool_)
    size = b.apply("Where", negative, b.apply("BitwiseNot", x), x, dtype=int64)
    moved = b.cast(shifted(b, size, by, "RIGHT"), int64)
    return b.cast(b.apply("Where", negative, b.apply("BitwiseNot", moved), moved, dtype=int64), node.dtype)


FUNCTIONS = ("exp", "log", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "tanh", "sinh", "cosh", "asinh", "acosh", "atanh",
             "erf", "floor", "ceil", "round")

FORMS: dict[str, Form] = {
    **{name: direct(name.capitalize()) for name in FUNCTIONS},
    "add": direct("Add", BASIC, wraps=True), "subtract": direct("Sub", BASIC, wraps=True), "multiply": direct("Mul", BASIC, wraps=True),
    "divide": direct("Div"), "floor_divide": floor_divide, "remainder": remainder, "pow": power,
    "maximum": direct("Max", COMMON), "minimum": direct("Min", COMMON), "atan2": atan2,
    "negative": direct("Neg", f"{BASIC} int8", wraps=True), "abs": direct("Abs", WIDE), "sign": direct("Sign", WIDE), "signbit": signbit,
    "expm1": expm1, "log1p": log1p, "rsqrt": rsqrt, "trunc": trunc,
    "equal": question("Equal", f"{BASIC} bool", wraps=True), "not_equal": question("Equal", f"{BASIC} bool", negated=True, wraps=True),
    "less": question("Less", COMMON), "less_equal": question("LessOrEqual", COMMON),
    "greater": question("Greater", COMMON), "greater_equal": question("GreaterOrEqual", COMMON),
    "isnan": question("IsNaN", FLOATS), "isinf": question("IsInf", FLOATS), "isfinite": isfinite,
    "where": where, "cast": cast, "alias": same, "observe": same, "stop_gradient": same, "round_bfloat16": round_bfloat16,
    "bitwise_and": bits("BitwiseAnd", "And"), "bitwise_or": bits("BitwiseOr", "Or"), "bitwise_xor": bits("BitwiseXor", "Xor"),
    "bitwise_invert": bits("BitwiseNot", "Not"), "bitwise_left_shift": shift_left, "bitwise_right_shift": shift_right,
}
