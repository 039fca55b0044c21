"""The most memory that training needs: of the whole process, and beyond what the imports took."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

from .figures import Figure, fresh, plain, share, torch_installed

WORKLOADS = ("lenet-sgd", "alexnet")
LIMIT = 0.6
STEPS = 5
MEGABYTE = 10**6


def used(system: str, name: str, threads: int, cache: str | None) -> tuple[float, float]:
    """The most of one fresh process while it takes some steps, and the same less what it had after its imports, in MB."""
    said: dict[str, Any] = fresh("once", system, name, threads, STEPS, threads=threads, cache=cache)[1]
    if said["peak"] is None:
        raise SystemExit("memory is read from /proc/self/status, which only Linux has")
    return said["peak"] / MEGABYTE, (said["peak"] - said["imported"]) / MEGABYTE


def measure(names: Sequence[str], rounds: int, threads: int) -> Iterator[tuple[str, Figure]]:
    """Medians over the rounds."""
    for name in names or WORKLOADS:
        first, later, other = [], [], []
        for _ in range(rounds):
            with tempfile.TemporaryDirectory(prefix="slopes-bench-") as cache:
                first.append(used("slopes", name, threads, cache))
                later.append(used("slopes", name, threads, cache))
            if torch_installed():
                other.append(used("torch", name, threads, None))
        whole, beyond = map(statistics.median, zip(*later))
        peers = list(map(statistics.median, zip(*other))) or [None, None]
        yield f"{name}: memory of the process", share(LIMIT, whole, peers[0], "MB")
        yield f"{name}: memory beyond the imports", share(LIMIT, beyond, peers[1], "MB")
        yield f"{name}: memory of the process, compiling too", plain(statistics.median(whole for whole, _ in first), peers[0], "MB")
