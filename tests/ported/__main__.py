"""`python -m tests.ported --record` records losses and values under PyTorch; without it, all steps are compared with them."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from . import expressions
from .runner import FOLDER, PROGRAMS, RECORDED, STEPS, run_program

VALUES = FOLDER / "recorded_values.json"


def record() -> None:
    losses = {name: {str(steps): run_program(name, "torch", steps) for steps in (5, STEPS)} for name in PROGRAMS}
    write(RECORDED, {name: {key: [float(f"{x:.9g}") for x in values] for key, values in own.items()} for name, own in losses.items()})
    names = expressions.names_of("torch")
    write(VALUES, {text: expressions.value_of(text, names()) for text in [*expressions.EXPRESSIONS, *expressions.PROGRAMS]})


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


if __name__ == "__main__":
    if "--record" in sys.argv:
        record()
    else:
        sys.exit(not compare())
