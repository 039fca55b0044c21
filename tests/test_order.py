"""Updates run as soon as they may, and no sooner: not before an error can be reported, nor while the old value is still read."""

from __future__ import annotations

import numpy as np
import pytest
from native_graphs import Reported, compile_nodes, same_bits

from slopes.autodiff.pullback import pull_back
from slopes.graph.build import build, constant, variable
from slopes.graph.node import Node
from slopes.loops.kernels import Kernel, buffers_written
from slopes.machine.reference import evaluate
from slopes.ops import composite as c

FLOAT = np.dtype("float32")
DEPTH = 6


def chain(tokens: Node | None = None) -> tuple[list[Node], list[Node], dict[Node, np.ndarray]]:
    """A step of gradient descent for a chain of layers: (new weights and loss, old weights, values)."""
    weights = [variable((48, 48), FLOAT) for _ in range(DEPTH)]
    x = variable((64, 48), FLOAT) if tokens is None else build("take", variable((9, 48), FLOAT), tokens, axis=0)
    y = x
    for weight in weights:
        y = c.relu(c.matmul(y, weight))
    loss = build("sum", y, axes=(0, 1))
    gradients = pull_back([loss], [constant(1.0, FLOAT)], weights)
    rng = np.random.default_rng(0)
    env = {node: rng.normal(size=node.shape).astype(FLOAT) / 7 for node in [*weights, x if tokens is None else x.args[0]]}
    return [loss, *(w - g * constant(0.01, FLOAT) for w, g in zip(weights, gradients))], weights, env


def writers(program, roots: int) -> list[int]:
    """The place of the kernel that writes each root."""
    numbers = program.destinations
    found = {buffer.number: place for place, kernel in enumerate(program.plan.kernels) for buffer in buffers_written(kernel)
             if buffer.kind == "argument"}
    return [found[number] for number in numbers[:roots]]


def test_each_layer_is_updated_when_its_gradient_is_there():
    roots, weights, env = chain()
    program = compile_nodes(roots, [None, *weights], poison=True)
    places = writers(program, len(roots))
    assert places[3:] == sorted(places[3:], reverse=True), "the last layer is updated first"
    assert places[DEPTH] < len(program.plan.kernels) // 2
    found = program.run(env)
    for ours, theirs in zip(found, evaluate(roots, env)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)
    assert same_bits(program.run(env, threads=2), found), "two threads gave other bits"


def test_no_copy_of_an_old_value_is_needed():
    roots, weights, _ = chain()
    plain = compile_nodes(roots).plan
    updating = compile_nodes(roots, [None, *weights]).plan
    assert len(updating.kernels) == len(plain.kernels)


@pytest.mark.parametrize("bad", [False, True])
def test_an_error_comes_before_the_first_update(bad):
    tokens = variable((64,), np.dtype("int64"))
    roots, weights, env = chain(tokens)
    labels = variable((64,), np.dtype("int64"))
    picked = build("take", constant(np.arange(5)), labels, axis=0)
    everything = [*roots, picked]
    program = compile_nodes(everything, [None, *weights, None], poison=True)
    places, failing = writers(program, len(everything)), first_reader(program.plan.kernels, labels)
    assert all(place > failing for place in places[1:-1])
    env |= {tokens: np.arange(64) % 9, labels: np.full(64, 5 if bad else 4)}
    if not bad:
        program.run(env)
        return
    with pytest.raises(Reported):
        program.run(env)


def first_reader(kernels: list[Kernel], node: Node) -> int:
    from_node = [place for place, kernel in enumerate(kernels) for each in kernel.nodes if node in each.args]
    return from_node[0]


def test_numbers_that_were_checked_once_hold_nothing_back():
    """The gradient of a lookup checks the same indices again, after most of the updates."""
    tokens = variable((64,), np.dtype("int64"))
    roots, weights, env = chain(tokens)
    table = next(node for node in env if node.shape == (9, 48))
    gradient, = pull_back([roots[0]], [constant(1.0, FLOAT)], [table])
    everything = [*roots, table - gradient]
    program = compile_nodes(everything, [None, *weights, table], poison=True)
    places = writers(program, len(everything))
    assert places[DEPTH] < places[-1]
    assert places[DEPTH] < len(program.plan.kernels) // 2
    env |= {tokens: np.arange(64) % 9}
    for ours, theirs in zip(program.run(env), evaluate(everything, env)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3)
