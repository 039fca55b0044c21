"""Derivatives: reverse, forward, higher, nested and batched; what would break if one graph-to-graph transformation were wrong."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from operation_cases import random_array

import slopes as sl
from slopes import nn
from slopes.autodiff.batching import batch
from slopes.autodiff.check import check_graph
from slopes.autodiff.pullback import pull_back
from slopes.autodiff.pushforward import push_forward
from slopes.errors import ArgumentError, GradientError, ShapeError, SlopesError, TraceError
from slopes.graph.build import build, constant, variable
from slopes.graph.node import Operation
from slopes.graph.verify import verify
from slopes.graph.walk import topological
from slopes.machine.reference import evaluate
from slopes.ops.elementwise import Elementwise
from slopes.passes.canonical import canonical
from slopes.trace import Trace, tracing
from slopes.tree import flatten, unflatten

F64 = np.dtype("float64")


def v(*shape, dtype=F64, name="v"):
    return variable(shape, np.dtype(dtype), name)


def t(data, dtype="float64"):
    return sl.tensor(data, dtype=dtype)


def close(found, expected, tolerance=1e-6):
    np.testing.assert_allclose(np.asarray(found), expected, rtol=tolerance, atol=tolerance)


# Reverse mode on nodes


def test_a_shared_node_is_differentiated_once():
    a, b = v(), v()
    product = a * b
    root = (product + 1.0) * (product + 2.0)
    gradients = pull_back([root], [constant(1.0, F64)], [a, b])
    values = {a: np.array(2.0), b: np.array(3.0)}
    assert [float(each) for each in evaluate(gradients, values)] == [45, 30]
    assert sum(node.op.name == "multiply" and set(node.args) == {a, b} for node in topological([root])) == 1


def test_what_does_not_depend_has_no_gradient():
    a, b = v(3), v(3)
    assert pull_back([build("sum", a, axes=(0,))], [constant(1.0, F64)], [a, b])[1] is None
    assert pull_back([build("sum", build("stop_gradient", a), axes=(0,))], [constant(1.0, F64)], [a]) == [None]
    through_integers = build("cast", build("cast", a, dtype="int32"), dtype=F64)
    assert pull_back([through_integers], [constant(np.ones(3))], [a]) == [None]


def test_a_gradient_with_respect_to_an_inner_node_and_several_outputs():
    a = v()
    inner = a * a
    outputs = [inner * 3.0, build("exp", inner), a]
    seeds = [constant(1.0, F64), constant(2.0, F64), constant(10.0, F64)]
    found = evaluate(pull_back(outputs, seeds, [inner, a]), {a: np.array(1.0)})
    close(found, [3 + 2 * np.e, 2 * (3 + 2 * np.e) + 10])


def test_an_output_that_is_the_input_itself_gets_its_seed():
    a = v(2)
    assert pull_back([a, a], [a * 2.0, a], [a])[0] is a * 2.0 + a


def test_the_seed_must_fit_the_output():
    a = v(2)
    with pytest.raises(GradientError, match=r"gradient of shape \(3,\) and type float64 for an output of shape \(2,\)"):
        pull_back([a * 2.0], [constant(np.ones(3))], [a])


def test_a_wrong_pullback_is_named():
    class Careless(Operation):
        kind = "elementwise"

        def rule(x): return x.shape, x.dtype
        def pullback(g, y, x): return (build("sum", g, axes=(0,)),)

    try:
        a = v(2)
        with pytest.raises(GradientError, match=r"pullback of careless: gradient float64\[\] for an argument float64\[2\]"):
            pull_back([Careless.make(a)], [constant(np.ones(2))], [a])
    finally:
        del Operation.table["careless"]


def test_gradients_accumulate_over_a_deep_chain_of_shared_nodes():
    a = node = v()
    for _ in range(40):
        node = node + node  # 2^40 paths
    gradient, = pull_back([node], [constant(1.0, F64)], [a])
    assert float(evaluate([gradient], {a: np.array(1.0)})[0]) == 2.0 ** 40


# Forward mode on nodes


def test_forward_mode_needs_nothing_of_the_reverse_graph():
    a = v(3)
    y = build("sum", build("tanh", a) * a, axes=(0,))
    tangent, = push_forward([y], [a], [constant(np.ones(3))])
    assert not any(node.op.name == "variable" and node is not a for node in topological([tangent]))
    point = np.array([0.1, -0.4, 2.0])
    close(evaluate([tangent], {a: point})[0], np.sum(np.tanh(point) + point * (1 - np.tanh(point) ** 2)))


def test_tangents_that_stand_still_and_outputs_that_do_not_move():
    a, b = v(2), v(2)
    whole = build("cast", a, dtype="int32")
    moved, still, counted = push_forward([a * b, b * 2.0, whole], [a, b], [constant(np.ones(2)), None])
    values = {a: np.array([1.0, 2.0]), b: np.array([3.0, 4.0])}
    found = evaluate([moved, still, counted], values)
    assert found[0].tolist() == [3, 4] and found[1].tolist() == [0, 0]
    assert found[2].tolist() == [0, 0] and counted.dtype == np.dtype("int32")


# Every operation


def sampled(operation):
    """(nodes, arrays, params) on which an operation can be tried."""
    generator = np.random.default_rng(1)
    if operation.kind == "elementwise":
        yield from elementwise_samples(operation, generator)
        return
    for given, params in operation.samples():
        arrays = []
        for shape, dtype, domain in given:
            arrays.append(random_array(shape, np.dtype(dtype or (bool if operation.name in ("any", "all") else F64)), domain, generator))
        yield [v(*array.shape, dtype=array.dtype) for array in arrays], arrays, params


def elementwise_samples(operation, generator):
    usual = np.dtype("uint32") if operation.name == "random_bits" else F64 if "f" in operation.accepts else np.dtype("int32")
    dtype = getattr(operation, "taken", usual)  # some take one type only
    params = {"cast": {"dtype": np.dtype("float32")}, "alias": {"tag": 3}}.get(operation.name, {})
    count = len(inspect.signature(operation.meaning).parameters) - 1 - len(params)
    spans = operation.domain if isinstance(operation.domain[0], tuple) else (operation.domain,) * count
    arrays = [np.asarray(generator.uniform(low, high, (2, 3)), dtype) for low, high in spans]
    if operation.name == "where":
        arrays[0] = arrays[0] > 0.5
    yield [v(2, 3, dtype=array.dtype) for array in arrays], arrays, params


def another(array, operation, generator):
    """The array with its rows in another order, or of twice its values where the order matters."""
    return 2 * array if operation.kind == "linalg" else array if not array.ndim else generator.permuted(array, axis=0)


NAMES = [name for name, operation in sorted(Operation.table.items()) if operation.kind not in ("leaf", "complex")]


@pytest.mark.parametrize("name", NAMES)
def test_batching_an_operation_equals_doing_it_one_example_at_a_time(name):
    operation = Operation.table[name]
    generator = np.random.default_rng(2)
    for nodes, arrays, params in sampled(operation):
        if not nodes:
            continue
        node = operation.make(*nodes, **params)
        patterns = {(True,) * len(nodes), *(tuple(i == j for j in range(len(nodes))) for i in range(len(nodes)))}
        for pattern in patterns:
            stacks = {each: np.stack([array, another(array, operation, generator)])
                      for each, array, flag in zip(nodes, arrays, pattern) if flag}
            many = {each: v(*stack.shape, dtype=stack.dtype) for each, stack in stacks.items()}
            batched, = batch([node], list(many), list(many.values()))
            verify([batched])
            fixed = dict(zip(nodes, arrays))
            found, = evaluate([batched], fixed | {many[each]: stack for each, stack in stacks.items()})
            for example in range(2):
                one, = evaluate([node], {**fixed, **{each: stack[example] for each, stack in stacks.items()}})
                np.testing.assert_allclose(found[example], one, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "stop_gradient"])
def test_forward_reverse_and_difference_agree_for_an_operation(name):
    operation = Operation.table[name]
    for nodes, arrays, params in sampled(operation):
        node = operation.make(*nodes, **params)
        floats = [each for each in nodes if each.dtype == F64]
        if node.dtype == F64 and floats and node.size:
            check_graph(lambda roots, env: evaluate(roots, env), [node], dict(zip(nodes, arrays)), wrt=floats)


def test_a_wrong_derivative_is_seen_by_the_check():
    class Crooked(Operation):
        kind = "elementwise"

        def rule(x): return x.shape, x.dtype
        def meaning(xp, x): return x * x
        def pullback(g, y, x): return (g * x * 2.1,)

    try:
        a = v(3, name="a")
        with pytest.raises(GradientError) as error:
            check_graph(evaluate, [Crooked.make(a)], {a: np.ones(3)}, every=True)
        assert error.value.what == "check_grads: output 0 at (0,) along a[0]: the derivative is 2.1, the central difference 2"
    finally:
        del Operation.table["crooked"]


# Functions of tensors


def test_first_second_and_third_derivative_of_tanh_at_2():
    f = lambda x: x.tanh()  # noqa: E731
    for expected in (0.07065082485316443, -0.13621868742711296, 0.25265406509806265):
        f = sl.grad(f)
        close(f(t(2.0)), expected, 1e-12)


def test_value_and_grad_of_trees_and_several_arguments():
    def loss(parameters, x, power):
        y = x @ parameters["layers"][0] + parameters["bias"]
        return (y ** power).sum(), {"y": y, "n": 3}

    parameters = {"layers": [t([[1.0, 2.0], [3.0, 4.0]])], "bias": t([0.5, -0.5])}
    x = t([[1.0, -1.0]])
    (value, aux), (by_parameters, by_x) = sl.value_and_grad(loss, argnums=(0, 1), has_aux=True)(parameters, x, 2)
    y = np.array([[-2 + 0.5, -2 - 0.5]])
    close(value, np.sum(y ** 2))
    close(aux["y"], y)
    close(by_parameters["bias"], 2 * y[0])
    close(by_parameters["layers"][0], np.outer([1, -1], 2 * y[0]))
    close(by_x, 2 * y @ np.array([[1, 3], [2, 4]]))
    assert not aux["y"].requires_grad and not value.requires_grad


def test_keyword_arguments_and_negative_argnums():
    close(sl.grad(lambda a, b, scale=1.0: (a * b * scale), argnums=-1)(t(2.0), t(5.0), scale=3.0), 6)


def test_gradient_with_respect_to_what_is_not_used_is_zero():
    close(sl.grad(lambda x: t(3.0))(t([1.0, 2.0])), [0, 0])
    close(sl.grad(lambda x, y: (y * y).sum(), argnums=0)(t([1.0, 2.0]), t(1.0)), [0, 0])


def test_python_numbers_and_arrays_are_taken_as_tensors():
    close(sl.grad(lambda x: x * x)(3.0), 6)
    close(sl.grad(lambda x: (x * x).sum())(np.array([1.0, 2.0])), [2, 4])


def test_numbers_returned_by_the_function_are_constants():
    close(sl.grad(lambda x: 3.0)(t(1.0)), 0)


def test_vjp_and_jvp_are_transposes():
    f = lambda x, w: {"y": (x @ w).tanh(), "z": x.sum()}  # noqa: E731
    x, w = t([[1.0, 2.0]]), t([[0.1, -0.3], [0.2, 0.4]])
    values, pull = sl.vjp(f, x, w)
    close(values["y"], np.tanh(x.numpy() @ w.numpy()))
    by_x, by_w = pull({"y": t([[1.0, 10.0]]), "z": t(5.0)})
    tangents = (t([[0.3, -0.7]]), t([[1.0, 2.0], [3.0, 4.0]]))
    same, moved = sl.jvp(f, (x, w), tangents)
    close(same["y"], values["y"].numpy())
    forward = (moved["y"].numpy() * [[1.0, 10.0]]).sum() + moved["z"].item() * 5
    close((by_x.numpy() * tangents[0].numpy()).sum() + (by_w.numpy() * tangents[1].numpy()).sum(), forward)


def test_pull_can_be_called_again():
    _, pull = sl.vjp(lambda x: x * x, t(3.0))
    assert [float(pull(t(g))[0]) for g in (1.0, 2.0)] == [6, 12]


def test_jvp_against_differences():
    f = lambda x: ((x * x).sum() + 1.0).log() * x  # noqa: E731
    x, move, h = np.array([0.3, -1.2, 0.8]), np.array([1.0, 2.0, -0.5]), 1e-5
    _, tangent = sl.jvp(f, (t(x),), (t(move),))
    close(tangent, (f(t(x + h * move)).numpy() - f(t(x - h * move)).numpy()) / (2 * h))


def test_jacobian_in_both_modes_of_trees():
    w = t([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    close(sl.jacobian(lambda x: w @ x)(t([1.0, 1.0, 1.0])), w.numpy())  # fewer outputs: reverse
    close(sl.jacobian(lambda x: x @ w)(t([1.0, 1.0])), w.numpy().T)  # fewer inputs: forward
    blocks = sl.jacobian(lambda p: [p["a"] * p["b"], p["a"].sum()])({"a": t([1.0, 2.0]), "b": t([3.0, 4.0])})
    close(blocks[0]["a"], np.diag([3, 4]))
    close(blocks[0]["b"], np.diag([1, 2]))
    close(blocks[1]["a"], [1, 1])
    close(blocks[1]["b"], [0, 0])
    assert sl.jacobian(lambda x: x.reshape(2, 1) * x)(t([1.0, 2.0])).shape == (2, 2, 2)


def test_hessian_of_a_quadratic_form_and_of_rosenbrock():
    a = np.array([[2.0, 1.0], [0.0, 3.0]])
    close(sl.hessian(lambda x: x @ (t(a) @ x))(t([0.3, 0.4])), a + a.T)
    rosenbrock = lambda x: (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2  # noqa: E731
    close(sl.hessian(rosenbrock)(t([1.0, 1.0])), [[802, -400], [-400, 200]])
    close(sl.grad(rosenbrock)(t([1.0, 1.0])), [0, 0])


def test_hessian_vector_product_forward_over_reverse_and_reverse_over_reverse():
    f = lambda x: (x * x * x).sum() * x[0]  # noqa: E731
    x, move = t([1.0, 2.0, 3.0]), t([1.0, -1.0, 0.5])
    whole = sl.hessian(f)(x).numpy() @ move.numpy()
    close(sl.jvp(sl.grad(f), (x,), (move,))[1], whole)
    close(sl.grad(lambda x: (sl.grad(f)(x) * move).sum())(x), whole)
    close(sl.grad(lambda x: sl.jvp(f, (x,), (move,))[1])(x), whole)


# Nesting: whose perturbation is it?


def test_nested_derivatives_do_not_confuse_their_variables():
    x = t(3.0)
    close(sl.grad(lambda x: x * sl.grad(lambda y: x + y)(t(1.0)))(x), 1)
    close(sl.grad(lambda x: x * sl.grad(lambda y: x * y)(t(2.0)))(x), 6)
    close(sl.grad(lambda x: x * sl.grad(lambda y: x * y)(x))(x), 6)
    close(sl.grad(lambda x: sl.grad(lambda y: x * x * y * y)(x))(x), 54)
    for outer, inner in (("forward", "reverse"), ("reverse", "forward"), ("forward", "forward")):
        close(slope(outer, lambda x, inner=inner: x * slope(inner, lambda y: x + y, t(1.0)), x), 1)
        close(slope(outer, lambda x, inner=inner: x * slope(inner, lambda y: x * y * y, x), x), 54)


def slope(mode, f, x):
    """df/dx in one of the modes."""
    return sl.grad(f)(x) if mode == "reverse" else sl.jvp(f, (x,), (t(1.0),))[1]


def test_the_function_may_return_its_argument_or_an_outer_variable():
    close(sl.grad(lambda x: sl.grad(lambda y: y)(x) * x)(t(3.0)), 1)
    close(sl.grad(lambda x: sl.grad(lambda y: x)(x) + x)(t(3.0)), 1)


def test_third_order_nesting_of_mixed_modes():
    f = lambda x: x ** 5  # noqa: E731
    close(slope("reverse", lambda x: slope("forward", lambda y: slope("reverse", f, y), x), t(2.0)), 60 * 4)


def test_an_outer_variable_reaches_through_value_and_aux():
    def outer(x):
        value, gradient = sl.value_and_grad(lambda y: x * y)(x)
        gradient2, aux = sl.grad(lambda y: (y * y, x * y), has_aux=True)(x)
        return value + gradient + gradient2 + aux

    close(sl.grad(outer)(t(3.0)), 6 + 1 + 2 + 6)


# With backward, parameters and no_grad


def test_results_remember_parameters_in_the_closure_and_forget_everything_else():
    w = sl.Parameter([1.0, 2.0])
    gradient = sl.grad(lambda x: (x * x * w).sum())(sl.tensor([3.0, 4.0]))
    assert gradient.requires_grad
    gradient.sum().backward()
    close(w.grad, [6, 8])
    assert not sl.grad(lambda x: (x * x).sum())(sl.tensor([3.0, 4.0])).requires_grad


def test_grad_works_inside_of_no_grad_and_its_result_records_nothing():
    w = sl.Parameter([1.0, 2.0])
    with sl.no_grad():
        found = sl.grad(lambda w: (w * w).sum())(w)
    close(found, [2, 4])
    assert not found.requires_grad and w.grad is None


def test_no_grad_inside_of_the_function_stops_the_gradient():
    def f(x):
        with sl.no_grad():
            factor = x * 2.0
        return factor * x

    close(sl.grad(f)(t(3.0)), 6)
    close(sl.grad(lambda x: x.detach() * x)(t(3.0)), 3)


def test_backward_of_a_second_order_penalty():
    w = sl.tensor([1.0, -2.0], dtype="float64", requires_grad=True)
    norm = (sl.grad(lambda v: (v ** 3).sum())(w) ** 2).sum()  # sum 9 w^4
    norm.backward()
    close(w.grad, 36 * np.array([1.0, -8.0]))


# Dynamic Python


def test_python_branches_and_loops_follow_the_values():
    def f(x):
        y = x
        while abs(float(y)) < 100:
            y = y * 2.0 if float(y) > 0 else y * 3.0
        return y

    close(sl.grad(f)(t(3.0)), 64)  # 3 -> 192
    close(sl.grad(f)(t(-3.0)), 81)  # -3 -> -243
    close(sl.jvp(f, (t(3.0),), (t(1.0),))[1], 64)
    close(sl.vjp(f, t(3.0))[1](t(1.0))[0], 64)


def test_recursive_functions_differentiate():
    power = lambda x, n: x if n == 1 else x * power(x, n - 1)  # noqa: E731
    close(sl.grad(power)(t(2.0), 5), 80)


# vmap


def test_vmap_equals_a_loop_and_stack():
    x, w = t(np.arange(12.0).reshape(4, 3)), t([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    f = lambda row, w: {"tanh": (row @ w).tanh(), "order": row.sum()}  # noqa: E731
    found = sl.vmap(f, in_axes=(0, None))(x, w)
    for number in range(4):
        one = f(x[number], w)
        close(found["tanh"].numpy()[number], one["tanh"].numpy())
        close(found["order"].numpy()[number], one["order"].numpy())


def test_vmap_draws_the_same_random_numbers_for_all_examples():
    drop, x = nn.Dropout(0.5), sl.ones((5, 8))
    drop.generator = sl.Generator(3)
    found = sl.vmap(drop)(x).numpy()
    assert (found == found[0]).all() and set(found[0].tolist()) == {0.0, 2.0} and int(drop.generator.counter) == 1
    assert np.array_equal(found[0], nn.Dropout(0.5, generator=sl.Generator(3))(sl.ones((8,))).numpy())
    noise = sl.uniform((5, 8), generator=sl.Generator(4))
    assert np.array_equal(sl.vmap(lambda x, u: x + u)(x, noise).numpy(), 1 + noise.numpy())


def test_vmap_moves_axes_in_and_out():
    x = t(np.arange(6.0).reshape(2, 3))
    found = sl.vmap(lambda column: column * 2.0, in_axes=1, out_axes=1)(x)
    close(found, 2 * x.numpy())
    close(sl.vmap(lambda column: column * 2.0, in_axes=-1)(x), 2 * x.numpy().T)
    a, b = sl.vmap(lambda r: (r, r.sum()), out_axes=(1, 0))(x)
    close(a, x.numpy().T)
    close(b, [3, 12])


def test_vmap_of_vmap_and_outputs_that_do_not_depend_on_the_batch():
    x, y = t([1.0, 2.0]), t([10.0, 20.0, 30.0])
    table = sl.vmap(lambda a: sl.vmap(lambda b: a * b)(y))(x)
    close(table, np.outer(x.numpy(), y.numpy()))
    close(sl.vmap(lambda a: t(7.0))(x), [7, 7])
    close(sl.vmap(lambda a: 7.0)(x), [7, 7])


def test_vmap_of_grad_gives_gradients_per_example():
    x, w = t([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), t([0.1, 0.2])
    loss = lambda w, row: (row @ w).tanh()  # noqa: E731
    found = sl.vmap(sl.grad(loss), in_axes=(None, 0))(w, x).numpy()
    for number in range(3):
        close(found[number], sl.grad(loss)(w, x[number]).numpy())


def test_grad_of_vmap_and_of_a_closure_in_it():
    x, w = t([[1.0, 2.0], [3.0, 4.0]]), t([1.0, -1.0])
    f = lambda w: (sl.vmap(lambda row: (row * w).sum())(x) ** 2).sum()  # noqa: E731
    close(sl.grad(f)(w), sl.grad(lambda w: ((x @ w) ** 2).sum())(w).numpy())
    close(sl.hessian(f)(w), 2 * x.numpy().T @ x.numpy())
    close(sl.jvp(f, (w,), (t([1.0, 0.0]),))[1], sl.grad(f)(w).numpy()[0])


def test_vmap_of_hessian_and_jacobian_of_vmap():
    x = t([1.0, 2.0, 3.0])
    close(sl.vmap(sl.hessian(lambda x: x ** 3))(x), 6 * x.numpy())
    close(sl.jacobian(sl.vmap(lambda x: x ** 2))(x), np.diag(2 * x.numpy()))


def test_parameters_get_gradients_through_vmap():
    w = sl.Parameter([1.0, 2.0])
    sl.vmap(lambda row: (row * w).sum())(sl.tensor([[1.0, 2.0], [3.0, 4.0]])).sum().backward()
    close(w.grad, [4, 6])


def test_state_may_change_in_vmap_only_to_one_value():
    counter, total = sl.tensor(0.0), sl.tensor(0.0)

    def count(x):
        counter.assign(counter + 1.0)
        return x

    sl.vmap(count)(sl.tensor([1.0, 2.0]))
    assert counter.item() == 1
    with pytest.raises(TraceError, match="assigns a value that depends on the example"):
        sl.vmap(lambda x: total.assign(total + x))(sl.tensor([1.0, 2.0]))
    assert total.item() == 0


# check_grads


def test_check_grads_accepts_right_and_refuses_wrong_derivatives():
    sl.check_grads(lambda x, w: (x @ w).tanh(), sl.tensor([[1.0, 2.0]]), sl.tensor([[0.1], [0.2]]), every=True)
    sl.check_grads(lambda p: p["a"] * p["b"].exp(), {"a": sl.tensor([1.0]), "b": sl.tensor([0.3]), "n": None}, order=3)
    with pytest.raises(GradientError) as error:
        sl.check_grads(lambda x: x * x.detach(), sl.tensor([1.0]))
    assert error.value.what.startswith("check_grads: output 0 at (0,) along a random direction: the derivative is ")
    with pytest.raises(GradientError, match=r"along argument 0\['?w|along argument 0.w\[1\]"):
        sl.check_grads(lambda p: (p["w"] * p["w"].detach())[1], {"w": sl.tensor([1.0, 2.0])}, every=True)


def test_check_grads_needs_floats():
    with pytest.raises(GradientError, match="no argument is a float tensor"):
        sl.check_grads(lambda n: n, sl.tensor(3))
    with pytest.raises(GradientError, match="returned no float tensor"):
        sl.check_grads(lambda x: x > 0, sl.tensor(3.0))


def test_check_grads_refuses_native_code_that_differs_from_the_meaning(monkeypatch):
    monkeypatch.setattr(Operation, "table", dict(Operation.table))

    class WrongCube(Elementwise):
        "x^3, in eager mode"
        def meaning(xp, x):
            return x * x * x

        def pullback(g, y, x):
            return (g * 3 * x * x,)

        def emit(b, x):
            return b.mul(x, x)

    def cube(x):
        return build("wrong_cube", x)

    x = sl.tensor([1.0, 2.0])
    with pytest.raises(GradientError) as error:
        sl.check_grads(cube, x)
    assert error.value.what == "check_grads: output 0 at (1,) is 4 compiled and 8 in eager mode"
    assert error.value.repair == "compare its `emit` with its `meaning`; compiled=False leaves this check out"
    sl.check_grads(cube, x, compiled=False)


def test_check_grads_of_a_function_that_cannot_be_traced():
    def branching(x):
        return x * 2 if float(x.sum()) > 0 else x

    with pytest.raises(TraceError):
        sl.check_grads(branching, sl.tensor([1.0]))
    sl.check_grads(branching, sl.tensor([1.0]), compiled=False)


# Errors


ERRORS = [
    (lambda: sl.grad(lambda x: x * x)(t([1.0, 2.0])), GradientError, [
        "grad: the function returned a tensor of shape (2,)",
        "  a gradient belongs to a single number",
        "  use sl.jacobian for all its derivatives, or reduce it first, such as by .sum()"]),
    (lambda: sl.grad(lambda x: x * x)(sl.tensor(3)), GradientError, [
        "grad: argument 0 is of type int64",
        "  only floating-point values change smoothly",
        "  make it a float first, such as x.astype(slopes.float32), or leave it out of argnums="]),
    (lambda: sl.grad(lambda p: p["x"])({"x": [t(1.0), "name"]}), GradientError, [
        "grad: argument 0.x[1] is 'name' of type str, not a tensor",
        "  name the arguments to differentiate with argnums=, and leave others out"]),
    (lambda: sl.grad(lambda x: (x, x))(t(1.0)), GradientError, [
        "grad: the function returned (tensor(1., dtype=float64, requires_grad=True), "
        "tensor(1., dtype=float64, requires_grad=True)) of type tuple, not a tensor",
        "  a gradient belongs to a single number",
        "  return a tensor; to return more beside it, use sl.grad(f, has_aux=True)"]),
    (lambda: sl.grad(lambda x: x, has_aux=True)(t(1.0)), GradientError, [
        "grad: with has_aux=True the function returns a pair (number, anything), not a Tensor",
        "  return (loss, extra)"]),
    (lambda: sl.grad(lambda x: x > 0)(t(1.0)), GradientError, [
        "grad: the function returned a tensor of type bool",
        "  only floating-point values change smoothly",
        "  return a float, such as a loss"]),
    (lambda: sl.grad(lambda x: x, argnums=1)(t(1.0)), ArgumentError, [
        "grad: there is no argument 1 among 1",
        "  argnums counts positional arguments, from 0"]),
    (lambda: sl.jvp(lambda x: x, (t(1.0),), ()), ArgumentError, [
        "jvp: 1 arguments and 0 tangents",
        "  give one tangent per argument"]),
    (lambda: sl.jvp(lambda x: x, (t([1.0]),), (t([1.0, 2.0]),)), GradientError, [
        "gradient of shape (2,) and type float64 for an output of shape (1,) and type float64"]),
    (lambda: sl.vjp(lambda x: x, t(1.0))[1]([t(1.0)]), ArgumentError, [
        "vjp: the gradient is [*], the output *",
        "  give one tensor per output, in the same containers"]),
    (lambda: sl.vmap(lambda x, y: x + y)(t([1.0, 2.0]), t([1.0])), ShapeError, [
        "vmap: argument 0 has 2 examples, argument 1 has 1",
        "  all batch axes are of one length",
        "  name the batch axis of each argument in in_axes="]),
    (lambda: sl.vmap(lambda x: x)(t(1.0)), ShapeError, [
        "vmap, argument 0: axis 0 does not exist in a tensor of 0 axes",
        "  a 0-d tensor has no axes"]),
    (lambda: sl.vmap(lambda x: x, in_axes=None)(t(1.0)), ArgumentError, [
        "vmap: no argument has a batch axis",
        "  name one in in_axes=, such as in_axes=0"]),
    (lambda: sl.vmap(lambda x, y: x, in_axes=(0,))(t([1.0]), t([1.0])), ArgumentError, [
        "vmap: in_axes names 1 axes for 2 arguments",
        "  pass one axis, or None, per positional argument"]),
    (lambda: sl.vmap(lambda x: x if x > 0 else -x)(t([1.0, 2.0])), TraceError, [
        "a Python branch depends on the value of a tensor (bool[]), which is not known while a function is compiled"]),
]


@pytest.mark.parametrize("call, kind, lines", ERRORS, ids=[lines[0][:60] for _, _, lines in ERRORS])
def test_wrong_calls_say_what_why_and_how_to_repair(call, kind, lines):
    with pytest.raises(SlopesError) as error:
        call()
    assert type(error.value) is kind
    text = str(error.value).splitlines()
    assert text[:len(lines)] == lines
    assert text[-1].startswith("  at test_autodiff.py:")


# Inside of a trace, as sl.compile makes one


def traced(f, *arrays):
    """The values of `f` by way of a trace: recorded once without values, then evaluated."""
    trace = Trace()
    with tracing(trace):
        arguments = [trace.argument(array.shape, array.dtype) for array in arrays]
        leaves, structure = flatten(f(*arguments))
        nodes = [leaf._node_in(trace) for leaf in leaves]
    env = {argument._node: array for argument, array in zip(arguments, arrays)}
    env |= {node: tensor.numpy() for tensor, node in trace.reads.items()}
    verify(nodes)
    return unflatten(structure, evaluate(canonical(nodes), env))


W = np.array([[1.0, 2.0], [3.0, 4.0]])
TRACED = {
    "grad": lambda x: sl.grad(lambda x: ((x @ t(W)).tanh()).sum())(x),
    "value_and_grad of a closure": lambda x: sl.value_and_grad(lambda w: ((x @ w).tanh()).sum())(sl.Parameter(W)),
    "nested": lambda x: sl.grad(lambda x: (x * sl.grad(lambda y: (x * y * y).sum())(x)).sum())(x),
    "vjp": lambda x: sl.vjp(lambda x: x * x, x)[1](x),
    "jvp": lambda x: sl.jvp(lambda x: x.exp(), (x,), (x,)),
    "jacobian": lambda x: sl.jacobian(lambda x: (x @ t(W)).tanh())(x),
    "hessian": lambda x: sl.hessian(lambda x: (x ** 3).sum())(x),
    "vmap of grad": lambda x: sl.vmap(sl.grad(lambda a, w: (a * w).exp()), in_axes=(0, None))(x, x.sum()),
    "grad of vmap": lambda x: sl.grad(lambda w: sl.vmap(lambda a: (a * w).exp())(x).sum())(x.sum()),
    "in no_grad": lambda x: sl.no_grad()(sl.grad(lambda x: (x * x).sum()))(x),
}


@pytest.mark.parametrize("name", TRACED)
def test_derivatives_are_the_same_in_a_trace(name):
    point = np.array([0.3, -0.7])
    found, expected = flatten(traced(TRACED[name], point))[0], flatten(TRACED[name](t(point)))[0]
    assert len(found) == len(expected)
    for one, other in zip(found, expected):
        close(one, other.numpy(), 1e-12)


def test_a_traced_branch_on_a_value_is_an_error():
    with pytest.raises(TraceError, match="a Python branch depends on the value of a tensor"):
        traced(lambda x: sl.grad(lambda x: x if x > 0 else -x)(x), np.array(1.0))
