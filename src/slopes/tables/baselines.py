"""What simpler models reach on the same rows: the most frequent class or the mean, a linear model, and scikit-learn's."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import MissingExtraError
from ..extras import require
from .calibrate import softmax
from .encoding import Encoding
from .schema import Schema

RIDGE = 1e-3  # times the number of rows: the penalty of the linear models
NEWTON_STEPS, CLOSE = 30, 1e-8
MOST_FEATURES = 2000  # of a linear model, whose cost grows with their square
MOST_CODES = 255  # categories that gradient boosting takes as such


class Rows:
    """The rows of one side of a split as every baseline needs them: features with one-hot categories, typed columns, targets."""

    def __init__(self, columns: Mapping[str, np.ndarray], encoding: Encoding, targets: np.ndarray) -> None:
        features, codes = encoding(columns)
        hot = [(codes[:, [i]] == np.arange(size)).astype(np.float32) for i, size in enumerate(encoding.widths.sizes)]
        self.features = np.concatenate([features, *hot], axis=1).astype(np.float64)
        self.columns, self.targets = columns, targets


def constant_baseline(train: Rows, test: Rows, classes: int) -> np.ndarray:
    """The shares of the classes in training, or the mean, for every row."""
    if not classes:
        return np.full(len(test.targets), train.targets.mean())
    return np.tile(np.bincount(train.targets, minlength=classes) / len(train.targets), (len(test.targets), 1))


def linear_baseline(train: Rows, test: Rows, classes: int) -> np.ndarray:
    """Ridge regression, or logistic regression with a squared penalty, on the encoded features."""
    inputs, tested = with_ones(train.features), with_ones(test.features)
    if not classes:
        penalty = RIDGE * len(inputs) * ridge_mask(inputs.shape[1])
        return tested @ np.linalg.solve(inputs.T @ inputs + np.diag(penalty), inputs.T @ train.targets)
    return softmax(tested @ logistic_weights(inputs, np.eye(classes)[train.targets]))


def with_ones(features: np.ndarray) -> np.ndarray:
    """The features and a column of ones."""
    return np.concatenate([features, np.ones((len(features), 1))], axis=1)


def ridge_mask(width: int) -> np.ndarray:
    """1 for each weight that is penalized: all but the last, of the column of ones, which has almost nothing."""
    return np.array([1.0] * (width - 1) + [1e-9])


def logistic_weights(inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The weights (D, classes) of multinomial logistic regression, by the bound of Böhning on the second derivative.

    Each step solves with the fixed matrix (X^T X + penalty) / 2, which is never below the second derivative; so the loss falls in
    every step. Nesterov's momentum makes few steps suffice. Source: Böhning, "Multinomial logistic regression algorithm", 1992.
    """
    penalty = RIDGE * len(inputs) * ridge_mask(inputs.shape[1])
    bound = np.linalg.inv(inputs.T @ inputs / 2 + np.diag(penalty))
    weights = previous = np.zeros((inputs.shape[1], targets.shape[1]))
    for step in range(1, 10 * NEWTON_STEPS + 1):
        ahead = weights + (step - 1) / (step + 2) * (weights - previous)
        gradient = inputs.T @ (softmax(inputs @ ahead) - targets) + penalty[:, None] * ahead
        previous, weights = weights, ahead - bound @ gradient
        if np.abs(weights - previous).max() < CLOSE * (1 + np.abs(weights).max()):
            break
    return weights


def boosting_baseline(schema: Schema, train: Rows, test: Rows, classes: int, seed: int) -> np.ndarray:
    """scikit-learn's histogram gradient boosting with its defaults: numbers as they are, categories by their codes, texts left out."""
    ensemble = require("sklearn.ensemble", extra="sklearn", purpose="the comparison with gradient boosting")
    inputs, categorical = boosting_inputs(schema, train.columns, train.columns)
    model = (ensemble.HistGradientBoostingClassifier if classes else ensemble.HistGradientBoostingRegressor)(
        categorical_features=categorical, random_state=seed)
    model.fit(inputs, train.targets)
    return answers(model, boosting_inputs(schema, train.columns, test.columns)[0], classes)


def boosting_inputs(schema: Schema, known: Mapping[str, np.ndarray], columns: Mapping[str, np.ndarray]) -> tuple[np.ndarray, list[bool]]:
    """(inputs (N, D), which of them are categories): codes count from 0 in the order of the words, nan for gaps and unknown words."""
    parts, categorical = [], []
    for column in schema.inputs:
        values = columns[column.name]
        if column.kind in ("number", "date"):
            parts.append(values)
        else:
            words = sorted(set(known[column.name].tolist()) - {""})[:MOST_CODES]
            if column.kind == "text" or not words:
                continue
            index = {word: float(i) for i, word in enumerate(words)}
            parts.append(np.array([index.get(value, np.nan) for value in values.tolist()]))
        categorical.append(column.kind not in ("number", "date"))
    return np.stack(parts, axis=1) if parts else np.zeros((len(next(iter(columns.values()))), 1)), categorical or [False]


def network_baseline(train: Rows, test: Rows, classes: int, seed: int) -> np.ndarray:
    """scikit-learn's MLP with its defaults, on the encoded features; numbers to predict are standardized for it."""
    networks = require("sklearn.neural_network", extra="sklearn", purpose="the comparison with scikit-learn's network")
    model = (networks.MLPClassifier if classes else networks.MLPRegressor)(random_state=seed)
    mean, std = (0, 1) if classes else (train.targets.mean(), train.targets.std() or 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 200 epochs are its own limit, of which it warns
        model.fit(train.features, train.targets if classes else (train.targets - mean) / std)
    return answers(model, test.features, classes) if classes else model.predict(test.features) * std + mean


def answers(model: Any, inputs: np.ndarray, classes: int) -> np.ndarray:
    """A model's numbers, or its probabilities with a column for each class, also for those that it has not seen."""
    if not classes:
        return np.asarray(model.predict(inputs), np.float64)
    result = np.zeros((len(inputs), classes))
    result[:, np.asarray(model.classes_, np.int64)] = model.predict_proba(inputs)
    return result


def baselines(schema: Schema, train: Rows, test: Rows, seed: int, notes: list[str]) -> dict[str, np.ndarray]:
    """The predictions of the test rows by each baseline, by name; notes say which are missing, and why."""
    classes = len(schema.target.classes)
    result = {"most frequent class" if classes else "mean": constant_baseline(train, test, classes)}
    if train.features.shape[1] <= MOST_FEATURES:
        result["linear model"] = linear_baseline(train, test, classes)
    else:
        notes.append(f"no linear model: {train.features.shape[1]:,} features, more than {MOST_FEATURES:,}")
    try:
        result["gradient boosting (scikit-learn)"] = boosting_baseline(schema, train, test, classes, seed)
        result["MLP (scikit-learn)"] = network_baseline(train, test, classes, seed)
    except MissingExtraError as error:
        notes.append(f"not compared with gradient boosting: {error.what}; {error.repair}")
    return result
