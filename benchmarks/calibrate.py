"""The constants of the cost model that a machine can be asked for: measured here, beside the values in slopes.costs.

Prices of memory accesses are those of a full vector, divided by the price of a vector of neighbours; all data are in the first-level
cache. A cycle is half of the time of a rotation and an exclusive or that wait for each other.
"""

from __future__ import annotations

import ctypes
import statistics
import threading
import time
from collections.abc import Callable
from functools import lru_cache, reduce
from pathlib import Path
from typing import NamedTuple

import numpy as np

from slopes import costs
from slopes.graph.build import variable
from slopes.loops import memory
from slopes.loops.builder import Builder
from slopes.loops.module import Module
from slopes.loops.values import FLOAT32, INT64, Value
from slopes.machine import translate
from slopes.machine.engine import addresses
from slopes.machine.entry import entry
from slopes.machine.native import compile_graph
from slopes.machine.peak import best_of

TURNS, UNROLLED = 20_000, 8
TABLE = 2048  # numbers that are read: half of a first-level cache of 16 KB
NEAR, FAR = 3, costs.FAR_STRIDE + 16  # elements from lane to lane
TOLERANCE = 1.5  # times: a constant that is off by less decides the same nearly everywhere
CACHE = Path("/sys/devices/system/cpu/cpu0/cache/index0")


class Row(NamedTuple):
    """One constant: its value in the table, and here."""

    name: str
    value: float
    here: float
    cost: costs.Cost

    @property
    def differs(self) -> bool:
        return not 1 / TOLERANCE < self.here / self.value < TOLERANCE


# Loops

def seconds_of(body: Callable[[Builder, Value, int], None], b: Builder, results: Callable[[], Value]) -> float:
    """The time of one of the bodies that a loop runs again and again, the fastest of a few attempts; the results are stored at its end."""
    with b.loop(b.whole(0), Value("%turns", INT64)) as turn:
        for i in range(UNROLLED):
            body(b, turn, i)
    memory.store(b, results(), "%out", b.whole(0))
    text = b.function("define void @program(ptr %out, ptr %table, ptr %offsets, ptr %r, i64 %t, i64 %n, i64 %turns)")
    loaded = translate.Loaded(translate.object_codes([Module(tuple(sorted(b.declarations)), text)], *translate.host()))
    return run_loop(loaded)


def run_loop(loaded: translate.Loaded) -> float:
    out, table = np.zeros(64, np.float32), np.ones(TABLE + FAR * 64, np.float32)
    loop, offsets = loaded.program(), np.array([[i * NEAR for i in range(64)], [i * FAR for i in range(64)]], np.int64)
    addresses = out.ctypes.data, table.ctypes.data, offsets.ctypes.data
    return best_of(lambda: loop(*addresses, 0, 0, 0, TURNS)) / (TURNS * UNROLLED)


