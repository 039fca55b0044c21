"""Checks of labels, which are indices of classes, with errors that name the first wrong one and a repair."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import DTypeError, OutOfRangeError, ShapeError
from ...graph.dtype import is_float, is_integer
from ...tensor import Tensor, asarray
from ..where import known_value


def class_scores(owner: str, scores: Any, labels: Any, ignore_index: int | None) -> tuple[Tensor, Tensor]:
    """Scores (N, C, ...) and labels (N, ...) as tensors, after all checks."""
    scores, labels = asarray(scores), asarray(labels)
    if not is_float(scores.dtype):
        raise DTypeError(f"{owner}: the outputs are {scores.dtype}, not floats", repair="outputs.astype(slopes.float32)")
    if not is_integer(labels.dtype):
        raise label_type_error(owner, scores, labels)
    if scores.ndim < 2 or labels.shape != (scores.shape[0], *scores.shape[2:]):
        raise label_shape_error(owner, tuple(scores.shape), tuple(labels.shape))
    values = known_value(labels)
    if values is not None:
        check_labels(owner, values, scores.shape[1], ignore_index)
    return scores, labels if labels.dtype.kind == "i" else labels.astype(np.int64)


def label_type_error(owner: str, scores: Tensor, labels: Tensor) -> DTypeError:
    repair = "labels.astype(slopes.int64)"
    if labels.shape == scores.shape and labels.ndim > 1:
        repair = "one row per label looks like one-hot: labels.argmax(axis=1)"
    return DTypeError(f"{owner}: labels are {labels.dtype} of shape {labels.shape}, not integers",
                      why="a label is the index of the correct class", repair=repair)


def label_shape_error(owner: str, scores: tuple[int, ...], labels: tuple[int, ...]) -> ShapeError:
    what = f"{owner}: outputs have shape {scores}, labels {labels}"
    if len(scores) < 2:
        return ShapeError(what, why="outputs need an axis of examples and one of classes",
                          repair="for one example, outputs.reshape(1, -1)")
    expected = (scores[0], *scores[2:])
    repair = f"labels of shape {expected} match these outputs"
    if labels == (*expected, 1) or labels == (expected[0], 1, *expected[1:]):
        repair = f"labels.reshape({', '.join(map(str, (-1, *expected[1:])))})"
    elif labels == scores:
        repair = "one row per label looks like one-hot: labels.argmax(axis=1)"
    return ShapeError(what, why="labels have the shape of the outputs without the class axis (axis 1)", repair=repair)


def check_labels(owner: str, values: np.ndarray, classes: int, ignore_index: int | None) -> None:
    """OutOfRangeError for the first label that is not a class index."""
    wrong = (values < 0) | (values >= classes)
    if ignore_index is not None:
        wrong &= values != ignore_index
    if not wrong.any():
        return
    index = tuple(int(n) for n in np.argwhere(wrong)[0])
    value = int(values[index])
    where = ", ".join(map(str, index))
    raise OutOfRangeError(f"{owner}: labels[{where}] is {value}, but there are {classes} classes, 0 to {classes - 1}",
                          why=f"{int(wrong.sum())} of {values.size} labels {'is' if wrong.sum() == 1 else 'are'} outside of them",
                          repair=label_repair(value, values, classes))


def label_repair(value: int, values: np.ndarray, classes: int) -> str:
    if value < 0:
        return f"to ignore examples labelled {value}, pass ignore_index={value}"
    if int(values.min()) >= 1 and int(values.max()) == classes:
        return "classes are counted from 0: labels - 1"
    return f"give the last layer {int(values.max()) + 1} outputs"
