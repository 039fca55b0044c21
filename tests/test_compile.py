"""What `sl.compile` promises: one program per kind of arguments, state in step with the calls, errors that leave nothing half done."""

from __future__ import annotations

import threading
import types

import numpy as np
import pytest
from training import mean_square, training_step

import slopes as sl
from slopes import nn, optim
from slopes.errors import ArgumentError, DivisionError, GradientError, OutOfRangeError, TraceError
from slopes.graph.build import build
from slopes.modes import mode


def array(*shape, dtype=np.float32):
    return np.random.default_rng(sum(shape) + len(shape)).normal(size=shape).astype(dtype)


def equal(found, expected):
    with sl.no_grad():
        np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))


# When it compiles, and why


def test_each_kind_of_arguments_is_compiled_once_and_says_why():
    f = sl.compile(lambda x, factor=2: x * factor)
    f(sl.ones(3))
    f(sl.zeros(3))
    assert f.reasons == ["first call"]
    f(sl.ones(4))
    f(sl.ones(4, dtype="float64"))
    f(sl.ones(4, dtype="float64"), 3)
    f(sl.ones(4, dtype="float64"), 3.0)
    with sl.no_grad():
        f(sl.ones(4, dtype="float64"), 3.0)
    f(sl.tensor(np.ones(4), requires_grad=True), 3.0)
    assert f.reasons[1:] == [
        "argument 0 is float32[4], was float32[3]", "argument 0 is float64[4], was float32[4]", "the arguments are nested differently",
        "argument 1 is 3.0 (a Python value is part of the program: pass a tensor if it changes), was 3 (a Python value is part of the "
        "program: pass a tensor if it changes)", "gradients are no longer recorded", "gradients are recorded now"]
    f(sl.ones(3))
    f(sl.ones(4))
    assert f.compilations == 7


def test_python_values_that_only_look_equal_are_told_apart():
    f = sl.compile(lambda x, c: x / c)
    x = sl.ones(2)
    for c in (0.0, -0.0, 1, 1.0, True, np.float32(1)):
        equal(f(x, c).numpy(), (x / c).numpy())
    count = f.compilations
    f(x, float("nan"))
    f(x, float("nan"))
    assert f.compilations == count + 1


def test_another_object_is_never_taken_for_one_that_is_gone():
    f = sl.compile(lambda x, options: x * options.factor)
    for factor in range(20):  # each object may get the address of the one before
        equal(f(sl.ones(2), types.SimpleNamespace(factor=float(factor))).numpy(), [factor, factor])


def test_keyword_arguments_in_any_order_are_one_kind():
    f = sl.compile(lambda **values: values["a"] - values["b"])
    a, b = sl.ones(3), sl.zeros(3)
    equal(f(a=a, b=b), f(b=b, a=a))
    assert f.compilations == 1


def test_nested_arguments_and_results_keep_their_structure():
    def f(tree, *, scale):
        (a, b), c = tree["pair"], tree["other"]
        return {"sum": a + b * scale, "parts": [c, (a, None, "text", 3)]}

    tree = {"pair": (sl.tensor(array(3)), sl.tensor(array(3, 3))), "other": np.arange(4)}
    found, expected = sl.compile(f)(tree, scale=sl.tensor(2.0)), f({**tree, "other": sl.asarray(tree["other"])}, scale=sl.tensor(2.0))
    equal(found["sum"], expected["sum"])
    equal(found["parts"][0], expected["parts"][0])
    assert found["parts"][1][1:] == (None, "text", 3)


def test_going_back_to_training_uses_the_program_of_before():
    net = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.BatchNorm1d(4))
    f = sl.compile(lambda x: net(x))
    x = sl.tensor(array(6, 4))
    for _ in range(3):
        net.train()
        f(x)
        net.eval()
        f(x)
    assert f.compilations == 2
    assert f.reasons[1] == "a layer, a flag or a Python value that the function reads has changed"


def test_numbers_that_change_do_not_compile_again():
    net = nn.Linear(3, 2)
    optimizer = optim.SGD(net.parameters(), lr=0.1, momentum=0.5)

    @sl.compile
    def step(x):
        loss = net(x).sum()
        net.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    for rate in (0.1, 0.2, 0.3):
        optimizer.lr = rate
        step(sl.ones((2, 3)))
        sl.seed(int(rate * 10))
    assert step.compilations == 1


