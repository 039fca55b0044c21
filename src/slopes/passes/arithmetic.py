"""Canonical rules of arithmetic, choices, casts and constants.

Each holds for every value, NaN and infinities included, in the type of the node; only the sign of a zero may change (x + 0 keeps
the sign of x = -0, where IEEE addition gives +0). So x * 0 = 0 and x - x = 0 are rules of integers only.
"""

from __future__ import annotations

import math

import numpy as np

from ..costs import FOLDED
from ..errors import SlopesError
from ..graph.build import Constant, build, constant, variable
from ..graph.dtype import bool_, float32, is_float, is_integer
from ..graph.node import Node
from ..graph.rewrite import ANY, Phase
from ..ops.fill import full_like
from .match import holds, is_op, number, other, weight

arithmetic = Phase("canonical", weight)
rule = arithmetic.rule


def x(shape=(2, 3), dtype=float32) -> Node:
    """A variable for an example."""
    return variable(shape, np.dtype(dtype), "x")


def pair(function, *shapes, dtype=float32):
    """An example (before, expected), as a function of fresh variables, one for each shape."""
    return lambda: function(*(x(shape, dtype) for shape in shapes or ((2, 3),)))


@rule("an operation on small constants is a constant", ANY,
      example=lambda: (build("exp", constant(0.0)) + constant(2.0), constant(3.0)))
def fold(node):
    if not node.args or any(arg.op is not Constant for arg in node.args):
        return None
    if node.size > FOLDED or is_op(node, "expand", "alias"):
        return None
    arrays = [arg.params["value"].array for arg in node.args]
    try:
        with np.errstate(all="ignore"):
            return constant(np.array(node.op.compute(*arrays, **node.params)), node.dtype)
    except SlopesError:  # an index or divisor that is wrong: the program says so when it runs
        return None


@rule("alias(x) = x, stop_gradient(x) = x", "alias", "stop_gradient", example=pair(lambda a: (build("alias", a, tag=1), a)))
def identity(node):
    return node.args[0]


@rule("x + 0 = x", "add", example=pair(lambda a: (a + 0.0, a)))
def add_zero(node):
    return other(node, 0)


@rule("x - 0 = x", "subtract", example=pair(lambda a: (a - 0.0, a)))
def subtract_zero(node):
    return node.args[0] if holds(node.args[1], 0) else None


@rule("0 - x = -x", "subtract", example=pair(lambda a: (0.0 - a, -a)))
def subtract_from_zero(node):
    return -node.args[1] if holds(node.args[0], 0) else None


@rule("x - x = 0 (integers)", "subtract", example=pair(lambda a: (a - a, full_like(a, 0)), dtype="int32"))
def subtract_itself(node):
    return full_like(node, 0) if node.args[0] is node.args[1] and is_integer(node.dtype) else None


@rule("x * 1 = x", "multiply", example=pair(lambda a: (1.0 * a, a)))
def multiply_one(node):
    return other(node, 1)


@rule("x * -1 = -x", "multiply", example=pair(lambda a: (a * -1.0, -a)))
def multiply_minus_one(node):
    factor = other(node, -1)
    return -factor if factor is not None else None


@rule("x * 0 = 0 (integers: a float could be NaN or infinite)", "multiply",
      example=pair(lambda a: (a * 0, full_like(a, 0)), dtype="int64"))
def multiply_zero(node):
    return full_like(node, 0) if is_integer(node.dtype) and other(node, 0) is not None else None


@rule("x / 1 = x, x ** 1 = x", "divide", "pow", example=pair(lambda a: (build("pow", a / 1.0, full_like(a, 1)), a)))
def one_on_the_right(node):
    return node.args[0] if holds(node.args[1], 1) else None


@rule("x / c = x * (1 / c) for powers of two c, where 1 / c is exact", "divide", example=pair(lambda a: (a / 8.0, a * 0.125)))
def divide_power_of_two(node):
    divisor = number(node.args[1])
    if not is_float(node.dtype) or not divisor or number(node.args[0]) is not None:
        return None
    mantissa, exponent = math.frexp(divisor)
    return node.args[0] * (1 / divisor) if abs(mantissa) == 0.5 and abs(exponent) < 100 else None


@rule("x ** 2 = x x", "pow", example=pair(lambda a: (build("pow", a, full_like(a, 2)), a * a)))
def power_two(node):
    return node.args[0] * node.args[0] if holds(node.args[1], 2) else None


@rule("--x = x", "negative", example=pair(lambda a: (build("negative", -a), a)))
def negative_twice(node):
    return node.args[0].args[0] if is_op(node.args[0], "negative") else None


