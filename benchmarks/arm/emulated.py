"""What runs on the emulated machine: `python -m benchmarks.arm.emulated FILE` runs the jobs of a file that `jobs.py` made.

Each runs on one thread and on several. Their bits must be equal, and their values those of the host's eager evaluation: equal
integers, floats but for the order of sums. At last one function is traced, compiled and run all here.
"""

from __future__ import annotations

import math
import os
import pickle
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import slopes as sl
from slopes.machine import engine, pool, translate

THREADS = 1, 2, 3
TOLERANCE = {"float32": 2e-4, "float64": 1e-11}  # of the largest magnitude: sums of thousands of terms in two orders
RARE, FAR = 1e-4, 10  # such a part of the elements may be so many times farther off: Adam's first step is the sign of a gradient near 0


@dataclass
class Job:
    """A program, its arguments, and what it shall compute: result k is written to argument destinations[k]."""

    name: str
    code: bytes
    arena: int
    scratch: int
    parallel: bool
    inputs: list[np.ndarray]
    destinations: list[int]
    expected: list[np.ndarray]


def run(job: Job, threads: int) -> list[np.ndarray]:
    """The results on this many threads."""
    os.environ["SLOPES_THREADS"] = str(threads)
    program = engine.Program(engine.Manifest(job.arena, job.scratch, job.parallel, (), ()), [job.code])
    program.spin_limit, program.stalls.stall = 1 << 40, math.inf  # helpers are waited for however long the emulator takes
    pool.pool.backoff.reset()
    arrays = [array.copy() for array in job.inputs]
    arrays += [np.empty(array.shape, array.dtype) for array, index in zip(job.expected, job.destinations) if index >= len(job.inputs)]
    table, strides = engine.addresses(arrays), np.zeros(len(arrays) + 1, np.int64)
    failed = program.run(table.ctypes.data, strides.ctypes.data)
    assert not failed, f"{job.name} reported an error"
    assert not job.parallel or program.joined == threads, f"{job.name} ran on {program.joined} threads instead of {threads}"
    return [arrays[index] for index in job.destinations]


def difference(array: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, in tolerances of the type, but for RARE ones; infinite where one is not a number and the other is."""
    if array.dtype.kind != "f":
        return 0.0 if np.array_equal(array, expected) else math.inf
    known = np.isfinite(expected)
    if not np.array_equal(array[~known], expected[~known], equal_nan=True):
        return math.inf
    largest = max(1.0, float(np.max(np.abs(expected[known]), initial=0.0)))
    off = np.sort(np.abs(array[known].astype(np.float64) - expected[known])) / largest / TOLERANCE[array.dtype.name]
    return max(float(off[-1]) / FAR, float(off[-1 - int(RARE * off.size)])) if off.size else 0.0


def check(job: Job) -> float:
    """The largest difference from what is expected, in tolerances; AssertionError for more than 1, or for bits that threads change."""
    first, *others = [run(job, threads) for threads in THREADS]
    for threads, arrays in zip(THREADS[1:], others):
        assert same_bits(first, arrays), f"{job.name}: other bits on {threads} threads"
    worst = max(map(difference, first, job.expected), default=0.0)
    assert worst <= 1, f"{job.name} differs from eager"
    return worst


def same_bits(arrays: Sequence[np.ndarray], others: Sequence[np.ndarray]) -> bool:
    return all(array.tobytes() == other.tobytes() for array, other in zip(arrays, others, strict=True))


def compile_here() -> None:
    """Trace, plan, translate and call: nothing of it comes from the host."""
    x = sl.tensor(np.linspace(-2, 2, 24, dtype=np.float32).reshape(4, 6))

    def function(x):
        return sl.tanh(x @ x.T).sum(axis=0)

    assert difference(sl.compile(function)(x).numpy(), function(x).numpy()) <= 1, "a function compiled here differs from eager"


def main(file: str) -> int:
    """Run all jobs and say what came out; returns how many failed."""
    failures = count = 0
    with open(file, "rb") as jobs:
        while (job := pickle.load(jobs)) is not None:
            start = time.perf_counter()
            try:
                print(f"{job.name}: {check(job):.3f} of the tolerance, {time.perf_counter() - start:.1f} s", flush=True)
            except AssertionError as error:
                print(f"FAILED: {error}", flush=True)
                failures += 1
            count += 1
    compile_here()
    triple, processor, _ = translate.host()
    print(f"{count - failures} of {count} programs compute what they shall on {THREADS} threads; one was compiled here, "
          f"for {processor} ({triple})", flush=True)
    return failures


if __name__ == "__main__":
    sys.exit(min(1, main(sys.argv[1])))
