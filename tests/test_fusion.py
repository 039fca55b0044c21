"""What shares a kernel: epilogues, updates of one parameter, and values that would otherwise be computed again and again."""

from __future__ import annotations

import numpy as np
from native_graphs import compile_nodes, kinds, plan, run_nodes

from slopes.autodiff.pullback import pull_back
from slopes.graph.build import build, constant, variable
from slopes.graph.node import Node
from slopes.machine.reference import evaluate
from slopes.ops import composite as c
from slopes.passes.fuse import MAXIMUM_HEIGHT, MAXIMUM_STORES, group, materialize
from slopes.passes.pipeline import optimize

FLOAT = np.dtype("float32")


def given(*shape: int) -> Node:
    return variable(shape, FLOAT)


def names(roots: list[Node]) -> list[str]:
    """The groups of an optimized graph, each as the names of what it computes."""
    return [" ".join(node.op.name for node in each.nodes) for each in group(optimize(roots))]


def memory(roots: list[Node]) -> list[str]:
    """The operations whose results get memory."""
    return [node.op.name for node in materialize(optimize(roots))]


def test_bias_and_rectifier_are_the_epilogue_of_the_product():
    x, w, b = given(64, 30), given(30, 20), given(20)
    assert kinds(plan([c.relu(c.matmul(x, w) + b)])[0]) == {"contract": 1}


def test_a_convolution_with_bias_and_rectifier_is_one_kernel():
    x, w, b = given(4, 3, 12, 12), given(8, 3, 3, 3), given(8, 1, 1)
    made = plan([c.relu(c.convolution(x, w) + b)])[0]
    assert kinds(made) == {"contract": 1}
    assert made.arena == 0  # windows are never written to memory


def test_pooling_reads_what_the_convolution_wrote():
    x, w = given(4, 3, 12, 12), given(8, 3, 3, 3)
    assert kinds(plan([c.max_pool(c.relu(c.convolution(x, w)), 2)])[0]) == {"contract": 1, "reduce": 1}


def test_moments_and_parameter_of_an_adam_step_are_one_kernel_in_place():
    p, g, m, v, rate = given(100), given(100), given(100), given(100), given()
    first, second = m * 0.9 + g * 0.1, v * 0.999 + g * g * 0.001
    new = p - rate * first / (build("sqrt", second) + 1e-8)
    made = plan([first, second, new], [m, v, p])[0]
    assert kinds(made) == {"map": 1}
    assert len(made.kernels[0].stores) == 3 and made.arena == 0


def test_a_gradient_product_updates_its_parameter_in_its_epilogue():
    x, g, w = given(64, 40), given(64, 30), given(40, 30)
    grad = build("contract", x, g, a_axes=(0, 1), b_axes=(0, 2), out_axes=(1, 2))
    assert kinds(plan([w - 0.1 * grad], [w])[0]) == {"contract": 1}


def test_softmax_is_three_kernels_and_no_exponential_is_taken_twice():
    roots = [c.softmax(given(50, 30), 1)]
    assert len(group(optimize(roots))) <= 4
    assert memory(roots).count("exp") == 1  # kept, because the sum and the quotient both need it


def test_statistics_of_one_array_are_read_from_one_mean():
    x = given(32, 20)
    assert len(group(optimize([c.var(x, 0), c.mean(x, 0)]))) <= 3


def test_cheap_values_are_computed_again_and_dear_ones_kept():
    x = given(1000)
    cheap, dear = x * 2.0, build("tanh", x)
    assert memory([build("sum", cheap * x, axes=(0,)), build("max", cheap, axes=(0,))]) == ["sum", "max"]
    assert "tanh" in memory([build("sum", dear * x, axes=(0,)), build("max", dear, axes=(0,))])


def test_a_value_repeated_for_every_row_is_computed_once():
    x, row = given(500, 40), given(40)
    roots = [x * build("expand", build("exp", row), shape=(500, 40))]
    assert memory(roots) == ["exp", "multiply"]


def test_views_cost_no_memory():
    x = given(8, 6, 4)
    y = build("permute", x, axes=(2, 0, 1))
    y = build("reshape", y, shape=(4, 48))
    y = build("slice", y, start=(3, 1), stop=(-1, 48), step=(-1, 2))
    made = plan([build("pad", y, widths=((1, 0), (0, 2)), value=0) + 1.0])[0]
    assert len(made.kernels) == 1 and made.arena == 0


