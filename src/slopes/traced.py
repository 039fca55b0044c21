"""One version of a compiled function: traced once, its state bound, called many times."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from . import tree
from .arrays import Shelf, address_of, aligned_empty
from .captures import Captures
from .errors import ArgumentError, DivisionError, OutOfRangeError, SlopesError, TraceError, line_text
from .extras import on_demand
from .graph.dtype import is_complex, plain
from .graph.node import Node
from .graph.operation import Constant, Variable
from .graph.walk import topological
from .guards import guards_of
from .tensor import Parameter, Tensor, Trace, accumulate, from_array, mode, no_grad, tracing, versions

if TYPE_CHECKING:
    from .compile import Compiled

BACKEND = "slopes.machine.native"  # loaded at the first compilation, so that importing slopes does not load LLVM
PROFILER = "slopes.machine.profile"
GLANCE = 5e-5  # seconds between two looks whether a call is over
MISS = object()  # what Version.repeater's function returns for arguments that need a closer look
STATIC = (bool, int, float, complex, str, bytes, type(None))


def equal_values(found: Sequence[Any], others: Sequence[Any]) -> bool:
    """Whether Python values and arrays are the same ones."""
    return len(found) == len(others) and all(
        x is y or (type(x) is type(y) and not isinstance(x, np.ndarray) and x == y) for x, y in zip(found, others))


class Version:
    """One traced and compiled version of a function, with its state bound."""

    def __init__(self, owner: Compiled, leaves: Sequence[Any], structure: Any, moving: frozenset[int]) -> None:
        trace = Trace(owner.storage)
        with tracing(trace):
            given = [self._argument(trace, leaf, number in moving) for number, leaf in enumerate(leaves)]
            numbers = {each._node: number for number, each in enumerate(given) if isinstance(each, Tensor)}
            args, kwargs = tree.unflatten(structure, given)
            before = Captures(owner.function, args, kwargs)
            trace.captured = before.arrays
            random = before.random_states()
            returned = owner.function(*args, **kwargs)
            results, self.result_structure = tree.flatten(returned)
            nodes = [self._result_node(trace, each) for each in results]
            self.guards = guards_of(before, Captures(owner.function, args, kwargs), trace)
        before.check_repeatable(random)
        self.structure_version = versions.structure
        self.fixed = [each for each, node in zip(results, nodes) if node is None]
        self.is_fixed = [node is None for node in nodes]
        self.taps = [_tap(trace, path) for path in owner.taps]
        self.argument_grads = [(number, gradient) for number, each in enumerate(given)
                               if isinstance(each, Tensor) and (gradient := trace.grads.get(each)) is not None]
        self._check_inherited(trace)
        self.gradient_owners = [(each, gradient is not None) for each, gradient in trace.grads.items() if each._value is not None]
        outputs = [node for node in nodes if node is not None] + self.taps + [grad._node_in(trace) for _, grad in self.argument_grads]
        self.outputs = len(outputs)
        self.writes = list(trace.writes)
        variables = {node: each for each, node in trace.reads.items()}
        roots = outputs + [trace.writes[each] for each in self.writes]
        updates = [None] * len(outputs) + [trace.reads[each] for each in self.writes]
        self._check_types(roots)
        self._check_leaves(roots, {node for node in (*numbers, *variables) if node is not None})
        fixed = {node for node, each in variables.items() if isinstance(each, Parameter) and each not in trace.writes}
        self.native = on_demand(BACKEND).compile_graph(roots, updates, fixed=fixed)
        self.prologue = Prologue(self.native, variables) if self.native.prologue is not None else None
        self.sources = [numbers.get(node) for node in self.native.inputs]
        self.state = [variables.get(node) for node in self.native.inputs]
        self.constants = [node.value if node.op is Constant else None for node in self.native.inputs]
        self.overwritten = set(self.writes)
        self.written = [each is not None and each in self.overwritten for each in self.state]
        self.results = [(node.shape, node.dtype) for node in self.native.roots[:self.outputs]]
        self.moving, self.structure = moving, structure
        spare = len(self.sources) + self.outputs  # the place of arguments that the program does not read
        places = {source: number for number, source in enumerate(self.sources) if source is not None}
        self.accepted = [(places.get(number, spare), leaf.shape, leaf.dtype, leaf._requires_grad)
                         for number, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
        shelves = [Shelf(shape, dtype) for shape, dtype in self.results]
        self.shelves = [(number, shelf.ready, shelf) for number, shelf in enumerate(shelves, len(self.sources))]
        self.single = self.result_structure.steps == (0,) and self.is_fixed == [False] and not self.taps and not self.argument_grads
        self.recording = mode.recording
        self.table = np.zeros(len(self.native.inputs) + self.outputs + 1, np.uint64)
        self.strides = np.zeros(len(self.table), np.int64)
        self.cells = self.table.data  # the same memory, quicker to write to
        self.addresses = self.table.ctypes.data, self.strides.ctypes.data
        self.bound_state = self.bound_gradients = -1
        self.held: list[Any] = []
        self.program = self.native.program
        if self.writes:
            with versions.gate:
                versions.writers.add(self)

    # ------------------------------------------------------------------ tracing
    def _argument(self, trace: Trace, leaf: Any, moving: bool) -> Any:
        if not isinstance(leaf, (Tensor, np.ndarray)):
            return leaf
        return trace.argument(leaf.shape[moving:], leaf.dtype.newbyteorder("="), isinstance(leaf, Tensor) and leaf._requires_grad)

    def _result_node(self, trace: Trace, value: Any) -> Node | None:
        if isinstance(value, Tensor):
            return value._node_in(trace)
        if isinstance(value, (*STATIC, np.ndarray)):
            return None
        raise TraceError(f"a compiled function returned {value!r} of type {type(value).__name__}",
                         why="results are tensors and Python values, nested in lists, tuples and dicts",
                         repair="return the tensors that you need")

    def _check_inherited(self, trace: Trace) -> None:
        for each in trace.inherited:
            if trace.grads.get(each) is not None:
                raise TraceError(f"backward in a compiled function adds to the gradient of a {each._prints_as} {each.shape} "
                                 "from before the call",
                                 why="gradients that a compiled function does not return stay inside of it: there is none to add to",
                                 repair="call net.zero_grad() inside the function, before backward() or after optimizer.step()")

    def _check_types(self, roots: list[Node]) -> None:
        for node in topological(roots):
            if is_complex(node.dtype):
                raise TraceError(f"{node.op.name} computes {node.dtype}, which slopes does not compile yet",
                                 why="complex numbers work eagerly only",
                                 repair="compute real and imaginary parts, or call it uncompiled",
                                 where=f"built at {line_text(node.location)}")

    def is_right(self) -> bool:
        """Whether everything that the function read while it was traced is as it was."""
        return self.structure_version == versions.structure and (self.guards.hold() or not self.guards.changed())

    def same_as(self, other: Version) -> bool:
        """Whether another version runs the same program on the very same tensors and returns the same structure."""
        return (self.native.program is other.native.program and self.result_structure == other.result_structure
                and equal_values(self.fixed, other.fixed) and self.sources == other.sources and self.is_fixed == other.is_fixed
                and list(map(id, self.tensors())) == list(map(id, other.tensors()))
                and list(map(id, self.writes)) == list(map(id, other.writes))
                and all(x is y for x, y in zip(self.constants, other.constants)))

    def tensors(self) -> list[Tensor | None]:
        """The tensors that the program and its prologue read, in their order."""
        return self.state if self.prologue is None else self.state + self.prologue.parameters

    def _check_leaves(self, roots: list[Node], known: set[Node]) -> None:
        for node in topological(roots):
            if node.op is Variable and node not in known:
                raise TraceError(f"a value {node.dtype}{list(node.shape)} from inside of a loop is used outside of it",
                                 why="sl.scan records its step once: what the step puts aside is no value of any single step",
                                 repair="return it from the step, as state or as output", where=f"made at {line_text(node.location)}")

    # ------------------------------------------------------------------ running
    def bind(self) -> None:
        """Put the addresses of all state into the table; tensors that the program writes must own their memory."""
        self.held = []  # before the gate: who holds it waits only for calls that write
        with versions.gate:
            if self.prologue is not None:
                self.prologue.bind()
            while self.bound_state != versions.state:  # a signal handler may hand out what is bound already
                self.bound_state = self._bind_state(versions.state)

    def _bind_state(self, state: int) -> int:
        """Put the addresses into the table; returns the state that this leaves, unless someone else changes it too."""
        self.held = []
        for number, each in enumerate(self.state):
            before = None if each is None else each._value
            array = self.given(number) if each is None else each._own_array() if self.written[number] else each._read_array()
            if array is not None:
                state += each is not None and array is not before
                self.held.append(array)
                self.table[number] = address_of(array)
        return state

    def wait_for(self, arrays: set[int]) -> None:
        """Wait until a call that is writing into one of these arrays, given by id, is over."""
        while not arrays.isdisjoint(map(id, self.held)):
            if self.program.lock.acquire(blocking=False):
                self.program.lock.release()
                return
            time.sleep(GLANCE)

    def given(self, number: int) -> np.ndarray | None:
        """The array of an input that is no tensor's: a constant, or what the prologue computes; None for an argument."""
        prepared = {} if self.prologue is None else self.prologue.results
        return prepared.get(self.native.inputs[number], self.constants[number])

    def place(self, leaves: Sequence[Any], steps: int, stacked: bool) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Put the addresses of the arguments and of fresh results into the table; returns both (to keep them alive)."""
        if self.bound_state != versions.state:
            self.bind()
        if self.prologue is not None:
            self.prologue.run()
        given = [self._place_argument(number, leaves[source], source in self.moving)
                 for number, source in enumerate(self.sources) if source is not None]
        results = []
        for number, (shape, dtype) in enumerate(self.results, len(self.sources)):
            array = aligned_empty((steps, *shape) if stacked else shape, dtype)
            self.table[number] = address_of(array)
            self.strides[number] = array.nbytes // steps if stacked else 0
            results.append(array)
        return given, results

    def profile(self, leaves: Sequence[Any], runs: int) -> Any:
        with self.program.turn():
            keep = self.place(leaves, 1, False)
            before = [np.array(each._value) for each in self.writes]
            found = on_demand(PROFILER).measure(self.native, *self.addresses, runs)
        for each, array in zip(self.writes, before):
            each.assign(array)
        del keep
        return found

    def call(self, owner: Compiled, leaves: Sequence[Any], steps: int, stacked: bool) -> Any:
        with self.program.turn() as nested:  # the table of addresses is one for all threads of Python
            before = (self.table.copy(), self.strides.copy(), self.held) if nested else None
            try:
                keep, results = self.place(leaves, steps, stacked)
                self.program.prepare(self.addresses, steps)
                failed = self.program.enter()
                del keep
            finally:
                versions.written += bool(self.writes)  # also when Ctrl-C comes right after the program
                if before is not None:
                    self._put_back(*before)
        return self._finished(owner, leaves, results, failed)

    def _put_back(self, table: np.ndarray, strides: np.ndarray, held: list[Any]) -> None:
        """Leave the tables as the call had them that this one interrupted, and alive what it reads."""
        self.table[:], self.strides[:], self.held = table, strides, held
        self.bound_state = -1

    def repeater(self, owner: Compiled) -> Callable[[tuple], Any]:
        """A function that calls this version again: with arguments like those of now; for others it returns MISS.

        A small network runs in a microsecond, so that this does no more than has to be done at every call, on local names.
        """
        program, cells, shelves, accepted, recording = self.program, self.cells, self.shelves, self.accepted, self.recording
        acquire, release, entered, enter = program.lock.acquire, program.lock.release, program.entered, program.enter
        addresses, count, single = self.addresses, len(self.accepted), self.single
        prologue, writes, hold = self.prologue, bool(self.writes), self.guards.hold

        def repeat(args: tuple) -> Any:
            if self.structure_version != versions.structure or len(args) != count or mode.recording is not recording or not hold():
                return MISS
            keep, results, mine = [], [], False
            try:
                acquire()  # the table of addresses is one for all threads of Python
                if entered[0]:
                    release()
                    return MISS  # this interrupts a call of the same program
                entered[0] = mine = True
                for arg, (place, shape, dtype, requires_grad) in zip(args, accepted):
                    if not isinstance(arg, Tensor) or arg._requires_grad is not requires_grad or arg._owned:
                        return MISS
                    if requires_grad and not arg.is_leaf:
                        return MISS
                    array = arg._value
                    if array is None or array.shape != shape or array.dtype is not dtype:
                        return MISS
                    address = arg._address or arg._find_address()
                    if not address:
                        return MISS
                    cells[place] = address
                    keep.append(array)
                if self.bound_state != versions.state:
                    self.bind()
                if prologue is not None:
                    prologue.run()
                for place, ready, shelf in shelves:
                    made = ready.pop() if ready else shelf.fresh()
                    cells[place] = made[1]
                    results.append(made)
                if program.prepared is not addresses:
                    program.prepare(addresses)
                failed = enter()
            except BaseException:
                if not mine and not entered[0]:  # Ctrl-C in the moment after the lock was taken, or while waiting for it
                    with suppress(RuntimeError):
                        release()
                raise
            finally:
                if mine:
                    versions.written += writes
                    entered[0] = False
                    release()
            if failed or not single or self.bound_gradients != versions.gradients:
                return self._finished(owner, args, [array for array, _ in results], failed)
            return from_array(*made)

        return repeat

    def _finished(self, owner: Compiled, leaves: Sequence[Any], results: list[np.ndarray], failed: int) -> Any:
        if failed:
            step = int(self.program.step[0])
            raise self._replayed_error(owner, leaves, step) or site_error(self.native.sites[failed - 1])
        return self._give_back(owner, leaves, results)

    def _replayed_error(self, owner: Compiled, leaves: Sequence[Any], step: int) -> SlopesError | None:
        """What the failed step raises when it runs eagerly: that error knows the values and the user's line. State stays as it is."""
        before = [(each, np.array(each._value)) for each in self.writes]
        given = [self._copied(leaf, step if number in self.moving else None) for number, leaf in enumerate(leaves)]
        args, kwargs = tree.unflatten(self.structure, given)
        try:
            owner.function(*args, **kwargs)
        except SlopesError as error:
            return error
        except Exception:
            return None
        finally:
            for each, array in before:
                each.assign(array)
            for each, inside in self.gradient_owners:
                each._grad, each._grad_inside = None, inside
        return None

    def _copied(self, leaf: Any, step: int | None) -> Any:
        if not isinstance(leaf, (Tensor, np.ndarray)):
            return leaf
        array = np.array(leaf._value_now() if isinstance(leaf, Tensor) else plain(leaf))
        copy = from_array(array if step is None else array[step])
        copy.requires_grad = isinstance(leaf, Tensor) and leaf._requires_grad
        return copy

    def _place_argument(self, number: int, leaf: Any, moving: bool) -> np.ndarray:
        array = leaf._value_now() if isinstance(leaf, Tensor) else leaf
        if isinstance(leaf, Tensor) and leaf._owned and leaf in self.overwritten:
            array = array.copy()  # its own state too: the argument keeps the value from before the call
        if not (array.flags.c_contiguous and array.flags.aligned and array.dtype.isnative):
            array = np.array(plain(array), order="C")
        self.table[number] = address_of(array)
        self.strides[number] = array.nbytes // array.shape[0] if moving else 0
        return array

    def _give_back(self, owner: Compiled, leaves: Sequence[Any], arrays: list[np.ndarray]) -> Any:
        tensors = [from_array(array) for array in arrays]
        if self.bound_gradients != versions.gradients:
            for each, inside in self.gradient_owners:
                each._grad, each._grad_inside = None, inside
            self.bound_gradients = versions.gradients
        values, fixed = iter(tensors), iter(self.fixed)
        found = [next(fixed) if is_fixed else next(values) for is_fixed in self.is_fixed]
        if self.taps:
            owner.tapped = {path: next(values) for path in owner.taps}
        if self.argument_grads:
            with no_grad():
                for number, _ in self.argument_grads:
                    accumulate(leaves[number], next(values))
        return tree.unflatten(self.result_structure, found)


