"""Random numbers: a seed gives one sequence, eagerly and traced; the distributions are what they say."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import slopes as sl
from slopes import random
from slopes.errors import ArgumentError, DTypeError, ShapeError
from slopes.machine.reference import evaluate
from slopes.trace import Trace, tracing

DRAWS = {
    "uniform": lambda g: sl.uniform((3, 4), generator=g), "wide": lambda g: sl.uniform(5, -2., 3., dtype="float64", generator=g),
    "normal": lambda g: sl.normal((2, 5), 1., 2., generator=g),
    "bernoulli": lambda g: sl.bernoulli(sl.tensor([0.2, 0.8]), (3, 2), generator=g),
    "integers": lambda g: sl.integers(2, 9, (7,), generator=g), "permutation": lambda g: sl.permutation(9, generator=g)}


def test_seed_begins_the_sequence_anew():
    sl.seed(7)
    first = [draw(None).tolist() for draw in DRAWS.values()]
    second = [draw(None).tolist() for draw in DRAWS.values()]
    sl.seed(7)
    assert [draw(None).tolist() for draw in DRAWS.values()] == first
    assert first != second
    sl.seed(8)
    assert [draw(None).tolist() for draw in DRAWS.values()] != first


@pytest.mark.parametrize("name", DRAWS)
def test_a_trace_draws_the_same_numbers_and_moves_the_counter_on(name):
    eager, traced, trace = sl.Generator(3), sl.Generator(3), Trace()
    wanted = [DRAWS[name](eager), DRAWS[name](eager)]
    with tracing(trace):
        found = [DRAWS[name](traced), DRAWS[name](traced)]
    env = {node: tensor.numpy() for tensor, node in trace.reads.items()}
    values = evaluate([each._node for each in found] + [trace.writes[traced.counter]], env)
    for value, each in zip(values, wanted):
        np.testing.assert_array_equal(value, each.numpy())
        assert value.dtype == each.dtype
    assert values[-1] == eager.counter.item() == 2
    assert list(trace.writes) == [traced.counter]


def test_seeds_of_64_bits_differ_and_wrong_ones_are_refused():
    first, second = sl.Generator(1), sl.Generator(1 + (1 << 32))
    assert sl.uniform(4, generator=first).tolist() != sl.uniform(4, generator=second).tolist()
    for wrong in (-1, 1 << 64, 0.5, "a", True):
        with pytest.raises(ArgumentError, match="is not a seed"):
            sl.seed(wrong)


def test_numbers_have_their_distributions():
    u, z = sl.uniform(100_000).numpy().astype(np.float64), sl.normal(100_000).numpy().astype(np.float64)
    assert u.min() >= 0
    assert u.max() < 1
    np.testing.assert_allclose([u.mean(), u.var()], [1 / 2, 1 / 12], atol=0.004)
    np.testing.assert_allclose([z.mean(), z.var(), (z ** 3).mean(), (z ** 4).mean()], [0, 1, 0, 3], atol=0.08)
    assert abs(np.corrcoef(u[:-1], u[1:])[0, 1]) < 0.02
    np.testing.assert_allclose(sl.bernoulli(0.3, 50_000).numpy().mean(), 0.3, atol=0.01)
    counts = np.bincount(sl.integers(0, 6, (60_000,)).numpy(), minlength=6)
    assert abs(counts - 10_000).max() < 500


def test_draws_are_independent_of_each_other():
    a, b = sl.uniform(20_000).numpy(), sl.uniform(20_000).numpy()
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.03
    assert not np.intersect1d(a[:1000], b[:1000]).size > 5


def test_permutations():
    assert sorted(sl.permutation(1000).tolist()) == list(range(1000))
    x = sl.tensor(np.arange(6.).reshape(3, 2))
    assert sorted(sl.permutation(x).tolist()) == [[0, 1], [2, 3], [4, 5]]
    assert sl.permutation(0).shape == (0,)
    with pytest.raises(ShapeError):
        sl.permutation(sl.tensor(1.))
    with pytest.raises(ShapeError):
        sl.permutation(-1)


def test_parameters_may_be_tensors_and_have_gradients():
    mean = sl.tensor([0., 100.], requires_grad=True)
    drawn = sl.normal((500, 2), mean, sl.tensor(2.))
    assert abs(drawn.detach().numpy().mean(0) - [0, 100]).max() < 0.5
    drawn.sum().backward()
    assert mean.grad.tolist() == [500, 500]
    assert sl.bernoulli(sl.tensor([0., 1.])).tolist() == [False, True]
    assert sl.bernoulli([0., 1.], (3, 2)).shape == (3, 2)


def test_wrong_arguments():
    with pytest.raises(DTypeError):
        sl.uniform(3, dtype="int32")
    with pytest.raises(ArgumentError):
        sl.integers(5, 5)
    with pytest.raises(ShapeError):
        sl.uniform((-2,))
    with pytest.raises(ShapeError, match="fewer than 2\\^32"):
        sl.uniform((1 << 16, 1 << 16))


def test_the_sequence_of_seed_0_stays_what_it_is():
    g = sl.Generator(0)
    assert (sl.uniform(2, generator=g).numpy() * (1 << 24)).astype(int).tolist() == [11483018, 6066326]


def test_a_block_may_draw_from_a_generator_of_its_own():
    sl.seed(3)
    expected = sl.uniform(3).numpy()
    sl.seed(3)
    with random.using(sl.Generator(8)) as own:
        sl.uniform(5)
        sl.seed(1)
        inside = sl.uniform(3).numpy()
        with ThreadPoolExecutor(1) as pool:
            elsewhere = pool.submit(lambda: sl.uniform(3).numpy()).result()
    assert np.array_equal(elsewhere, expected)  # another thread is in no block
    assert np.array_equal(inside, sl.uniform(3, generator=sl.Generator(1)).numpy()) and int(own.counter) == 1
    with pytest.raises(ZeroDivisionError), random.using(sl.Generator(2)):
        raise ZeroDivisionError
    assert random.current() is random.default
