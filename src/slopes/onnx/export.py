"""save_onnx: a network as an ONNX model, for runtimes that run networks without Python, or other libraries that read them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import tree
from ..capture import Captured, argument_paths, capture_call
from ..errors import ArgumentError, DTypeError, SlopesError
from ..graph.dtype import NATIVE
from ..graph.node import Node
from ..modes import as_a_whole, enable_grad
from ..nn.module import Module
from ..tensor import Tensor
from ..trace_call import TensorSpec
from ..train.mode import Mode
from .export_graph import Signature, translate
from .export_model import onnx, write_model
from .export_sizes import BakedIn, SizeTable, batch_sizes
from .export_values import Subgraph

Axes = Mapping[int, int]  # the axis of the batch, by leaf among all arguments


def save_onnx(net: Module, path: str | os.PathLike[str], *examples: Any, kwargs: Mapping[str, Any] | None = None,
              inputs: Sequence[str] | None = None, outputs: Sequence[str] | None = None,
              dynamic: bool | Mapping[str, int] = True) -> None:
    """Write a network, as it computes in eval mode, to an ONNX file.

    net: a Module; examples: what it is called with, arrays or tensors (or lists, tuples and dicts of them), of which only shape and
    dtype count; integers such as tokens stay integers. kwargs: the arguments that it is called with by name, such as {"mask": mask}.
    The first axis of the first example is the batch: the model takes any batch, as do all other arguments whose first axis is as long.
    dynamic=False fixes all sizes to those of the examples; dynamic={"x": 0, "state": 1} names the inputs, and the axis of each that is
    the batch. inputs, outputs: names instead of those of forward's arguments, and of `output`, `output[0]`, ...

    Known layers and functions become the ONNX operators of the same meaning (Conv, Gemm, LSTM, LayerNormalization, Gelu, ...), all else
    the operators that compute it. Weights are initializers with the names of `state_dict`; other floats are constants. The file has opset
    20 and is the same, byte for byte, for the same network; it is replaced as a whole or not at all. Weights of more than 2 GiB are in a
    second file beside it, PATH.data. Needs `pip install 'slopes[onnx]'`.

    Raises ArgumentError for what is no Module, for an operation without an ONNX form (named, with all others), for random numbers in
    eval mode, and for a network that does something else for each batch; DTypeError for complex numbers; SaveError where the file
    cannot be written; and what the net raises for examples of a wrong shape.
    Source: the ONNX specification, onnx.ai.

    >>> import numpy as np, slopes as sl
    >>> from slopes import nn
    >>> net = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    >>> sl.save_onnx(net, "net.onnx", np.zeros((1, 4), np.float32))
    >>> import onnx
    >>> [node.op_type for node in onnx.load("net.onnx").graph.node]
    ['Gemm', 'Relu']
    """
    if not isinstance(net, Module):
        raise ArgumentError(f"save_onnx: net is {type(net).__name__}, not a Module", why="a model holds the weights of layers",
                            repair="put the function into the forward method of a class of nn.Module")
    onnx()
    call = ExampleCall.of(net, examples, kwargs or {})
    graph = export_graph(net, call, batch_axes(call, dynamic), inputs, outputs)
    write_model(Path(path), graph, type(net).__name__)


@dataclass(frozen=True)
class ExampleCall:
    """The leaves of the arguments of a call, their structure, and what forward calls them."""

    leaves: list[Any]
    structure: tree.Structure
    paths: list[str]

    @classmethod
    def of(cls, net: Module, examples: Sequence[Any], kwargs: Mapping[str, Any]) -> ExampleCall:
        leaves, structure = tree.flatten((tuple(examples), dict(kwargs)))
        for leaf in leaves:
            check_example(leaf)
        if not any(isinstance(leaf, (Tensor, np.ndarray)) for leaf in leaves):
            raise ArgumentError("save_onnx: there is no example", why="the shapes of a model's values follow from those of its inputs",
                                repair='pass what the net is called with: sl.save_onnx(net, "net.onnx", x)')
        return cls(leaves, structure, [path.replace(" ", "_") for path in argument_paths(net, len(leaves), structure)])

    @property
    def inputs(self) -> list[int]:
        """The leaves that are inputs of the model."""
        return [i for i, leaf in enumerate(self.leaves) if isinstance(leaf, (Tensor, np.ndarray))]

    def specs(self, axes: Axes, batch: int) -> list[Any]:
        """The leaves as specs, for this batch."""
        return [leaf if i not in self.inputs else TensorSpec(
            tuple(batch if axes.get(i) == axis else n for axis, n in enumerate(leaf.shape)), leaf.dtype, False, self.paths[i])
            for i, leaf in enumerate(self.leaves)]


def check_example(leaf: Any) -> None:
    """DTypeError for an array of a type that no ONNX model of slopes takes."""
    if isinstance(leaf, (Tensor, np.ndarray)) and leaf.dtype.newbyteorder("=") not in NATIVE:
        raise DTypeError(f"save_onnx: an example of type {leaf.dtype}", why="a model takes floats, integers and truth values",
                         repair="cast it: x.astype(np.float32)")


def batch_axes(call: ExampleCall, dynamic: bool | Mapping[str, int]) -> Axes:
    """The axis of the batch of each input that has one."""
    shapes = {i: tuple(call.leaves[i].shape) for i in call.inputs}
    if isinstance(dynamic, bool):
        first = next(iter(shapes.values()))
        return {i: 0 for i, shape in shapes.items() if shape[:1] == first[:1] and first} if dynamic else {}
    index = {path: i for i, path in enumerate(call.paths) if i in shapes}
    for name, axis in dynamic.items():
        if name not in index or not (isinstance(axis, int) and -len(shapes[index[name]]) <= axis < len(shapes[index[name]])):
            raise ArgumentError(f"save_onnx: dynamic names axis {axis!r} of {name!r}",
                                why="it names inputs, and the axis of each that is the batch",
                                repair=f"the inputs are {', '.join(f'{path} {shapes[i]}' for path, i in index.items())}")
    return {index[name]: axis % len(shapes[index[name]]) for name, axis in dynamic.items()}


# ---------------------------------------------------------------------- tracing
def export_graph(net: Module, call: ExampleCall, axes: Axes, inputs: Sequence[str] | None, outputs: Sequence[str] | None) -> Subgraph:
    """The network as a graph of ONNX operators."""
    taken = {n for i in call.inputs for n in call.leaves[i].shape} | {n for _, tensor in net.named_state() for n in tensor.shape}
    with Mode(net, training=False, quiet=True), as_a_whole(), enable_grad():  # no_grad would mark values that nothing follows
        captured, sizes = for_any_batch(net, call, axes, batch_sizes(taken)) if axes else for_this_batch(net, call)
        check_state(captured)
        first = next(iter(axes.items()), None)
        return translate(net, captured, sizes, Signature(call.paths, first, inputs, outputs))


def for_this_batch(net: Module, call: ExampleCall) -> tuple[Captured, SizeTable]:
    """The network traced for the examples; all sizes are theirs."""
    captured = capture_call(net, call.leaves, call.structure, compiled=False)
    return captured, SizeTable([roots_of(captured)], (0,))


def for_any_batch(net: Module, call: ExampleCall, axes: Axes, tries: Iterable[tuple[int, ...]]) -> tuple[Captured, SizeTable]:
    """The network traced for a batch, and which of its sizes depend on it: those that differ for other batches."""
    why = ""
    for batches in tries:
        try:
            captures = [capture_call(net, call.specs(axes, batch), call.structure, compiled=False) for batch in batches]
            return captures[0], SizeTable([roots_of(captured) for captured in captures], batches)
        except BakedIn as error:
            why = why or str(error)
        except SlopesError as error:
            for_this_batch(net, call)  # raises what is wrong with the examples themselves
            raise batch_error(f"for a batch of another size: {error.what}") from error
    raise batch_error(why)


def roots_of(captured: Captured) -> list[Node]:
    """All that two traces of a function are compared by."""
    return [*(value.node for value in (*captured.inputs, *captured.state)), *captured.roots]


def batch_error(why: str) -> ArgumentError:
    return ArgumentError("save_onnx: the network computes something else for each batch, not only for more examples", why=why,
                         repair='pass dynamic=False for a model of the examples\' sizes, or name the axis of the batch: dynamic={"x": 0}')


def check_state(captured: Captured) -> None:
    """Refuse a network that changes its state when it is used, as one does that draws random numbers."""
    if captured.updates:
        names = ", ".join(value.path for value in captured.updates)
        raise ArgumentError(f"save_onnx: in eval mode the network still assigns {names}",
                            why="a model of ONNX is a pure function: it draws no random numbers and keeps nothing between calls",
                            repair="do so only where self.training is true; return new states as outputs")
