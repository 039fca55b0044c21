"""Conditioning: what comes out has the moments that were promised, by the training data's numbers alone, which can be kept and undone."""

from __future__ import annotations

import numpy as np
import pytest

from slopes.data import Dataset, Standardize, Whiten, save_safetensors
from slopes.errors import ArgumentError, DataError, NonFiniteError, OutOfRangeError, ShapeError


@pytest.fixture
def pictures(rng):
    mix = rng.normal(size=(2 * 3 * 4, 2 * 3 * 4))
    return (rng.normal(size=(500, 24)) @ mix + rng.normal(size=24)).reshape(500, 2, 3, 4).astype(np.float32)


@pytest.mark.parametrize("per, axes", [("feature", (0,)), ("channel", (0, 2, 3)), ("all", (0, 1, 2, 3))])
def test_standardized_training_inputs_have_mean_0_and_deviation_1(pictures, per, axes):
    scale = Standardize(pictures, per)
    found = scale(pictures)
    np.testing.assert_allclose(found.mean(axis=axes, dtype=np.float64), 0, atol=1e-5)
    np.testing.assert_allclose(found.std(axis=axes, dtype=np.float64), 1, atol=1e-5)
    np.testing.assert_allclose(scale(pictures[:3]), found[:3], rtol=1e-6)  # other inputs do not change what was learned
    np.testing.assert_allclose(scale.inverse(found), pictures, atol=1e-4)


def test_a_constant_feature_is_only_centred():
    scale = Standardize([[1.0, 5.0], [3.0, 5.0]])
    assert scale(np.array([[2.0, 6.0]])).tolist() == [[0.0, 1.0]]


def test_a_dataset_stays_a_dataset_with_its_targets_and_classes(pictures):
    train = Dataset(pictures, np.arange(500) % 2, ["a", "b"], "set.train")
    for conditioner in (Standardize(train), Whiten(train), Whiten(train, "pca", 5)):
        found = conditioner(train)
        assert isinstance(found, Dataset) and found.classes == ("a", "b") and found.name == "set.train"
        np.testing.assert_array_equal(found.inputs, conditioner(pictures))
        assert found.inputs.dtype == np.float32


@pytest.mark.parametrize("kind", ["pca", "zca"])
def test_whitened_inputs_are_uncorrelated(pictures, kind):
    found = Whiten(pictures, kind, epsilon=0.0)(pictures)
    assert found.shape == (pictures.shape if kind == "zca" else (500, 24))
    np.testing.assert_allclose(np.cov(found.reshape(500, 24).T.astype(np.float64), ddof=0), np.eye(24), atol=1e-3)


def test_pca_keeps_the_directions_of_most_variance_and_zca_stays_near(pictures):
    flat = pictures.reshape(500, 24).astype(np.float64)
    centred = flat - flat.mean(axis=0)
    _, values, vectors = np.linalg.svd(centred, full_matrices=False)
    code = Whiten(pictures, "pca", components=3, epsilon=0.1)
    expected = centred @ vectors[:3].T / np.sqrt(values[:3] ** 2 / 500 + 0.1)
    np.testing.assert_allclose(np.abs(code(pictures)), np.abs(expected), atol=1e-3)
    best = centred @ vectors[:3].T @ vectors[:3] + flat.mean(axis=0)  # the nearest of rank 3
    np.testing.assert_allclose(code.inverse(code(pictures)), best, atol=1e-3)
    zca = Whiten(pictures, "zca", epsilon=0.1)
    np.testing.assert_allclose(zca.matrix, zca.matrix.T, atol=1e-5)
    np.testing.assert_allclose(zca.inverse(zca(pictures)), flat, atol=1e-3)


@pytest.mark.parametrize("make", [lambda x: Standardize(x, "channel"), lambda x: Whiten(x), lambda x: Whiten(x, "pca", 4)])
def test_what_was_learned_can_be_saved_and_loaded(pictures, tmp_path, make):
    made = make(pictures)
    made.save(tmp_path / "numbers.safetensors")
    again = type(made).load(tmp_path / "numbers.safetensors")
    np.testing.assert_array_equal(again(pictures), made(pictures))
    other = Whiten if isinstance(made, Standardize) else Standardize
    with pytest.raises(DataError, match=r"numbers.safetensors: contents: (Whiten|Standardize) with .*mean"):
        other.load(tmp_path / "numbers.safetensors")