def test_independent_values_of_one_shape_and_source_share_a_kernel():
    x = given(300)
    assert names([build("sin", x), build("cos", x), build("exp", x)]) == ["sin cos exp"]


def test_a_kernel_stores_a_bounded_number_of_values():
    x = given(300)
    groups = group(optimize([build("sin", x + float(n)) for n in range(30)]))
    assert max(len(each.stored) for each in groups) <= MAXIMUM_STORES


def test_a_chain_is_cut_where_it_would_grow_too_high():
    x = y = given(64)
    for n in range(10 * MAXIMUM_HEIGHT):
        y = build("maximum", y, x) * float(n % 3 + 1) if n % 2 else y + x
    made = plan([y])[0]
    assert 8 <= len(made.kernels) <= 40
    env = {x: np.linspace(-1, 0, 64, dtype=np.float32)}
    np.testing.assert_allclose(compile_nodes([y]).run(env)[0], evaluate([y], env)[0], rtol=1e-4)


def parts(x: Node) -> list[Node]:
    """The left and the right half."""
    n = x.shape[1] // 2
    return [build("slice", x, start=(0, k * n), stop=(x.shape[0], (k + 1) * n), step=(1, 1)) for k in range(2)]


def test_what_began_in_several_places_is_one_kernel_where_it_meets():
    given_gate, kept_gate = parts(given(3, 40))
    first, second = build("exp", given_gate), build("tanh", kept_gate)
    assert names([first, second]) == ["exp", "tanh"]
    made, = names([first, second, first * second])
    assert sorted(made.split()) == ["exp", "multiply", "tanh"]


def test_it_stays_apart_where_something_between_needs_it_first():
    x, y = given(3, 40), given(3, 20)
    left, _ = parts(x)
    first = build("exp", left)
    total = build("expand", build("reshape", build("sum", first, axes=(1,)), shape=(3, 1)), shape=(3, 20))
    assert len(names([first * build("tanh", y + total)])) == 3


def test_values_side_by_side_are_computed_where_they_belong():
    x, y = given(5, 8), given(5, 12)
    a, b = build("tanh", x), build("exp", y)
    joined = build("concat", a, build("slice", y, start=(0, 2), stop=(5, 5), step=(1, 1)), b, axis=1)
    outer = build("concat", joined, build("sin", x), axis=1)
    roots = [build("sum", outer * outer, axes=(0,)), outer, a + 1.0, joined]
    made = plan(roots)[0]
    copies = [kernel for kernel in made.kernels if {node.op.name for node in kernel.nodes} & {"concat", "slice"}]
    assert len(copies) == 2  # the slice, and the copy of a result that lies in the other result
    env = {x: np.linspace(-1, 1, 40, dtype=np.float32).reshape(5, 8), y: np.linspace(-2, 2, 60, dtype=np.float32).reshape(5, 12)}
    for poison in (False, True):
        for found, right in zip(run_nodes(roots, env, poison=poison), evaluate(roots, env)):
            np.testing.assert_allclose(found, right, rtol=2e-6, atol=1e-6)


def test_views_side_by_side_are_written_by_one_kernel():
    x, y = given(5, 8), given(5, 12)
    assert [kernel.kind for kernel in plan([build("concat", x, y, axis=1)])[0].kernels] == ["map"]


def test_what_is_read_elsewhere_than_it_is_computed_is_not_fused():
    x = given(30)
    y = build("tanh", x)
    assert len(group(optimize([y + build("slice", y, start=(29,), stop=(-1,), step=(-1,)), y]))) == 2


def test_equal_kernels_are_one_function():
    y = given(64, 64)
    for _ in range(6):
        y = c.matmul(y, given(64, 64))
    made = plan([y])[0]
    assert kinds(made) == {"contract": 6}
    assert len([module for module in made.modules if module.name]) == 1


def test_the_first_layer_needs_no_gradient_of_its_input():
    x, w, g = given(8, 1, 12, 12), given(4, 1, 3, 3), given(8, 4, 10, 10)
    grad, = pull_back([c.convolution(x, w)], [g], [w])
    assert kinds(plan([grad])[0]).get("contract") == 1


def test_constants_of_a_graph_are_no_kernels():
    x = given(4, 4)
    assert len(plan([x + constant(np.ones((4, 4), np.float32)) * 2.0])[0].kernels) <= 2