def test_results_that_are_python_values_and_arrays_survive_a_new_trace():
    flag = nn.Identity()
    f = sl.compile(lambda x: (flag(x) * 2, np.arange(3), 1.5))
    f(sl.ones(2))
    flag.eval()
    flag.train()
    equal(f(sl.ones(2))[1], np.arange(3))


# State


def test_two_tensors_swap_their_values():
    a, b = sl.tensor(array(5)), sl.tensor(array(6)[:5])
    before = a.numpy().copy(), b.numpy().copy()

    def swap():
        old = a * 1.0
        a.assign(b)
        b.assign(old)

    f = sl.compile(swap)
    f()
    equal(a, before[1])
    equal(b, before[0])
    f()
    equal(a, before[0])


def test_a_ring_of_tensors_turns():
    ring = [sl.tensor([float(i)] * 3) for i in range(4)]

    @sl.compile
    def turn():
        old = [each + 0.0 for each in ring]
        for each, value in zip(ring, [*old[1:], old[0]]):
            each.assign(value)
        return [each * 1 for each in ring]

    for n in range(1, 6):
        shown = turn()
        expected = [(i + n) % 4 for i in range(4)]
        assert [each.numpy()[0] for each in ring] == expected == [each.numpy()[0] for each in shown]


def test_a_takes_the_old_value_of_b_while_b_changes():
    a, b = sl.zeros(4), sl.tensor(array(4))

    @sl.compile
    def f():
        a.assign(b)
        b.assign(b * 2)
        return a, b

    old = b.numpy().copy()
    shown = f()
    equal(a, old)
    equal(b, old * 2)
    equal(shown[0], old)
    equal(shown[1], old * 2)


def test_one_value_for_two_tensors_and_the_result():
    a, b, x = sl.zeros(20), sl.zeros(20), sl.tensor(array(20))

    @sl.compile
    def f(x):
        y = sl.tanh(x)
        a.assign(y)
        b.assign(y)
        return y, y, x, x

    found = f(x)
    for each in (a, b, found[0], found[1]):
        equal(each, found[0])
    equal(found[2], x)
    equal(found[3], x)
    assert not np.shares_memory(found[2].numpy(), found[3].numpy())
    a.assign(sl.zeros(20))
    assert np.abs(b.numpy()).max() > 0


def test_state_is_read_before_and_after_it_is_written():
    a = sl.tensor([1.0, 2.0])

    @sl.compile
    def f():
        before = a * 10
        a.assign(a + 1)
        middle = a * 10
        a.assign(a + 1)
        return before, middle, a

    before, middle, after = f()
    equal(before, [10, 20])
    equal(middle, [20, 30])
    equal(after, [3, 4])
    equal(a, [3, 4])


def test_an_argument_that_is_also_state_keeps_its_value_within_the_call():
    w = sl.tensor([1.0, 2.0, 3.0])

    @sl.compile
    def f(x):
        w.assign(w[::-1] * 2)
        return x, x.sum(), x[::-1]

    for _ in range(3):
        before = w.numpy().copy()
        same, total, turned = f(w)
        equal(same, before)
        equal(total, before.sum())
        equal(turned, before[::-1])
        equal(w, before[::-1] * 2)


def test_state_that_is_its_own_index_is_not_overwritten_too_early():
    s, u = sl.tensor(np.array([4, 0, 1, 1, 2])), sl.tensor(np.arange(5) + 1)
    expected = build("scatter_add", s, u, axis=0, size=5).numpy()
    f = sl.compile(lambda u: [s.assign(build("scatter_add", s, u, axis=0, size=5)), u][1])
    f(u)
    equal(s, expected)


@pytest.mark.parametrize("change", [
    lambda w: w[::-1] + 1, lambda w: w.reshape((4, 4)).T.reshape((16,)), lambda w: sl.sort(w), lambda w: w - w.mean(), lambda w: w * w[0],
    lambda w: sl.cumulative_sum(w, axis=0), lambda w: sl.concat([w[8:], w[:8]]), lambda w: sl.softmax(w),
    lambda w: (w.reshape((4, 4)) @ w.reshape((4, 4))).reshape((16,)), lambda w: sl.roll(w, 3), lambda w: w])
