"""Loops over time: the same eagerly, compiled and differentiated, and only what depends on the step before is repeated."""

from __future__ import annotations

import numpy as np
import pytest

import slopes as sl
from slopes.errors import ArgumentError, ShapeError, TraceError
from slopes.graph.build import build, variable
from slopes.graph.text import parse, text
from slopes.graph.walk import topological
from slopes.loops.kernels import ContractKernel, Loop, leaves
from slopes.machine.reference import evaluate
from slopes.ops.scan import Scan
from slopes.passes.dead_outputs import eliminate_dead_scan_outputs
from slopes.trace import Trace, tracing
from tests.native_graphs import compile_nodes, plan, run_nodes, same_bits
from tests.operation_cases import cases

F32 = np.dtype("float32")


def numbers(*shape, seed=0):
    return sl.tensor(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))


def recorded(function, *tensors):
    """The graph of a function: (arguments, results)."""
    trace = Trace()
    with tracing(trace):
        args = [trace.argument(x.shape, x.dtype, True) for x in tensors]
        results = function(*args)
        return [each._node for each in args], [each._node for each in results]


def close(found, expected, tolerance=2e-5):
    for ours, theirs in zip(sl.tree.flatten(found)[0], sl.tree.flatten(expected)[0], strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), tolerance, tolerance)


# ---------------------------------------------------------------------- functions to try
def elman(x, w, u):
    """A recurrent layer whose step also projects its state."""
    def step(h, x):
        h = sl.tanh(x @ u + h @ w)
        return h, (h @ w).sum(axis=-1)
    return sl.scan(step, sl.zeros((x.shape[1], w.shape[0])), x)


def gated(x, w, u):
    """Two states, gates that are parts of one product, a step backwards in time."""
    def step(state, x):
        h, c = state
        a, b = sl.split(h @ sl.concat([w, w * 0.5], axis=1) + sl.concat([x @ u, x @ u], axis=1), 2, axis=1)
        c = sl.sigmoid(a) * c + sl.tanh(b)
        return (sl.sigmoid(b) * c, c), (h, c[:, 0])
    zero = sl.zeros((x.shape[1], w.shape[0]))
    return sl.scan(step, (zero, zero + 1), x, reverse=True)


def nested(x, w, u):
    """A loop in a loop: the inner one takes three steps towards a fixed point."""
    def step(h, x):
        inner, track = sl.scan(lambda y, _: (sl.tanh(y @ w + x @ u), y.sum()), h, length=3)
        return inner, track
    return sl.scan(step, sl.zeros((x.shape[1], w.shape[0])), x)


def counted(x, w, u):
    """A whole number carried beside a float, and an output that the loop takes no part in."""
    def step(state, x):
        n, h = state
        return (n + 1, h * 0.9 + sl.where(n % 2 == 0, (x @ u) @ w, 0.0)), (n, x.sum(), h)
    return sl.scan(step, (sl.tensor(0), sl.zeros((x.shape[1], w.shape[0]))), x)


FUNCTIONS = (elman, gated, nested, counted)


def arguments():
    return numbers(6, 3, 4, seed=1), numbers(5, 5, seed=2) * 0.4, numbers(4, 5, seed=3)


def loss(function):
    """The sum of squares of all results, whose gradient reaches everything."""
    def total(*args):
        results = [each for each in sl.tree.flatten(function(*args))[0] if each.dtype == F32]
        return sum(((each * each).sum() for each in results), start=sl.tensor(0.0))
    return total


# ---------------------------------------------------------------------- the same everywhere
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_compiled_loop_gives_what_python_gives(function):
    close(sl.compile(function)(*arguments()), function(*arguments()))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_gradients_through_a_compiled_loop_are_those_of_the_unrolled_one(function):
    gradient = sl.grad(loss(function), argnums=(0, 1, 2))
    close(sl.compile(gradient)(*arguments()), gradient(*arguments()), 1e-4)


@pytest.mark.parametrize("function", (elman, counted))
def test_second_derivatives_through_a_compiled_loop(function):
    def norm(x, w, u):
        return sum((each * each).sum() for each in sl.grad(loss(function), argnums=(1, 2))(x, w, u))

    close(sl.compile(sl.grad(norm, argnums=1))(*arguments()), sl.grad(norm, argnums=1)(*arguments()), 2e-3)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_forward_mode_through_a_recorded_loop(function):
    args = arguments()
    moves = tuple(numbers(*each.shape, seed=9) for each in args)

    def moved(*args):
        return sl.jvp(loss(function), args, moves)

    close(sl.compile(moved)(*args), moved(*args), 1e-4)