class Prologue:
    """What a function computes from parameters alone, as long as it does not write them: kept until one of them changes."""

    def __init__(self, native: Any, variables: dict[Node, Tensor]) -> None:
        self.native = native.prologue
        self.program = self.native.program  # kept alive
        self.parameters = [variables.get(node) for node in self.native.inputs]
        self.constants = [node.value for node in self.native.inputs]
        self.results = {node: aligned_empty(node.shape, node.dtype) for node in native.prepared}
        self.table = np.zeros(len(self.parameters) + len(self.results), np.uint64)
        self.table[len(self.parameters):] = [address_of(array) for array in self.results.values()]
        self.strides = np.zeros(len(self.table), np.int64)
        self.held: list[Any] = []
        self.seen: int | None = None  # versions.written when the results were computed

    def bind(self) -> None:
        """Some tensor has another array: if it is one of these, take it, in memory that only compiled functions write to."""
        if self.held and all(each is None or each._value is array for each, array in zip(self.parameters, self.held)):
            return
        self.held = [each._own_array() if each is not None else value for each, value in zip(self.parameters, self.constants)]
        self.table[:len(self.held)] = [address_of(array) for array in self.held]
        self.seen = None

    def run(self) -> None:
        """Compute the results anew, if a parameter may have changed."""
        if self.seen == versions.written:
            return
        failed = self.program.run(self.table.ctypes.data, self.strides.ctypes.data)
        if failed:
            raise site_error(self.native.sites[failed - 1])
        self.seen = versions.written


