"""Long sums of float32 keep their digits: eager and compiled, over any axes, for every instruction set and any number of threads."""

from __future__ import annotations

import numpy as np
import pytest
from native_graphs import processors, run_nodes, same_bits

import slopes as sl
from slopes.graph.build import build, variable

BOUND = 2 * 128 * 2.0**-23  # relative to the sum of magnitudes, as the docstring of sl.sum states
SUMS = {
    "first axis": ((2**16, 4), 0), "first axis, many columns": ((5000, 300), 0), "first axis of one column": ((2**17, 1), 0),
    "last axis": ((3, 2**17), 1), "all": ((2**18 + 5,), 0), "around": ((2**14, 3, 7), (0, 2)), "leading": ((2**9, 2**8, 3), (0, 1)),
    "middle": ((5, 2**15, 3), 1), "odd": ((4099, 7), 0), "short": ((129, 5), 0),
}


@pytest.mark.parametrize("name", SUMS)
def test_a_long_sum_keeps_its_digits(name):
    shape, axes = SUMS[name]
    x = np.full(shape, 0.1, np.float32)
    exact = x.astype(np.float64).sum(axes)
    for run in (sl.sum, sl.compile(lambda x, axis: sl.sum(x, axis=axis))):
        np.testing.assert_allclose(run(sl.tensor(x), axis=axes).numpy(), exact, rtol=4e-6)


@pytest.mark.parametrize("name", SUMS)
def test_a_long_sum_has_the_stated_bound_for_every_instruction_set(name):
    shape, axes = SUMS[name]
    axes = (axes,) if isinstance(axes, int) else axes
    rng = np.random.default_rng(0)
    x = variable(shape, np.dtype("float32"))
    env = {x: (rng.normal(size=shape) * 10.0 ** rng.integers(-3, 4, shape)).astype(np.float32)}
    exact, magnitudes = env[x].astype(np.float64).sum(axes), np.abs(env[x].astype(np.float64)).sum(axes)
    roots = [build("sum", x, axes=axes)]
    for processor in processors().values():
        one, two = (run_nodes(roots, env, threads=threads, processor=processor) for threads in (1, 2))
        assert same_bits(one, two)
        assert (np.abs(one[0] - exact) <= BOUND * magnitudes).all()


@pytest.mark.parametrize("axis", [0, 1])
def test_a_long_running_total_keeps_its_digits(axis):
    x = np.full((2**17, 3) if axis == 0 else (3, 2**17), 0.1, np.float32)
    exact = x.astype(np.float64).cumsum(axis)
    for run in (sl.cumulative_sum, sl.compile(lambda x, axis: sl.cumulative_sum(x, axis=axis))):
        np.testing.assert_allclose(run(sl.tensor(x), axis=axis).numpy(), exact, rtol=1e-7)


@pytest.mark.parametrize("function, exact", [(sl.mean, np.mean), (sl.var, np.var), (sl.std, np.std)])
def test_long_statistics_keep_their_digits(function, exact):
    x = np.random.default_rng(0).normal(3, 1, (2**18, 3)).astype(np.float32)
    for run in (function, sl.compile(lambda x, axis: function(x, axis=axis))):
        np.testing.assert_allclose(run(sl.tensor(x), axis=0).numpy(), exact(x.astype(np.float64), axis=0), rtol=1e-6)


def test_the_gradient_of_a_bias_keeps_its_digits():
    x, bias = np.full((2**16, 4), 0.1, np.float32), sl.zeros((4,))
    gradient = sl.grad(lambda bias: (sl.tensor(x) * (sl.tensor(x) + bias)).sum())
    for run in (gradient, sl.compile(gradient)):
        np.testing.assert_allclose(run(bias).numpy(), x.astype(np.float64).sum(0), rtol=4e-6)