def access(read: Callable[[Builder, Value], Value]) -> float:
    """The time to read one vector and add it to sums of which none waits for the one before."""
    b = translate.host_target().builder()
    sums = [b.variable(b.const(0.0, like=Value("", FLOAT32, b.lanes))) for _ in range(UNROLLED)]

    def body(b: Builder, turn: Value, i: int) -> None:
        base = b.mul(b.bit_and(turn, b.whole(TABLE // (b.lanes * UNROLLED) - 1)), b.whole(b.lanes * UNROLLED))
        sums[i].set(b.add(sums[i].get(), read(b, b.add(base, b.whole(i * b.lanes)))))

    return seconds_of(body, b, lambda: reduce(b.add, [total.get() for total in sums]))


def lanes() -> int:
    return translate.host_target().lanes


@lru_cache(maxsize=1)
def neighbours() -> float:
    return access(lambda b, offset: memory.load(b, "%table", FLOAT32, offset, lanes()))


def shared() -> float:
    return access(lambda b, offset: b.splat(memory.load(b, "%table", FLOAT32, offset), lanes()))


def gathered(row: int) -> float:
    """One element per lane, NEAR or FAR from lane to lane."""
    def read(b: Builder, offset: Value) -> Value:
        apart = memory.load(b, "%offsets", INT64, b.whole(64 * row), lanes())
        return memory.gather(b, "%table", FLOAT32, b.add(b.splat(offset, lanes()), apart))

    return access(read)


@lru_cache(maxsize=1)
def cycle() -> float:
    b = Builder(1)
    word = b.variable(memory.load(b, "%offsets", INT64, b.whole(1)))

    def body(b: Builder, turn: Value, i: int) -> None:
        word.set(b.bit_xor(b.rotate_left(word.get(), 5), turn))

    return seconds_of(body, b, word.get) / 2


def latency() -> float:
    """Of a multiply-add that waits for the one before."""
    b = translate.host_target().builder()
    x = memory.load(b, "%table", FLOAT32, b.whole(0), b.lanes)
    total = b.variable(x)

    def body(b: Builder, turn: Value, i: int) -> None:
        total.set(b.multiply_add(total.get(), x, x))

    return seconds_of(body, b, total.get)


def product() -> float:
    """Of a multiply-add among others that none waits for: as many at once as are begun while one takes its time."""
    b = translate.host_target().builder()
    x = memory.load(b, "%table", FLOAT32, b.whole(0), b.lanes)
    sums = [b.variable(x) for _ in range(UNROLLED)]

    def body(b: Builder, turn: Value, i: int) -> None:
        sums[i].set(b.multiply_add(sums[i].get(), x, x))

    return seconds_of(body, b, lambda: reduce(b.add, [total.get() for total in sums]))


# Programs and threads

def element_step() -> float:
    """The time of an element step in a program of little arithmetic, on data in the first-level cache."""
    x = variable((TABLE,), FLOAT32)
    program = compile_graph([x + x * x], [None], keep=[x]).program
    table, strides = addresses(arrays := [np.ones(TABLE, np.float32), np.ones(TABLE, np.float32)]), np.zeros(2, np.int64)
    seconds = best_of(lambda: program.run(table.ctypes.data, strides.ctypes.data, TURNS)) / TURNS
    assert arrays[1][0] == 2, "the program wrote into the second array"
    return seconds / sum(work for _, work in program.manifest.kernels)


def wake_time() -> float:
    """From opening a lock to the first line of the thread that sleeps on it."""
    times = []
    for _ in range(40):
        lock, woken = threading.Lock(), []
        lock.acquire()
        thread = threading.Thread(target=lambda lock=lock, woken=woken: (lock.acquire(), woken.append(time.perf_counter())))
        thread.start()
        time.sleep(2e-3)
        start = time.perf_counter()
        lock.release()
        thread.join()
        times.append(woken[0] - start)
    return statistics.median(times)


def nap() -> float:
    """The shortest sleep, in rounds of a waiting loop."""
    return best_of(ctypes.CFUNCTYPE(None)(entry().rest)) / entry().pause


def cache_ways() -> float | None:
    """The lines of a set of the first-level cache; None where the system does not say."""
    return float((CACHE / "ways_of_associativity").read_text()) if CACHE.exists() else None


def cache_way() -> float | None:
    if not CACHE.exists():
        return None
    return float((CACHE / "number_of_sets").read_text()) * float((CACHE / "coherency_line_size").read_text())


MEASURES: dict[str, Callable[[], float | None]] = {
    "SHARED_ACCESS": lambda: shared() / neighbours(),
    "SCATTERED": lambda: gathered(0) / neighbours(),
    "FAR_SCATTERED": lambda: gathered(1) / neighbours(),
    "BROADCAST": lambda: shared() / cycle(),
    "TILE_LATENCY": lambda: latency() / product(),
    "WAY": cache_way,
    "WAYS": cache_ways,
    "WORK_TIME": element_step,
    "WAKE_TIME": wake_time,
    "NAP": nap,
}


# The report

def measure() -> list[Row]:
    """All that this machine can be asked for."""
    table = costs.table()
    return [Row(name, table[name][0], here, table[name][1]) for name, ask in MEASURES.items() if (here := ask()) is not None]


def report(rows: list[Row], machine: str) -> str:
    """What differs first, each with what it decides; then what agrees, and how much of the table was measured."""
    lines = [f"{machine}: {len(rows)} of the {len(costs.table())} constants in slopes.costs can be measured"]
    for differs, title in ((True, f"differ by {TOLERANCE:g} times or more"), (False, "agree")):
        chosen = [row for row in rows if row.differs is differs]
        lines += [f"{len(chosen)} {title}:", *(line for row in chosen for line in row_lines(row))]
    return "\n".join([*lines, "Nothing was changed: the values are those of src/slopes/costs.py."])


def row_lines(row: Row) -> list[str]:
    found = f"  {row.name:14} {row.value:>9.4g}  here {row.here:>9.4g}  ({row.here / row.value:.2f} times)  {row.cost.unit}"
    return [found, f"      it decides {row.cost.decides}"] if row.differs else [found]


def main() -> None:
    """Measure and report."""
    triple, processor, features = translate.host()
    print(report(measure(), f"{processor}, {translate.instruction_set(triple, features)}"))
