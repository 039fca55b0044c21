"""Measuring a net on a data set: compiled, in eval mode, without changing any state."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .. import functions as F
from ..nn.losses import cross_entropy
from ..tensor import Tensor, no_grad
from .checks import check_counts, check_dataset, check_kinds, check_trial
from .metrics import Metric, find_metrics, is_labelled, sum_over_examples
from .mode import Mode
from .stepper import Stepper, as_source, as_tensor

Loss = Callable[[Tensor, Tensor], Tensor]


class Evaluation(dict):
    """The means over a data set: "loss" and each metric; with class labels also which class was predicted for each example.

    predicted (N,) int64 and targets (N,) int64; both empty where targets are no class labels.
    """

    predicted: np.ndarray = np.zeros(0, np.int64)
    targets: np.ndarray = np.zeros(0, np.int64)

    def confusion(self, classes: int) -> np.ndarray:
        """counts[true, predicted], shape (classes, classes)."""
        counts = np.zeros((classes, classes), np.int64)
        np.add.at(counts, (self.targets, self.predicted), 1)
        return counts


def evaluate(net: Any, dataset: Any, *, loss: Loss = cross_entropy, metrics: Iterable[str | Metric] | str | None = None,
             batch_size: int = 512) -> Evaluation:
    """The mean loss and metrics of `net` over `dataset`, in eval mode; the net's modes and state are as before.

    dataset has `inputs` (N, ...) and `targets` (N, ...); metrics as in fit. The result is a dict such as
    {"loss": 0.04, "accuracy": 0.988}, with the predicted classes as `.predicted` and a table of confusions by `.confusion(n)`.
    Raises ArgumentError for empty or mismatched data and batch_size < 1, OutOfRangeError for labels outside the net's outputs.

    >>> import numpy as np, slopes as sl
    >>> points = sl.data.Dataset(np.eye(3, dtype=np.float32), np.arange(3))
    >>> result = sl.evaluate(sl.nn.Identity(), points)
    >>> result["accuracy"], result.predicted.tolist()
    (1.0, [0, 1, 2])
    """
    check_counts(batch_size)
    check_kinds(net, loss)
    check_dataset(dataset)
    check_trial(net, loss, dataset)
    return Evaluator(net, dataset, loss, find_metrics(metrics, is_labelled(dataset.targets)), batch_size).run()


class Evaluator:
    """Measures one net on one data set, as often as wanted, with one compilation."""

    def __init__(self, net: Any, dataset: Any, loss: Loss, metrics: dict[str, Metric], batch_size: int) -> None:
        self.net, self.names, self.targets = net, list(metrics), np.asarray(dataset.targets)
        self.batch_size = min(batch_size, len(self.targets))
        self.labelled = is_labelled(self.targets) and self.targets.ndim == 1
        step = evaluation_step(net, loss, metrics, self.labelled)
        self.stepper = Stepper(step, as_source(dataset.inputs), as_tensor(dataset.targets))

    def run(self) -> Evaluation:
        """One pass over all examples in their order."""
        sums, predicted = np.zeros(1 + len(self.names)), []
        with Mode(self.net, training=False, quiet=True):
            for stretch in self.stepper.walk(np.arange(len(self.targets)), self.batch_size):
                loss, *rest = stretch.values
                predicted += [rest.pop().reshape(-1)] if self.labelled else []
                sums += [loss.astype(np.float64).sum() * stretch.batch, *(each.astype(np.float64).sum() for each in rest)]
        result = Evaluation(zip(["loss", *self.names], (sums / len(self.targets)).tolist()))
        if self.labelled:
            result.predicted, result.targets = np.concatenate(predicted), self.targets
        return result


def evaluation_step(net: Any, loss: Loss, metrics: dict[str, Metric], labelled: bool) -> Callable[..., tuple[Tensor, ...]]:
    """The step that is compiled: the batch's loss, each metric's sum, and the predicted classes."""

    def step(inputs: Tensor, targets: Tensor, indices: Tensor) -> tuple[Tensor, ...]:
        with no_grad():
            wanted = F.take(targets, indices, axis=0)
            outputs = net(F.take(inputs, indices, axis=0))
            classes = (F.argmax(outputs, axis=1),) if labelled else ()
            return (loss(outputs, wanted), *(sum_over_examples(each(outputs, wanted)) for each in metrics.values()), *classes)

    return step
