"""Graphs compiled here for ARM, with inputs and what they shall compute: every operation in every type, and a step of each network."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

import llvmlite.binding as llvm
import numpy as np

import slopes as sl
from slopes.capture import Captured
from slopes.graph.build import Constant, Variable
from slopes.graph.dtype import NATIVE
from slopes.graph.node import Node
from slopes.graph.walk import topological
from slopes.loops.pipeline import LoopProgram
from slopes.loops.program import plan_program
from slopes.loops.target import TARGETS
from slopes.machine import translate
from slopes.machine.reference import evaluate
from slopes.passes.hoist_frozen import hoist_frozen
from slopes.passes.pipeline import optimize

from .. import engine_slopes
from ..workloads import WORKLOADS, Workload
from .emulated import Job
from .emulator import ROOT

LINUX = "aarch64-unknown-linux-gnu"
PROCESSORS = "generic", "neoverse-n1", "apple-m1"  # taken in turn: the last two have atomic instructions of their own
OTHERS = "others"  # in EXAMPLES: what is not named
EXAMPLES = {"alexnet": 1, "gpt-long": 1, "resnet20": 2, OTHERS: 8}  # in a batch: emulated arithmetic is some hundred times slower
Values = Mapping[Node, np.ndarray]


# ---------------------------------------------------------------------- jobs
def job(name: str, processor: str, roots: Sequence[Node], env: Values, updates: Sequence[Node | None], optimized: Sequence[Node]) -> Job:
    """The optimised graph as code for an ARM processor; what it shall compute are the values of the roots, operation by operation."""
    inputs, destinations = signature(optimized, updates)
    plan = plan_program(optimized, inputs, destinations, TARGETS["neon"])
    codes = translate.object_code(plan.text, LINUX, processor, "")
    assert isinstance(codes, bytes)
    arrays = [np.array(node.value if node.op is Constant else env[node], order="C") for node in inputs]
    return Job(f"{name} ({processor})", codes, plan.arena, plan.scratch, plan.parallel, arrays, destinations, evaluate(roots, dict(env)))


def signature(roots: Sequence[Node], updates: Sequence[Node | None]) -> tuple[list[Node], list[int]]:
    """The arguments of a program, and the one that each root is written to."""
    leaves = [node for node in topological(roots) if node.op is Variable or (node.op is Constant and node.shape != ())]
    inputs = list(dict.fromkeys([*(node for node in updates if node is not None), *leaves]))
    destinations, fresh = [], len(inputs)
    for update in updates:
        destinations.append(fresh if update is None else inputs.index(update))
        fresh += update is None
    return inputs, destinations


def all_jobs(names: Collection[str]) -> Iterator[Job]:
    """Those of the operations, unless networks are named, then those of the networks."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    if not names:
        yield from operation_jobs()
    workloads = [workload for name, workload in WORKLOADS.items() if workload.compiled and (not names or name in names)]
    for i, workload in enumerate(workloads):
        yield from network_jobs(small(workload), PROCESSORS[i % len(PROCESSORS)])


# ---------------------------------------------------------------------- operations
def operation_jobs() -> Iterator[Job]:
    """One job for each operation that is compiled: the inputs of the tests, in all types."""
    sys.path.insert(0, str(ROOT / "tests"))
    from operation_cases import COMPILED, OPERATIONS, cases  # the tests are no package

    for i, name in enumerate(COMPILED):
        calls = [case for dtype in NATIVE for case in cases(OPERATIONS[name], dtype)]
        roots, env = [case.node for case in calls], {node: array for case in calls for node, array in case.env.items()}
        yield job(name, PROCESSORS[i % len(PROCESSORS)], roots, env, [None] * len(roots), optimize(roots))


# ---------------------------------------------------------------------- networks
def small(workload: Workload) -> Workload:
    """The workload with few examples."""
    examples = EXAMPLES.get(workload.name, EXAMPLES[OTHERS])
    return replace(workload, batch=min(workload.batch, examples), batches=1, steps_per_call=1)


def network_jobs(workload: Workload, processor: str) -> Iterator[Job]:
    """One step; before it, where there is one, what is computed once for many calls."""
    captured, env = captured_step(workload)
    updates, fixed = captured.destinations, captured.constants_between_calls
    optimized, prepared = hoist_frozen(optimize(captured.roots, None, fixed), fixed)
    if prepared:
        once = list(prepared.values())
        before = job(f"{workload.name}, prologue", processor, once, env, [None] * len(once), once)
        yield before
        env |= dict(zip(prepared, before.expected))
    yield job(workload.name, processor, captured.roots, env, updates, optimized)


def captured_step(workload: Workload) -> tuple[Captured, dict[Node, np.ndarray]]:
    """The graph of a step, and the values of its variables."""
    engine = engine_slopes.build(workload, 1, "eager")
    batch = engine.batches[0]
    captured = sl.capture(engine.step, *batch)
    env = {value.node: array.numpy() for value, array in zip(captured.inputs, batch)}
    return captured, env | {value.node: np.array(value.tensor.numpy()) for value in captured.state if value.tensor is not None}


def loop_program(workload: Workload) -> LoopProgram:
    """A step of the workload for NEON, before its loops are planned."""
    captured, _ = captured_step(workload)
    fixed = captured.constants_between_calls
    optimized, _ = hoist_frozen(optimize(captured.roots, None, fixed), fixed)
    return LoopProgram(optimized, *signature(optimized, captured.destinations), TARGETS["neon"])
