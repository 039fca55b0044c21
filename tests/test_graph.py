"""Graphs: nodes are one object when equal, walks never recurse, text reads back, and the verifier sees what is wrong."""

from __future__ import annotations

import gc
import sys
import weakref

import numpy as np
import pytest

import slopes.ops  # noqa: F401  (fills the table of operations)
from slopes.autodiff.pullback import pull_back
from slopes.errors import ArgumentError, SlopesError
from slopes.graph.build import build, constant, variable
from slopes.graph.node import Node, Operation
from slopes.graph.rewrite import Phase, RewriteError, rewrite
from slopes.graph.text import large_constants, parse, text
from slopes.graph.verify import GraphError, verify
from slopes.graph.walk import substitute, topological, users
from slopes.machine.reference import evaluate
from slopes.passes.canonical import canonical
from slopes.passes.stable import stable

F32 = np.dtype("float32")


def x(*shape, dtype="float32", name="x"):
    return variable(shape, np.dtype(dtype), name)


# Nodes


def test_equal_expressions_are_one_node():
    a, b = x(2, 3), x(2, 3)
    assert a is not b
    assert a * b + 1 is a * b + 1
    assert a * b is not b * a


def test_small_constants_are_equal_by_content_large_ones_by_identity():
    assert constant(np.ones(3, F32)) is constant(np.ones(3, F32))
    assert constant(np.ones(3, F32)) is not constant(np.ones(3, "float64"))
    assert constant(0.0) is not constant(-0.0)
    assert constant(np.ones(5000, F32)) is not constant(np.ones(5000, F32))


def test_a_node_knows_the_line_that_built_it():
    assert (x(2) * 3).location[0] == __file__


def test_broadcasting_is_a_node_of_its_own():
    total = x(2, 3) + x(3)
    assert [arg.shape for arg in total.args] == [(2, 3), (2, 3)] and total.args[1].op.name == "expand"


def test_forgotten_graphs_are_freed_at_any_depth():
    node = x()
    for _ in range(10_000):
        node = node + 1.0
    gc.collect()
    before = count_nodes()
    del node
    gc.collect()
    assert count_nodes() <= before - 10_000


def count_nodes() -> int:
    return sum(type(each) is Node for each in gc.get_objects())  # isinstance would wake other libraries' lazy objects


# Evaluation


def test_the_reference_computes_what_numpy_computes():
    a, b = x(2, 3), x(3)
    values = {a: np.arange(6, dtype=F32).reshape(2, 3), b: np.array([1, 2, 3], F32)}
    found, = evaluate([build("sum", build("exp", -a) * b, axes=(1,))], values)
    assert np.array_equal(found, np.sum(np.exp(-values[a]) * values[b], axis=1))


def test_a_root_given_twice_or_in_the_middle_is_returned():
    a = x()
    b = a + 1.0
    c = b * 2.0
    assert [float(each) for each in evaluate([c, b, c, a], {a: np.float32(3)})] == [8, 4, 8, 3]


def test_the_walk_stops_at_given_nodes():
    a = x()
    inner = a + 1.0
    assert float(evaluate([inner * 2.0], {inner: np.float32(5)})[0]) == 10


def test_values_are_remembered_only_when_asked_for():
    a = x()
    a.value = np.asarray(2.0, F32)
    b = a * a
    c = b + 1.0
    evaluate([c])
    assert b.value is None and c.value is None
    evaluate([c], remember=True)
    assert b.value == 4 and c.value == 5


def test_intermediate_values_are_let_go(monkeypatch):
    made, alive = [], []
    compute = Operation.table["exp"].compute

    def watching(array):
        result = compute(array)
        made.append(weakref.ref(result))
        alive.append(sum(ref() is not None for ref in made))
        return result

    monkeypatch.setattr(Operation.table["exp"], "compute", staticmethod(watching))
    first = node = x(8)
    for _ in range(50):
        node = build("exp", node)
    evaluate([node], {first: np.zeros(8, F32)})
    assert len(alive) == 50 and max(alive) <= 2


