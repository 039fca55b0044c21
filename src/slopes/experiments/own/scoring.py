"""How probable a language model finds lines of text: many lines at once, in steps of a fixed shape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from ... import nn
from ...compile import compile
from ...data.loaders.loader import IGNORED
from ...functions import where
from ...modes import no_grad
from ...tensor import Tensor, from_array
from ...train.mode import Mode
from ...zoo.gpt import GPT
from ...zoo.language import LanguageModel
from .codec import Codec

LINES, STEPS = 32, 64  # of a batch


class LineScorer:
    """Gives the losses of lines of text; each line follows the end of another one, of which the model knows nothing else.

    A GPT, which has no memory, sees the tokens of a line in pieces of its context, each without what stands before it.
    """

    def __init__(self, net: GPT | LanguageModel, codec: Codec) -> None:
        self.net, self.codec = net, codec
        self.steps = min(STEPS, net.context) if isinstance(net, GPT) else STEPS
        self.program = compile(self.read)

    def read(self, tokens: Tensor, targets: Tensor, state: Any) -> tuple[Tensor, Any]:
        """-log p of the targets (N, T), 0 where they are IGNORED, and the state after the tokens (N, T)."""
        logits, state = (self.net(tokens), state) if isinstance(self.net, GPT) else self.net.read(tokens, state)
        counted = targets != IGNORED
        flat = logits.reshape((-1, logits.shape[-1]))
        losses = nn.cross_entropy(flat, where(counted, targets, 0).reshape((-1,)), reduction="none")
        return where(counted, losses.reshape(targets.shape), 0.0), state

    def batch_losses(self, lines: Sequence[str]) -> list[float]:
        """The sum of -log p of the tokens of each line, nats."""
        rows = [self.codec.encode(f"\n{line}") for line in lines]
        length = max(self.steps, -(-(max(map(len, rows)) - 1) // self.steps) * self.steps)
        tokens, targets = np.zeros((LINES, length), np.int64), np.full((LINES, length), IGNORED, np.int64)
        for i, row in enumerate(rows):
            tokens[i, : len(row) - 1], targets[i, : len(row) - 1] = row[:-1], row[1:]
        total, state = np.zeros(LINES), None if isinstance(self.net, GPT) else self.net.zero_state(LINES)
        with Mode(self.net, training=False), no_grad():
            for first in range(0, length, self.steps):
                part = slice(first, first + self.steps)
                losses, state = self.program(from_array(tokens[:, part].copy()), from_array(targets[:, part].copy()), state)
                total += losses.numpy().sum(axis=1, dtype=np.float64)
        return total[: len(lines)].tolist()

    def losses(self, lines: Iterable[str]) -> Iterator[tuple[str, float]]:
        """Each line with the sum of -log p of its tokens, nats, as the lines are read."""
        lines = iter(lines)
        while part := list(islice(lines, LINES)):
            yield from zip(part, self.batch_losses(part))
