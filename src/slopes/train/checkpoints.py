"""When the state of a training is saved: at intervals, and when it ends, also after Ctrl-C or SIGTERM."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..agreement import agree
from ..constraint import NOT_NEGATIVE, check
from ..errors import DataError, SaveError
from .chunk import Chunk
from .data_digest import data_digest
from .runs import TrainingState
from .training import Callback, Training

EVERY_SECONDS = 60.0  # at least this long between two checkpoints
SHARE = 100  # and this many times as long as writing one takes: at most 1% of the time goes into checkpoints


class Checkpoints(Callback):
    """Keeps the state of a training at its end, and calls `save(training, state)` now and then while it runs.

    It comes after all other callbacks, so that their states are those after the same step. A checkpoint that cannot be written does
    not end the training: `warn` gets the first error.

    every         seconds between two checkpoints; there are fewer of them where writing takes more than 1% of it
    data_sha256   the digest of the data that the training was begun with, "" at its beginning. DataError for other data
    state         the last state that was kept; None before there is one
    terminated    whether SIGTERM ended the training: the process is to end, too
    """

    def __init__(self, save: Callable[[Training, TrainingState], None], every: float = EVERY_SECONDS, data_sha256: str = "",
                 warn: Callable[[SaveError], None] = lambda error: None) -> None:
        check("Checkpoints", {"every": NOT_NEGATIVE}, {"every": every})
        self.save, self.every, self.expected, self.warn = save, every, data_sha256, warn
        self.state: TrainingState | None = None
        self.data_sha256, self.due = "", 0.0
        self.failed = self.terminated = False

    def begin(self, training: Training) -> None:
        """Compare the data; from now on SIGTERM waits for the end of a chunk."""
        self.data_sha256 = data_digest(training.sources)
        if self.expected not in ("", self.data_sha256):
            raise DataError("the run cannot be continued with these data", repair="use the data that it was begun with, or train again "
                            "into another folder", why=f"their SHA-256 begins with {self.data_sha256[:12]}, not with "
                            f"{self.expected[:12]}: examples, targets or validation data were changed")
        training.interrupts.watch_termination()
        self.due = time.monotonic() + self.every

    def resumed(self, training: Training) -> None:
        """Keep the state: there may be no further step."""
        self.keep(training)

    def chunk_done(self, training: Training, chunk: Chunk | None) -> None:
        """Save a checkpoint if the last one is old enough."""
        if training.ended:  # the next event is the end, which may replace the weights
            self.keep(training)
        elif agree(time.monotonic() >= self.due):
            self.write(training)

    def epoch_done(self, training: Training) -> None:
        """The same after an epoch."""
        self.chunk_done(training, None)

    def interrupted(self, training: Training) -> None:
        """Keep the state, which is saved when everything has ended."""
        self.keep(training)
        self.terminated = training.interrupts.terminated

    def keep(self, training: Training) -> TrainingState:
        """Remember the state of the training."""
        epoch, step = training.position
        self.state = TrainingState(training.named_state(), {"epoch": epoch, "step": step}, self.data_sha256)
        return self.state

    def write(self, training: Training) -> None:
        """Save a checkpoint."""
        started = time.monotonic()
        try:
            self.save(training, self.keep(training))
        except SaveError as error:
            if not self.failed:
                self.warn(error)
            self.failed = True
        finished = time.monotonic()
        self.due = finished + max(self.every, SHARE * (finished - started))
