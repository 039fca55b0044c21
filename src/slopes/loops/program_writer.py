"""The module that runs a program: its phases one after the other, the blocks of a phase shared by all threads, barriers between phases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial

import numpy as np

from ..costs import PHASES_IN_FUNCTION, SHARED_WORK
from .barrier import barrier_text
from .builder import Builder
from .index import Axis
from .kernel_functions import KernelFunctions
from .kernels import Kernel, Loop, Phases, leaves
from .module import Module, Passes
from .nest import Buffer, root_of
from .queues import next_blocks
from .scope import Scope
from .target import STEP
from .values import INT64, Value


class ProgramWriter:
    """Writes the module of the program, which calls the functions of the kernels, phase by phase."""

    def __init__(self, kernels: KernelFunctions, offsets: Mapping[Buffer, int], arena: int, scratch: int,
                 clocks: Mapping[int, int], parallel: bool) -> None:
        self.kernels, self.target, self.offsets, self.arena, self.scratch = kernels, kernels.target, offsets, arena, scratch
        self.parallel = parallel
        self.clocks = clocks  # by a kernel's id: the offset in the context of the clock that counts its ticks
        self.at: dict[Axis, Value] = {}
        self.phase_functions: list[str] = []
        self.declarations: set[str] = set()
        self.leave = "ret void"

    def program(self, phases: Phases, guarded: Sequence[Kernel | Loop] | None, passes: Passes) -> Module:
        """The module; all threads meet before the phase `guarded`, so that an error reported so far stops the program there."""
        b = self.target.builder()
        first = Value("%first", INT64)
        b.line(f"%behind = mul i64 %thread, {self.scratch}")
        b.line(f"%place = add i64 %behind, {self.arena}")
        b.line("%scratch = getelementptr inbounds i8, ptr %arena, i64 %place")
        with b.loop(first, b.add(first, Value("%steps", INT64))) as step:
            with b.when(b.compare("==", Value("%thread", INT64), b.whole(0))):
                slot = b.fresh("step")
                b.line(f"{slot} = getelementptr inbounds i8, ptr %context, i64 {STEP}")
                b.line(f"store i64 {step.ref}, ptr {slot}")
            runs = [phases[start:start + PHASES_IN_FUNCTION] for start in range(0, len(phases), PHASES_IN_FUNCTION)]
            waiting = False  # whether work of the first thread alone has yet to be waited for
            for i, run in enumerate(runs):
                write = self._run if len(runs) == 1 else partial(self._run_apart, i)
                waiting = write(b, run, step, guarded, waiting)
            self._barrier(b)
        body = b.function("define void @program(ptr noalias %context, ptr %arguments, ptr %strides, ptr %arena, "
                          "i64 %thread, i64 %threads, i64 %steps, i64 %first)")
        kernels = {module.declared for module in self.kernels.modules.values()}
        declared = sorted(self.declarations | b.declarations | kernels | set(self.target.declared))
        text = "\n".join([barrier_text(self.target, self.parallel), *self.phase_functions, body])
        return Module(tuple(declared), text, passes=passes)

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
        own, outside = self.target.builder(), self.leave
        self.leave = "ret i1 true"
        waiting = self._run(own, phases, Value("%step", INT64), guarded, waiting)
        self.leave = outside
        self.phase_functions.append(own.function(
            f"define internal i1 @phases{number}(ptr noalias %context, ptr %arguments, ptr %strides, ptr %arena, ptr %scratch, "
            "i64 %thread, i64 %threads, i64 %step) #0", "ret i1 false"))
        self.declarations |= own.declarations
        stop = b.new(f"call i1 @phases{number}(ptr %context, ptr %arguments, ptr %strides, ptr %arena, ptr %scratch, "
                     f"i64 %thread, i64 %threads, i64 {step.ref})", np.dtype("bool"))
        self._leave_when(b, stop)
        return waiting

    def _argument_pointers(self, b: Builder, phases: Phases, step: Value) -> dict[int, str]:
        """The address of each argument in this step: its pointer plus step times its stride in bytes."""
        kernels = leaves([kernel for phase in phases for kernel in phase])
        touched = {root_of(buffer) for kernel in kernels for buffer in self.kernels.calls[id(kernel)].buffers}
        pointers = {}
        for i in sorted({buffer.number for buffer in touched if buffer.kind == "argument"}):
            slot, base, stride, here = (b.fresh(f"arg{i}.") for _ in range(4))
            b.line(f"{slot} = getelementptr inbounds ptr, ptr %arguments, i64 {i}")
            b.line(f"{base} = load ptr, ptr {slot}")
            b.line(f"{stride}p = getelementptr inbounds i64, ptr %strides, i64 {i}")
            b.line(f"{stride} = load i64, ptr {stride}p")
            moved = b.mul(step, Value(stride, INT64))
            b.line(f"{here} = getelementptr inbounds i8, ptr {base}, i64 {moved.ref}")
            pointers[i] = here
        return pointers

    def _phase(self, b: Builder, phase: Sequence[Kernel | Loop], arguments: dict[int, str], waiting: bool) -> bool:
        if isinstance(phase[0], Loop):
            return self._loop(b, phase[0], arguments, waiting)
        kernels = leaves(phase)
        total = blocks_of(phase)
        if not is_shared(phase):
            with b.when(b.compare("==", Value("%thread", INT64), b.whole(0))):
                for kernel in kernels:
                    for i in range(kernel.blocks):
                        self._call(b, kernel, arguments, b.whole(i))
            return True
        if waiting:
            self._barrier(b)
        with self._blocks(b, total) as block:
            begin = 0
            for kernel in kernels:
                count = kernel.blocks
                mine = b.bit_and(b.compare(">=", block, b.whole(begin)), b.compare("<", block, b.whole(begin + count)))
                with b.when(mine):
                    self._call(b, kernel, arguments, b.sub(block, b.whole(begin)))
                begin += count
        self._barrier(b)
        return False

    def _loop(self, b: Builder, loop: Loop, arguments: dict[int, str], waiting: bool) -> bool:
        """The phases, step after step; a loop of small work is the first thread's alone."""
        if loop.runs:
            return self._runs(b, loop, arguments, waiting)
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

    def _runs(self, b: Builder, loop: Loop, arguments: dict[int, str], waiting: bool) -> bool:
        """Steps that need nothing of each other: each thread takes runs of them, and meets the others at the end alone."""
        if not is_shared([loop]):
            with b.when(b.compare("==", Value("%thread", INT64), b.whole(0))):
                self._steps(b, loop, arguments, b.whole(0), b.whole(loop.axis.extent))
            return True
        if waiting:
            self._barrier(b)
        length = -(-loop.axis.extent // loop.runs)
        with self._blocks(b, loop.runs) as run:
            start = b.mul(run, b.whole(length))
            self._steps(b, loop, arguments, start, b.min(b.add(start, b.whole(length)), b.whole(loop.axis.extent)))
        self._barrier(b)
        return False

    def _steps(self, b: Builder, loop: Loop, arguments: dict[int, str], start: Value, stop: Value) -> None:
        """Some steps by one thread: the blocks of all kernels one after another."""
        with b.loop(start, stop) as step:
            self.at[loop.axis] = step
            for kernel in leaves(loop.kernels):
                with b.loop(b.whole(0), b.whole(kernel.blocks)) as block:
                    self._call(b, kernel, arguments, block)

    def _blocks(self, b: Builder, total: int) -> AbstractContextManager[Value]:
        """The blocks of a phase that this thread computes, one after another."""
        return next_blocks(b, total) if self.parallel else b.loop(b.whole(0), b.whole(total))

    def _barrier(self, b: Builder) -> None:
        """Wait for all threads; leave the program when an error was reported."""
        self._leave_when(b, b.new("call i1 @barrier(ptr %context, i64 %threads)", np.dtype("bool")))

    def _leave_when(self, b: Builder, stop: Value) -> None:
        with b.when(stop):
            b.line(self.leave)
            b.label(b.fresh("gone")[1:])  # code after a return is never reached, but LLVM requires a block

    def _call(self, b: Builder, kernel: Kernel, arguments: dict[int, str], block: Value) -> None:
        how = self.kernels.calls[id(kernel)]
        values = "".join(f"ptr {self._pointer(b, buffer, arguments)}, " for buffer in how.buffers)
        values += "".join(f"i64 {self.at[axis].ref}, " for axis in self.kernels.around[id(kernel)])
        values += "".join(f"i32 {code}, " for code in how.sites)
        call = f"call void @{how.function.name}({values}ptr %scratch, ptr %context, i64 {block.ref})"
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
        """The address of a buffer, at the current step of the loops around."""
        if buffer.kind == "argument":
            return arguments[buffer.number]
        base, offset = "%scratch" if buffer.kind == "thread" else "%arena", b.whole(self.offsets.get(buffer, 0))
        if buffer.base is not None:
            base = self._pointer(b, buffer.base, arguments)
            scope = Scope(b, {}, lambda node: str(self.kernels.site(node)))
            scope.at = self.at
            offset = b.mul(scope.index(buffer.start), b.whole(buffer.dtype.itemsize))
        ref = b.fresh("buf")
        b.line(f"{ref} = getelementptr inbounds i8, ptr {base}, i64 {offset.ref}")
        return ref


def blocks_of(phase: Sequence[Kernel | Loop]) -> int:
    return sum(kernel.blocks for kernel in phase)


def is_shared(phase: Sequence[Kernel | Loop]) -> bool:
    """Whether all threads take part in a phase; what takes no longer than waking them is the first one's."""
    total = blocks_of(phase)
    return total > 1 and (total > len(phase) or any(kernel.work >= SHARED_WORK for kernel in phase))


def all_phases(loop: Loop) -> Phases:
    """The phases of a loop, and of the loops in it."""
    return [inner for phase in loop.phases for inner in ([phase] if not isinstance(phase[0], Loop) else all_phases(phase[0]))]
