"""Predict files with the run of a classifier: one, those of a folder, a table of many, and those whose classes are known."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...data.loaders.folder import MOST_READERS
from ...errors import DataError
from ...files.reading import refused
from ...tables.calibrate import softmax
from ...workers import Workers
from ..answers import likeliest
from ..experiment import LoadedRun, PredictedRows, Prediction, Report
from .account import evaluation
from .classifier import BATCH, scorer_of
from .labelled_files import FileKind, counted, files_below, from_subfolders, others_text


@dataclass
class Predictor:
    """Predicts files with a loaded run, some at a time: `read(path)` is the input of a file, and may count in `remarks` what is to be
    said of it."""

    run: LoadedRun
    kind: FileKind
    read: Callable[[str], np.ndarray]
    remarks: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.classes = list(self.run.facts["classes"])
        self.temperature = float(self.run.record.figures.get("temperature", 1.0))
        self.scorer = scorer_of(self.run.net)
        self.others = Counter[str]()  # files in folders, by their endings, that are not of this kind

    def prediction(self, item: str, top: int) -> Prediction:
        """The likeliest classes of a file; of a folder, those of each file in it, a line each."""
        if not os.path.isdir(item):
            return Prediction(self.text(self.probabilities([item])[0], top))
        paths = self.paths([item])
        lines = [f"{os.path.relpath(path, item)}: {self.text(shares, top)}" for path, shares in self.stream(paths, [])]
        return Prediction("".join(f"\n  {line}" for line in lines))

    def text(self, shares: np.ndarray, top: int) -> str:
        """The likeliest classes with their probabilities."""
        return likeliest(self.classes, shares, top)

    def paths(self, items: Sequence[str]) -> list[str]:
        """The files, and those in the folders, in the order of their names."""
        paths = [path for item in items for path in (files_below(item, self.kind, self.others) if os.path.isdir(item) else [item])]
        if not paths:
            raise refused(items[0], "folder", f"there is no {self.kind.noun} in it", f"{self.kind.noun}s end in "
                          f"{', '.join(self.kind.suffixes)}", "name another folder, or files")
        return paths

    def probabilities(self, paths: Sequence[str]) -> np.ndarray:
        """The probabilities (N, classes) of at most 64 files."""
        return softmax(self.scorer(np.stack([self.read(path) for path in paths])) / self.temperature)

    def stream(self, paths: Sequence[str], notes: list[str]) -> Iterator[tuple[str, np.ndarray]]:
        """Each file with its probabilities, read by several threads. A file that cannot be read is an error; if the run was trained with
        --skip-broken it is left out, and noted."""
        with Workers(min(MOST_READERS, os.cpu_count() or 1), thread_name_prefix="slopes-read") as pool:
            for first in range(0, len(paths), BATCH):
                block = paths[first : first + BATCH]
                inputs = list(pool.map(self.attempt, block))
                notes += [array.what for array in inputs if isinstance(array, DataError)]
                known = [(path, array) for path, array in zip(block, inputs) if isinstance(array, np.ndarray)]
                if known:
                    logits = self.scorer.batch(np.stack([array for _, array in known]), expected=len(paths))
                    yield from zip([path for path, _ in known], softmax(logits / self.temperature))

    def attempt(self, path: str) -> np.ndarray | DataError:
        """The input of a file, or why it cannot be read."""
        try:
            return self.read(path)
        except DataError as error:
            if self.run.config["skip_broken"]:
                return error
            raise

    def rows(self, items: Sequence[str]) -> PredictedRows:
        """The class of each file, its probability, and that of every class."""
        paths, broken = self.paths(items), list[str]()
        made = PredictedRows(["file", "class", "probability", *(f"P({name})" for name in self.classes)], ())

        def lines() -> Iterable[Sequence[str | float]]:
            for path, shares in self.stream(paths, broken):
                yield path, self.classes[int(shares.argmax())], *(round(float(share), 6) for share in (shares.max(), *shares))
            if broken:
                made.notes += [f"{self.kind.count(len(broken))} cannot be read, and {'has' if len(broken) == 1 else 'have'} no row:",
                               *broken]
            made.notes += counted(self.remarks, self.kind)
            if self.others:
                made.notes.append(others_text(self.others))

        made.rows = lines()
        return made

    def evaluate(self, folder: str) -> Report:
        """The scores on the files of a folder with a subfolder for each class; DataError for a class that was not learned."""
        labelled = from_subfolders(os.path.realpath(folder), self.kind, self.classes)
        notes = list[str]()
        predicted = dict(self.stream(labelled.paths, notes))
        known = [i for i, path in enumerate(labelled.paths) if path in predicted]
        if not known:
            raise refused(folder, f"{self.kind.noun}s", "none can be read", notes[0], "name another folder")
        made = evaluation(np.array([predicted[labelled.paths[i]] for i in known]), labelled.targets[known], self.classes)
        left_out = [f"{self.kind.count(len(notes))} cannot be read, and left out: {'; '.join(notes[:5])}"] if notes else []
        made.lines += [*labelled.notes, *left_out, *counted(self.remarks, self.kind)]
        return made


def uses_of(predictor: Callable[[LoadedRun], Predictor]) -> dict[str, Any]:
    """How an experiment uses its runs, as arguments of Experiment: the likeliest classes of a file, or of those in a folder; a row for
    each file; the scores on the files of a folder with a subfolder for each class."""
    return {"predict": lambda run, item, top: predictor(run).prediction(item, top),
            "predict_rows": lambda run, items: predictor(run).rows(items),
            "evaluate": lambda run, item: predictor(run).evaluate(item)}
