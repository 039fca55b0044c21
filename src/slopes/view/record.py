"""Recording a function for a picture: its graph, the gradients of its result, and what the user calls each value."""

from __future__ import annotations

import inspect
import linecache
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import numpy as np

from ..arrays import shorten
from ..autodiff.pullback import active_nodes, pull_back
from ..compile import Compiled
from ..errors import ArgumentError, GradientError, Location
from ..graph.dtype import is_inexact
from ..graph.node import Node
from ..graph.operation import variable
from ..graph.walk import topological
from ..nn.module import Module, entries
from ..ops.elementwise import StopGradient
from ..optim.optimizer import Optimizer
from ..state_names import parameter_names
from ..tensor import Tensor, asarray
from ..trace import Trace, tracing
from ..tree import flatten, map_tree, named_leaves


@dataclass
class Recording:
    """A traced function: the nodes of its outputs and gradients, the user's names, and the layer that each node belongs to."""

    outputs: list[Node]
    names: dict[Node, str] = field(default_factory=dict)
    roles: dict[Node, str] = field(default_factory=dict)  # input, parameter, state, output, seed
    gradients: dict[str, Node] = field(default_factory=dict)
    layers: dict[Node, str] = field(default_factory=dict)
    calls: dict[Node, int] = field(default_factory=dict)  # of nodes of layers: the line of the traced function that called the layer
    lines: dict[Node, str] = field(default_factory=dict)  # of nodes outside of layers: the expression on the user's line
    describe: dict[str, str] = field(default_factory=dict)  # layer path -> what the layer says of itself
    values: dict[Node, np.ndarray] = field(default_factory=dict)  # of the inputs, parameters and state
    seed: Node | None = None
    adjoint: dict[Node, Node] = field(default_factory=dict)  # the gradient of the output with respect to every node


def record(f: Any, examples: Sequence[Any], named: Mapping[str, Any], backward: bool | None, dtype: Any = None) -> Recording:
    """Trace `f(*examples, **named)`. Numbers among the examples become 0-d inputs, numbers given by keyword stay numbers."""
    f = f.function if isinstance(f, Compiled) else f
    if not callable(f):
        raise ArgumentError(f"{shorten(f)} of type {type(f).__name__} is no function", why="a graph is recorded while a function runs",
                            repair="give a function or a module first, then examples of its arguments: sl.graph(f, x)")
    trace = Trace()
    locals_: dict[str, Tensor] = {}
    inputs = name_inputs(f, examples, named)
    leaves = {path: asarray(leaf, dtype if is_number(leaf) else None) for path, leaf in inputs.items()}
    with tracing(trace):
        traced = {path: trace.argument(leaf.shape, leaf.dtype, leaf.requires_grad, path) for path, leaf in leaves.items()}
        args, kwargs = substitute(examples, named, iter(traced.values()))
        with watching(f, locals_):
            result = f(*args, **kwargs)
        outputs = output_nodes(result, trace)
    found = Recording(outputs)
    found.values = {node_of(traced[path]): np.asarray(leaf.detach()) for path, leaf in leaves.items()}
    name_values(found, f, trace, {path: node_of(each) for path, each in traced.items()}, locals_)
    if wants_backward(backward, found, trace):
        add_backward(found, sources(found, traced, leaves, forced=backward is True))
    add_layers(found, f)
    return found


def node_of(traced: Tensor) -> Node:
    assert traced._node is not None
    return traced._node


def is_number(value: object) -> bool:
    return isinstance(value, (int, float, np.generic)) and not isinstance(value, bool)


def is_input(value: object, keyword: bool) -> bool:
    return isinstance(value, (Tensor, np.ndarray)) or (not keyword and is_number(value))


def name_inputs(f: Any, examples: Sequence[Any], named: Mapping[str, Any]) -> dict[str, Any]:
    """Path -> leaf of every argument that is an input, such as "x" or "batch.images"."""
    found = {}
    for keyword, pairs in ((False, zip(parameter_names(code_owner(f), len(examples)), examples)), (True, named.items())):
        for name, value in pairs:
            found.update({path: leaf for path, leaf in named_leaves(value, name) if is_input(leaf, keyword)})
    return found


