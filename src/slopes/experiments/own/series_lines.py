"""What was understood of a series, in lines of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ...tables.report import shorten, table_text
from .series_inputs import ColumnCode, SeriesData

MOST_SERIES = 20  # that are listed
FEW_BLOCKS = 5  # times the horizon: of a shorter test part it is said that its intervals say little
IN_ADVANCE, OF_THE_PAST = "known in advance", "known of the past"


def description_lines(data: SeriesData, notes: Sequence[str]) -> list[str]:
    """What was understood of the file: length, step, columns, season, what the network sees, the parts; and the notes."""
    table, inputs, cuts = data.table, data.inputs, data.parts.cuts
    season = f"{data.season.period} steps" if data.season.period > 1 else "none"
    cycles = f", the {' and the '.join(inputs.cycles)}" if inputs.cycles else ""
    several = len(data.members) > 1 or table.name
    count = sum(len(member.table) for member in data.members)
    first = f"{inputs.target}: {len(data.members):,} series, {count:,} values; of {table.name!r}, the longest," if several else \
        f"{inputs.target}: {len(table):,} values"
    return [f"{first} from {table.text(0)} to {table.text(len(table) - 1)}, step {table.layout.step.text}",
            *column_lines(data),
            f"season: {season} ({data.season.reason}); another one: --period",
            f"the network forecasts {inputs.horizon} steps from {inputs.window} values{cycles}",
            f"training before {table.text(cuts[0])}, validation before {table.text(cuts[1])}, test from there on",
            *(f"note: {note}" for note in (*table.notes, *notes))]


def column_lines(data: SeriesData) -> list[str]:
    """A table of the columns: kind, values, and what is done with them."""
    scale, target = data.inputs.scale, data.table.target
    treatment = f"forecast; (x - {scale.mean:.4g}) / {scale.std:.4g}" + (" of its logarithm" if scale.logarithm else "")
    rows = [["column", "kind", "values", "what is done with it"],
            [data.inputs.target, "number", f"{target.min():.6g} to {target.max():.6g}", treatment],
            *(column_row(data, code, role) for codes, role in ((data.inputs.known, IN_ADVANCE), (data.inputs.past, OF_THE_PAST))
              for code in codes)]
    return table_text(rows)


def column_row(data: SeriesData, code: ColumnCode, role: str) -> list[str]:
    """Name, kind, values and treatment of a column beside the target."""
    if code.categories:
        return [code.name, "category", shorten(", ".join(code.categories)), f"{role}; a feature for each category"]
    values = data.table.columns[code.name][: len(data.table)]
    return [code.name, "number", f"{values.min():.6g} to {values.max():.6g}", f"{role}; (x - {code.mean:.4g}) / {code.std:.4g}"]


def member_lines(data: SeriesData, errors: Mapping[str, np.ndarray]) -> list[str]:
    """Of several series, the mean absolute error of each model on the test windows of each; where there are many, of the first 20."""
    if len(data.members) == 1:
        return []
    ends = np.cumsum([len(member.parts.test) for member in data.members]).tolist()
    rows = [[member.table.name, f"{len(member.table):,}",
             *(f"{np.abs(values[end - len(member.parts.test) : end]).mean():.4g}" for values in errors.values())]
            for member, end in zip(data.members[:MOST_SERIES], ends)]
    left = len(data.members) - len(rows)
    more = [f"... and {left:,} more series"] if left else []
    return ["MAE of each series:", *table_text([["series", "values", *errors], *rows]), *more]


def few_blocks(data: SeriesData) -> list[str]:
    """A line where the test part is so short that its intervals say little."""
    length, horizon = len(data.table) - data.parts.cuts[1], data.inputs.horizon
    if length >= FEW_BLOCKS * horizon:
        return []
    return [f"the test part has {length} values, {length / horizon:.1f} times the horizon: its intervals say little"]
