"""A captured function for a picture: its graph, the gradients of its result, and what the user calls each value."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import numpy as np

from ..arrays import shorten
from ..autodiff.pullback import active_nodes, pull_back
from ..capture import Captured, capture_call, regions_of
from ..compile import Compiled
from ..errors import ArgumentError, GradientError
from ..graph.build import variable
from ..graph.dtype import is_inexact
from ..graph.node import Node
from ..graph.scopes import Region
from ..graph.walk import topological
from ..ops.elementwise import StopGradient
from ..tensor import Tensor, asarray
from ..tree import flatten, unflatten


@dataclass
class Recording:
    """What pictures show of a captured function: its outputs, names and roles of nodes, gradients, and the region of each node."""

    outputs: list[Node]
    names: dict[Node, str] = field(default_factory=dict)
    roles: dict[Node, str] = field(default_factory=dict)  # input, parameter, state, output, seed
    gradients: dict[str, Node] = field(default_factory=dict)
    regions: dict[Node, Region] = field(default_factory=dict)
    descriptions: dict[str, str] = field(default_factory=dict)  # layer path -> the layer as text
    values: dict[Node, np.ndarray] = field(default_factory=dict)  # of the inputs, parameters and state
    seed: Node | None = None
    adjoint: dict[Node, Node] = field(default_factory=dict)  # the gradient of the output with respect to every node


def record(f: Any, examples: Sequence[Any], named: Mapping[str, Any], backward: bool | None, dtype: Any = None) -> Recording:
    """Capture `f(*examples, **named)`. Numbers among the examples become 0-d inputs, numbers given by keyword stay numbers."""
    f = f.function if isinstance(f, Compiled) else f
    if not callable(f):
        raise ArgumentError(f"{shorten(f)} of type {type(f).__name__} is no function", why="a graph is recorded while a function runs",
                            repair="give a function or a module first, then examples of its arguments: sl.graph(f, x)")
    leaves, structure = flatten((tuple(examples), dict(sorted(named.items()))))
    positional = len(flatten(tuple(examples))[0])
    inputs = [input_tensor(leaf, dtype, keyword=i >= positional) for i, leaf in enumerate(leaves)]
    local_names: dict[str, Tensor] = {}
    with watching(f, local_names):
        captured = capture_call(f, inputs, structure, programmable=False)
    recording = Recording(output_nodes(captured))
    recording.values = {value.node: np.asarray(inputs[value.leaf].detach()) for value in captured.inputs}
    name_values(recording, f, captured, local_names)
    if wants_backward(backward, recording, captured):
        add_backward(recording, differentiated(captured, inputs, forced=backward is True))
    recording.regions = regions_of([*recording.outputs, *recording.adjoint.values()])
    recording.descriptions = {path: f"{path}  {layer.describe()}" for path, layer in captured.layers.items()}
    return recording


def input_tensor(leaf: Any, dtype: Any, keyword: bool) -> Any:
    """The tensor of an argument that is an input; anything else unchanged."""
    if isinstance(leaf, (Tensor, np.ndarray)):
        return asarray(leaf)
    return asarray(leaf, dtype) if is_number(leaf) and not keyword else leaf


def is_number(value: object) -> bool:
    return isinstance(value, (int, float, np.generic)) and not isinstance(value, bool)


def code_owner(f: Any) -> Any:
    """The Python function whose local names are the user's: a module's forward, a wrapped function's inside."""
    return inspect.unwrap(getattr(f, "forward", f))


@contextmanager
def watching(f: Any, local_names: dict[str, Tensor]) -> Iterator[None]:
    """Note the tensors among the local variables of `f` when it returns: the names that its author gave them."""
    code = getattr(code_owner(f), "__code__", None)

    def see(frame: FrameType, event: str, argument: object) -> None:
        if event == "return" and frame.f_code is code:
            local_names.update({name: value for name, value in frame.f_locals.items() if isinstance(value, Tensor)})
    before: Callable[..., Any] | None = sys.getprofile()
    sys.setprofile(see)
    try:
        yield
    finally:
        sys.setprofile(before)


