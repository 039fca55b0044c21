"""Predictions of a run for a text or a file that the page gives, as `slopes predict` makes them."""

from __future__ import annotations

import csv
import io
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ArgumentError, SlopesError
from ...experiments.experiment import LoadedRun, PredictedRows, Prediction
from ...experiments.load import TableRun, load
from ...experiments.loaded import NetRun
from ...tables.predictions import predict_file
from ...train.runs import record_identity
from .details import SERIES, input_kind

LARGEST = 16 << 20  # bytes of a file
MOST_TEXT = 10_000  # characters
MOST_ROWS = 100_000  # of predictions
SHOWN_ROWS = 20
SUFFIX = re.compile(r"(\.[A-Za-z0-9]{1,8}){1,2}$")

Run = LoadedRun | TableRun | NetRun


@dataclass
class Answer:
    """A prediction: text, perhaps a picture (H, W) of uint8, or a table with the first rows and the whole as CSV."""

    text: str
    picture: np.ndarray | None = None
    rows: list[list[str]] = field(default_factory=list)
    csv: bytes = b""


class Predictor:
    """Keeps the last run that was used, so that its network is built once."""

    def __init__(self) -> None:
        self.identity: tuple[Any, ...] = ()
        self.run: Run | None = None

    def load(self, folder: Path) -> Run:
        """The run of a folder; ArgumentError for one that cannot predict here."""
        identity = (folder, *record_identity(folder))
        if self.run is None or self.identity != identity:
            self.identity, self.run = identity, load(folder)
        if isinstance(self.run, NetRun):
            raise ArgumentError("this run cannot predict here", why=self.run.reason(), where="",
                                repair="in a program: make the net as for the training, then sl.load(run, net).predict(inputs)")
        return self.run

    def predict_text(self, folder: Path, text: str, top: int) -> Answer:
        """The answer for a text, which is never taken for the path of a file."""
        run = self.load(folder)
        kind = input_kind(run.recipe)
        if kind == "file" or isinstance(run, TableRun) or not isinstance(run, LoadedRun) or (kind == "series" and "=" in text):
            raise ArgumentError("this run takes a file, no text", where="", repair="choose a file, or drop it on the page")
        if not text.strip():
            raise ArgumentError("the text is empty", where="", repair="write something")
        if run.experiment.write is not None:
            written, notes = run.write(text, seed=run.seed)
            return Answer("\n".join([text + written, *notes]))
        # A text is not the name of a file: with a space at its end there is none that it could name.
        return answer_of(run.predict(f"{text.rstrip()} " if run.experiment.predict_rows is not None else text, top))

    def predict_file(self, folder: Path, name: str, data: bytes, top: int, series: str = "") -> Answer:
        """The answer for a file that the page sent."""
        if len(data) > LARGEST:
            raise ArgumentError(f"{name} has {len(data):,} bytes", why=f"the page takes files of up to {LARGEST >> 20} MiB", where="",
                                repair=f"use the command: slopes predict {folder} {name}")
        run = self.load(folder)
        with stored(name, data) as path:
            answer = predict_path(run, path, top, series)
            return replace(answer, text=answer.text.replace(str(path), name))


def predict_path(run: Run, path: Path, top: int, series: str) -> Answer:
    """The answer for a file."""
    if isinstance(run, TableRun):
        return predict_table(run, path)
    if not isinstance(run, LoadedRun):
        raise run.without_net()
    if run.experiment.takes == SERIES:
        return answer_of(run.predict(f"{series.replace('=', '') or next(iter(run.networks))}={path}", top))
    if input_kind(run.recipe) == "text":
        return answer_of_rows(run.predict_rows([str(path)]))
    return answer_of(run.predict(str(path), top))


@contextmanager
def stored(name: str, data: bytes) -> Iterator[Path]:
    """The file in a folder of its own that is removed afterwards; errors call it by the user's name."""
    suffix = SUFFIX.search(name)
    with tempfile.TemporaryDirectory(prefix="slopes-studio-") as folder:
        path = Path(folder) / f"file{suffix.group() if suffix else ''}"
        path.write_bytes(data)
        try:
            yield path
        except SlopesError as error:
            what, why, repair = (text.replace(str(path), name) for text in (error.what, error.why, error.repair))
            raise ArgumentError(what, why=why, repair=repair, where="") from None


def answer_of(prediction: Prediction) -> Answer:
    """The answer of a recipe."""
    if prediction.picture is None:
        return Answer(prediction.text.strip("\n"))
    return Answer(prediction.text, (np.clip(prediction.picture, 0, 1) * 255).round().astype(np.uint8))


def predict_table(run: TableRun, path: Path) -> Answer:
    """A row of predictions for each row of a table."""
    out = path.parent / "predictions.csv"
    account = predict_file(run.models, str(path), out)
    content = out.read_bytes()
    rows = list(csv.reader(io.StringIO(content.decode())))[:SHOWN_ROWS + 1]
    return Answer("\n".join([f"{account.rows:,} rows", *account.lines()]), None, rows, content)


def answer_of_rows(predicted: PredictedRows) -> Answer:
    """A table of predictions for the rows or lines of a file."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(predicted.columns)
    rows: list[list[str]] = [list(predicted.columns)]
    count = 0
    for row in predicted.rows:
        writer.writerow(row)
        count += 1
        if count <= SHOWN_ROWS:
            rows.append([str(cell) for cell in row])
        if count >= MOST_ROWS:
            predicted.notes.append(f"only the first {MOST_ROWS:,} rows: slopes predict takes files of any length")
            break
    return Answer("\n".join([f"{count:,} rows", *predicted.notes]), None, rows, text.getvalue().encode())


def answer_fields(answer: Answer) -> dict[str, Any]:
    """An answer for the header of a frame."""
    return {"kind": "prediction", "text": answer.text, "rows": answer.rows}
