"""Confusion matrices: counts of true and predicted classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ArgumentError, OutOfRangeError, ShapeError
from ..files.arrays import as_labels
from ..plot import Picture, View, new_figure
from ..train.evaluate import evaluate
from ..train.sources import source_of

NAMED = 40  # most classes for which counts are written into the cells


@dataclass
class Confusion(View):
    """counts[true, predicted] (C, C) int64: the confusion matrix; classes: the C names."""

    counts: np.ndarray
    classes: Sequence[str]

    @classmethod
    def counted(cls, targets: Any, predicted: Any, classes: Sequence[str] | None = None) -> Confusion:
        """Of labels (N,) int and predictions (N,) int; without `classes`, they are called by their numbers.

        Raises ShapeError for lengths that differ, OutOfRangeError for a label that is none of the classes, DTypeError for fractions.

        >>> import slopes as sl
        >>> matrix = sl.inside.Confusion.counted([0, 0, 1, 1, 1], [0, 1, 1, 1, 1], ["cat", "dog"])
        >>> matrix.counts.tolist(), matrix.recall.tolist(), matrix.mistakes()
        ([[1, 1], [0, 3]], [0.5, 1.0], [('cat', 'dog', 1)])
        """
        true, guessed = as_labels(targets, "targets"), as_labels(predicted, "predictions")
        if true.ndim != 1 or true.shape != guessed.shape:
            raise ShapeError(f"confusion: targets of shape {true.shape}, predictions of shape {guessed.shape}",
                             why="each example has one class and is taken for one, (N,) and (N,)")
        both = np.concatenate([true, guessed])
        names = tuple(map(str, range(both.max(initial=-1) + 1) if classes is None else classes))
        if both.size and not 0 <= both.min() <= both.max() < len(names):
            raise OutOfRangeError(f"confusion: a class {both.min() if both.min() < 0 else both.max()}, where there are {len(names)}",
                                  why="classes are numbers from 0 on")
        counts = np.zeros((len(names),) * 2, np.int64)
        np.add.at(counts, (true, guessed), 1)
        return cls(counts, names)

    @property
    def wrong(self) -> np.ndarray:
        """(C, C) int64: the counts of misclassified examples."""
        return self.counts * (1 - np.eye(len(self.counts), dtype=np.int64))

    @property
    def recall(self) -> np.ndarray:
        """(C,) float64: the share of each class's examples that is classified correctly; NaN for a class without examples."""
        return shares(self.counts.diagonal(), self.counts.sum(axis=1))

    @property
    def precision(self) -> np.ndarray:
        """(C,) float64: the share of correct predictions of each class; NaN for a class that was never predicted."""
        return shares(self.counts.diagonal(), self.counts.sum(axis=0))

    def mistakes(self, count: int = 5) -> list[tuple[str, str, int]]:
        """The most frequent mistakes: (true class, predicted class, count)."""
        wrong = self.wrong
        order = np.argsort(-wrong, axis=None, kind="stable")[:count]
        pairs = zip(*np.unravel_index(order, wrong.shape))
        return [(self.classes[true], self.classes[other], int(wrong[true, other])) for true, other in pairs if wrong[true, other]]

    def draw(self) -> Picture:
        """A row for each true class, a column for each predicted one; wrong cells are coloured, right ones are plain."""
        size = max(4.0, 0.52 * len(self.classes) + 1.6)
        figure = new_figure(size + 0.8, size)
        axes = figure.subplots()
        axes.imshow(self.wrong, cmap="Oranges", vmin=0, vmax=max(1.0, 1.6 * self.wrong.max(initial=0)))
        if len(self.classes) <= NAMED:
            write_counts(axes, self.counts)
        turn = {} if max(map(len, self.classes), default=0) <= 2 else {"rotation": 45, "rotation_mode": "anchor", "ha": "right"}
        axes.set_xticks(range(len(self.classes)), self.classes, **turn)
        axes.set_yticks(range(len(self.classes)), self.classes)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
        right, total = np.trace(self.counts), self.counts.sum()
        axes.set_title(f"{right:,} of {total:,} right ({right / max(1, total):.2%})", fontsize="medium")
        return Picture(figure)


def shares(right: np.ndarray, every: np.ndarray) -> np.ndarray:
    """right / every, NaN where every is 0."""
    return np.divide(right, every, out=np.full(len(every), np.nan), where=every > 0)


def write_counts(axes: Any, counts: np.ndarray) -> None:
    """The count in each cell, zeros left out, right ones bold."""
    for row, column in zip(*np.nonzero(counts)):
        right = row == column
        axes.text(column, row, f"{counts[row, column]}", ha="center", va="center", fontsize=7,
                  fontweight="bold" if right else "normal", color="#22543d" if right else "black")


def confusion(net: Any, dataset: Any, batch_size: int = 512) -> Confusion:
    """The confusion matrix of `net` on `dataset`; the prediction is the class of the largest logit.

    dataset: inputs (N, ...), targets (N,) int64; its `classes` name rows and columns. Raises ArgumentError where targets are no class
    labels, or for a data.Loader without arrays, whose examples are not predicted one by one.

    >>> import slopes as sl
    >>> shifted = sl.data.Dataset(np.eye(3, dtype=np.float32), [0, 1, 1], classes=["a", "b", "c"])
    >>> sl.inside.confusion(sl.nn.Identity(), shifted).mistakes()
    [('b', 'c', 1)]
    """
    source = source_of(dataset)
    if not source.labelled or source.targets.ndim != 1:
        raise ArgumentError(f"confusion: no class is predicted for each example of this {type(dataset).__name__}",
                            why="it needs a data.Dataset with one class label, an integer, per example",
                            repair="of predictions you have: inside.Confusion.counted(targets, predicted, classes)")
    result = evaluate(net, dataset, batch_size=batch_size)
    return Confusion.counted(result.targets, result.predicted, getattr(dataset, "classes", None))
