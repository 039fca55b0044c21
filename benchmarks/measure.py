"""The parent of the measurement: a process per system and workload, told in turn to run a timed round, never two at once."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from slopes.machine.translate import host, instruction_set

from .workloads import Bar, Workload

ROOT = Path(__file__).resolve().parent.parent
PAUSE = 0.3  # seconds between rounds: the other system's threads may still be spinning for work
AGREEMENT = 2e-3  # relative difference of the results after the first steps that is still the same training


@dataclass(frozen=True)
class Peer:
    """A system beside slopes: the module benchmarks.engine_SYSTEM, its name in tables, and the libraries that it needs."""

    system: str
    name: str
    needs: tuple[str, ...]
    trains: bool = True

    @property
    def installed(self) -> bool:
        return all(find_spec(each) for each in self.needs)


PEERS = {
    "eager": Peer("torch", "PyTorch", ("torch",)),
    "compile": Peer("torch", "torch.compile", ("torch",)),
    "jax": Peer("jax", "JAX", ("jax",)),
    "onnx": Peer("onnxruntime", "onnxruntime", ("onnxruntime", "onnx"), trains=False),
}


LEVELS = {  # what each library has to be told to use no more than an instruction set; onnxruntime has no such switch
    "x86-64-v2": {"ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2", "ATEN_CPU_CAPABILITY": "default",
                  "OPENBLAS_CORETYPE": "Nehalem", "XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2"},
    "x86-64-v3": {"ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2", "ATEN_CPU_CAPABILITY": "avx2",
                  "OPENBLAS_CORETYPE": "Haswell", "XLA_FLAGS": "--xla_cpu_max_isa=AVX2"},
    "x86-64-v4": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE", "MKL_ENABLE_INSTRUCTIONS": "AVX512", "ATEN_CPU_CAPABILITY": "avx512",
                  "OPENBLAS_CORETYPE": "SkylakeX", "XLA_FLAGS": "--xla_cpu_max_isa=AVX512"},
}


def cap(level: str) -> None:
    """Have slopes and its peers compile for an x86-64 level: by environment variables, which the processes of this run inherit."""
    os.environ["SLOPES_CPU"] = level
    os.environ["TORCHINDUCTOR_CPP_MARCH"] = level
    for name, value in LEVELS[level].items():
        os.environ[name] = f"{os.environ.get(name, '')} {value}".strip() if name == "XLA_FLAGS" else value


@dataclass(frozen=True)
class Options:
    """How to measure."""

    rounds: int = 11
    seconds: float = 0.5
    threads: int = 2
    peers: Sequence[str] = tuple(PEERS)
    warm_cache: bool = False


class Ended(SystemExit):
    """A worker has ended without an answer: of a peer's its message is shown, slopes' ends the run."""


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
            raise Ended(f"the process of {self.system} ended with status {self.process.wait()}; its message stands above")
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
    """The same number of threads for whatever library asks the environment; a compile cache of the run's own.

    Python may keep bytecode, as what is installed has it: without, each start would compile all sources again.
    """
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NPROC", "SLOPES_THREADS")  # NPROC: XLA
    path = os.pathsep.join(each for each in (str(ROOT / "src"), os.environ.get("PYTHONPATH", "")) if each)
    more = {"SLOPES_CACHE": cache} if cache else {}
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | dict.fromkeys(names, str(threads)) | {"PYTHONPATH": path} | more


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


def able(workload: Workload, peers: Sequence[str]) -> list[str]:
    """Those peers that are installed and have what the workload needs."""
    found = [each for each in peers if PEERS[each].installed and (PEERS[each].trains or not workload.optimizer)]
    return found if workload.compiled else [each for each in found if each == "eager"]


def measure(workload: Workload, options: Options) -> dict[str, Any]:
    """All rounds of one workload, beside those peers that can run it."""
    with ExitStack() as stack:
        cache = None if options.warm_cache else stack.enter_context(tempfile.TemporaryDirectory(prefix="slopes-bench-"))
        mode = "compiled" if workload.compiled else "eager"
        workers = {"slopes": stack.enter_context(worker("slopes", mode, workload.name, options.threads, cache))}
        starts = {"slopes": workers["slopes"].answer()}
        for peer in able(workload, options.peers):
            name = PEERS[peer].name
            child = stack.enter_context(worker(PEERS[peer].system, peer, workload.name, options.threads))
            try:
                starts[name] = child.answer()
                workers[name] = child
            except Ended as ended:
                print(f"{workload.name} without {name}: {ended}", file=sys.stderr)
        check_results(workload, {name: start.pop("result") for name, start in starts.items()})
        times = timed(workers, options.rounds, options.seconds)
    return {"flops": workload.flops, "starts": starts, "times": times, **summary(times, workload.bars)}


def timed(workers: dict[str, Worker], rounds: int, seconds: float) -> dict[str, list[float]]:
    """The seconds of a step in every round of every system; the order of the systems turns around from round to round."""
    times: dict[str, list[float]] = {name: [] for name in workers}
    for number in range(rounds + 1):
        for name in list(workers) if number % 2 else list(workers)[::-1]:
            time.sleep(PAUSE)
            took = workers[name].round(seconds)
            if number:  # the first round is a warm-up
                times[name].append(took)
    return times


def check_results(workload: Workload, results: dict[str, list[float]]) -> None:
    """All systems must be computing the same, or the comparison means nothing."""
    ours = np.array(results["slopes"])
    for name, each in results.items():
        if not np.abs(ours - each).max() <= AGREEMENT * max(np.abs(ours).max(), 1e-3):  # so that NaN is a difference
            raise SystemExit(f"{workload.name}: after the same first steps, slopes has {results['slopes']} and {name} has {each}")


def summary(times: dict[str, list[float]], bars: Sequence[Bar]) -> dict[str, Any]:
    """Medians and quartiles of the times, and for each bar how slopes stands."""
    return {"median": {name: statistics.median(each) for name, each in times.items()},
            "quartiles": {name: quartiles(each) for name, each in times.items()},
            "bars": [judged(times, bar) for bar in bars]}


def judged(times: dict[str, list[float]], bar: Bar) -> dict[str, Any]:
    """The fastest of the bar's peers; the median and the quartiles of the ratios of paired rounds; is the bar met?

    With none of the peers there is only the bar.
    """
    peers = {name: statistics.median(times[name]) for name in bar.over if name in times}
    if not peers:
        return {"times": bar.times, "over": bar.over}
    fastest = min(peers, key=peers.__getitem__)
    ratios = paired_ratios(times["slopes"], times[fastest])
    ratio = statistics.median(ratios)
    return {"times": bar.times, "over": bar.over, "peer": fastest, "ratio": ratio, "met": ratio >= bar.times, "spread": quartiles(ratios)}


def paired_ratios(ours: list[float], other: list[float]) -> list[float]:
    """The other's time by ours in each round: neighbours in time, so that a busy moment slows both."""
    return [theirs / mine for mine, theirs in zip(ours, other)]


def quartiles(values: list[float]) -> tuple[float, float]:
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


INSTRUCTIONS = {"avx512": "AVX-512", "avx2": "AVX2", "sse": "SSE", "neon": "NEON", "plain": "no vectors"}


def machine() -> dict[str, Any]:
    """The machine and software of a measurement: processor, instruction set, cores, versions."""
    triple, _, features = host()
    return {"processor": processor(), "cpu": os.environ.get("SLOPES_CPU", "host"),
            "instructions": INSTRUCTIONS[instruction_set(triple, features)], "cores": os.cpu_count(),
            "system": platform.platform(), "python": platform.python_version(),
            **{name: installed(name) for name in ("slopes", "numpy", "llvmlite", "torch", "jax", "jaxlib", "onnxruntime")}}


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
