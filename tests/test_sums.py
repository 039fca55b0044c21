"""Sums that are known from others are not taken again, and reductions over the same memory share one kernel: the same results."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from native_graphs import compile_nodes, kinds, plan, same_bits

from slopes.autodiff.pullback import pull_back
from slopes.graph.build import build, variable
from slopes.graph.node import Node
from slopes.graph.walk import topological
from slopes.loops.kernels import ReduceKernel
from slopes.machine.reference import evaluate
from slopes.ops import composite as c
from slopes.passes.canonical import canonical
from slopes.passes.factor_reductions import factor_reductions

FLOAT = np.dtype("float64")


def normalized(x: Node, weight: Node, bias: Node, axes: tuple[int, ...]) -> Node:
    """Each slice of x along axes brought to mean 0 and variance 1, then scaled."""
    apart = x - c.mean(x, axis=axes, keepdims=True)
    spread = c.mean(apart * apart, axis=axes, keepdims=True)
    return apart * build("rsqrt", spread + 1e-5) * weight + bias


def gradients(shape: tuple[int, ...], scale: tuple[int, ...], axes: tuple[int, ...]) -> tuple[list[Node], dict[Node, np.ndarray]]:
    """The gradients of a normalization with respect to its input and parameters, behind a rectifier."""
    x, weight, bias = (variable(each, FLOAT) for each in (shape, scale, scale))
    y = c.relu(normalized(x, weight, bias, axes))
    g = variable(y.shape, y.dtype)
    rng = np.random.default_rng(1)
    return pull_back([y], [g], [x, weight, bias]), {node: rng.normal(size=node.shape) for node in (x, weight, bias, g)}


def count(roots: list[Node], name: str) -> int:
    return Counter(node.op.name for node in topological(roots))[name]


NORMALIZATIONS = {"batch": ((6, 5, 4, 7), (1, 5, 1, 1), (0, 2, 3)), "layer": ((6, 5, 24), (24,), (2,)), "whole": ((6, 20), (1, 1), (0, 1))}


@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_sums_in_terms_of_others_are_the_same_sums(name):
    roots, env = gradients(*NORMALIZATIONS[name])
    expected = evaluate(roots, env)
    for found in (evaluate(factor_reductions(canonical(roots)), env), compile_nodes(roots, poison=True).run(env)):
        for ours, theirs in zip(found, expected):
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-10)


def test_the_gradients_of_a_batch_normalization_take_two_sums_besides_its_moments():
    roots, _ = gradients(*NORMALIZATIONS["batch"])
    before = canonical(roots)
    assert count(before, "sum") == 6
    assert count(canonical(factor_reductions(before)), "sum") == 4


def test_a_sum_that_stands_alone_keeps_its_factors():
    x, scale = variable((4, 6), FLOAT), variable((4, 1), FLOAT)
    roots = [build("sum", x * scale, axes=(1,))]
    assert factor_reductions(roots) == roots


def test_differences_are_not_summed_apart():
    """sum(x) - sum(y) would lose the digits that sum(x - y) has."""
    x, y = variable((5, 8), FLOAT), variable((5, 8), FLOAT)
    roots = [build("sum", each, axes=(1,)) for each in (x, y, x - y)]
    assert factor_reductions(roots) == roots


def test_only_what_is_centred_over_the_same_elements_vanishes():
    x = variable((4, 5, 6), FLOAT)
    apart = x - c.mean(x, axis=(2,), keepdims=True)
    weighted = x + apart
    roots = [build("sum", weighted, axes=(1,)), build("sum", weighted, axes=(1, 2))]
    env = {x: np.random.default_rng(0).normal(size=x.shape)}
    for ours, theirs in zip(evaluate(factor_reductions(canonical(roots)), env), evaluate(roots, env)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


# ---------------------------------------------------------------------- reductions that share a kernel
def siblings(roots: list[Node]) -> int:
    """How many reductions share a kernel with an earlier one."""
    return sum(len(kernel.reductions) - 1 for kernel in plan(roots)[0].kernels if isinstance(kernel, ReduceKernel))


LOOPS = [((30, 40, 50), (1, 2)), ((30, 40, 50), (0, 1)), ((70, 90), (1,)), ((70, 90), (0,)), ((9, 3000), (0, 1))]


@pytest.mark.parametrize(("shape", "axes"), LOOPS)
def test_reductions_that_read_the_same_memory_share_its_loops(shape, axes):
    x, y = variable(shape, np.dtype("float32")), variable(shape, np.dtype("float32"))
    roots = [build("sum", x, axes=axes), build("sum", x * y, axes=axes) * 2.0, build("max", y, axes=axes)]
    assert siblings(roots) == 2
    rng = np.random.default_rng(0)
    env = {each: rng.normal(size=shape).astype(np.float32) for each in (x, y)}
    program = compile_nodes(roots, poison=True)
    found = program.run(env)
    for ours, theirs in zip(found, evaluate(roots, env)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-3)
    assert same_bits(program.run(env, threads=2), found), "two threads gave other bits"


def test_a_reduction_that_needs_the_other_s_result_stands_alone():
    x = variable((40, 200), np.dtype("float32"))
    total = build("sum", x, axes=(1,))
    centred = x - build("reshape", total, shape=(40, 1))
    assert siblings([total, build("max", centred, axes=(1,))]) == 0


def test_reductions_of_different_types_or_loops_stand_alone():
    x = variable((40, 200), np.dtype("float32"))
    roots = [build("sum", x, axes=(1,)), build("sum", x, axes=(0,)), build("sum", build("cast", x, dtype=np.dtype("int32")), axes=(1,)),
             build("argmax", x, axis=1)]
    assert siblings(roots) == 0
    assert kinds(plan(roots)[0])["reduce"] == 4
