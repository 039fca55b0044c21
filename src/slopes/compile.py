"""`sl.compile`: a Python function of tensors, traced once per combination of shapes, types and structure, then one native call."""

from __future__ import annotations

import copy
import functools
import os
import sys
import threading
import types
from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakSet

import numpy as np

from . import tree
from .backend import Backend, find_backend, on_mesh
from .bound import MISS, Bound
from .capture import STATIC, capture_call
from .checked import CheckedBound
from .derivatives.inline import call_inline
from .errors import ArgumentError, TraceError, warn
from .extras import on_demand
from .graph.dtype import masked_error
from .guards import PYTHON_VALUE
from .levels import levels
from .modes import mode
from .settings import checks_ownership, debug_level
from .tensor import Tensor
from .versions import versions

VERSIONS_KEPT = 4  # of one kind of arguments: a network in training and in use, and a little more
PROGRAMS_KEPT = 64  # of one function: those used last
ARENAS_KEPT = 1 << 30  # bytes that the intermediate values of all programs of one function take
ALWAYS_KEPT = 4  # programs that stay, however large they are: a network in training and in use, the last batch of an epoch
REASONS_KEPT = 1000
VARYING = 8  # compilations for the same reason: one Python value after the other
STORAGES = "float32", "bfloat16"
FAST_CALL = "slopes.fast_call"  # loaded at the first native call that is repeated


def compile(function: Callable | None = None, *, taps: Sequence[str] = (), storage: str = "float32",
            backend: str | Backend = "native", mesh: Any = None) -> Any:
    """Make a native program of a function of tensors.

    The function runs once in Python for each combination of argument shapes, types and structure; its operations are recorded
    as a graph, optimised and compiled to machine code, which every later call runs. Tensors that the function reads or assigns
    besides its arguments (parameters, buffers, an optimizer's state, a generator) are its state: read at each call and updated at
    its end. Python numbers among the arguments are part of the program; tensors are not.

    Forms on paper that overflow or lose digits, such as log(sum(exp(x))), log(1 + exp(x)) and 1 / (1 + exp(-x)), are computed in
    a stable form where they are recognised, and their derivatives are those of that form: finite where the value is. A
    derivative that is taken outside is right and stable as well, but runs operation by operation, as a warning says once:
    sl.compile(sl.grad(f)) is fast, sl.grad(sl.compile(f)) is not; so does a call with an argument that was computed from tensors
    which require a gradient. To parameters that the function reads, or is given, its results carry no gradient: compile the loss and
    its backward() with the network, not the network alone.

    What is frozen: whatever Python computes while the function is traced is part of the program. What it reads from globals,
    closures, default arguments, attributes, dicts and lists, also in functions, methods and objects of the user, is compared before
    each call; after a change the function is traced anew, and `.reasons` names the change. NumPy arrays that tensors are computed
    with are inputs, read at each call; those that only NumPy computes with are compared up to 64 KiB. Not compared, and so frozen:
    the clock (a warning says so; random numbers of Python and NumPy are refused), files, environment variables, iterators, code of
    installed packages, containers of more than 1,000 items but for their size and what is read by a constant key, and what NumPy
    computes from larger arrays. Side effects happen while tracing only; what the function itself counts up or appends to is not
    compared.

    What is kept: the 64 programs used last, those with at most 1 GiB of intermediate values together, and always 4. Copies and pickles
    take the function along, not its programs: a compiled method of a copied network computes with the weights of the copy. Signal
    handlers, finalizers called by the garbage collector and other threads compute at once while a function is traced.

    taps: paths of values to look at: a layer's output (`net[0]`), a tensor of a layer (`net[0].weight`), its gradient
    (`net[0].weight.grad`) or its change in this call (`net[0].weight.update`); the last call's are in `.tapped`. A compiled
    function also knows `.compilations`, `.reasons` (why each happened; SLOPES_DEBUG=1 prints them) and `.many`.

    storage: "bfloat16" keeps what layers with weights take, which their derivatives need, in 16 bits (see `round_bfloat16`): less
    memory, numbers of 8 bits' precision. Everything is still computed, and weights are kept, in float32.

    backend: "native" compiles for this processor; "xla" compiles with XLA through JAX, for a GPU where it has one (docs/xla.md);
    "reference" interprets the recorded operations one by one with NumPy: slow, and what compiled code is compared with. Or an object
    with `compile(captured) -> Executable`, see slopes.backend.

    mesh: a `sl.mesh` of several devices, with backend="xla": arguments are split along its axis `data`, see docs/devices.md.

    Numbers: + - * / and sqrt of elements are rounded one by one, as eagerly, so that x * x - y * y is 0 where x = y. Only a product
    inside of a sum of products (matmul, convolution, `sum`, `mean`, `cumulative_sum`) may be added without being rounded first, by
    a fused multiply-add. Sums may be added in another order, and exp, sin, ... differ within their error bounds.

    Raises TraceError where Python code depends on a tensor's value or draws random numbers of Python or NumPy, OutOfRangeError and
    DivisionError as eager code does.

    >>> import slopes as sl
    >>> @sl.compile
    ... def distance(a, b):
    ...     return sl.sqrt(((a - b) ** 2).sum())
    >>> distance(sl.tensor([0., 3.]), sl.tensor([4., 0.]))
    tensor(5.)
    """
    if function is None:
        return functools.partial(compile, taps=taps, storage=storage, backend=backend, mesh=mesh)
    if not callable(function):
        raise ArgumentError(f"compile: {function!r} is no function", repair="write sl.compile(f) or @sl.compile above def")
    if storage not in STORAGES:
        raise ArgumentError(f"compile: storage={storage!r} is not known", repair=f"choose one of {', '.join(STORAGES)}")
    backend = on_mesh(backend, mesh)
    return Compiled(function, tuple(taps), storage, find_backend(backend) if backend != "native" else backend)


