"""Rewrite rules: each gives the graph it promises, equal numbers, and a smaller measure; random graphs keep their values."""

from __future__ import annotations

import numpy as np
import pytest
from together import together

from slopes.graph.build import Variable, build, constant, variable
from slopes.graph.rewrite import rewrite
from slopes.graph.verify import verify
from slopes.graph.walk import topological
from slopes.machine.reference import evaluate
from slopes.ops.activations import sigmoid, softplus
from slopes.ops.statistics import log_softmax, logsumexp, softmax
from slopes.passes.canonical import CANONICAL, canonical
from slopes.passes.stable import STABLE, stable

PAIRS = [pytest.param(phase, rule, id=f"{phase.name}: {rule.says}") for phase in (CANONICAL, STABLE) for rule in phase.rules]


def values_for(nodes, seed=0, special=False):
    """Random arrays for the variables that some nodes need."""
    generator = np.random.default_rng(seed)
    found = {}
    for node in topological(nodes):
        if node.op is Variable:
            if node.dtype.kind == "f":
                array = generator.standard_normal(node.shape).astype(node.dtype)
                if special:
                    mask = generator.random(node.shape)
                    array = np.where(mask < 0.1, np.nan, np.where(mask < 0.2, np.inf, np.where(mask < 0.3, -np.inf, array)))
                found[node] = np.asarray(array, node.dtype)
            else:
                found[node] = np.asarray(generator.integers(0, 2 if node.dtype == bool else 50, node.shape), node.dtype)
    return found


@pytest.mark.parametrize("phase, rule", PAIRS)
def test_a_rule_gives_the_graph_it_promises(phase, rule):
    before, expected = rule.example()
    log: list = []
    found, = rewrite([before], phase, log=log)
    assert rule.name in [fired.name for fired, _, _ in log]
    assert found is rewrite([expected], phase)[0]
    verify([found])


