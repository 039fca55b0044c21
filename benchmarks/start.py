"""How long it takes until something happens: importing, and from the start of a process to LeNet's first trained step."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from .figures import Figure, at_most, fresh, plain, torch_installed
from .measure import ROOT, environment

WORKLOAD = "lenet-sgd"


def importing(library: str, threads: int) -> float:
    """Seconds of a process that imports a library and ends, less those of one that only starts Python."""
    times = []
    for code in (f"import {library}", "pass"):
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment(threads, None), check=True)
        times.append(time.perf_counter() - begin)
    return times[0] - times[1]


def median(values: list[float]) -> float | None:
    return statistics.median(values) if values else None


def measure(rounds: int, threads: int) -> Iterator[tuple[str, Figure]]:
    """Medians over the rounds: slopes and PyTorch in turn, for slopes with an empty and with a filled cache."""
    names = ["slopes", *(["torch"] if torch_installed() else [])]
    imports: dict[str, list[float]] = {name: [] for name in names}
    cold, compiling, warm, other = [], [], [], []
    for _ in range(rounds):
        for name in names:
            imports[name].append(importing(name, threads))
        with tempfile.TemporaryDirectory(prefix="slopes-bench-") as cache:
            took, said = fresh("once", "slopes", WORKLOAD, threads, 1, threads=threads, cache=cache)
            cold.append(took)
            compiling.append(said["first"])
            warm.append(fresh("once", "slopes", WORKLOAD, threads, 1, threads=threads, cache=cache)[0])
        if torch_installed():
            other.append(fresh("once", "torch", WORKLOAD, threads, 1, threads=threads, cache=None)[0])
    middle = {name: statistics.median(times) for name, times in imports.items()}
    yield "import", plain(middle["slopes"], middle.get("torch"), "s")
    yield "LeNet: start to first step, empty cache", at_most(2.5, statistics.median(cold), median(other), "s")
    yield "LeNet: start to first step, from the cache", at_most(0.5, statistics.median(warm), median(other), "s")
    yield "LeNet: first call, empty cache", at_most(1.5, statistics.median(compiling), None, "s")
