"""`slopes tune`: search for the hyper-parameters of a recipe, or of the networks for a table, by their validation loss."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from .command_options import setting_options, use_settings
from .errors import ArgumentError, MissingExtraError
from .experiments.catalog import OWN_DATA, RECIPES, find_recipe
from .experiments.experiment import Experiment
from .experiments.search import RecipeTask, command_text, search_space, searched_settings
from .files import save_json
from .files.atomic import write_bytes
from .files.claim import claimed
from .machine.threads import thread_count
from .plot import View
from .settings import MOST_THREADS
from .table_commands import SEARCHED, question_of, settings_of
from .table_commands import parameters as table_parameters
from .tables.folder import KIND as TABLE
from .tables.search import RANGES, TableTask
from .tables.training import DEFAULTS, Settings
from .train.interrupt import INTERRUPTED
from .train.metrics import METRICS, metric_of
from .train.processes import InProcess, Task, Workers
from .train.runs import prepare_folder, sha256
from .train.space import Choices
from .train.trials import FAILED, FILE, Study
from .train.tuning import Search, SearchLoop

LOSS = metric_of("loss", METRICS)
DIGITS = 3  # significant digits of the numbers that are tried, so that a command says them exactly
SHOWN = 5  # the best trainings that are printed
WARMUP = 3  # epochs after which a training may be found to fall behind: rates that are high at first look bad then
SCHEMA = "slopes.search"
EARLIER = (FILE, "search.json", "best.txt", "importance.png", "slices.png")  # files of a search

HELP = """Search for good hyper-parameters of {what} by the validation loss: never by the test set, which is not measured.

The first training has the default settings. The next ones are drawn at random, later ones where good results are more likely (a
tree-structured Parzen estimator). Those that fall behind the median after some epochs are ended early. An option that is given
fixes a hyper-parameter; the others that have a range are searched: {searched}.

The folder of the search holds all trainings (study.db), pictures of what matters, and the command that trains with the best
settings (best.txt). Trainings that differ in learning rate, weight decay and dropout share their compiled programs.

\b
Examples:
  slopes tune {name} --trials 30
  slopes tune {name} --trials 60 --resume           continue it, also after Ctrl-C or a kill
  slopes tune {name} --trials 30 --jobs 4 --timeout 3600
