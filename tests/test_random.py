"""Random numbers: a seed gives one sequence, eagerly and traced; the distributions are what they say."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import slopes as sl
from slopes import draws, nn, random
from slopes.costs import DRAW_BLOCK
from slopes.errors import ArgumentError, DTypeError, ShapeError, TooLargeError
from slopes.machine import bits, native
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


LARGE_DRAWS = {
    "uniform": lambda n, g: sl.uniform((n,), generator=g), "float64": lambda n, g: sl.uniform(n, -0.3, 0.7, dtype="float64", generator=g),
    "scaled": lambda n, g: sl.uniform(n, np.float64(-0.3), 1, generator=g), "normal": lambda n, g: sl.normal(n, generator=g),
    "normal scaled": lambda n, g: sl.normal(n, 0.1, 0.02, generator=g),
    "normal float64": lambda n, g: sl.normal(n, -1, 2, dtype="float64", generator=g),
    "by tensors": lambda n, g: sl.normal((n // 2, 2), sl.tensor([0., 5.]), sl.tensor([[3.]]), generator=g),
    "bernoulli": lambda n, g: sl.bernoulli(0.3, (n,), generator=g), "bernoulli by 1": lambda n, g: sl.bernoulli(1, (n,), generator=g),
    "bernoulli by tensor": lambda n, g: sl.bernoulli(sl.tensor([0.2, 0.8]), (n // 2, 2), generator=g),
    "integers": lambda n, g: sl.integers(-5, 1000, (n,), generator=g),
    "all integers": lambda n, g: sl.integers(0, 1 << 32, (n,), generator=g),
    "permutation": lambda n, g: sl.permutation(n, generator=g)}


def drawn(monkeypatch, name, n, limit):
    """Two draws of n numbers, by the program from `limit` numbers on."""
    with monkeypatch.context() as patch:
        patch.setattr(random, "LARGE", limit)
        generator = sl.Generator(1 << 40)
        results = [LARGE_DRAWS[name](n, generator) for _ in range(2)]
        return [(x.dtype, x.shape, x.numpy().tobytes()) for x in results] + [int(generator.counter)]


@pytest.mark.parametrize("name", LARGE_DRAWS)
def test_draws_by_the_program_have_the_bits_of_draws_without_it(name, monkeypatch):
    for n in (2, DRAW_BLOCK - 1, DRAW_BLOCK, DRAW_BLOCK + 1, 2 * DRAW_BLOCK + 18):
        assert drawn(monkeypatch, name, n, 1) == drawn(monkeypatch, name, n, 1 << 32)


@pytest.mark.parametrize("n", [draws.LARGE - 1, draws.LARGE, draws.LARGE + 1])
def test_draws_around_the_limit_have_the_bits_of_draws_without_a_program(n, monkeypatch):
    assert drawn(monkeypatch, "normal scaled", n, draws.LARGE) == drawn(monkeypatch, "normal scaled", n, 1 << 32)


def test_large_draws_share_one_program(monkeypatch):
    compiled = []
    build = native.compile_graph
    monkeypatch.setattr(bits, "compile_graph", lambda *args, **options: compiled.append(1) or build(*args, **options))
    bits.program.cache_clear()
    monkeypatch.setattr(random, "LARGE", 1)
    for n in (2, 1000, 3 * DRAW_BLOCK):
        for draw in LARGE_DRAWS.values():
            draw(n, None)
    assert len(compiled) == 1


def test_large_draws_wrap_around_the_counter():
    whole = bits.Bits((1, 2), 2)
    whole.fill([(1 << 32) - 3, 1 << 33])
    first, second = (word.copy() for word in whole.words)
    np.testing.assert_array_equal(first[3:], second[:-3])


def test_small_draws_need_no_program(monkeypatch):
    monkeypatch.setattr(random, "draw_blocks", None)
    assert sl.normal(draws.LARGE - 1).shape == (draws.LARGE - 1,)


def test_large_draws_of_several_threads_do_not_mix():
    def drawn(seed):
        return sl.normal(draws.LARGE, generator=sl.Generator(seed)).numpy()

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(drawn, range(8)))
    for seed, result in enumerate(together):
        np.testing.assert_array_equal(result, drawn(seed))


def test_a_draw_that_memory_does_not_hold_is_refused_first(monkeypatch):
    monkeypatch.setattr("slopes.arrays.available_memory", lambda: 1 << 28)
    with pytest.raises(TooLargeError, match=r"needs 0\.5 GiB, but 0\.2 GiB are free"):
        sl.uniform(1 << 27)


def test_an_initialized_parameter_takes_the_drawn_array_over():
    parameter = nn.init.blank((draws.LARGE // 4, 4))
    nn.init.normal(parameter, generator=sl.Generator(3))
    assert parameter._owned and parameter.requires_grad
    seen = parameter.numpy()
    expected = sl.normal(parameter.shape, generator=sl.Generator(3)).numpy()
    nn.init.uniform(parameter)
    assert parameter._owned
    np.testing.assert_array_equal(seen, expected)  # who holds the array that was there keeps it as it was
    assert parameter.numpy().min() >= 0


def test_an_array_that_is_assigned_stays_the_callers():
    array = np.ones((draws.LARGE,), np.float32)
    x = sl.zeros(draws.LARGE)
    x.assign(array)
    array[:] = 2
    assert x.numpy().max() == 1