def test_a_new_value_that_reads_the_old_one_elsewhere_is_right(change):
    w = sl.tensor(array(16))
    expected = change(w).numpy().copy()
    f = sl.compile(lambda: [w.assign(change(w)), w.sum()][1])
    f()
    np.testing.assert_allclose(w.numpy(), expected, rtol=1e-5, atol=1e-6)


def test_empty_and_0d_state_and_results_work():
    empty, number = sl.zeros((0, 3)), sl.tensor(2.0)

    @sl.compile
    def f(x):
        empty.assign(empty * 2)
        number.assign(number + x.sum())
        return empty, number, x, x.sum(axis=1), sl.zeros((2, 0)), 7

    found = f(sl.zeros((0, 4)))
    assert [np.shape(each) for each in found[:5]] == [(0, 3), (), (0, 4), (0,), (2, 0)]
    assert number.item() == 2.0 and found[5] == 7


def test_results_may_be_constants_arguments_and_state():
    state = sl.tensor(array(3))
    f = sl.compile(lambda x: (sl.ones(3), x, state, sl.tensor(4), x))
    x = sl.tensor(array(3))
    one, same, held, four, again = f(x)
    equal(one, [1, 1, 1])
    equal(same, x)
    equal(again, x)
    equal(held, state)
    assert four.item() == 4
    held.assign(sl.zeros(3))
    assert np.abs(state.numpy()).max() > 0


def test_a_function_that_only_changes_state_and_one_that_does_nothing_compile():
    a = sl.zeros(2)

    def count():
        a.assign(a + 1)

    sl.compile(count)()
    equal(a, [1, 1])
    assert sl.compile(lambda x: None)(sl.ones(2)) is None
    assert sl.compile(lambda: 5)() == 5


# Who holds an old value keeps it


def test_arrays_views_graphs_and_copies_keep_the_value_from_before_a_step():
    w = sl.Parameter(array(4, 4))

    @sl.compile
    def step():
        loss = (w * w).sum()
        w.grad = None
        loss.backward()
        w.assign(w - 0.1 * w.grad)
        w.grad = None
        return loss

    step()
    before = w.numpy().copy()
    held = (w.numpy(), w.detach(), w[1], np.asarray(w.detach()), w.detach()[:, 1], sl.asarray(w.numpy()),
            np.from_dlpack(w.detach()))
    recorded = (w * 3).sum()
    step()
    step()
    for each, expected in zip(held, (before, before, before[1], before, before[:, 1], before, before)):
        equal(each, expected)
    recorded.backward()
    assert recorded.item() == pytest.approx(3 * before.sum(), rel=1e-5)
    assert np.abs(w.numpy() - before).max() > 0


def test_a_value_shared_with_numpy_is_not_written_by_a_program():
    array_of_user = np.ones(8, np.float32)
    shared = sl.asarray(array_of_user)

    def count():
        shared.assign(shared + 1)

    sl.compile(count)()
    equal(array_of_user, np.ones(8))
    equal(shared, np.full(8, 2))


@pytest.mark.parametrize("shape", [(), (1,), (3,), (7, 9), (40, 50)])
@pytest.mark.parametrize("dtype", ["bool", "int8", "float32", "float64"])
def test_results_of_many_calls_keep_their_values(shape, dtype):
    add = sl.compile(lambda x, y: (x + y, x.astype(dtype)))
    ones = sl.ones(shape, dtype="int64")
    kept = [add(ones, sl.tensor(number)) for number in range(150)]
    for number, (total, same) in enumerate(kept):
        np.testing.assert_array_equal(total.numpy(), np.full(shape, 1 + number))
        np.testing.assert_array_equal(same.numpy(), np.ones(shape, dtype))
        assert total.numpy().ctypes.data % 8 == 0


def test_arguments_of_a_repeated_call_may_be_anything_that_the_first_could():
    double = sl.compile(lambda x: x * 2)
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    x = sl.tensor(values)
    for _ in range(3):
        np.testing.assert_array_equal(double(x).numpy(), values * 2)
        np.testing.assert_array_equal(double(sl.asarray(values.T.copy().T)).numpy(), values * 2)
        np.testing.assert_array_equal(double(values).numpy(), values * 2)
        np.testing.assert_array_equal(double(x=x).numpy(), values * 2)
        np.testing.assert_array_equal(double(double(x)).numpy(), values * 4)
        x.assign(x + 1)
        values = values + 1
    assert double(sl.ones(2)).shape == (2,)
    assert double(sl.ones((3, 4), dtype="int64")).dtype == np.int64