@pytest.mark.parametrize("kind, arrays", [
    (Standardize, {"mean": np.zeros(3), "std": np.zeros(3)}), (Standardize, {"mean": np.zeros(3), "std": np.ones(2)}),
    (Standardize, {"mean": np.zeros(3), "std": -np.ones(3)}), (Standardize, {"mean": np.zeros(3, int), "std": np.ones(3)}),
    (Standardize, {"mean": np.array([np.nan]), "std": np.ones(1)}),
    (Whiten, {"mean": np.zeros(3), "matrix": np.ones((2, 3)), "undo": np.ones((2, 3)), "shape": np.array([3])}),
    (Whiten, {"mean": np.zeros(3), "matrix": np.ones((2, 4)), "undo": np.ones((2, 3)), "shape": np.array([2])}),
    (Whiten, {"mean": np.zeros(3), "matrix": np.ones((2, 3)), "undo": np.ones((2, 3)), "shape": np.array([-2])}),
    (Whiten, {"mean": np.zeros(3), "matrix": np.ones(6), "undo": np.ones((2, 3)), "shape": np.array([2.0])}),
])
def test_numbers_that_nothing_can_be_done_with_are_refused(tmp_path, kind, arrays):
    save_safetensors(tmp_path / "x", arrays, {"slopes": kind.__name__})
    with pytest.raises(DataError, match=r"x: array"):
        kind.load(tmp_path / "x")


def test_what_becomes_infinite_is_refused():
    with pytest.raises(NonFiniteError, match=r"standardized inputs hold inf at \[0, 0\]"):
        Standardize([[1.0], [1.0 + 1e-15]])(np.array([[1e300]]))


def test_other_arrays_are_not_taken_for_a_conditioner(tmp_path):
    save_safetensors(tmp_path / "x", {"mean": np.zeros(3)})
    with pytest.raises(DataError, match="contents: arrays with mean\n"):
        Standardize.load(tmp_path / "x")


@pytest.mark.parametrize("call, kind, text", [
    (lambda: Standardize([1.0, 2.0]), ShapeError, "inputs of shape (2,)"),
    (lambda: Standardize(np.zeros((0, 3))), ShapeError, "inputs of shape (0, 3)"),
    (lambda: Standardize([[1.0], [np.nan]]), NonFiniteError, "inputs hold nan at [1, 0]"),
    (lambda: Standardize([[1.0], [2.0]], "row"), ArgumentError, "per='row'"),
    (lambda: Standardize([[1.0], [2.0]], "channel"), ArgumentError, "per='channel' for inputs of shape (2, 1)"),
    (lambda: Standardize([[1.0, 2.0]])(np.zeros((2, 3))), ShapeError, "inputs of shape (3,) do not fit what was learned from others, (2,)"),
    (lambda: Whiten([[1.0, 2.0]]), ShapeError, "1 example tells nothing about variation"),
    (lambda: Whiten([[1.0, 2.0], [2.0, 4.0]], epsilon=0.0), OutOfRangeError, "1 of 2 directions do not vary"),
    (lambda: Whiten([[1.0], [2.0]], "ica"), ArgumentError, "kind='ica'"),
    (lambda: Whiten([[1.0], [2.0]], "zca", 1), ArgumentError, "components=1"),
    (lambda: Whiten([[1.0], [2.0]], "pca", 2), ArgumentError, "components=2"),
    (lambda: Whiten([[1.0], [2.0]], epsilon=-1.0), ArgumentError, "epsilon=-1.0"),
    (lambda: Whiten([[1.0, 2.0], [2.0, 1.0]])(np.zeros((2, 3))), ShapeError, "inputs of shape (3,) do not fit"),
])
def test_conditioning_that_cannot_be_is_refused(call, kind, text):
    with pytest.raises(kind) as caught:
        call()
    assert text in str(caught.value)
