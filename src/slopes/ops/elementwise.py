"""Operations that act on each element alone: arithmetic, functions of one number, comparisons, choices, bits and casts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ArgumentError, DivisionError, DTypeError
from ..graph.build import Constant, build, constant
from ..graph.dtype import DType, as_dtype, bool_, complex64, float32, float64, in_namespace, is_complex, is_inexact, is_integer, promote
from ..graph.node import Node, Operation, intern
from ..graph.shape import Shape, broadcast_shapes
from .special import erf as numpy_erf

KIND_NAMES = {"b": "bool", "i": "signed integers", "u": "unsigned integers", "f": "floats", "c": "complex numbers"}
NUMBERS, REALS, WHOLE, BITS, ANY = "iufc", "iuf", "iu", "biu", "biufc"


class Elementwise(Operation, abstract=True):
    """An operation on equal-shaped arrays, element by element.

    Arguments of other shapes are broadcast by `expand` nodes and arguments of other types by `cast` nodes, so that neither the
    derivative nor the emission of an operation ever sees two different shapes or types (`where` has its own rule).

    accepts   the kinds of the promoted type that have a meaning here (letters of numpy.dtype.kind)
    operands  "same": arguments keep their common type; "float": integers and bool become float32 first
    result    "same" as the promoted operands, or "bool"
    domain    where the operation is defined and its derivative moderate: one (low, high), or one per argument
    """

    kind = "elementwise"
    accepts: str = NUMBERS
    operands: str = "same"
    result: str = "same"
    domain: tuple = (-3, 3)
    cost = 1
    reads_once = True

    @classmethod
    def make(cls, *args: Node, **params: Any) -> Node:
        """The node on these arguments after promotion and broadcasting."""
        params = cls.prepare(params)
        args = cls.meet(args)
        shape, dtype = cls.rule(*args, **params)
        return intern(cls, tuple(spread(arg, shape) for arg in args), params, shape, dtype)

    @classmethod
    def prepare(cls, params: dict[str, Any]) -> dict[str, Any]:
        """The parameters in their one normal form."""
        return params

    @classmethod
    def meet(cls, args: tuple[Node, ...]) -> tuple[Node, ...]:
        """The arguments in their common type."""
        dtype = cls.operand_dtype(promote(*(arg.dtype for arg in args)))
        return tuple(convert(arg, dtype) for arg in args)

    @classmethod
    def operand_dtype(cls, dtype: DType) -> DType:
        """The type that the operation computes in, when its arguments meet in `dtype`."""
        if dtype.kind not in cls.accepts:
            raise kind_error(cls, dtype)
        return float32 if cls.operands == "float" and not is_inexact(dtype) else dtype

    @classmethod
    def rule(cls, *args: Node, **params: Any) -> tuple[Shape, DType]:
        dtype = cls.operand_dtype(promote(*(arg.dtype for arg in args)))
        return broadcast_shapes(cls.name, [arg.shape for arg in args]), bool_ if cls.result == "bool" else dtype

    @classmethod
    def batch(cls, nodes: Sequence[Node], batched: Sequence[bool], **params: Any) -> Node:
        """Arguments had equal shapes, so a leading axis on some of them broadcasts to the others."""
        return cls.make(*nodes, **params)

    def pullback(g, y, *args, **params):
        """No argument has a gradient, unless the operation says otherwise."""
        return (None,) * len(args)

    def lower(read, index, node):
        return read.apply(node, tuple(read(arg, index) for arg in node.args))

    @classmethod
    def inline_cost(cls, node: Node) -> int:
        return cls.cost


def convert(x: Node, dtype: DType) -> Node:
    """`x` in another type; itself when it has it already."""
    return x if x.dtype == dtype else build("cast", x, dtype=dtype)


def spread(x: Node, shape: Shape) -> Node:
    """`x` broadcast to a shape; itself when it has it already."""
    return x if x.shape == shape else build("expand", x, shape=shape)


def kind_error(operation: type[Elementwise], dtype: DType) -> DTypeError:
    """The error of an operation that has no meaning for a type."""
    allowed = [KIND_NAMES[kind] for kind in "biufc" if kind in operation.accepts]
    if is_complex(dtype):
        repair = "complex numbers have no order and no whole part: take the absolute value first"
    elif dtype == bool_:
        repair = "combine conditions with &, | and ~, or count them as numbers: x.astype('int64')"
    else:
        repair = "cast first: x.astype('int64')"
    why = "it is defined for " + ", ".join(allowed)
    return DTypeError(f"{operation.name} has no meaning for {dtype}", why=why, repair=repair)


def zero_like(x: Node) -> Node:
    return constant(0, x.dtype)


class FloatFunction(Elementwise, abstract=True):
    """A function of real numbers: integers and bool become float32 first."""

    accepts = ANY
    operands = "float"
    cost = 12


class RealFunction(FloatFunction, abstract=True):
    """A function of real numbers that is not defined for complex ones here."""

    accepts = "biuf"


# Arithmetic


class Add(Elementwise):
    "x + y"

    def meaning(xp, x, y): return xp.add(x, y)
    def pullback(g, r, x, y): return g, g
    def linear(node): return True
    def emit(b, x, y): return b.add(x, y)


class Subtract(Elementwise):
    "x - y"

    def meaning(xp, x, y): return xp.subtract(x, y)
    def pullback(g, r, x, y): return g, -g
    def linear(node): return True
    def emit(b, x, y): return b.sub(x, y)


class Multiply(Elementwise):
    "x y"

    def meaning(xp, x, y): return xp.multiply(x, y)
    def pullback(g, r, x, y): return g * y, g * x
    def emit(b, x, y): return b.mul(x, y)


class Divide(FloatFunction):
    "x / y; integers become float32"
    bounded = False
    cost = 4
    domain = ((-3, 3), (0.5, 3))

    def meaning(xp, x, y): return xp.divide(x, y)

    def pullback(g, r, x, y):
        scaled = g / y
        return scaled, -(scaled * r)

    def emit(b, x, y): return b.div(x, y)


def check_divisor(name: str, y: np.ndarray) -> None:
    """Whole numbers have no quotient by zero; floats have (inf or NaN)."""
    if y.dtype.kind in "iu" and not np.all(y):
        raise DivisionError(f"{name}: {np.size(y) - np.count_nonzero(y)} of {np.size(y)} integer divisors are 0",
                            why=f"{y.dtype} has no value for a division by zero",
                            repair="replace zeros with where(y == 0, 1, y), or cast to a float type, which has inf and NaN")


def zero_divisor(xp: Any, y: Any) -> Any:
    """Whether a whole number would be divided by zero; None for floats."""
    return xp.any(y == 0) if y.dtype.kind in "iu" else None


def divisor_error(node: Node, where: str) -> DivisionError:
    """The error of compiled code, which does not count the zeros."""
    return DivisionError(f"{node.op.name}: integer division by zero", why="integers have no infinity to stand for the result",
                         repair="guard the divisor: sl.where(b == 0, 1, b)", where=where)


class FloorDivide(Elementwise):
    "floor(x / y), rounded towards minus infinity; an integer division by zero is an error"
    accepts = REALS
    cost = 20
    domain = ((-20, 20), (1, 7))

    def meaning(xp, x, y): return xp.floor_divide(x, y)

    def compute(x, y):
        check_divisor("floor_divide", y)
        return np.floor_divide(x, y)

    def invalid(xp, x, y): return zero_divisor(xp, y)
    def emit(b, x, y): return b.math("floor_divide", x, y)
    def may_trap(dtype): return is_integer(dtype)
    def trap_error(node, where): return divisor_error(node, where)


class Remainder(Elementwise):
    "x - y floor(x / y), with the sign of y; an integer division by zero is an error"
    accepts = REALS
    cost = 20
    domain = ((-20, 20), (1, 7))

    def meaning(xp, x, y): return xp.remainder(x, y)

    def compute(x, y):
        check_divisor("remainder", y)
        return np.remainder(x, y)

    def invalid(xp, x, y): return zero_divisor(xp, y)
    def pullback(g, r, x, y): return g, -(g * build("floor_divide", x, y))
    def emit(b, x, y): return b.math("remainder", x, y)
    def may_trap(dtype): return is_integer(dtype)
    def trap_error(node, where): return divisor_error(node, where)


class Pow(Elementwise):
    """x to the power y; anything to the power 0 is 1.

    The small constant powers 0, 1, 2, 3 (and -1 of floats) are built as products. Integers to a negative power give the whole
    part of the true value (0, or 1 and -1 for bases of size 1; 0 for a base 0); a constant negative one is an error.
    The derivative by y counts only where x > 0 (elsewhere there is none), and is left out for a constant y.
    """

    bounded = False
    cost = 40
    domain = ((0.25, 3), (-2, 2))
    reads_numbers = True

    @classmethod
    def make(cls, *args: Node, **params: Any) -> Node:
        x, y = args
        simple = small_power(x, y) if y.op is Constant and y.shape == () else None
        return super().make(x, y, **params) if simple is None else simple

    def meaning(xp, x, y):
        return whole_power(xp, x, y) if xp.isdtype(x.dtype, "signed integer") else xp.pow(x, y)

    def pullback(g, r, x, y):
        exponent = scalar_of(y)
        if exponent == 0:
            return spread(zero_like(g), g.shape), None
        if exponent is not None:
            return g * (exponent * build("pow", x, exponent - 1)), None
        by_x = g * (y * build("pow", x, build("where", build("equal", y, 0), zero_like(y), y - 1)))  # 0 * x**0 where y is 0
        positive = x > 0
        log_x = build("log", build("where", positive, x, constant(1, x.dtype)))
        return by_x, g * (build("where", positive, r, zero_like(r)) * log_x)

    def emit(b, x, y): return b.math("pow", x, y)


def scalar_of(x: Node) -> Any:
    """The number that a (broadcast) constant holds everywhere; None for anything else."""
    while x.op.broadcasts:
        x = x.args[0]
    return x.value.item() if x.op is Constant and x.shape == () else None  # type: ignore[union-attr]


def small_power(x: Node, y: Node) -> Node | None:
    """The power as a product, when the constant exponent is a small whole number; None when it is not."""
    exponent, dtype = y.value.item(), promote(x.dtype, y.dtype)  # type: ignore[union-attr]
    if is_integer(dtype) and exponent < 0:
        raise ArgumentError(f"pow: a tensor of {x.dtype} to the power {exponent} is no whole number",
                            repair="cast to a float type first: x.astype('float32')")
    if dtype == bool_ or exponent not in (0, 1, 2, 3, -1):
        return None
    x = convert(x, dtype)
    if exponent == 0:
        return spread(constant(1, dtype), x.shape)
    return {1: lambda: x, 2: lambda: x * x, 3: lambda: x * x * x, -1: lambda: 1 / x}[int(exponent.real)]()


def whole_power(xp: Any, x: Any, y: Any) -> Any:
    """Signed integers to signed integers: negative exponents give the whole part of the true value."""
    odd = xp.where(y % 2 == 1, x, xp.ones_like(x))
    inverse = xp.where(x == 1, xp.ones_like(x), xp.where(x == -1, odd, xp.zeros_like(x)))
    return xp.where(y < 0, inverse, xp.pow(x, xp.where(y < 0, xp.zeros_like(y), y)))


class Maximum(Elementwise):
    """The larger of x and y; NaN if either is NaN. Where they are equal, each gets half of the gradient (as in PyTorch).

    relu is therefore not written with it, but with `where(x > 0, x, 0)`, whose derivative at 0 is 0.
    """

    accepts = REALS

    def meaning(xp, x, y): return xp.maximum(x, y)
    def pullback(g, r, x, y): return share(g, x > y, x, y), share(g, y > x, x, y)
    def untaken(r, x, y): return x < y, x > y
    def emit(b, x, y): return b.max(x, y)


class Minimum(Elementwise):
    "The smaller of x and y; NaN if either is NaN. Where they are equal, each gets half of the gradient."
    accepts = REALS

    def meaning(xp, x, y): return xp.minimum(x, y)
    def pullback(g, r, x, y): return share(g, x < y, x, y), share(g, y < x, x, y)
    def untaken(r, x, y): return x > y, x < y
    def emit(b, x, y): return b.min(x, y)


def share(g: Node, wins: Node, x: Node, y: Node) -> Node:
    """All of the gradient to the winner, half of it on a tie."""
    return build("where", wins, g, build("where", build("equal", x, y), 0.5 * g, zero_like(g)))


class Atan2(RealFunction):
    "The angle of the point (x, y), from -pi to pi; its gradient at (0, 0) is 0"
    cost = 30
    domain = ((0.5, 3), (0.5, 3))

    def meaning(xp, y, x): return xp.atan2(y, x)

    def pullback(g, angle, y, x):
        square = x * x + y * y
        scaled = g / build("where", build("equal", square, 0), constant(1, square.dtype), square)
        return scaled * x, -(scaled * y)

    def emit(b, y, x): return b.math("atan2", y, x)


# Signs and sizes


class Negative(Elementwise):
    "-x (unsigned integers wrap around)"

    def meaning(xp, x): return xp.negative(x)
    def pullback(g, y, x): return (-g,)
    def linear(node): return True
    def emit(b, x): return b.neg(x)


class Abs(Elementwise):
    "|x|; its derivative at 0 is 0. A complex number gives a real one."
    domain = (0.25, 3)

    @classmethod
    def rule(cls, *args: Node, **params: Any) -> tuple[Shape, DType]:
        shape, dtype = super().rule(*args, **params)
        return shape, (float32 if dtype == complex64 else float64) if is_complex(dtype) else dtype

    def meaning(xp, x): return xp.abs(x)
    def pullback(g, y, x): return (g * build("sign", x),)
    def emit(b, x): return x if x.dtype.kind == "u" else b.abs(x)


class Sign(Elementwise):
    "-1, 0 or 1; NaN for NaN; no gradient"
    accepts = REALS

    def meaning(xp, x): return xp.sign(x)

    def emit(b, x):
        zero, one = b.const(0, like=x), b.const(1, like=x)
        below = b.select(b.compare("==", x, zero), zero, x if x.dtype.kind == "f" else zero)  # NaN stays
        if x.dtype.kind != "u":
            below = b.select(b.compare("<", x, zero), b.const(-1, like=x), below)
        return b.select(b.compare(">", x, zero), one, below)


class Signbit(Elementwise):
    "Whether the sign of a float is minus, also of -0.0 and of NaN"
    accepts = "f"
    result = "bool"

    def meaning(xp, x): return xp.signbit(x)
    def emit(b, x): return b.compare("<", b.bitcast(x, bits_type(x.dtype)), b.const(0, dtype=bits_type(x.dtype)))


class Nextafter(Elementwise):
    "The float next to x in the direction of y; NaN if either is NaN; the derivative by x is 1"
    accepts = "f"
    cost = 8

    def meaning(xp, x, y): return xp.nextafter(x, y)
    def pullback(g, r, x, y): return g, None

    def emit(b, x, y):
        whole = bits_type(x.dtype)
        bits, one = b.bitcast(x, whole), b.const(1, dtype=whole)
        outwards = b.compare("==", b.compare("<", x, y), b.compare(">", x, b.const(0, like=x)))
        moved = b.select(outwards, b.add(bits, one), b.sub(bits, one))
        sign = b.bit_and(b.bitcast(y, whole), b.const(np.iinfo(whole).min, dtype=whole))
        moved = b.select(b.compare("==", x, b.const(0, like=x)), b.bit_or(sign, one), moved)  # the smallest number above or below 0
        beside = b.select(b.compare("==", x, y), y, b.bitcast(moved, x.dtype))
        return b.select(b.compare("==", x, x), b.select(b.compare("==", y, y), beside, y), x)


def bits_type(dtype: DType) -> DType:
    """The signed integers of a float's size."""
    return np.dtype(f"int{8 * dtype.itemsize}")


