"""The module: a plain object whose parameters, buffers and inner modules are found by walking its attributes."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ..arrays import shorten
from ..constraint import Constraint
from ..errors import ArgumentError, SlopesError, StateError, TooDeepError, layer_stack, line_text, user_location
from ..graph.dtype import float32
from ..graph.operation import build
from ..guarded import FOREIGN, explained
from ..tensor import Parameter, Tensor, asarray, mode, versions
from .hyper_parameter import TracksChanges
from .state import copy_state, load_arrays
from .summary import Summary, summarize

NUMBERS = "biufc"  # kinds of NumPy arrays that become tensors where a module is called with them


class Buffer(Tensor):
    """State that is no parameter: saved and restored with its module, never trained (the running mean of a BatchNorm).

    >>> from slopes import nn
    >>> nn.Buffer([0.0, 0.0])
    Buffer([0., 0.])
    """

    __slots__ = ()
    _prints_as = "Buffer"


class Module(TracksChanges):
    """A part of a network: state in attributes, computation in `forward`.

    Assign parameters, buffers and other modules (also inside lists, tuples and dicts) to attributes in `__init__`; nothing
    needs to be registered and `super().__init__()` need not be called. A parameter reached by two paths is one parameter, and the
    first path names it.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> class Doubled(nn.Module):
    ...     def __init__(self):
    ...         self.inner = nn.Linear(3, 2)
    ...     def forward(self, x):
    ...         return self.inner(x) * 2
    >>> net = Doubled()
    >>> [name for name, _ in net.named_parameters()]
    ['inner.weight', 'inner.bias']
    >>> net(sl.zeros((5, 3))).shape
    (5, 2)
    """

    training = True
    left_in_use = False  # whether a training that ended has put it into eval mode, and not its user
    name = "net"  # what messages, taps and summaries call a module that is called from outside of any other
    unnamed: str | None = None  # the one attribute whose name is left out of paths: Sequential's list of layers
    constraints: Mapping[str, Constraint] = {}  # what the constructor's arguments may be

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        raise ArgumentError(f"{type(self).__name__} has no forward method",
                            repair="define forward(self, x): it computes the output")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        path = current_path(self)
        layer_stack.paths.append(path)
        try:
            args = tuple([asarray(arg) if isinstance(arg, np.ndarray) and arg.dtype.kind in NUMBERS else arg for arg in args])
            if mode.trace is not None and mode.trace.storage == "bfloat16" and own_parameters(self):
                args = tuple(map(round_to_bfloat16, args))
            output = self.forward(*args, **kwargs)
            if mode.trace is not None:
                mode.trace.layers[path] = self
                first = output[0] if isinstance(output, tuple) and output else output
                if isinstance(first, Tensor):
                    mode.trace.note(path, first)
            return output
        except SlopesError:
            raise
        except FOREIGN as error:
            if not type(self).__module__.startswith(__package__ + ".") or not args:
                raise
            if isinstance(args[0], np.ndarray):
                asarray(args[0])  # which says what its type lacks
            if not isinstance(args[0], Tensor) and (isinstance(error, AttributeError) or is_single(self)):
                raise not_a_tensor(self, path, args[0]) from error
            if is_single(self):
                raise explained(self.forward, f"nn.{type(self).__name__}", args, kwargs, error) from error
            raise
        except RecursionError:
            if len(layer_stack.paths) > 1:
                raise  # there is room for words in the outermost layer only
            raise too_deep(self) from None
        finally:
            layer_stack.paths.pop()

    # What is inside

    def named_modules(self) -> list[tuple[str, Module]]:
        """(path, module) of this module (path "") and all inside it, each once, outermost first."""
        return [(entry.key, entry.value) for entry in entries(self) if isinstance(entry.value, Module)]

    def named_parameters(self) -> list[tuple[str, Parameter]]:
        """(path, parameter), such as ("0.weight", ...); each parameter once, under its first path. StateError for equal paths."""
        return collect(self, Parameter)

    def named_buffers(self) -> list[tuple[str, Buffer]]:
        """(path, buffer), each once."""
        return collect(self, Buffer)

    def parameters(self) -> Parameters:
        """The parameters, each once, as a list that also knows their paths (so that an optimizer can name them)."""
        return Parameters(self.named_parameters())

    def buffers(self) -> list[Buffer]:
        return [buffer for _, buffer in self.named_buffers()]

    def children(self) -> list[Module]:
        """The modules directly inside this one."""
        return [entry.value for entry in nearest_modules(self)]

    # Modes and gradients

    def train(self, mode: bool = True) -> Module:
        """Behave as in training: dropout drops, batch norm uses the batch's own moments and updates its running ones.

        A layer in eval mode inside of a net in train mode is frozen: `fit` leaves it so.
        """
        for _, module in self.named_modules():
            module.training = mode
            object.__setattr__(module, "left_in_use", False)
        return self

    def eval(self) -> Module:
        """Behave as in use: no dropout, running moments."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.parameters():
            parameter.grad = None

    # State

    def state_dict(self) -> dict[str, np.ndarray]:
        """Copies of all parameters and buffers under their paths, all of one step where another thread trains.

        Raises StateError where two have one path, as {"a.b": layer} beside {"a": {"b": layer}} or the keys 1 and "1" of one dict.

        >>> from slopes import nn
        >>> {name: array.shape for name, array in nn.Sequential(nn.Linear(2, 3)).state_dict().items()}
        {'0.weight': (3, 2), '0.bias': (3,)}
        """
        return copy_state(self.named_state())

    def named_state(self) -> list[tuple[str, Tensor]]:
        """(path, tensor) of all parameters and buffers, in the order in which they were assigned."""
        return collect(self, (Parameter, Buffer))

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> None:
        """Take over the arrays of `state`. Nothing is changed unless everything fits.

        Raises one StateError that lists every missing, unknown and mis-shaped name; with strict=False, missing and unknown
        names are allowed.
        """
        load_arrays(type(self).__name__, dict(self.named_state()), state, strict)

    # Text

    def summary(self, *examples: Any) -> Summary:
        """The table of layers, output shapes and parameter counts, for inputs of these shapes (or like these arrays).

        The network is traced in the mode of use: nothing is computed, and no state changes.

        >>> from slopes import nn
        >>> nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10)).summary((64, 784))
        layer   what                output     parameters
        -------------------------------------------------
        net     Sequential          (64, 10)            0
        net[0]  Linear(784 -> 128)  (64, 128)     100,480
        net[1]  ReLU()              (64, 128)           0
        net[2]  Linear(128 -> 10)   (64, 10)        1,290
        -------------------------------------------------
        101,770 parameters
        """
        modules = [(entry.display, entry.value, own_parameters(entry.value)) for entry in entries(self) if isinstance(entry.value, Module)]
        return summarize(self, modules, examples)

    def details(self) -> str:
        """What distinguishes this layer, such as "784 -> 128"; shown in its text and in messages."""
        return ""

    def describe(self) -> str:
        """One line: Linear(784 -> 128)."""
        return f"{type(self).__name__}({self.details()})"

    def __repr__(self) -> str:
        return tree_text(self)


