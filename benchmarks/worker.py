"""One system and one workload in a process of its own: it runs a timed round whenever a line on its input asks for one.

    python -m benchmarks.worker SYSTEM MODE WORKLOAD THREADS     answers lines of JSON, one per request
    python -m benchmarks.worker peak numpy - THREADS             the fastest large matrix product seen, in GFLOP/s
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from typing import Any

import numpy as np

from .workloads import WORKLOADS

CHECKED = 12  # first steps whose last results must agree between the systems
COMPARED = 64  # numbers of a result that are compared
PEAK_SIZE = 2048
LEAD = 3  # untimed calls, or one long one, at the beginning of a round: the caches and clocks are this process's again


def say(**values: Any) -> None:
    print(json.dumps(values), flush=True)


def clock(run: Any, steps: int) -> float:
    begin = time.perf_counter()
    run(steps)
    return time.perf_counter() - begin


def calibrate(run: Any, unit: int, seconds: float) -> int:
    """How many steps take about `seconds`: a multiple of `unit`."""
    steps = unit
    while (took := clock(run, steps)) < seconds / 4 and steps < 10**6:
        steps *= 2
    return max(unit, round(steps * seconds / took / unit) * unit)


def serve(system: str, mode: str, name: str, threads: int) -> None:
    """Build, take the first steps, then answer: "round SECONDS" with the time of a step, "quit" with nothing."""
    workload = WORKLOADS[name]
    begin = time.perf_counter()
    engine = importlib.import_module(f"benchmarks.engine_{system}").build(workload, threads, mode)
    built = time.perf_counter()
    engine.run(1)
    first = time.perf_counter() - built
    say(build=built - begin, first=first, result=engine.run(CHECKED).ravel()[:COMPARED].tolist())
    steps = 0
    for line in sys.stdin:
        if line.startswith("quit"):
            return
        steps = steps or calibrate(engine.run, workload.steps_per_call, float(line.split()[1]))
        engine.run(min(LEAD * workload.steps_per_call, steps))
        say(step=clock(engine.run, steps) / steps, steps=steps)


def serve_peak(library: str, threads: int) -> None:
    """The best of many products of two square float32 matrices, in GFLOP/s."""
    if library == "torch":
        torch = importlib.import_module("torch")
        torch.set_num_threads(threads)
        a = torch.ones((PEAK_SIZE, PEAK_SIZE))
        product = lambda: torch.mm(a, a)  # noqa: E731
    else:
        a = np.ones((PEAK_SIZE, PEAK_SIZE), np.float32)
        product = lambda: a @ a  # noqa: E731
    product()
    best = min(clock(lambda _: product(), 1) for _ in range(12))
    say(peak=2 * PEAK_SIZE**3 / best / 1e9)


if __name__ == "__main__":
    system, mode, name, threads = sys.argv[1:5]
    if system == "peak":
        serve_peak(mode, int(threads))
    else:
        serve(system, mode, name, int(threads))
