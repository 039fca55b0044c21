"""What a person sees while a net learns: a live line on a terminal, plain lines elsewhere, nothing when asked for nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from ..machine import notice
from ..streams import lenient, stderr
from .history import Epoch, figures

QUIET_SECONDS = 10.0  # plain lines within an epoch come no closer than this


class Reporter(Protocol):
    """What fit tells whoever shows the progress."""

    def start(self, epochs: int, examples: int) -> None: ...
    def advance(self, epoch: int, examples: int, loss: float, metrics: dict[str, float]) -> None: ...
    def epoch(self, record: Epoch) -> None: ...
    def stop(self, message: str) -> None: ...


def choose_reporter(progress: bool | Reporter | None, stream: TextIO | None = None) -> Reporter:
    """None: a live line when the stream is a terminal, else plain lines; True: the same; False: silence; a Reporter: itself.

    A stream that is closed or full does not stop a training: what cannot be shown is dropped.
    """
    if progress is not None and not isinstance(progress, bool):
        return progress
    if progress is False:
        return Silent()
    shown = stderr() if stream is None else lenient(stream)
    return Live(shown) if shown.isatty() else Lines(shown)


class Silent:
    """Shows nothing."""

    def start(self, epochs: int, examples: int) -> None:
        """Nothing to prepare."""

    def advance(self, epoch: int, examples: int, loss: float, metrics: dict[str, float]) -> None:
        """Nothing to show."""

    def epoch(self, record: Epoch) -> None:
        """Nothing to show."""

    def stop(self, message: str) -> None:
        """Nothing to clean up."""


class Lines:
    """One plain line per epoch, and within a long epoch one about every ten seconds: for log files and pipes."""

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.epochs, self.examples, self.last = stream, 0, 0, 0.0

    def start(self, epochs: int, examples: int) -> None:
        """Remember what is to be done; the clock of the first line starts."""
        self.epochs, self.examples, self.last = epochs, examples, time.monotonic()

    def advance(self, epoch: int, examples: int, loss: float, metrics: dict[str, float]) -> None:
        """A line when the last one is old enough."""
        if time.monotonic() - self.last >= QUIET_SECONDS:
            done = f"{examples:,}/{self.examples:,} examples"
            self.say("  ".join([f"epoch {epoch + 1}/{self.epochs}", done, f"loss {loss:.4f}", *figures(metrics)]))

    def epoch(self, record: Epoch) -> None:
        """The epoch's line."""
        self.say(record.line(self.epochs))

    def stop(self, message: str) -> None:
        """A last word, if there is one."""
        if message:
            self.say(message)

    def say(self, text: str) -> None:
        """Write one line at once."""
        print(text, file=self.stream, flush=True)
        self.last = time.monotonic()


class Told(Lines):
    """The same lines, each given to a function; `prefix` stands before them."""

    def __init__(self, tell: Callable[[str], None], prefix: str = "") -> None:
        super().__init__(stderr())
        self.tell, self.prefix = tell, prefix

    def say(self, text: str) -> None:
        """Tell one line."""
        self.tell(self.prefix + text)
        self.last = time.monotonic()


class Speed(ProgressColumn):
    """Examples per second, from rich's own measure."""

    def render(self, task: Task) -> Text:
        """`12,345/s`."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "compiling" if not task.completed else "", style="cyan")


class Live:
    """One line that moves: epoch, bar, loss, metrics, examples per second, time remaining; finished epochs stay above it."""

    def __init__(self, stream: TextIO) -> None:
        # drawn by hand after each native call: a drawing thread of its own would take a core from the training
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TextColumn("{task.fields[figures]}"), Speed(),
                   TimeRemainingColumn())
        self.progress = Progress(*columns, console=Console(file=stream), auto_refresh=False, transient=True)
        self.epochs, self.examples, self.task = 0, 0, TaskID(0)

    def start(self, epochs: int, examples: int) -> None:
        """Show the empty bar: the first step has to be compiled before it moves."""
        self.epochs, self.examples = epochs, examples
        self.task = self.progress.add_task(f"epoch 1/{epochs}", total=epochs * examples, figures="")
        self.progress.start()
        notice.covered.append(self)

    def advance(self, epoch: int, examples: int, loss: float, metrics: dict[str, float]) -> None:
        """Move the bar and redraw."""
        shown = "  ".join([f"loss {loss:.4f}", *figures(metrics)])
        self.progress.update(self.task, completed=epoch * self.examples + examples, figures=shown,
                             description=f"epoch {epoch + 1}/{self.epochs}")
        self.progress.refresh()

    def epoch(self, record: Epoch) -> None:
        """The finished epoch's line stays on the screen."""
        self.progress.console.print(record.line(self.epochs), highlight=False, soft_wrap=True)

    def stop(self, message: str) -> None:
        """Take the bar away, leave the last word."""
        if self in notice.covered:
            notice.covered.remove(self)
        self.progress.stop()
        if message:
            self.progress.console.print(message, highlight=False, markup=False, soft_wrap=True)
