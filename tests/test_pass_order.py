"""The order of the passes: where `ORDER` says that two cannot be exchanged, exchanging them gives a worse graph, or a wrong value."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pytest

from slopes.autodiff.pullback import pull_back
from slopes.graph.body import Body, with_bodies
from slopes.graph.build import build, constant, variable
from slopes.graph.node import Node
from slopes.graph.verify import verify
from slopes.graph.walk import topological
from slopes.machine.reference import evaluate
from slopes.ops.checkpoint import Checkpoint, checkpoint
from slopes.ops.composite import convolution
from slopes.ops.contract import Contract
from slopes.ops.elementwise import StopGradient
from slopes.ops.mix import Mix
from slopes.ops.reduce import Sum
from slopes.ops.scan import Scan
from slopes.ops.segments import entries, segments
from slopes.ops.window import Unwindow
from slopes.passes import pipeline
from slopes.passes.pipeline import ORDER, PASSES, Pass, in_bodies, optimize

FLOAT, INT = np.dtype("float32"), np.dtype("int32")
Environment = dict[Node, np.ndarray]


class Run(NamedTuple):
    """What a list of passes made of a graph, and the graph that reached the pass `in_bodies`."""

    roots: list[Node]
    before_bodies: list[Node]
    environment: Environment


Measure = Callable[[Run], float]


class Case(NamedTuple):
    """A graph with values for its variables, and what the right order makes smaller."""

    roots: list[Node]
    environment: Environment
    measure: Measure


def v(*shape: int, dtype: np.dtype = FLOAT) -> Node:
    return variable(shape, dtype, "v")


def values(*nodes: Node, scale: float = 1.0) -> Environment:
    generator = np.random.default_rng(0)
    return {node: generator.integers(0, 4, node.shape).astype(INT) if node.dtype == INT else
            (scale * generator.normal(size=node.shape)).astype(FLOAT) for node in nodes}


def all_nodes(roots: Sequence[Node]) -> list[Node]:
    return with_bodies(topological(roots))


# ---------------------------------------------------------------------- measures: the larger, the worse
def count(operation: type) -> Measure:
    return lambda run: sum(node.op is operation for node in all_nodes(run.roots))


def size(run: Run) -> float:
    return len(topological(run.roots))


def results_of_loops(run: Run) -> float:
    return sum(len(node.params["body"].outputs) for node in topological(run.roots) if node.op in (Scan, Checkpoint))


def work_on_bodies(run: Run) -> float:
    return len(all_nodes(run.before_bodies)) - len(topological(run.before_bodies))


def infinite_values(run: Run) -> float:
    with np.errstate(all="ignore"):
        return sum(int(np.sum(~np.isfinite(value))) for value in evaluate(run.roots, run.environment))


def multiplications(run: Run) -> float:
    total = 0
    for node in topological(run.roots):
        if node.op is Contract:
            axes = (*zip(node.params["a_axes"], node.args[0].shape), *zip(node.params["b_axes"], node.args[1].shape))
            total += int(np.prod(list(dict(axes).values())))
    return total


def lost_layouts(run: Run) -> float:
    """Windows that are added up in the order in which they were multiplied, whatever their loops would like."""
    return sum(node.op is Unwindow and node.args[0].op is Contract for node in topological(run.roots))


def plain_convolutions(run: Run) -> float:
    return -count(Mix)(run)


# ---------------------------------------------------------------------- a graph for each constraint
def loop(body: Body, sequence: Node) -> list[Node]:
    """The outputs of a loop without carries."""
    length = sequence.shape[0]
    row = Scan.make(sequence, body=body, carries=0, moving=1, length=length, reverse=False, kept=(), dtype=FLOAT)
    return [entries(row, part) for part in segments(body, 0, length, ())]


def two_results() -> Body:
    part = v(3)
    return Body([part], [build("sin", part), build("cos", part)])


def unread_result_of_a_checkpoint() -> Case:
    x = v(4, 3)
    return Case(checkpoint(two_results(), [x], 1, 4, 0)[:1], values(x), results_of_loops)


def overflow_in_a_checkpoint() -> Case:
    x, part = v(4, 3), v(3)
    body = Body([part], [build("log", build("exp", part))])
    return Case(checkpoint(body, [x], 1, 4, 0), values(x, scale=1000), infinite_values)


def overflow_behind_an_identity() -> Case:
    x = v(3)
    return Case([build("log", build("exp", x) + 0.0)], values(x, scale=1000), infinite_values)


def logarithm_of_a_sum_of_exponentials() -> Case:
    x = v(2, 3)
    return Case([build("log", build("sum", build("exp", x), axes=(1,)))], values(x), count(StopGradient))


def equal_factors_in_two_forms() -> Case:
    g, x, s = v(4, 3), v(4, 3), v(4, 1)
    scaled = (g + 0.0) * x * build("expand", s, shape=(4, 3))
    return Case([build("sum", g * x, axes=(1,)), build("sum", scaled, axes=(1,))], values(g, x, s), count(Sum))


def factor_that_leaves_its_sum() -> Case:
    g, x, s = v(4, 3), v(4, 3), v()
    scaled = g * x * build("expand", s, shape=(4, 3))
    return Case([build("sum", g * x, axes=(1,)), build("sum", scaled, axes=(1,))], values(g, x, s), size)


def rows_behind_a_permute() -> Case:
    table, indices, weights = v(4, 32), v(1024, dtype=INT), v(32, 16)
    rows = build("permute", build("take", table, indices, axis=0), axes=(1, 0))
    product = build("contract", rows, weights, a_axes=(0, 1), b_axes=(0, 2), out_axes=(1, 2))
    return Case([product], values(table, indices, weights), multiplications)


def result_that_is_never_chosen() -> Case:
    x = v(4, 3)
    first, second = loop(two_results(), x)
    never = build("expand", constant(False), shape=(4, 3))
    return Case([build("where", never, second, first)], values(x), results_of_loops)


def unread_result_of_a_loop() -> Case:
    x = v(4, 3)
    return Case(loop(two_results(), x)[:1], values(x), work_on_bodies)


def input_gradient(image: tuple[int, ...], filters: tuple[int, ...], padding: int, measure: Measure) -> Case:
    x, w = v(*image), v(*filters)
    y = convolution(x, w, padding=padding)
    g = v(*y.shape)
    return Case([node for node in pull_back([y], [g], [x]) if node is not None], values(w, g), measure)


def gradient_of_a_small_image() -> Case:
    return input_gradient((2, 3, 4, 4), (5, 3, 3, 2), 0, lost_layouts)


def windows_behind_a_permute() -> Case:
    x, w = v(4, 16, 26, 26), v(32, 16, 3, 3)
    windows = build("window", x, axes=(2, 3), size=(3, 3), stride=(1, 1), dilation=(1, 1))
    channels_first = build("permute", windows, axes=(1, 0, 2, 3, 4, 5))
    y = build("contract", channels_first, w, a_axes=(0, 1, 2, 3, 4, 5), b_axes=(6, 0, 4, 5), out_axes=(1, 6, 2, 3))
    return Case([y], values(x, w), plain_convolutions)


def input_gradient_of_a_convolution() -> Case:
    return input_gradient((4, 32, 26, 26), (32, 32, 3, 3), 1, plain_convolutions)


CASES: dict[tuple[str, str], Callable[[], Case]] = {
    ("lower_checkpoints", "eliminate_dead_scan_outputs"): unread_result_of_a_checkpoint,
    ("lower_checkpoints", "in_bodies"): overflow_in_a_checkpoint,
    ("canonical", "stable"): overflow_behind_an_identity,
    ("stable", "canonical"): logarithm_of_a_sum_of_exponentials,
    ("canonical", "factor_reductions"): equal_factors_in_two_forms,
    ("factor_reductions", "canonical"): factor_that_leaves_its_sum,
    ("canonical", "sink_gather"): rows_behind_a_permute,
    ("canonical", "eliminate_dead_scan_outputs"): result_that_is_never_chosen,
    ("eliminate_dead_scan_outputs", "in_bodies"): unread_result_of_a_loop,
    ("canonical", "convolve_gradients"): gradient_of_a_small_image,
    ("canonical", "winograd"): windows_behind_a_permute,
    ("convolve_gradients", "winograd"): input_gradient_of_a_convolution,
}


def exchanged(before: Pass, after: Pass) -> list[Pass]:
    """The passes with `before` right behind the last `after`."""
    order = [each for each in PASSES if each is not before]
    last = max(i for i, each in enumerate(order) if each is after)
    return [*order[:last + 1], before, *order[last + 1:]]


def run_passes(case: Case, order: Sequence[Pass], monkeypatch: pytest.MonkeyPatch) -> Run:
    """The passes in this order, inside of loops, too."""
    seen: list[Node] = []

    def noted(roots: Sequence[Node], fixed: object = ()) -> list[Node]:
        seen[:] = seen or roots
        return in_bodies(roots)

    monkeypatch.setattr(pipeline, "PASSES", tuple(noted if each is in_bodies else each for each in order))
    return Run(optimize(case.roots), seen, case.environment)


def test_every_constraint_has_its_graph_and_the_passes_keep_all_of_them():
    names = [(order.before.__name__, order.after.__name__) for order in ORDER]
    assert len(set(names)) == len(names) and set(names) == set(CASES)
    for order in ORDER:
        assert order.before in PASSES[:max(i for i, each in enumerate(PASSES) if each is order.after)], order
        assert len(order.why) > 20


@pytest.mark.parametrize("before, after", CASES, ids=[" before ".join(names) for names in CASES])
def test_the_exchanged_order_is_worse(before, after, monkeypatch):
    case = CASES[before, after]()
    passes = {each.__name__: each for each in PASSES}
    right = run_passes(case, PASSES, monkeypatch)
    wrong = run_passes(case, exchanged(passes[before], passes[after]), monkeypatch)
    assert case.measure(right) < case.measure(wrong)


@pytest.mark.parametrize("make", CASES.values(), ids=lambda make: make.__name__)
def test_the_passes_keep_the_values_of_these_graphs(make):
    case = make()
    optimized = optimize(case.roots)
    verify(optimized)
    with np.errstate(all="ignore"):
        expected = evaluate(case.roots, case.environment)
    for ours, plain in zip(evaluate(optimized, case.environment), expected, strict=True):
        finite = np.isfinite(plain)
        np.testing.assert_allclose(ours[finite], plain[finite], rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("run", dict.fromkeys(PASSES), ids=lambda run: run.__name__)
def test_all_passes_have_one_signature(run):
    parameters = list(inspect.signature(run).parameters.values())
    assert [(each.name, each.default) for each in parameters] == [("roots", inspect.Parameter.empty), ("fixed", ())]
    x = v(2, 3)
    assert run([x + x], {x}) == [x + x] and run([], ()) == []
    assert inspect.getdoc(run)
