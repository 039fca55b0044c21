"""Convolutions in coordinates where they take fewer products: the same results and derivatives, and only where it pays."""

from __future__ import annotations

import numpy as np
import pytest
from native_graphs import compile_nodes, run_nodes, same_bits

import slopes as sl
from slopes.autodiff.pullback import pull_back
from slopes.graph.build import variable
from slopes.graph.walk import topological
from slopes.loops.kernels import Loop, buffers_written
from slopes.machine.reference import evaluate
from slopes.ops import composite as c
from slopes.passes import winograd
from slopes.passes.canonical import canonical
from slopes.passes.pipeline import optimize

CASES = {
    "3x3, same": (((4, 5, 13, 13), (6, 5, 3, 3)), {"padding": 1}),
    "3x3, valid": (((2, 3, 18, 11), (4, 3, 3, 3)), {}),
    "3x3, one tile": (((3, 4, 6, 6), (5, 4, 3, 3)), {}),
    "3x3, smaller than a tile": (((3, 4, 3, 4), (5, 4, 3, 3)), {"padding": 1}),
    "3x3, many small pictures": (((20, 3, 8, 8), (4, 3, 3, 3)), {"padding": 1}),
    "3x3, long rows": (((1, 2, 5, 150), (3, 2, 3, 3)), {"padding": 1}),
    "5x5": (((2, 3, 27, 27), (4, 3, 5, 5)), {"padding": 2}),
    "4x4": (((4, 3, 15, 14), (4, 3, 4, 4)), {}),
    "2x2": (((2, 3, 11, 12), (4, 3, 2, 2)), {"padding": ((1, 0), (0, 1))}),
    "2x2, a lane left over": (((4, 1, 6, 4), (7, 1, 2, 2)), {}),
    "groups": (((4, 6, 9, 9), (9, 2, 3, 3)), {"groups": 3, "padding": 1}),
}
OTHERS = {
    "stride": (((2, 8, 17, 17), (8, 8, 3, 3)), {"stride": 2}),
    "dilated": (((2, 8, 17, 17), (8, 8, 3, 3)), {"dilation": 2}),
    "oblong": (((2, 8, 17, 17), (8, 8, 3, 5)), {}),
    "one row": (((2, 8, 40), (8, 8, 3)), {}),
    "1x1": (((2, 8, 9, 9), (8, 8, 1, 1)), {}),
    "too large": (((2, 8, 19, 19), (8, 8, 6, 6)), {}),
}


def convolution_of(case, dtype="float32"):
    """(result, gradients of the input and the weights) as a graph, and values for its variables."""
    (shape, weights), params = case
    x, w = variable(shape, np.dtype(dtype)), variable(weights, np.dtype(dtype))
    y = c.convolution(x, w, **params)
    g = variable(y.shape, y.dtype)
    rng = np.random.default_rng(0)
    return [y, *pull_back([y], [g], [x, w])], {node: rng.normal(size=node.shape).astype(dtype) for node in (x, w, g)}


def exact(case):
    roots, env = convolution_of(case, "float64")
    _, small = convolution_of(case)
    return evaluate(roots, dict(zip(env, (each.astype("float64") for each in small.values()))))


def mixes(roots):
    return sum(node.op.name == "mix" for node in topological(optimize(roots)))


def names(roots):
    return [node.op.name for node in topological(optimize(roots))]


@pytest.fixture
def always(monkeypatch):
    monkeypatch.setattr(winograd, "TRANSFORM", -1e9)


@pytest.mark.parametrize("cached", [1 << 30, 1])
@pytest.mark.parametrize("name", CASES)
def test_results_and_derivatives_are_those_of_the_plain_sum(always, monkeypatch, name, cached):
    monkeypatch.setattr(winograd, "TILE_BYTES", cached)
    roots, env = convolution_of(CASES[name])
    expected = exact(CASES[name])
    found = [evaluate(optimize(roots), env), run_nodes(roots, env, poison=True)]
    for results in found:
        for right, result in zip(expected, results):
            np.testing.assert_allclose(result, right, rtol=0, atol=1e-5 * np.abs(right).max())


@pytest.mark.parametrize("name", CASES)
def test_the_cases_are_in_other_coordinates(always, name):
    assert names(convolution_of(CASES[name])[0]).count("mix") >= 5  # three each for two or three of them, some shared


def test_parts_are_taken_where_tiles_fill_more_than_a_cache(always, monkeypatch):
    roots, _ = convolution_of(CASES["3x3, same"])
    assert "scan" not in names(roots)
    monkeypatch.setattr(winograd, "TILE_BYTES", 1)
    assert names(roots).count("scan") == 3


