"""The command line: train a recipe, predict with the run folder that it wrote, and show facts about this machine."""

from __future__ import annotations

import contextlib
import csv
import io
import math
import os
import platform
import shlex
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any, TextIO, cast

import click
import numpy as np

from .data.loaders.write_images import save_png
from .data.sets.locate import found_sets
from .errors import ArgumentError, SlopesError
from .experiments.catalog import OWN_DATA, RECIPES, find_recipe
from .experiments.experiment import Experiment, PredictedRows, Prediction, Result, Setting
from .experiments.run import load
from .experiments.run import resume as resume_run
from .experiments.run import run as run_experiment
from .extras import on_demand
from .files.atomic import replacing
from .machine.threads import thread_count
from .settings import MOST_THREADS, VARIABLES, VERSION, cache_folder, data_folder
from .streams import Lenient
from .table_commands import evaluate_tables, predict_tables, table_command
from .tables.folder import KIND as TABLE
from .train.advise import advice
from .train.runs import SavedRun, holds_run, load_run, prepare_folder
from .view.report import report as report_page

DEFAULT = "digits"
INTERRUPTED = 130  # what shells expect after Ctrl-C


class Commands(click.Group):
    """A group whose commands end with the four parts of an expected error instead of a traceback, and exit code 1."""

    def invoke(self, context: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(context)
        except SlopesError as error:
            click.echo(error_text(error), err=True)
            context.exit(1)
        except KeyboardInterrupt:
            click.echo("interrupted: nothing was saved", err=True)
            context.exit(INTERRUPTED)


def error_text(error: SlopesError) -> str:
    """What, why and how to repair, without where: the user of a command has no line of code."""
    lines = [f"error: {error.what}", *(f"  {line}" for line in (error.why, error.repair) if line)]
    return "\n".join(lines)


class Recipes(click.Group):
    """`slopes train` with the recipes as its commands; without one it trains the default recipe."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        """Put the default recipe before options that belong to a recipe."""
        if not args or (args[0].startswith("-") and args[0] not in ("-h", "--help", "-l", "--list")):
            args = [DEFAULT, *args]
        return super().parse_args(context, args)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """The recipe's command, or that for own tables; wrong usage when there is none."""
        if name == TABLE:
            return table_command(table_folder, INTERRUPTED)
        try:
            return recipe_command(find_recipe(name))
        except ArgumentError as error:
            context.fail(f"{error.what}; {error.why}; {error.repair}")

    def list_commands(self, context: click.Context) -> list[str]:
        """All recipes, and own data."""
        return [*RECIPES, TABLE, *OWN_DATA]


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(VERSION, prog_name="slopes")
def command() -> None:
    """Deep learning on ordinary machines: networks are trained as one native program.

    \b
    Examples:
      slopes train digits                 a net for handwritten digits, in seconds
      slopes predict runs/digits my.png   which digit does my picture show?
      slopes info                         version, processor, threads and folders
    """


def list_recipes(context: click.Context, parameter: click.Parameter, asked: bool) -> None:
    """Print the recipes and stop."""
    if asked and not context.resilient_parsing:
        for recipe in RECIPES.values():
            click.echo(f"{recipe.name:18} {recipe.caption}  (data: {', '.join(recipe.datasets) or 'generated'})")
        for experiment in OWN_DATA.values():
            click.echo(f"{experiment.name:18} {experiment.caption}  (data: your own {experiment.source})")
        context.exit()


@command.group(cls=Recipes, subcommand_metavar="[RECIPE] [OPTIONS]...", name="train")
@click.option("--list", "-l", is_flag=True, is_eager=True, expose_value=False, callback=list_recipes,
              help="List the recipes and stop.")
def train() -> None:
    """Train RECIPE (default: digits) and write a run folder: weights, structure, history, figures and plots.

    `slopes train RECIPE --help` lists every hyper-parameter with its default and the reason for it.

    \b
    Examples:
      slopes train
      slopes train lenet --dataset fashion --epochs 10
      slopes train mlp --optimizer momentum --rate 0.05 --out runs/faster
      slopes train mlp --resume runs/faster    continue it after Ctrl-C or a crash
    """


def recipe_command(recipe: Experiment[Any]) -> click.Command:
    """`slopes train NAME`, with one option per hyper-parameter of the recipe."""
    lines = "\n  ".join(f"slopes train {recipe.name} {example}" for example in recipe.examples or [default_example(recipe)])
    helped = (f"{recipe.caption[0].upper()}{recipe.caption[1:]}.\n\nExpected: {recipe.expected}.\n\n\b\n"
              f"Example{'s' if len(recipe.examples) > 1 else ''}:\n  {lines}")
    return click.Command(recipe.name, params=[*setting_options(recipe), *common_options(own=bool(recipe.source))], help=helped,
                         short_help=recipe.caption, callback=lambda **args: train_recipe(recipe, **args))


def default_example(recipe: Experiment[Any]) -> str:
    """The options of an example, with the first hyper-parameter's default."""
    option = "--epochs" if "epochs" in recipe.settings else f"--{next(iter(recipe.settings))}"
    return f"{option} {shlex.quote(str(recipe.settings[option[2:]].default))} --seed 1 --out runs/{recipe.name}-1"


def setting_options(recipe: Experiment[Any]) -> list[click.Parameter]:
    """An argument for the user's data, and one option per hyper-parameter: its help gives the reason and the default. A value of None
    means that it was not given."""
    return [click.Argument([name], required=False, metavar=name.upper()) if name == recipe.source else setting_option(name, setting)
            for name, setting in recipe.settings.items()]


def setting_option(name: str, setting: Setting) -> click.Option:
    """The option of a hyper-parameter: a flag for False, a repeatable one for a tuple."""
    option, default = f"--{name.replace('_', '-')}", setting.default
    if isinstance(default, bool):
        return click.Option([option, name], is_flag=True, default=None, help=setting.reason)
    if isinstance(default, tuple):
        return click.Option([option, name], multiple=True, metavar="TEXT", callback=given_values, help=f"{setting.reason}; repeatable")
    shown = f"  [default: {default}]" if default != "" else ""
    return click.Option([option, name], type=option_type(name, setting), help=f"{setting.reason}{shown}")


def given_values(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...] | None:
    """The values of a repeatable option; None when it was not given."""
    return values or None


class Number(click.ParamType):
    """A number of at least `least`: whole and at most `most`, or, when `whole` is false, finite."""

    def __init__(self, least: float, whole: bool = True, most: int = 2**63 - 1) -> None:
        self.name = "integer" if whole else "number"
        self.least, self.whole, self.most = least, whole, most

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> int | float:
        """The number, or click's error of a wrong value."""
        try:
            converted = int(value) if self.whole else float(value)
        except ValueError:
            self.fail(f"{value!r} is not {'a whole' if self.whole else 'a'} number.", parameter, context)
        if self.whole and not self.least <= converted <= self.most:
            self.fail(f"{value} is not from {self.least} to {self.most}.", parameter, context)
        if not self.least <= converted < math.inf:
            self.fail(f"{value} is not a finite number of at least {self.least}.", parameter, context)
        return converted


def option_type(name: str, setting: Setting) -> click.ParamType:
    """Choices, text, integers of at least 1 (epochs: 0), numbers (of at least 0, if nothing else is said)."""
    if setting.choices:
        return click.Choice(setting.choices)
    if isinstance(setting.default, str):
        return click.STRING
    if isinstance(setting.default, int):
        return Number(least=0 if name == "epochs" else 1)
    return Number(least=0 if setting.least is None else setting.least, whole=False)


def common_options(own: bool) -> list[click.Parameter]:
    """The options of every recipe; of those that learn from the user's own data without a folder of data sets."""
    data = click.Option(["--data"], type=click.Path(path_type=Path), metavar="DIR",
                        help="folder with local copies of the data sets, such as DIR/mnist  [default: SLOPES_DATA, else downloads]")
    return [
        *([] if own else [data]),
        click.Option(["--seed"], type=Number(0),
                     help="of initial weights, order of examples and dropout: the same seed gives the same result  [default: 0]"),
        click.Option(["--threads"], type=Number(1, most=MOST_THREADS),
                     help="number of threads; the result does not depend on it  [default: all]"),
        click.Option(["--out"], type=click.Path(path_type=Path), metavar="RUN",
                     help="run folder to write  [default: a new one in runs/]"),
        click.Option(["--replace"], is_flag=True, help="overwrite RUN if it holds a run already"),
        click.Option(["--resume"], type=click.Path(path_type=Path), metavar="RUN",
                     help="continue the interrupted run in this folder, with its settings: the result is the same as without the "
                          "interruption. With more --epochs also a finished run. Such as --resume runs/lenet"),
        click.Option(["--quiet"], is_flag=True, help="print no progress, only the results"),
    ]


def train_recipe(recipe: Experiment[Any], seed: int | None, threads: int | None, out: Path | None, replace: bool, quiet: bool,
                 resume: Path | None, data: Path | None = None, **args: Any) -> None:
    """`slopes train RECIPE`."""
    use_settings(data, threads)
    if args.get(recipe.source):
        args[recipe.source] = os.path.abspath(args[recipe.source])
    if resume is None:
        values, seed = recipe.resolve(**args), seed or 0
        folder = choose_folder(recipe.name, out, replace)
    else:
        changes = {name: value for name in ("epochs", recipe.source) if (value := args.pop(name, None)) is not None}
        folder, saved = resume, load_unfinished(recipe, resume, {**args, "seed": seed, "out": out, "replace": replace or None})
        values, seed = saved.hyperparameters | changes, saved.seed
    if not quiet:
        click.echo(f"{recipe.name}: " + ", ".join(f"{name} {value}" for name, value in values.items() if value not in ("", (), [])) +
                   f", seed {seed}")
    progress = False if quiet else None
    try:
        result = run_experiment(recipe, values, folder, seed=seed, progress=progress) if resume is None else \
            resume_run(saved, epochs=changes.get("epochs"), source=changes.get(recipe.source), progress=progress)
    except (KeyboardInterrupt, SystemExit) as stop:
        if not holds_run(folder):
            raise
        click.echo(f"interrupted; {resume_hint(recipe.name, folder)}", err=True)
        sys.exit(stop.code if isinstance(stop, SystemExit) else INTERRUPTED)
    print_result(result)
    if result.save_error or result.interrupted:
        sys.exit(1 if result.save_error else INTERRUPTED)


def load_unfinished(recipe: Experiment[Any], folder: Path, options: dict[str, Any]) -> SavedRun:
    """The run to continue, which is of this recipe; its settings are its own, not those of the command line."""
    saved = load_run(folder)
    if saved.recipe != recipe.name:
        raise ArgumentError(f"--resume {folder}: this is a run of recipe {saved.recipe!r}, not of {recipe.name}",
                            repair=resume_hint(saved.recipe, folder))
    if conflicts := [f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None]:
        raise ArgumentError(f"--resume with {', '.join(conflicts)}",
                            why="a run is continued with its own settings (but for more --epochs), in its own folder",
                            repair=f"leave out {', '.join(conflicts)}, or train again without --resume")
    prepare_folder(folder)
    return saved


def resume_hint(recipe: str, folder: Path) -> str:
    """The command that continues a run."""
    return f"to continue: slopes train {recipe} --resume {shlex.quote(str(folder))}"


def use_settings(data: Path | None, threads: int | None) -> None:
    """Options as settings, before anything is loaded or compiled."""
    if data is not None:
        if not data.is_dir():
            raise ArgumentError(f"--data {data}: there is no such folder",
                                why="it must hold local copies of the data sets, such as mnist/",
                                repair="correct the path, or leave --data out to download")
        os.environ["SLOPES_DATA"] = str(data)
    if threads is not None:
        os.environ["SLOPES_THREADS"] = str(threads)


def choose_folder(name: str, out: Path | None, replace: bool) -> Path:
    """The run folder: the one asked for, or the first free of runs/NAME, runs/NAME-2, ..."""
    if out is None:
        names = (name if i == 1 else f"{name}-{i}" for i in count(1))
        return next(path for name in names if not (path := Path("runs") / name).exists())
    if holds_run(out) and not replace:
        raise ArgumentError(f"--out {out}: this folder already holds a run", why="training again would overwrite it",
                            repair="name another folder, or add --replace")
    return out


def table_folder(threads: int | None, out: Path | None, replace: bool) -> Path:
    """The settings and the run folder of `slopes train table`, proven to be writable."""
    use_settings(None, threads)
    return prepare_folder(choose_folder(TABLE, out, replace))


def print_result(result: Result[Any]) -> None:
    """The last lines: how good, how long, saved where, and the command to use it with."""
    for note in result.notes:
        click.echo(note, err=True)
    if result.save_error:
        click.echo(error_text(result.save_error), err=True)
        click.echo("  the training is not lost: it was saved to the folder below", err=True)
    for line in result.lines:
        click.echo(line)
    histories = [run.history for run in result.runs.values()]
    seconds, compiling = (sum(getattr(history, name) for history in histories) for name in ("seconds", "compile_seconds"))
    click.echo(f"trained in {seconds:.1f} s ({compiling:.1f} s of it compiling){', interrupted' if result.interrupted else ''}")
    for remark in advice(result.run) if list(result.runs) == [""] else ():
        click.echo(f"advice: {remark}")
    assert result.folder is not None
    click.echo(f"saved in {result.folder}: {', '.join(sorted(file.name for file in result.folder.iterdir() if file.is_file()))}")
    if result.interrupted and result.states:
        click.echo(resume_hint(result.experiment.name, result.folder))
    if result.experiment.predict is not None:
        click.echo(f"next: slopes predict {result.folder} {result.experiment.takes}...")


@command.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("items", nargs=-1, required=True, metavar="INPUT...")
@click.option("--top", type=Number(1), default=1, show_default=True, help="how many classes to print, the most probable first")
@click.option("--out", type=click.Path(path_type=Path), default=Path(), metavar="DIR",
              help="folder for pictures that networks make; or FILE.csv for a table of predictions  [default: this folder]")
def predict(run: Path, items: tuple[str, ...], top: int, out: Path) -> None:
    """Predict with the networks of the folder RUN, for each INPUT.

    What an input is depends on the recipe; `slopes train` names it at its end. Image classifiers take image files: PNG, JPEG,
    PGM or PPM, of any size, light on dark or dark on light, with one digit (or piece of clothing) on a plain background. It is cut
    out, scaled and centred as in the training data; an image of the data's own size (28 x 28 or 8 x 8) is taken as it is. Language
    models take a text to continue, the tagger, the translator and the mood classifier a sentence, table networks a CSV file with
    the columns of the table, the forecaster a series, the speech network a WAV file. Networks that make pictures (masks,
    reconstructions) write them as PNG files. A run of `slopes train table` writes a CSV file with a row of predictions for each row
    of a file of any length.

    \b
    Examples:
      slopes predict runs/lenet seven.png photo.jpg --top 3
      slopes predict runs/chars "JULIET:"
      slopes predict runs/tabular houses.csv
      slopes predict runs/table new.csv --out predictions.csv
    """
    saved = load_run(run)
    if saved.recipe == TABLE:
        predict_tables(saved, items, out)
        return
    loaded = load(run)
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


@command.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
def evaluate(run: Path, files: tuple[str, ...]) -> None:
    """Measure the networks of the folder RUN on data whose targets are known: files, or folders, like those that they learned from.

    RUN is a folder that a training on own data wrote (`slopes train table`, `images`, ...). Prints the scores with 95% intervals, and
    what was noticed: of a table columns that it lacks, values that cannot be read, categories that no training row had.

    \b
    Examples:
      slopes evaluate runs/table labelled.csv
    """
    saved = load_run(run)
    if saved.recipe == TABLE:
        evaluate_tables(saved, files)
        return
    loaded = load(run)
    for file in files:
        for line in loaded.evaluate(file).lines:
            click.echo(f"{file}: {line}")


@command.command()
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


def written_picture(prediction: Prediction, item: str, folder: Path) -> str:
    """`, saved as seven-1.png`: the picture of a prediction as a file, which no other file has to make way for; "" without one."""
    if prediction.picture is None:
        return ""
    names = (folder / f"{Path(item).stem}-{i}.png" for i in count(1))
    path = next(name for name in names if not name.exists())
    save_png(path, prediction.picture)
    return f", saved as {path}"


@command.command()
def info() -> None:
    """Show version, processor, threads, and the folders that slopes uses.

    \b
    Example:
      slopes info
    """
    for name, value in facts().items():
        click.echo(f"{name:12} {value}")
    click.echo("\nsettings (environment variables):")
    for name, meaning in VARIABLES.items():
        click.echo(f"  {name}={os.environ.get(name, '')}  {meaning}")


def facts() -> dict[str, str]:
    """The lines of `slopes info`, by name."""
    llvm, local, translate = on_demand("llvmlite.binding"), data_folder(), on_demand("slopes.machine.translate")
    features = llvm.get_host_cpu_features()
    known = [name for name in ("avx512f", "avx512bw", "avx512vl", "avx2", "fma", "neon", "sve") if features.get(name)]
    return {
        "slopes": VERSION,
        "python": f"{platform.python_version()} with NumPy {np.__version__}, LLVM {'.'.join(map(str, llvm.llvm_version_info))}",
        "system": f"{platform.system()} {platform.machine()}",
        "processor": f"{llvm.get_host_cpu_name()}: {', '.join(known) or 'no vector extension that slopes knows'}",
        "target": target_text(*translate.host()),
        "threads": f"{thread_count()} of {os.cpu_count()} processors",
        "calls": on_demand("slopes.machine.entry").entry_class().name,
        "cache": folder_text(cache_folder()),
        "data": folder_text(local) if local else f"no local copy (SLOPES_DATA); downloads go to {cache_folder() / 'data'}",
        "data sets": ", ".join(["digits (of scikit-learn)", *found_sets()]) + "; others are downloaded when asked for",
    }


def target_text(triple: str, processor: str, features: str) -> str:
    """What functions are compiled for, and how that was chosen."""
    named, chosen = os.environ.get("SLOPES_CPU", ""), on_demand("slopes.machine.translate").instruction_set(triple, features)
    return f"{chosen}, LLVM's {processor}" + (f" (SLOPES_CPU={named})" if named else "")


def folder_text(folder: Path) -> str:
    """The folder, its size, and whether it is there."""
    if not folder.is_dir():
        return f"{folder} (not there yet)"
    sizes = [file.stat().st_size for file in folder.rglob("*") if file.is_file()]
    return f"{folder} ({len(sizes):,} files, {sum(sizes) / 2**20:,.1f} MiB)"


def main(args: list[str] | None = None) -> None:
    """Entry point of `slopes`: exit code 0 when all is well, 1 after an error, 2 for wrong usage, 130 after ^C.

    A training does not depend on its output: when standard output is full or closed it continues and is saved; the command says so
    once at its end, except for a reader that has closed the pipe, such as `| head -1`. The exit code is then 1.
    """
    output, errors = Lenient(sys.stdout), Lenient(sys.stderr)
    code: Any = 0
    with contextlib.redirect_stdout(cast(TextIO, output)), contextlib.redirect_stderr(cast(TextIO, errors)):
        try:
            command.main(args, prog_name="slopes")
        except SystemExit as end:
            code = end.code
    sys.exit(code_of(code, output, errors))


def code_of(code: Any, output: Lenient, errors: Lenient) -> Any:
    """The exit code of a command that ended with `code`; output that was lost is reported, and makes it a failure."""
    output.flush()
    if output.error is not None and not isinstance(output.error, BrokenPipeError):
        reason = getattr(output.error, "strerror", None) or output.error
        print(f"error: standard output could not be written: {reason}", file=cast(TextIO, errors), flush=True)
    lost = [stream for stream in (output, errors) if stream.error is not None]
    for stream in lost:
        stream.abandon()
    return code or (1 if lost else 0)
