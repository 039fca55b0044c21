"""What one core of this machine can do at best: multiply-adds of full vectors, and bytes copied, measured once per process."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, reduce

import numpy as np

from ..loops import memory
from ..loops.builder import Builder
from ..loops.module import Module
from ..loops.values import FLOAT32, INT64, Value
from . import translate

SUMS = 12  # independent sums, so that none waits for the one before
TURNS = 20_000
COPIED = 1 << 26  # bytes: more than any cache close to a core holds
ATTEMPTS = 7


@dataclass(frozen=True)
class Peak:
    """The roof over a kernel on one core: 1e9 floating-point operations per second, and 1e9 bytes per second to and from memory."""

    gflops: float
    gbytes: float


@lru_cache(maxsize=1)
def peak() -> Peak:
    """Measured now, in some tens of milliseconds; the best of a few attempts, as others may use the machine."""
    return Peak(multiply_adds() * 2e-9, copying() * 1e-9)


def best_of(run: Callable[[], object]) -> float:
    """The shortest time of a few runs, in seconds."""
    times = []
    for _ in range(ATTEMPTS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def multiply_adds() -> float:
    """Multiply-adds of float32 per second."""
    lanes = translate.host_target().lanes
    loaded, sums = translate.Loaded(translate.object_codes([Module((), loop_text(lanes))], *translate.host())), np.zeros(lanes, np.float32)
    loop = loaded.program()
    seconds = best_of(lambda: loop(sums.ctypes.data, 0, 0, 0, 0, 0, TURNS))
    return SUMS * lanes * TURNS / seconds


def loop_text(lanes: int) -> str:
    """A loop of multiply-adds on registers alone; the sums are stored at the end, so that none can be left out."""
    b = Builder(lanes)
    x = memory.load(b, "%out", FLOAT32, b.whole(0), lanes)
    sums = [b.variable(b.const(0.0, like=x)) for _ in range(SUMS)]
    with b.loop(b.whole(0), Value("%turns", INT64)):
        for total in sums:
            total.set(b.multiply_add(total.get(), x, x))
    memory.store(b, reduce(b.add, [total.get() for total in sums]), "%out", b.whole(0))
    body = b.function("define void @program(ptr %out, ptr %a, ptr %s, ptr %r, i64 %t, i64 %n, i64 %turns)")
    return "\n".join([*sorted(b.declarations), body, ""])


def copying() -> float:
    """Bytes per second, read and written, of a copy from memory to memory."""
    source, target = np.ones(COPIED // 4, np.float32), np.ones(COPIED // 4, np.float32)
    return 2 * COPIED / best_of(lambda: np.copyto(target, source))
