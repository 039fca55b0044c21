"""Elementwise functions: arithmetic, exponentials, trigonometry, rounding, comparisons, bits, selection, casts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..graph.dtype import DType, as_dtype, float64, is_complex, is_inexact, promote, scalar_dtype
from ..ops import composite
from ..standard import check_device
from ..tensor import Tensor, asarray, perform

__all__ = [
    "abs", "acos", "acosh", "add", "asin", "asinh", "astype", "atan", "atan2", "atanh", "bitwise_and", "bitwise_invert",
    "bitwise_left_shift", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "ceil", "clip", "conj", "copysign", "cos", "cosh",
    "divide", "equal", "erf", "exp", "expm1", "floor", "floor_divide", "greater", "greater_equal", "hypot", "imag", "isclose",
    "isfinite", "isinf", "isnan", "lerp", "less", "less_equal", "log", "log1p", "log2", "log10", "logaddexp",
    "logical_and", "logical_not", "logical_or", "logical_xor", "maximum", "minimum", "multiply", "nan_to_num",
    "negative", "nextafter", "not_equal", "positive", "pow", "real", "reciprocal", "remainder", "round", "round_bfloat16",
    "rsqrt", "sign", "signbit", "sin", "sinh", "sqrt", "square", "stop_gradient", "subtract", "tan", "tanh", "trunc",
    "where",
]


def unary(name: str, x: Any) -> Tensor:
    return perform(name, (asarray(x),), {})


def binary(name: str, x: Any, y: Any) -> Tensor:
    """Apply a binary operation; a Python number takes the dtype of the tensor operand, anything else becomes a tensor."""
    if not isinstance(x, Tensor) and not (isinstance(y, Tensor) and isinstance(x, (bool, int, float))):
        x = asarray(x)
    if not isinstance(y, Tensor) and not isinstance(y, (bool, int, float)):
        y = asarray(y)
    return perform(name, (x, y), {})


def in_common_type(x: Any, y: Any) -> tuple[Tensor, Tensor]:
    """Both as tensors of the type in which they meet; a Python number takes its type from the other."""
    known = [asarray(part) for part in (x, y) if not isinstance(part, (bool, int, float))] or [asarray(x), asarray(y)]
    dtype = promote(*(part.dtype for part in known))
    dtype = promote(dtype, *(scalar_dtype(part, dtype) for part in (x, y) if isinstance(part, (bool, int, float))))
    return asarray(x, dtype=dtype), asarray(y, dtype=dtype)


# Arithmetic


def add(x: Any, y: Any) -> Tensor:
    """x + y, elementwise, with broadcasting and type promotion; raises ShapeError and DTypeError if they fail.

    >>> sl.add([1., 2.], 0.5)
    tensor([1.5, 2.5])
    """
    return binary("add", x, y)


def subtract(x: Any, y: Any) -> Tensor:
    """x - y, elementwise, with broadcasting and type promotion.

    >>> sl.subtract([1, 2], [3, 1])
    tensor([-2,  1])
    """
    return binary("subtract", x, y)


def multiply(x: Any, y: Any) -> Tensor:
    """x y, elementwise, with broadcasting and type promotion (the matrix product is `matmul`).

    >>> sl.multiply([[1.], [2.]], [3., 4.])
    tensor([[3., 4.],
            [6., 8.]])
    """
    return binary("multiply", x, y)


def divide(x: Any, y: Any) -> Tensor:
    """x / y, elementwise; integers become float32, and division by 0 gives inf or NaN (IEEE 754).

    >>> sl.divide([1, 2], 4)
    tensor([0.25, 0.5 ])
    """
    return binary("divide", x, y)


def floor_divide(x: Any, y: Any) -> Tensor:
    """floor(x / y), rounded towards minus infinity. Raises DivisionError for an integer division by 0.

    >>> sl.floor_divide([7, -7], 2)
    tensor([ 3, -4])
    """
    return binary("floor_divide", x, y)


def remainder(x: Any, y: Any) -> Tensor:
    """x - y floor(x / y), which has the sign of y. Raises DivisionError for an integer division by 0.

    >>> sl.remainder([7, -7], 3)
    tensor([1, 2])
    """
    return binary("remainder", x, y)


def pow(x: Any, y: Any) -> Tensor:
    """x to the power y; d/dx = y x^(y-1), d/dy = x^y log x (for x > 0). ArgumentError for integers to a constant negative power.

    x^0 is 1 with gradient 0, for any x; d/dy is defined as 0 where x <= 0 (PyTorch: nan below 0).

    >>> sl.pow([1., 2., 3.], 2)
    tensor([1., 4., 9.])
    """
    return binary("pow", x, y)


def maximum(x: Any, y: Any) -> Tensor:
    """The larger of x and y; NaN if either is NaN. Equal values get half of the gradient each.

    >>> sl.maximum([1., 5.], [3., 2.])
    tensor([3., 5.])
    """
    return binary("maximum", x, y)


def minimum(x: Any, y: Any) -> Tensor:
    """The smaller of x and y; NaN if either is NaN. Equal values get half of the gradient each.

    >>> sl.minimum([1., 5.], [3., 2.])
    tensor([1., 2.])
    """
    return binary("minimum", x, y)


def negative(x: Any) -> Tensor:
    """-x.

    >>> sl.negative([1, -2])
    tensor([-1,  2])
    """
    return unary("negative", x)


def positive(x: Any) -> Tensor:
    """x itself.

    >>> sl.positive([1, -2])
    tensor([ 1, -2])
    """
    return asarray(x)


def abs(x: Any) -> Tensor:
    """|x|; the derivative is the sign of x, and 0 at 0.

    >>> sl.abs([-1.5, 2.])
    tensor([1.5, 2. ])
    """
    return unary("abs", x)


def real(x: Any) -> Tensor:
    """The real part of complex numbers; x itself if it is real.

    >>> sl.real([1 + 2j])
    tensor([1.])
    """
    return of_complex("real", x)


def imag(x: Any) -> Tensor:
    """The imaginary part of complex numbers; 0 if x is real.

    >>> sl.imag([1 + 2j])
    tensor([2.])
    """
    x = asarray(x)
    return perform("imag", (x,), {}) if is_complex(x.dtype) else x * 0


def conj(x: Any) -> Tensor:
    """The complex conjugate; x itself if it is real.

    >>> sl.conj([1 + 2j])
    tensor([1.-2.j], dtype=complex64)
    """
    return of_complex("conj", x)


def of_complex(name: str, x: Any) -> Tensor:
    """An operation on complex numbers that changes no real ones."""
    x = asarray(x)
    return perform(name, (x,), {}) if is_complex(x.dtype) else x


def sign(x: Any) -> Tensor:
    """-1, 0 or 1, and NaN for NaN; no gradient.

    >>> sl.sign([-3, 0, 2])
    tensor([-1,  0,  1])
    """
    return unary("sign", x)


def signbit(x: Any) -> Tensor:
    """Whether the sign of a float is minus, also of -0.0 and of NaN. Raises DTypeError for other types.

    >>> sl.signbit([-1., -0., 0.])
    tensor([ True,  True, False])
    """
    return unary("signbit", x)


def copysign(x: Any, y: Any) -> Tensor:
    """|x| with the sign of y, floats; the derivative by x is 1 or -1, by y 0.

    >>> sl.copysign([1., -2.], -0.)
    tensor([-1., -2.])
    """
    x, y = in_common_type(x, y)
    return composite.where(signbit(x) == signbit(y), x, -x)


def nextafter(x: Any, y: Any) -> Tensor:
    """The float next to x in the direction of y; y where they are equal. The derivative by x is 1.

    >>> float(sl.nextafter(sl.tensor(1., "float64"), 2.)) - 1
    2.220446049250313e-16
    """
    return binary("nextafter", x, y)


def hypot(x: Any, y: Any) -> Tensor:
    """sqrt(x^2 + y^2) without overflow; the gradient at (0, 0) is 0.

    >>> sl.hypot([3., 3e30], [4., 4e30])
    tensor([5.e+00, 5.e+30])
    """
    x, y = map(abs, in_common_type(x, y))
    large, small = maximum(x, y), minimum(x, y)
    known = isfinite(large) & (large > 0)
    ratio = composite.where(known, small, 0) / composite.where(known, large, 1)
    return composite.where(isinf(x) | isinf(y), math.inf, large * sqrt(1 + ratio * ratio))


def lerp(start: Any, end: Any, weight: Any) -> Tensor:
    """start + weight (end - start): linear interpolation; exactly end for a weight of 1.

    >>> sl.lerp([0., 10.], [1., 20.], 0.5)
    tensor([ 0.5, 15. ])
    """
    start, end, weight = asarray(start), asarray(end), asarray(weight)
    difference = end - start
    return composite.where(weight < 0.5, start + weight * difference, end - (1 - weight) * difference)


def nan_to_num(x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Tensor:
    """x with NaN replaced by `nan`, inf by `posinf` and -inf by `neginf`, by default the largest and the smallest finite numbers.

    What is replaced has no gradient.

    >>> sl.nan_to_num([math.nan, math.inf, 1.], posinf=9.)
    tensor([0., 9., 1.])
    """
    x = asarray(x)
    if not is_inexact(x.dtype):
        return x
    largest = float(np.finfo(x.dtype).max)
    x = composite.where(isnan(x), nan, x)
    x = composite.where(x == math.inf, largest if posinf is None else posinf, x)
    return composite.where(x == -math.inf, -largest if neginf is None else neginf, x)


def square(x: Any) -> Tensor:
    """x times x; the derivative is 2 x.

    >>> sl.square([3., -4.])
    tensor([ 9., 16.])
    """
    x = asarray(x)
    return x * x


def reciprocal(x: Any) -> Tensor:
    """1 / x; integers become float32.

    >>> sl.reciprocal([2., 4.])
    tensor([0.5 , 0.25])
    """
    return 1 / asarray(x)


# Exponentials and logarithms


def exp(x: Any) -> Tensor:
    """e to the power x; its own derivative. Integers become float32.

    >>> sl.exp([0., float("-inf")])
    tensor([1., 0.])
    """
    return unary("exp", x)


def expm1(x: Any) -> Tensor:
    """exp(x) - 1, accurate near 0.

    >>> sl.expm1([1e-8])
    tensor([1.e-08])
    """
    return unary("expm1", x)


def log(x: Any) -> Tensor:
    """The natural logarithm: -inf at 0, NaN below; the derivative is 1 / x.

    >>> sl.log([1., 0.])
    tensor([  0., -inf])
    """
    return unary("log", x)


def log1p(x: Any) -> Tensor:
    """log(1 + x), accurate near 0.

    >>> sl.log1p([1e-8])
    tensor([1.e-08])
    """
    return unary("log1p", x)


def log2(x: Any) -> Tensor:
    """The logarithm to base 2: log(x) / log 2.

    >>> sl.log2([4.])
    tensor([2.])
    """
    return log(x) * (1 / math.log(2))


def log10(x: Any) -> Tensor:
    """The logarithm to base 10: log(x) / log 10.

    >>> sl.log10([100.])
    tensor([2.])
    """
    return log(x) * (1 / math.log(10))


def logaddexp(x: Any, y: Any) -> Tensor:
    """log(exp x + exp y), computed without overflow; integers become float32.

    The gradient is the softmax of x and y. For infinities it is the limit: 1 for a single inf, 0 for -inf beside a larger number,
    1/2 for two equal infinities (PyTorch: nan).

    >>> sl.logaddexp([1000., float("-inf")], [0., float("-inf")])
    tensor([1000.,  -inf])
    """
    x, y = composite.as_float(asarray(x)), composite.as_float(asarray(y))
    largest = maximum(x, y)
    finite = isfinite(largest)
    top = stop_gradient(where(finite, largest, 0))
    total = exp(where(finite, x, 0) - top) + exp(where(finite, y, 0) - top)
    return where(finite, log(total) + top, largest)


def sqrt(x: Any) -> Tensor:
    """The square root; NaN below 0; the derivative is 1 / (2 sqrt x).

    >>> sl.sqrt([4., 9.])
    tensor([2., 3.])
    """
    return unary("sqrt", x)


def rsqrt(x: Any) -> Tensor:
    """1 / sqrt(x); inf at 0, NaN below.

    >>> sl.rsqrt([4., 16.])
    tensor([0.5 , 0.25])
    """
    return unary("rsqrt", x)


def erf(x: Any) -> Tensor:
    """The error function 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x (Abramowitz & Stegun 7.1.1).

    >>> sl.erf([0., 10.])
    tensor([0., 1.])
    """
    return unary("erf", x)


# Angles


def sin(x: Any) -> Tensor:
    """The sine of an angle in radians.

    >>> sl.sin([0.])
    tensor([0.])
    """
    return unary("sin", x)


def cos(x: Any) -> Tensor:
    """The cosine of an angle in radians.

    >>> sl.cos([0.])
    tensor([1.])
    """
    return unary("cos", x)


def tan(x: Any) -> Tensor:
    """The tangent of an angle in radians; the derivative is 1 + tan^2 x.

    >>> sl.tan([0.])
    tensor([0.])
    """
    return unary("tan", x)


def asin(x: Any) -> Tensor:
    """The angle in -pi/2 .. pi/2 whose sine is x; NaN outside -1 .. 1.

    >>> sl.asin([0.])
    tensor([0.])
    """
    return unary("asin", x)


def acos(x: Any) -> Tensor:
    """The angle in 0 .. pi whose cosine is x; NaN outside -1 .. 1.

    >>> sl.acos([1.])
    tensor([0.])
    """
    return unary("acos", x)


def atan(x: Any) -> Tensor:
    """The angle in -pi/2 .. pi/2 whose tangent is x.

    >>> sl.atan([0.])
    tensor([0.])
    """
    return unary("atan", x)


def atan2(y: Any, x: Any) -> Tensor:
    """The angle of the point (x, y), from -pi to pi; polar coordinates are (sqrt(x^2 + y^2), atan2(y, x)).

    >>> sl.atan2([0.], [1.])
    tensor([0.])
    """
    return binary("atan2", y, x)


def sinh(x: Any) -> Tensor:
    """The hyperbolic sine (exp x - exp -x) / 2.

    >>> sl.sinh([0.])
    tensor([0.])
    """
    return unary("sinh", x)


def cosh(x: Any) -> Tensor:
    """The hyperbolic cosine (exp x + exp -x) / 2.

    >>> sl.cosh([0.])
    tensor([1.])
    """
    return unary("cosh", x)


def tanh(x: Any) -> Tensor:
    """The hyperbolic tangent (exp x - exp -x) / (exp x + exp -x); the derivative is 1 - tanh^2 x.

    >>> sl.tanh([0., 100.])
    tensor([0., 1.])
    """
    return unary("tanh", x)


def asinh(x: Any) -> Tensor:
    """The inverse hyperbolic sine.

    >>> sl.asinh([0.])
    tensor([0.])
    """
    return unary("asinh", x)


def acosh(x: Any) -> Tensor:
    """The inverse hyperbolic cosine, at least 0; NaN for x < 1.

    >>> sl.acosh([1.])
    tensor([0.])
    """
    return unary("acosh", x)


def atanh(x: Any) -> Tensor:
    """The inverse hyperbolic tangent; NaN outside -1 .. 1.

    >>> sl.atanh([0.])
    tensor([0.])
    """
    return unary("atanh", x)


# Rounding


def floor(x: Any) -> Tensor:
    """Round down to an integer; no gradient.

    >>> sl.floor([1.5, -1.5])
    tensor([ 1., -2.])
    """
    return unary("floor", x)


def ceil(x: Any) -> Tensor:
    """Round up to an integer; no gradient.

    >>> sl.ceil([1.5, -1.5])
    tensor([ 2., -1.])
    """
    return unary("ceil", x)


def trunc(x: Any) -> Tensor:
    """Round toward 0 to an integer; no gradient.

    >>> sl.trunc([1.5, -1.5])
    tensor([ 1., -1.])
    """
    return unary("trunc", x)


def round(x: Any) -> Tensor:
    """Round to the nearest integer, ties to even (as Python and IEEE 754); no gradient.

    >>> sl.round([0.5, 1.5, 2.6])
    tensor([0., 2., 3.])
    """
    return unary("round", x)


def clip(x: Any, min: Any = None, max: Any = None) -> Tensor:
    """Clamp each element to at least `min` and at most `max`; None means no bound, and a bound of NaN gives NaN.

    Types promote as in arithmetic: integers with a bound of 0.5 become float32. Where min > max, the result is max.

    >>> sl.clip([-2., 0.5, 7.], 0., 1.)
    tensor([0. , 0.5, 1. ])
    """
    return asarray(x).clip(min, max)


# Comparisons


def equal(x: Any, y: Any) -> Tensor:
    """Whether x = y, elementwise, as bool. NaN equals nothing.

    >>> sl.equal([1, 2], [1, 3])
    tensor([ True, False])
    """
    return binary("equal", x, y)


def not_equal(x: Any, y: Any) -> Tensor:
    """Whether x differs from y, elementwise, as bool.

    >>> sl.not_equal([1, 2], [1, 3])
    tensor([False,  True])
    """
    return binary("not_equal", x, y)


def less(x: Any, y: Any) -> Tensor:
    """Whether x < y, elementwise, as bool.

    >>> sl.less([1, 2], 2)
    tensor([ True, False])
    """
    return binary("less", x, y)


def less_equal(x: Any, y: Any) -> Tensor:
    """Whether x <= y, elementwise, as bool.

    >>> sl.less_equal([1, 3], 2)
    tensor([ True, False])
    """
    return binary("less_equal", x, y)


def greater(x: Any, y: Any) -> Tensor:
    """Whether x > y, elementwise, as bool.

    >>> sl.greater([1, 3], 2)
    tensor([False,  True])
    """
    return binary("greater", x, y)


def greater_equal(x: Any, y: Any) -> Tensor:
    """Whether x >= y, elementwise, as bool.

    >>> sl.greater_equal([1, 2], 2)
    tensor([False,  True])
    """
    return binary("greater_equal", x, y)


def isnan(x: Any) -> Tensor:
    """Whether each element is NaN.

    >>> sl.isnan([1., float("nan")])
    tensor([False,  True])
    """
    return unary("isnan", x)


def isinf(x: Any) -> Tensor:
    """Whether each element is infinite, of either sign.

    >>> sl.isinf([1., float("-inf")])
    tensor([False,  True])
    """
    return unary("isinf", x)


def isfinite(x: Any) -> Tensor:
    """Whether each element is neither infinite nor NaN.

    >>> sl.isfinite([1., float("inf"), float("nan")])
    tensor([ True, False, False])
    """
    return unary("isfinite", x)


def isclose(x: Any, y: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Whether |x - y| <= atol + rtol |y|, elementwise; equal infinities are close, two NaN only with equal_nan.

    Integers are compared as float64, so that differences do not wrap around.

    >>> sl.isclose([1., 2.], [1.000001, 2.1])
    tensor([ True, False])
    """
    x, y = (arg if is_inexact(arg.dtype) else arg.astype(float64) for arg in (asarray(x), asarray(y)))
    near = abs(x - y) <= atol + rtol * abs(y)
    near = (x == y) | (near & isfinite(x) & isfinite(y))
    return near | (isnan(x) & isnan(y)) if equal_nan else near


