"""Predict the rows of a file with a trained model, block by block, and measure a model on rows whose targets are known."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from ..data.loaders.stream import read_ahead
from ..errors import DataError
from ..files.atomic import replacing
from ..files.reading import Path, refused
from .decimals import blank_leading, join_fields, write_digits, write_numbers, write_shares
from .fields import FieldColumn, TextColumn, Words
from .frames import frame_like
from .model import TableModel
from .rows import Block
from .schema import Column
from .scores import Interval, calibration_error, r_squared, scores_for
from .sources import Source, open_source, source_name
from .table import typed, typed_fields
from .target import labels_of

LEAST_COLUMNS = 0.5  # of the model's columns that a file must have to be of the same table


@dataclass
class Account:
    """What was noticed in a file: columns that it lacks or has beside the model's, values that could not be read, unknown words.

    unreadable   by column: how many values were taken as gaps, and the line of the first
    unknown      by column: how many rows have a category that no training row had
    """

    rows: int = 0
    lacking: list[str] = field(default_factory=list)
    additional: list[str] = field(default_factory=list)
    unreadable: dict[str, tuple[int, int]] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The same in words."""
        return [*self.notes, *(f"column {name!r} is not in the file: taken as gaps" for name in self.lacking),
                *([f"columns that the model does not know are not used: {', '.join(self.additional[:10])}"] if self.additional else []),
                *(f"column {name!r}: {count:,} values cannot be read, the first in line {line}: taken as gaps"
                  for name, (count, line) in self.unreadable.items()),
                *(f"column {name!r}: {count:,} rows have a category that no training row had" for name, count in self.unknown.items())]


class Part(NamedTuple):
    """Consecutive rows of a file, with their values as text by column, and the predictions of each model."""

    block: Block
    values: dict[str, FieldColumn]
    predicted: list[np.ndarray]


def predict_blocks(models: Sequence[TableModel], source: Source, account: Account) -> Iterator[Part]:
    """The predictions of the rows of a file or a data frame, in blocks, in memory that does not grow with the file.

    The models are those of one run. What is noticed is added to `account`.
    The file has the spelling of the training file; encoding and delimiter are detected anew. Columns that it lacks, and values that
    cannot be read, are gaps; unknown categories are none; further columns are not used. Raises DataError for a file that has less
    than half of the models' columns, and for one that is no CSV file.
    """
    spelling = replace(models[0].schema.spelling, encoding="", delimiter="")
    with open_source(source, spelling, account.notes, most=None) as (name, _, names, blocks):
        compare_columns(models, names, name, account)
        prepared = ((values, block, encoded_block(models, values, block.lines, account))
                    for block in blocks for values in (dict(zip(names, block.columns)),))
        for values, block, inputs in read_ahead(prepared):
            account.rows += len(block)
            yield Part(block, values, [model.predict_features(*features) for model, features in zip(models, inputs)])
    if not account.rows:
        raise refused(name, "line 1", "there is a line of names but no row below it", "there is nothing to predict",
                      "name a file with rows")


def inputs_of(models: Sequence[TableModel]) -> dict[str, Column]:
    """The columns that the models need, by name."""
    return {column.name: column for model in models for column in model.schema.inputs}


def compare_columns(models: Sequence[TableModel], names: Sequence[str], path: Path, account: Account) -> None:
    """Which columns the file lacks, and which it has beside the models'."""
    inputs = list(inputs_of(models))
    known = {name for model in models for name in (model.target, *(column.name for column in model.schema.columns))}
    account.lacking = [name for name in inputs if name not in names]
    account.additional = [name for name in names if name not in known]
    if len(account.lacking) > (1 - LEAST_COLUMNS) * len(inputs):
        seen = f"of the model's {len(inputs)} columns it lacks {len(account.lacking)}, such as {account.lacking[0]!r}"
        raise refused(path, "columns", seen, f"it is a file of another table: it has {', '.join(map(repr, names[:10]))}",
                      "name a file with the columns of the training file, or another model")


