"""Running a graph natively under special conditions: poisoned memory, several threads, other processors, guards around all memory."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from unittest.mock import patch

import numpy as np
from guards import GuardedProgram

from slopes import settings
from slopes.graph.build import Constant, Variable
from slopes.graph.node import Node
from slopes.graph.walk import topological
from slopes.loops import program as programs
from slopes.loops.program import Plan, Target, plan_program
from slopes.loops.target import TARGETS
from slopes.machine import engine, pool, translate
from slopes.machine.parts import join_small
from slopes.passes.pipeline import optimize


@dataclass(frozen=True)
class Processor:
    """For what to generate code: slopes' target, and LLVM's triple, processor and features."""

    target: Target
    triple: str
    name: str
    features: str = ""


def host() -> Processor:
    return Processor(translate.host_target(), *translate.host())


def processors() -> dict[str, Processor]:
    """This processor, by its instruction set, and the older ones whose code it runs."""
    own, sets = host(), settings.INSTRUCTION_SETS
    best = translate.instruction_set(own.triple, own.features)
    older = sets[sets.index(best) + 1:] if best in sets else ()
    return {best: own, **{name: Processor(TARGETS[name], own.triple, *translate.LEVELS[name]) for name in older}}


@dataclass
class Compiled:
    """A compiled graph, ready to run with arrays for its leaves."""

    plan: Plan
    program: GuardedProgram
    inputs: list[Node]
    roots: list[Node]
    destinations: list[int]
    text: str = field(repr=False)

    def run(self, env: Mapping[Node, np.ndarray], threads: int = 1, steps: int = 1) -> list[np.ndarray]:
        """The roots' values; a root that updates a variable is that variable's new value. Raises where the program reports an error."""
        given = [np.asarray(node.value if node.op is Constant else env[node]) for node in self.inputs]
        fresh = [root for root, destination in zip(self.roots, self.destinations) if destination >= len(self.inputs)]
        arrays = [np.array(array, order="C") for array in given] + [np.empty(root.shape, root.dtype) for root in fresh]
        table, strides = engine.addresses(arrays), np.zeros(len(arrays) + 1, np.int64)
        with thread_count(threads):
            pool.pool.backoff.reset()
            failed = self.program.run(table.ctypes.data, strides.ctypes.data, steps)
        assert threads == 1 or self.program.joined == threads
        if failed:
            raise Reported(self.plan.sites[failed - 1])
        return [arrays[destination] for destination in self.destinations]


class Reported(Exception):
    """A native program reported an error on behalf of a node."""


@contextmanager
def thread_count(count: int):
    before = os.environ.get("SLOPES_THREADS")
    os.environ["SLOPES_THREADS"] = str(count)
    try:
        yield
    finally:
        if before is None:
            del os.environ["SLOPES_THREADS"]
        else:
            os.environ["SLOPES_THREADS"] = before


def plan(roots: Sequence[Node], updates: Sequence[Node | None] | None = None, *, target: Target | None = None, passes: bool = True,
         poison: bool = False, timed: bool = False) -> tuple[Plan, list[Node], list[Node], list[int]]:
    """The plan of a graph, its inputs, its roots after the passes, and where each root is written."""
    updates = [None] * len(roots) if updates is None else updates
    optimized = optimize(roots) if passes else list(roots)
    leaves = [node for node in topological(optimized) if node.op is Variable or (node.op is Constant and node.shape != ())]
    inputs = list(dict.fromkeys([*(each for each in updates if each is not None), *leaves]))
    destinations, fresh = [], len(inputs)
    for update in updates:
        destinations.append(fresh if update is None else inputs.index(update))
        fresh += update is None
    made = plan_program(optimized, inputs, destinations, target or translate.host_target(), poison=poison, timed=timed)
    return made, inputs, optimized, destinations


def compile_nodes(roots: Sequence[Node], updates: Sequence[Node | None] | None = None, *, processor: Processor | None = None,
                  passes: bool = True, poison: bool = False, timed: bool = False) -> Compiled:
    """Compile a graph of nodes without any cache. updates[k] is the variable that roots[k] is the new value of, or None."""
    processor = processor or host()
    with patch.object(programs, "THREAD_WORK", 0):  # threads take part also where the work is small
        made, inputs, optimized, destinations = plan(roots, updates, target=processor.target, passes=passes, poison=poison, timed=timed)
    codes = translate.object_codes(join_small(made.modules), processor.triple, processor.name, processor.features)
    manifest = engine.Manifest(made.arena, made.scratch, True, (), ())
    program = GuardedProgram(manifest, codes, len(made.kernels) if timed else 0)
    program.expect(inputs, optimized, destinations)
    return Compiled(made, program, inputs, optimized, destinations, made.text)


def run_nodes(roots: Sequence[Node], env: Mapping[Node, np.ndarray], updates: Sequence[Node | None] | None = None, *, threads: int = 1,
              **options) -> list[np.ndarray]:
    """Compile and run once."""
    return compile_nodes(roots, updates, **options).run(env, threads)


def kinds(made: Plan) -> dict[str, int]:
    """How many kernels of each kind a plan has."""
    found: dict[str, int] = {}
    for kernel in made.kernels:
        found[kernel.kind] = found.get(kernel.kind, 0) + 1
    return found


def same_bits(found: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> bool:
    """Whether arrays are equal bit by bit, NaN included."""
    return len(found) == len(expected) and all(
        x.shape == y.shape and x.dtype == y.dtype and x.tobytes() == y.tobytes() for x, y in zip(found, expected))
