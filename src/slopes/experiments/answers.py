"""What recipes share when they predict: outputs of a net in eval mode, class probabilities, vocabularies in a run's facts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import nn, text
from ..compile import compile
from ..errors import DataError
from ..modes import no_grad
from ..tensor import Tensor, asarray
from ..train.mode import Mode


def outputs(net: nn.Module, *inputs: np.ndarray) -> Any:
    """The outputs of a net in eval mode, without derivatives: arrays, in the net's own structure of them."""
    with Mode(net, training=False), no_grad():
        y = net(*map(asarray, inputs))
        return y.numpy() if isinstance(y, Tensor) else tuple(part.numpy() for part in y)


def outputs_in_batches(net: nn.Module, forward: Callable[[Tensor], Tensor], inputs: np.ndarray, size: int) -> np.ndarray:
    """forward(inputs) of a net in eval mode, without derivatives, compiled for batches of `size` and concatenated."""
    program = compile(forward)
    with Mode(net, training=False), no_grad():
        return np.concatenate([program(asarray(inputs[first:first + size])).numpy() for first in range(0, len(inputs), size)])


def probabilities(logits: np.ndarray) -> np.ndarray:
    """softmax over the last axis, in float64."""
    shares = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


def likeliest(classes: Sequence[str], shares: np.ndarray, top: int = 1) -> str:
    """`seven (98.2%), two (1.1%)`: the most probable classes with their probabilities (classes,).

    >>> likeliest(["cat", "dog", "cow"], np.array([0.2, 0.7, 0.1]), top=2)
    'dog (70.0%), cat (20.0%)'
    """
    ranked = np.argsort(-shares, kind="stable")[:top]
    return ", ".join(f"{classes[i]} ({shares[i]:.1%})" for i in ranked)


def vocabulary_facts(vocabulary: text.Vocabulary) -> dict[str, list[str]]:
    """A vocabulary as a run folder keeps it."""
    return {"specials": list(vocabulary.specials), "tokens": list(vocabulary.tokens[len(vocabulary.specials):])}


def vocabulary_of(facts: Any) -> text.Vocabulary:
    """The vocabulary that `vocabulary_facts` describes; DataError for anything else."""
    if not isinstance(facts, dict) or not all(isinstance(facts.get(key), list) for key in ("specials", "tokens")):
        raise DataError("the run's vocabulary is damaged", why="it is a list of special tokens and a list of others",
                        repair="restore run.json from a copy, or train again", where="")
    return text.Vocabulary(facts["tokens"], facts["specials"])
