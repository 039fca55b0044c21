"""Small contractions whose rows share what is collected from places apart: loaded as runs, stored as runs, with every remainder."""

from __future__ import annotations

import numpy as np
import pytest
from native_graphs import compile_nodes, plan, same_bits

from slopes.graph.build import build, constant, variable
from slopes.graph.node import Node
from slopes.loops.kernels import ReduceKernel
from slopes.loops.target import TARGETS
from slopes.machine.reference import evaluate
from slopes.ops import composite as c

SHAPES = [(32, 8, 8), (32, 2, 8), (33, 8, 8), (16, 4, 2), (40, 3, 6), (100, 16, 8), (31, 5, 12), (64, 9, 3), (17, 8, 5), (48, 30, 4)]


def layer(batch: int, inputs: int, outputs: int, dtype: str = "float32") -> tuple[Node, Node, Node, dict[Node, np.ndarray]]:
    draw, kind = np.random.default_rng(0), np.dtype(dtype)
    x, w, b = variable((batch, inputs), kind), variable((outputs, inputs), kind), variable((outputs,), kind)
    return x, w, b, {each: draw.standard_normal(each.shape).astype(kind) for each in (x, w, b)}


def times(x: Node, w: Node) -> Node:
    """x w'"""
    return build("contract", x, w, a_axes=(0, 1), b_axes=(2, 1), out_axes=(0, 2))


def check(roots: list[Node], env: dict[Node, np.ndarray]) -> None:
    program = compile_nodes(roots, poison=True)
    found = program.run(env)
    for ours, expected in zip(found, evaluate(roots, env)):
        np.testing.assert_allclose(ours, expected, rtol=2e-5, atol=2e-5)
    assert same_bits(program.run(env, threads=2), found)


def taken_together(roots: list[Node]) -> list[int]:
    """How many rows each kernel takes at once, where its lanes run along the results."""
    kernels = plan(roots, target=TARGETS["avx512"])[0].kernels
    return [each.row_axis.extent for each in kernels if isinstance(each, ReduceKernel) and each.row_axis and each.vector in each.axes]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_small_layer_is_right(shape, dtype):
    x, w, b, env = layer(*shape, dtype)
    check([build("tanh", times(x, w) + b)], env)


@pytest.mark.parametrize(("shape", "rows"), [((32, 8, 8), 8), ((32, 2, 8), 8), ((32, 8, 6), 6), ((64, 8, 8), 4), ((32, 8, 7), 7)])
def test_as_many_rows_as_registers_hold_are_taken_at_once(shape, rows):
    x, w, b, _ = layer(*shape)
    assert taken_together([times(x, w) + b]) == [rows]


def test_several_results_of_one_layer_are_stored_and_others_read():
    x, w, b, env = layer(32, 8, 8)
    scale = variable((32, 8), np.dtype("float32"))
    z = times(x, w) + b
    check([z, c.relu(z) * scale, z > constant(0.0, z.dtype)], env | {scale: np.full((32, 8), 2, np.float32)})


def test_an_update_in_place_reads_the_old_value_first():
    x, w, _, env = layer(32, 8, 8)
    old = variable((32, 8), np.dtype("float32"))
    new = old - times(x, w) * constant(0.5, old.dtype)
    env = env | {old: np.ones((32, 8), np.float32)}
    found, = compile_nodes([new], [old], poison=True).run(env)
    np.testing.assert_allclose(found, evaluate([new], env)[0], rtol=2e-5, atol=2e-5)