def test_threads_share_the_parts_with_filters_and_the_bits_do_not_depend_on_their_number(always, monkeypatch):
    monkeypatch.setattr(winograd, "CACHED_TILES", 1 << 14)
    roots, env = convolution_of(CASES["3x3, many small pictures"])
    program = compile_nodes(optimize(roots))
    loops = [phase[0] for phase in program.plan.phases if isinstance(phase[0], Loop)]
    assert [loop.runs for loop in loops] == [10, 10]  # result and gradient of the input; that of the weights is a sum
    written = [buffer for kernel in loops[0].kernels[:-1] for buffer in buffers_written(kernel)]
    assert {buffer.kind for buffer in written} == {"thread"}
    first = program.run(env)
    assert all(same_bits(program.run(env, threads), first) for threads in (2, 3))


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_square_of_neighbouring_windows_stays_as_it_is(always, name):
    y, *_ = convolution_of(OTHERS[name])[0]
    assert mixes([y]) == 0


def test_doubles_stay_as_they_are(always):
    assert mixes(convolution_of(CASES["3x3, same"], "float64")[0]) == 0


def test_few_channels_do_not_pay_and_many_do():
    few = convolution_of((((8, 8, 16, 16), (8, 8, 3, 3)), {"padding": 1}))[0]
    many = convolution_of((((8, 32, 16, 16), (32, 32, 3, 3)), {"padding": 1}))[0]
    assert (mixes(few), mixes(many) > 0) == (0, True)


@pytest.mark.parametrize(("n", "size"), [(n, size) for n in winograd.POINTS for size in winograd.FILTERS if size < n])
def test_the_coordinates_are_exact(n, size):
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=n), rng.normal(size=size)
    values = (np.array(winograd.evaluation(n, size, scaled=True)) @ w) * (np.array(winograd.interpolation(n)) @ x)
    np.testing.assert_allclose(np.array(winograd.evaluation(n, n + 1 - size)).T @ values, np.correlate(x, w, "valid"), atol=1e-12)


@pytest.mark.parametrize(("size", "picture", "tile"), [(3, 15, 6), (3, 10, 6), (3, 13, 8), (3, 226, 8), (5, 27, 8), (5, 12, 8), (2, 11, 6)])
def test_tiles_are_those_of_the_fewest_products(size, picture, tile):
    x, w = variable((64, 3, picture, picture), np.dtype("float32")), variable((4, 3, size, size), np.dtype("float32"))
    found = winograd.correlation(canonical([c.convolution(x, w)])[0])
    assert found is not None and found.n == tile


@pytest.mark.parametrize(("pictures", "tile"), [(1, 4), (2, 6), (64, 6)])
def test_few_tiles_are_smaller_so_that_filters_are(pictures, tile):
    x, w = variable((pictures, 64, 10, 10), np.dtype("float32")), variable((64, 64, 3, 3), np.dtype("float32"))
    found = winograd.correlation(canonical([c.convolution(x, w)])[0])
    assert found is not None and found.n == tile


@pytest.mark.parametrize(("size", "times"), [(3, 4), (5, 12)])
def test_rounding_errors_stay_near_those_of_the_plain_sum(always, size, times):
    case = (((2, 64, 16, 16), (16, 64, size, size)), {"padding": size // 2})
    roots, env = convolution_of(case)
    right, plain, other = exact(case), evaluate(roots, env), evaluate(optimize(roots), env)
    for r, p, o in zip(right, plain, other):
        assert 0 < np.sqrt(np.mean((o - r) ** 2)) < times * 6e-7 * np.sqrt(np.mean(r ** 2))
        assert np.abs(p - r).max() < np.abs(o - r).max() < times * 2e-6 * np.abs(r).max()


@pytest.mark.parametrize("cached", [1 << 30, 1])
def test_inside_of_a_loop_too(always, monkeypatch, cached):
    monkeypatch.setattr(winograd, "TILE_BYTES", cached)
    rng = np.random.default_rng(0)
    x, k = (sl.tensor(rng.normal(size=shape).astype("float32") / 3) for shape in ((2, 3, 7, 7), (3, 3, 3, 3)))

    def again(x, k):
        last, sums = sl.scan(lambda h, _: ((new := sl.tanh(c.convolution(h, k, padding=1))), new.sum()), x, sl.zeros((4,)))
        return (last * last).sum() + sums.sum()

    for right, found in zip(sl.grad(again, (0, 1))(x, k), sl.compile(sl.grad(again, (0, 1)))(x, k)):
        np.testing.assert_allclose(found.numpy(), right.numpy(), rtol=0, atol=1e-5 * np.abs(right.numpy()).max())
