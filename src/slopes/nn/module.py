"""Module: a plain object whose parameters, buffers and submodules are found by walking its attributes."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self
from weakref import WeakKeyDictionary

import numpy as np

from ..arrays import shorten
from ..constraint import Constraint, float_name
from ..errors import ArgumentError, SlopesError, StateError, TooDeepError, line_text, missing_method, user_location
from ..graph.build import build
from ..graph.dtype import float32
from ..graph.scopes import Region, plain_values, scopes
from ..guarded import FOREIGN, explain_error
from ..modes import mode
from ..parameter import Parameter
from ..tensor import Tensor, asarray
from ..versions import versions
from .attributes import check_attribute, look_up, set_registered
from .convert import convert
from .hyper_parameter import TracksChanges
from .state import copy_state, load_arrays
from .summary import Summary, summarize

NUMBERS = "biufc"  # kinds of NumPy arrays that a module call converts to tensors


class Buffer(Tensor):
    """State that is saved and loaded with its module but not trained, such as the running mean of a BatchNorm.

    >>> from slopes import nn
    >>> nn.Buffer([0.0, 0.0])
    Buffer([0., 0.])
    """

    __slots__ = ()
    _prints_as = "Buffer"


class Module(TracksChanges):
    """A part of a network: state in attributes, computation in `forward`.

    Assign parameters, buffers and other modules (also in lists, tuples and dicts) to attributes in `__init__`; nothing needs to be
    registered, and `super().__init__()` need not be called. A parameter reachable by two paths counts once, under the first.

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
    lacks_sizes = False  # whether its parameters are made by the first call
    left_in_use = False  # whether the end of a training run has set eval mode, and not the user
    name = "net"  # the outermost module in messages, taps and summaries
    unnamed: str | None = None  # an attribute whose name is omitted from paths: Sequential's list of layers
    constraints: Mapping[str, Constraint] = {}  # of the constructor's arguments

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        raise ArgumentError(f"{type(self).__name__} has no forward method",
                            repair="define forward(self, x), which computes the output")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        outer = scopes.region
        scopes.region = region = call_region(self, outer)
        try:
            args = tuple([asarray(arg) if isinstance(arg, np.ndarray) and arg.dtype.kind in NUMBERS else arg for arg in args])
            if mode.trace is not None and mode.trace.storage == "bfloat16" and own_parameters(self):
                args = tuple(map(round_to_bfloat16, args))
            output = self.forward(*args, **kwargs)
            if mode.trace is not None:
                mode.trace.layers[region.name] = self
                first = output[0] if isinstance(output, tuple) and output else output
                if isinstance(first, Tensor):
                    mode.trace.note(region.name, first)
                    mode.trace.outputs.setdefault(id(self), []).append(first._node_in(mode.trace))
            return output
        except SlopesError:
            raise
        except FOREIGN as error:
            if not type(self).__module__.startswith(__package__ + ".") or not args:
                raise
            if isinstance(args[0], np.ndarray):
                asarray(args[0])  # raises an error about its dtype
            if not isinstance(args[0], Tensor) and (isinstance(error, AttributeError) or is_single(self)):
                raise not_a_tensor(self, region.name, args[0]) from error
            if is_single(self):
                raise explain_error(self.forward, f"nn.{type(self).__name__}", args, kwargs, error) from error
            raise
        except RecursionError:
            if outer is not None and outer.layer:
                raise  # only the outermost layer has stack space left for a message
            raise too_deep(self) from None
        finally:
            scopes.region = outer

    # Submodules and parameters

    def named_modules(self) -> list[tuple[str, Module]]:
        """(path, module) of this module (path "") and all submodules, each once, outermost first."""
        return [(entry.key, entry.value) for entry in entries(self) if isinstance(entry.value, Module)]

    def named_parameters(self) -> list[tuple[str, Parameter]]:
        """(path, parameter), such as ("0.weight", ...), each once under its first path. StateError for duplicate paths."""
        return collect(self, Parameter)

    def named_buffers(self) -> list[tuple[str, Buffer]]:
        """(path, buffer), each once."""
        return collect(self, Buffer)

    def parameters(self) -> Parameters:
        """The parameters, each once, as a list that also has their paths (`names`), for optimizers."""
        return Parameters(self.named_parameters())

    def buffers(self) -> list[Buffer]:
        return [buffer for _, buffer in self.named_buffers()]

    def modules(self) -> list[Module]:
        """This module and all submodules, each once, outermost first."""
        return [module for _, module in self.named_modules()]

    def children(self) -> list[Module]:
        """The direct submodules."""
        return [module for _, module in self.named_children()]

    def named_children(self) -> list[tuple[str, Module]]:
        """(path, module) of the direct submodules, each once."""
        return [(entry.key, entry.value) for entry in nearest_modules(self)]

    def get_submodule(self, path: str) -> Module:
        """The submodule at a path, such as "layers.0"; ArgumentError if there is none."""
        return look_up(self, "submodule", dict(self.named_modules()), path)

    def get_parameter(self, path: str) -> Parameter:
        """The parameter at a path, such as "0.weight"; ArgumentError if there is none."""
        return look_up(self, "parameter", dict(self.named_parameters()), path)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Set an attribute to a parameter or None: `self.name = param`, with a check. ArgumentError for anything else."""
        set_registered(self, name, param, Parameter)

    def register_module(self, name: str, module: Module | None) -> None:
        """Set an attribute to a module or None: `self.name = module`, with a check. ArgumentError for anything else."""
        set_registered(self, name, module, Module)

    def register_buffer(self, name: str, tensor: Any, persistent: bool = True) -> None:
        """Set an attribute to a buffer with these values (`self.name = nn.Buffer(tensor)`), or None.

        With persistent=False it is a plain tensor, which is neither saved nor loaded.

        >>> from slopes import nn
        >>> net = nn.Identity()
        >>> net.register_buffer("total", [0.0, 0.0])
        >>> net.state_dict()["total"].tolist()
        [0.0, 0.0]
        """
        check_attribute(self, name)
        setattr(self, name, None if tensor is None else Buffer(tensor) if persistent else asarray(tensor))

    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Call fn(module) for every submodule, the inner ones first, and at last for this module; returns the module.

        >>> from slopes import nn
        >>> def zero_bias(layer):
        ...     if isinstance(layer, nn.Linear):
        ...         nn.init.zeros(layer.bias)
        >>> nn.Sequential(nn.Linear(3, 2), nn.ReLU()).apply(zero_bias)[0].bias.tolist()
        [0.0, 0.0]
        """
        for module in innermost_first(self):
            fn(module)
        return self

    # Modes and gradients

    def train(self, mode: bool = True) -> Module:
        """Set training mode: dropout is active, batch norm uses batch statistics and updates its running ones.

        A layer in eval mode inside a net in training mode is frozen: `fit` does not change it.
        """
        for _, module in self.named_modules():
            module.training = mode
            object.__setattr__(module, "left_in_use", False)
        return self

    def eval(self) -> Module:
        """Set eval mode: no dropout, running statistics."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set requires_grad of all parameters: False freezes the module. Returns the module."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def to(self, device: Any = None, dtype: Any = None) -> Self:
        """Convert all floating-point parameters and buffers to dtype, float32 or float64; returns the module.

        The first argument may be the dtype alone. The only device is "cpu". Parameters stay the same objects, so optimizers keep
        them; their gradients are dropped. Raises ArgumentError for another device or dtype.

        >>> from slopes import nn
        >>> nn.Linear(3, 2).to("cpu").to("float64").weight.dtype
        dtype('float64')
        """
        if dtype is None and float_name(device) is not None:
            device, dtype = None, device
        convert(type(self).__name__, [tensor for _, tensor in self.named_state()], device, dtype)
        return self

    def cpu(self) -> Self:
        """The module itself: everything is on the CPU."""
        return self

    def float(self) -> Self:
        """Convert to float32: to(dtype="float32")."""
        return self.to(dtype="float32")

    def double(self) -> Self:
        """Convert to float64: to(dtype="float64")."""
        return self.to(dtype="float64")

    def zero_grad(self) -> None:
        """Set all gradients to None."""
        for parameter in self.parameters():
            parameter.grad = None

    # State

    def state_dict(self) -> dict[str, np.ndarray]:
        """Copies of all parameters and buffers by path; a consistent snapshot even while another thread trains.

        Raises StateError if two have the same path, such as {"a.b": layer} and {"a": {"b": layer}}, or the keys 1 and "1" of a dict.

        >>> from slopes import nn
        >>> {name: array.shape for name, array in nn.Sequential(nn.Linear(2, 3)).state_dict().items()}
        {'0.weight': (3, 2), '0.bias': (3,)}
        """
        return copy_state(self.named_state())

    def named_state(self) -> list[tuple[str, Tensor]]:
        """(path, tensor) of all parameters and buffers, in order of assignment."""
        return collect(self, (Parameter, Buffer))

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> None:
        """Load the arrays of `state`, such as a checkpoint that `sl.read_checkpoint` reads. Nothing changes unless everything matches.

        A tied weight may have any of its names, or several with equal arrays, as files of PyTorch do. Raises one StateError that lists
        all missing and unknown names and wrong shapes; with strict=False, missing and unknown names are allowed.
        """
        held = dict(self.named_state())
        load_arrays(type(self).__name__, held, under_first_names(self, held, state) if isinstance(state, Mapping) else state, strict)

    # Text

    def summary(self, *examples: Any) -> Summary:
        """A table of layers, output shapes and parameter counts, for inputs of these shapes (or like these arrays).

        The network is traced in eval mode: nothing is computed, and no state changes.

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
        return summarize(self, self._summarized(), examples)

    def _repr_html_(self) -> str:
        """Layers and parameter counts as a table, in a notebook."""
        return summarize(self, self._summarized(), None)._repr_html_()

    def _summarized(self) -> list[tuple[str, Module, list[Parameter]]]:
        """(path, module, its own parameters) of all modules."""
        return [(entry.display, entry.value, own_parameters(entry.value)) for entry in entries(self) if isinstance(entry.value, Module)]

    def without_sizes(self, path: str) -> SlopesError:
        """The error of a module at this path whose parameters are asked for before they are made."""
        raise missing_method(self, "without_sizes")

    def details(self) -> str:
        """The layer's arguments as text, such as "784 -> 128", for repr and messages."""
        return ""

    def describe(self) -> str:
        """One line: Linear(784 -> 128)."""
        return f"{type(self).__name__}({self.details()})"

    def __repr__(self) -> str:
        return tree_text(self)


