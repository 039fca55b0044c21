"""Simpler models of texts, beside which a network is shown: linear models and naive Bayes on how often words occur (TF-IDF)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import text
from ...errors import MissingExtraError
from ...extras import require
from ...tables.baselines import RIDGE, logistic_weights, with_ones
from ...tables.calibrate import softmax
from ...text.vocabulary import UNK
from .tokens import with_pairs

MOST_WORDS = 1999  # of the linear model, whose cost grows with their square
MOST_TEXTS = 10_000  # that the linear model learns from: its features of all words are in memory
BLOCK = 4096  # texts whose features are in memory at once
BAYES, LOGISTIC = "naive Bayes (scikit-learn)", "logistic regression (scikit-learn)"

Rows = Sequence[Sequence[str]]  # the tokens of texts


class Tfidf:
    """The features of a text: for each frequent word, tf * idf, divided by the length of the row of all of them.

    tf = 1 + log(count) of a word in the text, idf = log((1 + N) / (1 + n)) + 1 for n of the N training texts that have the word.
    Source: Manning, Raghavan, Schuetze, Introduction to Information Retrieval, 2008, chapter 6.
    """

    def __init__(self, rows: Rows) -> None:
        self.words = text.Vocabulary.build(rows, largest=MOST_WORDS, specials=(UNK,))
        counts = np.zeros(len(self.words))
        for row in rows:
            counts[np.unique(self.words.encode(row))] += 1
        self.weights = np.log((1 + len(rows)) / (1 + counts)) + 1

    def __call__(self, rows: Rows) -> np.ndarray:
        """(N, words) float64."""
        counts = np.stack([np.bincount(self.words.encode(row), minlength=len(self.words)) for row in rows]).astype(np.float64)
        counts[:, self.words.unk] = 0
        features = np.where(counts > 0, 1 + np.log(np.maximum(counts, 1)), 0) * self.weights
        return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)


def linear_shares(learned: Rows, targets: np.ndarray, tested: Rows, classes: int) -> np.ndarray:
    """The probabilities (N, classes) of logistic regression on TF-IDF features, with the penalty |weights|^2 / 2."""
    chosen = sample(len(learned))
    learned, targets = [learned[i] for i in chosen], targets[chosen]
    tfidf = Tfidf(learned)
    scale = np.sqrt(RIDGE * len(learned))  # so that the penalty of weights of unscaled features is 1, not RIDGE * rows
    weights = logistic_weights(with_ones(tfidf(learned) * scale), np.eye(classes)[targets])
    blocks = [tested[first : first + BLOCK] for first in range(0, len(tested), BLOCK)]
    return np.concatenate([softmax(with_ones(tfidf(block) * scale) @ weights) for block in blocks])


def sample(rows: int) -> np.ndarray:
    """The rows that the linear model learns from: all, or as many as it may, evenly spread."""
    return np.linspace(0, rows - 1, min(rows, MOST_TEXTS)).astype(np.int64)


def library_shares(learned: Rows, targets: np.ndarray, tested: Rows, classes: int) -> dict[str, np.ndarray]:
    """The same of scikit-learn's naive Bayes and logistic regression, with their defaults, on TF-IDF of words and pairs of words.

    Raises MissingExtraError without scikit-learn.
    """
    features = require("sklearn.feature_extraction.text", extra="sklearn", purpose="the comparison with naive Bayes")
    bayes, linear = require("sklearn.naive_bayes", extra="sklearn"), require("sklearn.linear_model", extra="sklearn")
    tfidf = features.TfidfVectorizer(analyzer=with_pairs, min_df=min(2, len(learned)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of regression whose steps end before it has converged
        inputs, outputs = tfidf.fit_transform(learned), tfidf.transform(tested)
        return {name: all_classes(model.fit(inputs, targets), outputs, classes)
                for name, model in ((BAYES, bayes.MultinomialNB()), (LOGISTIC, linear.LogisticRegression()))}


def all_classes(model: Any, inputs: Any, classes: int) -> np.ndarray:
    """A model's probabilities with a column for each class, also for those that it has not seen."""
    result = np.zeros((inputs.shape[0], classes))
    result[:, np.asarray(model.classes_, np.int64)] = model.predict_proba(inputs)
    return result


def simpler_models(learned: Rows, targets: np.ndarray, tested: Rows, classes: int, notes: list[str]) -> dict[str, np.ndarray]:
    """The probabilities (N, classes) of tested texts by each model, by name; notes say what is missing, and why."""
    if len(learned) > MOST_TEXTS:
        notes.append(f"the linear model learns from {MOST_TEXTS:,} of the {len(learned):,} texts")
    result = {"linear model": linear_shares(learned, targets, tested, classes)}
    try:
        return result | library_shares(learned, targets, tested, classes)
    except MissingExtraError as error:
        notes.append(f"not compared with naive Bayes: {error.what}; {error.repair}")
        return result
