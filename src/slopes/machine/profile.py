"""Where the time of a compiled function goes: per kernel its time, its arithmetic and the lines of user code it comes from."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import line_text
from ..loops.kernels import Kernel, buffers_read, buffers_written
from ..loops.module import Module
from ..loops.program import plan_program
from . import engine, translate
from .native import Native
from .peak import Peak, peak


@dataclass(frozen=True)
class Row:
    """One kernel: seconds per run (added over threads), what it computes, and for which lines of the user's code.

    gflops: two operations for each multiply-add of a contraction, None for other kernels. gbytes: all that it reads and writes,
    once per run of the kernel; what stays in a cache is faster than memory. share: of what one core can do, by whichever is nearer.
    region: the layers (`net[0]`, `net[0] gradient`), and outside of layers the functions, whose operations it performs.
    """

    seconds: float
    gflops: float | None
    gbytes: float
    share: float
    kind: str
    loops: str
    operations: str
    lines: str
    region: str = ""


@dataclass(frozen=True)
class Profile:
    """The kernels of a program, slowest first; prints as a table, and as another by layer. `sl.roofline(profile)` draws it."""

    rows: list[Row]
    seconds: float  # of one run, by the clock
    peak: Peak

    @property
    def layers(self) -> dict[str, float]:
        """The seconds of each layer or function, the slowest first; layers whose operations share kernels are one entry."""
        seconds: dict[str, float] = {}
        for row in self.rows:
            seconds[row.region] = seconds.get(row.region, 0.0) + row.seconds
        return dict(sorted(seconds.items(), key=lambda item: -item[1]))

    def __str__(self) -> str:
        head = (f"{self.seconds * 1e3:.3f} ms a run; a core's peak is {self.peak.gflops:.0f} GFLOP/s and {self.peak.gbytes:.0f} GB/s\n"
                f"{'ms':>8} {'time':>6} {'GFLOP/s':>8} {'GB/s':>6} {'peak':>5}  kernel")
        total = sum(row.seconds for row in self.rows) or 1.0
        lines = [f"{row.seconds * 1e3:8.3f} {row.seconds / total:6.1%} {'' if row.gflops is None else f'{row.gflops:.1f}':>8} "
                 f"{row.gbytes:6.1f} {row.share:5.0%}  {row.kind} {row.loops}: {row.operations}  # {row.lines}" for row in self.rows]
        if any(row.region for row in self.rows):
            lines += [f"{'ms':>8} {'time':>6}  layer"]
            lines += [f"{seconds * 1e3:8.3f} {seconds / total:6.1%}  {region or 'other'}" for region, seconds in self.layers.items()]
        return "\n".join([head, *lines])


def measure(native: Native, arguments: Any, strides: Any, runs: int) -> Profile:
    """Run a timed twin of a program on the same arguments."""
    plan = plan_program(native.roots, native.inputs, native.destinations, translate.host_target(), timed=True)
    codes = translate.object_codes(plan.modules, *translate.host())
    program = engine.Program(engine.Manifest(plan.arena, plan.scratch, plan.parallel, (), ()), codes, clocks=len(plan.kernels))
    program.run(arguments, strides)  # touch all memory once
    program.clocks[:] = 0
    start = time.perf_counter()
    for _ in range(runs):
        program.run(arguments, strides)
    elapsed = (time.perf_counter() - start) / runs
    per_tick = seconds_per_tick(program, arguments, strides)
    rows = [row(kernel, float(ticks) * per_tick / runs) for kernel, ticks in zip(plan.kernels, program.clocks.copy())]
    return Profile(sorted(rows, key=lambda row: -row.seconds), elapsed, peak())


def seconds_per_tick(program: engine.Program, arguments: Any, strides: Any) -> float:
    """The length of a tick of the processor's cycle counter, by comparing both clocks on a small program."""
    text = ("declare i64 @llvm.readcyclecounter()\n"
            "define void @program(ptr %c, ptr %a, ptr %s, ptr %r, i64 %t, i64 %n, i64 %k) {\n"
            "  %now = call i64 @llvm.readcyclecounter()\n  store i64 %now, ptr %c\n  ret void\n}")
    loaded, ticks = translate.Loaded(translate.object_codes([Module((), text)], *translate.host())), np.zeros(1, np.int64)
    clock = loaded.program()

    def both() -> tuple[int, float]:
        clock(ticks.ctypes.data, 0, 0, 0, 0, 0, 0)
        return int(ticks[0]), time.perf_counter()

    first, before = both()
    time.sleep(0.02)
    last, after = both()
    return (after - before) / max(1, last - first)


def row(kernel: Kernel, seconds: float) -> Row:
    operations = 2 * kernel.work * kernel.steps if kernel.kind == "contract" else 0
    rate = 1e-9 / seconds if seconds else 0.0
    gflops, gbytes, roof = operations * rate, touched(kernel) * kernel.steps * rate, peak()
    lines = dict.fromkeys(line_text(node.location) for node in kernel.nodes)
    return Row(seconds, gflops or None, gbytes, max(gflops / roof.gflops, gbytes / roof.gbytes), kernel.kind,
               f"{[axis.extent for axis in kernel.axes]} over {[axis.extent for axis in kernel.inner]}" if kernel.inner
               else f"{[axis.extent for axis in kernel.axes]}",
               ", ".join(dict.fromkeys(node.op.name for node in kernel.nodes)) or "copy", " ".join(lines),
               ", ".join(dict.fromkeys(node.region.label for node in kernel.nodes if node.region is not None)))


def touched(kernel: Kernel) -> int:
    """The bytes of the buffers that a kernel reads and of those that it writes: at most as many elements of each as it takes steps."""
    return sum(min(buffer.size, kernel.work) * buffer.dtype.itemsize for buffer in (*buffers_read(kernel), *buffers_written(kernel)))