# Exponentials and logarithms


class Exp(FloatFunction):
    "e to the power x"
    bounded = False
    cost = 10

    def meaning(xp, x): return xp.exp(x)
    def pullback(g, y, x): return (g * y,)
    def emit(b, x): return b.math("exp", x)


class Expm1(FloatFunction):
    "exp(x) - 1, exact near 0"
    bounded = False

    def meaning(xp, x): return xp.expm1(x)
    def pullback(g, y, x): return (g * (y + 1),)
    def emit(b, x): return b.math("expm1", x)


class Log(FloatFunction):
    "The natural logarithm; -inf at 0, NaN below"
    bounded = False
    domain = (0.25, 4)

    def meaning(xp, x): return xp.log(x)
    def pullback(g, y, x): return (g / x,)
    def emit(b, x): return b.math("log", x)


class Log1p(FloatFunction):
    "log(1 + x), exact near 0"
    bounded = False
    domain = (-0.5, 3)

    def meaning(xp, x): return xp.log1p(x)
    def pullback(g, y, x): return (g / (x + 1),)
    def emit(b, x): return b.math("log1p", x)


class Sqrt(FloatFunction):
    "The square root; NaN below 0"
    bounded = False
    cost = 4
    domain = (0.25, 4)

    def meaning(xp, x): return xp.sqrt(x)
    def pullback(g, y, x): return (0.5 * g / y,)
    def emit(b, x): return b.sqrt(x)


