"""A few steps of one workload in a fresh process: how long the first one took, and the most memory that they needed.

    python -m benchmarks.once SYSTEM WORKLOAD THREADS STEPS     answers one line of JSON when the steps are taken
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

from .workloads import WORKLOADS

STATUS, REFERENCES = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def memory(field: str) -> int | None:
    """VmRSS, the memory in use, or VmHWM, the most that ever was, in bytes; None where the system does not say (not Linux)."""
    lines = STATUS.read_text(encoding="ascii").splitlines() if STATUS.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:")), None)


def forget() -> None:
    """From now on VmHWM is the most since now: what building the network needed for a moment is no part of training."""
    if REFERENCES.exists():
        REFERENCES.write_text("5", encoding="ascii")


def main(system: str, name: str, threads: int, steps: int) -> None:
    """Libraries first, then the network and its data, then the steps."""
    build = importlib.import_module(f"benchmarks.engine_{system}").build
    workload = replace(WORKLOADS[name], batches=1)
    imported = memory("VmRSS")
    engine = build(workload, threads, "compiled" if system == "slopes" else "eager")
    forget()
    begin = time.perf_counter()
    engine.run(1)
    first = time.perf_counter() - begin
    engine.run(steps - 1) if steps > 1 else None
    print(json.dumps({"first": first, "imported": imported, "peak": memory("VmHWM")}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:5]))
