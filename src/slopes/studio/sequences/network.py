"""Character models of the page: recurrent networks with and without gates, and a small transformer."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import nn, optim, random, text
from ...random import Generator
from ...train.training import Training
from ...zoo.gpt import GPT
from ...zoo.language import LanguageModel
from ..live import LONGEST_TRAINING, LiveTraining
from .messages import Configure
from .texts import Corpus

CLIP = 5.0  # the norm of all gradients
DEPTH, HEADS = 2, 4  # of the transformer
WIDEST = 64  # embedding of a recurrent network


def network(kind: str, corpus: Corpus, settings: Configure) -> Any:
    """A character model; an LSTM's forget gates begin with the bias `settings.forget`."""
    if kind == "transformer":
        width = max(1, settings.hidden // HEADS) * HEADS
        return GPT(corpus.size, settings.context, width, DEPTH, HEADS)
    net = LanguageModel(corpus.size, width=min(WIDEST, settings.hidden), hidden=settings.hidden, kind=kind)
    if isinstance(net.memory, nn.LSTM):
        net.memory.set_forget_bias(net.memory.weights("_l0"), settings.forget)
    return net


def loader(kind: str, tokens: np.ndarray, context: int) -> Any:
    """The batches of a text: streams for networks that keep their state, windows from anywhere for the transformer."""
    return text.Windows(tokens, min(context, len(tokens) - 1)) if kind == "transformer" else text.Streams(tokens, context)


class Learner:
    """One network and its training: that of `sl.Training(net, loader, optimizer=Adam(lr=rate), clip=5, batch_size=..., seed=seed)`,
    the weights drawn after `sl.seed(seed)`."""

    def __init__(self, kind: str, corpus: Corpus, settings: Configure) -> None:
        self.kind = kind
        with random.using(Generator(settings.seed)):
            self.net = network(kind, corpus, settings)
        self.live = LiveTraining(Training(self.net, loader(kind, corpus.encode(corpus.train), settings.context),
                                          optimizer=optim.Adam(lr=settings.rate), batch_size=settings.batch, clip=CLIP,
                                          epochs=LONGEST_TRAINING, seed=settings.seed))

    @property
    def recurrent(self) -> bool:
        """Whether it has a state."""
        return self.kind != "transformer"