def code_owner(f: Any) -> Any:
    """The Python function whose arguments and local names are the user's: a module's forward, a wrapped function's inside."""
    return f.forward if isinstance(f, Module) else inspect.unwrap(f)


def substitute(examples: Sequence[Any], named: Mapping[str, Any], traced: Iterator[Tensor]) -> tuple[list[Any], dict[str, Any]]:
    """The arguments with their inputs replaced by traced tensors, in order."""
    def swap(keyword: bool) -> Callable[[Any], Any]:
        return lambda leaf: next(traced) if is_input(leaf, keyword) else leaf
    args = [map_tree(swap(False), each) for each in examples]
    return args, {name: map_tree(swap(True), each) for name, each in named.items()}


@contextmanager
def watching(f: Any, found: dict[str, Tensor]) -> Iterator[None]:
    """Note the tensors among the local variables of `f` when it returns: the names that its author gave them."""
    code = getattr(code_owner(f), "__code__", None)

    def see(frame: FrameType, event: str, argument: object) -> None:
        if event == "return" and frame.f_code is code:
            found.update({name: value for name, value in frame.f_locals.items() if isinstance(value, Tensor)})
    before = sys.getprofile()
    sys.setprofile(see)
    try:
        yield
    finally:
        sys.setprofile(before)


def output_nodes(result: Any, trace: Trace) -> list[Node]:
    """The nodes of the tensors in the result, and of what was written to state."""
    found = [leaf._node_in(trace) for leaf in flatten(result)[0] if isinstance(leaf, Tensor)]
    found += [written(node) for node in trace.writes.values()]
    if not found:
        raise ArgumentError(f"graph: the function returned {result!r:.80}, which holds no tensor",
                            repair="return the tensors whose computation is to be shown")
    return list(dict.fromkeys(found))


def written(node: Node) -> Node:
    """What is written to a state tensor, before gradients are stopped there."""
    return node.args[0] if node.op is StopGradient else node


# Names and roles

def name_values(found: Recording, f: Any, trace: Trace, inputs: Mapping[str, Node], locals_: Mapping[str, Tensor]) -> None:
    """Inputs by parameter name, parameters and state by path, intermediate values by local variable."""
    known = names_of_state(f)
    for tensor, node in trace.reads.items():
        found.names[node] = known.get(id(tensor), tensor._prints_as)
        found.roles[node] = "parameter" if tensor.requires_grad else "state"
        found.values[node] = np.asarray(tensor._value)
    for name, node in inputs.items():
        found.names[node], found.roles[node] = name, "input"
    for name, tensor in locals_.items():
        if tensor._node is not None and not name.startswith("_"):
            found.names.setdefault(tensor._node, name)
    for tensor, node in trace.writes.items():
        found.names.setdefault(written(node), "new " + known.get(id(tensor), tensor._prints_as))
    for node in found.outputs:
        found.roles.setdefault(node, "output")
    if len(found.outputs) == 1:
        found.names.setdefault(found.outputs[0], title_of_function(f))


def title_of_function(f: Any) -> str:
    """What the function is called; a lambda, which has no name, is f."""
    f = f.function if isinstance(f, Compiled) else f
    name = getattr(f, "__name__", type(f).__name__)
    return name if name.isidentifier() else "f"


def names_of_state(f: Any) -> dict[int, str]:
    """id -> name of the tensors that the function can reach: those of modules and optimizers, and those it refers to."""
    inside = {id(entry.value): entry.display for module in modules_of(f) for entry in entries(module)}
    outer = outer_names(f).items()
    optimizers = [(name, value) for name, value in outer if isinstance(value, Optimizer)]
    state = {id(tensor): f"{name}.{key}" for name, value in optimizers for key, tensor in value.named_state()}
    return state | inside | {id(value): name for name, value in outer if isinstance(value, Tensor)}


def modules_of(f: Any) -> list[Module]:
    """The modules that a function is or refers to."""
    if isinstance(f, Module):
        return [f]
    return [value for value in outer_names(f).values() if isinstance(value, Module)]


