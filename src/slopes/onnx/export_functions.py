"""Functions that are ONNX operators: activations, softmax, means, pooling, convolutions, affine maps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..graph.dtype import float32, float64
from ..graph.node import Node
from ..graph.shape import normalize_axes
from ..ops import composite
from ..ops.activations import LINEAR
from ..ops.spatial import padding_pairs, per_axis, pool_parameters, reach_end
from .export_builder import Builder
from .export_values import Value

Arguments = Mapping[str, Any]
Operator = Callable[[Builder, Arguments, list[Node], Node], Value | None]
"""From a function's arguments and operands, and its result: the value by an ONNX operator, None where that does not exist."""
CONV, POOL = ("stride", "padding", "dilation", "groups"), ("size", "stride", "padding")
SINGLE, REAL = (float32,), (float32, float64)


@dataclass(frozen=True)
class Function:
    """A function that an ONNX operator computes, for results of some types.

    `arguments` are those that `operator` heeds: a call with others is left to the operations of the function.
    """

    make: Callable[..., Any]
    operands: int
    types: tuple[np.dtype, ...]
    operator: Operator
    arguments: tuple[str, ...] = ()


# ---------------------------------------------------------------------- functions
def pointwise(operator: str, **names: str) -> Operator:
    """An operator on each element, whose attributes are arguments of the function, by other names."""
    def emit(b: Builder, arguments: Arguments, operands: list[Node], result: Node) -> Value:
        return b.apply(operator, b.value(operands[0]), **{name: arguments[own] for name, own in names.items()})

    return emit


def softplus(b: Builder, arguments: Arguments, operands: list[Node], result: Node) -> Value | None:
    usual = arguments["beta"] == 1 and arguments["threshold"] == LINEAR
    return b.apply("Softplus", b.value(operands[0])) if usual else None


def hardtanh(b: Builder, arguments: Arguments, operands: list[Node], result: Node) -> Value:
    x = b.value(operands[0])
    return b.call("Clip", x, b.like(x, arguments["min_val"]), b.like(x, arguments["max_val"]), shape=x.shape)


def selu(b: Builder, arguments: Arguments, operands: list[Node], result: Node) -> Value:
    return b.apply("Selu", b.value(operands[0]))


def along_axis(operator: str) -> Operator:
    """An operator along one axis."""
    def emit(b: Builder, arguments: Arguments, operands: list[Node], result: Node) -> Value | None:
        axis = arguments["axis"]
        if not isinstance(axis, int) or not result.size:
            return None
        return b.call(operator, b.value(operands[0]), shape=b.shape(result), axis=axis)

    return emit


def mean(b: Builder, arguments: Arguments, operands: list[Node], result: Node) -> Value | None:
    axes = normalize_axes(arguments["axis"], operands[0].ndim, "mean")
    if not axes or not operands[0].size:
        return None
    return b.call("ReduceMean", b.value(operands[0]), b.ints(*axes), shape=b.shape(result), keepdims=int(arguments["keepdims"]))


def affine(b: Builder, arguments: Arguments, operands: list[Node], result: Node) -> Value | None:
    """x W^T + b of a matrix x."""
    x, weight, bias = map(b.value, operands)
    return b.call("Gemm", x, weight, bias, shape=b.shape(result), transB=1) if len(x.shape) == len(weight.shape) == 2 else None


def spatial(pairs: tuple[tuple[int, int], ...]) -> list[int]:
    """Padding as ONNX writes it: all that comes before, then all that comes after."""
    return [low for low, _ in pairs] + [high for _, high in pairs]


def max_pool(b: Builder, arguments: Arguments, operands: list[Node], result: Node) -> Value | None:
    """Pooling of the axes after batch and channels."""
    (x,) = operands
    kernel, stride, pairs, dilation = pool_parameters("max_pool", x, arguments["size"], arguments["stride"], arguments["padding"],
                                                      arguments["dilation"])
    pairs = reach_end(x, kernel, stride, pairs, dilation) if arguments["ceil_mode"] else pairs
    if len(kernel) != x.ndim - 2 or any(max(pair) >= k for pair, k in zip(pairs, kernel)):
        return None
    return b.call("MaxPool", b.value(x), shape=b.shape(result), kernel_shape=list(kernel), strides=list(stride), pads=spatial(pairs),
                  dilations=list(dilation))


