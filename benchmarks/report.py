"""The table on the terminal and the JSON beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

WIDTH = 125  # the table is never squeezed below this


def table(results: list[dict[str, Any]], peak: float) -> Table:
    """One row per workload."""
    caption = (f"peak: {peak:.0f} GFLOP/s, the fastest large matrix product seen; ratio above 1: slopes is faster; "
               "spread: quartiles of the ratio over the rounds")
    found = Table(title="time of one step", caption=caption, caption_justify="left", caption_style="dim")
    both = "slopes / peer"
    for heading in ("workload", "slopes", "peer", "fastest peer", "ratio", "spread", f"share of peak\n{both}", f"first step\n{both}"):
        found.add_column(heading, justify="left" if heading in ("workload", "fastest peer") else "right", no_wrap=True)
    for result in results:
        found.add_row(*row(result, peak))
    return found


def row(result: dict[str, Any], peak: float) -> list[str]:
    """The cells of one workload; the peer's are empty where none is installed."""
    peer = result.get("peer", "")
    medians = [result["median"].get(system) for system in ("slopes", peer)]
    firsts = [result["starts"].get(system, {}).get("first") for system in ("slopes", peer)]
    shares = ["" if each is None else f"{result['flops'] / each / 1e9 / peak:.1%}" for each in medians]
    ratio = f"[bold]{result['ratio']:.2f}" if "ratio" in result else ""
    spread = "{:.2f} to {:.2f}".format(*result["spread"]) if "spread" in result else ""
    return [result["workload"], *map(duration, medians), peer, ratio, spread, pair(shares), pair(list(map(duration, firsts)))]


def pair(cells: list[str]) -> str:
    return " / ".join(cell for cell in cells if cell)


def duration(seconds: float | None) -> str:
    """A time in the unit that leaves one to three digits before the point."""
    if seconds is None:
        return ""
    unit, factor = next((pair for pair in (("s", 1.0), ("ms", 1e3)) if seconds * pair[1] >= 1.0), ("µs", 1e6))
    return f"{seconds * factor:.3g} {unit}"


def show(results: list[dict[str, Any]], peak: float) -> None:
    console = Console()
    console = console if console.width >= WIDTH else Console(width=WIDTH)
    console.print(table(results, peak))


def save(path: Path, results: list[dict[str, Any]], peak: float, about: dict[str, Any]) -> None:
    """Everything, every round included, as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"schema": 2, "machine": about, "peak_gflops": peak, "results": results}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
