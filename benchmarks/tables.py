"""Own tables: the networks of `slopes train table` beside scikit-learn's MLP and gradient boosting on fifteen public tables.

    python -m benchmarks.tables [NAME...] [--seeds 3] [--json FILE]    train and measure; FILE keeps what is there, and is continued
    python -m benchmarks.tables --show FILE... [--into PAGE]           the comparison as Markdown

Every model has its defaults, the same rows to learn from and the same to test (a fifth, another one for each seed); scikit-learn's
models also learn from the rows by which slopes chooses epochs. The MLP gets the features that slopes' networks get, without bins;
gradient boosting gets numbers and categories as they are. The defaults of slopes were chosen on the tables of TUNED.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from slopes.data.sets.tabular import ADULT, WINE
from slopes.extras import require
from slopes.tables.spelling import Spelling
from slopes.tables.study import NETWORK, Question, train_table
from slopes.tables.table import read_table

from .measure import machine

TUNED = ("white wine", "abalone", "diabetes", "ionosphere", "California housing", "breast cancer (diagnostic)", "wheat seeds")
PEERS = {"slopes": NETWORK, "MLP": "MLP (scikit-learn)", "gradient boosting": "gradient boosting (scikit-learn)", "linear": "linear model"}
RANKED = ("slopes", "MLP", "gradient boosting")
START, END = "<!-- tables: begin -->", "<!-- tables: end -->"

Rows = tuple[Sequence[str], Iterator[Sequence[str]]]  # names of the columns (the target last) and rows
Results = dict[str, Any]


def folder() -> Path:
    """The folder of the public tables."""
    path = Path(os.environ.get("SLOPES_DATA", "")) / "tabular"
    if not path.is_dir():
        raise SystemExit(f"no tables in {path}: set SLOPES_DATA to a folder with tabular/iris.csv and the others")
    return path


def file_rows(*names: str, columns: Sequence[str] = (), header: bool = False) -> Rows:
    """The rows of one file or several; names of columns where the files have none."""
    tables = [read_table(folder() / name, Spelling(delimiter=",", header=header)) for name in names]
    known = list(columns) or list(tables[0].columns)
    return known, (row for table in tables for row in zip(*table.columns.values()))


def adult() -> Rows:
    """Both files; in one of them answers end with a dot."""
    names, rows = file_rows("adult-train.csv.gz", "adult-test.csv.gz", columns=ADULT)
    return names, ((*row[:-1], row[-1].rstrip(".")) for row in rows)


def california() -> Rows:
    """The target is the last column but one."""
    names, rows = file_rows("california-housing.csv.gz", header=True)
    return [*names[:-2], names[-1], names[-2]], ((*row[:-2], row[-1], row[-2]) for row in rows)


def bundled(name: str) -> Rows:
    """A table that comes with scikit-learn."""
    data = getattr(require("sklearn.datasets", extra="sklearn"), f"load_{name}")()
    answers = [data.target_names[i] for i in data.target] if "target_names" in data else data.target
    rows = ((*map(repr, map(float, row)), str(answer)) for row, answer in zip(data.data, answers))
    return [*map(str, data.feature_names), "target"], rows


TABLES: dict[str, Callable[[], Rows]] = {
    "white wine": lambda: file_rows("winequality-white.csv", columns=WINE),
    "abalone": lambda: file_rows("abalone.csv"),
    "diabetes": lambda: bundled("diabetes"),
    "ionosphere": lambda: file_rows("ionosphere.csv"),
    "California housing": california,
    "red wine": lambda: file_rows("winequality-red.csv", columns=WINE),
    "adult": adult,
    "optdigits": lambda: file_rows("optdigits.tra.csv.gz", "optdigits.tes.csv.gz", header=True),
    "breast cancer (diagnostic)": lambda: bundled("breast_cancer"),
    "breast cancer (original)": lambda: file_rows("breast-cancer-wisconsin.csv"),
    "banknotes": lambda: file_rows("banknote_authentication.csv"),
    "sonar": lambda: file_rows("sonar.csv"),
    "wheat seeds": lambda: file_rows("wheat-seeds.csv"),
    "wine": lambda: file_rows("wine.csv"),
    "iris": lambda: file_rows("iris.csv"),
}


def measure(names: Sequence[str], seeds: int, path: Path | None) -> Results:
    """The scores of each table and seed that are not there yet."""
    results: Results = json.loads(path.read_text()) if path and path.exists() else {"machine": machine(), "rows": {}}
    with tempfile.TemporaryDirectory(prefix="slopes-tables-") as scratch:
        for name in names:
            for seed in range(seeds):
                key = f"{name}, seed {seed}"
                if key not in results["rows"]:
                    results["rows"][key] = row = scores(name, seed, Path(scratch))
                    print(key, {label: round(value, 4) for label, value in row["scores"].items()}, file=sys.stderr, flush=True)
                    if path:
                        path.write_text(json.dumps(results, indent=1))
    return results


def scores(name: str, seed: int, scratch: Path) -> dict[str, Any]:
    """The errors of all models for one division of one table."""
    columns, rows = TABLES[name]()
    file = scratch / "table.csv"
    with open(file, "w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([columns, *rows])
    began, busy = time.perf_counter(), time.process_time()
    study = train_table(Question(file, columns[-1], spelling=Spelling(delimiter=",")), seed=seed, explain=False)
    first = "accuracy" if study.model.classes else "RMSE"
    found = {label: study.standings[peer][first].value for label, peer in PEERS.items()}
    return {"scores": {label: 1 - value if study.model.classes else value for label, value in found.items()},
            "task": study.model.schema.target.task, "rows": len(study.prepared.targets), "columns": len(columns) - 1,
            "fit seconds": sum(member.run.history.seconds for member in study.trained.members),
            "seconds": time.perf_counter() - began, "processor seconds": time.process_time() - busy}


def means(results: Results, name: str) -> dict[str, float]:
    """The mean error of each model over the seeds of a table."""
    rows = [row["scores"] for key, row in results["rows"].items() if key.startswith(f"{name}, seed ")]
    return {label: float(np.mean([row[label] for row in rows])) for label in PEERS} if rows else {}


def ranks(errors: dict[str, float]) -> dict[str, float]:
    """The rank of each model, 1 for the smallest error; equal errors share the mean of their ranks."""
    exact = {label: round(errors[label], 12) for label in RANKED}  # means of the same errors in another order are equal
    values = np.array(list(exact.values()))
    return {label: float((values < exact[label]).sum() + ((values == exact[label]).sum() + 1) / 2) for label in RANKED}


def markdown(results: Results) -> str:
    """The comparison as a table, with mean ranks over all tables and over those that had no part in choosing the defaults."""
    lines = [f"| table | rows x columns | error | {' | '.join(PEERS)} |", f"|---|---|---|{'---|' * len(PEERS)}"]
    found = {name: means(results, name) for name in TABLES if means(results, name)}
    for name, errors in found.items():
        row = next(row for key, row in results["rows"].items() if key.startswith(f"{name}, seed "))
        best = {label for label, rank in ranks(errors).items() if rank == min(ranks(errors).values())}
        cells = [f"**{text}**" if label in best else text for label in PEERS
                 for text in [f"{errors[label]:.1%}" if row["task"] == "classification" else f"{errors[label]:.4g}"]]
        lines.append(f"| {name}{' *' if name in TUNED else ''} | {row['rows']:,} x {row['columns']} | "
                     f"{'wrong' if row['task'] == 'classification' else 'RMSE'} | {' | '.join(cells)} |")
    held_out = [name for name in found if name not in TUNED]
    for title, names in (("mean rank, all tables", list(found)), ("mean rank, tables without *", held_out)):
        if names:
            mean = {label: np.mean([ranks(found[name])[label] for name in names]) for label in RANKED}
            lines.append(f"| {title} | | | {' | '.join(f'{mean[label]:.2f}' if label in mean else '' for label in PEERS)} |")
    return "\n".join(lines)


def merged(paths: Sequence[Path]) -> Results:
    """The results of several files."""
    parts = [json.loads(path.read_text()) for path in paths]
    return {**parts[0], "rows": {key: row for part in parts for key, row in part["rows"].items()}}


def write_into(page: Path, text: str) -> None:
    """Put the table between the marks of a page."""
    before, _, rest = page.read_text(encoding="utf-8").partition(START)
    _, _, after = rest.partition(END)
    if not after and END not in rest:
        raise SystemExit(f"{page} has no marks {START} and {END}")
    page.write_text(f"{before}{START}\n{text}\n{END}{after}", encoding="utf-8")


def main(arguments: list[str]) -> None:
    """Measure, or show."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tables", description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(TABLES)} (default: all)")
    parser.add_argument("--seeds", type=int, default=3, help="divisions of each table (default %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep results in FILE, and leave out what it has")
    parser.add_argument("--show", type=Path, nargs="+", metavar="FILE", help="print the comparison of kept results instead")
    parser.add_argument("--into", type=Path, metavar="PAGE", help="with --show: write it into this page, between its marks")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in TABLES]
    if unknown:
        parser.error(f"no table is called {', '.join(unknown)}; there are {', '.join(TABLES)}")
    results = merged(options.show) if options.show else measure(options.names or list(TABLES), options.seeds, options.json)
    text = markdown(results)
    if options.into:
        write_into(options.into, text)
    else:
        print(f"{platform.machine()}, Python {platform.python_version()}\n\n{text}")


if __name__ == "__main__":
    main(sys.argv[1:])