class Rsqrt(FloatFunction):
    "1 / sqrt(x)"
    bounded = False
    cost = 8
    domain = (0.25, 4)

    def meaning(xp, x): return xp.divide(xp.ones_like(x), xp.sqrt(x))
    def pullback(g, y, x): return (-0.5 * g * (y * y * y),)
    def emit(b, x): return b.math("rsqrt", x)


# Circular functions


class Sin(FloatFunction):
    "The sine of an angle in radians"
    cost = 16

    def meaning(xp, x): return xp.sin(x)
    def pullback(g, y, x): return (g * build("cos", x),)
    def emit(b, x): return b.math("sin", x)


class Cos(FloatFunction):
    "The cosine of an angle in radians"
    cost = 16

    def meaning(xp, x): return xp.cos(x)
    def pullback(g, y, x): return (-(g * build("sin", x)),)
    def emit(b, x): return b.math("cos", x)


class Tan(FloatFunction):
    "sin(x) / cos(x)"
    bounded = False
    cost = 24
    domain = (-1, 1)

    def meaning(xp, x): return xp.tan(x)
    def pullback(g, y, x): return (g * (1 + y * y),)
    def emit(b, x): return b.math("tan", x)


class Asin(FloatFunction):
    "The angle whose sine is x; NaN outside -1..1"
    bounded = False
    cost = 20
    domain = (-0.75, 0.75)

    def meaning(xp, x): return xp.asin(x)
    def pullback(g, y, x): return (g * build("rsqrt", (1 - x) * (1 + x)),)
    def emit(b, x): return b.math("asin", x)


