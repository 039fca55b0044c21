"""slopes on XLA beside the same network written by hand in JAX, in one process: first calls, and steps of each in turn.

    python -m benchmarks.xla [WORKLOAD...] [--seconds 20] [--hlo]

Ratios are those of slopes to JAX: the median of the ratios of pairs of steps, of their CPU times, and of the first calls. --hlo also counts
the instructions of both programs after XLA's optimisation.
"""

from __future__ import annotations

import argparse
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import jax

import slopes as sl
from slopes.xla.library import modes

from . import engine_jax, engine_slopes
from .workloads import WORKLOADS, Workload

DEFAULT = "mlp-sgd", "lenet-sgd", "lstm", "gpt", "resnet20", "alexnet"
INSTRUCTION = re.compile(r"= (?:\([^=]*\)|\S+) ([a-z][a-z0-9-]*)\(")  # name = type opcode(...)


def main() -> None:
    """Measure the workloads, one line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workloads", nargs="*", default=DEFAULT)
    parser.add_argument("--seconds", type=float, default=20, help="of steps, for each workload")
    parser.add_argument("--hlo", action="store_true", help="count the instructions of both programs")
    options = parser.parse_args()
    jax.config.update("jax_enable_compilation_cache", False)  # first calls are those of programs that are nowhere yet
    print(f"{'':12}{'steps':>7}{'slopes ms':>11}{'JAX ms':>9}{'ratio':>8}{'CPU':>7}{'first':>8}{'s':>7}")
    for name in options.workloads:
        measure(WORKLOADS[name], options.seconds)
        if options.hlo:
            compare_programs(WORKLOADS[name])


def steps_of(workload: Workload) -> tuple[Callable[[int], Any], Callable[[int], Any]]:
    """One step of slopes and one of JAX, each waited for, on batch i."""
    ours, theirs = on_xla(workload), engine_jax.build(workload, 0, "compiled")
    return (lambda i: ours.step(*ours.batches[i % len(ours.batches)]).numpy(),
            lambda i: jax.block_until_ready(theirs.step(*theirs.batches[i % len(theirs.batches)])))


def on_xla(workload: Workload) -> Any:
    """The engine of slopes, compiled with XLA."""
    engine = engine_slopes.build(workload, 0, "eager")
    engine.step = sl.compile(engine.step, backend="xla")
    return engine


def measure(workload: Workload, seconds: float) -> None:
    """The first call of each, then steps in turn."""
    pair = steps_of(workload)
    firsts = [timed(step, 0)[0] for step in pair]
    for step in pair:  # warm
        step(1)
    walls: list[tuple[float, float]] = []
    processors: list[tuple[float, float]] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(walls) < 5:
        ours, theirs = (timed(step, len(walls)) for step in (pair if len(walls) % 2 else pair[::-1]))
        ours, theirs = (ours, theirs) if len(walls) % 2 else (theirs, ours)
        walls.append((ours[0], theirs[0]))
        processors.append((ours[1], theirs[1]))
    milliseconds = [1e3 * statistics.median(column) for column in zip(*walls)]
    print(f"{workload.name:12}{len(walls):7}{milliseconds[0]:11.3f}{milliseconds[1]:9.3f}{ratio(walls):8.2f}{ratio(processors):7.2f}"
          f"{firsts[0] / firsts[1]:8.2f}{firsts[0]:7.2f}", flush=True)


def ratio(pairs: list[tuple[float, float]]) -> float:
    """The median of the ratios."""
    return statistics.median(ours / max(theirs, 1e-9) for ours, theirs in pairs)


def timed(step: Callable[[int], Any], i: int) -> tuple[float, float]:
    """The seconds of a step, by the clock and of the processors."""
    wall, processor = time.perf_counter(), time.process_time()
    step(i)
    return time.perf_counter() - wall, time.process_time() - processor


def compare_programs(workload: Workload) -> None:
    """How often each instruction occurs in the two programs, where they differ."""
    counts = [Counter(INSTRUCTION.findall(text)) for text in program_texts(workload)]
    for name in sorted(set(counts[0]) | set(counts[1])):
        if counts[0][name] != counts[1][name]:
            print(f"    {name:24}{counts[0][name]:6}{counts[1][name]:6}")


def program_texts(workload: Workload) -> tuple[str, str]:
    """The optimised HLO of slopes' step and of JAX's."""
    ours = on_xla(workload)
    ours.step(*ours.batches[0]).numpy()
    bound = next(version for versions in ours.step._versions.values() for version in versions)
    with modes(jax):
        own = bound.executable.program.lower().compile().as_text()
    texts: list[str] = []
    original = jax.jit

    def jit(function: Any, **given: Any) -> Any:
        compiled = original(function, **given)
        return lambda *args: (texts.append(compiled.lower(*args).compile().as_text()), compiled(*args))[1]

    jax.jit = jit
    try:
        theirs = engine_jax.build(workload, 0, "compiled")
        theirs.step(*theirs.batches[0])
    finally:
        jax.jit = original
    return own, texts[0]


if __name__ == "__main__":
    main()
