"""The figures of a training as event files, which TensorBoard shows."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..constraint import COUNT, check
from ..extras import require
from .chunk import Chunk
from .statistic_kinds import histogram_limits
from .training import Callback, Training


class TensorBoard(Callback):
    """`fit(..., callbacks=[TensorBoard("logs/mine")])`: write scalars into `folder`, for `tensorboard --logdir logs`.

    every        loss, metrics and learning rate of steps are written at each step of the training that this divides
    histograms   also write a histogram of the values of each parameter after every epoch

    step/loss, step/rate, step/accuracy, ...                  of single steps, by their index
    epoch/loss, epoch/accuracy, ...; epoch/seconds            of epochs, after their last step
    validation/loss, ...; of several sets dev/loss, ...       after the same step
    net.0.weight.grad/norm, ...                               statistics, where `statistics=` measures them: numbers, and histograms of |x|
    net.0.weight, ...                                         histograms of parameters, after the same step as the epoch's figures

    A training that is resumed writes a further file, which replaces what was written after the step from which it continues; one that
    begins anew replaces everything in the folder. Needs the extra [tensorboard], a writer without TensorBoard itself. Raises
    MissingExtraError.
    """

    def __init__(self, folder: str | os.PathLike[str], every: int = 10, histograms: bool = False) -> None:
        check("TensorBoard", {"every": COUNT}, {"every": every})
        self.folder, self.every, self.histograms, self.first = os.fspath(folder), every, histograms, 0
        self.writer: Any = None
        self.module = require("tensorboardX", extra="tensorboard", purpose="train.TensorBoard")

    def begin(self, training: Training) -> None:
        """Replace earlier events, if any."""
        self.close()
        self.first = 0

    def resumed(self, training: Training) -> None:
        """Replace the events after the step from which the training continues; an epoch that ended there is written again."""
        self.close()
        self.first = training.history.steps
        if training.history.epochs and not training.position.step and not training.ended:
            self.write_epoch(training, self.first)

    def chunk_done(self, training: Training, chunk: Chunk) -> None:
        """Write figures of steps."""
        steps = np.arange(-(-chunk.first // self.every) * self.every, chunk.first + chunk.steps, self.every)
        columns = {f"step/{name}": chunk[name][steps - chunk.first] for name in ("loss", *chunk.metrics)}
        columns["step/rate"] = np.array([rate_of(training, step) for step in steps.tolist()])
        for name, values in columns.items():
            self.write_scalars(name, values, steps)
        for name, values in chunk.results["statistics"].items():
            if values.ndim == 1:
                self.write_scalars(name, values, np.array(chunk.measured_steps))
            else:
                self.write_counts(name, values, chunk.measured_steps)
        self.flush()

    def epoch_done(self, training: Training) -> None:
        """Write the figures of the epoch."""
        self.write_epoch(training, training.history.steps)
        self.flush()

    def end(self, training: Training) -> None:
        """Close the file."""
        self.close()

    def write_epoch(self, training: Training, step: int) -> None:
        """Write the figures of the last epoch, before this step, and histograms of the parameters."""
        epoch = training.history.epochs[-1]
        figures = {f"epoch/{name}": value for name, value in {"loss": epoch.loss, **epoch.metrics, "seconds": epoch.seconds}.items()}
        figures |= {name if "/" in name else f"validation/{name}": value for name, value in epoch.validation.items()}
        for name, value in figures.items():
            self.write_scalars(name, np.array([value]), np.array([step]))
        for path, parameter in training.net.named_parameters() if self.histograms else ():
            values = parameter.numpy().ravel().astype(np.float64)
            if np.isfinite(values).all():
                self.open().add_histogram(f"net.{path}", values, step)

    def write_counts(self, name: str, counts: np.ndarray, steps: Sequence[int]) -> None:
        """Write histograms (steps, bins) of sizes, whose limits are powers of two; those of the last bin are taken for its lower limit."""
        limits = histogram_limits()
        lower, upper = limits[:-1], np.minimum(limits[1:], 2 * limits[-2])
        for row, step in zip(counts.astype(np.float64), steps):
            filled = np.flatnonzero(row)
            self.open().add_histogram_raw(name, float(lower[filled[0]]), float(upper[filled[-1]]), float(row.sum()), float(row @ lower),
                                          float(row @ lower**2), upper.tolist(), row.tolist(), step)

    def open(self) -> Any:
        """The writer, whose file is there from the first value on."""
        if self.writer is None:
            suffix = f".{time.time_ns()}"  # files of one second have names of their own, in order
            self.writer = self.module.SummaryWriter(self.folder, purge_step=self.first, filename_suffix=suffix)
        return self.writer

    def write_scalars(self, name: str, values: np.ndarray, steps: np.ndarray) -> None:
        """Write a value for each of these steps."""
        for value, step in zip(values.tolist(), steps.tolist()):
            self.open().add_scalar(name, value, step)

    def flush(self) -> None:
        """What was written is in the file: a checkpoint may follow."""
        if self.writer is not None:
            self.writer.flush()

    def close(self) -> None:
        """Close the file, if there is one."""
        if self.writer is not None:
            self.writer.close()
            self.writer = None


def rate_of(training: Training, step: int) -> float:
    """The learning rate of a step of the present epoch."""
    return float(training.optimizer.lr) if training.schedule is None else training.base_rate * training.factor(step)
