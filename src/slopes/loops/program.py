"""One native function for a whole graph: its kernels in phases, the blocks of a phase shared by all threads, barriers between phases."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..costs import PHASES_IN_FUNCTION, SCALARIZED, SHARED_WORK, SMALL_PROGRAM, THREAD_WORK
from ..graph.node import Node
from .barrier import barrier_text
from .builder import Builder
from .emit import Scope, emit_map, emit_reduce
from .emit_contract import emit_contract
from .index import Axis
from .kernels import (
    ContractKernel,
    CumulateKernel,
    Kernel,
    Loop,
    MapKernel,
    MixKernel,
    Phases,
    ReduceKernel,
    ScatterKernel,
    ScatterLinesKernel,
    SortKernel,
    buffers_read,
    buffers_written,
    leaves,
)
from .mixing import emit_mix
from .nest import Buffer, root_of
from .pipeline import LoopProgram, run_passes
from .special import emit_cumulate, emit_scatter, emit_sort
from .target import CONTEXT_BYTES, NEXT, STEP, Target
from .values import INT64, Value

EMITTERS: dict[type[Kernel], Callable[..., None]] = {
    MapKernel: emit_map, MixKernel: emit_mix, ReduceKernel: emit_reduce, ContractKernel: emit_contract, CumulateKernel: emit_cumulate,
    ScatterKernel: emit_scatter, ScatterLinesKernel: emit_scatter, SortKernel: emit_sort}


@dataclass
class Plan:
    """A compiled graph before LLVM sees it: the code, and what is needed to run it and to explain it."""

    text: str
    arena: int  # bytes shared by all threads
    scratch: int  # bytes for each thread, behind the arena
    sites: list[Node]  # error code n was reported on behalf of sites[n - 1]
    kernels: list[Kernel]
    phases: Phases
    work: int
    parallel: bool


def plan_program(roots: Sequence[Node], inputs: Sequence[Node], destinations: Sequence[int], target: Target, *,
                 poison: bool = False, timed: bool = False, watch: Callable[[str, LoopProgram], None] | None = None) -> Plan:
    """Plan the native program of a graph.

    inputs[i] is argument i. roots[k] is written to argument destinations[k]; when that is also an input, the value is updated in
    place once nobody reads the old one any more. `poison` overwrites every buffer at its death (a test of the memory plan);
    `timed` adds up, behind the context, the clock ticks of each kernel; `watch(name, program)` sees the result of each loop pass.
    """
    program = LoopProgram(list(roots), list(inputs), list(destinations), target, poison)
    return write_program(run_passes(program, watch), timed)


def write_program(program: LoopProgram, timed: bool = False) -> Plan:
    """The LLVM code of a program whose kernels, phases and memory are decided; nothing of it is changed."""
    kernels, phases, work = leaves(program.kernels), program.phases, program.work
    writer = ProgramWriter(program.target, program.offsets, program.arena, program.scratch, program.buffers.origin)
    writer.spare_lanes = SCALARIZED if work <= SMALL_PROGRAM else 0
    writer.functions_of([kernel for phase in phases for kernel in phase], ())
    parallel = work >= THREAD_WORK and any(blocks_of(phase) > 1 for phase in phases)
    clocks = {id(kernel): CONTEXT_BYTES + 8 * i for i, kernel in enumerate(kernels)} if timed else {}
    guarded = None if program.commit_point is None or not writer.sites else phases[program.commit_point]
    text = writer.program(phases, guarded, clocks)
    return Plan(text, program.arena, program.scratch, writer.sites, kernels, phases, work, parallel)


def blocks_of(phase: Sequence[Kernel | Loop]) -> int:
    return sum(kernel.blocks for kernel in phase)


class ProgramWriter:
    """Writes the module: one function per distinct kernel, and the program that calls them."""

    def __init__(self, target: Target, offsets: Mapping[Buffer, int], arena: int, scratch: int, origin: Mapping[Node, Node]) -> None:
        self.target, self.offsets, self.arena, self.scratch, self.origin = target, offsets, arena, scratch, origin
        self.sites: list[Node] = []
        self.functions: dict[str, str] = {}  # text without its name -> name
        self.calls: dict[int, tuple[str, list[Buffer]]] = {}
        self.declarations: set[str] = set()
        self.clocks: Mapping[int, int] = {}
        self.around: dict[int, tuple[Axis, ...]] = {}  # the loops that a kernel is in
        self.at: dict[Axis, Value] = {}
        self.runs: list[str] = []  # functions of phases
        self.leave = "ret void"
        self.spare_lanes = 0  # of each kernel's function, see Builder.may_write_out
        self._site_numbers: dict[Node, int] = {}

    def site(self, node: Node) -> int:
        """The number under which generated code reports an error of this node; 0 means no error."""
        node = self.origin.get(node, node)
        if node not in self._site_numbers:
            self.sites.append(node)
            self._site_numbers[node] = len(self.sites)
        return self._site_numbers[node]

    def functions_of(self, kernels: Sequence[Kernel | Loop], around: tuple[Axis, ...]) -> None:
        """Write the functions of kernels inside of these loops."""
        for kernel in kernels:
            if isinstance(kernel, Loop):
                self.functions_of(kernel.kernels, (*around, kernel.axis))
            else:
                self.around[id(kernel)] = around
                self.function(kernel)

    def function(self, kernel: Kernel) -> None:
        """Write a kernel's function, unless an identical one is there."""
        places: dict[object, str] = {}
        pointers: dict[Buffer, str] = {}
        owners: list[Buffer] = []
        for buffer in (*buffers_read(kernel), *buffers_written(kernel)):
            key = ("argument", buffer.number) if buffer.kind == "argument" else buffer
            if key not in places:
                places[key] = f"%b{len(places)}"
                owners.append(buffer)
            pointers[buffer] = places[key]
        b = Builder(self.target.lanes, self.target.fused, self.target.masked_arithmetic)
        b.scalarize_budget = self.spare_lanes
        scope = Scope(b, pointers, self.site)
        scope.at = {axis: Value(f"%time{i}", INT64) for i, axis in enumerate(self.around[id(kernel)])}
        EMITTERS[type(kernel)](scope, kernel)
        parameters = "".join(f"ptr noalias {name}, " for name in places.values())
        parameters += "".join(f"i64 %time{i}, " for i in range(len(self.around[id(kernel)])))
        text = b.function(f"({parameters}ptr noalias %scratch, ptr %error, i64 %block) #0")
        self.declarations |= b.declarations
        name = self.functions.setdefault(text, f"k{len(self.functions)}_{kernel.kind}")
        self.calls[id(kernel)] = (name, owners)

    def program(self, phases: Phases, guarded: Sequence[Kernel | Loop] | None, clocks: Mapping[int, int]) -> str:
        """The module; all threads meet before the phase `guarded`, so that an error reported so far stops the program there."""
        b, self.clocks = Builder(self.target.lanes, self.target.fused, self.target.masked_arithmetic), clocks
        steps = Value("%steps", INT64)
        b.line(f"%behind = mul i64 %thread, {self.scratch}")
        b.line(f"%place = add i64 %behind, {self.arena}")
        b.line("%scratch = getelementptr inbounds i8, ptr %arena, i64 %place")
        with b.loop(b.whole(0), steps) as step:
            with b.when(b.compare("==", Value("%thread", INT64), b.whole(0))):
                place = b.fresh("step")
                b.line(f"{place} = getelementptr inbounds i8, ptr %context, i64 {STEP}")
                b.line(f"store i64 {step.ref}, ptr {place}")
            runs = [phases[start:start + PHASES_IN_FUNCTION] for start in range(0, len(phases), PHASES_IN_FUNCTION)]
            waiting = False  # whether work of the first thread alone has yet to be waited for
            for number, run in enumerate(runs):
                write = self._run if len(runs) == 1 else partial(self._run_apart, number)
                waiting = write(b, run, step, guarded, waiting)
            self._barrier(b)
        body = b.function("define void @program(ptr noalias %context, ptr %arguments, ptr %strides, ptr %arena, "
                          "i64 %thread, i64 %threads, i64 %steps)")
        functions = [f"define internal void @{name}{text}" for text, name in self.functions.items()]
        attributes = 'attributes #0 = { noinline nounwind "no-builtins" }'
        declared = sorted(self.declarations | b.declarations)
        return "\n".join([*declared, *self.target.declared, barrier_text(self.target), *functions, *self.runs, body, attributes, ""])

    def _run(self, b: Builder, phases: Phases, step: Value, guarded: Sequence[Kernel | Loop] | None, waiting: bool) -> bool:
        arguments = self._argument_pointers(b, phases, step)
        for phase in phases:
            if phase is guarded:
                self._barrier(b)
                waiting = False
            waiting = self._phase(b, phase, arguments, waiting)
        return waiting

    def _run_apart(self, number: int, b: Builder, phases: Phases, step: Value, guarded: Sequence[Kernel | Loop] | None,
                   waiting: bool) -> bool:
        """The phases as a function of their own, which returns whether to leave the program, and its call."""
        own, outside = Builder(self.target.lanes, self.target.fused, self.target.masked_arithmetic), self.leave
        self.leave = "ret i1 true"
        waiting = self._run(own, phases, Value("%step", INT64), guarded, waiting)
        self.leave = outside
        self.runs.append(own.function(
            f"define internal i1 @phases{number}(ptr noalias %context, ptr %arguments, ptr %strides, ptr %arena, ptr %scratch, "
            "i64 %thread, i64 %threads, i64 %step) #0", "ret i1 false"))
        self.declarations |= own.declarations
        stop = b.new(f"call i1 @phases{number}(ptr %context, ptr %arguments, ptr %strides, ptr %arena, ptr %scratch, "
                     f"i64 %thread, i64 %threads, i64 {step.ref})", np.dtype("bool"))
        self._leave_when(b, stop)
        return waiting

    def _argument_pointers(self, b: Builder, phases: Phases, step: Value) -> dict[int, str]:
        """Where each argument stands in this step: its pointer plus step times its stride in bytes."""
        kernels = leaves([kernel for phase in phases for kernel in phase])
        touched = {root_of(each) for kernel in kernels for each in self.calls[id(kernel)][1]}
        used = {each.number for each in touched if each.kind == "argument"}
        found = {}
        for number in sorted(used):
            slot, base, stride, here = (b.fresh(f"arg{number}.") for _ in range(4))
            b.line(f"{slot} = getelementptr inbounds ptr, ptr %arguments, i64 {number}")
            b.line(f"{base} = load ptr, ptr {slot}")
            b.line(f"{stride}p = getelementptr inbounds i64, ptr %strides, i64 {number}")
            b.line(f"{stride} = load i64, ptr {stride}p")
            moved = b.mul(step, Value(stride, INT64))
            b.line(f"{here} = getelementptr inbounds i8, ptr {base}, i64 {moved.ref}")
            found[number] = here
        return found

    def _phase(self, b: Builder, phase: Sequence[Kernel | Loop], arguments: dict[int, str], waiting: bool) -> bool:
        if isinstance(phase[0], Loop):
            return self._loop(b, phase[0], arguments, waiting)
        kernels = leaves(phase)
        total = blocks_of(phase)
        if not is_shared(phase):
            with b.when(b.compare("==", Value("%thread", INT64), b.whole(0))):
                for kernel in kernels:
                    for number in range(kernel.blocks):
                        self._call(b, kernel, arguments, b.whole(number))
            return True
        if waiting:
            self._barrier(b)
        taken = b.variable(b.whole(0))
        taken.set(self._next_block(b))
        with b.loop_while(lambda: b.compare("<", taken.get(), b.whole(total))):
            block, begin = taken.get(), 0
            for kernel in kernels:
                count = kernel.blocks
                mine = b.bit_and(b.compare(">=", block, b.whole(begin)), b.compare("<", block, b.whole(begin + count)))
                with b.when(mine):
                    self._call(b, kernel, arguments, b.sub(block, b.whole(begin)))
                begin += count
            taken.set(self._next_block(b))
        self._barrier(b)
        return False

    def _loop(self, b: Builder, loop: Loop, arguments: dict[int, str], waiting: bool) -> bool:
        """The phases, step after step; a loop of small work is the first thread's alone."""
        shared = any(is_shared(phase) for phase in all_phases(loop))
        if shared and waiting:
            self._barrier(b)
            waiting = False
        with b.loop(b.whole(0), b.whole(loop.axis.extent)) as step:
            self.at[loop.axis] = step
            for phase in loop.phases:
                waiting = self._phase(b, phase, arguments, waiting)
            if shared and waiting:
                self._barrier(b)
                waiting = False
        return waiting

    def _next_block(self, b: Builder) -> Value:
        address = b.fresh("next")
        b.line(f"{address} = getelementptr inbounds i8, ptr %context, i64 {NEXT}")
        return b.new(f"atomicrmw add ptr {address}, i64 1 monotonic", INT64)

    def _barrier(self, b: Builder) -> None:
        """Wait for all threads; leave the program when an error was reported."""
        self._leave_when(b, b.new("call i1 @barrier(ptr %context, i64 %threads)", np.dtype("bool")))

    def _leave_when(self, b: Builder, stop: Value) -> None:
        with b.when(stop):
            b.line(self.leave)
            b.label(b.fresh("gone")[1:])  # what follows a return is never reached, but a block must stand there

    def _call(self, b: Builder, kernel: Kernel, arguments: dict[int, str], block: Value) -> None:
        name, owners = self.calls[id(kernel)]
        pointers = "".join(f"ptr {self._pointer(b, buffer, arguments)}, " for buffer in owners)
        pointers += "".join(f"i64 {self.at[axis].ref}, " for axis in self.around[id(kernel)])
        call = f"call void @{name}({pointers}ptr %scratch, ptr %context, i64 {block.ref})"
        if id(kernel) not in self.clocks:
            b.line(call)
            return
        b.declarations.add("declare i64 @llvm.readcyclecounter()")
        start = b.new("call i64 @llvm.readcyclecounter()", INT64)
        b.line(call)
        ticks = b.sub(b.new("call i64 @llvm.readcyclecounter()", INT64), start)
        clock = b.fresh("clock")
        b.line(f"{clock} = getelementptr inbounds i8, ptr %context, i64 {self.clocks[id(kernel)]}")
        b.line(f"{b.fresh('old')} = atomicrmw add ptr {clock}, i64 {ticks.ref} monotonic")


    def _pointer(self, b: Builder, buffer: Buffer, arguments: dict[int, str]) -> str:
        """Where a buffer lies, at the present step of the loops around."""
        if buffer.kind == "argument":
            return arguments[buffer.number]
        base, place = "%arena", b.whole(self.offsets.get(buffer, 0))
        if buffer.base is not None:
            base = self._pointer(b, buffer.base, arguments)
            scope = Scope(b, {}, self.site)
            scope.at = self.at
            place = b.mul(scope.index(buffer.place), b.whole(buffer.dtype.itemsize))
        ref = b.fresh("buf")
        b.line(f"{ref} = getelementptr inbounds i8, ptr {base}, i64 {place.ref}")
        return ref


def is_shared(phase: Sequence[Kernel | Loop]) -> bool:
    """Whether all threads take part in a phase; what takes no longer than waking them is the first one's."""
    total = blocks_of(phase)
    return total > 1 and (total > len(phase) or any(kernel.work >= SHARED_WORK for kernel in phase))


def all_phases(loop: Loop) -> Phases:
    """The phases of a loop, and of the loops in it."""
    return [each for phase in loop.phases for each in ([phase] if not isinstance(phase[0], Loop) else all_phases(phase[0]))]