def output_nodes(captured: Captured) -> list[Node]:
    """The nodes of the tensors in the result, and of what is written to state."""
    nodes = [value.node for value in captured.outputs] + [written(value.node) for value in captured.updates]
    if not nodes:
        result = unflatten(captured.returns, captured.results)
        raise ArgumentError(f"graph: the function returned {result!r:.80}, which holds no tensor",
                            repair="return the tensors whose computation is to be shown")
    return list(dict.fromkeys(nodes))


def written(node: Node) -> Node:
    """What is written to a state tensor, before gradients are stopped there."""
    return node.args[0] if node.op is StopGradient else node


# Names and roles

def name_values(recording: Recording, f: Any, captured: Captured, local_names: Mapping[str, Tensor]) -> None:
    """Inputs by parameter name, parameters and state by path, intermediate values by local variable."""
    names, roles = recording.names, recording.roles
    for value in captured.state:
        assert value.tensor is not None
        names[value.node], roles[value.node] = value.path, "parameter" if value.tensor.requires_grad else "state"
        recording.values[value.node] = np.asarray(value.tensor._value)
    for value in captured.inputs:
        names[value.node], roles[value.node] = value.path, "input"
    for name, tensor in local_names.items():
        if tensor._node is not None and not name.startswith("_"):
            names.setdefault(tensor._node, name)
    for value in captured.updates:
        names.setdefault(written(value.node), f"new {value.path}")
    for node in recording.outputs:
        roles.setdefault(node, "output")
    if len(recording.outputs) == 1:
        names.setdefault(recording.outputs[0], title_of_function(f))


def title_of_function(f: Any) -> str:
    """What the function is called; a lambda, which has no name, is f."""
    f = f.function if isinstance(f, Compiled) else f
    name = getattr(f, "__name__", type(f).__name__)
    return name if name.isidentifier() else "f"


# The backward pass

def wants_backward(asked: bool | None, recording: Recording, captured: Captured) -> bool:
    if asked is not None:
        return asked
    outputs = recording.outputs
    one = len(outputs) == 1 and outputs[0].size == 1 and is_inexact(outputs[0].dtype)
    return one and not (captured.gradient_owners or captured.gradients or captured.updates)


def differentiated(captured: Captured, inputs: Sequence[Any], forced: bool) -> list[Node]:
    """What to differentiate for: inputs that require a gradient, and parameters; all float inputs if there are none."""
    nodes = [value.node for value in captured.inputs if inputs[value.leaf].requires_grad]
    nodes += [value.node for value in captured.state if value.tensor is not None and value.tensor.requires_grad]
    if not nodes and forced:
        nodes = [value.node for value in captured.inputs if is_inexact(value.node.dtype)]
    return nodes


def add_backward(recording: Recording, wrt: Sequence[Node]) -> None:
    """Pull the gradient of the first output back to every node on the way."""
    output = recording.outputs[0]
    if not is_inexact(output.dtype):
        raise GradientError(f"graph: an output of type {output.dtype} has no gradient", repair="ask for backward=False")
    order = topological([output])
    carrying = active_nodes(order, set(wrt))
    active = [node for node in order if node in carrying]
    name = recording.names.get(output, "output")
    seed = recording.seed = variable(output.shape, output.dtype, "seed")
    recording.names[seed], recording.roles[seed] = f"∂/∂{name} = 1", "seed"
    recording.values[seed] = np.ones(output.shape, output.dtype)
    pulled = pull_back([output], [seed], active)
    recording.adjoint = {node: gradient for node, gradient in zip(active, pulled) if gradient is not None}
    recording.gradients = {recording.names.get(node, "input"): recording.adjoint[node] for node in wrt if node in recording.adjoint}
