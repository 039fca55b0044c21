"""`python -m tests.ported --record` records the losses under PyTorch; without --record it compares all steps with the recorded losses."""

from __future__ import annotations

import json
import sys
import time

import numpy as np

from .runner import PROGRAMS, RECORDED, STEPS, run_program


def record() -> None:
    losses = {name: {str(steps): run_program(name, "torch", steps) for steps in (5, STEPS)} for name in PROGRAMS}
    lines = [f'{json.dumps(name)}: {json.dumps({key: [float(f"{x:.9g}") for x in values] for key, values in own.items()})}'
             for name, own in losses.items()]
    RECORDED.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


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