@rule("-(x - y) = y - x", "negative", example=pair(lambda a, b: (-(a - b), b - a), (2,), (2,)))
def negative_difference(node):
    return node.args[0].args[1] - node.args[0].args[0] if is_op(node.args[0], "subtract") else None


@rule("x + (-y) = x - y", "add", example=pair(lambda a, b: (a + (-b), a - b), (2,), (2,)))
def add_negative(node):
    a, b = node.args
    if is_op(b, "negative"):
        return a - b.args[0]
    return b - a.args[0] if is_op(a, "negative") else None


@rule("x - (-y) = x + y", "subtract", example=pair(lambda a, b: (a - (-b), a + b), (2,), (2,)))
def subtract_negative(node):
    return node.args[0] + node.args[1].args[0] if is_op(node.args[1], "negative") else None


@rule("(-x) * (-y) = x y, (-x) / (-y) = x / y", "multiply", "divide", example=pair(lambda a, b: ((-a) * (-b), a * b), (2,), (2,)))
def negative_both(node):
    a, b = node.args
    return node.op.make(a.args[0], b.args[0]) if is_op(a, "negative") and is_op(b, "negative") else None


@rule("|-x| = |x|, ||x|| = |x|", "abs", example=pair(lambda a: (abs(-abs(a)), abs(a))))
def absolute(node):
    inner = node.args[0]
    if is_op(inner, "abs"):
        return inner
    return abs(inner.args[0]) if is_op(inner, "negative") and node.dtype.kind == "f" else None


@rule("max(x, x) = x, x & x = x, x | x = x", "maximum", "minimum", "bitwise_and", "bitwise_or",
      example=pair(lambda a: (build("maximum", a, a), a)))
def idempotent(node):
    return node.args[0] if node.args[0] is node.args[1] else None


@rule("~~x = x", "bitwise_invert", example=pair(lambda a: (~~a, a), dtype=bool))
def invert_twice(node):
    return node.args[0].args[0] if is_op(node.args[0], "bitwise_invert") else None


@rule("where(c, x, x) = x", "where", example=pair(lambda a: (build("where", a > 0, a, a), a)))
def where_same(node):
    return node.args[1] if node.args[1] is node.args[2] else None


@rule("where(true, x, y) = x, where(false, x, y) = y", "where",
      example=pair(lambda a, b: (build("where", full_like(a > 0, False), a, b), b), (2, 3), (2, 3)))
def where_known(node):
    chosen = number(node.args[0])
    return None if chosen is None else node.args[1] if chosen else node.args[2]


@rule("where(~c, x, y) = where(c, y, x)", "where",
      example=pair(lambda a, b: (build("where", ~(a > b), a, b), build("where", a > b, b, a)), (2,), (2,)))
def where_not(node):
    condition, a, b = node.args
    return build("where", condition.args[0], b, a) if is_op(condition, "bitwise_invert") else None


@rule("where(c, where(c, x, y), z) = where(c, x, z), and likewise on the other side", "where",
      example=pair(lambda a, b: (build("where", a > b, build("where", a > b, a, b), b * b),
                                 build("where", a > b, a, b * b)), (2,), (2,)))
def where_again(node):
    condition, a, b = node.args
    if is_op(a, "where") and a.args[0] is condition:
        return build("where", condition, a.args[1], b)
    return build("where", condition, a, b.args[2]) if is_op(b, "where") and b.args[0] is condition else None


@rule("cast(cast(x, wide), narrow) = cast(x, narrow) when the wide type holds every x", "cast",
      example=pair(lambda a: (build("cast", build("cast", a, dtype="float64"), dtype="int32"), build("cast", a, dtype="int32"))))
def cast_cast(node):
    inner = node.args[0]
    if not is_op(inner, "cast") or not holds_all(inner.dtype, inner.args[0].dtype):
        return None
    source = inner.args[0]
    if is_integer(source.dtype) and is_float(inner.dtype) and not holds_all(node.dtype, source.dtype):
        return None  # a whole number too large for the last type wraps around as integer, but not as float
    return build("cast", source, dtype=node.dtype)


def holds_all(wide: np.dtype, narrow: np.dtype) -> bool:
    """Whether every value of the narrow type exists in the wide one (NumPy's "safe" takes int64 to float64, which rounds)."""
    if wide == narrow or narrow == bool_:
        return True
    if is_integer(narrow) and wide.kind in "fc":
        return narrow.itemsize * 8 <= {4: 24, 8: 53, 16: 53}[wide.itemsize if wide.kind == "f" else wide.itemsize // 2]
    return bool(np.can_cast(narrow, wide, "safe"))