def test_a_missing_variable_is_named():
    a = x(2, 3, name="images")
    with pytest.raises(ArgumentError) as error:
        evaluate([a + 1.0])
    lines = str(error.value).splitlines()
    assert lines[0].startswith("evaluate: variable images (number ") and lines[0].endswith(") has no value")
    assert lines[2] == "  pass env={node: array of type float32 and shape (2, 3)}"
    assert lines[3].startswith("  variable built at test_graph.py:")


def test_a_wrong_array_for_a_variable_is_refused():
    a = x(2)
    with pytest.raises(ArgumentError, match=r"is float32\[2\], but was given float64\[3\]"):
        evaluate([a + 1.0], {a: np.zeros(3)})


def test_a_meaning_that_breaks_its_rule_is_caught():
    class Liar(Operation):
        kind = "elementwise"

        def rule(a): return a.shape, a.dtype
        def meaning(xp, a): return a.astype("float64")

    try:
        with pytest.raises(SlopesError, match=r"liar: its rule promises float32\[2\], its meaning returned float64\[2\]"):
            evaluate([Liar.make(constant(np.zeros(2, F32)))])
    finally:
        del Operation.table["liar"]


# Depth and size


def deep_chain(count):
    source = node = x(2)
    for _ in range(count // 2):
        node = build("tanh", node * 0.999)
    return source, node


def test_ten_thousand_deep_is_no_recursion_anywhere():
    source, node = deep_chain(10_000)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(200)
    try:
        gradient, = pull_back([node], [constant(np.ones(2, F32))], [source])
        found = evaluate([node, gradient], {source: np.ones(2, F32)})
        assert all(np.isfinite(each).all() for each in found)
        roots = stable(canonical([node, gradient]))
        again = evaluate(roots, {source: np.ones(2, F32)})
        assert np.allclose(found[0], again[0]) and np.allclose(found[1], again[1], rtol=1e-4)
        assert substitute([node], {source: x(2)})[0] is not node
        assert len(users(topological([node]))) >= 10_000
    finally:
        sys.setrecursionlimit(limit)


def test_twenty_thousand_nodes_print_parse_and_verify():
    nodes = [x(), x()]
    while len(nodes) < 20_000:
        nodes.append(nodes[-1] * nodes[-2] if len(nodes) % 2 else nodes[-1] + nodes[-2])
    root = nodes[-1]
    assert parse(text([root]))[0] is root
    verify([root])
    assert len(canonical([root])) == 1


# Text


def test_text_prints_one_node_per_line_with_type_and_source():
    a, b = x(2, 3, name="a"), x(3, name="b")
    lines = text([build("sum", a * b, axes=(1,))]).splitlines()
    a_serial, b_serial = a.params["serial"], b.params["serial"]
    assert lines[0] == f"%0 = variable float32[2,3] name='a' serial={a_serial}"
    assert lines[1] == f"%1 = variable float32[3] name='b' serial={b_serial}"
    assert lines[2].startswith("%2 = expand float32[2,3] %1 shape=(2, 3)  # test_graph.py:")
    assert lines[3].startswith("%3 = multiply float32[2,3] %0 %2  # test_graph.py:")
    assert lines[4].startswith("%4 = sum float32[2] %3 axes=(1,)  # test_graph.py:")
    assert lines[5] == "return %4"


def test_text_reads_back_to_the_same_nodes():
    a = x(4, 6, name="it's = a \"name\"  # %1 (]")
    big = constant(np.arange(100, dtype=F32))
    strange = [constant(np.array([1.5, np.inf, -np.inf, -0.0], F32)), constant(np.nan), constant(2**62), constant(True),
               constant(np.array([], F32)), constant(np.array([[1, 2], [3, 4]], "uint8")), constant(1 + 2j)]
    padded = build("pad", a, widths=((1, 0), (0, 2)), value=float("-inf"))
    window = build("window", padded, axes=(1,), size=(3,), stride=(2,), dilation=(1,))
    roots = [window, build("cast", a, dtype="int32"), build("sum", big, axes=(0,)), a, *strange]
    again = parse(text(roots), large_constants(roots))
    assert all(found is root for found, root in zip(again, roots)) and len(again) == len(roots)


def test_every_operation_reads_back():
    for operation in Operation.table.values():
        for args, params in samples(operation):
            node = operation.make(*args, **params)
            assert parse(text([node]), large_constants([node]))[0] is node


def samples(operation):
    """(nodes, parameters) of the operation's own samples; elementwise ones on variables of its arity."""
    if operation.kind == "elementwise":
        return
    for given, params in (operation.samples(F32) if operation.kind == "loop" else getattr(operation, "samples", tuple)()):
        yield [constant(np.zeros(shape, dtype or F32)) for shape, dtype, _ in given], params


@pytest.mark.parametrize("bad, message", [
    ("%0 = nonsense float32[]\nreturn %0", "line 1: '%0 = nonsense float32[]' is no node"),
    ("%1 = constant float32[] value=1.0\nreturn %1", "line 1: "),
    ("%0 = constant float32[] value=1.0\n%1 = exp float32[] %5\nreturn %1", "line 2: '%5' names no earlier node"),
    ("%0 = constant float32[100] value=<0123456789abcdef>\nreturn %0",
     "line 1: the large constant <0123456789abcdef> was not given"),
    ("%0 = constant float32[] value=1.0", "no line `return ...` at the end"),
])
def test_bad_text_is_refused_with_its_line(bad, message):
    with pytest.raises(ArgumentError) as error:
        parse(bad)
    assert message in str(error.value)


# Verifying


def test_the_verifier_accepts_what_operations_build():
    a = x(2, 3)
    assert verify([build("sum", build("exp", a) * a, axes=(0,))])


def broken(node, **changes):
    """A copy of a node, outside of the pool, with some fields changed."""
    made = Node.__new__(Node)
    for name in Node.__slots__:
        if name != "__weakref__":
            setattr(made, name, changes.get(name, getattr(node, name)))
    return made


@pytest.mark.parametrize("changes, message", [
    ({"shape": (3, 2)}, "its rule gives float32[2,3]"),
    ({"dtype": np.dtype("float64")}, "its rule gives float32[2,3]"),
    ({}, "it was not interned"),
    ({"value": np.zeros(2, F32)}, "an equal node exists"),
    ({"shape": (2.0, 3)}, "is no shape"),
])
def test_the_verifier_sees_a_broken_node(changes, message):
    node = build("exp", x(2, 3))
    with pytest.raises(GraphError) as error:
        verify([broken(node, **changes)])
    assert message in str(error.value)


# Rewriting


def test_rules_that_undo_each_other_are_reported_with_their_cycle():
    phase = Phase("quarrel", lambda node: 1)
    example = lambda: (x(), x())  # noqa: E731

    @phase.rule("x + y = y - -x", "add", example=example)
    def there(node): return node.args[1] - (-node.args[0])

    @phase.rule("x - -y = y + x", "subtract", example=example)
    def back(node): return node.args[1].args[0] + node.args[0]

    with pytest.raises(RewriteError) as error:
        rewrite([x() + x()], phase)
    assert "quarrel: a node was rewritten to something that contains itself" in str(error.value)
    assert "there: add(variable float32[], variable float32[]) -> subtract" in str(error.value)


def test_a_rule_that_never_ends_hits_the_budget():
    phase = Phase("growth", lambda node: 1)

    @phase.rule("exp(x) = exp(x + 1)", "exp", example=lambda: (x(), x()))
    def grow(node): return build("exp", node.args[0] + 1.0)

    with pytest.raises(RewriteError, match="more than 30 rules fired"):
        rewrite([build("exp", x())], phase, budget=30)


def test_a_rule_that_changes_the_type_is_caught():
    phase = Phase("careless", lambda node: 1)

    @phase.rule("exp(x) = sum(x)", "exp", example=lambda: (x(), x()))
    def careless(node): return build("sum", node, axes=(0,))

    with pytest.raises(RewriteError, match=r"changed the type float32\[2\] to float32\[\]"):
        rewrite([build("exp", x(2))], phase)


def test_rewritten_nodes_keep_the_line_of_what_they_replace():
    root = build("log", build("exp", x(2)) + 1)
    line = root.location
    assert rewrite_here([root])[0].location == line


def rewrite_here(roots):
    return stable(roots)