class Acos(FloatFunction):
    "The angle whose cosine is x; NaN outside -1..1"
    bounded = False
    cost = 20
    domain = (-0.75, 0.75)

    def meaning(xp, x): return xp.acos(x)
    def pullback(g, y, x): return (-(g * build("rsqrt", (1 - x) * (1 + x))),)
    def emit(b, x): return b.math("acos", x)


class Atan(FloatFunction):
    "The angle whose tangent is x"
    cost = 20

    def meaning(xp, x): return xp.atan(x)
    def pullback(g, y, x): return (g / (1 + x * x),)
    def emit(b, x): return b.math("atan", x)


# Hyperbolic functions and the error function


class Tanh(FloatFunction):
    "sinh(x) / cosh(x), from -1 to 1"

    def meaning(xp, x): return xp.tanh(x)
    def pullback(g, y, x): return (g * (1 - y * y),)
    def emit(b, x): return b.math("tanh", x)


class Sinh(FloatFunction):
    "(exp(x) - exp(-x)) / 2"
    bounded = False
    cost = 20

    def meaning(xp, x): return xp.sinh(x)
    def pullback(g, y, x): return (g * build("cosh", x),)
    def emit(b, x): return b.math("sinh", x)


class Cosh(FloatFunction):
    "(exp(x) + exp(-x)) / 2"
    bounded = False
    cost = 16

    def meaning(xp, x): return xp.cosh(x)
    def pullback(g, y, x): return (g * build("sinh", x),)
    def emit(b, x): return b.math("cosh", x)


