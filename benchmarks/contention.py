"""What becomes of a step when others want its cores: another process, or the workers of another library in the same process.

The time of a step is divided by that of quiet rounds.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from .figures import Figure, at_most, fresh, torch_installed
from .measure import PAUSE, Worker, worker

WORKLOADS = ("lenet-sgd", "mlp-sgd")
LIMIT = 2.5


@contextmanager
def busy() -> Iterator[None]:
    """Another process that never rests."""
    child = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(PAUSE)
        yield
    finally:
        child.kill()
        child.wait()


def measure(names: Sequence[str], rounds: int, seconds: float, threads: int) -> Iterator[tuple[str, Figure]]:
    """Quiet and disturbed rounds in turn; the ratio of their medians, for each system by itself."""
    for name in names or WORKLOADS:
        with ExitStack() as stack:
            cache = stack.enter_context(tempfile.TemporaryDirectory(prefix="slopes-bench-"))
            workers = [stack.enter_context(worker("slopes", "compiled", name, threads, cache))]
            if torch_installed():
                workers.append(stack.enter_context(worker("torch", "eager", name, threads)))
            for each in workers:
                each.answer()
            slopes, *others = ratios(workers, rounds, seconds)
            yield f"{name}: step beside a busy core, by the quiet step", at_most(LIMIT, slopes, others[0] if others else None, "")
            if torch_installed():
                step = fresh("in_turn", name, threads, rounds, seconds, threads=threads, cache=cache)[1]
                slopes, other = (step["mixed"][system] / step["alone"][system] for system in ("slopes", "torch"))
                yield f"{name}: step in turn with PyTorch's in one process, by the quiet step", at_most(LIMIT, slopes, other, "")


def ratios(workers: list[Worker], rounds: int, seconds: float) -> list[float]:
    """How many times longer a step of each worker takes beside the busy process."""
    quiet: list[list[float]] = [[] for _ in workers]
    disturbed: list[list[float]] = [[] for _ in workers]
    for number in range(rounds + 1):
        for each, calm, loud in zip(workers, quiet, disturbed):
            time.sleep(PAUSE)
            calm.append(each.round(seconds))
            with busy():
                loud.append(each.round(seconds))
            if not number:  # a warm-up
                calm.clear()
                loud.clear()
    return [statistics.median(loud) / statistics.median(calm) for calm, loud in zip(quiet, disturbed)]
