"""Measuring a net on a data set: compiled, in eval mode, without changing any state."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .. import functions as F
from ..compile import compile
from ..data.loaders.feed import Feed
from ..tensor import Tensor, enable_grad, no_grad
from .checks import check_counts, check_kinds, paired
from .metrics import Metric, find_metrics, is_labelled
from .mode import Mode
from .sources import check_source, has_classes, source_of, usual_loss
from .stepper import Stretch, at_once, is_streamed
from .totals import Loss, Objective, Tally, answer, report, whole_loss


class Evaluation(dict):
    """The means over a data set: "loss" and each metric; with class labels also which class was predicted for each example.

    predicted (N,) int64 and targets (N,) int64; both empty where targets are no class labels.
    """

    predicted: np.ndarray = np.zeros(0, np.int64)
    targets: np.ndarray = np.zeros(0, np.int64)


def evaluate(net: Any, dataset: Any, targets: Any = None, *, loss: Loss | None = None, metrics: Iterable[str | Metric] | str | None = None,
             batch_size: int = 512) -> Evaluation:
    """The mean loss and metrics of `net` over `dataset`, in eval mode; the net's modes and state are as before.

    dataset has `inputs` (N, ...) and `targets` (N, ...), or is a data.Feed; or inputs and targets are given one by one. loss and
    metrics as in fit. The result is a dict such as {"loss": 0.04, "accuracy": 0.988}, with the predicted classes as `.predicted`;
    inside.confusion tells which are taken for which. Means are over all that counts, as in fit, whatever the batch size: over
    examples, weighed as the loss weighs them, without those that it leaves out. Of a feed they are over the targets that count, and
    nothing is predicted: sl.text.perplexity(result["loss"]).
    Raises ArgumentError for empty or mismatched data and batch_size < 1, OutOfRangeError for labels outside the net's outputs.

    >>> import numpy as np, slopes as sl
    >>> points = sl.data.Dataset(np.eye(3, dtype=np.float32), np.arange(3))
    >>> result = sl.evaluate(sl.nn.Identity(), points)
    >>> result["accuracy"], result.predicted.tolist()
    (1.0, [0, 1, 2])
    """
    dataset = paired(dataset, targets)
    check_counts(batch_size)
    check_kinds(net, usual_loss(loss, dataset))
    objective = check_source(net, loss, dataset)
    return Evaluator(net, dataset, objective, find_metrics(metrics, has_classes(dataset)), batch_size).run()


class Evaluator:
    """Measures one net on one data set, as often as wanted, with one compilation.

    A batch is never larger than what is read at once of inputs that lie on the disk.
    """

    def __init__(self, net: Any, dataset: Any, objective: Objective, metrics: dict[str, Metric], batch_size: int) -> None:
        self.net, self.names, self.summed = net, list(metrics), objective.summed
        if not isinstance(dataset, Feed) and is_streamed(dataset.inputs):
            batch_size = min(batch_size, at_once(dataset.inputs))
        self.source = source_of(dataset, batch_size, net, objective.ignored)
        self.targets = np.zeros(0, np.int64) if isinstance(dataset, Feed) else np.asarray(dataset.targets)
        self.labelled = len(self.targets) > 0 and is_labelled(self.targets) and self.targets.ndim == 1
        self.stepper = self.source.stepper(compile(evaluation_step(net, objective.loss, metrics, self.labelled, self.source)))

    def run(self) -> Evaluation:
        """One pass over all examples in their order."""
        tally, predicted = Tally(self.names, self.summed), []
        with Mode(self.net, training=False, quiet=True):
            for stretch in self.source.walk(self.stepper, None, 0):
                if self.labelled:
                    *values, classes = stretch.values
                    predicted.append(classes.reshape(-1))
                    stretch = Stretch(stretch.rows, tuple(values), stretch.counts)
                tally.add(stretch)
        result = Evaluation({"loss": tally.loss, **tally.metrics})
        if self.labelled:
            result.predicted, result.targets = np.concatenate(predicted), self.targets
        return result


def evaluation_step(net: Any, loss: Loss, metrics: dict[str, Metric], labelled: bool, source: Any) -> Callable[..., tuple[Tensor, ...]]:
    """The step that is compiled: what the batch reports, and the predicted classes."""

    def step(*given: Any) -> tuple[Tensor, ...]:
        with no_grad():
            (inputs, wanted, share), = source.parts(given)
            outputs = source.answer(net, inputs)
            classes = (F.argmax(outputs, axis=1),) if labelled else ()
            totals = [source.total(each(outputs, wanted), wanted) for each in metrics.values()]
            with enable_grad():  # a loss is taken apart by its derivatives
                found = answer(loss, outputs, wanted, share, totals)
            _, means = whole_loss([found], summed=False)
            return (*report([found], found.value, means), *classes)

    return step