"""



def search_options(name: str) -> list[click.Parameter]:
    """The options of every search."""
    path = click.Path(path_type=Path)
    return [
        click.Option(["--trials"], type=click.IntRange(1), default=30, show_default=True, help="how many trainings, with --resume in all"),
        click.Option(["--jobs"], type=click.IntRange(1, MOST_THREADS), default=1, show_default=True,
                     help="how many trainings at a time, each in a process with its share of the threads; with more than one the "
                          "settings that are tried depend on which training ends first"),
        click.Option(["--timeout"], type=click.FloatRange(0), metavar="SECONDS", help="begin no further training after this time"),
        click.Option(["--seed"], type=click.IntRange(0), default=0, show_default=True, help="of the search and of all trainings"),
        click.Option(["--threads"], type=click.IntRange(1, MOST_THREADS), help="number of threads of all together  [default: all]"),
        click.Option(["--out"], type=path, metavar="DIR", help=f"folder of the search  [default: runs/tune-{name}]"),
        click.Option(["--resume"], is_flag=True, help="continue the search in the folder, with options as before"),
        click.Option(["--replace"], is_flag=True, help="remove the search that is in the folder, and begin anew"),
    ]


class Tunable(click.Group):
    """`slopes tune` with the recipes as its commands, which are made when they are asked for."""

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """The command of a recipe, or of own tables; wrong usage when there is none."""
        if name == TABLE:
            return table_command()
        try:
            return recipe_command(find_recipe(name))
        except ArgumentError as error:
            context.fail(f"{error.what}; {error.why}; {error.repair}")

    def list_commands(self, context: click.Context) -> list[str]:
        """All recipes, and own data."""
        return [*RECIPES, *OWN_DATA, TABLE]


def tune_command() -> click.Group:
    """`slopes tune`."""
    return Tunable("tune", help="Search for good hyper-parameters of RECIPE, or of the networks for a table, by their validation loss.\n\n"
                    "`slopes tune RECIPE --help` says what is searched.\n\n\b\nExamples:\n  slopes tune digits --trials 30\n  "
                    "slopes tune table houses.csv --target price", subcommand_metavar="RECIPE [OPTIONS]...")


def recipe_command(recipe: Experiment[Any]) -> click.Command:
    """`slopes tune NAME`."""
    searched = ", ".join(searched_settings(recipe)) or "none, this recipe cannot be tuned"
    helped = HELP.format(name=recipe.name, what="RECIPE", searched=searched)
    data = click.Option(["--data"], type=click.Path(path_type=Path), metavar="DIR", help="folder with local copies of the data sets")
    return click.Command(recipe.name, params=[*setting_options(recipe), data, *search_options(recipe.name)], help=helped,
                         short_help=f"search for good settings of: {recipe.caption}",
                         callback=lambda **args: tune_recipe(recipe, **args))


def tune_recipe(recipe: Experiment[Any], data: Path | None, threads: int | None, seed: int, **args: Any) -> None:
    """Carry out `slopes tune RECIPE`."""
    use_settings(data, threads)
    search = {name: args.pop(name) for name in ("trials", "jobs", "timeout", "out", "resume", "replace")}
    words = option_words(setting_options(recipe), args, click.get_current_context())
    fixed = {name: value for name, value in args.items() if value is not None}
    space = search_space(recipe, fixed)
    defaults = recipe.resolve(**fixed)
    tune(RecipeTask(recipe.name, fixed, seed), space, {name: defaults[name] for name in space}, {"recipe": recipe.name, "fixed": fixed},
         lambda settings: command_text(["slopes", "train", recipe.name, *words], {**settings, "seed": seed}),
         name=recipe.name, seed=seed, **search)


# Own tables


def table_command() -> click.Command:
    """`slopes tune table`."""
    left_out = "compare", "seed", "threads", "out", "replace", "resume", "quiet"
    params = [parameter for parameter in table_parameters() if parameter.name not in left_out]
    return click.Command(TABLE, params=[*params, *search_options(TABLE)], help=HELP.format(name="table FILE --target COLUMN", what="table",
                         searched=", ".join(RANGES)), short_help="search for good settings for your own CSV or Parquet file",
                         callback=lambda **args: tune_table(params, **args))


def tune_table(params: Sequence[click.Parameter], file: Path, targets: Sequence[str], balanced: bool, threads: int | None,
               seed: int, **args: Any) -> None:
    """Carry out `slopes tune table`."""
    if len(targets) > 1:
        raise ArgumentError(f"--target {', '.join(targets)}", why="each target has networks, and good settings, of its own",
                            repair="tune one target at a time")
    use_settings(None, threads)
    search = {name: args.pop(name) for name in ("trials", "jobs", "timeout", "out", "resume", "replace")}
    words = option_words(params, {**args, "targets": targets, "balanced": balanced, "file": file}, click.get_current_context())
    fixed = {name: value for name in SEARCHED if (value := args.pop(name)) is not None}
    space = {name: choices for name, choices in RANGES.items() if name not in fixed}
    if not space:
        raise ArgumentError("there is nothing to search", why=f"all of {', '.join(RANGES)} are options of the command",
                            repair="leave one of them out")
    task = TableTask(question_of(file, targets[0], **args), partial(resolved_settings, balanced, fixed), seed)
    first = {name: value for name, value in defaults_of(DEFAULTS).items() if name in space}
    tune(task, space, first, {"recipe": TABLE, "fixed": words, "SHA-256 of the file": sha256(file)},
         lambda settings: command_text(["slopes", "train", TABLE, *words], {**settings, "seed": seed}), name=TABLE, seed=seed, **search)


def resolved_settings(balanced: bool, fixed: dict[str, Any], settings: dict[str, Any]) -> Settings:
    """The settings of a training."""
    return settings_of(balanced, {**fixed, **settings})


def defaults_of(settings: Settings) -> dict[str, Any]:
    """The default of each hyper-parameter that is searched."""
    network = settings.variants[0]
    return {name: getattr(settings if hasattr(settings, name) else network, name) for name in RANGES}


def option_words(params: Sequence[click.Parameter], args: Mapping[str, Any], context: click.Context) -> list[str]:
    """The words of a command line that has these arguments, and those options that were given."""
    words: list[str] = []
    for parameter in params:
        name = parameter.name or ""
        value = args[name]
        if isinstance(parameter, click.Argument):
            words += [] if value is None else [str(value)]
        elif context.get_parameter_source(name) == ParameterSource.COMMANDLINE:
            if isinstance(value, bool):
                words.append((parameter.opts if value else parameter.secondary_opts)[0])
                continue
            values = [f"{key}={kind}" for key, kind in value.items()] if isinstance(value, dict) else \
                value if isinstance(value, tuple) else [value]
            words += [word for one in values for word in (parameter.opts[0], str(one))]
    return words


# Searching


def tune(task: Task, space: Mapping[str, Choices], first: Mapping[str, Any], about: Mapping[str, Any],
         command: Callable[[Mapping[str, Any]], str], *, name: str, seed: int, trials: int, jobs: int, timeout: float | None,
         out: Path | None, resume: bool, replace: bool) -> None:
    """Search, and save and print the results; `command` is the one that trains with some settings."""
    folder = search_folder(Path("runs") / f"tune-{name}" if out is None else out, resume, replace)
    with claimed(folder):
        study = Study(space, LOSS, seed, folder, about, WARMUP, DIGITS)
        study.first(first)
        before = len(study.trials)
        if before:
            click.echo(f"{before} trainings are there already", err=True)
        with trainer(task, jobs) as (train, cancel):
            results = SearchLoop(train, study, trials, lambda line: click.echo(line, err=True), timeout, jobs, cancel).run()
        finish(results, folder, command)
    if results.interrupted:
        click.echo(f"interrupted; to continue: the same command with --resume{'' if out is None else f' --out {out}'}", err=True)
        sys.exit(INTERRUPTED)


def search_folder(folder: Path, resume: bool, replace: bool) -> Path:
    """The folder of the search; ArgumentError where it holds one that is neither to be continued nor replaced, or none to continue."""
    if resume and replace:
        raise ArgumentError("--resume with --replace", why="the one continues the search, the other removes it", repair="leave one out")
    there = (folder / FILE).exists()
    if resume and not there:
        raise ArgumentError(f"--resume: there is no search in {folder}", why=f"it would be in {folder / FILE}",
                            repair="name its folder with --out, or begin one without --resume")
    if there and not resume and not replace:
        raise ArgumentError(f"{folder} holds a search already", why="its trainings would be lost",
                            repair="continue it with --resume, begin anew with --replace, or name another folder with --out")
    if replace:
        for name in EARLIER:
            (folder / name).unlink(missing_ok=True)
    return prepare_folder(folder)


@contextlib.contextmanager
def trainer(task: Task, jobs: int) -> Iterator[tuple[Callable[[Any], float], Callable[[], None]]]:
    """What trains, in this process or in several, and what ends their trainings."""
    if jobs == 1:
        yield InProcess(task), lambda: None
        return
    workers = Workers(task, jobs, max(1, thread_count() // jobs))
    try:
        yield workers, workers.cancel
    finally:
        workers.close()


def finish(results: Search, folder: Path, command: Callable[[Mapping[str, Any]], str]) -> None:
    """Print the best trainings, and save everything."""
    compiled = results.programs
    click.echo(f"{len(results.trials)} trials, {sum(compiled.values())} programs compiled"
               + (f", {sum(not count for count in compiled.values())} kept from before" if 0 in compiled.values() else ""))
    if not results.ranked():
        click.echo("no training came to its end")
        return
    click.echo(f"the best {min(SHOWN, len(results.ranked()))}:")
    for line in results.table(SHOWN).splitlines():
        click.echo(f"  {line}")
    default = results.trials[0]
    if default.figure is not None and default.outcome != FAILED:
        click.echo(f"default settings: validation loss {default.figure:.4f}, best {results.best.figure:.4f}")
    best = command(results.best)
    save(results, folder, best)
    names = sorted(file.name for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))
    click.echo(f"saved in {folder}: {', '.join(names)}")
    click.echo(f"best: {best}")


def save(results: Search, folder: Path, best: str) -> None:
    """Write the trainings as JSON, the command of the best one, and pictures."""
    importance = results.importance()
    save_json(folder / "search.json", {
        "best": best, "importance": importance.shares, "programs": results.programs,
        "trials": [{"settings": dict(trial), "loss": trial.figure, "outcome": trial.outcome, "epochs": len(trial.epochs),
                    "seconds": trial.seconds, "compiled": sum(trial.programs.values())} for trial in results.trials]}, SCHEMA)
    write_bytes(folder / "best.txt", f"{best}\n".encode())
    pictures: dict[str, View] = {"slices.png": results, **({"importance.png": importance} if importance.shares else {})}
    try:
        for name, view in pictures.items():
            view.plot(folder / name)
    except MissingExtraError as error:
        click.echo(f"no pictures: {error.what}; {error.repair}", err=True)