def typed_block(models: Sequence[TableModel], values: dict[str, FieldColumn], lines: Sequence[int], account: Account
                ) -> dict[str, np.ndarray | Words]:
    """The typed inputs of a block."""
    columns = {}
    gaps = TextColumn([""] * len(lines))
    for column in inputs_of(models).values():
        columns[column.name], wrong = typed_fields(column, values.get(column.name, gaps), models[0].schema.spelling)
        if wrong:
            count, line = account.unreadable.get(column.name, (0, lines[wrong[0]]))
            account.unreadable[column.name] = (count + len(wrong), line)
    unknown: dict[str, int] = {}
    for model in reversed(models):  # where models of several targets differ, the first counts
        unknown |= model.encoding.unknown(columns)
    for name, count in unknown.items():
        account.unknown[name] = account.unknown.get(name, 0) + count
    return columns


def encoded_block(models: Sequence[TableModel], values: dict[str, FieldColumn], lines: Sequence[int], account: Account
                  ) -> list[tuple[np.ndarray, np.ndarray]]:
    """The features and codes of a block for each model."""
    inputs = typed_block(models, values, lines, account)
    return [model.encoding(inputs) for model in models]


Models = TableModel | Sequence[TableModel]  # of one target, or of several


def listed(models: Models) -> list[TableModel]:
    """The models as a list."""
    return [models] if isinstance(models, TableModel) else list(models)


def predict_file(models: Models, source: Source, out: Path) -> Account:
    """Write a CSV file with a row of predictions for each row of a file or a data frame, in its order.

    The file is there whole or not at all.
    Of classes: the row's number, the most probable class, its probability, and that of every class. Of numbers: the row's number,
    the number, and the ends of its 90% interval. Of several targets: the row's number, and these columns for each of them.
    """
    models = listed(models)
    account, format_rows = Account(), output_format(models)
    with replacing(out) as file:
        file.write(csv_line(["row", *output_names(models)]) + b"\n")
        for part in predict_blocks(models, source, account):
            file.write(format_rows(part.predicted, account.rows - len(part.block) + 1))
    return account


def predict_frame(models: Models, frame: Any, account: Account | None = None) -> Any:
    """A data frame of predictions for each row of a data frame, of the same library: the columns of `predict_file` without the row.

    What is noticed is added to `account`. Raises as `predict_blocks` does.
    """
    return frame_like(frame, predict_columns(listed(models), frame, Account() if account is None else account))


def predict_columns(models: Sequence[TableModel], source: Source, account: Account) -> dict[str, Any]:
    """The same of a file or a data frame, as columns by name: arrays of numbers, lists of classes."""
    parts = [part.predicted for part in predict_blocks(models, source, account)]
    columns: list[Any] = []
    for model, blocks in zip(models, zip(*parts)):
        predicted = np.concatenate(blocks)
        if model.classes:
            columns += [[model.classes[i] for i in predicted.argmax(axis=1).tolist()], predicted.max(axis=1), *predicted.T]
        else:
            columns += [predicted, predicted - model.margin, predicted + model.margin]
    return dict(zip(output_names(models), columns))


def output_names(models: Sequence[TableModel]) -> list[str]:
    """The names of the columns of predictions, without that of the row; of several targets, all begin with the target's name."""
    names = []
    for model in models:
        first = f"{model.target} " if len(models) > 1 else ""
        parts = ["probability", *(f"P({name})" for name in model.classes)] if model.classes else ["low 90%", "high 90%"]
        names += [model.target, *(first + part for part in parts)]
    return names


