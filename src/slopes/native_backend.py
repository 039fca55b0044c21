"""The native backend: a captured function as machine code, with its table of addresses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .arrays import address_of, aligned_empty
from .backend import Alternation, Backend, Executable, Pair, Segment, site_error
from .capture import Captured
from .extras import on_demand
from .graph.build import Constant
from .graph.node import Node
from .machine.chain import Chain, Run
from .machine.native import Native, compile_graph

PROFILER = "slopes.machine.profile"  # loaded when somebody asks where the time goes


class NativeBackend(Backend):
    """Compiles with LLVM for this processor."""

    name = "native"

    def compile(self, captured: Captured) -> NativeExecutable:
        """The native program of this captured function."""
        return NativeExecutable(captured, compile_graph(captured.roots, captured.destinations, fixed=captured.constants_between_calls))


class NativeExecutable(Executable):
    """A native program with the table of addresses of its arguments: inputs, state, constants, then results."""

    has_fast_call = True

    def __init__(self, captured: Captured, native: Native) -> None:
        self.native, self.program = native, native.program
        super().__init__(captured)
        inputs = {value.node: i for i, value in enumerate(captured.inputs)}
        state = {value.node: i for i, value in enumerate(captured.state)}
        count = len(native.inputs)
        self.input_slots = [(slot, inputs[node]) for slot, node in enumerate(native.inputs) if node in inputs]
        self.state_slots = [(slot, state[node]) for slot, node in enumerate(native.inputs) if node in state]
        self.results = [(node.shape, node.dtype) for node in native.roots[:len(captured.computed)]]
        self.table = np.zeros(count + len(self.results) + 1, np.uint64)  # the last slot is for arguments that are not read
        self.strides = np.zeros(len(self.table), np.int64)
        self.table_view = self.table.data  # the same memory, quicker to write to
        self.addresses = self.table.ctypes.data, self.strides.ctypes.data
        self.first_result = count
        self.prologue = None if native.prologue is None else Prologue(native, state)
        self.constants = self.bind_constants()
        self.reads = list(dict.fromkeys([*(i for _, i in self.state_slots), *([] if self.prologue is None else self.prologue.state)]))
        self.keeps = set() if self.prologue is None else set(self.prologue.state)
        self.sites, self.memory = native.sites, self.program.manifest.arena

    @property
    def turns(self) -> Any:
        """Those of the program, which several executables may share."""
        return self.program

    def bind_constants(self) -> list[np.ndarray]:
        """Put the addresses of constants and of what the prologue computes into the table; gives the arrays, to keep them alive."""
        arrays = []
        computed = {} if self.prologue is None else self.prologue.results
        for slot, node in enumerate(self.native.inputs):
            array = computed.get(node, node.value if node.op is Constant else None)
            if array is not None:
                self.table[slot] = address_of(array)
                arrays.append(array)
        return arrays

    def bind(self, arrays: Sequence[np.ndarray | None]) -> None:
        """Put the addresses of the state into the table."""
        for slot, i in self.state_slots:
            array = arrays[i]
            assert array is not None, "what is in `reads` is bound"
            self.table[slot] = address_of(array)
        if self.prologue is not None:
            self.prologue.bind(arrays)

    def holding(self) -> Sequence[np.ndarray]:
        """The parameters of the prologue: the table has addresses only."""
        return [] if self.prologue is None else self.prologue.bound

    def refresh(self, version: int) -> None:
        """Compute what depends on parameters alone anew, if one of them may have changed."""
        if self.prologue is not None:
            self.prologue.refresh(version)

    def run(self, arguments: Sequence[np.ndarray], results: Sequence[np.ndarray], steps: int) -> int:
        """Run the program on these arrays."""
        self.fill(arguments, results, steps)
        self.program.prepare(self.addresses, steps)
        return self.program.enter()

    def fill(self, arguments: Sequence[np.ndarray], results: Sequence[np.ndarray], steps: int) -> None:
        """Put the addresses of these arrays into the table, and how far each moves from step to step."""
        stepped, inputs = self.captured.stepped, self.captured.inputs
        for slot, i in self.input_slots:
            array = arguments[i]
            self.table[slot] = address_of(array)
            self.strides[slot] = array.nbytes // array.shape[0] if inputs[i].leaf in stepped else 0
        for slot, (array, (shape, _)) in enumerate(zip(results, self.results), self.first_result):
            self.table[slot] = address_of(array)
            self.strides[slot] = array.nbytes // steps if array.ndim > len(shape) else 0

    def alternate(self, other: Executable) -> Alternation:
        """Take turns with another one in each call: of native ones in one native call."""
        return NativeAlternation((self, other)) if isinstance(other, NativeExecutable) else super().alternate(other)

    def failed_step(self) -> int:
        """The step that the program came to."""
        return int(self.program.step[0])

    def save(self) -> tuple[np.ndarray, np.ndarray]:
        """Copies of the tables."""
        return self.table.copy(), self.strides.copy()

    def restore(self, saved: tuple[np.ndarray, np.ndarray]) -> None:
        """Put the tables back."""
        self.table[:], self.strides[:] = saved

    def same_as(self, other: Executable) -> bool:
        """Whether both run one program on the same constants, inputs in the same order."""
        return (isinstance(other, NativeExecutable) and self.program is other.program and self.input_slots == other.input_slots
                and self.state_slots == other.state_slots and len(self.constants) == len(other.constants)
                and all(x is y for x, y in zip(self.literals(), other.literals())))

    def literals(self) -> list[Any]:
        """The arrays of constants of the graph."""
        return [node.value for node in self.native.inputs if node.op is Constant]

    def profile(self, runs: int) -> Any:
        """Where the time of a run goes, kernel by kernel, on the arrays of the last run."""
        return on_demand(PROFILER).measure(self.native, *self.addresses, runs)


class NativeAlternation(Alternation):
    """Two native programs that take turns in one native call."""

    def __init__(self, pair: Pair[NativeExecutable]) -> None:
        super().__init__(pair)
        self.natives, self.chain = pair, Chain()

    def run(self, arguments: Pair[Sequence[np.ndarray]], results: Pair[Sequence[np.ndarray]], segments: Sequence[Segment]
            ) -> tuple[int, int, int]:
        """(0 or the number of the site that failed, which of the two failed, at which step of the call)."""
        for native, own, made in zip(self.natives, arguments, results):
            native.fill(own, made, segments[-1][1])
            native.program.prepared = None
        runs = [Run(native.program, native.addresses, start, stop - start)
                for start, stop, native in ((start, stop, self.natives[which]) for start, stop, which in segments)]
        failed, index = self.chain.run(runs)
        which = segments[index][2]
        return failed, which, self.natives[which].failed_step() if failed else 0


class Prologue:
    """What a function computes from parameters that it does not assign: computed again when one of them has changed."""

    def __init__(self, native: Native, state: dict[Node, int]) -> None:
        assert native.prologue is not None
        self.native = native.prologue
        self.program = self.native.program
        self.slots = [(slot, state[node]) for slot, node in enumerate(self.native.inputs) if node in state]
        self.state = [i for _, i in self.slots]
        self.results = {node: aligned_empty(node.shape, node.dtype) for node in native.prepared}
        self.table = np.array([0 if node.value is None else address_of(node.value) for node in self.native.inputs]
                              + [address_of(array) for array in self.results.values()], np.uint64)
        self.strides = np.zeros(len(self.table), np.int64)
        self.bound: list[np.ndarray] = []
        self.version: int | None = None  # of the values from which the results were computed

    def bind(self, arrays: Sequence[np.ndarray | None]) -> None:
        """Take the arrays of the parameters; if one is another than before, the results are no longer right."""
        bound = [array for i in self.state if (array := arrays[i]) is not None]
        if len(bound) == len(self.bound) and all(x is y for x, y in zip(bound, self.bound)):
            return
        self.bound = bound
        for (slot, _), array in zip(self.slots, bound):
            self.table[slot] = address_of(array)
        self.version = None

    def refresh(self, version: int) -> None:
        """Compute the results anew, if a parameter may have changed."""
        if self.version == version:
            return
        failed = self.program.run(self.table.ctypes.data, self.strides.ctypes.data)
        if failed:
            raise site_error(self.native.sites[failed - 1])
        self.version = version


BACKEND = NativeBackend()