class Asinh(FloatFunction):
    "log(x + sqrt(x^2 + 1))"
    cost = 24

    def meaning(xp, x): return xp.asinh(x)
    def pullback(g, y, x): return (g * build("rsqrt", x * x + 1),)
    def emit(b, x): return b.math("asinh", x)


class Acosh(FloatFunction):
    "log(x + sqrt(x^2 - 1)); NaN below 1"
    bounded = False
    cost = 24
    domain = (1.5, 4)

    def meaning(xp, x): return xp.acosh(x)
    def pullback(g, y, x): return (g * build("rsqrt", (x - 1) * (x + 1)),)
    def emit(b, x): return b.math("acosh", x)


class Atanh(FloatFunction):
    "log((1 + x) / (1 - x)) / 2; NaN outside -1..1"
    bounded = False
    cost = 24
    domain = (-0.75, 0.75)

    def meaning(xp, x): return xp.atanh(x)
    def pullback(g, y, x): return (g / ((1 - x) * (1 + x)),)
    def emit(b, x): return b.math("atanh", x)


class Erf(RealFunction):
    "2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x"
    cost = 20

    def meaning(xp, x): return numpy_erf(xp, x)
    def pullback(g, y, x): return ((2 / math.sqrt(math.pi)) * g * build("exp", -(x * x)),)
    def emit(b, x): return b.math("erf", x)


