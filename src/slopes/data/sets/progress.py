"""Progress of a download: a bar on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as Bar

from ...streams import stderr

PATIENCE = 2.0  # seconds before a bar appears: what is quicker needs none
LINE_EVERY = 10.0  # seconds between plain lines


class Progress:
    """Shows how many of `total` bytes of the file `label` are here; used as a context."""

    def __init__(self, label: str, total: int, host: str) -> None:
        self.label, self.total, self.done = label, total, 0
        self.bar: Bar | None = None
        self.stream = stderr()
        self.terminal = self.stream.isatty()
        self.shown = self.begun = time.monotonic()
        self.say(f"downloading {label} ({total / 1e6:.1f} MB) from {host}")

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.bar is not None:
            self.bar.stop()
        if kind is None and self.done == self.total:
            self.say(f"downloaded {self.label}")

    def say(self, text: str) -> None:
        """A plain line, where no terminal shows a bar."""
        if not self.terminal:
            print(text, file=self.stream, flush=True)

    def show(self, done: int) -> None:
        """`done` bytes are here."""
        self.done = done
        now = time.monotonic()
        if self.bar is not None:
            self.bar.update(self.bar.task_ids[0], completed=done)
        elif self.terminal and now - self.begun > PATIENCE:
            self.bar = started_bar(self.label, self.total, done, self.stream)
        elif not self.terminal and now - self.shown > LINE_EVERY:
            self.shown = now
            self.say(f"  {self.label}: {100 * done // self.total}%")


def started_bar(label: str, total: int, done: int, stream: TextIO) -> Bar:
    bar = Bar(TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(),
              console=Console(file=stream))
    bar.add_task(label, total=total, completed=done)
    bar.start()
    return bar
