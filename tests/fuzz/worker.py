"""A process that checks programs: one line of JSON before each, and one after it. A guard page that is touched ends it."""

from __future__ import annotations

import faulthandler
import json
import sys
import time
from typing import Any

import numpy as np

from .comparing import Outcome, check
from .shrinking import shrunk
from .transforms import draw


def say(**fields: Any) -> None:
    print(json.dumps(fields), flush=True)


def work(seed: int, indices: range, special: float, rule: str) -> None:
    """Check the programs of these numbers."""
    for index in indices:
        say(index=index)
        with np.errstate(all="ignore"):
            program = draw(seed, index, special, rule)
            sys.stderr.write("\0" + program.reproduction())  # for the parent, if this process dies
            sys.stderr.flush()
            start = time.perf_counter()
            outcome = check(program, index)
            text = shrunk(program, index).reproduction() if outcome.status == "different" else ""
        report(index, outcome, text, program.rules, time.perf_counter() - start)


def report(index: int, outcome: Outcome, text: str, rules: list[str], seconds: float) -> None:
    say(index=index, status=outcome.status, detail=outcome.detail, text=text, rules=rules, seconds=seconds)


if __name__ == "__main__":
    faulthandler.enable()
    work(int(sys.argv[1]), range(*map(int, sys.argv[2:5])), float(sys.argv[5]), sys.argv[6])
