"""What a person sees while a net learns: a live line on a terminal, plain lines elsewhere, nothing when asked for nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from ..errors import ArgumentError
from ..machine import notice
from ..streams import lenient, stderr
from .chunk import Chunk
from .estimate import Estimate
from .history import epoch_text, figures
from .replay import at_step
from .training import Callback, Training

EPOCHS = "epochs"
Progressing = bool | Literal["epochs"] | Callback | None
QUIET_SECONDS = 10.0  # plain lines within an epoch come no closer than this


def choose_reporter(progress: Progressing, stream: TextIO | None = None) -> list[Callback]:
    """None or True: a live line when the stream is a terminal, else plain lines; "epochs": a plain line per epoch and no more; False:
    nobody; a callback: itself.

    A stream that is closed or full does not stop a training: what cannot be shown is dropped.
    """
    if progress is False:
        return []
    shown = stderr() if stream is None else lenient(stream)
    if isinstance(progress, str):
        if progress != EPOCHS:
            raise ArgumentError(f"progress is {progress!r}", why="it is True, False, 'epochs' or a train.Callback",
                                repair="progress='epochs' writes one line for each epoch")
        return [Lines(shown, within=False)]
    if progress is not None and not isinstance(progress, bool):
        return [progress]
    return [Live(shown) if shown.isatty() else Lines(shown)]


class Lines(Callback):
    """One plain line per epoch, and where `within` is true one about every ten seconds of a long epoch: for log files and pipes."""

    def __init__(self, stream: TextIO, within: bool = True) -> None:
        self.stream, self.within, self.last = stream, within, 0.0
        self.estimate = Estimate()

    def begin(self, training: Training) -> None:
        """The clock of the first line starts."""
        self.last, self.estimate = time.monotonic(), Estimate()

    def resumed(self, training: Training) -> None:
        """A line that says where the training goes on."""
        self.log(resumed_text(training))

    def chunk_done(self, training: Training, chunk: Chunk) -> None:
        """The estimate of a long training; a line when the last one is old enough."""
        if estimate := self.estimate.text(training):
            self.log(estimate)
        if self.within and time.monotonic() - self.last >= QUIET_SECONDS:
            means = training.epoch_metrics
            done = f"{means.examples:,}/{training.examples:,} examples"
            epoch = epoch_text(training.position.epoch, training.spec.epochs)
            self.log("  ".join([epoch, done, f"loss {means.loss:.4f}", *figures(means.metrics, training.metrics)]))

    def epoch_done(self, training: Training) -> None:
        """The epoch's line."""
        self.log(training.history.epochs[-1].line(training.spec.epochs, training.metrics))

    def end(self, training: Training) -> None:
        """A last word, if there is one."""
        if training.result.message:
            self.log(training.result.message)

    def log(self, text: str) -> None:
        """Write one line at once."""
        print(text, file=self.stream, flush=True)
        self.last = time.monotonic()


class CallbackReporter(Lines):
    """The same lines, each given to a function; `prefix` stands before them."""

    def __init__(self, log: Callable[[str], None], prefix: str = "") -> None:
        super().__init__(stderr())
        self.write, self.prefix = log, prefix

    def log(self, text: str) -> None:
        """Hand one line over."""
        self.write(self.prefix + text)
        self.last = time.monotonic()


def examples_done(training: Training) -> int:
    """How many examples were learned from, those of every epoch counted again."""
    return training.position.epoch * training.examples + training.epoch_metrics.examples


def resumed_text(training: Training) -> str:
    """Where a training goes on."""
    steps = training.history.steps
    return f"already trained: {steps} steps" if training.ended else f"continues {at_step(steps, training.steps_per_epoch)}"


class Speed(ProgressColumn):
    """Examples per second, from rich's own measure."""

    def render(self, task: Task) -> Text:
        """`12,345/s`."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "compiling" if not task.completed else "", style="cyan")


class Live(Callback):
    """One line that moves: epoch, bar, loss, metrics, examples per second, time remaining; finished epochs stay above it."""

    def __init__(self, stream: TextIO) -> None:
        # drawn by hand after each native call: a drawing thread of its own would take a core from the training
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TextColumn("{task.fields[figures]}"), Speed(),
                   TimeRemainingColumn())
        self.progress = Progress(*columns, console=Console(file=stream), auto_refresh=False, transient=True)
        self.task = TaskID(0)
        self.estimate = Estimate()

    def begin(self, training: Training) -> None:
        """Show the empty bar: the first step has to be compiled before it moves."""
        self.estimate = Estimate()
        total = training.epochs * training.examples if training.best is None else None
        self.task = self.progress.add_task(epoch_text(0, training.spec.epochs), total=total, figures="")
        self.progress.start()
        notice.covered.add(self)

    def resumed(self, training: Training) -> None:
        """Move the bar without counting the examples of earlier processes as speed."""
        self.progress.tasks[self.task].completed = examples_done(training)
        self.progress.console.print(resumed_text(training), highlight=False, soft_wrap=True)

    def chunk_done(self, training: Training, chunk: Chunk) -> None:
        """Move the bar and redraw; the estimate of a long training stays above it."""
        if estimate := self.estimate.text(training):
            self.progress.console.print(estimate, highlight=False, soft_wrap=True)
        means, epoch = training.epoch_metrics, training.position.epoch
        shown = "  ".join([f"loss {means.loss:.4f}", *figures(means.metrics, training.metrics)])
        self.progress.update(self.task, completed=examples_done(training), figures=shown,
                             description=epoch_text(epoch, training.spec.epochs))
        self.progress.refresh()

    def epoch_done(self, training: Training) -> None:
        """The finished epoch's line stays on the screen."""
        record = training.history.epochs[-1]
        self.progress.console.print(record.line(training.spec.epochs, training.metrics), highlight=False, soft_wrap=True)

    def end(self, training: Training) -> None:
        """Take the bar away, leave the last word."""
        notice.covered.discard(self)
        self.progress.stop()
        if training.result.message:
            self.progress.console.print(training.result.message, highlight=False, markup=False, soft_wrap=True)
