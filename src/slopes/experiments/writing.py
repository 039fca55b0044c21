"""What recipes of language models share: the loss on parts of a text, a text that the model continues, and the report of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .. import random, text
from ..compile import compile
from ..data.loaders.loader import Loader
from ..modes import no_grad
from ..train.evaluate import evaluate
from ..train.mode import Mode
from ..train.totals import Loss
from .experiment import Report, Result

TEMPERATURE = 0.8


def losses_of(net: Any, parts: Mapping[str, Loader], batch_size: int, loss: Loss | None = None) -> dict[str, float]:
    """The mean loss per token on each part of a text."""
    return {name: evaluate(net, part, loss=loss, batch_size=batch_size)["loss"] for name, part in parts.items()}


def continued(net: Any, state: Any, prompt: Sequence[str], vocabulary: text.Vocabulary, length: int, seed: int) -> list[str]:
    """`length` tokens drawn one after the other, from the model's state before the prompt on."""
    draw = compile(lambda logits: text.sample(logits, TEMPERATURE))
    random.seed(seed)
    with Mode(net, training=False), no_grad():
        generated = text.generate(compile(net.step), state, [vocabulary.encode(prompt)], length, choose=draw)
    return vocabulary.decode(generated.tokens[0])


def text_report(result: Result[Any], figures: dict[str, float], line: str, sample: str) -> Report:
    """The report of a language model: figures, a line about them, a text that it wrote, and the learning curve."""
    return Report(figures, [line, f"a sample (temperature {TEMPERATURE}):", sample], result.curves)