class Parameters(list):
    """Parameters with their paths; otherwise a list."""

    def __init__(self, named: list[tuple[str, Parameter]]) -> None:
        super().__init__(parameter for _, parameter in named)
        self.names = [name for name, _ in named]


class Entry:
    """Something found in a module: its path in a state ("layers.0"), its path for people ("net.layers[0]") and itself."""

    __slots__ = ("display", "key", "value")

    def __init__(self, key: str, display: str, value: Any) -> None:
        self.key, self.display, self.value = key, display, value

    def inside(self) -> list[Entry]:
        """The parts of a module or container that are something to find or may hold it."""
        value = self.value
        if isinstance(value, Module):
            return [self.attribute(value, name, part) for name, part in vars(value).items() if isinstance(part, FOLLOWED)]
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        return [Entry(join_path(self.key, str(key)), f"{self.display}[{key!r}]", part) for key, part in pairs if isinstance(part, FOLLOWED)]

    def attribute(self, module: Module, name: str, value: Any) -> Entry:
        if name == module.unnamed:
            return Entry(self.key, self.display, value)
        return Entry(join_path(self.key, name), f"{self.display}.{name}", value)


def join_path(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


LEAVES_AND_MODULES = (Module, Parameter, Buffer)
CONTAINERS = (list, tuple, dict)
FOLLOWED = (*LEAVES_AND_MODULES, *CONTAINERS)


def entries(root: Module) -> Iterator[Entry]:
    """Every module, parameter and buffer in `root`, itself included, each once under its first path."""
    return walk(Entry("", root.name, root), lambda entry: True)


def collect(root: Module, kind: Any) -> list[tuple[str, Any]]:
    """(path, tensor) of each parameter or buffer of this kind; no two of them may have one path."""
    matches = [entry for entry in entries(root) if isinstance(entry.value, kind)]
    if len({entry.key for entry in matches}) < len(matches):
        raise equal_paths(root, matches)
    return [(entry.key, entry.value) for entry in matches]


def equal_paths(root: Module, matches: list[Entry]) -> StateError:
    """The error for tensors that a state could not tell apart."""
    first: dict[str, Entry] = {}
    one, other = next((first[entry.key], entry) for entry in matches if first.setdefault(entry.key, entry) is not entry)
    return StateError(f"{type(root).__name__}: {one.display} and {other.display} have one path in a state, {one.key!r}",
                      why="a state has one array for each path: one of the two would be lost when it is saved",
                      repair="rename a key: keys of one dict differ as text, and hold no dots")


def nearest_modules(root: Module) -> Iterator[Entry]:
    """The modules directly inside `root`, in containers too, but not inside other modules."""
    inner = walk(Entry("", root.name, root), lambda entry: entry.value is root)
    return (entry for entry in inner if isinstance(entry.value, Module) and entry.value is not root)


def round_to_bfloat16(x: Any) -> Any:
    """A value that is computed in a compiled function, rounded to bfloat16; anything else as it is."""
    return build("round_bfloat16", x) if isinstance(x, Tensor) and x._value is None and x.dtype == float32 else x


def own_parameters(root: Module) -> list[Parameter]:
    """The parameters of `root` itself, not those of modules inside it."""
    inner = walk(Entry("", root.name, root), lambda entry: entry.value is root)
    return [entry.value for entry in inner if isinstance(entry.value, Parameter)]


def walk(start: Entry, enter: Any) -> Iterator[Entry]:
    visited: set[int] = set()
    stack = [start]
    while stack:
        entry = stack.pop()
        value = entry.value
        if id(value) in visited:
            continue
        visited.add(id(value))
        if isinstance(value, LEAVES_AND_MODULES):
            yield entry
        if isinstance(value, CONTAINERS) or (isinstance(value, Module) and enter(entry)):
            stack.extend(reversed(entry.inside()))


class Running(threading.local):
    """The paths of the modules inside the outermost one that is running."""

    def __init__(self) -> None:
        self.paths: dict[int, str] = {}


running = Running()
_paths: WeakKeyDictionary[Module, tuple[int, dict[int, str]]] = WeakKeyDictionary()


def is_single(layer: Module) -> bool:
    """Whether a layer consists of no others, so that an error in it cannot come from a layer of the user's own."""
    return not any(True for _ in nearest_modules(layer))


def too_deep(net: Module) -> TooDeepError:
    depth = max(entry.display.count(".") + entry.display.count("[") for entry in entries(net) if isinstance(entry.value, Module))
    return TooDeepError(f"{type(net).__name__}: its layers call each other deeper than Python's limit of {sys.getrecursionlimit()} frames",
                        why=f"its modules lie up to {depth} levels inside of each other, or one calls itself",
                        repair="put layers side by side in one nn.Sequential; sys.setrecursionlimit allows more")


def not_a_tensor(layer: Module, path: str, value: Any) -> ArgumentError:
    """The error for a layer that was given something else than an array."""
    kind, repair = type(value).__name__, "slopes.tensor(x) makes one of numbers and lists of equal length"
    if value is None:
        repair = "look for a function before it that returns nothing"
    return ArgumentError(f"{layer.describe()} at {path} needs a tensor, but x is {shorten(value)} of type {kind}", repair=repair,
                         where=f"layer called at {line_text(user_location())}")


def current_path(module: Module) -> str:
    """The path under which this call of `module` runs: "net" for the outermost, "net[0]", "net.head" for those inside it."""
    if not layer_stack.paths:
        running.paths = paths_in(module)
    path = running.paths.get(id(module))
    if path is None:  # it hangs in no attribute of the outermost module
        return module.name if module.name != Module.name else type(module).__name__
    return path


def paths_in(root: Module) -> dict[int, str]:
    version, paths = _paths.get(root, (-1, {}))
    if version != versions.structure:
        paths = {id(entry.value): entry.display for entry in entries(root) if isinstance(entry.value, Module)}
        _paths[root] = (versions.structure, paths)
    return paths


def tree_text(root: Module) -> str:
    """The module and what is inside it, one line each, indented.

    >>> from slopes import nn
    >>> nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    Sequential(
      [0] Linear(2 -> 3)
      [1] ReLU()
    )
    """
    lines: list[str] = []
    stack: list[tuple[str, Module | None, int]] = [("", root, 0)]
    while stack:
        label, module, depth = stack.pop()
        space = "  " * depth
        inner = [] if module is None else list(nearest_modules(module))
        if module is None or not inner:
            lines.append(space + label + (module.describe() if module else ")"))
            continue
        details = module.details()
        lines.append(f"{space}{label}{type(module).__name__}({details}{',' if details else ''}")
        stack.append(("", None, depth))
        for entry in reversed(inner):
            own = entry.display.removeprefix(module.name).removeprefix(".")
            stack.append((own + (" " if own.startswith("[") else ": "), entry.value, depth + 1))
    return "\n".join(lines)
