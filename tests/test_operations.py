"""Every operation of the table: its rule against its meaning, derivatives against differences, batches against loops."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from operation_cases import OPERATIONS, Case, cases, declares, is_smooth
from together import together

from slopes.autodiff.batching import batch
from slopes.autodiff.check import check_graph
from slopes.autodiff.pullback import pull_back
from slopes.graph.build import variable
from slopes.graph.dtype import NATIVE, float32, float64, int32
from slopes.graph.node import Node
from slopes.machine.reference import evaluate
from slopes.ops.elementwise import Elementwise
from slopes.ops.samples import Domain

# Operations whose pullback differs from their derivative on purpose.
CUT = {"stop_gradient"}
every_operation = pytest.mark.parametrize("name", OPERATIONS)


@every_operation
def test_an_operation_answers_all_questions(name):
    operation = OPERATIONS[name]
    assert operation.__doc__, f"{name} has no docstring"
    elementwise = issubclass(operation, Elementwise)
    for question in ("meaning", *(() if elementwise else ("rule", "pullback", "samples"))):
        assert declares(operation, question), f"{name} declares no {question}"
    found = [case for dtype in NATIVE for case in cases(operation, dtype)]
    assert found or operation.eager_only, f"{name} accepts no native type"
    assert elementwise or declares(operation, "batch") or not found or not found[0].inputs, f"{name} has no batch rule"


@every_operation
def test_an_operation_has_native_code(name):
    operation = OPERATIONS[name]
    if operation.kind == "elementwise":
        assert declares(operation, "emit"), f"{name} declares no emit"
    elif not operation.eager_only:
        folds = declares(operation, "identity") and declares(operation, "combine")
        assert folds or declares(operation, "lower") or declares(operation, "kernel"), f"{name} has no native emission"


@every_operation
@together("dtype", NATIVE)
def test_meaning_is_what_the_rule_promises(name, dtype):
    for case in cases(OPERATIONS[name], dtype):
        (result,) = evaluate([case.node], case.env)  # raises when shape or type differ
        assert case.node.op is not OPERATIONS[name] or (result.shape, result.dtype) == OPERATIONS[name].rule(
            *case.node.args, **case.node.params)
        if result.dtype.kind == "f" and dtype.kind != "b":  # False and True are outside of some domains
            assert np.isfinite(result).all(), f"{name} is not finite on its own domain"


@every_operation
def test_first_derivative_agrees_with_differences(name):
    for case in smooth_cases(name):
        check_graph(evaluate, [case.node], case.env, differentiable(case))


@every_operation
def test_second_derivative_agrees_with_differences(name):
    for case in smooth_cases(name):
        wrt = differentiable(case)
        seed = variable(case.node.shape, case.node.dtype)
        gradients = [each for each in pull_back([case.node], [seed], wrt) if each is not None]
        weights = np.random.default_rng(7).normal(size=seed.shape)
        if gradients:
            check_graph(evaluate, gradients, case.env | {seed: weights}, [*wrt, seed])


def smooth_cases(name: str) -> list[Case]:
    return [] if name in CUT else [case for case in cases(OPERATIONS[name], float64) if is_smooth(case)]


def differentiable(case: Case) -> list[Node]:
    return [node for node in case.inputs if node.dtype == float64]


@every_operation
@together("dtype", [float32, int32])
def test_a_batch_is_what_a_loop_over_examples_gives(name, dtype):
    for case in cases(OPERATIONS[name], dtype):
        for flags in itertools.product([False, True], repeat=len(case.inputs)):
            if any(flags):
                check_batch(case, flags)


def another(x: np.ndarray, domain: Domain, rng: np.random.Generator) -> np.ndarray:
    """An array with the elements of x in another order, or of the same kind."""
    return domain(x.shape, rng).astype(x.dtype) if callable(domain) else rng.permutation(x.reshape(-1)).reshape(x.shape)


def check_batch(case: Case, flags: tuple[bool, ...], n: int = 3) -> None:
    rng = np.random.default_rng(n)
    many = [np.stack([another(x, domain, rng) for _ in range(n)]) if flag else x
            for x, (*_, domain), flag in zip(case.arrays, case.described, flags)]
    chosen = [node for node, flag in zip(case.inputs, flags) if flag]
    batched = [variable(x.shape, x.dtype) for x, flag in zip(many, flags) if flag]
    env = dict(zip(case.inputs, many)) | dict(zip(batched, [x for x, flag in zip(many, flags) if flag]))
    (result,) = evaluate(batch([case.node], chosen, batched), {node: x for node, x in env.items() if node not in chosen})
    for i in range(n):
        example = {node: x[i] if flag else x for node, x, flag in zip(case.inputs, many, flags)}
        (expected,) = evaluate([case.node], example)
        np.testing.assert_allclose(result[i], expected, rtol=1e-5, atol=1e-5)
