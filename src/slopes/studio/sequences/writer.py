"""Writing: a network continues a prompt, character by character; and which samples are kept as it learns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ... import text
from ...compile import compile
from ...modes import no_grad
from ...random import Generator
from ...tensor import asarray
from ...train.mode import Mode
from ...zoo.gpt import GPT
from .texts import Corpus

LENGTH = 240  # characters that are written
KEPT = 10  # samples


@dataclass(frozen=True)
class Sample:
    """What a network wrote after `step` steps of training."""

    step: int
    prompt: str
    text: str
    temperature: float


class Writer:
    """Writes with one network; the programs are compiled once, whatever the temperature."""

    def __init__(self, net: Any, corpus: Corpus, seed: int) -> None:
        self.net, self.corpus, self.generator = net, corpus, Generator(seed)
        self.step = compile(net.step)
        self.draw = compile(lambda logits, temperature: text.sample(logits, temperature, generator=self.generator))

    def write(self, prompt: str, temperature: float, length: int = LENGTH) -> str:
        """What follows the prompt; a prompt without a known character is a new line, or the text's first character."""
        known = self.corpus.known(prompt) or self.corpus.known("\n") or self.corpus.train[0]
        state = self.net.begin(1) if isinstance(self.net, GPT) else self.net.zero_state(1)
        heat = asarray(np.float32(temperature))
        with Mode(self.net, training=False, quiet=True), no_grad():
            generated = text.generate(self.step, state, self.corpus.encode(known)[None], length,
                                      choose=lambda logits: self.draw(logits, heat))
        return "".join(self.corpus.characters.decode(generated.tokens[0]))


def keep(samples: list[Sample], most: int = KEPT) -> list[Sample]:
    """At most so many samples: the first, the last, and between them those whose steps grow most evenly by a factor.

    >>> [sample.step for sample in keep([Sample(step, "", "", 1.0) for step in (0, 10, 20, 30, 100, 1000)], 4)]
    [0, 10, 100, 1000]
    """
    samples = list(samples)
    while len(samples) > most:
        growth = [(after.step + 1) / (before.step + 1) for before, after in zip(samples, samples[2:])]
        del samples[1 + int(np.argmin(growth))]
    return samples
