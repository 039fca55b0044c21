"""slopes.sklearn beside scikit-learn's perceptrons: time of fit and predict, and scores, on digits, adult and California housing.

    python -m benchmarks.estimators [NAME...] [--rounds 5] [--epochs 200] [--rows N] [--json FILE]

Both have the same parameters: sizes, batches, epochs, solver, random_state. They run alternately in one process, after a round that
is not counted, in which slopes compiles (its time is shown as "first"). The ratio is that of the median times: scikit-learn's
divided by slopes'. Tables come from the folder that SLOPES_DATA names; those that are not there are left out.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.neural_network import MLPRegressor as TheirRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from slopes.sklearn import MLPClassifier, MLPRegressor

from .measure import machine

SEED = 0
TEST_SHARE = 0.2


class Task(NamedTuple):
    """Prepared examples for training and test, and what learns from them."""

    learned: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]
    kinds: dict[str, Callable[..., Any]]


@dataclass
class Measured:
    """Seconds of fit and predict in each round, the score on the test rows, and the epochs."""

    seconds: list[float]
    first: float
    score: float
    epochs: int

    @property
    def median(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.seconds)


def rows_of(*names: str) -> Iterator[list[str]]:
    """The rows of files of the folder of tables."""
    for name in names:
        with gzip.open(Path(os.environ.get("SLOPES_DATA", "")) / "tabular" / name, "rt", encoding="utf-8") as file:
            yield from (row for row in csv.reader(file, skipinitialspace=True) if row)


def divide(X: np.ndarray, y: np.ndarray, kinds: dict[str, Callable[..., Any]], numbers: list[int], words: list[int]) -> Task:
    """Training and test rows; numbers are standardized, words are one-hot encoded."""
    X, X_test, y, y_test = train_test_split(X, y, test_size=TEST_SHARE, random_state=SEED)
    prepare = make_column_transformer((make_pipeline(SimpleImputer(), StandardScaler()), numbers),
                                      (OneHotEncoder(handle_unknown="ignore", sparse_output=False), words))
    return Task((np.asarray(prepare.fit_transform(X), np.float64), y), (np.asarray(prepare.transform(X_test), np.float64), y_test), kinds)


CLASSIFIERS = {"slopes": MLPClassifier, "scikit-learn": TheirClassifier}
REGRESSORS = {"slopes": MLPRegressor, "scikit-learn": TheirRegressor}


def digits() -> Task:
    """1,797 images of 8 x 8 pixels, ten classes."""
    X, y = load_digits(return_X_y=True)
    return divide(X, y, CLASSIFIERS, list(range(64)), [])


def adult() -> Task:
    """48,842 rows, whether the income is above a limit."""
    rows = [row for row in rows_of("adult-train.csv.gz", "adult-test.csv.gz") if len(row) == 15]
    table = np.array(rows, object)
    numbers = [0, 2, 4, 10, 11, 12]
    X = table[:, :14]
    X[:, numbers] = X[:, numbers].astype(float)
    return divide(X, np.char.rstrip(table[:, 14].astype(str), "."), CLASSIFIERS, numbers, [i for i in range(14) if i not in numbers])


def california() -> Task:
    """20,640 rows, the median value of houses, in units of 100,000."""
    rows = list(rows_of("california-housing.csv.gz"))[1:]
    table = np.array([[np.nan if text == "" else text for text in row] for row in rows], object)
    X = np.delete(table, 8, axis=1)
    X[:, :8] = X[:, :8].astype(float)
    return divide(X, table[:, 8].astype(float) / 1e5, REGRESSORS, list(range(8)), [8])


TASKS: dict[str, Callable[[], Task]] = {"digits": digits, "adult": adult, "california": california}


def measure(task: Task, rounds: int, parameters: dict[str, Any]) -> dict[str, Measured]:
    """Fit and predict with each, one after the other, in each round."""
    measured: dict[str, Measured] = {}
    for i in range(rounds + 1):
        for name, kind in task.kinds.items():
            model = kind(**parameters)
            started = time.perf_counter()
            model.fit(*task.learned).predict(task.test[0])
            seconds = time.perf_counter() - started
            if i == 0:
                measured[name] = Measured([], seconds, float(model.score(*task.test)), model.n_iter_)
            else:
                measured[name].seconds.append(seconds)
    return measured


def limited(task: Task, rows: int | None) -> Task:
    """The task with fewer rows."""
    return task if rows is None else Task((task.learned[0][:rows], task.learned[1][:rows]), task.test, task.kinds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*TASKS, []], help="the data sets (default: all)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=200, help="max_iter")
    parser.add_argument("--rows", type=int, help="learn from the first rows only")
    parser.add_argument("--solver", default="adam", choices=["adam", "sgd"])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    results: dict[str, Any] = {}
    print(f"{'':12}{'slopes':>10}{'first':>10}{'scikit-learn':>14}{'ratio':>8}   scores (slopes, scikit-learn), epochs")
    for name in options.names or TASKS:
        try:
            task = limited(TASKS[name](), options.rows)
        except FileNotFoundError as error:
            print(f"{name:12}left out: {error}")
            continue
        measured = measure(task, options.rounds, {"max_iter": options.epochs, "solver": options.solver, "random_state": SEED})
        ours, theirs = measured["slopes"], measured["scikit-learn"]
        print(f"{name:12}{ours.median:9.3f}s{ours.first:9.3f}s{theirs.median:13.3f}s{theirs.median / ours.median:8.2f}   "
              f"{ours.score:.4f}, {theirs.score:.4f}; {ours.epochs}, {theirs.epochs}", flush=True)
        results[name] = {system: asdict(value) for system, value in measured.items()}
    if options.json is not None:
        options.json.write_text(json.dumps({"machine": machine(), "results": results}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
