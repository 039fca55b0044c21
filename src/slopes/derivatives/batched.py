"""vmap: a function written for one example, applied to a whole batch at once."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from ..autodiff.batching import batch
from ..errors import ArgumentError, ShapeError, TraceError
from ..graph.build import build_node
from ..graph.node import Node
from ..graph.shape import normalize_axis
from ..graph.walk import substitute, topological
from ..guarded import check_function
from ..machine.reference import evaluate
from ..modes import mode
from ..tensor import Tensor, asarray, from_array
from ..trace import Trace
from ..trace_call import TensorSpec, trace_args
from ..tree import Structure, map_tree, named_leaves, unflatten
from .follow import Function, Outputs, finish, node_of


def vmap(f: Function, in_axes: int | Sequence[int | None] | None = 0, out_axes: int | Sequence[int] = 0) -> Function:
    """Vectorize `f`, a function of one example: the result applies it to a whole batch.

    `in_axes` is the batch axis of each argument (None: the same value for all examples; one integer applies to all arguments),
    `out_axes` that of each output. `f` runs once, on tensors without values: a branch on a value is a TraceError.
    Random numbers are therefore drawn once, and are the same for all examples (one dropout mask); a generator advances as for one
    call of `f`. For different numbers per example, draw a batch of them and pass it.
    Raises ShapeError when the batch axes differ in length.

    >>> import slopes as sl
    >>> sl.vmap(lambda x, w: (x * w).sum(), in_axes=(0, None))(sl.tensor([[1., 2.], [3., 4.]]), sl.tensor([1., 10.]))
    tensor([21., 43.])
    """
    check_function("vmap", f)

    @functools.wraps(f, updated=())
    def mapped(*args: Any, **kwargs: Any) -> Any:
        axes = argument_axes(args, in_axes)
        outer = Batched(args, axes)
        with trace_args(*outer.examples) as call:
            outputs = Outputs("vmap", f(*call.args, **kwargs))
        variables = [tensor._node_in(call.trace) for tensor in call.inputs]
        check_writes(call.trace, variables)
        nodes = batch(outputs.nodes, variables, outer.nodes)
        nodes = [from_front(node, axis) for node, axis in zip(nodes, output_axes(outputs.structure, out_axes))]
        return unflatten(outputs.structure, finish(settle(call.trace, nodes)))

    return mapped


def argument_axes(args: tuple, in_axes: int | Sequence[int | None] | None) -> list[int | None]:
    if in_axes is None or isinstance(in_axes, int):
        return [in_axes] * len(args)
    if len(in_axes) != len(args):
        raise ArgumentError(f"vmap: in_axes names {len(in_axes)} axes for {len(args)} arguments",
                            repair="pass one axis, or None, per positional argument")
    return list(in_axes)


def output_axes(structure: Structure, out_axes: int | Sequence[int]) -> list[int]:
    """The batch axis of each output leaf."""
    if isinstance(out_axes, int):
        return [out_axes] * structure.leaves
    if len(out_axes) != structure.leaves:
        raise ArgumentError(f"vmap: out_axes names {len(out_axes)} axes for {structure.leaves} outputs",
                            repair="give one axis for all, or one per output tensor")
    return list(out_axes)


class Batched:
    """The arguments of a batched call: nodes with the batch axis in front, and specs of a single example."""

    def __init__(self, args: tuple, axes: list[int | None]) -> None:
        self.args, self.axes = args, axes
        self.nodes: list[Node] = []
        self.specs: list[TensorSpec] = []
        lengths: dict[int, str] = {}
        for i, (arg, axis) in enumerate(zip(args, axes)):
            if axis is not None:
                for path, leaf in named_leaves(arg, f"argument {i}"):
                    self.add(path, asarray(leaf), axis, lengths)
        if not self.nodes:
            raise ArgumentError("vmap: no argument has a batch axis", repair="name one in in_axes=, such as in_axes=0")

    def add(self, path: str, tensor: Tensor, axis: int, lengths: dict[int, str]) -> None:
        """Add one batched leaf."""
        node = to_front(node_of(tensor), normalize_axis(axis, tensor.ndim, f"vmap, {path}"))
        lengths.setdefault(node.shape[0], path)
        if len(lengths) > 1:
            (first, where), (second, here) = lengths.items()
            raise ShapeError(f"vmap: {where} has {first} examples, {here} has {second}",
                             why="all batch axes are of one length", repair="name the batch axis of each argument in in_axes=")
        self.nodes.append(node)
        self.specs.append(TensorSpec(node.shape[1:], node.dtype, tensor._requires_grad))

    @property
    def examples(self) -> list[Any]:
        """The arguments for a single example: specs in place of what has a batch axis."""
        specs = iter(self.specs)
        return [arg if axis is None else map_tree(lambda leaf: next(specs), arg) for arg, axis in zip(self.args, self.axes)]


def check_writes(trace: Trace, variables: Sequence[Node]) -> None:
    """TraceError if the function of one example, which these variables stand for, assigns state a different value for each example."""
    if mode.trace is None and trace.grads:
        raise TraceError("vmap: the function calls backward()",
                         why="the batch has many gradients, a tensor's `.grad` holds one",
                         repair="take sl.grad of a function inside of vmap instead")
    if not set(variables).isdisjoint(topological(trace.writes.values())):
        raise TraceError("vmap: the function assigns a value that depends on the example to a tensor outside of it",
                         why="the batch has many values, the tensor holds one",
                         repair="return the value, and combine the batch of them")


def settle(trace: Trace, nodes: list[Node]) -> list[Node]:
    """In eager mode, substitute concrete tensors for their variables, and perform the assignments."""
    if mode.trace is not None:
        return nodes
    known = {read: tensor._leaf() for tensor, read in trace.reads.items()}
    settled = substitute([*nodes, *trace.writes.values()], known)
    arrays = evaluate(settled[len(nodes):])
    for tensor, array in zip(trace.writes, arrays):
        tensor.assign(from_array(array))
    return settled[:len(nodes)]


def to_front(node: Node, axis: int) -> Node:
    """Move one axis to the front."""
    return build_node("permute", (node,), {"axes": (axis, *(other for other in range(node.ndim) if other != axis))})


def from_front(node: Node, axis: int) -> Node:
    """Move the first axis to `axis`."""
    axes = list(range(1, node.ndim))
    axes.insert(normalize_axis(axis, node.ndim, "vmap, out_axes"), 0)
    return build_node("permute", (node,), {"axes": tuple(axes)})
