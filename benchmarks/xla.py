"""slopes on XLA beside the same network written by hand in JAX, in one process: first calls, and steps of each in turn.

    python -m benchmarks.xla [WORKLOAD...] [--seconds 20] [--hlo]

slopes takes its steps as `sl.fit` does, many in one call of Python; JAX calls its step as often, and waits for the last. Ratios are those
of slopes to JAX: the medians of the ratios of pairs of such runs, by the clock and by the time of the processors, and the ratio of the
first calls of one step. --hlo also counts the instructions of both programs after XLA's optimisation, where they differ.
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
import numpy as np

import slopes as sl
from slopes.xla.library import modes

from . import engine_jax, engine_slopes
from .workloads import WORKLOADS, Workload

DEFAULT = "mlp-sgd", "lenet-sgd", "lstm", "gpt", "resnet20", "alexnet"
RUN_SECONDS = 0.5  # of a run of several steps, about
INSTRUCTION = re.compile(r"= (?:\([^=]*\)|\S+) ([a-z][a-z0-9-]*)\(")  # name = type opcode(...)


def main() -> None:
    """Measure the workloads, one line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workloads", nargs="*", default=DEFAULT)
    parser.add_argument("--seconds", type=float, default=20, help="of steps, for each workload")
    parser.add_argument("--hlo", action="store_true", help="count the instructions of both programs")
    options = parser.parse_args()
    jax.config.update("jax_enable_compilation_cache", False)  # first calls are those of programs that are nowhere yet
    print(f"{'':12}{'runs':>6}{'slopes ms':>11}{'JAX ms':>10}{'ratio':>8}{'CPU ms':>11}{'JAX':>10}{'ratio':>8}"
          f"{'first s':>9}{'JAX':>7}{'ratio':>7}")
    for name in options.workloads:
        measure(WORKLOADS[name], options.seconds)
        if options.hlo:
            compare_programs(WORKLOADS[name])


def on_xla(workload: Workload) -> Any:
    """The engine of slopes, compiled with XLA."""
    engine = engine_slopes.build(workload, 0, "eager")
    engine.step = sl.compile(engine.step, backend="xla")
    return engine


def measure(workload: Workload, seconds: float) -> None:
    """The first call of each, then runs of some steps in turn."""
    ours, theirs = on_xla(workload), engine_jax.build(workload, 0, "compiled")
    firsts = [timed(lambda: ours.run(1))[0], timed(lambda: theirs.run(1))[0]]
    steps = max(1, min(64, int(RUN_SECONDS / timed(lambda: theirs.run(1))[0])))
    stacks = [sl.tensor(np.resize(array, (steps, *array.shape[1:]))) for array in workload.data()]
    pair = (lambda: ours.step.many(steps, *stacks, stepped=(0, 1)).numpy()), (lambda: theirs.run(steps))
    for run in pair:  # compile, and warm up
        run()
    clock: list[tuple[float, float]] = []
    processor: list[tuple[float, float]] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(clock) < 5:
        times = [timed(run) for run in (pair if len(clock) % 2 else pair[::-1])]
        for rows, (first, second) in zip((clock, processor), zip(*times)):
            rows.append((first, second) if len(rows) % 2 else (second, first))
    print(f"{workload.name:12}{len(clock):6}{columns(clock, steps)}{columns(processor, steps)}"
          f"{firsts[0]:9.2f}{firsts[1]:7.2f}{firsts[0] / firsts[1]:7.2f}", flush=True)


def columns(pairs: list[tuple[float, float]], steps: int) -> str:
    """The median milliseconds of a step of both, and the median ratio."""
    own, other = (1e3 / steps * statistics.median(column) for column in zip(*pairs))
    return f"{own:11.3f}{other:10.3f}{ratio(pairs):8.2f}"


def ratio(pairs: list[tuple[float, float]]) -> float:
    """The median of the ratios."""
    return statistics.median(ours / max(theirs, 1e-9) for ours, theirs in pairs)


def timed(run: Callable[[], Any]) -> tuple[float, float]:
    """The seconds of a run, by the clock and of the processors."""
    clock, processor = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - clock, time.process_time() - processor


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
