"""What is shown of the results: tables on the terminal, a line of progress, Markdown for the README; and the file that keeps them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from .measure import PEERS

WIDTH = 160  # the tables are never squeezed below this
SCHEMA = 3
PEER_NAMES = [peer.name for peer in PEERS.values()]
CAPTION = ("ratio: median of the fastest peer / median of slopes, and the quartiles of this ratio over the rounds; above 1: slopes is "
           "faster; bar: the ratio to reach")
BEGIN, END = "<!-- what `python -m benchmarks table` says of benchmarks/results.json -->", "<!-- end of the table -->"

Results = dict[str, Any]


def headings(rows: Results) -> list[str]:
    """The columns; of the peers those that were measured."""
    return ["workload", "slopes", *peers_of(rows), "ratio to the fastest", "bar", "", "share of peak"]


def peers_of(rows: Results) -> list[str]:
    return [name for name in PEER_NAMES if any(name in row["median"] for row in rows.values())]


def cells(name: str, row: Results, peers: Iterable[str]) -> list[list[str]]:
    """The lines of each cell of one workload: one line, or as many as there are bars."""
    times = [duration(row["median"].get(system)) for system in ("slopes", *peers)]
    share = f"{row['flops'] / row['median']['slopes'] / 1e9 / row['peak']:.0%}"
    bars = [[ratio(bar) for bar in row["bars"]], [f"{bar['times']:g}" for bar in row["bars"]], [verdict(bar) for bar in row["bars"]]]
    return [[name], *([each] for each in times), *bars, [share]]


def ratio(bar: Results) -> str:
    """Also which peer it was, and how wide the rounds spread."""
    return "{:.2f} ({:.2f} to {:.2f}) {}".format(bar["ratio"], *bar["spread"], bar["peer"]) if "ratio" in bar else "no peer"


def verdict(bar: Results) -> str:
    return {True: "met", False: "missed"}.get(bar.get("met"), "")  # type: ignore[arg-type]


def duration(seconds: float | None) -> str:
    """A time in the unit that leaves one to three digits before the point."""
    if seconds is None:
        return ""
    unit, factor = next((pair for pair in (("s", 1.0), ("ms", 1e3)) if seconds * pair[1] >= 1.0), ("µs", 1e6))
    return f"{seconds * factor:.3g} {unit}"


def line(row: Results) -> str:
    """A workload's results while the others are still to come."""
    times = ", ".join(f"{system} {duration(seconds)}" for system, seconds in row["median"].items())
    bars = "; ".join(f"{ratio(bar)}, bar {bar['times']:g} {verdict(bar)}".rstrip() for bar in row["bars"])
    return f"{times}; ratio {bars}"


def amount(value: float | None, unit: str) -> str:
    """A figure with its unit."""
    if value is None:
        return ""
    return duration(value) if unit == "s" else f"{value:.0f} {unit}".rstrip() if value >= 100 else f"{value:.3g} {unit}".rstrip()


def figure_cells(name: str, figure: Results) -> list[str]:
    return [name, amount(figure["slopes"], figure["unit"]), amount(figure["other"], figure["unit"]), figure["bar"], verdict(figure)]


FIGURES = ["measure", "slopes", "PyTorch", "bar", ""]


# On the terminal

def show(results: Results) -> None:
    console = Console()
    console = console if console.width >= WIDTH else Console(width=WIDTH)
    if results["rows"]:
        console.print(step_table(results["rows"]))
    if results["figures"]:
        console.print(figure_table(results["figures"]))


def step_table(rows: Results) -> Table:
    """One row per workload."""
    peak = max(row["peak"] for row in rows.values())
    found = Table(title="time of one step", caption=f"{CAPTION}; peak: {peak:.0f} GFLOP/s", caption_justify="left", caption_style="dim")
    for heading in headings(rows):
        found.add_column(heading, justify="left" if heading in ("workload", "") else "right", no_wrap=True)
    for name, row in rows.items():
        found.add_row(*("\n".join(lines) for lines in cells(name, row, peers_of(rows))), style="" if met(row["bars"]) else "yellow")
    return found


def figure_table(figures: Results) -> Table:
    found = Table(title="measures beside the step", caption_justify="left", caption_style="dim")
    for heading in FIGURES:
        found.add_column(heading, justify="right" if heading in ("slopes", "PyTorch") else "left")
    for name, figure in figures.items():
        found.add_row(*figure_cells(name, figure), style="" if met([figure]) else "yellow")
    return found


def met(bars: Iterable[Results]) -> bool:
    """Is none missed?"""
    return all(bar.get("met") is not False for bar in bars)


# In the README

def markdown(results: Results) -> str:
    """Both tables, and where and when they were measured."""
    machine = results["machine"]
    versions = ", ".join(f"{name} {machine[name]}" for name in ("torch", "jax", "onnxruntime") if machine.get(name))
    rows = [["<br>".join(lines) for lines in cells(name, row, peers_of(results["rows"]))] for name, row in results["rows"].items()]
    figures = [figure_cells(name, figure) for name, figure in results["figures"].items()]
    where = f"{machine['processor']}, {results['threads']} threads each, Python {machine['python']}, {versions}; {CAPTION}."
    return "\n\n".join([where, *([grid(headings(results["rows"]), rows)] if rows else []), *([grid(FIGURES, figures)] if figures else [])])


def grid(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(each)} |" for each in (head, ["---"] * len(head), *rows))


def write_into(page: Path, text: str) -> None:
    """Replace what stands between the two marks of a page."""
    content = page.read_text(encoding="utf-8")
    if content.count(BEGIN) != 1 or content.count(END) != 1:
        raise SystemExit(f"{page} does not have one line {BEGIN} and one line {END}: between them the table would be written")
    before, rest = content.split(BEGIN)
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}", encoding="utf-8")


# In a file

def load(path: Path) -> Results:
    """The results of this file."""
    found = json.loads(path.read_text(encoding="utf-8"))
    if found.get("schema") != SCHEMA:
        raise SystemExit(f"{path} has results of another version of the benchmarks: measure again into a new file")
    return found


def check(path: Path, results: Results) -> None:
    """Refuse to put results beside those of another machine, of other libraries, or of another number of threads."""
    older = load(path)
    had, has = ({**each["machine"], "threads": each["threads"]} for each in (older, results))
    differing = [f"{name} {had.get(name)} there, {has.get(name)} here" for name in {**had, **has} if had.get(name) != has.get(name)]
    if differing:
        raise SystemExit(f"{path} keeps results that cannot stand beside these: {'; '.join(differing)}. Name another file.")


def save(path: Path, results: Results) -> None:
    """Everything, every round included, as JSON; what the file has and is not measured anew stays in it."""
    if path.exists():
        check(path, results)
        older = load(path)
        results = results | {part: older[part] | results[part] for part in ("rows", "figures")}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
