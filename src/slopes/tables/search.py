"""Searching for the hyper-parameters of the networks for a table, by the rows that choose their epochs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..train.space import Between, Choices
from .study import Prepared, Question, encode, prepare
from .training import DEFAULTS, Settings, train_members

RANGES: dict[str, Choices] = {
    "rate": Between(DEFAULTS.rate / 10, DEFAULTS.rate * 10, log=True), "decay": Between(DEFAULTS.decay / 10, DEFAULTS.decay * 10, log=True),
    "dropout": Between(0.0, 0.7), "width": (64, 128, 256), "layers": (2, 3, 4)}


@dataclass
class TableTask:
    """A training of all networks for a table; `settings_of` makes their settings.

    The mean of the networks' lowest validation losses is reported after each of them; that of all is the figure. The test rows have
    no part in it.
    """

    question: Question
    settings_of: Callable[[dict[str, Any]], Settings]
    seed: int
    prepared: Prepared | None = None  # read once by each process

    def __call__(self, settings: dict[str, Any], report: Callable[[float], bool]) -> float:
        """The figure of a training."""
        resolved = self.settings_of(settings)
        losses: list[float] = []
        self.prepared = prepared = self.prepared or prepare(self.question, resolved, self.seed)
        encoding, examples, _ = encode(prepared)

        def network_done(loss: float) -> bool:
            losses.append(loss)
            return report(float(np.mean(losses)))

        trained = train_members(examples, prepared.split.fold, encoding.widths, prepared.outputs, resolved, self.seed, report=network_done)
        if any(member.run.interrupted for member in trained.members):
            raise KeyboardInterrupt
        return float(np.mean(losses))
