"""Operators that choose elements: gather, scatter, one-hot, top-k, and those whose result's size depends on values."""

from __future__ import annotations

import math

import numpy as np

from ... import functions as f
from ...tensor import Tensor, asarray, perform
from ..call import Call
from ..element_types import CODES, DTYPES, name_of
from ..operators import operator


def from_front(indices: Tensor, size: int) -> Tensor:
    """Indices that count from the end, as those that count from the front."""
    return f.where(indices < 0, indices + size, indices)


@operator("Gather")
def gather(call: Call, x: Tensor, indices: Tensor) -> Tensor:
    axis = call.axis(x.ndim)
    return f.take(x, from_front(indices, x.shape[axis]), axis=axis)


@operator("GatherElements")
def gather_elements(call: Call, x: Tensor, indices: Tensor) -> Tensor:
    axis = call.axis(x.ndim)
    cut = x[tuple(slice(None) if i == axis else slice(0, n) for i, n in enumerate(indices.shape))]
    return f.take_along_axis(cut, from_front(indices, x.shape[axis]), axis=axis)


def flat_positions(indices: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Index vectors, along the last axis, as positions in the flattened leading axes."""
    flat = f.zeros(indices.shape[:-1], "int64")
    for i in range(indices.shape[-1]):
        flat = flat * shape[i] + from_front(indices[..., i], shape[i])
    return flat


@operator("GatherND")
def gather_nd(call: Call, x: Tensor, indices: Tensor) -> Tensor:
    """Index vectors into the axes after `batch_dims` common ones."""
    common, depth = call["batch_dims"] or 0, indices.shape[-1]
    batch, rest = x.shape[:common], x.shape[common + depth:]
    flat = flat_positions(indices, x.shape[common:common + depth])
    count, chosen = math.prod(x.shape[common:common + depth]), indices.shape[common:-1]
    if common:
        rows = f.arange(math.prod(batch)).reshape((*batch, *[1] * len(chosen)))
        flat = flat + rows * count
    return f.take(x.reshape((math.prod(batch) * count, *rest)), flat, axis=0)


# Scatter


@operator("Scatter", "ScatterElements")
def scatter_elements(call: Call, x: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
    """x with elements replaced (or combined), each line along the axis at its own indices."""
    axis = call.axis(x.ndim)
    positions = []
    for i, n in enumerate(indices.shape):
        line = [1] * x.ndim
        line[i] = n
        positions.append(from_front(indices, x.shape[axis]) if i == axis else f.broadcast_to(f.arange(n).reshape(line), indices.shape))
    flat = flat_positions(f.stack([position.astype("int64") for position in positions], axis=-1), x.shape)
    return scatter(call, x.reshape((-1, 1)), flat.reshape(-1), updates.reshape((-1, 1))).reshape(x.shape)


@operator("ScatterND")
def scatter_nd(call: Call, x: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
    depth = indices.shape[-1]
    rest = x.shape[depth:]
    width = math.prod(rest)
    flat = flat_positions(indices, x.shape[:depth]).reshape(-1)
    rows = x.reshape((math.prod(x.shape[:depth]), width))
    return scatter(call, rows, flat, updates.reshape((flat.shape[0], width))).reshape(x.shape)


def scatter(call: Call, rows: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
    """rows (n, width) with updates (m, width) at indices (m,): replaced, added, multiplied, or the larger or smaller taken."""
    kind = call["reduction"] or "none"
    if kind == "add":
        return rows + add_rows(indices, updates, rows.shape[0])
    if kind == "none":
        hit = add_rows(indices, f.ones((indices.shape[0], 1), "int64"), rows.shape[0]) > 0
        return f.where(hit, add_rows(indices, updates.astype("int64"), rows.shape[0]).astype(rows.dtype)
                       if rows.dtype.kind == "b" else add_rows(indices, updates, rows.shape[0]), rows)
    return combined(call, kind, rows, indices, updates)


def add_rows(indices: Tensor, updates: Tensor, size: int) -> Tensor:
    """Zeros (size, width) with rows added at indices."""
    return perform("scatter_add", (indices, updates), {"axis": 0, "size": size})


def combined(call: Call, kind: str, rows: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
    """All updates of one row together: every pair of row and update is looked at."""
    here = (f.arange(rows.shape[0])[:, None] == indices[None, :])[:, :, None]  # (n, m, 1)
    if kind == "mul":
        return rows * f.prod(f.where(here, updates[None], asarray(np.ones((), rows.dtype))), axis=1).astype(rows.dtype)
    if kind in ("max", "min"):
        best, other = (f.max, f.maximum) if kind == "max" else (f.min, f.minimum)
        every = f.where(here, updates[None], rows[:, None])
        return other(rows, best(every, axis=1)) if indices.shape[0] else rows
    raise call.unsupported(f"reduction {kind!r}")


@operator("TensorScatter")
def tensor_scatter(call: Call, past: Tensor, update: Tensor, start: Tensor | None = None) -> Tensor:
    """A cache with new entries from an index on, for each element of the batch: with mode circular, past the end they go to the front."""
    axis, size = call.axis(past.ndim), past.shape[call["axis"]]
    begin = asarray(np.zeros(past.shape[0], np.int64)) if start is None else start.astype("int64")
    line = [1] * past.ndim
    line[axis] = size
    offset = f.arange(size).reshape(line) - begin.reshape((-1, *[1] * (past.ndim - 1)))  # of each position, from the first new one
    if call["mode"] == "circular":
        offset = f.remainder(offset, size)
    steps = update.shape[axis]
    new = (offset >= 0) & (offset < steps)
    shape = [n if i == axis else m for i, (n, m) in enumerate(zip(past.shape, update.shape))]
    index = f.broadcast_to(f.clip(offset, 0, steps - 1), shape)
    return f.where(new, f.take_along_axis(update, index, axis=axis), past)


# One-hot, sorting, sizes that depend on values


@operator("OneHot", known=(1,), statistics=(2,))
def one_hot(call: Call, indices: Tensor, depth: np.ndarray, values: Tensor) -> Tensor:
    """values[1] at the index, values[0] elsewhere, along a new axis; an index outside hits nothing."""
    size, rank = int(depth.item()), indices.ndim + 1
    axis = call.axis(rank)
    whole = f.expand_dims(indices.astype("int64"), axis=axis)
    line = [1] * rank
    line[axis] = size
    return f.where(f.arange(size).reshape(line) == from_front(whole, size), values[1], values[0])


@operator("TopK", known=(1,))
def top_k(call: Call, x: Tensor, k: np.ndarray | None = None) -> tuple[Tensor, ...]:
    count = call["k"] if k is None else int(k.item())
    return f.top_k(x, count, axis=call["axis"], largest=call["largest"] != 0)


@operator("NonZero", known=(0,))
def nonzero(call: Call, x: np.ndarray) -> Tensor:
    return asarray(np.array(np.nonzero(np.atleast_1d(x)), np.int64))


@operator("Compress", known=(1,))
def compress(call: Call, x: Tensor, condition: np.ndarray) -> Tensor:
    x, axis = (x.reshape(-1), 0) if call["axis"] is None else (x, call.axis(x.ndim))
    return f.take(x, np.flatnonzero(condition[:x.shape[axis]]), axis=axis)


@operator("Unique", known=(0,))
def unique(call: Call, x: np.ndarray) -> tuple[Tensor, ...]:
    """Distinct elements (or slices along an axis), ascending or in the order of their first occurrence."""
    axis = call["axis"]
    values, first, inverse, counts = np.unique(x, return_index=True, return_inverse=True, return_counts=True, axis=axis)
    inverse, along = inverse.reshape(-1), 0 if axis is None else axis
    if not call["sorted"]:
        order = np.argsort(first)
        values, first, counts = np.take(values, order, axis=along), first[order], counts[order]
        inverse = np.argsort(order)[inverse]
    return tuple(map(asarray, (values, first.astype(np.int64), inverse.astype(np.int64), counts.astype(np.int64))))


@operator("ReverseSequence")
def reverse_sequence(call: Call, x: Tensor, lengths: Tensor) -> Tensor:
    """The first elements of each sequence, as many as its length, in reverse order."""
    time, batch = call["time_axis"], call["batch_axis"]
    steps = x.shape[time]
    position = f.arange(steps).reshape([steps if i == time else 1 for i in range(x.ndim)])
    ends = lengths.reshape([x.shape[batch] if i == batch else 1 for i in range(x.ndim)])
    index = f.where(position < ends, ends - 1 - position, position)
    return f.take_along_axis(x, f.broadcast_to(index, x.shape), axis=time)


@operator("BitCast", raw=True)
def bit_cast(call: Call, x: np.ndarray | Tensor) -> np.ndarray:
    """The same bits as another type: where the value is known."""
    if call["to"] not in CODES.values():
        raise call.unsupported(f"a cast to {name_of(call['to'])}")
    known = call.required(0, x)
    return np.ascontiguousarray(known).view(DTYPES[call["to"]]).reshape(known.shape)