def test_a_batch_of_loops_is_a_loop_of_batches():
    x, w, u = numbers(7, 6, 3, 4, seed=1), *arguments()[1:]
    batched = sl.vmap(elman, in_axes=(0, None, None))
    expected = [elman(each, w, u) for each in x]
    close(batched(x, w, u), (sl.stack([h for h, _ in expected]), sl.stack([y for _, y in expected])))
    close(sl.compile(batched)(x, w, u), batched(x, w, u))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_loop_reads_nothing_that_is_dead_and_gives_the_same_bits_for_any_number_of_threads(function):
    args, roots = recorded(lambda *xs: sl.grad(loss(function), argnums=(0, 1, 2))(*xs), *arguments())
    env = {node: x.numpy() for node, x in zip(args, arguments())}
    once = run_nodes(roots, env)
    assert same_bits(run_nodes(roots, env, threads=2, poison=True), once)
    assert same_bits(run_nodes(roots, env, threads=3), once)


def test_wide_loops_take_the_packed_kernels():
    x, w, u = numbers(9, 32, 48, seed=1), numbers(64, 64, seed=2) * 0.1, numbers(48, 64, seed=3)
    gradient = sl.grad(loss(elman), argnums=(0, 1, 2))
    close(sl.compile(gradient)(x, w, u), gradient(x, w, u), 2e-3)
    args, roots = recorded(gradient, x, w, u)
    program = compile_nodes(roots)
    assert any(kernel.schedule.prepacked for kernel in program.plan.kernels if isinstance(kernel, ContractKernel))
    env = {node: value.numpy() for node, value in zip(args, (x, w, u))}
    assert same_bits(program.run(env, threads=3), program.run(env))


def test_a_generator_inside_of_a_loop_is_carried_from_step_to_step():
    def noisy(x):
        def step(h, x):
            return h + x * sl.bernoulli(0.5, x.shape, generator=generator), h
        return sl.scan(step, sl.zeros(100), x)

    x = numbers(5, 100)
    generator = sl.Generator(3)
    expected = [noisy(x), noisy(x)]
    generator = sl.Generator(3)
    compiled = sl.compile(noisy)
    close([compiled(x), compiled(x)], expected)
    steps = expected[0][1].numpy()
    assert len({row.tobytes() for row in np.diff(steps, axis=0) != 0}) == 4  # other numbers in every step


def test_a_loop_of_one_step_and_one_without_sequences():
    once = sl.compile(lambda x: sl.scan(lambda h, x: (h * x, h), sl.tensor(2.0), x))
    close(once(sl.tensor([3.0])), (sl.tensor(6.0), sl.tensor([2.0])))
    powers = sl.compile(lambda a: sl.scan(lambda p, _: (p * a, p), sl.tensor(1.0), length=5))
    close(powers(sl.tensor(2.0)), (sl.tensor(32.0), sl.tensor([1.0, 2.0, 4.0, 8.0, 16.0])))


def test_a_loop_inside_of_many_steps():
    w = sl.Parameter(np.float32(0.5))

    @sl.compile
    def step(x):
        last, _ = sl.scan(lambda h, x: (h * w + x, None), sl.tensor(0.0), x)
        w.assign(w * 0.9)
        return last

    expected = [np.float32(sum(x * (0.5 * 0.9 ** i) ** (2 - t) for t, x in enumerate((1, 2, 3)))) for i in range(4)]
    found = step.many(4, sl.tensor([[1.0, 2.0, 3.0]] * 4), stepped=(0,))
    np.testing.assert_allclose(found.numpy(), expected, 1e-6)


# ---------------------------------------------------------------------- what is repeated
def test_products_of_the_inputs_and_of_the_outputs_are_taken_outside_of_the_loop():
    _, roots = recorded(lambda *xs: elman(*xs), *arguments())
    scan, = {node for node in topological(roots) if node.op is Scan}
    inside = [node for node in topological(scan.params["body"].outputs) if node.op.kind == "contract"]
    assert len(inside) == 1
    assert len([node for node in topological(roots) if node.op.kind == "contract"]) == 2


def test_the_gradient_of_a_weight_is_one_product_after_the_loop():
    _, roots = recorded(lambda *xs: sl.grad(loss(elman), argnums=(0, 1, 2))(*xs), *arguments())
    scans = [node for node in topological(roots) if node.op is Scan]
    assert len(scans) == 2
    for scan in scans:
        assert len([node for node in topological(scan.params["body"].outputs) if node.op.kind == "contract"]) == 1
        assert not any(node.shape == (5, 5) for node in scan.params["body"].outputs)  # no gradient is carried along


def test_states_that_nobody_reads_are_not_kept():
    _, roots = recorded(lambda *xs: [sl.scan(lambda h, x: (sl.tanh(h @ xs[1] + x @ xs[2]), h.sum()), sl.zeros((3, 5)), xs[0])[0]],
                        *arguments())
    before, = [node for node in topological(roots) if node.op is Scan]
    after, = [node for node in topological(eliminate_dead_scan_outputs(roots)) if node.op is Scan]
    assert before.params["kept"] == (True,) and after.params["kept"] == (False,)
    assert after.shape == (15,) and len(after.params["body"].outputs) == 1