def avg_pool(b: Builder, arguments: Arguments, operands: list[Node], result: Node) -> Value | None:
    """Pooling of the axes after batch and channels."""
    (x,) = operands
    kernel, stride, pairs, _ = pool_parameters("avg_pool", x, arguments["size"], arguments["stride"], arguments["padding"], 1)
    if len(kernel) != x.ndim - 2 or arguments["ceil_mode"] or arguments["divisor_override"] is not None:
        return None
    return b.call("AveragePool", b.value(x), shape=b.shape(result), kernel_shape=list(kernel), strides=list(stride), pads=spatial(pairs),
                  count_include_pad=int(arguments["count_include_pad"]))


def convolution(b: Builder, arguments: Arguments, operands: list[Node], result: Node) -> Value:
    x, w = operands
    rank, kernel = w.ndim - 2, w.shape[2:]
    stride, dilation = (per_axis(arguments[name], rank, name) for name in ("stride", "dilation"))
    pairs = padding_pairs(arguments["padding"], kernel, stride, dilation, "convolution")
    return b.call("Conv", b.value(x), b.value(w), shape=b.shape(result), kernel_shape=list(kernel), strides=list(stride),
                  dilations=list(dilation), pads=spatial(pairs), group=arguments["groups"])


def transposed_convolution(b: Builder, arguments: Arguments, operands: list[Node], result: Node) -> Value:
    x, w = operands
    rank, kernel = w.ndim - 2, w.shape[2:]
    stride, dilation = (per_axis(arguments[name], rank, name) for name in ("stride", "dilation"))
    pairs = padding_pairs(arguments["padding"], kernel, (1,) * rank, dilation, "transposed convolution")
    extra = per_axis(arguments["output_padding"], rank, "output_padding", 0)
    return b.call("ConvTranspose", b.value(x), b.value(w), shape=b.shape(result), kernel_shape=list(kernel), strides=list(stride),
                  dilations=list(dilation), pads=spatial(pairs), output_padding=list(extra), group=arguments["groups"])


FUNCTIONS: Mapping[str, Function] = {
    "relu": Function(composite.relu, 1, REAL, pointwise("Relu")),
    "leaky_relu": Function(composite.leaky_relu, 1, SINGLE, pointwise("LeakyRelu", alpha="slope"), ("slope",)),
    "elu": Function(composite.elu, 1, SINGLE, pointwise("Elu", alpha="alpha"), ("alpha",)),
    "celu": Function(composite.celu, 1, SINGLE, pointwise("Celu", alpha="alpha"), ("alpha",)),
    "mish": Function(composite.mish, 1, SINGLE, pointwise("Mish")),
    "hardtanh": Function(composite.hardtanh, 1, REAL, hardtanh, ("min_val", "max_val")),
    "hardswish": Function(composite.hardswish, 1, SINGLE, pointwise("HardSwish")),
    "softsign": Function(composite.softsign, 1, SINGLE, pointwise("Softsign")),
    "selu": Function(composite.selu, 1, SINGLE, selu),
    "sigmoid": Function(composite.sigmoid, 1, REAL, pointwise("Sigmoid")),
    "softplus": Function(composite.softplus, 1, SINGLE, softplus, ("beta", "threshold")),
    "gelu": Function(composite.gelu, 1, SINGLE, pointwise("Gelu", approximate="approximate"), ("approximate",)),
    "softmax": Function(composite.softmax, 1, REAL, along_axis("Softmax"), ("axis",)),
    "log_softmax": Function(composite.log_softmax, 1, REAL, along_axis("LogSoftmax"), ("axis",)),
    "mean": Function(composite.mean, 1, REAL, mean, ("axis", "keepdims")),
    "affine": Function(composite.affine, 3, REAL, affine),
    "max_pool": Function(composite.max_pool, 1, REAL, max_pool, (*POOL, "dilation", "ceil_mode")),
    "avg_pool": Function(composite.avg_pool, 1, SINGLE, avg_pool, (*POOL, "count_include_pad", "ceil_mode", "divisor_override")),
    "convolution": Function(composite.convolution, 2, SINGLE, convolution, CONV),
    "transposed_convolution": Function(composite.transposed_convolution, 2, SINGLE, transposed_convolution, (*CONV, "output_padding")),
}