@pytest.mark.parametrize("phase, rule", PAIRS)
def test_a_rule_keeps_the_numbers(phase, rule):
    before, _ = rule.example()
    for seed in range(3):
        values = values_for([before], seed, special=phase is CANONICAL and seed == 2)
        old, new = evaluate([before, *rewrite([before], phase)], values)
        np.testing.assert_allclose(new, old, rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("phase, rule", PAIRS)
def test_a_rule_lowers_the_measure_of_its_phase(phase, rule):
    before, expected = rule.example()
    assert phase.measure([expected]) < phase.measure([before])


def test_rule_names_are_unique():
    names = [rule.name for phase in (CANONICAL, STABLE) for rule in phase.rules]
    assert len(names) == len(set(names))


# What must not be rewritten


def v(*shape, dtype="float32"):
    return variable(shape, np.dtype(dtype), "v")


def test_zero_times_a_float_keeps_nan():
    node = v(2) * 0.0
    assert canonical([node]) == [node]


def test_a_float_minus_itself_keeps_nan():
    a = v(2)
    assert canonical([a - a]) == [a - a]


def test_rounding_casts_stay():
    for source, wide, narrow in (("int32", "float32", "int32"), ("int64", "float64", "int64"), ("float64", "float32", "float64"),
                                 ("int32", "int8", "int32"), ("int16", "float32", "uint8")):
        node = build("cast", build("cast", v(2, dtype=source), dtype=wide), dtype=narrow)
        assert canonical([node]) == [node]


def test_large_constants_and_repeated_ones_are_not_carried_out():
    big = build("exp", constant(np.zeros(5000, "float32")))
    assert canonical([big]) == [big]
    assert canonical([build("expand", constant(1.0), shape=(2, 3))])[0].op.name == "expand"


def test_a_wrong_constant_index_or_divisor_is_left_to_fail_when_it_runs():
    wrong = build("take", constant(np.arange(3)), constant(np.array([7])), axis=0)
    assert canonical([wrong]) == [wrong]
    zero = build("floor_divide", constant(np.array([1])), constant(np.array([0])))
    assert canonical([zero]) == [zero]


def test_a_sum_over_an_empty_axis_becomes_zeros_and_a_product_ones():
    assert float(evaluate(canonical([build("sum", v(0, 3), axes=(0, 1))]))[0]) == 0
    roots = canonical([build("prod", v(0, 3), axes=(0,))])
    assert np.array_equal(evaluate(roots)[0], np.ones(3, "float32"))


# Stability where the forms on paper fail


LARGE = np.array([[1e4, 0.0, -1e4], [-200.0, -300.0, 5.0]], "float32")


def run_stable(node, array):
    source, = (each for each in topological([node]) if each.op is Variable)
    return evaluate(stable(canonical([node])), {source: array})[0]


def test_paper_softmax_logarithm_survives_large_logits():
    x = v(2, 3)
    exps = build("exp", x)
    total = build("expand", build("reshape", build("sum", exps, axes=(1,)), shape=(2, 1)), shape=(2, 3))
    found = run_stable(build("log", exps / total), LARGE)
    assert np.allclose(found, [[0, -1e4, -2e4], [-205, -305, 0]])
    found = run_stable(build("log", softmax(x, axis=1)), LARGE)
    assert np.allclose(found, [[0, -1e4, -2e4], [-205, -305, 0]])


def test_log_sum_exp_keeps_infinities_and_nan():
    x = v(4, 2)
    rows = np.array([[-np.inf, -np.inf], [np.inf, 1], [np.nan, 1], [1e4, 1e4]], "float32")
    found = run_stable(build("log", build("sum", build("exp", x), axes=(1,))), rows)
    assert np.allclose(found, [-np.inf, np.inf, np.nan, 1e4 + np.log(2)], equal_nan=True)


@pytest.mark.parametrize("form, expected", [
    (lambda x: build("log", build("exp", x)), [1e4, -1e4]),
    (lambda x: build("log", 1 + build("exp", x)), [1e4, 0]),
    (lambda x: -build("log", 1 / (1 + build("exp", x))), [1e4, 0]),
    (lambda x: build("log", sigmoid(x)), [0, -1e4]),
    (lambda x: build("log", 1 - sigmoid(x)), [-1e4, 0]),
    (lambda x: 1 / (1 + build("exp", -x)), [1, 0]),
])
def test_logistic_forms_on_paper_survive_large_inputs(form, expected):
    assert np.array_equal(run_stable(form(v(2)), np.array([1e4, -1e4], "float32")), np.array(expected, "float32"))


def test_small_differences_keep_their_digits():
    small = np.array([1e-10, 1e-20], "float64")
    x = v(2, dtype="float64")
    for form, expected in ((build("exp", x) - 1, small), (build("log", 1 + x), small), (1 - build("exp", x), -small)):
        np.testing.assert_allclose(run_stable(form, small), expected, rtol=1e-9)


@pytest.mark.parametrize("function", [softplus, sigmoid, lambda x: softmax(x, 1), lambda x: log_softmax(x, 1),
                                      lambda x: logsumexp(x, 1)])
def test_functions_that_are_stable_already_are_left_alone(function):
    node, = canonical([function(v(2, 3))])
    assert stable([node]) == [node]


def test_canonical_then_stable_settle_at_once():
    x = v(2, 3)
    node = build("log", 1 + build("exp", (x + 0.0) * 1.0)) - build("log", softmax(x, 1))
    once = canonical(stable(canonical([node])))
    assert canonical(stable(once)) == once


# Random graphs


UNARY = ("negative", "abs", "exp", "tanh", "sqrt", "sign", "floor", "alias", "stop_gradient", "log", "expm1", "isnan")
BINARY = ("add", "subtract", "multiply", "maximum", "minimum", "less", "equal", "where")
SHAPES = ((), (3,), (1, 3), (2, 3), (2, 1), (4, 2, 3))
CONSTANTS = (0.0, 1.0, -1.0, 2.0, 0.5, 3.0)


class Grower:
    """Grows a random graph whose nodes are of small shapes and of float64, int32 or bool type."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.nodes = [variable(shape, np.dtype(dtype)) for shape in SHAPES[:4] for dtype in ("float64", "int32")]
        self.nodes += [constant(value, np.dtype("float64")) for value in CONSTANTS]
        self.nodes += [constant(value, np.dtype("int32")) for value in (0, 1, 5)]

    def pick(self, *kinds):
        fitting = [node for node in self.nodes if not kinds or node.dtype.kind in kinds]
        recent = fitting[-8:] if self.random.random() < 0.5 else fitting
        return recent[self.random.integers(len(recent))]

    def choose(self, items):
        return items[self.random.integers(len(items))]

    def grow(self):
        return self.choose((self.unary, self.binary, self.binary, self.move, self.reduce, self.cast))()

    def unary(self):
        name = self.choose(UNARY)
        return build(name, self.pick("f"), **({"tag": 1} if name == "alias" else {}))

    def binary(self):
        name = self.choose(BINARY)
        kind = self.choose("fi")
        a, b = self.pick(kind), self.pick(kind)
        try:
            return build("where", build("less", a, b), a, b) if name == "where" else build(name, a, b)
        except ValueError:
            return build("add", a, a)

    def move(self):
        node = self.pick()
        if node.ndim == 0:
            return build("expand", node, shape=self.choose(SHAPES[1:]))
        name = self.choose(("reshape", "permute", "expand", "pad", "slice"))
        if name == "reshape":
            return build("reshape", node, shape=self.choose([(-1,), node.shape[::-1], (1, *node.shape)]))
        if name == "permute":
            return build("permute", node, axes=tuple(map(int, self.random.permutation(node.ndim))))
        if name == "expand":
            return build("expand", node, shape=(2, *node.shape))
        if name == "pad":
            return build("pad", node, widths=tuple((int(self.random.integers(2)), 0) for _ in node.shape), value=0)
        ends = [self.choose([(0, n, 1), (0, n, 2), (n - 1, -1, -1), (n // 2, n, 1)]) for n in node.shape]
        return build("slice", node, **dict(zip(("start", "stop", "step"), zip(*ends))))

    def reduce(self):
        node = self.pick("f", "i")
        axes = tuple(axis for axis in range(node.ndim) if self.random.random() < 0.5 or node.size > 200)
        return build(self.choose(("sum", "max", "min")) if all(node.shape) else "sum", node, axes=axes)

    def cast(self):
        if self.random.random() < 0.5:
            return build("cast", self.pick(), dtype=self.choose([np.dtype("float64"), np.dtype("int32")]))
        return build("cast", self.pick("b", "i"), dtype=np.dtype("float64"))

    def roots(self, count):
        for _ in range(count):
            node = self.grow()
            if node.dtype != np.dtype("int64"):
                self.nodes.append(node)
        return self.nodes[-6:]


def finite_integers(node):
    """Whether no float that might be NaN or infinite is cast to an integer, which has no agreed value."""
    casts = [each for each in topological([node]) if each.op.name == "cast"]
    return not any(each.dtype.kind in "iu" and each.args[0].dtype.kind == "f" for each in casts)


@together("seed", range(150))
def test_random_graphs_keep_their_values_through_canonical(seed):
    roots = [root for root in Grower(seed).roots(30) if finite_integers(root)]
    rewritten = canonical(roots)
    verify(rewritten)
    assert canonical(rewritten) == rewritten
    for special in (False, True):
        values = values_for(roots, seed, special)
        for old, new in zip(evaluate(roots, values), evaluate(rewritten, values)):
            np.testing.assert_allclose(new, old, rtol=1e-9, atol=1e-9)


@together("seed", range(150))
def test_random_graphs_keep_their_finite_values_through_stable(seed):
    roots = [root for root in Grower(1000 + seed).roots(30) if finite_integers(root)]
    rewritten = stable(canonical(roots))
    verify(rewritten)
    values = values_for(roots, seed)
    for old, new in zip(evaluate(roots, values), evaluate(rewritten, values)):
        if np.isfinite(old).all():
            np.testing.assert_allclose(new, old, rtol=1e-6, atol=1e-6)
