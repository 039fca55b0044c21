"""Predictions for ARM processors: what share of a core's peak the inner loops over k of a network's products can reach.

A loop takes as long as the part of the core that it occupies most: vector pipes, load ports, the width of decoding, or the latency of
a multiply-add, which waits for the one of the step before. Memory, packing, epilogues and all other kernels are left out, so this is
an upper bound, and nothing that was measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import llvmlite.binding as llvm

from slopes.loops.index import extent
from slopes.loops.kernel_functions import KernelFunctions
from slopes.loops.kernels import ContractKernel, leaves
from slopes.loops.pipeline import run_passes
from slopes.loops.program import write_program
from slopes.loops.tile_shape import pieces
from slopes.machine import translate

from ..workloads import WORKLOADS, Workload
from .assembly import Loop, inner_loops
from .jobs import LINUX, loop_program

BEGIN = "<!-- predictions: written by `python -m benchmarks predict --into docs/performance.md` -->"
END = "<!-- end of predictions -->"


@dataclass(frozen=True)
class Core:
    """Instructions a cycle that a core can begin, by kind, and cycles until a sum can be added to again."""

    name: str
    llvm: str
    vector_pipes: int
    load_ports: int
    width: int
    latency: int
    source: str

    def cycles(self, loop: Loop) -> float:
        """Of one round."""
        return max(loop.vector_operations / self.vector_pipes, loop.loads / self.load_ports, len(loop.instructions) / self.width,
                   float(self.latency))


CORES = (
    Core("Apple M1", "apple-m1", 4, 3, 8, 4, "Dougall Johnson, Firestorm microarchitecture tables, dougallj.github.io/applecpu"),
    Core("Neoverse N1", "neoverse-n1", 2, 2, 4, 4, "Arm Neoverse N1 Software Optimization Guide"),
    Core("Neoverse V1", "neoverse-v1", 4, 3, 8, 4, "Arm Neoverse V1 Software Optimization Guide"),
)


@dataclass(frozen=True)
class Tile:
    """One variant of a kernel's micro-tile: its loop over k, the rounds of it in a step of training, and the products that count."""

    loop: Loop
    rounds: int
    useful: float  # vectors of products, of all rounds, that are elements of the result


def tiles_of(workload: Workload, core: Core) -> list[Tile]:
    """The micro-tiles of all products of a workload, as LLVM writes them for a core."""
    program = run_passes(loop_program(workload))
    names = KernelFunctions(program.target, program.buffers.origin, 0)
    names.add_all([kernel for phase in program.phases for kernel in phase], ())
    assembly = "\n".join(str(translate.object_code(module.text, LINUX, core.llvm, "", assembly=True, passes=module.passes))
                         for module in write_program(program).modules)
    loops = {(loop.function, loop.products): loop for loop in inner_loops(assembly) if loop.is_product}
    kernels = [kernel for phase in program.phases for kernel in leaves(phase) if isinstance(kernel, ContractKernel)]
    return [tile for kernel in kernels for tile in variants(kernel, names.calls[id(kernel)].function.name, loops)]


def variants(kernel: ContractKernel, function: str, loops: dict[tuple[str, int], Loop]) -> Iterator[Tile]:
    """Whole tiles, and those at the lower and the right edge."""
    schedule, repeats = kernel.schedule, extent(kernel.outer) * extent(kernel.inner) * kernel.steps
    for columns, panels in pieces(extent(kernel.panel), schedule.nr * schedule.lanes):
        for rows, count in pieces(extent(kernel.rows), schedule.mr):
            vectors = -(-columns // schedule.lanes)
            loop = loops.get((function, rows * vectors))
            if loop is not None:  # LLVM may have taken a loop of one or two products apart
                rounds = repeats * panels * count
                yield Tile(loop, rounds, rounds * rows * columns / schedule.lanes)


def share(tiles: list[Tile], core: Core) -> float:
    """Of the core's peak: products that count, by those that it could begin in the same time."""
    cycles = sum(tile.rounds * core.cycles(tile.loop) for tile in tiles)
    return sum(tile.useful for tile in tiles) / (core.vector_pipes * cycles)


def row(workload: Workload) -> list[str] | None:
    """The cells of a workload; None for one without tiles."""
    by_core = [tiles_of(workload, core) for core in CORES]
    tiles = by_core[1]
    if not tiles:
        return None
    products, instructions, loads = (sum(tile.rounds * count(tile.loop) for tile in tiles) for count in
                                     (lambda loop: loop.products, lambda loop: len(loop.instructions), lambda loop: loop.loads))
    spilling = sum(tile.rounds * tile.loop.products for tile in tiles if tile.loop.spills) / products
    return [workload.name, f"{products / instructions:.0%}", f"{loads / products:.2f}", f"{spilling:.0%}",
            *(f"{share(tiles, core):.0%}" for tiles, core in zip(by_core, CORES))]


def markdown() -> str:
    """The table of all workloads that have products in tiles."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    head = ["workload", "multiply-adds of all instructions", "loads for each multiply-add", "in loops that spill",
            *(f"{core.name}: predicted" for core in CORES)]
    rows = [cells for workload in WORKLOADS.values() if workload.compiled and (cells := row(workload)) is not None]
    lines = [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]
    sources = "; ".join(f"{core.name}: {core.vector_pipes} vector pipes, {core.load_ports} loads, {core.width} instructions a cycle, "
                        f"{core.latency} cycles from sum to sum ({core.source})" for core in CORES)
    return "\n".join([f"Predicted, not measured. {sources}. The first three columns are of code for {CORES[1].name}.", "", *lines])


def write_into(page: Path) -> None:
    """Replace the table between the marks of a page."""
    content = page.read_text(encoding="utf-8")
    if content.count(BEGIN) != 1 or content.count(END) != 1:
        raise SystemExit(f"{page} has no place for the table: write the two lines\n  {BEGIN}\n  {END}")
    before, rest = content.split(BEGIN)
    page.write_text(f"{before}{BEGIN}\n{markdown()}\n{END}{rest.split(END)[1]}", encoding="utf-8")
