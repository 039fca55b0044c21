"""Predicting a large CSV file: `slopes.tables` beside pandas with scikit-learn's MLP in a pipeline, both with their defaults.

    python -m benchmarks.table_predictions [--rows 1000000] [--rounds 5]

The table has ten numbers with gaps, three columns of words and two classes. Both learn from 10,000 rows; then each, in a process of its
own that has loaded its model, reads the file, predicts the probabilities of all rows and writes them as CSV. Seconds of wall clock and
of all processors, and the largest resident memory of the process, its imports included: medians over rounds, in which the models
take turns. Both write the row's number, the most probable class, its probability and those of all classes; the share of rows whose
class is right says that both have done it.
"""

from __future__ import annotations

import argparse
import json
import pickle
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from slopes.extras import require
from slopes.tables import Question, load_model, predict_file, save_study, train_table

LEARNED = 10_000
COLOURS, CITIES = ("red", "green", "blue", "black", "white"), tuple(f"city{i}" for i in range(60))
OUT = "predictions.csv"
NUMBERS = [f"x{i}" for i in range(10)]


def write_table(path: Path, rows: int, seed: int) -> None:
    """A file in which the class follows from three numbers and the colour."""
    draw = np.random.default_rng(seed)
    with open(path, "w", encoding="ascii") as file:
        file.write(",".join([*NUMBERS, "colour", "city", "new", "grade"]) + "\n")
        for start in range(0, rows, LEARNED):
            count = min(LEARNED, rows - start)
            numbers, colours = draw.normal(size=(count, 10)), draw.integers(0, 5, count)
            noise = draw.normal(size=count) * 0.3
            good = numbers[:, 0] + numbers[:, 1] * numbers[:, 2] + (colours == 1) - (colours == 2) + noise > 0
            texts = np.where(draw.random((count, 10)) < 0.01, "", np.char.mod("%.4f", numbers))
            words = [np.array(COLOURS)[colours], np.array(CITIES)[draw.integers(0, 60, count)],
                     np.where(draw.random(count) < 0.5, "yes", "no"), np.where(good, "good", "bad")]
            file.writelines(",".join(row) + "\n" for row in zip(*texts.T.tolist(), *(column.tolist() for column in words)))


def train(folder: Path) -> None:
    """Both models, of the same rows."""
    save_study(train_table(Question(folder / "train.csv", "grade"), compare=False, explain=False), folder / "run")
    pandas, compose = require("pandas", extra="bench"), require("sklearn.compose", extra="sklearn")
    impute, networks = require("sklearn.impute", extra="sklearn"), require("sklearn.neural_network", extra="sklearn")
    pipeline, scales = require("sklearn.pipeline", extra="sklearn"), require("sklearn.preprocessing", extra="sklearn")
    table = pandas.read_csv(folder / "train.csv")
    numbers = pipeline.make_pipeline(impute.SimpleImputer(strategy="median", add_indicator=True), scales.StandardScaler())
    words = scales.OneHotEncoder(handle_unknown="ignore")
    columns = compose.make_column_transformer((numbers, NUMBERS), (words, ["colour", "city", "new"]))
    model = pipeline.make_pipeline(columns, networks.MLPClassifier(random_state=0)).fit(table.drop(columns="grade"), table["grade"])
    (folder / "peer.pickle").write_bytes(pickle.dumps(model))


def slopes_run(folder: Path, fast: bool = False) -> Callable[[Path], None]:
    """The prediction of a file by slopes: by the ensemble, or by one network of it."""
    model = load_model(folder / "run")
    if fast:
        model = model.single()
    return lambda path: print(predict_file(model, path, folder / OUT).rows, file=sys.stderr)


def peer_run(folder: Path) -> Callable[[Path], None]:
    """The prediction of a file by scikit-learn, with the same columns in the result."""
    pandas, model = require("pandas", extra="bench"), pickle.loads((folder / "peer.pickle").read_bytes())

    def predict(path: Path) -> None:
        shares = model.predict_proba(pandas.read_csv(path).drop(columns="grade"))
        result = pandas.DataFrame(shares, columns=[f"P({name})" for name in model.classes_])
        result.insert(0, "grade", model.classes_[shares.argmax(axis=1)])
        result.insert(1, "probability", shares.max(axis=1))
        result.round(6).to_csv(folder / OUT)

    return predict


RUNS = {"slopes": slopes_run, "slopes --fast": partial(slopes_run, fast=True), "scikit-learn": peer_run}


def measure(name: str, folder: Path) -> dict[str, float]:
    """The cost of one prediction in this process; a short file is predicted first, so that programs are compiled."""
    predict = RUNS[name](folder)
    predict(folder / "train.csv")
    before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    predict(folder / "new.csv")
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
    return {"wall s": round(wall, 2), "cpu s": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2),
            "largest memory MB": round(after.ru_maxrss / 1024), "right %": round(100 * right_share(folder), 1)}


def right_share(folder: Path) -> float:
    """The share of the rows of the large file whose predicted class is theirs."""
    with open(folder / "new.csv", encoding="ascii") as rows, open(folder / OUT, encoding="ascii") as predictions:
        next(rows), next(predictions)
        pairs = zip(rows, predictions, strict=True)
        return statistics.fmean(row.rstrip().rpartition(",")[2] == line.split(",", 2)[1] for row, line in pairs)


def in_process(name: str, folder: Path) -> dict[str, Any]:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.table_predictions", "--measure", name, "--folder", str(folder)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def main() -> None:
    """Write the files, train, and measure both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--measure", choices=RUNS)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure, arguments.folder)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_table(folder / "train.csv", LEARNED, 0)
        write_table(folder / "new.csv", arguments.rows, 1)
        train(folder)
        figures: dict[str, list[dict[str, float]]] = {model: [] for model in RUNS}
        for model in [*RUNS] * arguments.rounds:
            figures[model].append(in_process(model, folder))
        for model, rounds in figures.items():
            medians = {name: statistics.median(figure[name] for figure in rounds) for name in rounds[0]}
            print(model, medians, f"{arguments.rows / medians['wall s']:,.0f} rows/s")


if __name__ == "__main__":
    main()