# Rounding: steps, without gradient


class Rounding(Elementwise, abstract=True):
    """A step function; whole numbers are their own rounding."""

    accepts = REALS

    @classmethod
    def make(cls, *args: Node, **params: Any) -> Node:
        return args[0] if is_integer(args[0].dtype) else super().make(*args, **params)


class Floor(Rounding):
    "The largest whole number that is not above x"

    def meaning(xp, x): return xp.floor(x)
    def emit(b, x): return b.floor(x)


class Ceil(Rounding):
    "The smallest whole number that is not below x"

    def meaning(xp, x): return xp.ceil(x)
    def emit(b, x): return b.ceil(x)


class Trunc(Rounding):
    "The whole part of x"

    def meaning(xp, x): return xp.trunc(x)
    def emit(b, x): return b.trunc(x)


class Round(Rounding):
    "The nearest whole number; halves go to the even one"

    def meaning(xp, x): return xp.round(x)
    def emit(b, x): return b.round(x)


# Comparisons and tests


class Comparison(Elementwise, abstract=True):
    """A question about x and y, answered by a bool; every question but `!=` is false when one of them is NaN."""

    accepts = "biuf"
    result = "bool"


class Equal(Comparison):
    "x == y"
    accepts = ANY

    def meaning(xp, x, y): return xp.equal(x, y)
    def emit(b, x, y): return b.compare("==", x, y)


class NotEqual(Comparison):
    "x != y"
    accepts = ANY

    def meaning(xp, x, y): return xp.not_equal(x, y)
    def emit(b, x, y): return b.compare("!=", x, y)


class Less(Comparison):
    "x < y"

    def meaning(xp, x, y): return xp.less(x, y)
    def emit(b, x, y): return b.compare("<", x, y)


class LessEqual(Comparison):
    "x <= y"

    def meaning(xp, x, y): return xp.less_equal(x, y)
    def emit(b, x, y): return b.compare("<=", x, y)


class Greater(Comparison):
    "x > y"

    def meaning(xp, x, y): return xp.greater(x, y)
    def emit(b, x, y): return b.compare(">", x, y)


class GreaterEqual(Comparison):
    "x >= y"

    def meaning(xp, x, y): return xp.greater_equal(x, y)
    def emit(b, x, y): return b.compare(">=", x, y)


class FloatTest(FloatFunction, abstract=True):
    """A question about one float; every whole number is finite."""

    result = "bool"
    cost = 1


