"""One native function for a whole graph: planned by the loop passes, then written as LLVM code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..costs import CALL_WORK, OPTIMIZED_PHASES, SCALARIZED, SMALL_PROGRAM, THREAD_WORK
from ..graph.node import Node
from .kernel_functions import KernelFunctions
from .kernels import Kernel, Phases, leaves
from .module import Module, Passes, join_modules
from .pipeline import LoopProgram, run_passes
from .program_writer import ProgramWriter, blocks_of
from .target import CONTEXT_BYTES, Target


@dataclass
class Plan:
    """A compiled graph before LLVM sees it: the code, and what is needed to run it and to explain it."""

    modules: list[Module]  # the functions of the kernels, then the program that calls them
    arena: int  # bytes shared by all threads
    scratch: int  # bytes for each thread, behind the arena
    sites: list[Node]  # error code n was reported on behalf of sites[n - 1]
    kernels: list[Kernel]
    phases: Phases
    work: int
    parallel: bool

    @property
    def text(self) -> str:
        """All code as one module, to be read by people."""
        return join_modules(self.modules).text


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
    functions = KernelFunctions(program.target, program.buffers.origin, SCALARIZED if work <= SMALL_PROGRAM else 0)
    functions.add_all([kernel for phase in phases for kernel in phase], ())
    parallel = work >= THREAD_WORK and any(blocks_of(phase) > 1 for phase in phases)
    clocks = {id(kernel): CONTEXT_BYTES + 8 * i for i, kernel in enumerate(kernels)} if timed else {}
    guarded = None if program.commit_point is None or not functions.sites else phases[program.commit_point]
    writer = ProgramWriter(functions, program.offsets, program.arena, program.scratch, clocks, parallel)
    often = len(phases) <= OPTIMIZED_PHASES and work <= CALL_WORK * sum(kernel.steps for kernel in kernels)
    modules = [*functions.modules.values(), writer.program(phases, guarded, Passes.ALL if often else Passes.NONE)]
    return Plan(modules, program.arena, program.scratch, functions.sites, kernels, phases, work, parallel)
