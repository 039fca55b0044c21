"""scikit-learn's own checks of a classifier, a regressor and the transformer; python -m tests.estimator_checks runs all."""

from __future__ import annotations

import warnings

import pytest

pytest.importorskip("sklearn")

from estimator_checks import estimators
from sklearn.exceptions import ConvergenceWarning, SkipTestWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

SAMPLE = ("MLPClassifier", "MLPRegressor", "Autoencoder")


@parametrize_with_checks([estimator for estimator in estimators() if type(estimator).__name__ in SAMPLE])
def test_the_checks_of_scikit_learn_pass(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", SkipTestWarning)
        check(estimator)
