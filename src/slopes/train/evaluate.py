"""Measuring a net on a data set: compiled, in eval mode, without changing any state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..backend import Backend, on_mesh
from ..compile import compile
from ..errors import warn
from ..nn.module import Module
from .checks import check_counts, check_kinds, paired
from .chunk import Chunk
from .epoch_metrics import EpochMetrics
from .metric import Metric
from .metrics import MetricLike, find_metrics, without_ranks
from .mode import Mode
from .rank_metrics import check_yes_or_no
from .scores import Scores
from .sources import Source, source_of
from .step import Forward, evaluation_step
from .step_program import StepProgram
from .test_use import count_use
from .totals import Loss, Objective


class Evaluation(dict):
    """The means over a data set: "loss" and each metric; with class labels also which class was predicted for each example.

    The figure of the metric "confusion" is an array (classes, classes): counts by target and prediction.

    predicted (N,) int64 and targets (N,) int64; both empty where targets are no class labels.
    """

    predicted: np.ndarray = np.zeros(0, np.int64)
    targets: np.ndarray = np.zeros(0, np.int64)


def evaluate(net: Module, dataset: Any, targets: Any = None, *, loss: Loss | None = None,
             metrics: Iterable[MetricLike] | MetricLike | None = None, batch_size: int = 512, sample_weight: Any = None,
             backend: str | Backend = "native", mesh: Any = None) -> Evaluation:
    """The mean loss and metrics of `net` over `dataset`, in eval mode; the net's modes and state are as before.

    dataset has `inputs` (N, ...) and `targets` (N, ...), or is a data.Loader; or inputs and targets are given one by one. loss and
    metrics as in fit. The result is a dict such as {"loss": 0.04, "accuracy": 0.988}, with the predicted classes as `.predicted`;
    inside.confusion makes their confusion matrix. As in fit, means are over examples, weighted as the loss weights them and without those
    that it ignores, for any batch size; for a loader without arrays, over the targets that are not ignored, and there are no
    predictions: sl.text.perplexity(result["loss"]). sample_weight (N,) weights the examples in the loss and in all metrics.
    backend computes it, on the devices of a mesh if there is one: see sl.compile.
    Where the test set of data.Splits is measured with more than one set of weights, a line on stderr says so, once in a process.
    Raises ArgumentError for empty or mismatched data and batch_size < 1, OutOfRangeError for labels outside the net's outputs.

    >>> import numpy as np, slopes as sl
    >>> points = sl.data.Dataset(np.eye(3, dtype=np.float32), np.arange(3))
    >>> result = sl.evaluate(sl.nn.Identity(), points)
    >>> result["accuracy"], result.predicted.tolist()
    (1.0, [0, 1, 2])
    """
    dataset = paired(dataset, targets, sample_weight)
    check_counts(batch_size)
    check_kinds(net, loss)
    backend = on_mesh(backend, mesh)
    source = source_of(dataset, backend=backend)
    objective = source.check_loss(net, loss)
    count_use(net, source)
    return Evaluator(net, source, objective, find_metrics(metrics, source.labelled), batch_size, backend).run()


class Evaluator:
    """Measures one net on one data set, as often as needed, with one compilation."""

    def __init__(self, net: Module, source: Source, objective: Objective, metrics: Mapping[str, Metric], batch_size: int,
                 backend: str | Backend = "native") -> None:
        self.net, self.source, self.metrics, self.summed = net, source, metrics, objective.summed
        self.batch_size = source.evaluation_batch_size(batch_size)
        self.predicts = source.labelled and source.targets.ndim == 1 and len(source.targets) > 0
        carried = source.carried_state(net, self.batch_size)
        self.forward = Forward(net, source, objective, metrics, carried)
        if self.forward.ranks and not source.labelled:
            check_yes_or_no(source.targets)
        program = StepProgram(compile(evaluation_step(self.forward, self.predicts), backend=backend))
        self.runner = source.runner(program, self.batch_size, carried)

    def run(self) -> Evaluation:
        """One pass over all examples in their order."""
        means, predicted = EpochMetrics(without_ranks(self.metrics), self.summed), []
        scores = Scores(self.forward.ignored)
        with Mode(self.net, training=False, quiet=True):
            epoch = self.source.epoch(self.batch_size, None, 0)
            while (batches := epoch.take(self.runner.limit)) is not None:
                results = self.runner.run(batches)
                means.add(Chunk(0, batches.counts, results, means.by_name))
                if self.predicts:
                    predicted.append(results["predicted"].reshape(-1))
                if self.forward.ranks:
                    scores.add(*results["scores"])
        figures = {"loss": means.loss, **means.metrics, **means.tables, **scores.figures(self.metrics)}
        result = Evaluation({name: figures[name] for name in ("loss", *self.metrics)})
        self.warn_of_undefined(result)
        if self.predicts:
            result.predicted, result.targets = np.concatenate(predicted), self.source.targets
        return result

    def warn_of_undefined(self, result: Evaluation) -> None:
        """Warn of figures that these data do not define."""
        for name, metric in self.metrics.items():
            if metric.undefined and np.isfinite(result["loss"]) and np.isnan(result[name]):
                warn(f"{name} of {self.source.role} is nan", why=metric.undefined,
                     repair="measure it on more examples, or leave it out of metrics=")
