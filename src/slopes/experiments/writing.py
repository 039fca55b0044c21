"""Text that a language model continues from a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import random, text
from ..compile import compile
from ..modes import no_grad
from ..train.mode import Mode


def continued(net: Any, state: Any, prompt: Sequence[str], vocabulary: text.Vocabulary, length: int, heat: float, seed: int) -> list[str]:
    """`length` tokens drawn one after the other at temperature `heat`, from the model's state before the prompt on."""
    draw = compile(lambda logits: text.sample(logits, heat))
    random.seed(seed)
    with Mode(net, training=False), no_grad():
        generated = text.generate(compile(net.step), state, [vocabulary.encode(prompt)], length, choose=draw)
    return vocabulary.decode(generated.tokens[0])