def test_a_call_after_many_steps_with_the_same_arguments_writes_to_its_own_result():
    total = sl.compile(lambda x: x.sum())
    x = sl.arange(5.0)
    assert total(x).item() == 10
    np.testing.assert_array_equal(total.many(3, x).numpy(), [10, 10, 10])
    assert [total(x).item(), total(x).item()] == [10, 10]


def test_two_functions_with_one_program_keep_their_arguments_apart():
    first, second = (sl.compile(lambda x: x - 1) for _ in range(2))
    x, y = sl.tensor([1.0, 2.0]), sl.tensor([5.0, 6.0])
    for _ in range(3):
        assert first(x).tolist() == [0, 1]
        assert second(y).tolist() == [4, 5]
    assert first.programs[0] is second.programs[0]


def test_assigning_between_calls_is_seen():
    a = sl.tensor([1.0])
    f = sl.compile(lambda x: [a.assign(a + x), a * 1][1])
    f(sl.ones(1))
    a.assign(sl.tensor([10.0]))
    assert f(sl.ones(1)).item() == 11.0 == a.item()


# Many steps


def counted(momentum=0.9):
    sl.seed(3)
    net = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Dropout(0.4), nn.BatchNorm1d(12), nn.Linear(12, 3))
    optimizer = optim.SGD(net.parameters(), lr=0.05, momentum=momentum)

    @sl.compile
    def step(x, y):
        loss = nn.cross_entropy(net(x), y)
        net.zero_grad()
        loss.backward()
        optimizer.step()
        return loss, net[0].bias.sum()

    return net, step


def test_many_steps_are_the_same_as_many_calls_bit_for_bit():
    x, y = sl.tensor(array(5, 8, 6)), sl.tensor(np.random.default_rng(0).integers(0, 3, (5, 8)))
    (one, step), (all_at_once, steps) = counted(), counted()
    sl.seed(4)
    expected = [step(x[i], y[i]) for i in range(5)]
    sl.seed(4)
    found = steps.many(5, x, y, stepped=(0, 1))
    for k in (0, 1):
        equal(found[k], np.stack([each[k].numpy() for each in expected]))
    for name, value in one.state_dict().items():
        equal(all_at_once.state_dict()[name], value)


def test_some_arguments_may_stay_while_others_step():
    f = sl.compile(lambda x, y: x + y)
    x, y = sl.tensor(array(4, 3)), sl.tensor(array(3))
    equal(f.many(3, x, y, stepped=[0]), (x[:3] + y).numpy())
    equal(f.many(2, y, y), np.stack([2 * y.numpy()] * 2))
    assert f.reasons[1] == "other arguments move with the step"


@pytest.mark.parametrize(("steps", "stepped"), [(0, ()), (5, (0,)), (2, (3,)), (2, (-1,))])
def test_steps_that_are_not_there_are_refused(steps, stepped):
    f = sl.compile(lambda x: x * 2)
    with pytest.raises(ArgumentError):
        f.many(steps, sl.ones((4, 2)), stepped=stepped)


def test_many_within_another_compiled_function_says_so():
    f = sl.compile(lambda x: x * 2)
    with pytest.raises(TraceError, match="many"):
        sl.compile(lambda x: f.many(2, x))(sl.ones(3))


# Gradients


def test_taps_show_what_a_layer_returned():
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh())
    x = sl.tensor(array(2, 3))
    tapped = sl.compile(lambda x: net(x).sum(), taps=["net[0]"])
    tapped(x)
    np.testing.assert_allclose(tapped.tapped["net[0]"].numpy(), net[0](x).numpy(), rtol=1e-5, atol=1e-6)
    with pytest.raises(ArgumentError, match="nowhere"):
        sl.compile(lambda x: net(x).sum(), taps=["nowhere"])(x)


def test_gradients_stay_inside_and_say_so():
    w = sl.Parameter(array(3))

    @sl.compile
    def f():
        w.grad = None
        (w * w).sum().backward()
        return w.grad

    equal(f(), 2 * w.numpy())
    with pytest.raises(GradientError, match="stayed inside"):
        _ = w.grad


def test_a_gradient_from_before_the_call_cannot_be_added_to():
    w = sl.Parameter(array(3))
    with pytest.raises(TraceError, match="zero_grad"):
        sl.compile(lambda: (w * w).sum().backward())()
    (w * w).sum().backward()
    with pytest.raises(TraceError, match="outside"):
        sl.compile(lambda: w.grad * 2)()