class Parameters(list):
    """A list of parameters with their paths in `names`."""

    def __init__(self, named: list[tuple[str, Parameter]]) -> None:
        super().__init__(parameter for _, parameter in named)
        self.names = [name for name, _ in named]


class Entry:
    """A part of a module: its path in a state ("layers.0"), its path for display ("net.layers[0]"), and the object."""

    __slots__ = ("display", "key", "value")

    def __init__(self, key: str, display: str, value: Any) -> None:
        self.key, self.display, self.value = key, display, value

    def contents(self) -> list[Entry]:
        """Entries of the modules, parameters, buffers and containers directly inside."""
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
    """Every module, parameter and buffer in `root`, including itself, each once under its first path."""
    return walk(Entry("", root.name, root), lambda entry: True)


def collect(root: Module, kind: Any) -> list[tuple[str, Any]]:
    """(path, tensor) of each parameter or buffer of this kind; StateError for duplicate paths."""
    inside = list(entries(root))
    for entry in inside:
        if isinstance(entry.value, Module) and entry.value.lacks_sizes:
            raise entry.value.without_sizes(entry.display)
    matches = [entry for entry in inside if isinstance(entry.value, kind)]
    if len({entry.key for entry in matches}) < len(matches):
        raise equal_paths(root, matches)
    return [(entry.key, entry.value) for entry in matches]


