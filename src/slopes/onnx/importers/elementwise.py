"""Operators of each element: arithmetic, functions, comparisons, bits, casts."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ... import functions as f
from ...graph.dtype import DType, float32
from ...tensor import Tensor, asarray
from ..call import Call
from ..element_types import DTYPES, STRING, name_of
from ..operators import operator

UNARY: dict[str, Any] = {
    "Abs": f.abs, "Acos": f.acos, "Acosh": f.acosh, "Asin": f.asin, "Asinh": f.asinh, "Atan": f.atan, "Atanh": f.atanh,
    "BitwiseNot": f.bitwise_invert, "Ceil": f.ceil, "Cos": f.cos, "Cosh": f.cosh, "Erf": f.erf, "Exp": f.exp, "Floor": f.floor,
    "IsNaN": f.isnan, "Log": f.log, "Neg": f.negative, "Not": f.logical_not, "Reciprocal": f.reciprocal, "Round": f.round,
    "Sign": f.sign, "Sin": f.sin, "Sinh": f.sinh, "Sqrt": f.sqrt, "Tan": f.tan, "Tanh": f.tanh,
}
BINARY: dict[str, Any] = {
    "And": f.logical_and, "BitwiseAnd": f.bitwise_and, "BitwiseOr": f.bitwise_or, "BitwiseXor": f.bitwise_xor, "Equal": f.equal,
    "Greater": f.greater, "GreaterOrEqual": f.greater_equal, "Less": f.less, "LessOrEqual": f.less_equal, "Or": f.logical_or,
    "Xor": f.logical_xor,
}
VARIADIC: dict[str, Any] = {"Max": f.maximum, "Min": f.minimum, "Sum": f.add}


def register_all() -> None:
    """The operators that are one function of slopes."""
    for table, adapter in ((UNARY, unary), (BINARY, binary), (VARIADIC, variadic)):
        for name, function in table.items():
            operator(name)(functools.partial(adapter, function))


def unary(function: Any, call: Call, x: Tensor) -> Tensor:
    return function(x)


def binary(function: Any, call: Call, x: Tensor, y: Tensor) -> Tensor:
    return function(*aligned(call, x, y))


def variadic(function: Any, call: Call, *xs: Tensor) -> Tensor:
    return functools.reduce(function, xs)


def aligned(call: Call, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Before operator set 7, y is broadcast from an axis on if the node says so."""
    axis = call["axis"] if call["broadcast"] else None
    if axis is None or call.version >= 7:
        return x, y
    return x, y.reshape((*y.shape, *[1] * (x.ndim - call.axis(x.ndim) - y.ndim)))


register_all()


@operator("Identity", raw=True)
def identity(call: Call, x: Any) -> Any:
    return x


@operator("Add")
def add(call: Call, x: Tensor, y: Tensor) -> Tensor:
    x, y = aligned(call, x, y)
    return x + y


@operator("Sub")
def subtract(call: Call, x: Tensor, y: Tensor) -> Tensor:
    x, y = aligned(call, x, y)
    return x - y


@operator("Mul")
def multiply(call: Call, x: Tensor, y: Tensor) -> Tensor:
    x, y = aligned(call, x, y)
    return x * y


@operator("Div")
def divide(call: Call, x: Tensor, y: Tensor) -> Tensor:
    """Quotients of whole numbers are cut off towards zero."""
    x, y = aligned(call, x, y)
    if x.dtype.kind == "f":
        return x / y
    if x.dtype.kind == "u":
        return x // y
    quotient = f.abs(x) // f.abs(y)
    return f.where((x < 0) == (y < 0), quotient, -quotient)


@operator("Mod")
def remainder(call: Call, x: Tensor, y: Tensor) -> Tensor:
    """The sign is that of y, with fmod that of x."""
    if not call["fmod"]:
        return f.remainder(x, y)
    size = f.remainder(f.abs(x), f.abs(y)) if x.dtype.kind != "u" else f.remainder(x, y)
    return f.where(x < 0, -size, size) if x.dtype.kind != "u" else size


@operator("Pow")
def power(call: Call, x: Tensor, y: Tensor) -> Tensor:
    """The result has the type of x."""
    x, y = aligned(call, x, y)
    if x.dtype.kind == "f":
        return f.pow(x, y.astype(x.dtype))
    if y.dtype.kind == "f":
        return f.trunc(f.pow(x.astype("float64"), y.astype("float64"))).astype(x.dtype)
    return f.pow(x, y.astype(x.dtype))


@operator("Mean")
def mean(call: Call, *xs: Tensor) -> Tensor:
    return functools.reduce(f.add, xs) / len(xs)