def test_arguments_get_their_gradients_as_in_eager_code():
    def f(x):
        (x * x * x).sum().backward()

    x, y = (sl.tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    compiled = sl.compile(f)
    for _ in range(2):
        compiled(x)
        f(y)
    equal(x.grad, y.grad)


@pytest.mark.parametrize("transform", [lambda f: sl.grad(f), lambda f: sl.hessian(f), lambda f: sl.vmap(f),
                                       lambda f: sl.jacobian(sl.grad(f)),
                                       lambda f: sl.vmap(sl.grad(f)), lambda f: sl.grad(lambda x: sl.grad(f)(x).sum())])
def test_derivatives_compile_and_compiled_functions_have_derivatives(transform):
    def f(x):
        return (sl.sin(x) * x).sum() + (x * x * x).mean()

    x = sl.tensor(array(3, 4))
    expected = transform(f)(x).numpy()
    np.testing.assert_allclose(sl.compile(transform(f))(x).numpy(), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(sl.compile(transform(sl.compile(f)))(x).numpy(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore:the compiled function .* runs operation by operation:UserWarning")
@pytest.mark.parametrize("called", [0, 3])
def test_the_derivative_of_a_compiled_function_is_not_lost(called):
    """Neither the first time, nor when its program is there already."""
    compiled = sl.compile(lambda x: (sl.sin(x) * x).sum())
    x = sl.tensor([1.0, 2.0])
    for _ in range(called):
        compiled(x)
    expected = np.sin([1.0, 2.0]) + [1.0, 2.0] * np.cos([1.0, 2.0])
    np.testing.assert_allclose(sl.grad(compiled)(x).numpy(), expected, rtol=1e-5)
    np.testing.assert_allclose(sl.vjp(compiled, x)[1](sl.tensor(1.0))[0].numpy(), expected, rtol=1e-5)
    np.testing.assert_allclose(sl.jvp(compiled, (x,), (sl.ones(2),))[1].numpy(), expected.sum(), rtol=1e-5)
    assert compiled.compilations == (called > 0)


@pytest.mark.filterwarnings("ignore:the compiled function .* runs operation by operation:UserWarning")
def test_backward_goes_through_a_compiled_function_to_what_its_arguments_were_computed_from():
    weight = sl.tensor([3.0, 4.0], requires_grad=True)
    squares = sl.compile(lambda x: (x * x).sum())
    for _ in range(2):
        weight.grad = None
        (squares(2 * weight) + weight.sum()).backward()
        equal(weight.grad, [25, 33])
    with sl.no_grad():
        assert squares(2 * weight).item() == 100


def test_a_derivative_outside_of_a_compiled_function_says_once_that_no_program_runs():
    cube = sl.compile(lambda x: (x * x * x).sum())
    with pytest.warns(UserWarning) as said:
        sl.grad(cube)(sl.tensor([2.0]))
        sl.grad(cube)(sl.tensor([3.0]))
    assert [str(each.message) for each in said] == ["""\
the compiled function <lambda> runs operation by operation, as its derivative is taken outside of it
  a program gives values only, a derivative needs every operation
  take the derivative inside: sl.compile(sl.grad(f)), or call backward() in the compiled function"""]
    assert (cube.inlinings, cube.compilations) == (2, 0)

def test_compiled_functions_within_compiled_functions_are_one_program():
    inner = sl.compile(lambda x: x * 2)
    outer = sl.compile(lambda x: inner(x) + inner(x + 1))
    equal(outer(sl.ones(2)), [6, 6])
    assert inner.compilations == 0 and outer.compilations == 1


def test_a_function_that_calls_itself_compiles_to_its_end():
    @sl.compile
    def power(x, n):
        return x if n == 0 else x * power(x, n - 1)

    equal(power(sl.full((2,), 2.0), 5), [64, 64])


# Errors leave nothing half done


def state_and_step():
    counter, table, seen = sl.zeros(4), sl.tensor(np.array([5, 6, 7, 8])), sl.zeros(3)

    def step(indices, divisor):
        counter.assign(counter + 1)
        chosen = sl.take(table, indices, axis=0)
        table.assign(table // divisor)
        seen.assign(chosen.astype("float32") * 2)
        return chosen

    return (counter, table, seen), sl.compile(step)


@pytest.mark.parametrize(("indices", "divisor", "error"), [([0, 1, 9], [1, 1, 1, 1], OutOfRangeError),
                                                            ([0, -1, 2], [1, 1, 1, 1], OutOfRangeError),
                                                            ([0, 1, 2], [1, 2, 0, 4], DivisionError)])
def test_an_error_in_a_call_changes_no_state(indices, divisor, error):
    state, step = state_and_step()
    good = sl.tensor(np.array([0, 1, 2])), sl.tensor(np.array([1, 1, 2, 2]))
    step(*good)
    before = [each.numpy().copy() for each in state]
    with pytest.raises(error):
        step(sl.tensor(np.array(indices)), sl.tensor(np.array(divisor)))
    for each, value in zip(state, before):
        equal(each, value)
    step(*good)
    equal(state[0], [2, 2, 2, 2])
    assert step.compilations == 1


def test_steps_before_the_one_that_failed_count():
    state, step = state_and_step()
    indices, divisor = np.array([[0, 1, 2], [0, 1, 2], [0, 1, 4]]), sl.tensor(np.ones(4, np.int64))
    with pytest.raises(OutOfRangeError):
        step.many(3, sl.tensor(indices), divisor, stepped=(0,))
    equal(state[0], [2, 2, 2, 2])


def test_an_exception_while_tracing_leaves_no_trace():
    state = sl.zeros(2)
    fail = [True]

    @sl.compile
    def f(x):
        state.assign(state + x)
        with sl.no_grad():
            if fail[0]:
                raise KeyError("mine")
        return x * 2

    with pytest.raises(KeyError, match="mine"):
        f(sl.ones(2))
    assert mode.trace is None and mode.recording
    equal(state, [0, 0])
    fail[0] = False
    equal(f(sl.ones(2)), [2, 2])
    equal(state, [1, 1])


def test_branches_on_values_are_refused_and_the_function_goes_on():
    f = sl.compile(lambda x: x if x.sum() > 0 else -x)
    for _ in range(2):
        with pytest.raises(TraceError, match=r"sl\.where"):
            f(sl.ones(2))
    assert (sl.ones(2) + 1).sum().item() == 4


def test_tensors_of_a_trace_cannot_leave_it():
    kept = []
    f = sl.compile(lambda x: kept.append(x * 2))
    f(sl.ones(2))
    with pytest.raises(TraceError):
        kept[0].numpy()
    with pytest.raises(TraceError):
        _ = kept[0] + 1


def test_what_is_no_tensor_is_no_result():
    with pytest.raises(TraceError, match="set"):
        sl.compile(lambda x: {1, 2})(sl.ones(1))


# Threads of Python


def test_threads_may_call_one_compiled_function():
    f = sl.compile(lambda x: (x * 2 + 1).sum())
    inputs = [sl.full((30_000,), float(i)) for i in range(4)]
    wrong = []

    def work(i):
        wrong.extend(i for _ in range(60) if f(inputs[i]).item() != (2 * i + 1) * 30_000)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert not wrong
    assert f.compilations == 1


def test_threads_may_train_different_networks_at_once():
    def train(found, i):
        step = sl.compile(training_step(nets[i], optimizers[i], mean_square))
        found[i] = [step(data).item() for _ in range(10)]

    data = sl.tensor(array(7, 5))
    nets, optimizers = [], []
    for _ in range(3):
        sl.seed(1)
        nets.append(nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 2)))
        optimizers.append(optim.Adam(nets[-1].parameters(), lr=0.01))
    found: dict[int, list[float]] = {}
    threads = [threading.Thread(target=train, args=(found, i)) for i in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert found[0] == found[1] == found[2] and found[0][-1] < found[0][0]


def test_a_method_can_be_compiled():
    class Scale:
        def __init__(self, factor):
            self.factor = sl.tensor(factor)

        @sl.compile
        def __call__(self, x):
            return x * self.factor

        @sl.compile
        def plus(self, x, y=0.0):
            return x * self.factor + y

    double, triple = Scale(2.0), Scale(3.0)
    assert double(sl.tensor(5.0)).item() == 10
    assert triple.plus(sl.tensor(5.0), y=1.0).item() == 16
    assert double.plus(sl.tensor(5.0)).item() == 10