def profile(function: Compiled, *args: Any, runs: int = 20, **kwargs: Any) -> Any:
    """Where the time of a compiled function goes: a table of its kernels with time, GFLOP/s and lines, and one by layer.

    Runs a timed twin of the program on these arguments `runs` times; the function's state is put back as it was.

    >>> import slopes as sl
    >>> step = sl.compile(lambda x: (x * 2).sum())
    >>> len(sl.profile(step, sl.ones(100)).rows)
    1
    """
    if not isinstance(function, Compiled):
        raise ArgumentError(f"profile: {function!r} is not compiled", repair="compile it first: sl.profile(sl.compile(f), ...)")
    return function.profile(*args, runs=runs, **kwargs)


class Compiled:
    """A compiled function: call it like the original."""

    def __init__(self, function: Callable, taps: tuple[str, ...], storage: str, backend: str | Backend = "native") -> None:
        self.function, self.taps, self.storage, self.backend = function, taps, storage, backend
        self.reasons: list[str] = []
        self.tapped: dict[str, Tensor] = {}
        self.compilations = 0  # how often the function was traced and compiled
        self.inlinings = 0  # how often it ran operation by operation, for a derivative taken outside
        self._versions: dict[Any, list[Bound]] = {}  # per kind of arguments, the latest version first; the kind used last comes last
        self._last: tuple | None = None
        self._varied = 0  # compilations that a Python value alone made necessary
        self._lock = threading.RLock()  # one thread traces, others that call with the same arguments wait for its program
        self._recent: Callable[[tuple], Any] | None = None  # calls the latest version again, if its arguments were tensors side by side
        functools.update_wrapper(self, function, updated=())  # what a network has in its attributes is not the program's
        _alive.add(self)

    @property
    def programs(self) -> list[Any]:
        """The native programs, one per combination of shapes, types and structure."""
        return [version.executable.program for known in self._versions.values() for version in known  # type: ignore[attr-defined]
                if hasattr(version.executable, "program")]

    @property
    def memory(self) -> int:
        """The bytes that the intermediate values of its largest program take."""
        return max((version.executable.memory for known in self._versions.values() for version in known), default=0)

    def executable(self) -> Any:
        """The backend's program that was used last. Raises ArgumentError before the first call."""
        if not self._versions:
            raise ArgumentError(f"the compiled function {self._name} has no program yet", repair="call it first")
        return next(reversed(self._versions.values()))[0].executable

    @property
    def _name(self) -> str:
        """What messages call the function."""
        return getattr(self.function, "__name__", "a function")

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """A compiled method: the object comes first, and is told apart from others of its class."""
        return self if instance is None else types.MethodType(self, instance)

    # Copies and pickles: the function with its options; programs are made anew, or come from the cache on disk

    def __copy__(self) -> Compiled:
        return Compiled(*self._options())

    def __deepcopy__(self, memo: dict[int, Any]) -> Compiled:
        """A compiled copy of the function: of a method of a network that is copied, too, the method of the copy."""
        made = memo[id(self)] = Compiled.__new__(Compiled)
        made.__setstate__(copy.deepcopy(self._options(), memo))
        return made

    def __reduce__(self) -> str | tuple:
        """By name where it can be imported; the function under a decorator is found as an attribute of what the decorator made."""
        module, name = self.__dict__.get("__module__"), self.__dict__.get("__qualname__", "")
        if _named(module, name) is self:
            if module != "__main__":
                return name
            self.function.__qualname__ = f"{name}.function"
        return Compiled.__new__, (Compiled,), self._options()

    def _options(self) -> tuple:
        return self.function, self.taps, self.storage, self.backend

    def __setstate__(self, options: tuple) -> None:
        Compiled.__init__(self, *options)

    def __repr__(self) -> str:
        return f"<compiled {getattr(self.function, '__name__', self.function)}: {len(self.programs)} programs>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if mode.trace is not None:  # inside of another compiled function: part of its program
            return self.function(*args, **kwargs)
        recent = self._recent
        if recent is not None and not kwargs and (result := recent(args)) is not MISS:
            return result  # the usual call needs no walk through a tree
        if levels.active:
            return self._inlined(args, kwargs)
        leaves, structure = tree.flatten((args, dict(sorted(kwargs.items()))))
        version = self._version(leaves, structure, frozenset())
        if mode.recording and not version.captured.gradients and any(isinstance(leaf, Tensor) and is_computed(leaf) for leaf in leaves):
            return self._inlined(args, kwargs)  # a later `backward` may ask for the gradients of what it was computed from
        flat = not kwargs and len(args) == len(leaves) and all(isinstance(arg, Tensor) for arg in args)
        self._recent = on_demand(FAST_CALL).fast_call(version, args) if flat and version.has_fast_call else None
        return self._run(version, leaves, 1, False)

    def _run(self, version: Bound, leaves: Sequence[Any], steps: int, stacked: bool) -> Any:
        """Call a version; what is tapped is kept."""
        result, tapped = version.call(leaves, steps, stacked)
        if self.taps:
            self.tapped = dict(zip(self.taps, tapped))
        return result

    def _inlined(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        """The function for a derivative that is taken outside, which follows each operation: no program runs, which is said once."""
        self.inlinings += 1
        if self.inlinings == 1:
            warn(f"the compiled function {self._name} runs operation by operation, as its derivative is taken outside of it",
                 why="a program gives values only, a derivative needs every operation",
                 repair="take the derivative inside: sl.compile(sl.grad(f)), or call backward() in the compiled function")
        return call_inline(self.function, self.storage, args, kwargs)

    def many(self, steps: int, *args: Any, stepped: Sequence[int] = ()) -> Any:
        """Run `steps` calls in one native call; results are stacked along a new first axis.

        `stepped` are positions of arguments whose first axis is the step: step i sees their element i. State carries over from
        step to step. Raises ArgumentError for a stepped argument that is shorter than `steps`.
        """
        return self._run(*self.stepped_version(steps, args, stepped), steps, True)

    def stepped_version(self, steps: int, args: Sequence[Any], stepped: Sequence[int]) -> tuple[Bound, list[Any]]:
        """The version for `many` steps with these arguments, compiled if it is not there yet, and the leaves of the arguments."""
        if mode.trace is not None:
            raise TraceError("many() of a compiled function inside of another one", why="the outer function is one program already",
                             repair="call the function in a Python loop")
        if steps < 1:
            raise ArgumentError(f"many: {steps} steps", repair="run at least one")
        if any(not 0 <= position < len(args) for position in stepped):
            raise ArgumentError(f"many: stepped={tuple(stepped)} for {len(args)} arguments", why="positions count arguments from 0")
        parts = [tree.flatten(arg) for arg in args]
        leaves = [leaf for part, _ in parts for leaf in part]
        moving = frozenset(self._moving(parts, stepped, steps))
        _, structure = tree.flatten((tuple(args), {}))
        return self._version(leaves, structure, moving), leaves

    def _moving(self, parts: list, stepped: Sequence[int], steps: int) -> list[int]:
        """The indices of the leaves that move with the step."""
        indices, start = [], 0
        for position, (leaves, _) in enumerate(parts):
            if position in stepped:
                for i, leaf in enumerate(leaves, start):
                    if not isinstance(leaf, (Tensor, np.ndarray)) or not leaf.ndim or leaf.shape[0] < steps:
                        raise ArgumentError(f"many: argument {position} does not hold {steps} steps",
                                            why="the first axis of a stepped argument is the step")
                    indices.append(i)
            start += len(leaves)
        return indices

    def profile(self, *args: Any, runs: int = 20, **kwargs: Any) -> Any:
        """Where the time of a call with these arguments goes, kernel by kernel; state is put back as it was."""
        leaves, structure = tree.flatten((args, dict(sorted(kwargs.items()))))
        return self._version(leaves, structure, frozenset()).profile(leaves, runs)

    # ------------------------------------------------------------------ finding the program
    def _version(self, leaves: Sequence[Any], structure: Any, moving: frozenset[int]) -> Bound:
        key = (structure, moving, tuple([self._leaf_key(leaf, i in moving) for i, leaf in enumerate(leaves)]), mode.recording)
        with self._lock:
            known = self._versions.pop(key, [])
            try:
                right = next((version for version in known if version.is_current()), None)
                if right is None:
                    self._trace(leaves, structure, moving, key, known)
                    self._forget(known)
                elif right is not known[0]:
                    known.remove(right)
                    known.insert(0, right)
                return known[0]
            finally:
                if known:
                    self._versions[key] = known

    def _leaf_key(self, leaf: Any, moving: bool) -> Any:
        if isinstance(leaf, Tensor):
            return leaf.shape[moving:], leaf.dtype, leaf._requires_grad
        if isinstance(leaf, np.ma.MaskedArray):
            raise masked_error(f"a masked array of shape {leaf.shape}")
        if isinstance(leaf, np.ndarray):
            return leaf.shape[moving:], leaf.dtype.newbyteorder("="), False
        if isinstance(leaf, (float, complex, np.generic)):
            return type(leaf), repr(leaf)  # which tells -0.0 from 0.0, and finds nan again
        return (type(leaf), leaf) if isinstance(leaf, STATIC) else Same(leaf)

    def _trace(self, leaves: Sequence[Any], structure: Any, moving: frozenset[int], key: Any, known: list[Bound]) -> None:
        """Put a version that is right for the present structure first: a new one, or one that was right before (eval and back)."""
        captured = capture_call(self.function, leaves, structure, stepped=moving, taps=self.taps, storage=self.storage)
        bound = CheckedBound if checks_ownership() else Bound
        fresh = bound(self.function, captured, find_backend(self.backend))
        same = next((version for version in known if version.same_as(fresh)), None)
        if same is None:
            self._count(self._reason(key, known))
            if debug_level():
                print(f"slopes: compiled {self._name}: {self.reasons[-1]}", file=sys.stderr)
            self._last = key
        else:
            known.remove(same)
        chosen = same or fresh
        chosen.structure_version, chosen.guards = versions.observe_structure(), fresh.guards
        known.insert(0, chosen)
        del known[VERSIONS_KEPT:]

    def _count(self, reason: str) -> None:
        """Note a compilation; say once when one Python value after the other makes a program of its own."""
        self.compilations += 1
        self.reasons.append(reason)
        del self.reasons[:-REASONS_KEPT]
        self._varied = self._varied + 1 if PYTHON_VALUE in reason else 0
        if self._varied == VARYING:
            changed = ", ".join(part.partition(" is ")[0] for part in reason.split("; ") if PYTHON_VALUE in part)
            warn(f"the compiled function {self._name} is compiled anew in each call: {changed} changes from call to call",
                 why="a Python value is part of the program, and each compilation takes longer than many calls",
                 repair="pass a tensor instead, which a program reads at each call: sl.asarray(value)")

    def _forget(self, latest: list[Bound]) -> None:
        """Let go of the programs that were not used for longest, as far as they and the latest are too many."""
        count, room = 0, 0
        for key, known in [(None, latest), *reversed(list(self._versions.items()))]:
            count, room = count + len(known), room + sum(version.executable.memory for version in known)
            if key is not None and count > ALWAYS_KEPT and (count > PROGRAMS_KEPT or room > ARENAS_KEPT):
                del self._versions[key]

    def _reason(self, key: Any, known: list[Bound]) -> str:
        """Why a program had to be made, in words."""
        if known:
            return known[0].guards.changed() or "a layer, a flag or a Python value that the function reads has changed"
        if self._last is None:
            return "first call"
        old_structure, old_moving, old_leaves, old_recording = self._last
        structure, moving, present_leaves, recording = key
        if structure != old_structure:
            return "the arguments are nested differently"
        if moving != old_moving:
            return "other arguments move with the step"
        if recording != old_recording:
            return "gradients are recorded now" if recording else "gradients are no longer recorded"
        changed = [f"argument {i} is {_shown(new)}, was {_shown(old)}" for i, (new, old) in enumerate(zip(present_leaves, old_leaves))
                   if new != old]
        return "; ".join(changed)


def is_computed(x: Tensor) -> bool:
    """Whether a tensor was computed from others that require a gradient."""
    return x._requires_grad and not x.is_leaf


def _named(module: str | None, name: str) -> Any:
    """What has this qualified name in a module that is loaded, None if nothing."""
    value: Any = sys.modules.get(module or "")
    for part in name.split("."):
        value = getattr(value, part, None)
    return value


_alive: WeakSet[Compiled] = WeakSet()


def renew_after_fork() -> None:
    """A child process has none of its parent's threads: nobody traces, and what calls the latest versions knows locks of the parent."""
    for compiled in list(_alive):
        compiled._lock, compiled._recent = threading.RLock(), None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=renew_after_fork)


def _shown(key: Any) -> str:
    if isinstance(key, tuple) and len(key) == 3:
        return f"{key[1]}{list(key[0])}" + (" with a gradient" if key[2] else "")
    if isinstance(key, tuple):
        value = key[1] if issubclass(key[0], (float, complex, np.generic)) else repr(key[1])
        return f"{value} {PYTHON_VALUE}"
    return "another object"


class Same:
    """An object as a key that is equal only for the very same object, which it keeps alive: its address is not used again."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.value is other.value
