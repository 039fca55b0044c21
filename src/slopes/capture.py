"""A captured function is a value: its graph, with named inputs, state, outputs, updates and taps; backends compile it, views draw it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from . import tree
from .arrays import memory_of
from .captures import Captures
from .errors import TraceError, line_text
from .foreign_random import SharedDrawError, refuse_draws
from .graph.build import Variable
from .graph.dtype import is_complex
from .graph.node import Node
from .graph.scopes import Region
from .graph.text import text
from .graph.walk import topological
from .guards import Guards, guards_of
from .parameter import Parameter
from .state_names import parameter_names, state_names
from .taps import tapped_node
from .tensor import Tensor
from .trace import Trace
from .trace_call import TensorSpec, spec_of, trace_call

STATIC = (bool, int, float, complex, str, bytes, type(None))


@dataclass(frozen=True, eq=False)
class Value:
    """A node of a captured function under its path; `tensor` is the one that holds the value between calls, None for arguments and
    results; `leaf` is the index of an argument among all leaves of the arguments."""

    node: Node
    path: str
    tensor: Tensor | None = None
    leaf: int = -1


@dataclass(frozen=True, eq=False, kw_only=True)
class Captured:
    """A function recorded once.

    inputs     tensors and arrays among the arguments: variables of the graph
    state      tensors that the function reads besides: variables for their values at its beginning, named `net.0.weight`
    outputs    the tensors among the results
    updates    the new values of tensors that the function assigns; each is in `state`, too
    taps       values to look at, by the paths that were asked for
    gradients  what is added to `.grad` of arguments that require a gradient
    layers     the layers that ran, by path such as `net[0]`
    """

    name: str
    inputs: tuple[Value, ...]
    state: tuple[Value, ...]
    outputs: tuple[Value, ...]
    updates: tuple[Value, ...]
    taps: tuple[Value, ...] = ()
    gradients: tuple[Value, ...] = ()
    results: tuple[Any, ...] = ()  # the leaves of what the function returns; None where a tensor is computed
    is_python: tuple[bool, ...] = ()  # whether a leaf is such a Python value, the same in every call
    arguments: tree.Structure
    returns: tree.Structure
    leaves: int = 0  # how many leaves the arguments have
    stepped: frozenset[int] = frozenset()  # arguments, by leaf, whose first axis is the step of many()
    guards: Guards = field(repr=False)
    gradient_owners: tuple[tuple[Tensor, bool], ...] = ()  # tensors whose .grad the function sets (True) or clears (False)
    layers: Mapping[str, Any] = field(default_factory=dict, repr=False)  # the layers that ran, by path

    @property
    def computed(self) -> tuple[Value, ...]:
        """What each call returns an array for: outputs, taps and gradients of arguments, in this order."""
        return self.outputs + self.taps + self.gradients

    @property
    def roots(self) -> list[Node]:
        """Everything that a call computes: results, then the new values of state."""
        return [value.node for value in (*self.computed, *self.updates)]

    @property
    def destinations(self) -> list[Node | None]:
        """For each root the variable whose value it replaces, None for results."""
        before = {value.tensor: value.node for value in self.state}
        return [None] * len(self.computed) + [before[value.tensor] for value in self.updates]

    @property
    def constants_between_calls(self) -> set[Node]:
        """The variables of parameters that the function does not assign: only others change them."""
        assigned = {value.tensor for value in self.updates}
        return {value.node for value in self.state if isinstance(value.tensor, Parameter) and value.tensor not in assigned}

    @property
    def regions(self) -> dict[Node, Region]:
        """The innermost region of each node: see `regions_of`."""
        return regions_of(self.roots)

    def __str__(self) -> str:
        lines = [f"captured {self.name}"]
        for title in ("inputs", "state", "outputs", "updates", "taps", "gradients"):
            lines += [f"{title[:-1] if title.endswith('s') else title} {value.path}: {value.node.dtype}{list(value.node.shape)}"
                      for value in getattr(self, title)]
        return "\n".join([*lines, text(self.roots, locations=False)])


def capture(function: Callable[..., Any], *args: Any, taps: Sequence[str] = (), storage: str = "float32", **kwargs: Any) -> Captured:
    """Record a function of tensors, as `sl.compile` does, without compiling it.

    Arguments are examples: of tensors and arrays only shape, dtype and whether they require a gradient count; Python values become
    part of the graph. `captured.regions` names the call of a layer or a function that made each node, with its arguments. Raises
    TraceError where the function needs the value of a tensor, and what the function raises.

    >>> import slopes as sl
    >>> w = sl.tensor([1., 2.], requires_grad=True)
    >>> def loss(x):
    ...     return ((x * w) ** 2).sum()
    >>> captured = sl.capture(loss, sl.zeros(2))
    >>> [value.path for value in captured.inputs], [value.path for value in captured.state]
    (['x'], ['w'])
    >>> captured = sl.capture(lambda x: sl.softmax(x, axis=1), sl.zeros((2, 3)))
    >>> {region.call for region in captured.regions.values()}
    {'softmax(axis=1)'}
    """
    leaves, structure = tree.flatten((args, dict(sorted(kwargs.items()))))
    return capture_call(function, leaves, structure, taps=taps, storage=storage)


def capture_call(function: Callable[..., Any], leaves: Sequence[Any], structure: tree.Structure, *, stepped: frozenset[int] = frozenset(),
                 taps: Sequence[str] = (), storage: str = "float32", programmable: bool = True, compiled: bool = True) -> Captured:
    """Record a call whose arguments have these leaves; the first axis of those in `stepped` is the step.

    It is recorded once more where random numbers were drawn meanwhile that another thread may have drawn. A leaf may be a TensorSpec.
    `programmable`: refuse what no program can do, such as complex numbers, results of other types, and random numbers of NumPy; a picture
    shows such a function too. `compiled`: refuse the types and operations that only eager mode computes.
    """
    record = partial(record_call, function, leaves, structure, stepped, taps, storage, programmable, compiled)
    try:
        return record()
    except SharedDrawError:
        return record()


def record_call(function: Callable[..., Any], leaves: Sequence[Any], structure: tree.Structure, stepped: frozenset[int],
                taps: Sequence[str], storage: str, programmable: bool, compiled: bool) -> Captured:
    """Record a call, as `capture_call` does."""
    paths = argument_paths(function, len(leaves), structure)
    specs = [argument_spec(leaf, path, i in stepped) for i, (leaf, path) in enumerate(zip(leaves, paths))]
    check = refuse_draws if programmable else nullcontext
    with trace_call(specs, structure, storage) as call:
        trace = call.trace
        before = Captures(function, call.args, call.kwargs)
        trace.captured = before.arrays
        with check(before.sources):
            results, returns = tree.flatten(function(*call.args, **call.kwargs))
        nodes = [result_node(trace, value, programmable) for value in results]
        guards = guards_of(before, Captures(function, call.args, call.kwargs), trace)
    if programmable:
        before.warn_of_clocks()
        check_inherited(trace)
    tapped = tuple(Value(tapped_node(trace, path), path) for path in taps)
    names = state_names(function, trace, [(before.arrays[i][1] if (i := id(memory_of(array))) in before.arrays else "array", tensor)
                                          for array, tensor in trace.arrays.values()])
    arguments = tuple(Value(value._node, path, None, i) for i, (value, path) in enumerate(zip(call.leaves, paths))
                      if isinstance(value, Tensor) and value._node is not None)
    captured = Captured(
        name=getattr(function, "__name__", type(function).__name__), inputs=arguments,
        state=tuple(Value(node, names[tensor], tensor) for tensor, node in trace.reads.items()),
        outputs=tuple(Value(node, path) for (path, _), node in zip(tree.named_leaves(tree.unflatten(returns, results), "result"), nodes)
                      if node is not None),
        updates=tuple(Value(node, names[tensor], tensor) for tensor, node in trace.writes.items()),
        taps=tapped, gradients=tuple(argument_gradients(trace, call.leaves, arguments)),
        results=tuple(value if node is None else None for value, node in zip(results, nodes)),
        is_python=tuple(node is None for node in nodes), arguments=structure, returns=returns, leaves=len(leaves), stepped=stepped,
        guards=guards, gradient_owners=tuple((tensor, gradient is not None) for tensor, gradient in trace.grads.items()
                                             if tensor._value is not None), layers=dict(trace.layers))
    if programmable and compiled:
        check_types(captured.roots)
    check_leaves(captured.roots, {value.node for value in (*captured.inputs, *captured.state)})
    return captured


def argument_spec(leaf: Any, path: str, stepped: bool) -> Any:
    """The spec of a tensor or an array among the arguments, of one step where its first axis is the step; other values unchanged."""
    spec = spec_of(leaf)
    return TensorSpec(spec.shape[stepped:], spec.dtype, spec.requires_grad, path) if isinstance(spec, TensorSpec) else spec


def argument_paths(function: Any, count: int, structure: tree.Structure) -> list[str]:
    """What the function calls each of the `count` leaves of its arguments, such as `x` or `batch.images`."""
    args, kwargs = tree.unflatten(structure, list(range(count)))
    pairs = [*zip(parameter_names(function, len(args)), args), *kwargs.items()]
    paths = {index: path for name, value in pairs for path, index in tree.named_leaves(value, name)}
    return [paths[i] for i in range(count)]


def argument_gradients(trace: Trace, traced: Sequence[Any], arguments: Sequence[Value]) -> list[Value]:
    """The gradients of arguments that the function computed."""
    gradients = [(value, trace.grads.get(traced[value.leaf])) for value in arguments]
    return [Value(gradient._node_in(trace), f"{value.path}.grad", None, value.leaf)
            for value, gradient in gradients if gradient is not None]


def result_node(trace: Trace, value: Any, programmable: bool = True) -> Node | None:
    """The node of a tensor among the results, None for a Python value."""
    if isinstance(value, Tensor):
        return value._node_in(trace)
    if isinstance(value, (*STATIC, np.ndarray)) or not programmable:
        return None
    raise TraceError(f"a compiled function returned {value!r} of type {type(value).__name__}",
                     why="results are tensors and Python values, nested in lists, tuples and dicts",
                     repair="return the tensors that you need")


def regions_of(roots: Iterable[Node]) -> dict[Node, Region]:
    """The innermost region of each node that the roots need and that depends on an input or on state.

    What depends on constants alone may be shared with other graphs, and is in no region.
    """
    regions: dict[Node, Region] = {}
    moving: set[Node] = set()
    for node in topological(roots):
        if node.op is Variable or not moving.isdisjoint(node.args):
            moving.add(node)
            if node.region is not None:
                regions[node] = node.region
    return regions


def check_inherited(trace: Trace) -> None:
    """Refuse to add to a gradient from before the call: it would be another one in each call."""
    for tensor in trace.inherited:
        if trace.grads.get(tensor) is not None:
            raise TraceError(f"backward in a compiled function adds to the gradient of a {tensor._prints_as} {tensor.shape} "
                             "from before the call",
                             why="gradients that a compiled function does not return stay inside of it: there is none to add to",
                             repair="call net.zero_grad() inside the function, before backward() or after optimizer.step()")


def check_types(roots: Sequence[Node]) -> None:
    """Refuse complex numbers and operations that only eager mode computes."""
    for node in topological(roots):
        if node.op.eager_only:
            raise TraceError(f"{node.op.name} is not compiled", why=node.op.eager_only,
                             repair="call it outside of the compiled function, and give it the result",
                             where=f"built at {line_text(node.location)}")
        if is_complex(node.dtype):
            raise TraceError(f"{node.op.name} computes {node.dtype}, which slopes does not compile yet",
                             why="complex numbers work eagerly only", repair="compute real and imaginary parts, or call it uncompiled",
                             where=f"built at {line_text(node.location)}")


def check_leaves(roots: Sequence[Node], known: Collection[Node]) -> None:
    """Refuse variables that belong to the body of a loop."""
    for node in topological(roots):
        if node.op is Variable and node not in known:
            raise TraceError(f"a value {node.dtype}{list(node.shape)} from inside of a loop is used outside of it",
                             why="sl.scan records its step once: what the step puts aside is no value of any single step",
                             repair="return it from the step, as state or as output", where=f"made at {line_text(node.location)}")
