"""From a CSV file and the name of a column to a trained model, beside simpler ones on the same test rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..errors import ArgumentError, DataError
from ..files.reading import refused
from ..train.training import Callback
from .baselines import Rows, baselines
from .calibrate import best_share, best_temperature, margin
from .dates import parse_dates
from .encoding import Encoding
from .importance import permutation_importance
from .leaks import leaking_columns
from .lookup import forward_of
from .model import TableModel, Variant
from .schema import Kind, Schema, Task
from .scores import CalibrationBin, Interval, calibration, calibration_error, r_squared, scores_for, surprise
from .sources import Source, source_name
from .spelling import OPEN, Spelling
from .splits import ALL, Split, group_values, split_groups, split_rows, split_time
from .table import TextTable, infer_schema, read_table, typed_columns
from .target import labels_of
from .training import DEFAULTS, Examples, Settings, Trained, train_members

NETWORK = "networks of slopes"
RARE, SHARE_OF_RARE = 10, 0.1  # rows of a class, and the share of an equal part: below it, that is said


@dataclass(frozen=True)
class Question:
    """What a user asks for: the file or data frame, the target, and whatever she says of the columns, the spelling and the split.

    group, time      the column by whose groups, or in whose order, rows are divided; "" for by rows
    valid, test      files or data frames of the same columns whose rows choose the epoch, and test
    kinds            kinds of columns that are not as they look; `date_order` "day-first" or "month-first"
    without          columns from which nothing is to be learned
    """

    path: Source
    target: str
    task: Task | None = None
    spelling: Spelling = OPEN
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    date_order: str = ""
    without: Sequence[str] = ()
    group: str = ""
    time: str = ""
    valid: Source = None
    test: Source = None

    def __post_init__(self) -> None:
        if self.group and self.time:
            raise ArgumentError("--group and --time together", why="rows are divided by the one or in the order of the other",
                                repair="name one of them")
        if (self.group or self.time) and self.test is not None:
            raise ArgumentError(f"--{'group' if self.group else 'time'} and --test together", why="a test file is a division already",
                                repair="leave one of them out")


def for_targets(question: Question, targets: Sequence[str]) -> list[Question]:
    """A question for each target: no target is learned from, as none of them is known when the others are predicted.

    Raises ArgumentError for a target that is named twice.
    """
    if len(set(targets)) < len(targets):
        raise ArgumentError(f"targets {', '.join(map(repr, targets))}", why="one of them is named twice", repair="name each once")
    return [replace(question, target=target, without=[*question.without, *(other for other in targets if other != target)])
            for target in targets]


@dataclass
class Prepared:
    """Everything that trainings and baselines need: the schema, typed columns and targets of all rows, and the split."""

    schema: Schema
    columns: dict[str, np.ndarray]
    targets: np.ndarray
    split: Split
    notes: list[str]

    @property
    def outputs(self) -> int:
        """How many outputs the networks have."""
        return max(1, len(self.schema.target.classes))

    def rows(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """The typed columns of some rows."""
        return {name: values[indices] for name, values in self.columns.items()}


Standing = dict[str, Interval]  # a model's scores on the test rows, by name


@dataclass
class Study:
    """A trained model and the account of it.

    standings     scores on the test rows by model: the networks first, then the baselines
    importance    by column, how much worse the first score becomes without it
    calibration   of classes: the expected calibration error, and its bins
    coverage      of numbers: the share of test rows within the 90% interval
    """

    prepared: Prepared
    model: TableModel
    trained: Trained
    settings: Settings
    seed: int
    predicted: np.ndarray
    standings: dict[str, Standing]
    importance: dict[str, float] = field(default_factory=dict)
    calibration_error: float = float("nan")
    calibration: list[CalibrationBin] = field(default_factory=list)
    coverage: float = float("nan")
    r_squared: float = float("nan")
    seconds: float = 0.0

    @property
    def targets(self) -> np.ndarray:
        """The targets of the test rows."""
        return self.prepared.targets[self.prepared.split.test]


def prepare(question: Question, settings: Settings, seed: int) -> Prepared:
    """Read the files, decide what the columns are, and divide the rows.

    Rows without a target are left out, and that is said, as is whatever was assumed. Raises DataError and ArgumentError.
    """
    table = read_table(question.path, question.spelling)
    schema = infer_schema(table, question.target, task=question.task, kinds=question.kinds, date_order=question.date_order,
                          leave_out=[*question.without, *([question.group] if question.group else [])])
    notes = list(schema.notes)
    more = [same_columns(path, schema) for path in (question.valid, question.test) if path is not None]
    parts = [with_targets(part, schema, notes) for part in (table, *more)]
    typed_parts = [typed_columns(schema, part) for part in parts]
    columns = {column.name: np.concatenate([part[column.name] for part in typed_parts]) for column in schema.inputs}
    targets = np.concatenate([targets_of(schema, part) for part in parts])
    split = choose_split(question, schema, parts, targets, settings, seed)
    prepared = Prepared(schema, columns, targets, split, notes)
    check_parts(prepared, question)
    notes += leaking_columns(schema, columns, targets, split.train)
    notes += imbalance(schema.target.classes, targets)
    notes += similar_classes(schema.target.classes)
    return prepared


def with_targets(table: TextTable, schema: Schema, notes: list[str]) -> TextTable:
    """The rows in which the target is known."""
    values = table.columns[schema.target.column.name]
    known = np.array([bool(value) for value in values])
    if not known.all():
        notes.append(f"{table.path}: {int((~known).sum()):,} rows without a target are left out")
        table = table.rows(np.flatnonzero(known))
    if not len(table):
        raise refused(table.path, f"target {schema.target.column.name!r}", "no row has a value", "there is nothing to compare with",
                      "bring rows with a target")
    return table


def same_columns(path: Source, schema: Schema) -> TextTable:
    """A validation or test file; DataError unless it has the columns of the training file."""
    table = read_table(path, replace(schema.spelling, encoding="", delimiter=""))
    missing = [column.name for column in (*schema.inputs, schema.target.column) if column.name not in table.columns]
    if missing:
        raise refused(table.path, "columns", f"it has no column {', '.join(map(repr, missing[:5]))}",
                      "it is compared with the training file",
                      f"its names must be those of the training file; it has {', '.join(map(repr, list(table.columns)[:10]))}")
    return table


def targets_of(schema: Schema, table: TextTable) -> np.ndarray:
    """The targets: labels int64, or numbers float64; DataError for a class that the training file does not have."""
    name = schema.target.column.name
    values = table.columns[name]
    if schema.target.task == "regression":
        numbers = typed_columns(replace(schema, columns=(replace(schema.target.column, kind="number"),)), table)[name]
        return numbers
    labels = labels_of(values, schema.target.classes)
    if (labels < 0).any():
        row = int((labels < 0).argmax())
        raise refused(table.path, f"line {table.lines[row]}, target {name!r}", f"{values[row]!r:.60} is no class",
                      f"the training file has {', '.join(map(repr, schema.target.classes[:10]))}",
                      "correct it, or put such rows into the training file")
    return labels


def choose_split(question: Question, schema: Schema, parts: Sequence[TextTable], targets: np.ndarray, settings: Settings,
                 seed: int) -> Split:
    """The division of all rows, of which those of validation and test files come last."""
    rows = len(parts[0])
    labels = targets[:rows] if schema.target.task == "classification" else None
    if question.group:
        split = split_groups(group_values(parts[0], question.group), question.group, settings.folds, seed)
    elif question.time:
        split = split_time(time_values(parts[0], schema, question.time), question.time, settings.folds)
    else:
        split = split_rows(labels, rows, settings.folds, seed, 0.0 if question.test is not None else 0.2)
    first = rows
    if question.valid is not None:
        more = np.arange(first, first := first + len(parts[1]))
        fold = np.concatenate([np.full(len(split.train), -1), np.full(len(more), ALL)])
        split = Split(np.concatenate([split.train, more]), split.test, fold,
                      f"{split.how}; {len(more):,} rows of {source_name(question.valid)} choose the epoch")
    if question.test is not None:
        split = Split(split.train, np.arange(first, len(targets)), split.fold, f"the rows of {source_name(question.test)} test"
                      + (f"; those of {source_name(question.valid)} choose the epoch" if question.valid is not None else f", seed {seed}"))
    return split


def time_values(table: TextTable, schema: Schema, column: str) -> np.ndarray:
    """The values of the column of times: dates or numbers."""
    about = next((known for known in schema.columns if known.name == column), None)
    if about is None or about.kind not in ("date", "number", "identifier"):
        raise ArgumentError(f"--time {column}: " + (f"it is a {about.kind}" if about else f"{table.path} has no such column"),
                            why="rows are ordered by dates or numbers", repair="name a column of these")
    if about.kind == "date":
        return parse_dates(table.columns[column], about.date_format)[0]
    try:
        return np.array([float(value) if value else np.nan for value in table.columns[column]])
    except ValueError:
        raise ArgumentError(f"--time {column}: its values are no numbers", why="rows are ordered by dates or numbers",
                            repair="name a column of these") from None


def check_parts(prepared: Prepared, question: Question) -> None:
    """Refuse a split whose parts have too few rows."""
    split = prepared.split
    for name, rows in (("learn from", int((split.fold != ALL).sum())), ("test", len(split.test))):
        if rows < 2:
            raise DataError(f"{source_name(question.path)}: {rows} rows are left to {name}", why=f"the split is: {split.how}", where="",
                            repair="bring more rows, or divide them otherwise")


def imbalance(classes: Sequence[str], labels: np.ndarray, nouns: str = "rows") -> list[str]:
    """What is to be said of classes with few rows, or other examples; `labels` are those of all of them."""
    if not classes:
        return []
    counts = np.bincount(labels, minlength=len(classes))
    few = max(RARE, SHARE_OF_RARE * counts.sum() / len(classes))
    rare = [f"{classes[i]} ({counts[i]:,})" for i in np.argsort(counts) if counts[i] < few]
    return [f"classes with few {nouns}: {', '.join(rare[:10])}; --balanced lets all classes weigh the same"] if rare else []


def similar_classes(classes: Sequence[str]) -> list[str]:
    """What is to be said of classes that may be one."""
    groups: dict[str, list[str]] = {}
    for name in classes:
        groups.setdefault(" ".join(name.lower().split()), []).append(name)
    return [f"the classes {' and '.join(map(repr, names))} differ in capital letters or spaces only; they count as different"
            for names in groups.values() if len(names) > 1]


def train_table(question: Question, settings: Settings = DEFAULTS, *, seed: int = 0, compare: bool = True, explain: bool = True,
                log: Callable[[str], None] = lambda line: None, progress: bool | Callback | None = False) -> Study:
    """Train on a table and test on rows that had no part in it.

    compare: also measure the baselines; explain: also the importance of columns. `log` takes lines of progress.
    Raises DataError and ArgumentError for whatever is wrong with the file or the question (`prepare`).
    """
    return study_of(prepare(question, settings, seed), settings, seed, compare=compare, explain=explain, log=log, progress=progress)


def study_of(prepared: Prepared, settings: Settings, seed: int, *, compare: bool = True, explain: bool = True,
             log: Callable[[str], None] = lambda line: None, progress: bool | Callback | None = False, folder: Path | None = None) -> Study:
    """The same of a table that is prepared; the trainings survive in `folder`, if there is one."""
    started = time.perf_counter()
    study = learn(prepared, settings, seed, log, progress, folder)
    if compare and not study.trained.interrupted:
        log("baselines ...")
        add_baselines(study)
    if explain and not study.trained.interrupted:
        log("importance of columns ...")
        study.importance = permutation_importance(study.model, prepared.rows(prepared.split.test), study.targets, seed)
    study.seconds = time.perf_counter() - started
    return study


def learn(prepared: Prepared, settings: Settings, seed: int, log: Callable[[str], None], progress: bool | Callback | None,
          folder: Path | None = None) -> Study:
    """Train the networks, and test them."""
    schema, split = prepared.schema, prepared.split
    encoding, examples, (mean, std) = encode(prepared)
    trained = train_members(examples, split.fold, encoding.widths, prepared.outputs, settings, seed, log, progress, folder)
    model = combine(TableModel(schema, encoding, [], [], mean, std), trained, settings, prepared.targets[split.train])
    predicted = model.predict(prepared.rows(split.test))
    study = Study(prepared, model, trained, settings, seed, predicted, {})
    study.standings[NETWORK] = standing(predicted, study.targets, bool(model.classes), seed)
    if model.classes:
        study.calibration, study.calibration_error = calibration(predicted, study.targets), calibration_error(predicted, study.targets)
    else:
        study.coverage = float((np.abs(predicted - study.targets) <= model.margin).mean())
        study.r_squared = r_squared(predicted, study.targets)
    return study


def encode(prepared: Prepared) -> tuple[Encoding, Examples, tuple[float, float]]:
    """The encoding, fitted to the rows that are learned from; these rows, encoded; and mean and deviation of their numeric targets."""
    split, schema = prepared.split, prepared.schema
    encoding = Encoding.fit(schema, prepared.columns, split.train[split.fold != ALL])
    features, codes = encoding(prepared.rows(split.train))
    targets = prepared.targets[split.train]
    if schema.target.classes:
        return encoding, Examples(features, codes, targets), (0.0, 1.0)
    mean, std = scale_of(targets)
    return encoding, Examples(features, codes, ((targets - mean) / std)[:, None].astype(np.float32)), (mean, std)


def scale_of(targets: np.ndarray) -> tuple[float, float]:
    """Mean and deviation of targets; ArgumentError where the learned rows have one target only."""
    if targets.max() == targets.min():
        raise ArgumentError(f"the rows that are learned from all have the target {targets[0]:g}", why="others are in the test rows only",
                            repair="bring more rows, or divide them otherwise")
    return float(targets.mean()), float(targets.std())


def combine(model: TableModel, trained: Trained, settings: Settings, targets: np.ndarray) -> TableModel:
    """The model of the trained networks: weights of the variants, temperatures and margin, from rows that were not learned from."""
    model.nets = [(member.variant, forward_of(member.run.net)) for member in trained.members]
    edges = {member.variant: member.edges for member in trained.members}
    known = np.flatnonzero(np.isfinite(trained.held_out[sorted(edges), :, 0]).all(axis=0))
    outputs, targets = trained.held_out[:, known], targets[known]
    model.variants = [Variant(settings.variants[i], edges[i], temperature=best_temperature(outputs[i], targets) if model.classes else 1.0)
                      for i in sorted(edges)]
    answers = [model.answers(i, outputs[i]) for i in sorted(edges)]

    def loss(predicted: np.ndarray) -> float:
        return float(surprise(predicted, targets).mean() if model.classes else ((predicted[:, 0] - targets) ** 2).mean())

    if len(answers) == 2:
        share = round(best_share(lambda x: loss(x * answers[0] + (1 - x) * answers[1])), 2)
        model.variants = [replace(variant, weight=weight) for variant, weight in zip(model.variants, (share, 1 - share))]
    mixed = np.sum([variant.weight * answer for variant, answer in zip(model.variants, answers)], axis=0)
    if not model.classes:
        model.margin = margin(mixed[:, 0], targets)
    return model


def standing(predicted: np.ndarray, targets: np.ndarray, classify: bool, seed: int) -> Standing:
    """All scores of predictions, with their intervals."""
    return {score.name: score.interval(predicted, targets, seed) for score in scores_for(classify)}


def add_baselines(study: Study) -> None:
    """Measure the baselines on the same rows."""
    prepared = study.prepared
    train, test = (Rows(prepared.rows(rows), study.model.encoding, prepared.targets[rows])
                   for rows in (prepared.split.train, prepared.split.test))
    for name, predicted in baselines(prepared.schema, train, test, study.seed, prepared.notes).items():
        study.standings[name] = standing(predicted, study.targets, bool(study.model.classes), study.seed)
