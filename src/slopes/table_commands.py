"""The commands for own tables: `slopes train table`, and predicting and evaluating files with the run that it leaves."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count, product
from pathlib import Path
from typing import Any, cast

import click

from .errors import ArgumentError
from .settings import MOST_THREADS
from .tables.folder import save_study
from .tables.model import TableModel
from .tables.predictions import evaluate_file, predict_file
from .tables.report import prepared_lines, result_lines
from .tables.schema import KINDS, TASKS, Kind, Task
from .tables.spelling import spelling_of
from .tables.study import Question, Study, for_targets, prepare, study_of
from .tables.training import DEFAULTS, Settings

HELP = """Train on a table of your own: a CSV file whose first line names the columns, or a Parquet or Arrow file.

Prints what was understood of each column, trains an ensemble of networks, tests it on rows that had no part in it beside simpler
models, and writes a run folder for `slopes predict` and `slopes evaluate`. Whatever cannot be decided from the file is an error that
names the option which decides it. Classes or numbers: that is chosen from the target, and said; --task chooses otherwise.

\b
Examples:
  slopes train table houses.csv --target price
  slopes train table visits.csv --target returned --group patient --balanced
  slopes train table sales.csv --target units --time date --decimal , --thousands .
  slopes train table houses.csv --target price --resume runs/houses