# Logic and bits


def logical_and(x: Any, y: Any) -> Tensor:
    """Logical and, elementwise; nonzero numbers are true.

    >>> sl.logical_and([True, True], [True, False])
    tensor([ True, False])
    """
    return truth(x) & truth(y)


def logical_or(x: Any, y: Any) -> Tensor:
    """Logical or, elementwise; nonzero numbers are true.

    >>> sl.logical_or([True, False], [False, False])
    tensor([ True, False])
    """
    return truth(x) | truth(y)


def logical_xor(x: Any, y: Any) -> Tensor:
    """Exclusive or, elementwise; nonzero numbers are true.

    >>> sl.logical_xor([True, True], [True, False])
    tensor([False,  True])
    """
    return truth(x) ^ truth(y)


def logical_not(x: Any) -> Tensor:
    """Logical negation, elementwise; nonzero numbers are true.

    >>> sl.logical_not([True, False])
    tensor([False,  True])
    """
    return ~truth(x)


def truth(x: Any) -> Tensor:
    return asarray(x).astype(bool)


def bitwise_and(x: Any, y: Any) -> Tensor:
    """Bitwise and, for integers and bool.

    >>> sl.bitwise_and([6], [3])
    tensor([2])
    """
    return binary("bitwise_and", x, y)


