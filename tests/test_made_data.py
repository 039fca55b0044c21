"""Made data: composed digits say what is in the picture, ratings follow their rule; all pure functions of the seed."""

from __future__ import annotations

import numpy as np
import pytest

from slopes import data
from slopes.data import Dataset, Splits
from slopes.data.sets import composed
from slopes.data.sets.ratings import bias_only, ratings
from slopes.errors import ArgumentError, ShapeError


def marks(name, count=40):
    """Digits that can be told from their pixels: digit d is a square of brightness (d + 4) / 14 in the middle."""
    labels = np.arange(count) % 10
    images = np.zeros((count, 1, 28, 28), np.float32)
    images[:, 0, 6:22, 6:22] = ((labels + 4) / 14)[:, None, None]
    return Dataset(images, labels, tuple("0123456789"), name)


@pytest.fixture
def made(monkeypatch):
    monkeypatch.setattr(composed, "mnist", lambda folder: Splits(marks("a"), marks("b"), lambda: marks("c"), "marks"))


def squares(image):
    """{digit: (row, column) of its middle} of the squares in a picture without ground."""
    found = []
    for value in np.unique(image[image > 0]):
        rows, columns = np.nonzero(image == value)
        found.append((round(float(value) * 14 - 4), rows.mean(), columns.mean(), len(rows)))
    return found


def test_captions_say_which_digits_are_where(made):
    splits = data.digit_captions(sizes=(200, 5, 5))
    kinds = set()
    for image, target in zip(splits.train.inputs[:, 0], splits.train.targets):
        words = data.caption_text(target).split()
        digits = [composed.WORDS.index(word) for word in words if word in composed.WORDS]
        kinds.add(" ".join("a" if word == "an" else word for word in words if word not in composed.WORDS))
        seen = {digit: (row, column) for digit, row, column, _ in squares(image)}
        assert set(digits) == set(seen)
        if len(set(digits)) < len(digits):
            continue
        if "left" in words:
            (row, column), (other_row, other) = (seen[digit] for digit in digits[:2])
            assert column + 15 < other and abs(row - other_row) <= composed.SHIFT
        if "above" in words:
            assert seen[digits[0]][0] + 15 < seen[digits[1]][0]
        if "below" in words:
            assert seen[digits[2]][0] > max(seen[digits[0]][0], seen[digits[1]][0]) + 15
    assert kinds == {"a", "a left of a", "a above a", "a left of a and a below"}


def test_the_masks_are_the_ink(made):
    plain, told = data.digit_masks(sizes=(20, 2, 2)), data.digit_masks(sizes=(20, 2, 2), digits=True)
    np.testing.assert_array_equal(plain.train.inputs, told.train.inputs)
    np.testing.assert_array_equal(plain.train.targets, told.train.targets > 0)
    assert plain.classes == ("ground", "ink") and told.classes[8] == "seven"
    counts = (plain.train.targets.sum(axis=(1, 2)) / 256).tolist()
    assert set(counts) <= {1, 2, 3, 4} and len(set(counts)) > 2
    ground = plain.train.inputs[:, 0][plain.train.targets == 0]
    assert ground.min() == 0 and 0.1 < ground.mean() < 0.3 and ground.max() <= 0.55 + 1e-6


@pytest.mark.parametrize("make", [data.digit_captions, data.digit_masks])
def test_an_example_depends_on_seed_part_and_number_alone(made, make):
    one, two, other = make(sizes=(6, 3, 3)), make(sizes=(4, 3, 3)), make(sizes=(4, 3, 3), seed=1)
    np.testing.assert_array_equal(one.train.inputs[:4], two.train.inputs)
    np.testing.assert_array_equal(one.train.targets[:4], two.train.targets)
    assert not np.array_equal(two.train.inputs, other.train.inputs)
    assert not np.array_equal(one.train.inputs[:3], one.validation.inputs)
    assert one.test_untouched and not np.array_equal(one.test.inputs, one.validation.inputs)


