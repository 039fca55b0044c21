"""The steps that are compiled: one that learns from a batch, one that only measures it; both return named results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .. import functions as F
from ..compile import compile
from ..data.loaders.inputs import call_with
from ..modes import enable_grad, no_grad
from ..nn.recurrent import detached
from ..optim import Average
from ..optim.optimizer import Optimizer
from ..tensor import Tensor
from .carried import CarriedState
from .class_metrics import check_classes
from .metric import Metric, ScoreMetric
from .metric_sums import repeat_weights
from .sources import Source
from .spec import TrainSpec
from .statistics import StepStatistics
from .step_program import StepProgram
from .totals import Objective, Part, PartResult, SumAndWeight, batch_results, measure_part, total, whole_loss


class Forward:
    """What training and evaluation share: the outputs of a net for a part of a batch, and its metrics."""

    def __init__(self, net: Any, source: Source, objective: Objective, metrics: Mapping[str, Metric],
                 carried: CarriedState | None) -> None:
        self.net, self.source, self.objective, self.metrics, self.carried = net, source, objective, metrics, carried
        self.ignored = source.ignored_labels(objective.ignored)
        self.ranks = any(isinstance(metric, ScoreMetric) for metric in metrics.values())

    def outputs(self, inputs: Any) -> Any:
        """The outputs for some inputs; a carried state goes on."""
        return call_with(self.net, inputs) if self.carried is None else self.carried.read(self.net, inputs)

    def metric_sums(self, outputs: Any, part: Part) -> dict[str, SumAndWeight]:
        """(sum, weight) of each metric that is made of sums."""
        return {name: self.source.metric_sum(metric(outputs, part.targets), part, self.ignored)
                for name, metric in self.metrics.items() if metric.in_step}


class TrainStep:
    """One step of a training: forward, loss, gradients, update."""

    def __init__(self, forward: Forward, spec: TrainSpec, optimizer: Optimizer, average: Average | None) -> None:
        self.forward, self.spec, self.optimizer, self.average = forward, spec, optimizer, average
        self.clip, self.constrain = spec.clip_function(), spec.constrain_function()

    def run(self, held: Any, batch: Any, rate: Tensor | None = None) -> dict[str, Any]:
        """Learn from one batch; `rate` is the learning rate, where it changes from step to step. Returns the batch's results."""
        if rate is not None:
            self.optimizer.lr.assign(rate)
        self.forward.net.zero_grad()
        parts = [self.measure(part) for part in self.forward.source.parts(held, batch, self.spec.accumulate)]
        losses, means = whole_loss(parts, self.forward.objective.summed)
        for loss in self.penalized(losses):
            loss.backward()
        self.update()
        with no_grad():
            return batch_results(parts, total(losses), means)

    def with_statistics(self, statistics: StepStatistics) -> Callable[..., dict[str, Any]]:
        """The same step, which also measures these statistics."""

        def step(held: Any, batch: Any, rate: Tensor | None = None) -> dict[str, Any]:
            results = self.run(held, batch, rate)
            return {**results, "statistics": statistics.measure(results)}

        return step

    def compile(self, statistics: StepStatistics | None) -> StepProgram:
        """The program of the step, and the one that measures statistics as well, where there are any."""
        storage, backend = self.spec.storage, self.spec.backend
        plain = compile(self.run, storage=storage, backend=backend)
        if statistics is None:
            return StepProgram(plain)
        return StepProgram(plain, compile(self.with_statistics(statistics), storage=storage, backend=backend), statistics.every)

    def measure(self, part: Part) -> PartResult:
        """The results of a part of a batch; its metrics compare with the targets as they were before augmentation."""
        augment = self.spec.augment
        seen, learned = (part.inputs, part.targets) if augment is None else augment(part.inputs, part.targets)
        outputs = self.forward.outputs(seen)
        with no_grad():
            metrics = self.forward.metric_sums(detached(outputs), part)
        return measure_part(self.forward.objective, outputs, part._replace(targets=learned), metrics)

    def penalized(self, losses: list[Tensor]) -> list[Tensor]:
        """The losses, the penalty added to the first."""
        if self.spec.penalty is None:
            return losses
        first, *others = losses
        return [first + self.spec.penalty(self.forward.net).astype(first.dtype), *others]

    def update(self) -> None:
        """Change the parameters, and their average."""
        if self.clip is not None:
            self.clip(self.optimizer.parameters)
        self.optimizer.step()
        if self.constrain is not None:
            self.constrain(self.optimizer.parameters)
        if self.average is not None:
            self.average.update()


def evaluation_step(forward: Forward, predicts: bool) -> Callable[..., dict[str, Any]]:
    """The step of a measurement: the batch's results, under "predicted" the class of each example where `predicts` is true, and under
    "scores" all outputs and targets where a metric ranks them."""

    def step(held: Any, batch: Any, rate: None = None) -> dict[str, Any]:
        with no_grad():
            part, = forward.source.parts(held, batch)
            outputs = forward.outputs(part.inputs)
            more: dict[str, Any] = {"predicted": F.argmax(outputs, axis=1)} if predicts else {}
            if forward.ranks:
                more["scores"] = scores_and_targets(outputs, part)
            metrics = forward.metric_sums(outputs, part)
            with enable_grad():  # a loss is taken apart by its derivatives
                measured = measure_part(forward.objective, outputs, part, metrics)
            _, means = whole_loss([measured], summed=False)
            return batch_results([measured], measured.loss, means, **more)

    return step


def scores_and_targets(outputs: Tensor, part: Part) -> tuple[Tensor, ...]:
    """The outputs (M, classes), or the logits (M,) in the shape of the targets, the targets (M,), and their weights, if there are any."""
    targets = part.targets
    check_classes(outputs, targets)
    labels = F.reshape(targets, (-1,))
    more = () if part.weights is None else (repeat_weights(part.weights, labels.size),)
    if outputs.ndim == targets.ndim:
        return F.reshape(outputs, (-1,)), labels, *more
    return F.reshape(F.moveaxis(outputs, 1, -1), (-1, outputs.shape[1])), labels, *more