def under_first_names(root: Module, held: Mapping[str, Tensor], state: Mapping[str, Any]) -> Mapping[str, Any]:
    """The state with other names of tied weights replaced by the first ones; StateError where the arrays of two names differ."""
    firsts = {id(tensor): name for name, tensor in held.items()}
    others = {name: first for name in state if name not in held and (first := firsts.get(id(tensor_at(root, name))))}
    if not others:
        return state
    arrays = {name: array for name, array in state.items() if name not in others}
    for name, first in others.items():
        if first in arrays and not np.array_equal(np.asarray(arrays[first]), np.asarray(state[name])):
            raise StateError(f"load_state_dict: {name} and {first} are one weight of {type(root).__name__}, but differ in the state",
                             why="the two layers are tied (nn.tie)",
                             repair=f"remove {name} from the state, or build the net without the tie")
        arrays.setdefault(first, state[name])
    return arrays


def tensor_at(root: Module, path: str) -> Any:
    """The parameter or buffer at a path, also at one that is not its first; None where there is none."""
    stack = [Entry("", root.name, root)]
    while stack:
        entry = stack.pop()
        if entry.key == path and isinstance(entry.value, Tensor):
            return entry.value
        if not isinstance(entry.value, Tensor):
            stack += [inner for inner in entry.contents() if path == inner.key or path.startswith(f"{inner.key}." if inner.key else "")]
    return None