def outer_names(f: Any) -> dict[str, Any]:
    """What the function refers to besides its arguments: names of its closure and of its module."""
    owner = code_owner(f)
    if not inspect.isfunction(owner):
        return {}
    seen = inspect.getclosurevars(owner)
    return {**seen.globals, **seen.nonlocals}


# The backward pass

def wants_backward(asked: bool | None, found: Recording, trace: Trace) -> bool:
    if asked is not None:
        return asked
    one = len(found.outputs) == 1 and found.outputs[0].size == 1 and is_inexact(found.outputs[0].dtype)
    return one and not trace.grads and not trace.writes


def sources(found: Recording, traced: Mapping[str, Tensor], leaves: Mapping[str, Tensor], forced: bool) -> list[Node]:
    """What to differentiate for: inputs that require a gradient, and parameters; all float inputs if there are none."""
    wanted = [node_of(traced[path]) for path, leaf in leaves.items() if leaf.requires_grad]
    wanted += [node for node, role in found.roles.items() if role == "parameter"]
    if not wanted and forced:
        wanted = [node_of(each) for each in traced.values() if is_inexact(each.dtype)]
    return wanted


def add_backward(found: Recording, wrt: Sequence[Node]) -> None:
    """Pull the gradient of the first output back to every node on the way."""
    output = found.outputs[0]
    if not is_inexact(output.dtype):
        raise GradientError(f"graph: an output of type {output.dtype} has no gradient", repair="ask for backward=False")
    order = topological([output])
    carrying = active_nodes(order, set(wrt))
    active = [node for node in order if node in carrying]
    name = found.names.get(output, "output")
    found.seed = variable(output.shape, output.dtype, "seed")
    found.names[found.seed], found.roles[found.seed] = f"∂/∂{name} = 1", "seed"
    found.values[found.seed] = np.ones(output.shape, output.dtype)
    pulled = pull_back([output], [found.seed], active)
    found.adjoint = {node: gradient for node, gradient in zip(active, pulled) if gradient is not None}
    found.gradients = {found.names.get(node, "input"): found.adjoint[node] for node in wrt if node in found.adjoint}


# Layers

def add_layers(found: Recording, f: Any) -> None:
    """The layer of every forward node, and of every backward node the layer whose gradient it computes; outside of layers, the line."""
    forward = topological(found.outputs)
    found.layers = {node: node.layer for node in forward if node.layer}
    found.calls = {node: line for node in forward if (line := calling_line(node.location, f))}
    found.lines = {node: expression_at(node.location) for node in forward if node.args and not node.layer}
    users: dict[Node, Node] = {arg: node for node in reversed(forward) for arg in node.args}
    seen = set(forward)
    for node in reversed(forward):
        gradient = found.adjoint.get(node)
        if gradient is None:
            continue
        user = users.get(node, node)
        for new in topological([gradient], stop=seen.__contains__):
            if new not in seen:
                found.layers[new] = user.layer
                found.lines[new] = found.lines.get(user, "")
                found.calls[new] = found.calls.get(user, 0)
                seen.add(new)
    inside = [entry for module in modules_of(f) for entry in entries(module) if isinstance(entry.value, Module)]
    found.describe = {entry.display: f"{entry.display}  {entry.value.describe()}" for entry in inside}


def calling_line(location: Location, f: Any) -> int:
    """The line, if it is one of the traced function's own; 0 for lines of modules and of functions that it calls."""
    code = getattr(code_owner(f), "__code__", None)
    own = code is not None and location[0] == code.co_filename and location[1] in {line for *_, line in code.co_lines()}
    return location[1] if own else 0


LONGEST = 48  # characters of a line of the user's program that may be the title of a box


def expression_at(location: Location) -> str:
    """The expression on a line of the user's program: what is returned or assigned there; "" when the line is not known or long."""
    line = linecache.getline(*location).strip()
    text = re.sub(r"^(return\s+|[\w.]+\s*=\s*)", "", line)
    return text if len(text) <= LONGEST else ""