@operator("Where")
def where(call: Call, condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return f.where(condition, x, y)


@operator("IsInf")
def is_infinite(call: Call, x: Tensor) -> Tensor:
    signs = [sign for sign, name in ((x > 0, "detect_positive"), (x < 0, "detect_negative")) if call[name]]
    return f.isinf(x) & functools.reduce(f.logical_or, signs) if signs else f.zeros(x.shape, "bool")


@operator("Clip", since=11)
def clip(call: Call, x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    x = x if low is None else f.maximum(x, low)
    return x if high is None else f.minimum(x, high)


@operator("Clip")
def clip_attributes(call: Call, x: Tensor) -> Tensor:
    return f.clip(x, call["min"], call["max"])


@operator("BitShift")
def shift(call: Call, x: Tensor, y: Tensor) -> Tensor:
    bits = x.dtype.itemsize * 8
    steps = f.minimum(y, asarray(np.array(bits - 1, y.dtype)))
    if call["direction"] == "RIGHT" and x.dtype.kind == "i":
        return f.bitwise_right_shift(x, steps)  # the sign comes in from the left, however far
    moved = f.bitwise_left_shift(x, steps) if call["direction"] == "LEFT" else f.bitwise_right_shift(x, steps)
    return f.where(y < bits, moved, asarray(np.zeros((), x.dtype)))


# Types


@operator("Cast", raw=True)
def cast(call: Call, x: Any) -> Any:
    return converted(call, x, call["to"] if isinstance(call["to"], int) else OLD_NAMES[call["to"]])


OLD_NAMES = {name_of(code).upper(): code for code in DTYPES}  # before operator set 6 the type is a word


def converted(call: Call, x: Any, code: int) -> Any:
    """x in another type; words as numbers, and numbers as words, where values are known."""
    if isinstance(x, np.ndarray) and (x.dtype.kind in "OU" or code == STRING):
        return to_words(x) if code == STRING else x.astype(np.float64 if code in (1, 11) else object).astype(DTYPES[code])
    if code not in DTYPES:
        raise call.unsupported(f"a cast to {name_of(code)}")
    dtype = DTYPES[code]
    if isinstance(x, np.ndarray):
        with np.errstate(invalid="ignore", over="ignore"):
            return x.astype(dtype)
    return cast_tensor(x, dtype)


def cast_tensor(x: Tensor, dtype: DType) -> Tensor:
    return x if x.dtype == dtype else x.astype(dtype)


def to_words(x: np.ndarray) -> np.ndarray:
    """Numbers as words, the shortest that read back."""
    return np.array([str(value) for value in x.reshape(-1)], dtype=object).reshape(x.shape)


@operator("CastLike", raw=True)
def cast_like(call: Call, x: Any, target: Any) -> Any:
    if target.dtype.kind in "OU":
        return converted(call, x, STRING)
    return x.astype(target.dtype) if isinstance(x, np.ndarray) else cast_tensor(x, target.dtype)


# Activation functions


@operator("Relu")
def relu(call: Call, x: Tensor) -> Tensor:
    return f.relu(x)


@operator("Sigmoid")
def sigmoid(call: Call, x: Tensor) -> Tensor:
    return f.sigmoid(x)


@operator("LeakyRelu")
def leaky_relu(call: Call, x: Tensor) -> Tensor:
    return f.leaky_relu(x, call["alpha"])


@operator("PRelu")
def prelu(call: Call, x: Tensor, slope: Tensor) -> Tensor:
    """Before operator set 7, a slope for each channel."""
    if call.version < 7 and slope.ndim == 1:
        slope = slope.reshape((-1, *[1] * (x.ndim - 2)))
    return f.where(x < 0, slope * x, x)


@operator("Elu")
def elu(call: Call, x: Tensor) -> Tensor:
    return f.elu(x, call["alpha"])


@operator("Selu")
def selu(call: Call, x: Tensor) -> Tensor:
    return call["gamma"] * f.elu(x, call["alpha"])


@operator("Celu")
def celu(call: Call, x: Tensor) -> Tensor:
    return f.relu(x) + f.minimum(call["alpha"] * f.expm1(f.minimum(x, 0) / call["alpha"]), 0)


@operator("Gelu")
def gelu(call: Call, x: Tensor) -> Tensor:
    return f.gelu(x, call["approximate"])


@operator("Softplus")
def softplus(call: Call, x: Tensor) -> Tensor:
    return f.softplus(x)


@operator("Softsign")
def softsign(call: Call, x: Tensor) -> Tensor:
    return x / (1 + f.abs(x))


@operator("HardSigmoid")
def hard_sigmoid(call: Call, x: Tensor) -> Tensor:
    return f.clip(call["alpha"] * x + call["beta"], 0, 1)


@operator("HardSwish")
def hard_swish(call: Call, x: Tensor) -> Tensor:
    return x * f.clip(x / 6 + 0.5, 0, 1)


@operator("Mish")
def mish(call: Call, x: Tensor) -> Tensor:
    return x * f.tanh(f.softplus(x))


@operator("Swish")
def swish(call: Call, x: Tensor) -> Tensor:
    return x * f.sigmoid(call["alpha"] * x)


@operator("ThresholdedRelu")
def thresholded_relu(call: Call, x: Tensor) -> Tensor:
    return f.where(x > call["alpha"], x, 0)


@operator("Shrink")
def shrink(call: Call, x: Tensor) -> Tensor:
    bias, limit = call["bias"], call["lambd"]
    if x.dtype.kind != "f":
        return f.where(x < -limit, x.astype(float32) + bias, f.where(x > limit, x.astype(float32) - bias, 0.0)).astype(x.dtype)
    return f.where(x < -limit, x + bias, f.where(x > limit, x - bias, 0))
