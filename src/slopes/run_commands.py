"""The commands about runs that are there: `slopes runs` lists and compares them, `slopes report` writes a page about some."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from .errors import ArgumentError
from .files.atomic import replacing
from .tables.report import shorten, table_text
from .train.records import DEPTH, Record, Row, differing_settings, figure_rows, figure_text, list_runs, names_of, sorted_by
from .train.runs import load_run
from .view.report import report as report_page

HEAD = ["run", "made by", "state", "figure", "epochs", "seconds", "date (UTC)", "seed"]
PLAIN = "fit"  # what made a run without a recipe


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("runs"), metavar="[DIR]")
@click.option("--compare", is_flag=True, help="all figures, and the settings that differ, of the runs side by side")
@click.option("--sort", metavar="FIGURE", help="show this figure, and the run where it is smallest first  [default: each run's first "
              "figure, by folder]")
@click.option("--descending", is_flag=True, help="with --sort: the largest first, as of accuracies")
def runs(folder: Path, compare: bool, sort: str | None, descending: bool) -> None:
    """List the runs in DIR (default: runs) and in the folders in it, down to three deep: figure, epochs, seconds, date, seed.

    Weights are not read. Runs that cannot be read are listed below, with the reason.
    A run that no recipe made (`made by fit`) has the lowest validation loss of its epochs as its figure.

    \b
    Examples:
      slopes runs
      slopes runs runs/tune-digits --sort "test accuracy" --descending
      slopes runs runs --compare
    """
    if descending and sort is None:
        raise click.UsageError("--descending needs --sort FIGURE")
    if not folder.is_dir():
        raise ArgumentError(f"there is no folder {folder}", why="slopes train writes its runs into runs/ in the current folder",
                            repair="slopes runs DIR lists those of another folder")
    listing = list_runs(folder)
    records = listing.records if sort is None else sorted_records(listing.records, sort, descending)
    names = [name_of(record.folder, folder) for record in records]
    lines = comparison_lines(records, names) if compare else table_text([HEAD, *(row_of(*pair, sort) for pair in zip(records, names))])
    for line in lines if records else [f"no runs in {folder}, {DEPTH} folders deep"]:
        click.echo(line)
    for reason in listing.unreadable.values():
        click.echo(f"not readable: {reason}")


def name_of(run: Path, folder: Path) -> str:
    """The path of a run in the folder that is listed."""
    return run.name if run == folder else run.relative_to(folder).as_posix()


def sorted_records(records: Sequence[Record], name: str, descending: bool) -> list[Record]:
    """The runs by this figure; ArgumentError where none has it."""
    known = names_of(record.figures for record in records)
    if name not in known:
        raise ArgumentError(f"--sort {name}: no run has this figure", why=f"there are {shorten(', '.join(known), 300) or 'no figures'}",
                            repair="name one of these, in quotes if there are spaces in it")
    return sorted_by(records, name, descending)


def row_of(record: Record, name: str, sort: str | None) -> Row:
    """The line of a run."""
    figure = next(iter(record.figures), "") if sort is None else sort
    value = figure_text(record.figures.get(figure))
    return [name, record.recipe or PLAIN, record.state, f"{figure} {value}" if value else "", f"{record.epochs or ''}",
            f"{record.seconds:,.1f}", record.finished[:16].replace("T", " "), str(record.seed)]


def comparison_lines(records: Sequence[Record], names: Sequence[str]) -> list[str]:
    """Figures and differing settings, a column for each run."""
    figures, settings = figure_rows(records), differing_settings(records)
    return [*table_text([["figure", *names], *figures]), "",
            *(table_text([["setting", *names], *[[shorten(cell) for cell in row] for row in settings]]) if settings
              else ["the settings are the same"])]


@click.command()
@click.argument("runs", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="RUN...")
@click.option("--out", type=click.Path(path_type=Path), default=Path("report.html"), show_default=True, metavar="FILE",
              help="the page to write")
def report(runs: tuple[Path, ...], out: Path) -> None:
    """Write a page about the runs in the folders RUN: one HTML file that opens in any browser, and from a mail.

    It holds curves, figures, plots, settings, networks and versions; of own tables also the columns, the models beside each other,
    which columns matter, the confusion of classes, calibration, and the rows with the worst errors. Several runs are compared.

    \b
    Example:
      slopes report runs/table runs/table-2 --out report.html
    """
    page = report_page([load_run(run) for run in runs])
    with replacing(out) as file:
        file.write(page.encode())
    click.echo(f"saved in {out}")
