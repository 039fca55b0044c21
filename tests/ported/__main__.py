"""`python -m tests.ported --record` records losses and values under PyTorch; without it, all steps are compared with them.

`python -m tests.ported --times [PROGRAM...]` compares CPU times of a step: eager PyTorch, and slopes.torch compiled, one thread each.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from . import expressions
from .runner import FOLDER, PROGRAMS, RECORDED, STEPS, run_program

VALUES = FOLDER / "recorded_values.json"
WARM = 4  # steps that are not timed


def record() -> None:
    losses = {name: {str(steps): run_program(name, "torch", steps) for steps in (5, STEPS)} for name in PROGRAMS}
    write(RECORDED, {name: {key: [float(f"{x:.9g}") for x in values] for key, values in own.items()} for name, own in losses.items()})
    names = expressions.names_of("torch")
    texts = [*expressions.EXPRESSIONS, *expressions.PROGRAMS, *expressions.MORE]
    write(VALUES, {text: expressions.value_of(text, names()) for text in texts})


def write(file: Path, table: dict[str, Any]) -> None:
    """A JSON file with a line for each entry."""
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in table.items()]
    file.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def compare() -> bool:
    """Print, for each program, the largest relative difference of a loss, eager and compiled, and the CPU seconds."""
    recorded, fine = json.loads(RECORDED.read_text(encoding="utf-8")), True
    for name in PROGRAMS:
        row = f"{name:18}"
        for compiled in (False, True):
            start = time.process_time()
            losses = np.array(run_program(name, "slopes", STEPS, compiled))
            target = np.array(recorded[name][str(STEPS)])
            difference = float(np.max(np.abs(losses - target) / np.maximum(np.abs(target), 1e-6)))
            fine = fine and difference < 1e-4
            row += f"  {'compiled' if compiled else 'eager'} {difference:.1e} {time.process_time() - start:5.1f} s"
        print(row, flush=True)
    return fine


def seconds_of_a_step(name: str, library: str, rounds: int = 3) -> float:
    """CPU seconds of a step: the median of those after the first ones, the least of some rounds. NaN without a compiled step."""
    return min(statistics.median(step_seconds(name, library)[WARM:] or [math.nan]) for _ in range(rounds))


def step_seconds(name: str, library: str) -> list[float]:
    """CPU seconds of the steps of a program."""
    seconds: list[float] = []

    def timed(step: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            start = time.process_time()
            result = step(*args)
            seconds.append(time.process_time() - start)
            return result

        return call

    run_program(name, library, STEPS, make_step=timed if library == "torch" else lambda step: timed(torch_window().compile(step)))
    return seconds


def torch_window() -> Any:
    """slopes.torch, which is imported after the number of threads is set."""
    return importlib.import_module("slopes.torch")


def compare_times(names: list[str]) -> None:
    """Print, for each program, the milliseconds of a step under PyTorch and slopes, and their ratio."""
    torch = importlib.import_module("torch")
    torch.set_num_threads(1)
    os.environ["SLOPES_THREADS"] = "1"
    for name in names:
        theirs, ours = (1e3 * seconds_of_a_step(name, library) for library in ("torch", "slopes"))
        print(f"{name:18} PyTorch {theirs:8.2f} ms   slopes {ours:8.2f} ms   {theirs / ours:5.2f}", flush=True)


if __name__ == "__main__":
    if "--record" in sys.argv:
        record()
    elif "--times" in sys.argv:
        compare_times([name for name in sys.argv[1:] if name != "--times"] or PROGRAMS)
    else:
        sys.exit(not compare())