"""

OTHER_FORMATS = (".parquet", ".arrow", ".feather")  # that tables are read from, but predictions not written in
NETWORKS = "networks"  # the subfolder of a run with its trainings, until all of them are finished
SEARCHED = "rate", "decay", "dropout", "width", "layers"  # hyper-parameters that are options

Setup = Callable[[int | None, Path | None, bool], Path]


def table_command(setup: Setup, interrupted: int) -> click.Command:
    """`slopes train table`; `setup` makes settings of --threads and chooses the folder, `interrupted` is the exit code after Ctrl-C."""
    return click.Command("table", params=parameters(), help=HELP, short_help="your own CSV or Parquet file: --target COLUMN",
                         callback=lambda **args: train(setup, interrupted, **args))


def parameters() -> list[click.Parameter]:
    """The arguments and options of `slopes train table`."""
    path = click.Path(path_type=Path)
    return [
        click.Argument(["file"], type=path),
        click.Option(["--target", "targets"], required=True, multiple=True, metavar="COLUMN",
                     help="the column to predict; repeatable: each gets networks of its own, and none is learned from"),
        click.Option(["--task"], type=click.Choice(TASKS), help="predict classes or numbers  [default: as the target looks]"),
        click.Option(["--without"], multiple=True, metavar="COLUMN", help="a column from which nothing is to be learned; repeatable"),
        click.Option(["--kind", "kinds"], multiple=True, metavar="COLUMN=KIND", callback=read_kinds,
                     help=f"what a column is, where it is not as it looks: {', '.join(KINDS)}; repeatable"),
        click.Option(["--group"], default="", metavar="COLUMN", help="rows with the same value here are learned from, or tested with"),
        click.Option(["--time"], default="", metavar="COLUMN", help="learn from earlier rows, test with later ones, by this column"),
        click.Option(["--valid"], type=path, metavar="FILE", help="rows that choose the epoch  [default: a part of the rows]"),
        click.Option(["--test"], type=path, metavar="FILE", help="rows to test with  [default: a fifth of the rows]"),
        click.Option(["--balanced"], is_flag=True, help="let all classes weigh the same, however many rows they have"),
        *setting_options(),
        click.Option(["--encoding"], help="of the file, such as utf-8, cp1252, utf-16  [default: detected]"),
        click.Option(["--delimiter"], help="between two fields  [default: detected among comma, semicolon, tab and bar]"),
        click.Option(["--decimal"], default=".", show_default=True, help="the decimal mark, '.' or ','"),
        click.Option(["--thousands"], default="", help="the mark between groups of three digits  [default: none]"),
        click.Option(["--missing"], multiple=True, metavar="WORD", help="a further word for a missing value; repeatable"),
        click.Option(["--dates", "date_order"], type=click.Choice(("day-first", "month-first")), help="the order in dates like 03/04/2024"),
        click.Option(["--header/--no-header"], default=True, help="whether the first line names the columns  [default: it does]"),
        click.Option(["--compare/--no-compare"], default=True, help="also measure simpler models on the same rows  [default: yes]"),
        click.Option(["--seed"], type=click.IntRange(0), default=0, show_default=True, help="of the division of rows, weights and dropout"),
        click.Option(["--threads"], type=click.IntRange(1, MOST_THREADS),
                     help="number of threads; the result does not depend on it  [default: all]"),
        click.Option(["--out"], type=path, metavar="RUN", help="run folder to write  [default: a new one in runs/]"),
        click.Option(["--replace"], is_flag=True, help="overwrite RUN if it holds a run already"),
        click.Option(["--resume"], type=path, metavar="RUN", help="continue the training in this folder that was interrupted or killed; "
                     "file and options as before: the result is the same as without the interruption"),
        click.Option(["--quiet"], is_flag=True, help="print no progress, only what was understood and the results"),
    ]


def setting_options() -> list[click.Parameter]:
    """The hyper-parameters of the networks; None: the default."""
    network = DEFAULTS.variants[0]
    return [
        click.Option(["--rate"], type=click.FloatRange(0, min_open=True), help=f"learning rate  [default: {DEFAULTS.rate}]"),
        click.Option(["--decay"], type=click.FloatRange(0), help=f"weight decay  [default: {DEFAULTS.decay}]"),
        click.Option(["--dropout"], type=click.FloatRange(0, 1, max_open=True), help=f"after each layer  [default: {network.dropout}]"),
        click.Option(["--width"], type=click.IntRange(1), help=f"units of each layer  [default: {network.width}]"),
        click.Option(["--layers"], type=click.IntRange(1), help=f"of each network  [default: {network.layers}]"),
    ]


def settings_of(balanced: bool, args: Mapping[str, Any]) -> Settings:
    """The hyper-parameters: those of the command line, else the defaults."""
    values = {name: value for name, value in args.items() if value is not None}
    sizes = {name: values.pop(name) for name in ("dropout", "width", "layers") if name in values}
    return replace(DEFAULTS, balanced=balanced, variants=tuple(replace(variant, **sizes) for variant in DEFAULTS.variants), **values)


def question_of(file: Path, target: str, task: Task | None, kinds: dict[str, Kind], date_order: str | None, without: Sequence[str],
                group: str, time: str, valid: Path | None, test: Path | None, **spelling: Any) -> Question:
    """What the arguments and options ask for."""
    spelled = spelling_of(**{**spelling, "delimiter": delimiter_of(spelling["delimiter"])})
    return Question(file, target, task, spelled, kinds, date_order or "", without, group, time, valid, test)


def read_kinds(context: click.Context, parameter: click.Parameter, values: Sequence[str]) -> dict[str, Kind]:
    """COLUMN=KIND as a dict; wrong usage for a word without an equals sign."""
    pairs = [value.rpartition("=") for value in values]
    for value, (name, _, _) in zip(values, pairs):
        if not name:
            raise click.BadParameter(f"{value!r} is not COLUMN=KIND, such as {value}=category", context, parameter)
    return {name: cast(Kind, kind) for name, _, kind in pairs}


def train(setup: Setup, interrupted: int, file: Path, targets: Sequence[str], balanced: bool, compare: bool, seed: int,
          threads: int | None, out: Path | None, replace: bool, resume: Path | None, quiet: bool, **args: Any) -> None:
    """Carry out `slopes train table`."""
    settings = settings_of(balanced, {name: args.pop(name) for name in SEARCHED})
    question = question_of(file, targets[0], **args)
    prepared = [prepare(part, settings, seed) for part in for_targets(question, targets)]
    folder = setup(threads, out, replace) if resume is None else setup(threads, unfinished(resume, out, replace), True)
    if resume is None:
        shutil.rmtree(folder / NETWORKS, ignore_errors=True)
    studies: list[Study] = []
    for i, part in enumerate(prepared, 1):
        for line in prepared_lines(part):
            click.echo(line)
        studies.append(study_of(part, settings, seed, compare=compare, log=silence if quiet else progress_line,
                                folder=folder / NETWORKS / str(i)))
        for line in result_lines(studies[-1]):
            click.echo(line)
        if studies[-1].trained.interrupted:
            break
    finish(studies, folder, interrupted)


def unfinished(resume: Path, out: Path | None, replace: bool) -> Path:
    """The folder of --resume, which holds networks of a training that is not finished."""
    if out is not None or replace:
        raise ArgumentError(f"--resume with {'--replace' if out is None else '--out'}", why="a run is continued in its own folder",
                            repair="leave one of them out")
    if not (resume / NETWORKS).is_dir():
        raise ArgumentError(f"--resume {resume}: there is no unfinished training in this folder",
                            why=f"its networks would be in {resume / NETWORKS}",
                            repair="check the path; a finished run is used by slopes predict, or trained again into another folder")
    return resume


def silence(line: str) -> None:
    """No progress."""


def progress_line(line: str) -> None:
    """A line of progress on the standard error stream."""
    click.echo(line, err=True)


def delimiter_of(text: str | None) -> str | None:
    """The delimiter; a tab may be written as two characters, as shells make a tab hard to type."""
    return "\t" if text in ("\\t", "tab") else text


def finish(studies: Sequence[Study], folder: Path, interrupted: int) -> None:
    """Save the run, and print the next commands."""
    path, error = save_study(studies, folder)
    members = [member for study in studies for member in study.trained.members]
    stopped = any(study.trained.interrupted for study in studies)
    click.echo(f"trained {len(members)} networks in {sum(member.run.history.seconds for member in members):.1f} s"
               f"{', interrupted' if stopped else ''}")
    if error is not None:
        click.echo(f"error: {error.what}\n  the training is not lost: it was saved to the folder below", err=True)
    click.echo(f"saved in {path}: {', '.join(sorted(name.name for name in Path(path).iterdir() if name.is_file()))}")
    click.echo(f"next: slopes predict {path} NEW.csv --out predictions.csv")
    if stopped:
        click.echo(f"to continue: the same command with --resume {shlex.quote(str(folder))}")
    elif error is None:
        shutil.rmtree(folder / NETWORKS, ignore_errors=True)
    if error is not None or stopped:
        sys.exit(1 if error is not None else interrupted)


def predict_tables(models: Sequence[TableModel], files: Sequence[str], out: Path) -> None:
    """`slopes predict` with the run of a table: a file of predictions for each file, and what was noticed in it."""
    if len(files) > 1 and not out.is_dir():
        raise ArgumentError(f"--out {out} for {len(files)} files", why="each has a file of predictions of its own",
                            repair="name a folder that is there, or predict one file at a time")
    if out.suffix in OTHER_FORMATS:
        raise ArgumentError(f"--out {out}", why="predictions are written as CSV", repair=f"--out {out.with_suffix('.csv')}")
    for file in files:
        path = free_path(file, out) if out.is_dir() else out
        if path.exists() and os.path.exists(file) and os.path.samefile(path, file):
            raise ArgumentError(f"--out {path} is the file that is predicted", why="it would be overwritten", repair="name another file")
        account = predict_file(models, file, path)
        for line in account.lines():
            click.echo(f"{file}: {line}", err=True)
        click.echo(f"{file}: {account.rows:,} rows, predictions in {path}")


def free_path(file: str, folder: Path) -> Path:
    """`FOLDER/NAME-predictions.csv`, with a number where there is such a file."""
    name = Path(file).name.removesuffix(".gz")
    stem = name.removesuffix(next((suffix for suffix in (".csv", *OTHER_FORMATS) if name.endswith(suffix)), ""))
    names = (f"{stem}-predictions{'' if i == 1 else f'-{i}'}.csv" for i in count(1))
    return next(path for name in names if not (path := folder / name).exists())


def evaluate_tables(models: Sequence[TableModel], files: Sequence[str]) -> None:
    """`slopes evaluate` with the run of a table: the scores on each file whose targets are known."""
    for file, model in product(files, models):
        result = evaluate_file(model, file)
        for line in result.account.lines():
            click.echo(f"{file}: {line}", err=True)
        target = f" {model.target}:" if len(models) > 1 else ""
        scores = [f"{name} {interval.text}" for name, interval in result.scores.items()]
        click.echo(f"{file}:{target} {result.rows:,} rows: "
                   f"{', '.join([*scores, *(f'{name} {value:.4g}' for name, value in result.more.items())])}")
