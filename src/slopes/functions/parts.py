"""in_parts: compute a function of rows for a few rows at a time, to save memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..autodiff.repeat import depending, outside
from ..errors import ArgumentError, ShapeError, TraceError
from ..graph.body import Body
from ..graph.build import build_node, variable
from ..graph.dtype import is_float
from ..graph.node import Node
from ..graph.walk import topological
from ..guarded import check_function
from ..modes import mode
from ..ops.checkpoint import checkpoint
from ..tensor import Tensor, asarray
from ..trace import Trace, current_trace
from ..tree import Structure, flatten, named_leaves, unflatten
from .loop import Aside, stable_body, stand_ins
from .manipulation import concat

__all__ = ["in_parts"]


def in_parts(function: Callable[[Any], Any], sequences: Any, size: int) -> Any:
    """function(sequences), computed for `size` elements of the first axis at a time, to limit the memory of intermediate results.

    `sequences` and the result are trees of tensors, all with a first axis of the same length n >= 1; row i of the result may depend on
    row i of the sequences only (and on other tensors that the function reads). In a compiled function this is one loop, and the
    derivative recomputes intermediate results part by part instead of storing them (gradient checkpointing): memory for one part,
    at the cost of a second computation. If n is not a multiple of `size`, the last part is shorter. In eager mode the parts are
    computed one after the other, and intermediate results are kept if a gradient is recorded.
    Raises ArgumentError for a size below 1, ShapeError for first axes that differ, TraceError for a function that assigns tensors
    (draws random numbers, keeps running means) or calls backward.
    Source: Chen et al., "Training deep nets with sublinear memory cost", 2016.

    >>> x = sl.arange(6.).reshape((3, 2))
    >>> sl.in_parts(lambda rows: (rows * rows).sum(axis=1), x, size=2)
    tensor([ 1., 13., 41.])
    """
    check_function("in_parts", function)
    leaves, structure = flatten(sequences)
    xs = [asarray(leaf) for leaf in leaves]
    total = row_count(sequences, xs)
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ArgumentError(f"in_parts: size is {size!r}", why="it is the number of rows to compute at a time", repair="pass at least 1")
    whole = total - total % size
    if total <= size or not (mode.in_parts or mode.trace is None):
        return call(function, structure, xs, total)
    run = eager if mode.trace is None else loop_in_graph
    results = run(function, structure, [x[:whole] for x in xs] if whole < total else xs, size)
    if whole < total:
        results.append(call(function, structure, [x[whole:] for x in xs], total - whole))
    flat = [flatten(result)[0] for result in results]
    return unflatten(flatten(results[0])[1], [concat(list(column)) if len(column) > 1 else column[0] for column in zip(*flat)])


def row_count(sequences: Any, xs: Sequence[Tensor]) -> int:
    """The common length of the first axes."""
    for path, leaf in named_leaves(sequences, "sequences"):
        if not asarray(leaf).ndim:
            raise ShapeError(f"in_parts: {path} is a single number", why="the first axis is split into parts",
                             repair="let the function read a value that is the same for all parts, instead of passing it")
    lengths = {x.shape[0] for x in xs}
    if len(lengths) != 1 or 0 in lengths:
        raise ShapeError(f"in_parts: sequences of shapes {', '.join(str(x.shape) for x in xs) or 'none'}",
                         why="their first axes must have the same length, at least 1")
    return lengths.pop()


def call(function: Callable[[Any], Any], structure: Structure, xs: Sequence[Tensor], rows: int) -> Any:
    """Call the function for these rows, and check the number of rows of the result."""
    result = function(unflatten(structure, list(xs)))
    for path, leaf in named_leaves(result, "result"):
        shape = asarray(leaf).shape
        if not shape or shape[0] != rows:
            raise ShapeError(f"in_parts: the function returned {path} of shape {shape} for {rows} rows",
                             why="the result has one row for each row of the sequences",
                             repair="return sums and means for each row, and add them up afterwards")
    return result


def eager(function: Callable[[Any], Any], structure: Structure, xs: Sequence[Tensor], size: int) -> list[Any]:
    """The results of all parts."""
    return [call(function, structure, [x[first:first + size] for x in xs], size) for first in range(0, xs[0].shape[0], size)]


# ---------------------------------------------------------------------- inside of a compiled function
def loop_in_graph(function: Callable[[Any], Any], structure: Structure, xs: Sequence[Tensor], size: int) -> list[Any]:
    """The results of all parts, computed by one loop of the graph: the function is recorded once."""
    trace = current_trace()
    assert trace is not None
    elements = [variable((size, *x.shape[1:]), x.dtype, "part") for x in xs]
    tensors, result_structure, nodes = record(trace, function, structure, elements, size)
    order = topological(nodes)
    fixed = outside(order, nodes, depending(order, elements))
    count = xs[0].shape[0] // size
    moving = [build_node("reshape", (x._node_in(trace),), {"shape": (count, *node.shape)}) for x, node in zip(xs, elements)]
    results = checkpoint(Body([*elements, *fixed], nodes), [*moving, *fixed], len(moving), count, 0)
    followed = mode.recording and any(tensor._requires_grad for tensor in (*xs, *tensors))
    rows = [build_node("reshape", (node,), {"shape": (count * size, *node.shape[2:])}) for node in results]
    return [unflatten(result_structure, [trace.tensor(row, followed and is_float(row.dtype)) for row in rows])]


def record(trace: Trace, function: Callable[[Any], Any], structure: Structure, elements: Sequence[Node],
           size: int) -> tuple[list[Tensor], Structure, list[Node]]:
    """The results of the function for one part: tensors, their structure, and their nodes."""
    with Aside(trace) as aside:
        leaves, result_structure = flatten(call(function, structure, stand_ins(trace, elements), size))
        tensors = [asarray(leaf) for leaf in leaves]
        if aside.called_backward or aside.assigned:
            what = "calls backward()" if aside.called_backward else "assigns a tensor"
            raise TraceError(f"in_parts: the function {what}",
                             why="the derivative computes it again, which must have the same effect",
                             repair="remove that, or use sl.scan, whose steps may assign tensors")
        return tensors, result_structure, stable_body([tensor._node_in(trace) for tensor in tensors], list(elements))
