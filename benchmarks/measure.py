"""The parent of the measurement: two processes per workload, told in turn to run a timed round, never both at once."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .workloads import Workload

ROOT = Path(__file__).resolve().parent.parent
PAUSE = 0.3  # seconds between rounds: the other system's threads may still be spinning for work
AGREEMENT = 2e-3  # relative difference of the losses after the first steps that is still the same training


class Worker:
    """A child process and the lines it answers."""

    def __init__(self, system: str, mode: str, name: str, threads: int, cache: str | None) -> None:
        self.system = system
        command = [sys.executable, "-m", "benchmarks.worker", system, mode, name, str(threads)]
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment(threads, cache), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the {self.system} process ended with status {self.process.wait()}; its message stands above")
        return json.loads(line)

    def round(self, seconds: float) -> float:
        assert self.process.stdin is not None
        self.process.stdin.write(f"round {seconds}\n")
        self.process.stdin.flush()
        return self.answer()["step"]

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def environment(threads: int, cache: str | None) -> dict[str, str]:
    """The same number of threads for whatever library asks the environment; a compile cache of the run's own."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "SLOPES_THREADS")
    path = os.pathsep.join(each for each in (str(ROOT / "src"), os.environ.get("PYTHONPATH", "")) if each)
    more = {"SLOPES_CACHE": cache} if cache else {}
    return os.environ | dict.fromkeys(names, str(threads)) | {"PYTHONPATH": path} | more


@contextmanager
def worker(system: str, mode: str, name: str, threads: int, cache: str | None = None) -> Iterator[Worker]:
    child = Worker(system, mode, name, threads, cache)
    try:
        yield child
    finally:
        child.close()


def peak(threads: int) -> float:
    """The fastest of the large matrix products at hand, in GFLOP/s."""
    found = []
    for library in ("numpy", "torch"):
        if find_spec(library):
            with worker("peak", library, "-", threads) as child:
                found.append(child.answer()["peak"])
    return max(found)


def measure(workload: Workload, rounds: int, seconds: float, threads: int, mode: str, warm_cache: bool) -> dict[str, Any]:
    """All rounds of one workload: slopes alone where PyTorch is not installed."""
    systems = {"slopes": "compiled", **({"torch": mode} if find_spec("torch") else {})}
    with ExitStack() as stack:
        cache = None if warm_cache else stack.enter_context(tempfile.TemporaryDirectory(prefix="slopes-bench-"))
        workers, starts = {}, {}
        for system, how in systems.items():
            workers[system] = stack.enter_context(worker(system, how, workload.name, threads, cache))
            starts[system] = workers[system].answer()
        check_losses(workload, {system: start["loss"] for system, start in starts.items()})
        times: dict[str, list[float]] = {system: [] for system in systems}
        for number in range(rounds + 1):
            for system in list(systems) if number % 2 else list(systems)[::-1]:
                time.sleep(PAUSE)
                took = workers[system].round(seconds)
                if number:  # the first round is a warm-up
                    times[system].append(took)
    return {"workload": workload.name, "flops": workload.flops, "starts": starts, "times": times, **summary(times)}


def check_losses(workload: Workload, losses: dict[str, float]) -> None:
    """Both systems must be doing the same training, or the comparison means nothing."""
    low, high = min(losses.values()), max(losses.values())
    if not high - low <= AGREEMENT * max(abs(high), 1e-3):
        raise SystemExit(f"{workload.name}: after the same first steps the losses differ: {losses}")


def summary(times: dict[str, list[float]]) -> dict[str, Any]:
    """Medians, quartiles, the ratio of the medians and the quartiles of the ratios of neighbouring rounds."""
    found: dict[str, Any] = {"median": {system: statistics.median(each) for system, each in times.items()},
                             "quartiles": {system: quartiles(each) for system, each in times.items()}}
    if "torch" in times:
        found["ratio"] = found["median"]["torch"] / found["median"]["slopes"]
        found["spread"] = quartiles([other / ours for ours, other in zip(times["slopes"], times["torch"])])
    return found


def quartiles(values: list[float]) -> tuple[float, float]:
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def machine() -> dict[str, Any]:
    """What was measured on: processor, cores, versions."""
    return {"processor": processor(), "cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version(),
            **{name: installed(name) for name in ("slopes", "numpy", "llvmlite", "torch")}}


def processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