class Isnan(FloatTest):
    "Whether x is not a number"

    def meaning(xp, x): return xp.isnan(x)
    def emit(b, x): return b.compare("!=", x, x)


class Isinf(FloatTest):
    "Whether x is inf or -inf"

    def meaning(xp, x): return xp.isinf(x)
    def emit(b, x): return b.compare("==", b.abs(x), b.const(math.inf, like=x))


class Isfinite(FloatTest):
    "Whether x is neither infinite nor NaN"

    def meaning(xp, x): return xp.isfinite(x)
    def emit(b, x): return b.compare("<", b.abs(x), b.const(math.inf, like=x))


# Choices, casts and identities


MANY = 1 << 12  # elements from which on a choice is taken bit by bit


def choose(c: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """np.where on bits, y ^ ((x ^ y) & mask): np.where branches at every element, and the processor predicts random conditions badly."""
    whole = {4: np.int32, 8: np.int64}.get(x.itemsize)
    if whole is None or x.dtype.kind == "c":
        return np.where(c, x, y)
    mask = np.negative(c.view(np.int8), dtype=whole)  # every bit where the condition holds
    y_bits = y.view(whole)
    chosen = np.bitwise_and(np.bitwise_xor(x.view(whole), y_bits), mask)
    return np.bitwise_xor(chosen, y_bits, out=chosen if chosen.shape == np.broadcast_shapes(chosen.shape, y.shape) else None).view(x.dtype)


class Where(Elementwise):
    "x where the condition holds, else y; the gradient goes to the chosen one only"
    accepts = ANY
    conditions = 1
    domain = ((0, 1), (-3, 3), (-3, 3))

    @classmethod
    def meet(cls, args: tuple[Node, ...]) -> tuple[Node, ...]:
        condition, *choices = args
        if condition.dtype != bool_:
            raise DTypeError(f"where: the condition is {condition.dtype}, not bool", why="a number says neither yes nor no",
                             repair="write the question: where(x != 0, ...)")
        return (condition, *super().meet(tuple(choices)))

    @classmethod
    def rule(cls, *args: Node, **params: Any) -> tuple[Shape, DType]:
        return broadcast_shapes(cls.name, [arg.shape for arg in args]), promote(args[1].dtype, args[2].dtype)

    def meaning(xp, c, x, y): return xp.where(c, x, y)
    def compute(c, x, y): return choose(c, x, y) if c.size >= MANY else np.where(c, x, y)
    def pullback(g, r, c, x, y): return None, build("where", c, g, zero_like(g)), build("where", c, zero_like(g), g)
    def untaken(r, c, x, y): return None, ~c, c
    def emit(b, c, x, y): return b.select(c, x, y)


def saturated(x: np.ndarray, dtype: DType) -> np.ndarray:
    """The whole parts of floats as integers, the smallest or largest one for those outside of the range, 0 for NaN."""
    whole, limits = np.trunc(x), np.iinfo(dtype)
    above, inside = whole >= float(2 ** (limits.bits - (dtype.kind == "i"))), whole >= float(limits.min)
    result = x.astype(dtype)
    if inside.all() and not above.any():
        return result
    outside = np.where(above, limits.max, np.where(np.isnan(x), 0, limits.min)).astype(dtype)
    return np.where(inside & ~above, result, outside)


def nearest(xp: Any, x: Any, dtype: Any) -> Any:
    """The same in terms of a namespace and a type of its own."""
    whole, limits = xp.trunc(x), xp.iinfo(dtype)
    above, below = whole >= float(limits.max + 1), whole < float(limits.min)
    inside = xp.astype(xp.where(above | below | xp.isnan(x), xp.zeros_like(x), whole), dtype)
    least, most = xp.asarray(limits.min, dtype=dtype), xp.asarray(limits.max, dtype=dtype)
    return xp.where(above, most, xp.where(below, least, inside))


class Cast(Elementwise):
    """x in another type: floats to integers lose their fraction, anything to bool asks x != 0.

    A float that the integer type cannot hold gives the nearest integer that it does, NaN gives 0 (NumPy's answer depends on the processor).
    """

    converts = same_numbers = True
    accepts = ANY

    @classmethod
    def prepare(cls, params: dict[str, Any]) -> dict[str, Any]:
        return {"dtype": as_dtype(params["dtype"])}

    @classmethod
    def make(cls, *args: Node, **params: Any) -> Node:
        node = super().make(*args, **params)
        return args[0] if node.dtype == args[0].dtype else node

    @classmethod
    def rule(cls, *args: Node, **params: Any) -> tuple[Shape, DType]:
        source, dtype = args[0].dtype, params["dtype"]
        if is_complex(source) and not is_complex(dtype):
            raise DTypeError(f"cast: {source} does not become {dtype}", why="the imaginary part would be lost silently",
                             repair="take its real part or its absolute value: sl.real(x), sl.abs(x)")
        return args[0].shape, dtype

    def meaning(xp, x, dtype):
        own = in_namespace(xp, dtype)
        return nearest(xp, x, own) if is_integer(dtype) and xp.isdtype(x.dtype, "real floating") else xp.astype(x, own)

    def compute(x, dtype): return saturated(x, dtype) if x.dtype.kind == "f" and dtype.kind in "iu" else x.astype(dtype)
    def pullback(g, y, x, dtype):
        real = build("real", g) if is_complex(dtype) and not is_complex(x.dtype) else g
        return (convert(real, x.dtype) if is_inexact(x.dtype) and is_inexact(dtype) else None,)

    def linear(node): return is_inexact(node.dtype) and is_inexact(node.args[0].dtype)
    def emit(b, x, dtype): return b.cast(x, dtype)


class Alias(Elementwise):
    "x itself, as a node of its own: two aliases with different tags are different nodes"
    accepts = ANY
    cost = 0
    same_numbers = True

    def meaning(xp, x, tag): return x
    def pullback(g, y, x, tag): return (g,)
    def linear(node): return True
    def emit(b, x, tag): return x


class Observe(Elementwise):
    "x itself, for those who only look at it: see passes/observers.py"
    accepts = ANY
    cost = 0
    observes = True
    same_numbers = True

    def meaning(xp, x): return x
    def pullback(g, y, x): return (g,)
    def linear(node): return True
    def emit(b, x): return x


class StopGradient(Elementwise):
    "x itself, as a number that no gradient reaches"
    accepts = ANY
    cost = 0
    same_numbers = True

    def meaning(xp, x): return x
    def linear(node): return True
    def emit(b, x): return x


# Bits


class BitwiseAnd(Elementwise):
    "The bits set in both; for bool: and"
    accepts = BITS
    domain = (0, 100)

    def meaning(xp, x, y): return xp.bitwise_and(x, y)
    def emit(b, x, y): return b.bit_and(x, y)


class BitwiseOr(Elementwise):
    "The bits set in either; for bool: or"
    accepts = BITS
    domain = (0, 100)

    def meaning(xp, x, y): return xp.bitwise_or(x, y)
    def emit(b, x, y): return b.bit_or(x, y)


class BitwiseXor(Elementwise):
    "The bits set in one but not the other; for bool: either but not both"
    accepts = BITS
    domain = (0, 100)

    def meaning(xp, x, y): return xp.bitwise_xor(x, y)
    def emit(b, x, y): return b.bit_xor(x, y)


class BitwiseInvert(Elementwise):
    "Every bit turned over; for bool: not"
    accepts = BITS
    domain = (0, 100)

    def meaning(xp, x): return xp.bitwise_invert(x)
    def emit(b, x): return b.bit_not(x)


class BitwiseLeftShift(Elementwise):
    "x 2^y, bits beyond the type's width are lost"
    accepts = WHOLE
    domain = ((0, 100), (0, 7))

    def meaning(xp, x, y): return xp.bitwise_left_shift(x, y)
    def emit(b, x, y): return b.shl(x, y)


class BitwiseRightShift(Elementwise):
    "x 2^-y rounded down; the sign is kept"
    accepts = WHOLE
    domain = ((0, 100), (0, 7))

    def meaning(xp, x, y): return xp.bitwise_right_shift(x, y)
    def emit(b, x, y): return b.shr(x, y)
