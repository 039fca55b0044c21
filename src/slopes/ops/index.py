"""Indexing by values: elements chosen by integers, added back by integers, and put in order."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from ..errors import DTypeError, OutOfRangeError, ShapeError
from ..graph.build import build
from ..graph.dtype import bool_, in_namespace, int64, is_complex, is_integer
from ..graph.node import Node, Operation
from ..graph.shape import Shape, check_dimensions
from .move import added, move_axis, with_batch, without
from .samples import real, whole


class Index(Operation, abstract=True):
    """An operation in which the position of an element is a value of the graph."""

    kind = "index"

    def trap_error(node, where):
        return range_error(node, where)


def check_indices(name: str, indices: Node, axis: int, rank: int) -> None:
    """Indices are integers, the axis exists."""
    if not is_integer(indices.dtype):
        raise DTypeError(f"{name}: indices of type {indices.dtype} cannot choose elements", why="indices are whole numbers",
                         repair="cast them: indices.astype(slopes.int64)")
    if not 0 <= axis < rank:
        raise ShapeError(f"{name}: axis {axis} does not exist in a tensor of {rank} axes")


def check_range(name: str, indices: np.ndarray, axis: int, size: int) -> None:
    """All indices are inside the axis."""
    if not indices.size:
        return
    if indices.dtype == int64 and np.maximum.reduce(indices.view(np.uint64), axis=None) < size:  # negative numbers become huge
        return
    low, high = indices.min(), indices.max()
    if low < 0 or high >= size:
        inside = f"indices run from 0 to {size - 1}" if size else "the axis is empty: it has no elements to choose"
        raise OutOfRangeError(f"{name}: index {low if low < 0 else high} is outside axis {axis} of size {size}",
                              why=inside, repair="clip the indices, or look where they are made" if size else "")


def outside(xp: Any, indices: Any, size: int) -> Any:
    """Whether an index is not one of 0 .. size - 1."""
    return xp.any((indices < 0) | (indices >= size))


def range_error(node: Node, where: str) -> OutOfRangeError:
    """What compiled code reports, which does not say the index."""
    axis = node.params["axis"]
    size = node.params["size"] if "size" in node.params else node.args[0].shape[axis]
    return OutOfRangeError(f"{node.op.name}: an index is outside axis {axis} of size {size}",
                           why=f"indices run from 0 to {size - 1}", repair="look where the indices (or labels) are made, or clip them",
                           where=where)


class Iota(Index):
    """0, 1, ..., size - 1."""

    def meaning(xp, size, dtype):
        return xp.arange(size, dtype=in_namespace(xp, dtype))

    def rule(size, dtype):
        if dtype.kind == "b" or is_complex(dtype):
            raise DTypeError(f"iota: {dtype} has no counting numbers", repair="take an integer or float type")
        return check_dimensions((size,), "iota"), dtype

    def pullback(g, y, size, dtype):
        return ()

    def lower(read, index, node):
        return read.index_value(index[0], node.dtype)

    @staticmethod
    def samples():
        yield [], {"size": 7, "dtype": int64}
        yield [], {"size": 1, "dtype": np.dtype("float32")}
        yield [], {"size": 0, "dtype": np.dtype("int32")}
        yield [], {"size": 300, "dtype": np.dtype("uint32")}


class Take(Index):
    """The elements of an axis that are named by `indices` (of any shape, which replaces the axis): a gather, a table look-up."""

    def meaning(xp, x, indices, axis):
        chosen = xp.take(x, xp.reshape(indices, (-1,)), axis=axis)
        return xp.reshape(chosen, x.shape[:axis] + indices.shape + x.shape[axis + 1:])

    def compute(x, indices, axis):
        check_range("take", indices, axis, x.shape[axis])
        return np.take(x, indices, axis=axis)

    def invalid(xp, x, indices, axis):
        return outside(xp, indices, x.shape[axis])

    def xla(x, array, indices, axis):
        return x.np.take(array, indices, axis=axis, mode="clip")

    def rule(x, indices, axis):
        check_indices("take", indices, axis, x.ndim)
        return x.shape[:axis] + indices.shape + x.shape[axis + 1:], x.dtype

    def pullback(g, y, x, indices, axis):
        return build("scatter_add", indices, g, axis=axis, size=x.shape[axis]), None

    def batch(nodes, batched, axis):
        x, indices = nodes
        if not batched[1]:
            return build("take", x, indices, axis=axis + 1)
        if not batched[0]:
            return move_axis(build("take", x, indices, axis=axis), axis, 0)
        chosen = build("take_along_axis", x, along(indices, x.shape, axis + 1), axis=axis + 1)
        return build("reshape", chosen, shape=x.shape[:axis + 1] + indices.shape[1:] + x.shape[axis + 2:])

    def lower(read, index, node):
        x, indices = node.args
        axis, end = node.params["axis"], node.params["axis"] + indices.ndim
        chosen = read.dynamic(read(indices, index[axis:end]), x.shape[axis], node)
        return read(x, (*index[:axis], chosen, *index[end:]))

    def shows_argument(node):
        return node.size > node.args[0].size

    @staticmethod
    def samples():
        yield [real(5, 3), whole(4, below=5)], {"axis": 0}
        yield [real(2, 7, 3), whole(2, 3, below=7)], {"axis": 1}
        yield [real(4), whole(below=4)], {"axis": 0}
        yield [real(3, 1), whole(5, below=1)], {"axis": 1}
        yield [real(3, 4), whole(0, below=4)], {"axis": 1}


def along(indices: Node, shape: Shape, axis: int) -> Node:
    """Batched indices (batch, ...) flattened onto one axis and repeated over all other axes of `shape` (batch, ...)."""
    n, many = indices.shape[0], prod(indices.shape[1:])
    line = tuple({0: n, axis: many}.get(i, 1) for i in range(len(shape)))
    return build("expand", build("reshape", indices, shape=line), shape=(*shape[:axis], many, *shape[axis + 1:]))


class ScatterAdd(Index):
    """Updates added to zeros at the positions named by `indices`: the adjoint of take."""

    kernel = "scatter"
    inline_limit = -1  # both arguments are in memory, whatever they cost

    def meaning(xp, indices, updates, axis, size):
        lead, rest = updates.shape[:axis], updates.shape[axis + indices.ndim:]
        many = prod(indices.shape)
        line = xp.reshape(indices, (*(1,) * axis, many, *(1,) * len(rest)))
        return add_along(xp, line, xp.reshape(updates, (*lead, many, *rest)), axis, size)

    def compute(indices, updates, axis, size):
        check_range("scatter_add", indices, axis, size)
        shape = updates.shape[:axis] + (size,) + updates.shape[axis + indices.ndim:]
        return add_at(shape, updates, (slice(None),) * axis + (indices,))

    def invalid(xp, indices, updates, axis, size):
        return outside(xp, indices, size)

    def xla(x, indices, updates, axis, size):
        shape = updates.shape[:axis] + (size,) + updates.shape[axis + indices.ndim:]
        return xla_add_at(x, shape, updates, (slice(None),) * axis + (indices,))

    def rule(indices, updates, axis, size):
        check_indices("scatter_add", indices, axis, updates.ndim - indices.ndim + 1)
        if updates.shape[axis:axis + indices.ndim] != indices.shape:
            raise ShapeError(f"scatter_add: updates of shape {updates.shape} do not hold the axes {indices.shape} of the indices",
                             why=f"each index takes one update, from axis {axis} on")
        (size,) = check_dimensions((size,), "scatter_add")
        return (*updates.shape[:axis], size, *updates.shape[axis + indices.ndim:]), updates.dtype

    def pullback(g, y, indices, updates, axis, size):
        return None, build("take", g, indices, axis=axis)

    def batch(nodes, batched, axis, size):
        if not batched[0]:
            return build("scatter_add", *nodes, axis=axis + 1, size=size)
        indices, updates = with_batch(nodes, batched)
        rest = updates.shape[axis + indices.ndim:]
        flat = build("reshape", updates, shape=(*updates.shape[:axis + 1], prod(indices.shape[1:]), *rest))
        return build("put_along_axis", along(indices, flat.shape, axis + 1), flat, axis=axis + 1, size=size)

    @staticmethod
    def samples():
        yield [whole(4, below=5), real(4, 3)], {"axis": 0, "size": 5}
        yield [whole(2, 3, below=4), real(2, 2, 3, 3)], {"axis": 1, "size": 4}
        yield [whole(below=4), real()], {"axis": 0, "size": 4}
        yield [whole(5, below=1), real(3, 5)], {"axis": 1, "size": 1}
        yield [whole(0, below=4), real(3, 0)], {"axis": 1, "size": 4}


def add_at(shape: Shape, updates: np.ndarray, index: tuple) -> np.ndarray:
    """Zeros with the updates added at an index, which may name an element twice."""
    zeros = np.zeros(shape, dtype=updates.dtype)
    np.add.at(zeros, index, updates)
    return zeros


def xla_add_at(x: Any, shape: Shape, updates: Any, index: tuple) -> Any:
    """The same as a scatter of XLA, which has no sum of truth values: true where one of them is."""
    target = x.np.zeros(shape, updates.dtype).at[index]
    return (target.max if updates.dtype == bool_ else target.add)(updates, mode="drop")


def add_along(xp: Any, indices: Any, updates: Any, axis: int, size: int) -> Any:
    """Zeros with updates added, one after the other, where an index along the axis names an element; indices broadcast to the updates."""
    lead, rest = updates.shape[:axis], updates.shape[axis + 1:]
    positions = xp.reshape(xp.arange(size, dtype=indices.dtype), (*(1,) * axis, size, *(1,) * len(rest)))
    zero = total = xp.zeros((*lead, size, *rest), dtype=updates.dtype)
    for i in range(updates.shape[axis]):
        one = (*(slice(None),) * axis, slice(i, i + 1), ...)
        total = added(xp, total, xp.where(positions == indices[one], updates[one], zero))
    return total


class TakeAlongAxis(Index):
    """result[..., i, ...] = x[..., indices[..., i, ...], ...]: each line along the axis chooses for itself."""

    def meaning(xp, x, indices, axis):
        return xp.take_along_axis(x, indices, axis=axis)

    def compute(x, indices, axis):
        check_range("take_along_axis", indices, axis, x.shape[axis])
        return x[line_index(indices, axis)]

    def invalid(xp, x, indices, axis):
        return outside(xp, indices, x.shape[axis])

    def xla(x, array, indices, axis):
        return x.np.take_along_axis(array, indices, axis=axis, mode="clip")

    def rule(x, indices, axis):
        check_indices("take_along_axis", indices, axis, x.ndim)
        check_lines("take_along_axis", x, indices, axis)
        return indices.shape, x.dtype

    def pullback(g, y, x, indices, axis):
        one = indices.shape[axis] == 1
        return build("place_along_axis" if one else "put_along_axis", indices, g, axis=axis, size=x.shape[axis]), None

    def batch(nodes, batched, axis):
        return build("take_along_axis", *with_batch(nodes, batched), axis=axis + 1)

    def lower(read, index, node):
        (x, indices), axis = node.args, node.params["axis"]
        chosen = read.dynamic(read(indices, index), x.shape[axis], node)
        return read(x, (*index[:axis], chosen, *index[axis + 1:]))

    @staticmethod
    def samples():
        yield [real(5, 3), whole(2, 3, below=5)], {"axis": 0}
        yield [real(2, 4, 3), whole(2, 7, 3, below=4)], {"axis": 1}
        yield [real(4, 1), whole(4, 1, below=1)], {"axis": 1}
        yield [real(3, 4), whole(3, 0, below=4)], {"axis": 1}


def line_index(indices: Any, axis: int) -> tuple:
    """An index of all axes: `indices` along one of them, the position itself along the others."""
    index = list(grid(indices.shape))
    index[axis] = indices
    return tuple(index)


@lru_cache(maxsize=256)
def grid(shape: Shape) -> tuple[np.ndarray, ...]:
    """0, 1, ... along each axis, in shapes that broadcast."""
    return np.ix_(*map(np.arange, shape))


def check_lines(name: str, x: Node, indices: Node, axis: int) -> None:
    """Indices and x agree on every axis but the chosen one."""
    if indices.ndim != x.ndim or without(x.shape, axis) != without(indices.shape, axis):
        raise ShapeError(f"{name}: x {x.shape} and indices {indices.shape} differ on an axis other than {axis}",
                         why=f"every line along axis {axis} has its own indices",
                         repair="to use the same indices everywhere, call take")


class PutAlongAxis(Index):
    """Updates added to zeros, each line along the axis at its own positions: the adjoint of take_along_axis."""

    kernel = "scatter"
    by_line = True
    inline_limit = -1  # both arguments are in memory, whatever they cost

    def meaning(xp, indices, updates, axis, size):
        return add_along(xp, indices, updates, axis, size)

    def compute(indices, updates, axis, size):
        check_range("put_along_axis", indices, axis, size)
        shape = (*indices.shape[:axis], size, *indices.shape[axis + 1:])
        if indices.shape[axis] != 1:
            return add_at(shape, updates, line_index(indices, axis))
        zeros = np.zeros(shape, updates.dtype)
        zeros[line_index(indices, axis)] = updates  # one for each line: no position comes twice
        return zeros

    def invalid(xp, indices, updates, axis, size):
        return outside(xp, indices, size)

    def xla(x, indices, updates, axis, size):
        shape = (*indices.shape[:axis], size, *indices.shape[axis + 1:])
        return xla_add_at(x, shape, updates, line_index(indices, axis))

    def rule(indices, updates, axis, size):
        check_indices("put_along_axis", indices, axis, updates.ndim)
        if updates.shape != indices.shape:
            raise ShapeError(f"put_along_axis: updates of shape {updates.shape} do not match indices of shape {indices.shape}",
                             why="each update goes to one position")
        return updates.shape[:axis] + check_dimensions((size,), "put_along_axis") + updates.shape[axis + 1:], updates.dtype

    def pullback(g, y, indices, updates, axis, size):
        return None, build("take_along_axis", g, indices, axis=axis)

    def batch(nodes, batched, axis, size):
        return build("put_along_axis", *with_batch(nodes, batched), axis=axis + 1, size=size)

    @staticmethod
    def samples():
        yield [whole(2, 3, below=5), real(2, 3)], {"axis": 0, "size": 5}
        yield [whole(2, 7, 3, below=4), real(2, 7, 3)], {"axis": 1, "size": 4}
        yield [whole(4, 1, below=1), real(4, 1)], {"axis": 1, "size": 1}
        yield [whole(3, 0, below=4), real(3, 0)], {"axis": 1, "size": 4}


class PlaceAlongAxis(Index):
    """Zeros but for one update on each line along the axis: what put_along_axis gives for a single index, element by element."""

    def meaning(xp, indices, updates, axis, size):
        return add_along(xp, indices, updates, axis, size)

    def compute(indices, updates, axis, size):
        return PutAlongAxis.compute(indices, updates, axis, size)

    def invalid(xp, indices, updates, axis, size):
        return outside(xp, indices, size)

    def xla(x, indices, updates, axis, size):
        return PutAlongAxis.xla(x, indices, updates, axis, size)

    def rule(indices, updates, axis, size):
        if indices.ndim > axis and indices.shape[axis] != 1:
            raise ShapeError(f"place_along_axis: indices of shape {indices.shape}", why=f"axis {axis} has one index for each line")
        return PutAlongAxis.rule(indices, updates, axis, size)

    def pullback(g, y, indices, updates, axis, size):
        return None, build("take_along_axis", g, indices, axis=axis)

    def batch(nodes, batched, axis, size):
        return build("place_along_axis", *with_batch(nodes, batched), axis=axis + 1, size=size)

    def lower(read, index, node):
        (indices, updates), axis = node.args, node.params["axis"]
        line = (*index[:axis], 0, *index[axis + 1:])
        chosen = read.dynamic(read(indices, line), node.params["size"], node)
        return read.select([(index[axis] - chosen, 0, 1)], read(updates, line), read.constant(0, node.dtype))

    @staticmethod
    def samples():
        yield [whole(1, 3, below=5), real(1, 3)], {"axis": 0, "size": 5}
        yield [whole(2, 1, 3, below=4), real(2, 1, 3)], {"axis": 1, "size": 4}
        yield [whole(4, 1, below=1), real(4, 1)], {"axis": 1, "size": 1}
        yield [whole(40, 1, below=33), real(40, 1)], {"axis": 1, "size": 33}


class Argsort(Operation):
    """The positions, as int64, that put an axis in rising (or falling) order; equals keep their order, NaN counts as largest."""

    kind = "order"
    kernel = "sort"
    inline_limit = -1  # each element is read many times

    @classmethod
    def make(cls, x: Node, *, axis: int, descending: bool = False) -> Node:  # type: ignore[override]
        return super().make(x, axis=axis, descending=bool(descending))

    def meaning(xp, x, axis, descending):
        if not descending:
            return xp.astype(xp.argsort(x, axis=axis, stable=True), xp.int64)
        backward = xp.astype(xp.argsort(xp.flip(x, axis=axis), axis=axis, stable=True), xp.int64)
        return x.shape[axis] - 1 - xp.flip(backward, axis=axis)

    def rule(x, axis, descending):
        if is_complex(x.dtype):
            raise DTypeError(f"argsort: {x.dtype} numbers have no order", repair="sort by their absolute values: abs(x)")
        if not 0 <= axis < x.ndim:
            raise ShapeError(f"argsort: axis {axis} does not exist in a tensor of shape {x.shape}")
        return x.shape, int64

    def pullback(g, y, x, axis, descending):
        return (None,)

    def batch(nodes, batched, axis, descending):
        return build("argsort", nodes[0], axis=axis + 1, descending=descending)

    @staticmethod
    def samples():
        yield [real(4, 5)], {"axis": 1, "descending": False}
        yield [real(5, 3, 2)], {"axis": 0, "descending": True}
        yield [real(1, 7)], {"axis": 0, "descending": True}
        yield [real(33)], {"axis": 0, "descending": False}
        yield [real(0, 3)], {"axis": 0, "descending": False}
