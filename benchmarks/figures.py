"""A figure that is no time of a step: slopes' value, PyTorch's, and the bar between them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

from .measure import PEERS, ROOT, Ended, environment

Figure = dict[str, Any]  # slopes, other: numbers or None; unit; bar: its text; met: only where there is a bar that can be judged


def at_most(limit: float, slopes: float, other: float | None, unit: str) -> Figure:
    """slopes' own value has a limit."""
    return {"slopes": slopes, "other": other, "unit": unit, "bar": f"at most {limit:g} {unit}".rstrip(), "met": slopes <= limit}


def share(limit: float, slopes: float, other: float | None, unit: str) -> Figure:
    """slopes' value by PyTorch's has a limit."""
    judged = {} if other is None else {"met": slopes <= limit * other}
    is_now = "" if other is None else f" (is {slopes / other:.0%})"
    return {"slopes": slopes, "other": other, "unit": unit, "bar": f"at most {limit:.0%} of PyTorch's{is_now}", **judged}


def quicker(times: float, slopes: float, other: float | None) -> Figure:
    """PyTorch's time by slopes' shall be at least `times`."""
    judged = {} if other is None else {"met": other >= times * slopes}
    is_now = "" if other is None else f" (is {other / slopes:.2f})"
    return {"slopes": slopes, "other": other, "unit": "s", "bar": f"{times:g} times faster{is_now}", **judged}


def plain(slopes: float, other: float | None, unit: str) -> Figure:
    """No bar."""
    return {"slopes": slopes, "other": other, "unit": unit, "bar": ""}


def torch_installed() -> bool:
    return PEERS["eager"].installed


def fresh(module: str, *arguments: object, threads: int, cache: str | None) -> tuple[float, dict[str, Any]]:
    """Seconds from the start of a process to its line of JSON, and that line; the process ends by itself afterwards."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)]
    begin = time.perf_counter()
    with subprocess.Popen(command, cwd=ROOT, env=environment(threads, cache), stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        line = child.stdout.readline()
        took = time.perf_counter() - begin
    if child.returncode or not line:
        raise Ended(f"{' '.join(command[1:])} ended with status {child.returncode}; its message stands above")
    return took, json.loads(line)
