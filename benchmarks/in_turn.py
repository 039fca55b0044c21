"""slopes and PyTorch in one process: a step of each by itself, and the two in turn, where PyTorch's workers still spin after a call.

    python -m benchmarks.in_turn WORKLOAD THREADS ROUNDS SECONDS     answers one line of JSON, with seconds for a step
"""

from __future__ import annotations

import json
import statistics
import sys
import time

from . import engine_slopes, engine_torch
from .engine import Engine
from .workloads import WORKLOADS

PAUSE = 0.3  # seconds, for the workers of both to fall asleep


def main(name: str, threads: int, rounds: int, seconds: float) -> None:
    """The medians over the rounds; the first round is a warm-up."""
    workload = WORKLOADS[name]
    engines = {"slopes": engine_slopes.build(workload, threads, "compiled"), "torch": engine_torch.build(workload, threads, "eager")}
    alone: dict[str, list[float]] = {system: [] for system in engines}
    mixed: dict[str, list[float]] = {system: [] for system in engines}
    for _ in range(rounds + 1):
        for system, engine in engines.items():
            time.sleep(PAUSE)
            alone[system].append(in_turn({system: engine}, seconds)[system])
        time.sleep(PAUSE)
        for system, step in in_turn(engines, 2 * seconds).items():
            mixed[system].append(step)
    print(json.dumps({kind: {system: statistics.median(steps[1:]) for system, steps in of.items()}
                      for kind, of in (("alone", alone), ("mixed", mixed))}), flush=True)


def in_turn(engines: dict[str, Engine], seconds: float) -> dict[str, float]:
    """The median step of each, one step of each after the other for so many seconds."""
    steps: dict[str, list[float]] = {system: [] for system in engines}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for system, engine in engines.items():
            begin = time.perf_counter()
            engine.run(1)
            steps[system].append(time.perf_counter() - begin)
    return {system: statistics.median(times) for system, times in steps.items()}


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:4]), float(sys.argv[4]))