@pytest.mark.parametrize("sizes", [(1, 1), (1, 1, 0), (1.5, 1, 1)])
def test_sizes_of_made_data_are_checked(made, sizes):
    with pytest.raises(ArgumentError, match="digit_masks: sizes="):
        data.digit_masks(sizes=sizes)


def test_digits_of_another_size_are_refused(monkeypatch):
    small = Dataset(np.zeros((3, 1, 8, 8)), [0, 1, 2])
    monkeypatch.setattr(composed, "mnist", lambda folder: Splits(small, small, None, "small"))
    with pytest.raises(ShapeError, match="digit_captions needs digits of 28 x 28 pixels"):
        data.digit_captions()


def test_captions_of_real_digits(data_folder):
    splits = data.digit_captions(data_folder, sizes=(3, 2, 2))
    assert data.caption_text(splits.train.targets[0]) == "a seven above a nine"
    assert splits.test_untouched and splits.train.inputs.shape == (3, 1, 56, 56)


# Ratings


def test_ratings_follow_their_rule():
    made = ratings(seed=2)
    pairs, given = made.train.inputs, made.train.targets
    rest = given - made.clear[pairs[:, 0], pairs[:, 1]]
    assert abs(rest.mean()) < 0.01 and abs(rest.std() - made.noise) < 0.01
    assert abs(made.clear.mean() - 3) < 0.15 and abs(made.clear.std() - np.sqrt(1 + 2 * 0.16)) < 0.15
    without = made.clear - made.clear.mean(axis=0) - made.clear.mean(axis=1, keepdims=True) + made.clear.mean()
    assert (np.linalg.svd(without.astype(np.float64), compute_uv=False)[:5] > 1).tolist() == [True] * 3 + [False] * 2


def test_every_user_rates_so_many_different_items_and_popular_ones_more_often():
    made = ratings(users=100, items=80, per_user=20)
    pairs = np.concatenate([part.inputs for part in (made.train, made.validation, made.test)])
    assert len(np.unique(pairs, axis=0)) == len(pairs) == 2000
    assert np.bincount(pairs[:, 0]).tolist() == [20] * 100
    items = np.bincount(pairs[:, 1], minlength=80)
    assert items[:20].mean() > 1.5 * items[-20:].mean()


def test_ratings_are_a_pure_function_of_their_arguments():
    one, two = ratings(seed=4), ratings(seed=4)
    np.testing.assert_array_equal(one.train.targets, two.train.targets)
    assert not np.array_equal(one.train.targets, ratings(seed=5).train.targets)


def test_the_bias_only_baseline_is_the_ridge_solution(rng):
    pairs = np.stack([rng.integers(0, 6, 40), rng.integers(0, 5, 40)], axis=1)
    train = Dataset(pairs, rng.normal(size=40))
    design = np.concatenate([np.eye(6)[pairs[:, 0]], np.eye(5)[pairs[:, 1]]], axis=1)
    mean = train.targets.mean(dtype=np.float64)
    best = np.linalg.solve(design.T @ design + 2 * np.eye(11), design.T @ (train.targets - mean))
    np.testing.assert_allclose(bias_only(train, pairs, strength=2.0, rounds=200), mean + design @ best, atol=1e-5)


def test_the_bias_only_baseline_leaves_the_tastes_unexplained():
    made = ratings()
    error = float(((bias_only(made.train, made.test.inputs) - made.test.targets) ** 2).mean())
    assert 0.9 < error < 1.3 and made.noise**2 < 0.1


@pytest.mark.parametrize("options", [{"users": 0}, {"items": 10, "per_user": 11}, {"rank": 0}, {"noise": -1}, {"noise": float("nan")}])
def test_ratings_that_cannot_be_made_are_refused(options):
    with pytest.raises(ArgumentError, match="ratings: "):
        ratings(**options)
