"""The playground's engine: a training that is stepped, looked at and steered from the page."""

from __future__ import annotations

import time

import numpy as np

from ..engine import Context, Frame
from ..messages import Attached, Message
from .messages import Play


class Playground:
    """Counts slices while it plays."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.playing, self.changed, self.steps = False, True, 0

    def handle(self, message: Message) -> Frame | None:
        """Play or pause."""
        if isinstance(message, Attached):
            self.changed = True
        if isinstance(message, Play):
            self.playing = self.changed = message.on
        return None

    def step(self, seconds: float) -> bool:
        """Count."""
        if self.playing:
            time.sleep(seconds)
            self.steps += 1
            self.changed = True
        return self.playing

    def frame(self) -> Frame | None:
        """The count, and a wave."""
        if not self.changed:
            return None
        self.changed = False
        wave = np.sin(np.arange(100, dtype=np.float32) / 10 + self.steps / 10)
        return Frame({"kind": "state", "steps": self.steps, "playing": self.playing}, {"wave": wave})

    def close(self) -> None:
        """Nothing is held."""