def bitwise_or(x: Any, y: Any) -> Tensor:
    """Bitwise or, for integers and bool.

    >>> sl.bitwise_or([6], [3])
    tensor([7])
    """
    return binary("bitwise_or", x, y)


def bitwise_xor(x: Any, y: Any) -> Tensor:
    """Bitwise exclusive or, for integers and bool.

    >>> sl.bitwise_xor([6], [3])
    tensor([5])
    """
    return binary("bitwise_xor", x, y)


def bitwise_invert(x: Any) -> Tensor:
    """Invert all bits, for integers and bool.

    >>> sl.bitwise_invert([6])
    tensor([-7])
    """
    return unary("bitwise_invert", x)


def bitwise_left_shift(x: Any, y: Any) -> Tensor:
    """Shift the bits of x left by y: x 2^y, for integers.

    >>> sl.bitwise_left_shift([3], 2)
    tensor([12])
    """
    return binary("bitwise_left_shift", x, y)


def bitwise_right_shift(x: Any, y: Any) -> Tensor:
    """Shift the bits of x right by y: floor(x / 2^y), for integers.

    >>> sl.bitwise_right_shift([12], 2)
    tensor([3])
    """
    return binary("bitwise_right_shift", x, y)


# Choices and types


def where(condition: Any, x: Any, y: Any) -> Tensor:
    """x where the condition is true, y elsewhere; all three broadcast. The gradient flows to the selected values only.

    A value that is not selected, and its derivative, may be infinite or NaN: its gradient is 0 if it was computed by elementwise
    functions, sums and changes of shape. The same holds for values that `maximum`, `minimum` and `clip` discard. After other
    functions, and where an argument enters the branch in two ways, select the argument as well:
    where(x > 0, f(where(x > 0, x, 1)), 0).

    >>> sl.where([True, False], 1., 0.)
    tensor([1., 0.])
    >>> sl.grad(lambda x: sl.where(x > 0, sl.sqrt(x), x).sum())(sl.tensor([4., -1.]))
    tensor([0.25, 1.  ])
    """
    condition = asarray(condition)
    if not isinstance(x, Tensor) and not isinstance(y, Tensor):
        x = asarray(x)
    x, y = (choice if isinstance(choice, (Tensor, bool, int, float)) else asarray(choice) for choice in (x, y))
    if not isinstance(x, Tensor):  # a number takes the dtype of the other choice, not of the condition
        x = asarray(x, y.dtype if scalar_fits(x, y.dtype) else None)
    elif not isinstance(y, Tensor):
        y = asarray(y, x.dtype if scalar_fits(y, x.dtype) else None)
    return perform("where", (condition, x, y), {})