def equal_paths(root: Module, matches: list[Entry]) -> StateError:
    """The error for two tensors with the same path."""
    first: dict[str, Entry] = {}
    one, other = next((first[entry.key], entry) for entry in matches if first.setdefault(entry.key, entry) is not entry)
    return StateError(f"{type(root).__name__}: {one.display} and {other.display} have the same path in a state, {one.key!r}",
                      why="a state has one array per path: one of the two would be lost",
                      repair="rename a key: the keys of a dict must differ as text and contain no dots")


def innermost_first(root: Module) -> list[Module]:
    """`root` and its submodules, each once, after all that are inside of it."""
    order: list[Module] = []
    visited: set[int] = set()
    stack = [(root, False)]
    while stack:
        module, left = stack.pop()
        if left:
            order.append(module)
        elif id(module) not in visited:
            visited.add(id(module))
            stack.append((module, True))
            stack.extend((child, False) for child in reversed(module.children()))
    return order


def nearest_modules(root: Module) -> Iterator[Entry]:
    """The direct submodules of `root`, also in containers."""
    inner = walk(Entry("", root.name, root), lambda entry: entry.value is root)
    return (entry for entry in inner if isinstance(entry.value, Module) and entry.value is not root)


def round_to_bfloat16(x: Any) -> Any:
    """Round a float32 value computed in a compiled function to bfloat16; return anything else unchanged."""
    return build("round_bfloat16", x) if isinstance(x, Tensor) and x._value is None and x.dtype == float32 else x


def own_parameters(root: Module) -> list[Parameter]:
    """The parameters of `root` itself, without those of submodules."""
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
            stack.extend(reversed(entry.contents()))


class Running(threading.local):
    """The regions of all submodules of the outermost module that is running in this thread, by address."""

    def __init__(self) -> None:
        self.regions: dict[int, Region] = {}


running = Running()
_regions: WeakKeyDictionary[Module, tuple[int, dict[int, Region]]] = WeakKeyDictionary()


def is_single(layer: Module) -> bool:
    """Whether a layer has no submodules, so that an error in it cannot come from a user's layer."""
    return not any(True for _ in nearest_modules(layer))


def too_deep(net: Module) -> TooDeepError:
    depth = max(entry.display.count(".") + entry.display.count("[") for entry in entries(net) if isinstance(entry.value, Module))
    return TooDeepError(f"{type(net).__name__}: its layers are nested deeper than Python's limit of {sys.getrecursionlimit()} frames",
                        why=f"its modules are nested up to {depth} levels, or one calls itself",
                        repair="put layers into one flat nn.Sequential; sys.setrecursionlimit raises the limit")


def not_a_tensor(layer: Module, path: str, value: Any) -> ArgumentError:
    """The error for a layer whose input is neither a tensor nor an array."""
    kind, repair = type(value).__name__, "slopes.tensor(x) creates one from numbers or lists of equal length"
    if value is None:
        repair = "look for a preceding function without a return value"
    return ArgumentError(f"{layer.describe()} at {path} needs a tensor, but x is {shorten(value)} of type {kind}", repair=repair,
                         where=f"layer called at {line_text(user_location())}")


def call_region(module: Module, outer: Region | None) -> Region:
    """The region of a call of `module` inside of `outer`: "net" for the outermost layer, "net[0]", "net.head" for those inside it.

    While a function is traced each call is a region of its own, with arguments; otherwise those of one layer share one.
    """
    if outer is None or not outer.layer:
        running.regions = regions_in(module)
    region = running.regions.get(id(module))
    if region is None:  # it is not reachable from the outermost module
        region = layer_region(module, module.name if module.name != Module.name else type(module).__name__)
    if not scopes.tracing:
        return region
    return Region(region.name, region.kind, region.layer, arguments_of(module), outer)


def layer_region(module: Module, path: str) -> Region:
    """The region of a layer at this path, where nothing is traced."""
    return Region(path, type(module).__name__, path, {}, None)


def arguments_of(module: Module) -> dict[str, Any]:
    """The attributes of a layer that are plain values, such as stride and padding, and its mode."""
    own = {name: value for name, value in vars(module).items() if not name.startswith("_") and name not in Module.__dict__}
    return plain_values({**own, "training": module.training})


def regions_in(root: Module) -> dict[int, Region]:
    version, regions = _regions.get(root, (-1, {}))
    if version != versions.structure:
        regions = {id(entry.value): layer_region(entry.value, entry.display) for entry in entries(root) if isinstance(entry.value, Module)}
        _regions[root] = (versions.observe_structure(), regions)
    return regions


def tree_text(root: Module) -> str:
    """The module and its submodules, one line each, indented.

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
