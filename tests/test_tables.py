"""Rows of a table are multiplied once each, however often they are taken: the same results, gradients and errors."""

from __future__ import annotations

import numpy as np
import pytest
from native_graphs import run_nodes

import slopes as sl
from slopes.autodiff.pullback import pull_back
from slopes.graph.build import build, variable
from slopes.graph.dtype import int64
from slopes.graph.walk import topological
from slopes.machine.reference import evaluate
from slopes.passes.pipeline import optimize

F32 = np.dtype("float32")


def layer(indices: tuple[int, ...], size: int = 11, width: int = 16, outputs: int = 24, turned: bool = False, biased: bool = True):
    """A dense layer behind an embedding, with the gradients of table, weights and bias; values for its variables."""
    i, table = variable(indices, int64), variable((size, width), F32)
    w, b = variable((outputs, width), F32), variable((outputs,), F32)
    rank = len(indices)
    taken = build("take", table, i, axis=0)
    counted = tuple(range(rank))
    out = counted[::-1] if turned else counted
    y = build("contract", taken, w, a_axes=(*counted, rank), b_axes=(rank + 1, rank), out_axes=(*out, rank + 1))
    y = y + b if biased else y
    g = variable(y.shape, F32)
    rng = np.random.default_rng(0)
    env = {node: rng.normal(size=node.shape).astype("float32") for node in (table, w, b, g)} | {i: rng.integers(0, size, indices)}
    return [y, *pull_back([y], [g], [table, w, *([b] if biased else [])])], env


def products(roots):
    return [node for node in topological(optimize(roots)) if node.op.name == "contract"]


CASES = {
    "words": ((40,), {}), "sentences": ((8, 5), {}), "turned": ((8, 5), {"turned": True}), "no bias": ((6, 7), {"biased": False}),
    "long rows": ((30,), {"outputs": 1100}),
}


@pytest.mark.parametrize("name", CASES)
def test_results_and_gradients_stay(name):
    indices, options = CASES[name]
    roots, env = layer(indices, **options)
    assert all(11 in node.shape or 11 in (n for arg in node.args for n in arg.shape) for node in products(roots))
    expected = evaluate(roots, env)
    for poison in (False, True):
        for right, found in zip(expected, run_nodes(roots, env, poison=poison)):
            np.testing.assert_allclose(found, right, rtol=1e-4, atol=1e-4)
    for right, found in zip(expected, evaluate(optimize(roots), env)):
        np.testing.assert_allclose(found, right, rtol=1e-4, atol=1e-4)


def test_a_bias_is_added_to_the_table_and_equal_rows_are_added_once():
    roots, _ = layer((8, 5), turned=True)
    order = topological(optimize(roots))
    assert not [node for node in order if node.op.name == "add" and node.shape[:1] != (11,)]
    assert len([node for node in order if node.op.name == "scatter_add"]) == 1


@pytest.mark.parametrize("options", [{"size": 30}, {"width": 8, "outputs": 8}])
def test_rows_taken_less_than_twice_or_short_ones_are_multiplied_as_they_come(options):
    roots, _ = layer((40,), **options)
    assert any(40 in node.shape for node in products(roots))


def test_a_wrong_index_is_still_told_at_the_lookup():
    table, w = sl.ones((5, 16)), sl.ones((16, 20))

    @sl.compile
    def looked(i):
        rows = sl.take(table, i, axis=0)
        return (rows @ w).sum()

    assert looked(sl.tensor([0, 1, 2, 3, 4] * 4)).item() == 20 * 16 * 20
    with pytest.raises(IndexError) as found:
        looked(sl.tensor([0, 1, 2, 3, 9] * 4))
    assert "9" in str(found.value) and f"test_tables.py:{looked_line()}" in str(found.value)


def looked_line() -> int:
    with open(__file__) as file:
        return next(number for number, line in enumerate(file, 1) if line.strip().startswith("rows = sl.take"))


@pytest.mark.parametrize("columns", [5, 100, 1024, 1100])
def test_updates_of_any_width_are_added_to_their_rows(columns):
    i, g = variable((30,), int64), variable((30, columns), F32)
    rng = np.random.default_rng(0)
    env = {i: rng.integers(0, 7, 30), g: rng.normal(size=(30, columns)).astype("float32")}
    roots = [build("scatter_add", i, g, axis=0, size=7)]
    np.testing.assert_allclose(run_nodes(roots, env, poison=True)[0], evaluate(roots, env)[0], rtol=1e-5, atol=1e-5)
