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
from ..train.runs import versions
from .catalog import RECIPES, find_recipe
from .experiment import Experiment
from .run import run

SCHEMA = "slopes.report"
LONG = ("lenet-published", "words")  # run when named, and with one seed
SHARES = ("accuracy", "converged", "right", "network", "linear", "tree", "regression", "polar", "crosses", "/ PCA")


@dataclass
class Row:
    """The result of one recipe with one seed: figures (the first is the one to judge by), seconds, settings and versions."""

    recipe: str
    seed: int
    figures: dict[str, float]
    seconds: float
    settings: dict[str, Any]
    made_with: dict[str, Any]


def result_path(folder: Path, name: str, seed: int) -> Path:
    """The file of a result."""
    return folder / f"{name}-{seed}.json"


def print_line(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def run_one(recipe: Experiment[Any], seed: int, folder: Path, log: Callable[[str], None] = print_line, **args: Any) -> Row:
    """Run a recipe with one seed and its defaults (or these values), into a run folder below `folder`; `log` takes its progress."""
    result = run(recipe, args, folder / "runs" / f"{recipe.name}-{seed}", seed=seed, log=log)
    if result.interrupted:
        raise KeyboardInterrupt
    return Row(recipe.name, seed, result.figures, round(result.seconds, 1), dict(result.config), {**versions(), "threads": thread_count()})


def collect(names: Sequence[str], seeds: Sequence[int], folder: Path, log: Callable[[str], None] = print_line, again: bool = False,
            **args: Any) -> list[Row]:
    """The results of every recipe with every seed: those in `folder` with the same settings are reused, the others are made."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for recipe in map(find_recipe, names):
        for seed in seeds[:1] if recipe.name in LONG else seeds:
            path = result_path(folder, recipe.name, seed)
            result = None if again else known(path, recipe.resolve(**args))
            if result is None:
                log(f"{recipe.name}, seed {seed} ...")
                result = run_one(recipe, seed, folder, lambda line: log(f"  {line}"), **args)
                save_json(path, vars(result), SCHEMA)
            name, figure = next(iter(result.figures.items()))
            log(f"{recipe.name}, seed {seed}: {name} {shown(name, figure)}, {result.seconds:,.0f} s")
            rows.append(result)
    return rows


def known(path: Path, settings: dict[str, Any]) -> Row | None:
    """The result that a file holds, if there is one and it was made with these settings."""
    if not path.is_file():
        return None
    content = load_json(path, SCHEMA)
    result = Row(**{name: content[name] for name in Row.__dataclass_fields__})
    return result if result.settings == settings else None


def table(results: Sequence[Row]) -> str:
    """The table of the documents: one row per recipe, in the order of `slopes train --list`."""
    rows = ["| command | result (mean, smallest to largest) | target | seeds | seconds per seed |", "|---|---|---|---|---|"]
    for name, recipe in RECIPES.items():
        rows_of = [row for row in results if row.recipe == name]
        if rows_of:
            took = statistics.mean(row.seconds for row in rows_of)
            rows.append(f"| `slopes train {name}` | {figures_text(rows_of)} | {recipe.expected} | {len(rows_of)} | {took:,.0f} |")
    return "\n".join(rows) + "\n"


def document(results: Sequence[Row]) -> str:
    """The page of results: versions and machines, and the table."""
    machines = [row.made_with for row in results]
    made = sorted({f"slopes {machine['slopes']} on {machine['machine']}" for machine in machines})
    threads = sorted({machine["threads"] for machine in machines})
    return (f"# Results of the recipes\n\nWritten by `python -m slopes.experiments.report` ({'; '.join(made)}; threads: "
            f"{' or '.join(map(str, threads))}). Each figure is the mean over the seeds, with the smallest and the largest value in "
            f"brackets. The times are from a machine that was also doing other work.\n\n{table(results)}")


def figures_text(results: Sequence[Row], most: int = 3) -> str:
    """`test accuracy 99.21% (99.14 to 99.27)` for the first few figures."""
    parts = []
    for name in list(results[0].figures)[:most]:
        values = [row.figures[name] for row in results if name in row.figures]
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
    """The command; 0 when all went well, 1 after an error, which is printed, 130 after Ctrl-C (finished results are kept)."""
    parser = argparse.ArgumentParser(prog="python -m slopes.experiments.report", description=__doc__)
    parser.add_argument("recipes", nargs="*", help=f"recipes to run [default: all but {', '.join(LONG)}]")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds, from 0 on [default: 3]")
    parser.add_argument("--data", help="folder with local copies of the data sets [default: SLOPES_DATA, else downloads]")
    parser.add_argument("--folder", default="reports", type=Path, help="folder for the results [default: reports]")
    parser.add_argument("--table", type=Path, help="file to write the table to [default: results.md in the folder]")
    parser.add_argument("--again", action="store_true", help="run also recipes whose results are there already")
    args = parser.parse_args(arguments)
    if args.data:
        os.environ["SLOPES_DATA"] = args.data
    try:
        if args.seeds < 1:
            raise ArgumentError(f"--seeds {args.seeds}", repair="use at least one")
        names = args.recipes or [name for name in RECIPES if name not in LONG]
        text = document(collect(names, range(args.seeds), args.folder, again=args.again))
    except SlopesError as error:
        print(f"error: {error.what}\n  {error.repair}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: call it again to continue", file=sys.stderr)
        return 130
    write_bytes(args.table or args.folder / "results.md", text.encode())
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