def _tap(trace: Trace, path: str) -> Node:
    """The node at a path: a layer's output (net[0]), a tensor of a layer (net[0].weight), its gradient or its update."""
    if path in trace.notes:
        return trace.notes[path]
    base, _, kind = path.rpartition(".")
    tensor = _tensor_at(trace, path)
    if tensor is not None:
        return trace.writes.get(tensor) or trace.read(tensor)
    tensor = _tensor_at(trace, base)
    if tensor is not None and kind == "grad":
        gradient = trace.grads.get(tensor)
        if gradient is not None:
            return gradient._node_in(trace)
        raise ArgumentError(f"compile: {base} has no gradient at the end of the function to tap",
                            repair="call loss.backward() in it, and zero_grad() before that, not after")
    if tensor is not None and kind == "update":
        if tensor in trace.writes:
            return trace.writes[tensor] - trace.reads[tensor]
        raise ArgumentError(f"compile: the function does not change {base}", repair="call optimizer.step() in it")
    near = ", ".join(sorted(trace.notes)) or "none: no layer ran"
    raise ArgumentError(f"compile: nothing at path {path!r} to tap",
                        why="a path names a layer's output (net[0]), a tensor of a layer (net[0].weight), or that with .grad or .update",
                        repair=f"the layers are {near}")


def _tensor_at(trace: Trace, path: str) -> Tensor | None:
    """The tensor that is attribute `path` of a layer which ran."""
    layer, _, name = path.rpartition(".")
    found = vars(trace.layers[layer]).get(name) if layer in trace.layers else None
    return found if isinstance(found, Tensor) and found._value is not None else None


def site_error(node: Node) -> SlopesError:
    """The error that a native program reported on behalf of a node."""
    where = f"built at {line_text(node.location)}" + (f", in {node.layer}" if node.layer else "")
    if node.op.name in ("floor_divide", "remainder"):
        return DivisionError(f"{node.op.name}: integer division by zero", why="integers have no infinity to stand for the result",
                             repair="guard the divisor: sl.where(b == 0, 1, b)", where=where)
    axis = node.params["axis"]
    size = node.params["size"] if "size" in node.params else node.args[0].shape[axis]
    return OutOfRangeError(f"{node.op.name}: an index is outside axis {axis} of size {size}",
                           why=f"indices run from 0 to {size - 1}", repair="look where the indices (or labels) are made, or clip them",
                           where=where)
