"""`python -m slopes.experiments.report`: run recipes over seeds and write the table of results; an interrupted report goes on."""

from __future__ import annotations

import argparse
import math
import os
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ArgumentError, SlopesError
from ..files import load_json, save_json
from ..files.atomic import write_bytes
from ..machine.threads import thread_count
from ..train.progress import Told
from ..train.runs import versions
from .catalog import RECIPES, find_recipe
from .experiment import Recipe
from .run import practise
from .study import Study, carry_out

SCHEMA = "slopes.report"
LONG = ("lenet-published", "words")  # run when named, and with one seed
SHARES = ("accuracy", "right", "network", "linear", "tree", "regression", "polar", "crosses", "/ PCA")


@dataclass
class Result:
    """What one recipe gave with one seed: figures (the first is the one to judge by), seconds, and what it was made with."""

    recipe: str
    seed: int
    figures: dict[str, float]
    seconds: float
    settings: dict[str, Any]
    made_with: dict[str, Any]


def result_path(folder: Path, name: str, seed: int) -> Path:
    """Where a result lies."""
    return folder / f"{name}-{seed}.json"


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def run_one(recipe: Recipe | Study, seed: int, folder: Path, tell: Callable[[str], None] = say, **given: Any) -> Result:
    """Run a recipe with one seed and its defaults (or what is given), in a run folder below `folder`; `tell` hears how it goes on."""
    values, place = recipe.chosen(**given), folder / "runs" / f"{recipe.name}-{seed}"
    if isinstance(recipe, Study):
        studied = carry_out(recipe, values, place, seed, tell)
        figures, seconds = studied.findings.figures, studied.seconds
    else:
        done = practise(recipe, values, place, seed, progress=Told(tell))
        if done.run.interrupted:
            raise KeyboardInterrupt
        figures = {"test accuracy": done.test["accuracy"], "test loss": done.test["loss"]}
        seconds = done.run.history.seconds
    return Result(recipe.name, seed, figures, round(seconds, 1), values, {**versions(), "threads": thread_count()})


def collect(names: Sequence[str], seeds: Sequence[int], folder: Path, tell: Callable[[str], None] = say, again: bool = False,
            **given: Any) -> list[Result]:
    """The results of every recipe with every seed: those that lie in `folder` with the same settings are taken, the others made."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for recipe in map(find_recipe, names):
        for seed in seeds[:1] if recipe.name in LONG else seeds:
            path = result_path(folder, recipe.name, seed)
            result = None if again else known(path, recipe.chosen(**given))
            if result is None:
                tell(f"{recipe.name}, seed {seed} ...")
                result = run_one(recipe, seed, folder, lambda line: tell(f"  {line}"), **given)
                save_json(path, vars(result), SCHEMA)
            name, figure = next(iter(result.figures.items()))
            tell(f"{recipe.name}, seed {seed}: {name} {shown(name, figure)}, {result.seconds:,.0f} s")
            found.append(result)
    return found


def known(path: Path, settings: dict[str, Any]) -> Result | None:
    """The result that a file holds, if it is there and was made with these settings."""
    if not path.is_file():
        return None
    content = load_json(path, SCHEMA)
    result = Result(**{name: content[name] for name in Result.__dataclass_fields__})
    return result if result.settings == settings else None


def table(results: Sequence[Result]) -> str:
    """The table of the documents: one row per recipe, in the order of `slopes train --list`."""
    rows = ["| command | result (mean, least to most) | expected | seeds | seconds per seed |", "|---|---|---|---|---|"]
    for name, recipe in RECIPES.items():
        mine = [each for each in results if each.recipe == name]
        if mine:
            took = statistics.mean(each.seconds for each in mine)
            rows.append(f"| `slopes train {name}` | {figures_text(mine)} | {recipe.expected} | {len(mine)} | {took:,.0f} |")
    return "\n".join(rows) + "\n"


def document(results: Sequence[Result]) -> str:
    """The page of results: what was run on what, and the table."""
    machines = [each.made_with for each in results]
    made = sorted({f"slopes {each['slopes']}, {each['machine']}, threads: {each['threads']}" for each in machines})
    return (f"# Results of the recipes\n\nWritten by `python -m slopes.experiments.report` ({'; '.join(made)}). Each figure is the mean "
            f"over the seeds, with the least and the largest; seconds are those of that machine, whatever else it did.\n\n{table(results)}")


def figures_text(results: Sequence[Result], most: int = 3) -> str:
    """`test accuracy 99.21% (99.14 to 99.27)` for the first few figures."""
    parts = []
    for name in list(results[0].figures)[:most]:
        values = [each.figures[name] for each in results if name in each.figures]
        mean = shown(name, statistics.fmean(values))
        spread = f" ({shown(name, min(values)).rstrip('%')} to {shown(name, max(values)).rstrip('%')})" if len(values) > 1 else ""
        parts.append(f"{name} {mean}{spread}")
    return "; ".join(parts)


def shown(name: str, value: float) -> str:
    """Shares as per cent, thousands as whole numbers, others with three digits."""
    if 0 <= value <= 1.5 and any(part in name for part in SHARES):
        return f"{value:.2%}"
    return f"{value:,.0f}" if abs(value) >= 1000 and math.isfinite(value) else f"{value:.3g}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 0 when all went well, 1 after an error that was told, 130 after Ctrl-C (what was done is kept)."""
    parser = argparse.ArgumentParser(prog="python -m slopes.experiments.report", description=__doc__)
    parser.add_argument("recipes", nargs="*", help=f"recipes to run [default: all but {', '.join(LONG)}]")
    parser.add_argument("--seeds", type=int, default=3, help="so many seeds, from 0 on [default: 3]")
    parser.add_argument("--data", help="folder with local copies of the data sets [default: SLOPES_DATA, else downloads]")
    parser.add_argument("--folder", default="reports", type=Path, help="where results are kept [default: reports]")
    parser.add_argument("--table", type=Path, help="file to write the table to [default: results.md in the folder]")
    parser.add_argument("--again", action="store_true", help="run again what is there already")
    given = parser.parse_args(arguments)
    if given.data:
        os.environ["SLOPES_DATA"] = given.data
    try:
        if given.seeds < 1:
            raise ArgumentError(f"--seeds {given.seeds}", repair="use at least one")
        names = given.recipes or [name for name in RECIPES if name not in LONG]
        text = document(collect(names, range(given.seeds), given.folder, again=given.again))
    except SlopesError as error:
        print(f"error: {error.what}\n  {error.repair}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: call it again to go on where it stopped", file=sys.stderr)
        return 130
    write_bytes(given.table or given.folder / "results.md", text.encode())
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
