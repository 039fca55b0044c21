"""Quantised values: whole numbers that stand for scale * (number - zero point)."""

from __future__ import annotations

import numpy as np

from ... import functions as f
from ...graph.dtype import float32, int32, uint8
from ...tensor import Tensor
from ..call import Call
from ..element_types import DTYPES, name_of
from ..operators import operator
from .convolution import convolve, ones_or, pads_of


def spread(call: Call, x: Tensor, value: Tensor) -> Tensor:
    """A scale or zero point in the shape that meets x: one for all, for each slice of an axis, or for each block along it."""
    if value.ndim == 0 or value.size == 1:
        return value.reshape(())
    axis = call.axis(x.ndim)
    if value.ndim == 1:
        return value.reshape([-1 if i == axis else 1 for i in range(x.ndim)])
    if not call["block_size"]:
        raise call.unsupported("a scale of several axes without block_size")
    blocks = f.repeat(value, call["block_size"], axis=axis)
    return blocks[(*[slice(None)] * axis, slice(0, x.shape[axis]))]


def saturate(x: Tensor, dtype: np.dtype) -> Tensor:
    """Rounded floats in an integer type; what is beyond its ends becomes the end."""
    limits = np.iinfo(dtype)
    return f.clip(x, float(limits.min), float(limits.max)).astype(dtype)


@operator("QuantizeLinear", statistics=(1,))
def quantize(call: Call, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    code = call["output_dtype"]
    if code and (code not in DTYPES or DTYPES[code].kind == "f"):
        raise call.unsupported(f"output type {name_of(code)}")
    dtype = zero.dtype if zero is not None else DTYPES[code] if code else uint8
    steps = f.round(x / spread(call, x, scale))
    return saturate(steps if zero is None else steps + spread(call, x, zero).astype(steps.dtype), dtype)


@operator("DequantizeLinear", statistics=(1,))
def dequantize(call: Call, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    steps = x.astype(int32) if x.dtype.kind in "iu" else x
    steps = steps if zero is None else steps - spread(call, x, zero).astype(steps.dtype)
    return steps.astype(scale.dtype) * spread(call, x, scale)


@operator("DynamicQuantizeLinear")
def dynamic_quantize(call: Call, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    low, high = f.minimum(f.min(x), 0), f.maximum(f.max(x), 0)
    scale = (high - low) / 255
    scale = f.where(scale == 0, 1, scale)
    zero = f.round(f.clip(-low / scale, 0, 255))
    return f.clip(f.round(x / scale) + zero, 0, 255).astype(uint8), scale, zero.astype(uint8)


def shifted(x: Tensor, zero: Tensor | None, shape: tuple[int, ...] = ()) -> Tensor:
    """x minus its zero point, in 32 bits."""
    wide = x.astype(int32)
    return wide if zero is None else wide - zero.astype(int32).reshape(shape if zero.size > 1 else ())


@operator("MatMulInteger")
def matmul_integer(call: Call, a: Tensor, b: Tensor, a_zero: Tensor | None = None, b_zero: Tensor | None = None) -> Tensor:
    return f.matmul(shifted(a, a_zero, (-1, 1)), shifted(b, b_zero, (1, -1))).astype(int32)


@operator("ConvInteger")
def conv_integer(call: Call, x: Tensor, weight: Tensor, x_zero: Tensor | None = None, w_zero: Tensor | None = None) -> Tensor:
    w = shifted(weight, w_zero, (-1, *[1] * (weight.ndim - 1)))
    return whole_convolution(call, shifted(x, x_zero), w)


def whole_convolution(call: Call, x: Tensor, weight: Tensor) -> Tensor:
    rank = x.ndim - 2
    strides, dilations = ones_or(call["strides"], rank), ones_or(call["dilations"], rank)
    pads = pads_of(call, x.shape[2:], weight.shape[2:], strides, dilations)
    return convolve(x, weight, strides, pads, dilations, call["group"]).astype(int32)


@operator("QLinearMatMul", statistics=(1, 4, 6))
def quantized_matmul(call: Call, a: Tensor, a_scale: Tensor, a_zero: Tensor, b: Tensor, b_scale: Tensor, b_zero: Tensor, y_scale: Tensor,
                     y_zero: Tensor) -> Tensor:
    y = f.matmul(shifted(a, a_zero, (-1, 1)), shifted(b, b_zero, (1, -1)))
    factor = column(a_scale) * row(b_scale) / row(y_scale)
    return saturate(f.round(y.astype(factor.dtype) * factor) + y_zero.astype(factor.dtype), y_zero.dtype)


def column(x: Tensor) -> Tensor:
    """A value for each row of a matrix."""
    return x.reshape((-1, 1)) if x.ndim == 1 and x.size > 1 else x.reshape(()) if x.size == 1 else x


def row(x: Tensor) -> Tensor:
    """A value for each column of a matrix."""
    return x.reshape(()) if x.size == 1 else x


@operator("QLinearConv", statistics=(1, 4, 6))
def quantized_conv(call: Call, x: Tensor, x_scale: Tensor, x_zero: Tensor, w: Tensor, w_scale: Tensor, w_zero: Tensor, y_scale: Tensor,
                   y_zero: Tensor, bias: Tensor | None = None) -> Tensor:
    channels = (-1, *[1] * (x.ndim - 2))
    y = whole_convolution(call, shifted(x, x_zero), shifted(w, w_zero, (-1, *[1] * (w.ndim - 1))))
    y = y if bias is None else y + bias.reshape(channels)
    factor = x_scale.reshape(()) * (w_scale.reshape(channels) if w_scale.size > 1 else w_scale.reshape(())) / y_scale.reshape(())
    return saturate(f.round(y.astype(float32) * factor) + y_zero.reshape(()).astype(float32), y_zero.dtype)
