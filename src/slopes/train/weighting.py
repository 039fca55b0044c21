"""Weights of examples and of classes: a data set with them, and what they are for each target of a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from .. import functions as F
from ..arrays import shorten
from ..data.loaders.loader import Loader
from ..errors import ArgumentError, OutOfRangeError, ShapeError
from ..tensor import Tensor, asarray

ClassWeight = str | Mapping[Any, float] | Sequence[float] | np.ndarray


class Labels(Protocol):
    """The targets of a data set: whether they are class labels, and the names of the classes, if it has names."""

    targets: np.ndarray
    labelled: bool
    classes: Any


class WeightedData:
    """A data set, and the weight of each of its examples in loss and metrics."""

    def __init__(self, dataset: Any, sample_weight: Any) -> None:
        if isinstance(dataset, Loader) and not hasattr(dataset, "inputs"):
            raise ArgumentError(f"sample_weight goes with a {type(dataset).__name__}, a loader without arrays",
                                why="it makes batches, whose examples have no index", repair="weight classes: class_weight={class: weight}")
        self.inputs, self.targets, self.classes = dataset.inputs, dataset.targets, getattr(dataset, "classes", None)
        self.sample_weight = check_sample_weight(sample_weight, len(self.targets))


def check_sample_weight(sample_weight: Any, count: int) -> np.ndarray:
    """The weights as float32: one for each example, none of them negative, not all 0."""
    weights = np.asarray(sample_weight)
    if weights.dtype.kind not in "biuf" or weights.shape != (count,):
        raise ShapeError(f"sample_weight has shape {weights.shape} and type {weights.dtype}, but there are {count} examples",
                         why="each example has one weight, a number", repair=f"pass an array of shape ({count},)")
    bad = ~np.isfinite(weights) | (weights < 0)
    if bad.any():
        index = int(bad.argmax())
        raise OutOfRangeError(f"sample_weight[{index}] is {weights[index]}", why="a weight says how often an example counts",
                              repair="use numbers of at least 0; 0 leaves an example out")
    if not weights.any():
        raise OutOfRangeError("sample_weight is 0 for all examples", why="there would be nothing to learn from or to measure",
                              repair="give the examples that count a weight above 0")
    return weights.astype(np.float32)


def find_class_weight(class_weight: ClassWeight | None, source: Labels) -> np.ndarray | None:
    """The weight of each class, float32, from label 0 on; classes after the last have weight 1.

    "balanced": examples / (classes * examples of the class), as in scikit-learn, of the classes that occur in the training data.
    """
    if class_weight is None:
        return None
    if isinstance(class_weight, str):
        return balanced_weight(class_weight, source)
    names = list(source.classes or ())
    if isinstance(class_weight, Mapping):
        labels = [names.index(key) if key in names else key for key in class_weight]
        values = np.ones(max(map(label_of, labels), default=-1) + 1, np.float32)
        values[[int(label) for label in labels]] = check_weights(list(class_weight.values()))
        return values
    values = check_weights(class_weight)
    largest = int(max(np.asarray(source.targets).max(initial=0), len(names) - 1))
    if len(values) <= largest:
        raise ShapeError(f"class_weight has {len(values)} weights, but there are {largest + 1} classes", why="the labels run from 0 to "
                         f"{largest}", repair="give one for each class, or only those that are not 1, as {label: weight}")
    return values


def balanced_weight(name: str, source: Labels) -> np.ndarray:
    """The weights that make all classes count the same."""
    targets = class_labels(source)
    if name != "balanced" or targets is None:
        what = "class_weight='balanced' needs class labels in an array" if name == "balanced" else f"class_weight is {name!r}"
        raise ArgumentError(what, why='it is "balanced" for data sets whose targets are classes, a mapping or an array',
                            repair="pass the weight of each class: class_weight={0: 1.0, 1: 5.0}")
    return balanced_weights(targets)


def balanced_weights(labels: np.ndarray, classes: int = 0) -> np.ndarray:
    """examples / (classes that occur * examples of the class) for each class, float32: all count the same, an example 1 on average.

    Labels below 0 are ignored; `classes` is how many there are at least, and those that do not occur have the weight 1.

    >>> balanced_weights(np.array([0, 0, 0, 2]), 4).tolist()
    [0.6666666865348816, 1.0, 2.0, 1.0]
    """
    counts = np.bincount(labels[labels >= 0], minlength=classes)
    occurs = counts > 0
    return np.where(occurs, counts.sum() / (occurs.sum() * np.maximum(counts, 1)), 1.0).astype(np.float32)


def class_labels(source: Labels) -> np.ndarray | None:
    """The labels of all examples: integers, or floats that are 0 or 1, one for each example; None where there are none."""
    targets = np.asarray(source.targets)
    if not targets.size:
        return None
    if source.labelled:
        return targets.reshape(-1)
    yes_or_no = targets.size == len(targets) and np.isin(targets, (0, 1)).all()
    return targets.reshape(-1).astype(np.int64) if yes_or_no else None


def label_of(key: Any) -> int:
    """The label that a mapping of weights names."""
    if isinstance(key, bool) or not isinstance(key, (int, np.integer)) or key < 0:
        raise ArgumentError(f"class_weight has the key {key!r}", why="it maps classes to weights, by label, or by name where the data "
                            "set has names", repair="use integers from 0 on: class_weight={0: 1.0, 1: 5.0}")
    return int(key)


def check_weights(values: Any) -> np.ndarray:
    """Weights of classes as float32: finite and not negative."""
    weights = np.asarray(values)
    if weights.ndim != 1 or weights.dtype.kind not in "biuf" or not np.isfinite(weights).all() or (weights < 0).any():
        raise ArgumentError(f"class_weight is {shorten(values)}", why="each class has one finite weight of at least 0",
                            repair='for example class_weight="balanced", {1: 5.0} or [1.0, 5.0]')
    return weights.astype(np.float32)


def target_weights(class_weight: np.ndarray | None, targets: Tensor, sample_weight: Tensor | None) -> Tensor | None:
    """The weight of each target in the loss: that of its class times that of its example; None where all are 1."""
    if class_weight is None:
        return sample_weight
    if not (np.issubdtype(targets.dtype, np.integer) or targets.size == targets.shape[0]):
        raise ArgumentError(f"class_weight with targets of shape {tuple(targets.shape)} and type {targets.dtype}",
                            why="a weight is that of one class, and these targets are shares of several",
                            repair="leave class_weight out, or do not mix labels (augment)")
    labels = targets if np.issubdtype(targets.dtype, np.integer) else F.astype(targets > 0.5, np.int64)
    known = (labels >= 0) & (labels < len(class_weight))
    weights = F.where(known, F.take(asarray(class_weight), F.where(known, labels, 0), axis=0), 1.0)
    return weights if sample_weight is None else weights * F.reshape(sample_weight, (-1, *[1] * (targets.ndim - 1)))
