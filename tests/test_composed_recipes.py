"""Recipes on made data: they beat their baselines on a few examples, draw what they found, the same again with the same seed."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from slopes import data
from slopes.zoo import recommend


def found_by(recipe, seed=0, **given):
    told = []
    findings = recipe.investigate(recipe.chosen(**given), seed, told.append)
    assert told and findings.lines and findings.weights
    assert all(np.isfinite(value) for value in findings.figures.values())
    return findings


# recommend


def test_ratings_are_forecast_better_than_by_biases(monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(data, "ratings", partial(data.ratings, users=60, items=50, per_user=40))
    small = {"epochs": 12, "batch": 32, "rank": 1, "factors": 1, "hidden": 4, "rate": 0.03}
    found = found_by(recommend.recipe, **small)
    assert found.figures["noise"] < found.figures["test RMSE"] < 0.5 * found.figures["biases only"]
    chosen = min(("factors", "MLP", "both"), key=lambda kind: found.figures[f"validation RMSE, {kind}"])
    assert f"({chosen})" in found.lines[0]
    assert set(found.pictures) == {"ratings.png", "curve.png"} and found.pictures["ratings.png"]().data("png")
    again = found_by(recommend.recipe, **small)
    assert again.figures == found.figures and again.lines == found.lines


def test_what_is_rated_already_is_not_recommended(monkeypatch):
    monkeypatch.setattr(recommend, "BEST", 1)
    made = data.ratings(users=4, items=3, per_user=3, noise=0.0)
    made.clear = np.zeros((4, 3), np.float32)
    made.clear[tuple(made.train.inputs.T)] = 9.0
    assert recommend.recommended(made, lambda pairs: made.clear[tuple(pairs.T)]) < 9