def csv_line(fields: Sequence[str]) -> bytes:
    """Fields as a line of a CSV file, quoted where they need it."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(fields)
    return text.getvalue().encode()


def output_format(models: Sequence[TableModel]) -> Callable[[Sequence[np.ndarray], int], bytes]:
    """A function that writes the rows of a file of predictions: of those of each model, and the number of the first row."""
    formats = [class_format(model.classes) if model.classes else interval_format(model.margin) for model in models]

    def format_rows(predicted: Sequence[np.ndarray], first: int) -> bytes:
        """The lines of some rows."""
        last = first + len(predicted[0])
        rows = blank_leading(write_digits(np.arange(first, last), len(str(last))))
        return join_fields([rows, *(column for write, part in zip(formats, predicted) for column in write(part))])

    return format_rows


Format = Callable[[np.ndarray], list[np.ndarray]]  # the characters of the columns of some predictions


def class_format(classes: Sequence[str]) -> Format:
    """The most probable class, its probability, and that of every class."""
    names = np.array([csv_line([name]) for name in classes])
    spelled = names.view(np.uint8).reshape(len(names), -1)

    def write(shares: np.ndarray) -> list[np.ndarray]:
        """The characters of these columns; the largest share is one of the shares, and not written anew."""
        best, texts = shares.argmax(axis=1), np.stack([write_shares(share) for share in shares.T])
        return [spelled[best], texts[best, np.arange(len(best))], *texts]

    return write


def interval_format(margin: float) -> Format:
    """A number, and the ends of its interval."""
    return lambda values: [write_numbers(values), write_numbers(values - margin), write_numbers(values + margin)]


@dataclass
class Evaluation:
    """How well a model predicts the rows of a file: scores with intervals, and what was noticed in the file."""

    rows: int
    scores: dict[str, Interval]
    more: dict[str, float]
    account: Account


def evaluate_file(model: TableModel, source: Source) -> Evaluation:
    """The scores of a model on rows whose targets are known; rows without a target are left out, and that is noted.

    Raises DataError for a file without the target's column, for targets that the model cannot predict, and as `predict_blocks`.
    """
    account, target, path = Account(), model.target, source_name(source)
    predictions, targets, left_out = [], [], 0
    for part in predict_blocks([model], source, account):
        if target not in part.values:
            raise refused(path, "columns", f"there is no column {target!r}", "the predictions are compared with it",
                          f"bring a file with it; to predict only: slopes predict; it has {', '.join(map(repr, list(part.values)[:10]))}")
        texts = part.values[target].texts()
        known = np.array([bool(text) for text in texts])
        left_out += int((~known).sum())
        targets.append(known_targets(model, part, texts, known, path))
        predictions.append(part.predicted[0][known])
    if left_out:
        account.notes.append(f"{left_out:,} rows without a target are left out")
    predicted, truth = np.concatenate(predictions), np.concatenate(targets)
    if not len(truth):
        raise refused(path, f"target {target!r}", "no row has a value", "the predictions are compared with it", "bring rows with a target")
    more = {"calibration error": calibration_error(predicted, truth)} if model.classes else {
        "R2": r_squared(predicted, truth), "share in the 90% interval": float((np.abs(predicted - truth) <= model.margin).mean())}
    scores = {score.name: score.interval(predicted, truth) for score in scores_for(bool(model.classes))}
    return Evaluation(len(truth), scores, more, account)


def known_targets(model: TableModel, part: Part, texts: Sequence[str], known: np.ndarray, path: Path) -> np.ndarray:
    """The targets of the rows that have one; DataError for one that the model cannot predict."""
    column, rows = model.schema.target.column, np.flatnonzero(known).tolist()
    values = [texts[row] for row in rows]
    if model.classes:
        labels = labels_of(values, model.classes)
        if (labels < 0).any():
            raise no_target(path, part.block.lines[rows[int((labels < 0).argmax())]], column.name, values[int((labels < 0).argmax())],
                            f"is no class of the model, which has {', '.join(map(repr, model.classes[:10]))}")
        return labels
    numbers, wrong = typed(replace(column, kind="number"), values, model.schema.spelling)
    if wrong:
        raise no_target(path, part.block.lines[rows[wrong[0]]], column.name, values[wrong[0]], "is no finite number")
    return numbers


def no_target(path: Path, line: int, name: str, value: str, seen: str) -> DataError:
    """The error for a target that cannot be compared with predictions."""
    return refused(path, f"line {line}, target {name!r}", f"{value!r:.60} {seen}", "the predictions are compared with it",
                   "correct it, or leave it empty: rows without a target do not count")
