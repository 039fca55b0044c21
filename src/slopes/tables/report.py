"""What is said of a table and of the model learned from it, in lines of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .dates import date_text
from .schema import Column, Schema
from .scores import Interval
from .study import Prepared, Study

WIDEST = 40
MOST_LINES = 30  # columns that are listed


def table_text(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells in columns of equal width.

    >>> table_text([["a", "b"], ["long", "c"]])
    ['a     b', 'long  c']
    """
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def shorten(text: str, most: int = WIDEST) -> str:
    """The text, or its beginning and an ellipsis."""
    return text if len(text) <= most else text[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"


def range_text(column: Column) -> str:
    """The range of numbers and dates, or the most frequent values."""
    if column.low is not None and column.high is not None:
        return f"{date_text(column.low)} to {date_text(column.high)}" if column.kind == "date" else f"{column.low:.6g} to {column.high:.6g}"
    return shorten(", ".join(column.examples))


def schema_lines(schema: Schema) -> list[str]:
    """A table of the columns: kind, gaps, values, and what is done with them; then the target."""
    target = schema.target
    listed = schema.columns[:MOST_LINES]
    rows = [["column", "kind", "gaps", "values", "what is done with it"]]
    rows += [[shorten(column.name), column.kind, f"{column.missing:,}" if column.missing else "", range_text(column), column.treatment]
             for column in listed]
    more = [f"... and {len(schema.columns) - len(listed):,} more columns"] if len(listed) < len(schema.columns) else []
    names = ", ".join(" ".join(name.split()) for name in target.classes)  # each on one line
    classes = f": {shorten(names, 2 * WIDEST)}" if names else f" from {range_text(target.column)}"
    return [*table_text(rows), *more, f"target {target.column.name}: {target.task}{classes}; {target.reason}"]


def standing_lines(standings: Mapping[str, Mapping[str, Interval]]) -> list[str]:
    """A table of the models' scores, with their intervals."""
    names = list(next(iter(standings.values())))
    rows = [["model", *names]]
    rows += [[model, *(scores[name].text for name in names)] for model, scores in standings.items()]
    return table_text(rows)


def importance_lines(importance: Mapping[str, float], score: str) -> list[str]:
    """The columns that matter most."""
    top = list(importance.items())[:10]
    return [f"how much worse {score} is when a column's values are exchanged among the test rows:",
            *table_text([[f"  {shorten(name)}", f"{loss:.4g}"] for name, loss in top])] if top else []


def prepared_lines(prepared: Prepared) -> list[str]:
    """What was understood of the data: columns, target, notes and split."""
    learned, tested = len(prepared.split.train), len(prepared.split.test)
    return [*schema_lines(prepared.schema), *(f"note: {note}" for note in prepared.notes),
            f"{learned + tested:,} rows: {learned:,} to learn from and choose by, {tested:,} to test ({prepared.split.how})"]


def result_lines(study: Study) -> list[str]:
    """How good the model is: scores, calibration or intervals, the columns that matter, and a verdict."""
    names = list(next(iter(study.standings.values())))
    lines = [f"on {len(study.targets):,} test rows (in brackets, 95% intervals):", *standing_lines(study.standings)]
    if study.model.classes:
        lines.append(f"calibration error of the networks {study.calibration_error:.3f}: by how much confidence and accuracy differ")
    else:
        lines.append(f"R2 of the networks {study.r_squared:.3f}; the 90% interval, +- {study.model.margin:.4g}, "
                     f"holds {study.coverage:.1%} of the test rows")
    return [*lines, *importance_lines(study.importance, names[0]), *verdict(study.standings, lower_is_better=not study.model.classes)]


def verdict(standings: Mapping[str, Mapping[str, Interval]], lower_is_better: bool, networks: str = "networks are") -> list[str]:
    """Whether the networks, the first of the models, are worth having: their first score beside the best of the simpler models."""
    own, *rest = [(model, next(iter(scores.values()))) for model, scores in standings.items()]
    if not rest:
        return []
    best, score = min(rest, key=lambda pair: pair[1].value if lower_is_better else -pair[1].value)
    better = own[1].value < score.value if lower_is_better else own[1].value > score.value
    apart = own[1].high < score.low or own[1].low > score.high
    if own[1].value == score.value:
        return [f"the {networks} as good as {best}: the simpler model will do"]
    return [f"the {networks} {'better' if better else 'worse'} than {best}" + ("" if apart else
            ", by less than the test rows can tell for sure") + ("" if better else ": use that one")]


def lines_of(study: Study) -> list[str]:
    """Everything, as the run folder keeps it."""
    return [*prepared_lines(study.prepared), *result_lines(study)]
