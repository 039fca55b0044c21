"""The command `slopes train`: recipes, and experiments on own data."""

from __future__ import annotations

import os
import shlex
import sys
from itertools import count
from pathlib import Path
from typing import Any

import click

from .agreement import agree, writes
from .backend import Backend, find_backend, on_mesh
from .command_options import common_options, setting_options, use_settings
from .errors import ArgumentError, error_text
from .experiments.catalog import OWN_DATA, RECIPES, find_recipe
from .experiments.experiment import Experiment, Result
from .experiments.run import resume as resume_run
from .experiments.run import run as run_experiment
from .extras import on_demand
from .table_commands import table_command
from .tables.folder import KIND as TABLE
from .train.advise import advice
from .train.interrupt import INTERRUPTED
from .train.runs import SavedRun, holds_run, load_run, prepare_folder

DEFAULT = "digits"
MESH = "slopes.xla.mesh"


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


def list_recipes(context: click.Context, parameter: click.Parameter, asked: bool) -> None:
    """Print the recipes and stop."""
    if asked and not context.resilient_parsing:
        for recipe in RECIPES.values():
            click.echo(f"{recipe.name:18} {recipe.caption}  (data: {', '.join(recipe.datasets) or 'generated'})")
        for experiment in OWN_DATA.values():
            click.echo(f"{experiment.name:18} {experiment.caption}  (data: your own {experiment.source})")
        context.exit()


@click.group(cls=Recipes, subcommand_metavar="[RECIPE] [OPTIONS]...", name="train")
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


def train_recipe(recipe: Experiment[Any], seed: int | None, threads: int | None, backend: str | None, mesh: str | None,
                 split: str | None, zero: bool, out: Path | None, replace: bool, quiet: bool, resume: Path | None, data: Path | None = None,
                 **args: Any) -> None:
    """`slopes train RECIPE`."""
    use_settings(data, threads)
    engine = chosen_backend(backend, mesh, split, zero)
    args |= {name: os.path.abspath(args[name]) for name in (recipe.source, *recipe.files) if args.get(name)}
    if resume is None:
        values, seed = recipe.resolve(**args), seed or 0
        folder = Path(agree(str(choose_folder(recipe.name, out, replace)) if writes() else ""))
    else:
        changes = {name: value for name in ("epochs", recipe.source) if (value := args.pop(name, None)) is not None}
        folder, saved = resume, load_unfinished(recipe, resume, {**args, "seed": seed, "out": out, "replace": replace or None})
        values, seed = saved.hyperparameters | changes, saved.seed
    quiet = quiet or not writes()
    if not quiet:
        click.echo(f"{recipe.name}: " + ", ".join(f"{name} {value}" for name, value in values.items() if value not in ("", (), [])) +
                   f", seed {seed}")
    progress = False if quiet else None
    try:
        result = run_experiment(recipe, values, folder, seed=seed, progress=progress, backend=engine) if resume is None else \
            resume_run(saved, epochs=changes.get("epochs"), source=changes.get(recipe.source), progress=progress, backend=engine)
    except (KeyboardInterrupt, SystemExit) as stop:
        if not holds_run(folder):
            raise
        click.echo(f"interrupted; {resume_hint(recipe.name, folder)}", err=True)
        sys.exit(stop.code if isinstance(stop, SystemExit) else INTERRUPTED)
    if writes():
        print_result(result)
    if result.save_error or result.interrupted:
        sys.exit(1 if result.save_error else INTERRUPTED)


def chosen_backend(backend: str | None, mesh: str | None, split: str | None, zero: bool) -> str | Backend | None:
    """What runs the steps; None where nothing was asked for. Other processes are joined here, before anything else is done."""
    if mesh is None:
        if split or zero:
            raise ArgumentError(f"{'--split' if split else '--zero'} without --mesh", why="it says how values are divided among devices",
                                repair="add --mesh data=4,model=2")
        if backend is not None:
            find_backend(backend).prepare()
        return backend
    if backend != "xla":
        raise ArgumentError(f"--mesh {mesh} without --backend xla", why="several devices are those of XLA", repair="add --backend xla")
    return on_mesh(backend, on_demand(MESH).parse_mesh(mesh, split, zero))


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
    for remark in advice(result.run) if list(result.runs) == [""] and not result.experiment.source else ():
        click.echo(f"advice: {remark}")
    assert result.folder is not None
    click.echo(f"saved in {result.folder}: {', '.join(sorted(file.name for file in result.folder.iterdir() if file.is_file()))}")
    if result.interrupted and result.states:
        click.echo(resume_hint(result.experiment.name, result.folder))
    if result.experiment.predict is not None:
        click.echo(f"next: slopes predict {result.folder} {result.experiment.takes}...")
