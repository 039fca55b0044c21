"""Operators that move elements: reshape, transpose, pad, slice, concat; and those about shapes."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np

from ... import functions as f
from ...errors import ArgumentError, ShapeError
from ...tensor import Tensor, asarray
from ..call import Call
from ..element_types import DTYPES
from ..operators import operator
from ..values import Value, axes_of, integers


@operator("Constant", raw=True)
def constant(call: Call) -> np.ndarray:
    """A value of the graph itself: known."""
    (name, value), *others = [(name, value) for name, value in call.attributes.items() if value is not None]
    if others:
        raise call.unsupported(f"a constant with both {name} and {others[0][0]}")
    if name in ("value_string", "value_strings"):
        return np.array(value, dtype=object)
    return np.asarray(value, KINDS.get(name))


KINDS = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}


@operator("ConstantOfShape", known=(0,))
def constant_of_shape(call: Call, shape: np.ndarray) -> Tensor:
    value = np.zeros(1, np.float32) if call["value"] is None else call["value"]
    return f.full(integers(shape), value.reshape(()).item(), value.dtype)


@operator("Shape", raw=True)
def shape(call: Call, x: Value) -> np.ndarray:
    return np.array(x.shape[slice(call["start"], call["end"])], np.int64)


@operator("Size", raw=True)
def size(call: Call, x: Value) -> np.ndarray:
    return np.array(math.prod(x.shape), np.int64)


@operator("Reshape", known=(1,))
def reshape(call: Call, x: Tensor, shape: np.ndarray | None = None) -> Tensor:
    """0 keeps a size, unless allowzero says that it is one."""
    sizes = list(call["shape"] if shape is None else integers(shape))
    if not call["allowzero"]:
        sizes = [x.shape[i] if size == 0 and i < x.ndim else size for i, size in enumerate(sizes)]
    if -1 in sizes and not x.size:
        rest = math.prod(size for size in sizes if size != -1)
        sizes[sizes.index(-1)] = x.size // rest if rest else 0
    return x.reshape(sizes)


@operator("Flatten")
def flatten(call: Call, x: Tensor) -> Tensor:
    axis = call["axis"] + (x.ndim if call["axis"] < 0 else 0)
    return x.reshape((math.prod(x.shape[:axis]), math.prod(x.shape[axis:])))


@operator("Transpose")
def transpose(call: Call, x: Tensor) -> Tensor:
    return f.permute_dims(x, call["perm"] or tuple(reversed(range(x.ndim))))


@operator("Squeeze", known=(1,))
def squeeze(call: Call, x: Tensor, axes: np.ndarray | None = None) -> Tensor:
    chosen = call["axes"] if axes is None else integers(axes)
    if chosen is None:
        return f.squeeze(x)
    return f.squeeze(x, axes_of(chosen, x.ndim))


@operator("Unsqueeze", known=(1,))
def unsqueeze(call: Call, x: Tensor, axes: np.ndarray | None = None) -> Tensor:
    chosen = call["axes"] if axes is None else integers(axes)
    rank = x.ndim + len(chosen)
    new, sizes = set(axes_of(chosen, rank)), iter(x.shape)
    return x.reshape([1 if axis in new else next(sizes) for axis in range(rank)])


@operator("Concat", raw=True)
def concat(call: Call, *xs: Value) -> Value:
    """Known if all parts are: shapes are often put together."""
    axis = 1 if call["axis"] is None else call["axis"]
    if all(isinstance(x, np.ndarray) for x in xs):
        return np.concatenate(xs, axis=axis)
    return f.concat(list(map(asarray, xs)), axis=axis)


@operator("Split", known=(1,))
def split(call: Call, x: Tensor, sizes: np.ndarray | None = None) -> tuple[Tensor, ...]:
    """Into parts of these sizes, or of equal size, of which the last may be smaller."""
    axis, parts = call.axis(x.ndim), len(call.outputs)
    lengths = call["split"] if sizes is None else integers(sizes)
    if lengths is None:
        step = -(-x.shape[axis] // parts)
        lengths = [max(0, min(step, x.shape[axis] - i * step)) for i in range(parts)]
    return split_at(x, lengths, axis)


def split_at(x: Tensor, lengths: Any, axis: int) -> tuple[Tensor, ...]:
    """Parts of these lengths, which together are the whole axis."""
    if sum(lengths) != x.shape[axis] or any(length < 0 for length in lengths):
        raise ShapeError(f"parts of {list(lengths)} are not the {x.shape[axis]} elements of axis {axis}")
    ends = np.cumsum([0, *lengths]).tolist()
    return tuple(x[(*[slice(None)] * axis, slice(begin, end))] for begin, end in pairwise(ends))


@operator("Expand", known=(1,))
def expand(call: Call, x: Tensor, shape: np.ndarray) -> Tensor:
    return f.broadcast_to(x, f.broadcast_shapes(x.shape, integers(shape)))


@operator("Tile", since=6, known=(1,))
def tile(call: Call, x: Tensor, repeats: np.ndarray) -> Tensor:
    return f.tile(x, integers(repeats))


@operator("Tile", known=(1, 2))
def tile_axis(call: Call, x: Tensor, tiles: np.ndarray, axis: np.ndarray) -> Tensor:
    repeats = [1] * x.ndim
    repeats[int(axis.item())] = int(tiles.item())
    return f.tile(x, repeats)


@operator("Slice", since=10, known=(1, 2, 3, 4))
def slice_inputs(call: Call, x: Tensor, starts: np.ndarray, ends: np.ndarray, axes: np.ndarray | None = None,
                 steps: np.ndarray | None = None) -> Tensor:
    count = starts.size
    chosen = range(count) if axes is None else integers(axes)
    return sliced(x, integers(starts), integers(ends), chosen, [1] * count if steps is None else integers(steps))


@operator("Slice")
def slice_attributes(call: Call, x: Tensor) -> Tensor:
    axes = call["axes"] or range(len(call["starts"]))
    return sliced(x, call["starts"], call["ends"], axes, [1] * len(call["starts"]))


def sliced(x: Tensor, starts: Any, ends: Any, axes: Any, steps: Any) -> Tensor:
    """Ends beyond an axis stand for its end, as in Python; with a negative step, an end before the axis for its beginning."""
    index: list[slice] = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, axes_of(tuple(axes), x.ndim), steps, strict=True):
        n = x.shape[axis]
        if step == 0:
            raise ArgumentError("Slice: a step is 0")
        index[axis] = slice(start, None if step < 0 and end < -n else end, step)
    return x[tuple(index)]


# Padding


@operator("Pad", since=11, known=(1, 2, 3))
def pad_inputs(call: Call, x: Tensor, pads: np.ndarray, value: np.ndarray | None = None, axes: np.ndarray | None = None) -> Tensor:
    chosen = axes_of(range(x.ndim) if axes is None else integers(axes), x.ndim)
    fill = value.reshape(()).item() if value is not None and value.size else 0
    return padded(call, x, widths_of(integers(pads), chosen, x.ndim), call["mode"], fill)


@operator("Pad")
def pad_attributes(call: Call, x: Tensor) -> Tensor:
    pads = call["pads"] or call["paddings"]
    return padded(call, x, widths_of(pads, tuple(range(x.ndim)), x.ndim), call["mode"], call["value"])


def widths_of(pads: Any, axes: tuple[int, ...], rank: int) -> list[tuple[int, int]]:
    """(before, after) for every axis; pads are all befores, then all afters."""
    widths = [(0, 0)] * rank
    for axis, before, after in zip(axes, pads[:len(axes)], pads[len(axes):], strict=True):
        widths[axis] = (before, after)
    return widths


def padded(call: Call, x: Tensor, widths: list[tuple[int, int]], mode: str, value: Any) -> Tensor:
    """x with elements more, or fewer where a width is negative, at both ends of its axes."""
    if mode == "constant":
        cropped = x[tuple(slice(max(0, -low), n - max(0, -high)) for (low, high), n in zip(widths, x.shape))]
        return f.pad(cropped, [(max(0, low), max(0, high)) for low, high in widths], value)
    if mode not in NUMPY_MODES:
        raise call.unsupported(f"mode {mode!r}")
    for axis, (low, high) in enumerate(widths):
        if low or high:
            x = f.take(x, padded_indices(x.shape[axis], low, high, NUMPY_MODES[mode]), axis=axis)
    return x


NUMPY_MODES = {"reflect": "reflect", "edge": "edge", "wrap": "wrap"}


def padded_indices(n: int, low: int, high: int, mode: str) -> np.ndarray:
    """Which element of an axis stands at each position of the padded one."""
    indices = np.pad(np.arange(n), (max(0, low), max(0, high)), mode=mode)  # type: ignore[call-overload]
    return indices[max(0, -low):len(indices) - max(0, -high)]


@operator("CenterCropPad", known=(1,))
def center_crop_pad(call: Call, x: Tensor, shape: np.ndarray) -> Tensor:
    """The middle of each axis, or zeros on both sides of it."""
    axes = axes_of(call["axes"] if call["axes"] is not None else range(x.ndim), x.ndim)
    index, widths = [slice(None)] * x.ndim, [(0, 0)] * x.ndim
    for axis, target in zip(axes, integers(shape), strict=True):
        n = x.shape[axis]
        start = max(0, n - target) // 2
        index[axis] = slice(start, start + min(n, target))
        more = max(0, target - n)
        widths[axis] = (more // 2, more - more // 2)
    return f.pad(x[tuple(index)], widths)


@operator("DepthToSpace")
def depth_to_space(call: Call, x: Tensor) -> Tensor:
    batch, channels, height, width = x.shape
    block = call["blocksize"]
    if call["mode"] == "CRD":
        y = x.reshape((batch, channels // block**2, block, block, height, width)).permute_dims((0, 1, 4, 2, 5, 3))
    else:
        y = x.reshape((batch, block, block, channels // block**2, height, width)).permute_dims((0, 3, 4, 1, 5, 2))
    return y.reshape((batch, channels // block**2, height * block, width * block))


@operator("SpaceToDepth")
def space_to_depth(call: Call, x: Tensor) -> Tensor:
    batch, channels, height, width = x.shape
    block = call["blocksize"]
    parts = x.reshape((batch, channels, height // block, block, width // block, block))
    order = (0, 1, 3, 5, 2, 4) if call["mode"] == "CRD" else (0, 3, 5, 1, 2, 4)
    return parts.permute_dims(order).reshape((batch, channels * block**2, height // block, width // block))


@operator("Range", known=(0, 1, 2))
def arange(call: Call, start: np.ndarray, limit: np.ndarray, delta: np.ndarray) -> Tensor:
    count = max(0, math.ceil((limit.item() - start.item()) / delta.item()))
    return f.arange(count).astype(start.dtype) * asarray(delta.reshape(())) + asarray(start.reshape(()))


@operator("EyeLike")
def eye_like(call: Call, x: Tensor) -> Tensor:
    dtype = x.dtype if call["dtype"] is None else DTYPES[call["dtype"]]
    rows, columns = x.shape
    return f.eye(rows, columns, call["k"], dtype)


@operator("Trilu", known=(1,))
def triangle(call: Call, x: Tensor, k: np.ndarray | None = None) -> Tensor:
    offset = 0 if k is None else int(k.item())
    rows, columns = x.shape[-2:]
    keep = np.triu(np.ones((rows, columns), bool), offset) if call["upper"] else np.tril(np.ones((rows, columns), bool), offset)
    return f.where(asarray(keep), x, asarray(np.zeros((), x.dtype)))
