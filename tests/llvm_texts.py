"""The LLVM text of every benchmark network, to compare two states of the source: `python -m tests.llvm_texts FOLDER`, then `diff -r`.

A change that only renames or rearranges leaves each file byte for byte as it was: kernels are numbered here, not named by digests.
SLOPES_CPU=avx2 writes those of that instruction set.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ["SLOPES_CACHE"] = tempfile.mkdtemp()  # nothing may come from a cache: it would not be planned again

from benchmarks import engine_slopes
from benchmarks.workloads import WORKLOADS
from slopes.loops.program import Plan
from slopes.machine import bits, build


def numbered(plan: Plan) -> str:
    """The text of a program in which kernels have the names k0, k1 ... in the order in which they are written."""
    text = plan.text
    for i, module in enumerate(module for module in plan.modules if module.name):
        text = text.replace(module.name, f"k{i}_{module.name.rsplit('_', 1)[0]}")
    return text


def main(folder: str) -> None:
    """Write one file for each program that the benchmark networks compile to, and one for that of large draws, which they share."""
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    plan_program = build.plan_program
    texts: list[str] = []

    def planned(*args: Any, **options: Any) -> Any:
        plan = plan_program(*args, **options)
        texts.append(numbered(plan))
        return plan

    build.plan_program = planned
    try:
        bits.program()
        write(out, "random-bits", texts)
        for name, workload in WORKLOADS.items():
            if not workload.compiled or workload.slow:
                continue
            texts.clear()
            engine_slopes.build(workload, 2, "compiled").run(1)
            write(out, name, texts)
    finally:
        build.plan_program = plan_program


def write(folder: Path, name: str, texts: list[str]) -> None:
    """Write the texts of one network."""
    for i, text in enumerate(texts):
        (folder / f"{name}-{i}.ll").write_text(text)
    print(name, len(texts), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
