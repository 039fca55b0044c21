"""The commands that use a trained run: predict, and measure it on data whose targets are known."""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import click

from .command_options import Number
from .data.loaders.write_images import save_png
from .errors import ArgumentError, SlopesError, error_text
from .experiments.experiment import LoadedRun, PredictedRows, Prediction
from .experiments.load import TableRun, load
from .experiments.loaded import Loaded, NetRun
from .files.atomic import replacing
from .table_commands import evaluate_tables, predict_tables
from .tables.model import TableModel

FAST = click.option("--fast", is_flag=True, help="for the run of a table: use one network of its ensemble instead of all of them; "
                    "several times faster, a little less exact")


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("items", nargs=-1, required=True, metavar="INPUT...")
@click.option("--top", type=Number(1), default=1, show_default=True, help="how many classes to print, the most probable first")
@click.option("--out", type=click.Path(path_type=Path), default=Path(), metavar="DIR",
              help="folder for pictures that networks make; or FILE.csv for a table of predictions  [default: this folder]")
@FAST
def predict(run: Path, items: tuple[str, ...], top: int, out: Path, fast: bool) -> None:
    """Predict with the networks of the folder RUN, for each INPUT.

    What an input is depends on the recipe; `slopes train` names it at its end. Image classifiers take image files: PNG, JPEG,
    PGM or PPM, of any size, light on dark or dark on light, with one digit (or piece of clothing) on a plain background. It is cut
    out, scaled and centred as in the training data; an image of the data's own size (28 x 28 or 8 x 8) is taken as it is. Language
    models take a text to continue, the tagger, the translator and the mood classifier a sentence, table networks a CSV file with
    the columns of the table, the forecaster a series, the speech network a WAV file. Networks that make pictures (masks,
    reconstructions) write them as PNG files. A run of `slopes train table` writes a CSV file with a row of predictions for each row
    of a file of any length. A run of `slopes train text` or `language` takes a text, and with --out FILE.csv files of any length, whose
    rows or lines are predicted.

    \b
    Examples:
      slopes predict runs/lenet seven.png photo.jpg --top 3
      slopes predict runs/chars "JULIET:"
      slopes predict runs/tabular houses.csv
      slopes predict runs/table new.csv --out predictions.csv
      slopes predict runs/text "what a lovely film"
    """
    loaded = load(run)
    if isinstance(loaded, NetRun):
        raise loaded.without_net()
    if isinstance(loaded, TableRun):
        predict_tables(chosen(loaded.models, fast), items, out)
        return
    check_fast(loaded, fast)
    if out.suffix == ".csv":
        write_rows(loaded.predict_rows(items), out, items)
        return
    failed = False
    for item in items:
        try:
            prediction = loaded.predict(item, top)
            click.echo(f"{item}: {prediction.text}{written_picture(prediction, item, out)}")
        except SlopesError as error:
            failed = True
            click.echo(error_text(error), err=True)
    if failed:
        sys.exit(1)


def chosen(models: Sequence[TableModel], fast: bool) -> list[TableModel]:
    """The models of a table with all their networks, or with one each."""
    return [model.single() if fast else model for model in models]


def check_fast(loaded: Loaded, fast: bool) -> None:
    """Refuse --fast for runs without an ensemble."""
    if fast:
        raise ArgumentError(f"--fast with a run of {loaded.recipe or 'your own net'}", why="it has no ensemble of which one network "
                            "could be used", repair="leave it out")


def write_rows(predicted: PredictedRows, out: Path, items: Sequence[str]) -> None:
    """Write predictions as a CSV file, row by row; the file is there whole or not at all."""
    if any(os.path.exists(item) and out.exists() and os.path.samefile(out, item) for item in items):
        raise ArgumentError(f"--out {out} is the file that is predicted", why="it would be overwritten", repair="name another file")
    written = 0
    with replacing(out) as file:
        lines = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(predicted.columns)
        for row in predicted.rows:
            writer.writerow(row)
            written += 1
        lines.detach()
    for note in predicted.notes:
        click.echo(note, err=True)
    click.echo(f"{written:,} rows, predictions in {out}")


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@FAST
def evaluate(run: Path, files: tuple[str, ...], fast: bool) -> None:
    """Measure the networks of the folder RUN on data whose targets are known: files, or folders, like those that they learned from.

    RUN is a folder that a training on own data wrote (`slopes train table`, `images`, ...). Prints the scores with 95% intervals, and
    what was noticed: of a table columns that it lacks, values that cannot be read, categories that no training row had.

    \b
    Examples:
      slopes evaluate runs/table labelled.csv
    """
    loaded = load(run)
    if isinstance(loaded, TableRun):
        evaluate_tables(chosen(loaded.models, fast), files)
        return
    check_fast(loaded, fast)
    if not isinstance(loaded, LoadedRun):
        raise loaded.without_net()
    for file in files:
        for line in loaded.evaluate(file).lines:
            click.echo(f"{file}: {line}")


def written_picture(prediction: Prediction, item: str, folder: Path) -> str:
    """`, saved as seven-1.png`: the picture of a prediction as a file, which no other file has to make way for; "" without one."""
    if prediction.picture is None:
        return ""
    names = (folder / f"{Path(item).stem}-{i}.png" for i in count(1))
    path = next(name for name in names if not name.exists())
    save_png(path, prediction.picture)
    return f", saved as {path}"