def test_dropping_what_is_unread_changes_no_value():
    for case in cases(Scan, F32):
        part = build("slice", case.node, start=(case.node.size - 3,), stop=(case.node.size,), step=(1,))
        expected, = evaluate([part], case.env)
        found, = evaluate(eliminate_dead_scan_outputs([part]), case.env)
        assert same_bits([found], [expected])


def test_small_loops_are_one_threads_work():
    _, roots = recorded(lambda *xs: elman(*xs), *arguments())
    made, *_ = plan(roots)
    loop, = [kernel for phase in made.phases for kernel in phase if isinstance(kernel, Loop)]
    assert loop.blocks <= 1 or all(kernel.work < 4096 for kernel in leaves([loop]))
    assert not made.parallel


def test_joined_values_are_computed_where_they_belong():
    a, b = variable((4, 8), F32), variable((4, 8), F32)
    joined = build("concat", build("exp", a), build("tanh", b), axis=0)
    made, *_ = plan([build("sum", joined * joined, axes=(1,)), joined])
    assert not any(node.op.name == "concat" for kernel in made.kernels for node in kernel.nodes)
    env = {a: np.ones((4, 8), F32), b: np.full((4, 8), 2, F32)}
    for poison in (False, True):
        found = run_nodes([joined, build("exp", a)], env, poison=poison)
        np.testing.assert_allclose(found[0], np.concatenate([np.exp(env[a]), np.tanh(env[b])]), 1e-6)
        np.testing.assert_allclose(found[1], np.exp(env[a]), 1e-6)


def test_a_joined_value_may_be_new_state():
    a, b = variable((4,), F32), variable((8,), F32)
    grown = build("concat", build("exp", a), build("slice", b, start=(0,), stop=(4,), step=(1,)) * 2.0, axis=0)
    found, = run_nodes([grown], {a: np.zeros(4, F32), b: np.arange(8, dtype=F32)}, [b])
    np.testing.assert_array_equal(found, [1, 1, 1, 1, 0, 2, 4, 6])


# ---------------------------------------------------------------------- errors
def test_an_index_that_is_wrong_in_a_later_step_names_the_line():
    table = numbers(10)

    @sl.compile
    def look(i):
        return sl.scan(lambda h, i: (h + sl.take(table, i, axis=0), None), sl.tensor(0.0), i)[0]

    close(look(sl.tensor([1, 2, 3])), table[1] + table[2] + table[3])
    with pytest.raises(IndexError, match="12"):
        look(sl.tensor([1, 2, 12]))


@pytest.mark.parametrize("call, error, message", [
    (lambda: sl.scan(lambda h, x: h, sl.tensor(0.0), sl.ones(3)), ArgumentError, "the step returned a Tensor"),
    (lambda: sl.scan(lambda h, x: ((h, h), x), sl.tensor(0.0), sl.ones(3)), ArgumentError, "the step returned a state"),
    (lambda: sl.scan(lambda h, x: (h + x, x), sl.tensor(0.0), sl.ones((3, 2))), ShapeError,
     r"part 0 of the state is float32\[\] before the step and float32\[2\] after it"),
    (lambda: sl.scan(lambda h, x: (h, x), sl.tensor(0.0), (sl.ones(3), sl.ones(4))), ShapeError, "do not have the same number of steps"),
    (lambda: sl.scan(lambda h, x: (h, x), sl.tensor(0.0)), ShapeError, "no sequences and length=None"),
    (lambda: sl.scan(lambda h, x: (h, x), sl.tensor(0.0), sl.ones((0, 2))), ShapeError, "there are no steps"),
    (lambda: sl.scan(lambda h, x: (h, x), sl.tensor(0.0), sl.tensor(1.0)), ShapeError, "sequences is a single number"),
])
def test_wrong_steps_are_explained_eagerly_and_when_compiled(call, error, message):
    with pytest.raises(error, match=message):
        call()
    with pytest.raises(error, match=message):
        sl.compile(lambda _: call())(sl.tensor(0.0))


def test_what_a_step_puts_aside_cannot_be_used_after_the_loop():
    @sl.compile
    def leaky(x):
        seen = []
        sl.scan(lambda h, x: (seen.append(h * x), (h + x, None))[1], sl.tensor(0.0), x)
        return seen[0]

    with pytest.raises(TraceError, match="from inside of a loop is used outside of it"):
        leaky(sl.ones(3))


def test_backward_inside_of_a_step_is_refused():
    w = sl.Parameter(np.float32(2))

    def step(h, x):
        (h * w).backward()
        return h + x, None

    with pytest.raises(TraceError, match="the step calls backward"):
        sl.compile(lambda x: sl.scan(step, sl.tensor(0.0), x)[0])(sl.ones(3))


def test_a_loop_reads_back_from_its_text():
    for case in cases(Scan, F32):
        assert parse(text([case.node])) == [case.node]
