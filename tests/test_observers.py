"""Observers: whoever looks at the values of a program changes no bit of what it computes, and sees the right values."""

from __future__ import annotations

import numpy as np
import pytest
from native_graphs import compile_nodes, same_bits
from test_fuzz import close, draw

from slopes.graph.build import build, variable
from slopes.graph.dtype import float32
from slopes.graph.text import text
from slopes.graph.walk import topological
from slopes.machine.reference import evaluate
from slopes.passes.observers import observers, separate_observers
from slopes.passes.pipeline import optimize


def look(node):
    """The sum and the largest of what is seen of a node, as float64."""
    seen = build("cast", build("observe", node), dtype=np.dtype("float64"))
    axes = tuple(range(node.ndim))
    return [build("sum", seen, axes=axes), build("max", build("multiply", seen, seen), axes=axes)] if node.size else []


@pytest.mark.parametrize("block", range(4))
def test_observers_change_no_bit_of_a_random_graph(block):
    for seed in range(8 * block, 8 * block + 8):
        graphs, roots = draw(seed)
        inner = [node for node in topological(roots) if node.args]
        looks = [seen for node in inner for seen in look(node)]
        alone = compile_nodes(roots).run(graphs.env)
        program = compile_nodes([*looks, *roots], poison=True)
        results = program.run(graphs.env)
        assert same_bits(results[len(looks):], alone), f"seed {seed}: other bits of\n{text(roots)}"
        with np.errstate(all="ignore"):
            expected = evaluate(looks, graphs.env)
        tolerance = 2e-4 if any(node.dtype == float32 for node in topological(roots)) else 1e-9
        assert all(close(*pair, tolerance) for pair in zip(results, expected)), f"seed {seed}: wrong values of\n{text(roots)}"
        assert same_bits(program.run(graphs.env, threads=3), results), f"seed {seed}: other bits with three threads"


def test_state_is_observed_before_and_after_its_update():
    old, gradient = variable((64, 33), float32), variable((64, 33), float32)
    new = build("subtract", old, build("multiply", gradient, gradient))
    change = build("subtract", build("observe", new), build("observe", old))
    seen = [build("sum", value, axes=(0, 1)) for value in (change, build("observe", old), build("observe", new))]
    env = {old: np.ones(old.shape, np.float32), gradient: np.full(old.shape, 2.0, np.float32)}
    for updates in ([None, None, None, old], [None, None, None, None]):
        results = compile_nodes([*seen, new], updates, poison=True).run(env, steps=3)
        steps = 3 if updates[-1] is old else 1
        n, last = old.size, 1.0 - 4.0 * steps
        assert [float(value) for value in results[:3]] == [-4.0 * n, (last + 4.0) * n, last * n]
        assert (results[3] == last).all()


def test_the_rest_is_rewritten_as_if_nobody_looked():
    x = variable((5, 8), float32)
    total = build("sum", build("multiply", x, x), axes=(0, 1))
    seen = build("sum", build("multiply", build("observe", x), build("observe", x)), axes=(0, 1))
    assert optimize([seen, total])[1] is optimize([total])[0]
    assert observers([seen, total]) == {seen, *seen.args, build("observe", x)} and not observers([total])
    twice = build("exp", build("multiply", x, x))  # needed by observers alone
    apart = separate_observers([build("sum", build("observe", twice), axes=(0, 1)), total])
    assert apart[1] is total and twice not in topological(apart)
    assert {node.args[0] for node in topological(apart) if node.op.observes} >= {total.args[0]}
