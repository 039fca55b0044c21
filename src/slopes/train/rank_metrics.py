"""Metrics that rank the examples of a data set: the areas under the ROC curve and under the curve of precision over recall."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from ..errors import ArgumentError

Ranking = Callable[[np.ndarray, np.ndarray], float]


def roc_auc(positive: np.ndarray, negative: np.ndarray) -> float:
    """The probability that a positive example has a larger score than a negative one; equal scores count one half.

    positive, negative: the weight of the examples of either kind with each score, by rising score -> nan without one of a kind.
    Source: Hanley and McNeil, "The meaning and use of the area under a ROC curve", Radiology 143, 1982.
    """
    below = np.cumsum(negative) - negative
    pairs = positive.sum() * negative.sum()
    return float((positive * (below + negative / 2)).sum() / pairs) if pairs else math.nan


def average_precision(positive: np.ndarray, negative: np.ndarray) -> float:
    """sum over scores of (rise of the recall at it) * (precision at it): the area under the steps of precision over recall.

    Arguments as in roc_auc; nan without a positive example.
    """
    right, all_above = (np.cumsum(weights[::-1])[::-1] for weights in (positive, positive + negative))
    precision = np.divide(right, all_above, out=np.zeros(len(right)), where=all_above > 0)
    return float((positive * precision).sum() / positive.sum()) if positive.sum() else math.nan


def ranked(ranking: Ranking) -> Callable[[np.ndarray, np.ndarray, np.ndarray], float]:
    """The figure of a ranking: of class 1 where there are two classes, else the mean over the classes of each against all others.

    Classes for which there is no figure are left out; nan where there is none at all, or an output is nan.
    """
    def score(outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> float:
        if np.isnan(outputs).any():
            return math.nan
        figures = [ranking(*by_score(scores, weights, truth)) for scores, truth in against_others(outputs, targets)]
        known = [figure for figure in figures if not math.isnan(figure)]
        return math.fsum(known) / len(known) if known else math.nan

    return score


def against_others(outputs: np.ndarray, targets: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(scores, whether an example is of the class) for each class that is ranked."""
    if outputs.ndim == 1:
        check_yes_or_no(targets)
        yield outputs, targets > 0.5
        return
    classes = outputs.shape[1]
    for label in range(classes) if classes > 2 else range(1, 2):
        yield log_odds(outputs.astype(np.float64), label), targets == label


def check_yes_or_no(targets: np.ndarray) -> None:
    """Targets of examples that are ranked by one logit are 0 or 1."""
    other = targets[~np.isin(targets, (0, 1))]
    if len(other):
        raise ArgumentError(f"examples are ranked by one logit each, but a target is {other[0]}",
                            why="a positive example has the target 1, a negative one 0",
                            repair="for numbers, use metrics such as r2; for classes, give the net an output for each")


def log_odds(outputs: np.ndarray, label: int) -> np.ndarray:
    """log p / (1 - p) of a class with p = softmax(outputs): ranks as p does, but does not round to 1."""
    others = np.delete(outputs, label, axis=1)
    largest = others.max(axis=1)
    return outputs[:, label] - largest - np.log(np.exp(others - largest[:, None]).sum(axis=1))


def by_score(scores: np.ndarray, weights: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The weights of the positive and of the negative examples with each score, by rising score."""
    values, index = np.unique(scores, return_inverse=True)
    positive, negative = (np.bincount(index, np.where(chosen, weights, 0.0), len(values)) for chosen in (truth, ~truth))
    return positive, negative
