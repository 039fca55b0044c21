"""Metrics of text models: perplexity, BLEU, tagging accuracy, exact match."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import ArgumentError, ShapeError
from ..extras import require
from ..functions import where
from ..graph.dtype import bool_, float32
from ..tensor import Tensor, asarray


def perplexity(losses: Any, counts: Any = None) -> float:
    """exp of the mean negative log probability of a token: the effective number of equally likely choices.

    losses: what `nn.cross_entropy` gave, the mean for each batch (or one number); counts: the number of tokens in each, where they
    differ. perplexity = exp(sum c_i loss_i / sum c_i). Raises ShapeError for counts of another shape, ArgumentError for none.

    >>> from slopes import text
    >>> round(text.perplexity(np.log([10.0, 1000.0])), 6), round(text.perplexity(np.log([10.0, 1000.0]), [3, 1]), 3)
    (100.0, 31.623)
    """
    values = np.asarray(losses, np.float64)
    shares = np.ones(values.shape) if counts is None else np.asarray(counts, np.float64)
    if shares.shape != values.shape:
        raise ShapeError(f"perplexity: {shares.shape} counts for {values.shape} losses", why="each loss has the number of its tokens")
    if not shares.sum() > 0 or (shares < 0).any():
        raise ArgumentError("perplexity: there is no token", why=f"counts sum to {shares.sum():g}", repair="measure at least one batch")
    counted = np.where(shares > 0, values, 0)  # the mean loss of an empty batch may be nan
    with np.errstate(over="ignore"):
        return float(np.exp((counted * shares).sum() / shares.sum()))


class Bleu(NamedTuple):
    """BLEU from 0 to 100, the precisions in per cent, the brevity penalty, and how it was computed."""

    score: float
    precisions: tuple[float, ...]
    brevity_penalty: float
    signature: str


def bleu(hypotheses: Sequence[str], references: Sequence[str | Sequence[str]], tokenize: str = "13a", lowercase: bool = False) -> Bleu:
    """BLEU of translated sentences: brevity penalty x geometric mean of the precisions of 1- to 4-grams, over the whole corpus.

    references: for each hypothesis one sentence, or several. tokenize: "13a" (mteval's), "none" for tokens joined by blanks, or
    another that sacrebleu knows. Computed by `sacrebleu` (extra `text`): MissingExtraError without it. Raises ArgumentError for
    no sentence, or not as many references as hypotheses.
    Source: Papineni et al., "BLEU: a method for automatic evaluation of machine translation", 2002; Post, 2018.
    """
    if isinstance(hypotheses, str) or isinstance(references, str) or len(hypotheses) != len(references) or not len(hypotheses):
        raise ArgumentError(f"bleu: {len(hypotheses)} hypotheses and {len(references)} references", why="each sentence has its references, "
                            "and there is at least one", repair="give two lists of sentences of equal length")
    several = [(reference,) if isinstance(reference, str) else tuple(reference) for reference in references]
    if not all(several):
        raise ArgumentError("bleu: a sentence has no reference", repair="give at least one for each")
    columns = [[reference[k] if k < len(reference) else None for reference in several] for k in range(max(map(len, several)))]
    metric = require("sacrebleu.metrics", extra="text", purpose="text.bleu").BLEU(tokenize=tokenize, lowercase=lowercase, force=True)
    result = metric.corpus_score(list(hypotheses), columns)
    return Bleu(result.score, tuple(result.precisions), result.bp, str(metric.get_signature()))


def tagging_accuracy(predicted: Any, tags: Any, real: Any = None) -> Tensor:
    """The share of correct tags among `real` words: sum of [predicted = tag] over real / number of real.

    predicted and tags (N, T) integers, real (N, T) bool, such as `mask(lengths, T)` (by default, all). Works compiled. The share of
    no word at all is nan. Raises ShapeError for shapes that differ.

    >>> from slopes import text
    >>> text.tagging_accuracy([[1, 2, 0], [3, 0, 0]], [[1, 1, 0], [3, 0, 0]], text.mask([2, 1], 3))
    tensor(0.6666667)
    """
    predicted, tags = asarray(predicted), asarray(tags)
    real = predicted == predicted if real is None else asarray(real)
    if not predicted.shape == tags.shape == real.shape:
        raise ShapeError(f"tagging_accuracy: predicted {predicted.shape}, tags {tags.shape}, real {real.shape}",
                         why="they are of one shape", repair="of scores (N, T, C), give the best: sl.argmax(scores, axis=-1)")
    counted = real.astype(bool_)
    return where(counted, (predicted == tags).astype(float32), 0.0).sum() / counted.astype(float32).sum()


def exact_match(predictions: Sequence[Any], targets: Sequence[Any]) -> float:
    """The share of sequences (strings, lists of tokens, rows of numbers) that equal their targets, from 0 to 1.

    Raises ArgumentError for no sequence, or not as many of both.

    >>> from slopes import text
    >>> text.exact_match(["a seven", "a two"], ["a seven", "a three"])
    0.5
    """
    if len(predictions) != len(targets) or not len(predictions):
        raise ArgumentError(f"exact_match: {len(predictions)} predictions and {len(targets)} targets",
                            why="they are compared pairwise, and there is at least one")
    return sum(same(a, b) for a, b in zip(predictions, targets)) / len(predictions)


def same(a: Any, b: Any) -> bool:
    if isinstance(a, str) or isinstance(b, str):
        return isinstance(a, str) and isinstance(b, str) and a == b
    return np.array_equal(np.asarray(a), np.asarray(b))
