"""x[...] selects what NumPy selects: random combinations of all kinds of index, eagerly, compiled, and their gradients."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

import slopes as sl
from slopes.errors import ArgumentError, DTypeError, ShapeError, SlopesError

KINDS = ["number", "number", "slice", "slice", "array", "array", "list", "new axis", "rest", "mask"]


def one_index(kind: str, shape: tuple[int, ...], chosen: tuple[int, ...], choose: random.Random, numbers: np.random.Generator) -> Any:
    """An index of a kind for the leading axes of this shape; arrays broadcast to `chosen`."""
    n = shape[0]
    if kind == "number":
        return choose.randint(-n, n - 1)
    if kind == "slice":
        return slice(choose.choice([None, 0, 1, -2, 5]), choose.choice([None, 2, -1, 7]), choose.choice([None, 1, 2, -1, -2]))
    if kind == "array":
        return numbers.integers(-n, n, choose.choice([chosen, chosen, (1,)]))
    if kind == "list":
        return numbers.integers(0, n, chosen if len(chosen) == 1 else (2,)).tolist()
    if kind == "mask":
        return numbers.random(shape[: choose.randint(1, min(2, len(shape)))]) < 0.6
    return None if kind == "new axis" else ...


def a_case(seed: int) -> tuple[np.ndarray, tuple]:
    """An array, and an index for some of its axes."""
    choose, numbers = random.Random(seed), np.random.default_rng(seed)
    shape = tuple(choose.randint(1, 4) for _ in range(choose.randint(1, 5)))
    chosen = choose.choice([(2,), (3,), (2, 2), (1,), (), (0,)])
    items: list[Any] = []
    axis = 0
    while axis < len(shape) and choose.random() < 0.85:
        kind = choose.choice(KINDS)
        if kind == "rest" and any(each is ... for each in items):
            continue
        items.append(one_index(kind, shape[axis:], chosen, choose, numbers))
        axis += {"new axis": 0, "rest": 0, "mask": getattr(items[-1], "ndim", 0)}.get(kind, 1)
    return numbers.normal(size=shape), tuple(items)


def answer(function, *args) -> Any:
    """The value, or the kind of failure."""
    try:
        return function(*args)
    except (IndexError, SlopesError) as error:
        return error


CASES = 600


@pytest.mark.parametrize("part", range(6))
def test_every_index_selects_what_numpy_selects(part):
    for seed in range(part * CASES // 6, (part + 1) * CASES // 6):
        x, index = a_case(seed)
        expected, found = answer(lambda x, index: x[index], x, index), answer(lambda x, index: sl.tensor(x)[index], x, index)
        if isinstance(expected, IndexError) or isinstance(found, SlopesError):
            assert isinstance(expected, IndexError) and isinstance(found, SlopesError), (seed, x.shape, index, expected, found)
            continue
        assert found.shape == expected.shape, (seed, x.shape, index)
        np.testing.assert_array_equal(found.numpy(), expected)


@pytest.mark.parametrize("seed", range(0, CASES, 25))
def test_compiled_indices_and_gradients(seed):
    x, index = a_case(seed)
    selected = answer(lambda: x[index])
    if isinstance(selected, IndexError):
        return
    weights = np.random.default_rng(seed).normal(size=selected.shape)
    np.testing.assert_array_equal(sl.compile(lambda x: x[index])(sl.tensor(x)).numpy(), selected)
    expected = np.zeros_like(x)
    np.add.at(expected, index, weights)
    gradient = sl.grad(lambda x: (x[index] * sl.tensor(weights)).sum())
    for function in (gradient, sl.compile(gradient)):
        np.testing.assert_allclose(function(sl.tensor(x)).numpy(), expected, atol=1e-12)


X = np.arange(2 * 2 * 3 * 4).reshape(2, 2, 3, 4)
SEPARATED = [(0, slice(None), [1, 2]), (1, None, [0, 1]), (slice(None), 0, ..., [1, 2]), ([0, 1], slice(None), 1), ([0, 1], 1, [2, 0]),
             (slice(None), [0, 1], None, [1, 2]), (0, ..., [1, 2]), (slice(None), 1, [0, 2]), (0, [1, 0], slice(None), 1)]


@pytest.mark.parametrize("index", SEPARATED)
def test_a_whole_number_beside_an_array_counts_as_an_array(index):
    expected = X[index]
    arrays = tuple(sl.tensor(each) if isinstance(each, list) else each for each in index)
    for found in (sl.tensor(X)[index], sl.compile(lambda x: x[index])(sl.tensor(X)), sl.compile(lambda x, i: x[i])(sl.tensor(X), arrays)):
        assert found.shape == expected.shape
        np.testing.assert_array_equal(found.numpy(), expected)


@pytest.mark.parametrize("shape", [(3, 2), (2, 4), (2, 1), (1, 3), (4,)])
def test_a_mask_must_fit_its_axes(shape):
    x, mask = sl.zeros((2, 3)), np.zeros(shape, bool)
    for use in (lambda: x[mask], lambda: x[sl.tensor(mask)], lambda: x[..., mask], lambda: x[mask.tolist()]):
        with pytest.raises(ShapeError, match="a mask of shape"):
            use()


def test_arrays_of_one_number_are_whole_numbers():
    x = sl.tensor(X)
    for one in (np.array(1), np.int32(1), sl.tensor(1)):
        np.testing.assert_array_equal(x[:, one, 0].numpy(), X[:, 1, 0])


@pytest.mark.parametrize("index, error, text", [
    (slice(0, 1.5), ArgumentError, "is no slice of positions"), (slice("a"), ArgumentError, "is no slice of positions"),
    ([[0], [1, 2]], ShapeError, "do not have one shape"), ([2**70], DTypeError, "no number"),
    (1.0, ArgumentError, "is no index"), ([1.5], DTypeError, "cannot choose elements"),
])
def test_what_is_no_index_is_refused_in_words(index, error, text):
    with pytest.raises(error, match=text):
        sl.tensor(X)[index]
