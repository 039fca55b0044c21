"""Estimators for scikit-learn: networks of slopes in pipelines, grid searches and everything else that takes an estimator."""

from __future__ import annotations

from .autoencoder import Autoencoder
from .convolution import ConvClassifier
from .custom import NetClassifier, NetRegressor
from .mlp import MLPClassifier, MLPRegressor
from .sequences import SequenceClassifier

__all__ = ["Autoencoder", "ConvClassifier", "MLPClassifier", "MLPRegressor", "NetClassifier", "NetRegressor", "SequenceClassifier"]