def scalar_fits(value: Any, dtype: DType) -> bool:
    """Whether a Python number takes this dtype next to a tensor (a fraction next to integers does not)."""
    return scalar_dtype(value, dtype) == dtype


def astype(x: Any, dtype: Any, copy: bool = True, device: Any = None) -> Tensor:
    """Convert x to another dtype; conversion to integers truncates. Raises DTypeError for unknown dtypes.

    Tensors do not change, so that `copy` makes no difference: x itself has the dtype already, or the result is new.
    A float outside the range of an integer dtype becomes its smallest or largest value, NaN becomes 0; integers wrap around.

    >>> sl.astype([1.9, -1.9], "int32")
    tensor([ 1, -1], dtype=int32)
    """
    check_device("astype", device)
    return asarray(x).astype(as_dtype(dtype))


def stop_gradient(x: Any) -> Tensor:
    """x without its history: no gradient flows through it.

    >>> x = sl.tensor(2., requires_grad=True)
    >>> (x * sl.stop_gradient(x)).backward()
    >>> x.grad
    tensor(2.)
    """
    return asarray(x).detach()


def round_bfloat16(x: Any) -> Tensor:
    """Round to bfloat16, which has 8 bits of precision and the range of float32; ties to even. The result is float32.

    A compiled function stores it in 16 bits. The gradient ignores the rounding. Raises DTypeError unless x is float32.
    Source: Kalamkar et al., "A study of BFLOAT16 for deep learning training", 2019.

    >>> sl.round_bfloat16(sl.tensor([1.0, 3.14159, 1e-30]))
    tensor([1.000000e+00, 3.140625e+00, 9.984021e-31])
    """
    return unary("round_bfloat16", x)
