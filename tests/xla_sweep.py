"""Every operation of the table, in all its types and cases, on XLA and eagerly: `python -m tests.xla_sweep`, about a minute."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from operation_cases import COMPILED
from xla_cases import calls_of, check_gradients, check_values

import slopes as sl
from slopes.graph.dtype import NATIVE, float32, float64

AT_ONCE = 40  # operations in one program


def main() -> None:
    """Check values in all types, and first and second derivatives in both types of floats; the first difference is raised."""
    sl.seed(0)
    for start in range(0, len(COMPILED), AT_ONCE):
        names = COMPILED[start:start + AT_ONCE]
        values, gradients = calls_of(NATIVE, names), calls_of((float32, float64), names)
        check_values(values)
        check_gradients(gradients)
        check_gradients(gradients, order=2)
        print(f"{names[0]} to {names[-1]}: {len(values)} values, {len(gradients)} first and second derivatives agree", flush=True)


if __name__ == "__main__":
    main()
