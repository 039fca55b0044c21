"""Presentation of the results: tables on the terminal, a progress line, Markdown tables for the documents; and the file of results."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from .measure import PEERS, paired_ratios, quartiles

WIDTH = 160  # the tables are never squeezed below this
SCHEMA = 3
PEER_NAMES = [peer.name for peer in PEERS.values()]
CAPTION = ("ratio: time of the fastest peer / time of slopes, the median over paired rounds, and its quartiles; above 1: slopes is "
           "faster; bar: the ratio to reach")
BEGIN, END = "<!-- all rows: written by `python -m benchmarks table` from benchmarks/results-*.json -->", "<!-- end of all rows -->"
BEGIN_SHORT = BEGIN.replace("all rows", "some rows")
END_SHORT = END.replace("all rows", "some rows")
SHORT = {  # the rows of the README, as a reader would call them; one of them is slower than PyTorch
    "lenet-sgd": "LeNet, training step, batch 64", "lstm": "LSTM, training step, batch 32",
    "gpt": "small GPT, training step, batch 12", "resnet20": "ResNet-20, training step, batch 32",
    "infer-lenet-1": "LeNet, one image", "eager-lenet": "LeNet, training step, eager mode",
}

Results = dict[str, Any]


def headings(rows: Results) -> list[str]:
    """The columns; of the peers those that were measured."""
    return ["workload", "slopes", *peers_of(rows), "ratio to the fastest", "bar", "", "share of peak"]


def peers_of(rows: Results) -> list[str]:
    return [name for name in PEER_NAMES if any(name in row["median"] for row in rows.values())]


def cells(name: str, row: Results, peers: Iterable[str]) -> list[list[str]]:
    """The lines of each cell of one workload: one line, or as many as there are bars."""
    times = [duration(row["median"].get(system)) for system in ("slopes", *peers)]
    share = f"{useful_gflops(row) / row['peak']:.0%}"
    bars = [[ratio(bar) for bar in row["bars"]], [f"{bar['times']:g}" for bar in row["bars"]], [verdict(bar) for bar in row["bars"]]]
    return [[name], *([each] for each in times), *bars, [share]]


def useful_gflops(row: Results) -> float:
    """1e9 useful operations per second: the multiply-adds that the formulas of the layers ask for, counted twice, by the median time."""
    return row["flops"] / row["median"]["slopes"] / 1e9


def ratio(bar: Results) -> str:
    """The median of the paired ratios, their quartiles, and the peer."""
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


# In the documents

def markdown(runs: Sequence[Results]) -> str:
    """All rows and figures of each run, under a heading with its instruction set."""
    return "\n\n".join(f"### {run['machine']['instructions']}\n\n{section(run)}" for run in runs)


def section(run: Results) -> str:
    """All rows and figures of a run, with the machine."""
    rows = run["rows"]
    peers = peers_of(rows)
    head = ["workload", "slopes", *peers, "ratio to the fastest peer (quartiles)", "useful GFLOP/s"]
    peak = max((row["peak"] for row in rows.values()), default=0.0)
    seen = f"Ratios: {RATIOS}. The fastest large matrix product seen here reaches {peak:.0f} GFLOP/s."
    tables = [grid(head, [full_row(name, row, peers) for name, row in rows.items()])] if rows else []
    measures = [measure_row(name, figure) for name, figure in run["figures"].items()]
    return "\n\n".join([f"{where(run)}. {seen}", *tables, *([grid(MEASURES, measures)] if measures else [])])


def short_markdown(runs: Sequence[Results]) -> str:
    """The few rows of the README, for each run beside the fastest of all peers."""
    head = ["", *(f"{run['machine']['instructions']}: {column}" for run in runs for column in SHORT_COLUMNS)]
    rows = [[text, *(cell for run in runs for cell in short_cells(run["rows"].get(name)))] for name, text in SHORT.items()]
    return "\n\n".join([grid(head, rows), *(f"{run['machine']['instructions']}: {where(run)}." for run in runs)])


SHORT_COLUMNS = ["slopes", "fastest peer", "times faster (quartiles)"]
RATIOS = "time of the peer / time of slopes, the median over paired rounds, and its quartiles; above 1: slopes is faster"
MEASURES = ["measure", "slopes", "PyTorch"]


def where(results: Results) -> str:
    """The machine and the versions."""
    machine = results["machine"]
    versions = ", ".join(f"{name} {machine[name]}" for name in ("torch", "jax", "onnxruntime") if machine.get(name))
    processor = machine["processor"] + (f", compiled for {machine['cpu']}" if machine.get("cpu", "host") != "host" else "")
    return f"{processor}, {results['threads']} threads each, Python {machine['python']}, {versions}"


def full_row(name: str, row: Results, peers: Iterable[str]) -> list[str]:
    times = [duration(row["median"].get(system)) for system in ("slopes", *peers)]
    return [name, *times, "<br>".join(ratio(bar) for bar in row["bars"]), f"{useful_gflops(row):.0f}"]


def short_cells(row: Results | None) -> list[str]:
    """The time of slopes, the fastest peer with its time, and the ratio; empty where the workload was not measured."""
    if row is None:
        return [""] * len(SHORT_COLUMNS)
    peers = {name: times for name, times in row["times"].items() if name != "slopes"}
    fastest = min(peers, key=lambda name: statistics.median(peers[name]))
    ratios = paired_ratios(row["times"]["slopes"], peers[fastest])
    low, high = quartiles(ratios)
    peer = f"{duration(row['median'][fastest])} {fastest}"
    return [duration(row["median"]["slopes"]), peer, f"{statistics.median(ratios):.2f} ({low:.2f} to {high:.2f})"]


def measure_row(name: str, figure: Results) -> list[str]:
    return [name, amount(figure["slopes"], figure["unit"]), amount(figure["other"], figure["unit"])]


def grid(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(cell)} |" for cell in (head, ["---"] * len(head), *rows))


TABLES: tuple[tuple[str, str, Callable[[Sequence[Results]], str]], ...] = ((BEGIN, END, markdown), (BEGIN_SHORT, END_SHORT, short_markdown))


def write_into(page: Path, runs: Sequence[Results]) -> None:
    """Replace the tables between the marks of a page: all rows or some, as the marks say."""
    content = page.read_text(encoding="utf-8")
    marked = [table for table in TABLES if content.count(table[0]) == content.count(table[1]) == 1]
    if not marked:
        raise SystemExit(f"{page} has no place for a table: write the two lines\n  {BEGIN}\n  {END}\nor\n  {BEGIN_SHORT}\n  {END_SHORT}")
    for begin, end, table in marked:
        before, rest = content.split(begin)
        content = f"{before}{begin}\n{table(runs)}\n{end}{rest.split(end)[1]}"
    page.write_text(content, encoding="utf-8")


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
