"""A report of runs as one self-contained HTML page: data, curves, figures, errors, settings and environment, without scripts."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from ..files.reading import inside, read_whole
from ..tables.folder import KIND as TABLE
from ..tables.folder import models_of
from ..tables.report import range_text
from ..tables.schema import Schema
from ..train.records import differing_settings, figure_rows, figure_text
from ..train.runs import SavedNetwork, SavedRun
from .charts import Curve, bar_chart, line_chart, point_chart

MOST_PLOT = 2**25  # bytes of a picture that is put into the page
MOST_CURVES, MOST_COLUMNS, MOST_CLASSES, MOST_BARS = 8, 200, 40, 20
TYPES = {".png": "image/png", ".svg": "image/svg+xml"}
STYLE = """
:root { color-scheme: light dark; --ink: #1f2933; --paper: #fff; --shade: #f3f4f6; --line: #d1d5db }
@media (prefers-color-scheme: dark) { :root { --ink: #e5e7eb; --paper: #14181f; --shade: #222933; --line: #3b4452 } }
body { font: 15px/1.5 ui-sans-serif, 'Segoe UI', Helvetica, Arial, sans-serif; color: var(--ink); background: var(--paper);
       max-width: 1080px; margin: 2em auto; padding: 0 1em }
h1 { font-size: 1.6em } h2 { font-size: 1.3em; border-bottom: 1px solid var(--line); margin-top: 2em } h3 { font-size: 1.05em }
table { border-collapse: collapse; margin: .6em 0; font-size: .9em } th, td { padding: .25em .7em; text-align: left; vertical-align: top }
th, pre { background: var(--shade) } tr + tr td { border-top: 1px solid var(--line) }
pre { padding: .8em; border-radius: 6px; white-space: pre-wrap; overflow-wrap: anywhere }
.wide { overflow-x: auto } .charts { display: flex; flex-wrap: wrap; gap: 1em }
figure { margin: 0 0 1em; padding: 6px; background: #fff; border-radius: 6px; width: fit-content } img { max-width: min(100%, 760px) }
"""


def report(runs: Sequence[SavedRun]) -> str:
    """The page of some runs; of several, their figures are beside each other first."""
    title = "Report: " + ", ".join(run.folder.name for run in runs)
    parts = [comparison(runs)] if len(runs) > 1 else []
    parts += [run_part(run) for run in runs]
    return (f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style></head>\n'
            f"<body><h1>{escape(title)}</h1>\n" + "\n".join(parts) + "\n</body></html>\n")


def cells(rows: Sequence[Sequence[object]], head: Sequence[str]) -> str:
    """A table with a header; whatever is in it is escaped."""
    lines = ["<tr>" + "".join(f"<th>{escape(name)}</th>" for name in head) + "</tr>",
             *("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)]
    return '<div class="wide"><table>' + "".join(lines) + "</table></div>"


def section(title: str, *contents: str) -> str:
    """A part of the page with a heading; "" without contents."""
    text = "".join(contents)
    return f"<h3>{escape(title)}</h3>\n{text}\n" if text else ""


def charts(pictures: Sequence[str]) -> str:
    """Charts beside each other."""
    return '<div class="charts">' + "".join(f"<figure>{picture}</figure>" for picture in pictures) + "</div>" if pictures else ""


def comparison(runs: Sequence[SavedRun]) -> str:
    """The figures and the settings in which runs differ."""
    head, differing = [run.folder.name for run in runs], differing_settings(runs)
    return "<h2>Side by side</h2>\n" + section("Figures", cells(figure_rows(runs), ["figure", *head])) + (
        section("Settings that differ", cells(differing, ["setting", *head])) if differing else "")


def run_part(run: SavedRun) -> str:
    """Everything about one run."""
    state = ", interrupted" if run.interrupted else ""
    about = f"{run.recipe or 'a network'}, seed {run.seed}, trained in {run.seconds:,.1f} s{state}"
    lines = escape("\n".join(run.lines))
    own = table_parts(run) if run.recipe == TABLE else [section("Results", f"<pre>{lines}</pre>" if lines else "")]
    figures = cells([[name, figure_text(value)] for name, value in run.figures.items()], ["figure", "value"]) if run.figures else ""
    return "\n".join([
        f"<h2>{escape(run.folder.name)}</h2>\n<p>{escape(about)}</p>", *own, section("Figures", figures), section("Curves", curves(run)),
        section("Plots", *(picture(run, name) for name in run.plots)),
        section("Settings", cells([[name, value] for name, value in run.hyperparameters.items()], ["setting", "value"])),
        section("Networks", cells([[name, parameters(network), len(network.history.losses), len(network.history.epochs)]
                                   for name, network in run.networks.items()], ["network", "parameters", "steps", "epochs"])),
        section("Environment", cells(list(run.made_with.items()), ["of", "version"]))])


def parameters(network: SavedNetwork) -> str:
    """How many numbers a network has."""
    return f"{sum(array.size for array in network.weights.values()):,}"


def curves(run: SavedRun) -> str:
    """The losses by epoch of training and validation, of all networks; "" where the run has pictures of its curves."""
    if any(name.startswith("curve") for name in run.plots):
        return ""
    parts = []
    for name, network in list(run.networks.items())[:MOST_CURVES]:
        epochs = network.history.epochs
        numbered = list(range(1, len(epochs) + 1))
        lines = [Curve("training", numbered, [epoch.loss for epoch in epochs]),
                 Curve("validation", numbered, [epoch.watched.get("loss", math.nan) for epoch in epochs])]
        if epochs:
            parts.append(line_chart(f"loss of network {name}" if name else "loss", lines, ("epoch", f"loss {name}".strip())))
    return charts(parts)


def picture(run: SavedRun, name: str) -> str:
    """A picture of the run folder, as part of the page."""
    kind = next((kind for ending, kind in TYPES.items() if name.endswith(ending)), None)
    if kind is None:
        return ""
    data = base64.b64encode(read_whole(inside(run.folder, name), MOST_PLOT)).decode()
    return f'<figure><img alt="{escape(name)}" src="data:{kind};base64,{data}"></figure>'


# Tables


def table_parts(run: SavedRun) -> list[str]:
    """The account of a table, for each of its targets."""
    models_of(run)  # refuses a damaged run
    parts = []
    for facts in (run.data, *run.data.get("more targets", ())):
        schema = Schema.from_fields(facts["schema"])
        parts += target_parts(schema, facts["account"])
    return parts


def target_parts(schema: Schema, account: Mapping[str, Any]) -> list[str]:
    """The account of one target."""
    target, first = schema.target, next(iter(next(iter(account["scores"].values()))))
    notes = "".join(f"<li>{escape(note)}</li>" for note in account["notes"])
    return [
        f"<p>Target <b>{escape(target.column.name)}</b>: {escape(target.task)}; {escape(target.reason)}.</p>",
        section("Data", column_cells(schema), f"<p>{escape(account['split'])}.</p>", f"<ul>{notes}</ul>" if notes else ""),
        section("On the test rows", standing_cells(account["scores"])),
        section("How much worse " + first + " is without a column", charts([bar_chart("importance", top(account["importance"]))])
                if account["importance"] else ""),
        section("Confusion", confusion_cells(target.classes, account.get("confusion", ()))),
        section("Calibration", calibration_chart(account)),
        section("Predicted and true numbers", charts([point_chart("predictions", [(x, y) for x, y in account["points"]],
                                                                  ("true", "predicted"))]) if account.get("points") else ""),
        section("Worst errors", worst_cells(account.get("worst", ())))]


def column_cells(schema: Schema) -> str:
    """The columns: kind, gaps, values, and what is done with them."""
    rows = [[column.name, column.kind, f"{column.missing:,}" if column.missing else "", f"{column.distinct:,}", range_text(column),
             column.reason, column.treatment] for column in schema.columns[:MOST_COLUMNS]]
    more = f"<p>and {len(schema.columns) - MOST_COLUMNS:,} more columns</p>" if len(schema.columns) > MOST_COLUMNS else ""
    return cells(rows, ["column", "kind", "gaps", "different values", "values", "why", "what is done with it"]) + more


def standing_cells(scores: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """The scores of the models, with 95% intervals in brackets."""
    names = list(next(iter(scores.values())))
    rows = [[model, *("{:.4g} ({:.4g} to {:.4g})".format(*of_model[name]) for name in names)] for model, of_model in scores.items()]
    return cells(rows, ["model", *names])


def top(importance: Mapping[str, float]) -> dict[str, float]:
    """The columns that matter most."""
    return dict(list(importance.items())[:MOST_BARS])


def confusion_cells(classes: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """How often each class was predicted for each; "" of too many classes."""
    if not counts or len(classes) > MOST_CLASSES:
        return ""
    return cells([[name, *row] for name, row in zip(classes, counts)], ["true \\ predicted", *classes])


def calibration_chart(account: Mapping[str, Any]) -> str:
    """The share of right predictions over how confident they were."""
    bins = account.get("calibration") or ()
    if not bins:
        return ""
    lines = [Curve("networks", [group[1] for group in bins], [group[2] for group in bins]), Curve("perfect", [0, 1], [0, 1])]
    return charts([line_chart("calibration", lines, ("confidence", "share that is right"))])


def worst_cells(worst: Sequence[Mapping[str, Any]]) -> str:
    """The rows with the worst errors, with their inputs."""
    if not worst:
        return ""
    names = list(worst[0]["inputs"])[:MOST_BARS]
    rows = [[row["target"], row["predicted"], *(row["inputs"][name] for name in names)] for row in worst]
    return cells(rows, ["true", "predicted", *names])
