"""Tensors: values, conversions, indexing, gradients, assignment, ownership of memory, and what a trace records."""

from __future__ import annotations

import copy
import gc
import pickle
import threading
import weakref

import numpy as np
import pytest

import slopes as sl
from slopes.arrays import aligned_empty
from slopes.errors import ArgumentError, DTypeError, GradientError, OutOfRangeError, ShapeError, TraceError
from slopes.machine.reference import evaluate
from slopes.owned import own_array, read_array
from slopes.trace import Trace, current_trace, note, origin, tracing
from slopes.versions import versions

# Making and showing


@pytest.mark.parametrize(("data", "dtype"), [
    (1.5, "float32"), (2, "int64"), (True, "bool"), ([1, 2.5], "float32"), ([[True]], "bool"), (1j, "complex64"),
    (np.float64(1), "float64"), (np.zeros(2), "float64"), (np.zeros(2, ">f4"), "float32"), (np.int8(3), "int8"), ([], "float32")])
def test_data_gets_its_type(data, dtype):
    assert sl.tensor(data).dtype == np.dtype(dtype)


@pytest.mark.parametrize("data", ["word", ["a", "b"], None, object(), np.array(["x"]), np.zeros(2, np.float16)])
def test_what_is_no_number_is_refused(data):
    with pytest.raises(DTypeError):
        sl.tensor(data)


def test_tensor_copies_and_asarray_shares():
    array = np.zeros(3, np.float32)
    copied, shared = sl.tensor(array), sl.asarray(array)
    array[0] = 5
    assert copied.tolist() == [0, 0, 0]
    assert shared.tolist() == [5, 0, 0]
    assert np.shares_memory(shared.numpy(), array)
    assert sl.asarray(shared) is shared
    assert not np.shares_memory(sl.asarray(array, copy=True).numpy(), array)


def test_asarray_refuses_a_hidden_copy():
    with pytest.raises(ArgumentError, match="without a copy"):
        sl.asarray(np.zeros(2, np.float64), dtype="float32", copy=False)


@pytest.mark.parametrize(("make", "text"), [
    (lambda: sl.tensor([[1., 2.]]), "tensor([[1., 2.]])"),
    (lambda: sl.tensor([1, 2]), "tensor([1, 2])"),
    (lambda: sl.tensor([True]), "tensor([ True])"),
    (lambda: sl.tensor([1.], dtype="float64"), "tensor([1.], dtype=float64)"),
    (lambda: sl.tensor(1., requires_grad=True), "tensor(1., requires_grad=True)"),
    (lambda: sl.zeros((0, 3)), "tensor([], shape=(0, 3))"),
    (lambda: sl.Parameter([1], "float64"), "Parameter([1.], dtype=float64, requires_grad=True)")])
def test_printing(make, text):
    assert repr(make()) == text


def test_str_and_format_are_numpys():
    assert str(sl.tensor([[1., 2.]])) == "[[1. 2.]]"
    assert f"{sl.tensor(0.25):.3f} {sl.tensor([1, 2])}" == "0.250 [1 2]"


# Conversions


def test_numpy_shares_memory_is_read_only_and_keeps_its_value():
    x = sl.tensor([1., 2.])
    view = x.numpy()
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 9
    x.assign([3., 4.])
    assert view.tolist() == [1, 2]
    assert np.asarray(x).tolist() == [3, 4]
    assert np.array(x, dtype=np.float64).dtype == np.float64


def test_python_numbers():
    x = sl.tensor([[2.5]])
    assert (float(x), int(x), bool(x), complex(x), x.item()) == (2.5, 2, True, 2.5 + 0j, 2.5)
    assert [10, 20, 30][sl.tensor(2)] == 30
    assert list(range(sl.tensor(3))) == [0, 1, 2]
    with pytest.raises(DTypeError):
        [1, 2][sl.tensor(1.)]


def test_dlpack_both_ways():
    x = sl.tensor([[1., 2.], [3., 4.]])
    there = np.from_dlpack(x)
    assert np.shares_memory(there, x.numpy())
    assert sl.from_dlpack(there).tolist() == x.tolist()
    assert np.from_dlpack(x.broadcast_to(2, 2, 2)).shape == (2, 2, 2)


def test_copies_and_pickles_are_independent():
    parameter = sl.Parameter([1., 2.])
    for made in (copy.deepcopy(parameter), pickle.loads(pickle.dumps(parameter))):
        assert type(made) is sl.Parameter
        assert made.requires_grad
        made.assign([0., 0.])
        assert parameter.tolist() == [1, 2]


# Operators


def test_operators_follow_numpy():
    a, b = np.array([[5., -7.], [2., 9.]]), np.array([2., 3.])
    x, y = sl.tensor(a), sl.tensor(b)
    for f in (lambda p, q: p + q, lambda p, q: p - q, lambda p, q: p * q, lambda p, q: p / q, lambda p, q: p // q,
              lambda p, q: p % q, lambda p, q: q ** p, lambda p, q: p < q, lambda p, q: p >= q, lambda p, q: p == q,
              lambda p, q: p != q, lambda p, q: -p, lambda p, q: abs(p), lambda p, q: 2 - p,
              lambda p, q: 1 / p, lambda p, q: p @ q):
        found, wanted = f(x, y), f(a, b)
        np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-12)
        assert found.dtype == wanted.dtype


def test_numpy_arrays_on_the_left_give_tensors():
    assert type(np.ones(2, np.float32) + sl.tensor([1., 2.])) is sl.Tensor
    assert (np.float32(2) * sl.tensor([1., 2.])).tolist() == [2, 4]


def test_numbers_take_the_tensors_type():
    for dtype in ("float64", "int8", "uint8", "float32"):
        assert (sl.ones(2, dtype=dtype) * 2).dtype == np.dtype(dtype)
    assert (sl.tensor([1, 2]) * 0.5).dtype == np.float32
    with pytest.raises(ArgumentError, match="300 does not fit into uint8"):
        sl.ones(2, dtype="uint8") + 300


@pytest.mark.parametrize("power", [0, 1, 2, 3, -1, 0.5, 7, -2.0])
def test_constant_powers_are_the_same_with_and_without_gradients(power):
    x = sl.uniform(100, 0.5, 2.)
    recorded = sl.tensor(x, requires_grad=True) ** power
    assert np.array_equal((x ** power).numpy(), recorded.detach().numpy())


def test_equality_with_other_things_is_false():
    assert (sl.tensor(1.) == None) is False  # noqa: E711
    assert (sl.tensor(1.) == "1") is False
    assert len({sl.tensor(1.), sl.tensor(1.)}) == 2


def test_identity_operations_do_not_tie_tensors_together():
    x = sl.tensor([1., 2.])
    y = x.reshape(2)
    x.assign([5., 5.])
    assert y.tolist() == [1, 2]


# Indexing

A = np.arange(60, dtype=np.float64).reshape(3, 4, 5)
INDICES = [0, -1, (1, 2), (slice(None), 1), slice(1, 3), slice(None, None, -1), (slice(None), slice(3, None, -2)),
           (..., 0), (0, ...), None, (slice(None), None, 2), (1, 2, 3), slice(5, 2), (slice(10, 0, -1), slice(-3, -1)),
           np.array([2, 0, -1]),
           (slice(None), np.array([[0, 1], [2, 3]])), (np.array([0, 2]), np.array([1, -1])),
           (np.array([0, 2]), slice(None), np.array([1, 4])),
           (slice(None), np.array([1, 0]), np.array([4, 3])), A[:, 0, 0] > 10, A > 30, (slice(None), A[0, :, 0] > 4), [0, 2],
           (1, np.array([0, 3])), (np.array([[0], [2]]), np.array([1, 3])), (None, ..., np.array([1])), (slice(0, 0),)]


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_indexing_follows_numpy(index):
    np.testing.assert_array_equal(sl.tensor(A)[index].numpy(), A[index])


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_indexing_has_its_gradient(index):
    x = sl.tensor(A, requires_grad=True)
    chosen = x[index]
    np.testing.assert_array_equal(chosen.detach().numpy(), A[index])
    (chosen * chosen).sum().backward()
    wanted = np.zeros_like(A)
    np.add.at(wanted, index, 2 * A[index])
    found = np.zeros_like(A) if x.grad is None else x.grad.numpy()
    np.testing.assert_allclose(found, wanted)


@pytest.mark.parametrize("index", [0, (slice(None), 1), (slice(None), slice(None, None, -2)), (..., None)], ids=str)
def test_indexing_in_a_trace_agrees(index):
    trace, x = Trace(), None
    with tracing(trace):
        x = trace.argument(A.shape, A.dtype)
        y = x[index]
    np.testing.assert_array_equal(evaluate([y._node], {x._node: A})[0], A[index])


def test_traced_integer_tensors_index_and_are_checked():
    trace = Trace()
    with tracing(trace):
        x, i, j = trace.argument(A.shape, A.dtype), trace.argument((2,), "int64"), trace.argument((2,), "int32")
        single, pair = x[i], x[:, i, j]
    env = {x._node: A, i._node: np.array([0, -1]), j._node: np.array([4, -5], np.int32)}
    np.testing.assert_array_equal(evaluate([single._node], env)[0], A[[0, -1]])
    np.testing.assert_array_equal(evaluate([pair._node], env)[0], A[:, [0, -1], [4, -5]])
    with pytest.raises(OutOfRangeError):  # position 5 on the last axis would be an element of the next row
        evaluate([pair._node], env | {j._node: np.array([5, 0], np.int32)})


@pytest.mark.parametrize(("index", "error"), [
    (3, OutOfRangeError), (-4, OutOfRangeError), ((0, 0, 0, 0), ShapeError), ((..., ...), ArgumentError), ("a", ArgumentError),
    (1.5, ArgumentError), (np.array([0.5]), DTypeError), (np.array([3]), OutOfRangeError),
    (slice(0, 3, 0), ArgumentError)], ids=str)
@pytest.mark.parametrize("requires_grad", [False, True])
def test_wrong_indices(index, error, requires_grad):
    with pytest.raises(error):
        sl.tensor(A, requires_grad=requires_grad)[index]


def test_length_and_iteration():
    x = sl.tensor([[1, 2], [3, 4], [5, 6]])
    assert len(x) == 3
    assert [row.tolist() for row in x] == [[1, 2], [3, 4], [5, 6]]
    assert x.T.shape == (2, 3)
    assert (x.ndim, x.size, x.shape, x.device) == (2, 6, (3, 2), "cpu")
    with pytest.raises(ShapeError):
        len(sl.tensor(1))
    with pytest.raises(ShapeError):
        iter(sl.tensor(1))
    with pytest.raises(ShapeError):
        sl.zeros((2, 3, 4)).T  # noqa: B018


# Gradients


def test_gradients_accumulate_and_clear():
    w = sl.Parameter([1., 2.])
    for _ in range(2):
        (w * w).sum().backward()
    assert w.grad.tolist() == [4, 8]
    w.grad = None
    assert w.grad is None


def test_gradient_argument():
    x = sl.tensor([1., 2.], requires_grad=True)
    (3 * x).backward([1., 10.])
    assert x.grad.tolist() == [3, 30]
    with pytest.raises(GradientError, match=r"the gradient has shape \(3,\), the tensor \(2,\)"):
        (3 * x).backward([1., 1., 1.])


def test_integers_and_comparisons_need_no_gradient():
    x = sl.tensor([1., 2.], requires_grad=True)
    assert not (x > 1).requires_grad
    assert not x.argmax().requires_grad
    assert not x.astype("int64").requires_grad
    with pytest.raises(GradientError):
        sl.tensor([1, 2], requires_grad=True)


def test_no_grad_and_detach_cut():
    x = sl.tensor([1., 2.], requires_grad=True)
    with sl.no_grad():
        assert not (x * 2).requires_grad
        with sl.enable_grad():
            assert (x * 2).requires_grad
    assert (x * 2).requires_grad

    @sl.no_grad()
    def inside():
        return (x * 2).requires_grad

    assert not inside()
    (x * x.detach()).sum().backward()
    assert x.grad.tolist() == [1, 2]


def test_no_grad_is_restored_after_an_error_and_belongs_to_its_thread():
    with pytest.raises(ZeroDivisionError), sl.no_grad():
        1 / 0  # noqa: B018
    x, seen = sl.tensor(1., requires_grad=True), []
    with sl.no_grad():
        thread = threading.Thread(target=lambda: seen.append((x * 2).requires_grad))
        thread.start()
        thread.join()
    assert seen == [True]


def test_a_recorded_graph_keeps_old_values():
    w = sl.Parameter([3.])
    loss = (w * w).sum()
    w.assign([100.])
    loss.backward()
    assert w.grad.tolist() == [6]


def test_frozen_parameters_get_no_gradient():
    w, b = sl.Parameter([2.]), sl.Parameter([1.])
    w.requires_grad = False
    before = versions.structure
    (w * b).sum().backward()
    assert w.grad is None
    assert b.grad.tolist() == [2]
    w.requires_grad = True
    assert versions.structure > before
    (w * b).sum().backward()
    assert w.grad.tolist() == [1]


def test_retained_gradient_of_a_computed_tensor():
    x = sl.tensor(3., requires_grad=True)
    y = (x * x).retain_grad()
    (y * 2).backward()
    assert (y.grad.item(), x.grad.item(), x.is_leaf, y.is_leaf) == (2, 12, True, False)


def test_deep_graphs_do_not_recurse():
    x = sl.tensor(1., requires_grad=True)
    y = x
    for _ in range(5000):
        y = y + 1
    y.backward()
    assert x.grad.item() == 1
    del y
    gc.collect()


def test_grad_must_fit():
    w = sl.Parameter([1., 2.])
    with pytest.raises(ShapeError):
        w.grad = sl.zeros(3)
    with pytest.raises(DTypeError):
        w.grad = sl.zeros(2, dtype="float64")


def test_leaves_are_forgotten_with_their_graphs():
    w = sl.Parameter(np.ones(3, np.float32))
    leaves = []
    for _ in range(20):
        (w * w).sum().backward()
        leaves.append(weakref.ref(w._leaf()))
        w.assign(w.detach() * 0.5)
        w.grad = None
    gc.collect()
    assert [leaf for leaf in leaves if leaf() is not None] == []


# Assignment and memory


def test_assign_checks_shape_and_type():
    x = sl.tensor([1., 2.])
    assert x.assign([3, 4]) is x
    assert x.tolist() == [3, 4]
    with pytest.raises(ShapeError, match=r"a value of shape \(3,\) for a tensor of shape \(2,\)"):
        x.assign([1, 2, 3])
    with pytest.raises(DTypeError, match="float64 for a tensor of type float32"):
        x.assign(np.zeros(2))


def test_assign_does_not_alias_the_users_array():
    array = np.zeros(2, np.float32)
    x = sl.tensor([1., 2.]).assign(array)
    array[0] = 9
    assert x.tolist() == [0, 0]


def test_assign_counts_as_a_change_of_state():
    x, before = sl.tensor([1.]), versions.state
    x.assign([2.])
    assert versions.state > before


def test_aligned_memory():
    for shape in ((), (3,), (8,), (7, 5)):
        array = aligned_empty(shape, "float64")
        assert array.shape == shape
        assert array.nbytes < 64 or array.__array_interface__["data"][0] % 64 == 0
        assert array.flags.c_contiguous
        assert array.flags.writeable
    assert aligned_empty((0, 4), "int8").shape == (0, 4)


EXPOSURES = {
    "numpy": lambda w: w.numpy(), "detach": lambda w: w.detach(), "recorded": lambda w: w * 2, "view": lambda w: w.detach()[1:],
    "reshape": lambda w: unrecorded(w, lambda: w.reshape(1, 2)), "index": lambda w: unrecorded(w, lambda: w[0]),
    "assigned": lambda w: sl.zeros(2).assign(w), "dlpack": sl.no_grad()(lambda w: np.from_dlpack(w)),
    "transpose": lambda w: unrecorded(w, lambda: w[None].T)}


def unrecorded(w, f):
    with sl.no_grad():
        return f()


@pytest.mark.parametrize("how", EXPOSURES)
def test_a_program_never_writes_into_memory_that_others_hold(how):
    w = sl.Parameter([1., 2.])
    own = own_array(w)
    assert own_array(w) is own  # stays owned while nobody else holds it
    held, before = EXPOSURES[how](w), versions.state
    text = str(held)
    fresh = own_array(w)
    assert fresh is not own
    assert versions.state > before
    fresh[...] = 77
    assert str(held) == text
    assert w.tolist() == [77, 77]


def test_reading_does_not_give_memory_away():
    w = sl.Parameter([1., 2.])
    own, before = own_array(w), versions.state
    repr(w), float(w[0].item()), w.shape
    with sl.no_grad():
        (w * 2).sum().item()
    own_array(w)[...] = 5
    assert w.tolist() == [5, 5]
    del own, before


def test_the_leaf_of_an_overwritten_parameter_is_forgotten():
    w = sl.Parameter([3.])
    loss = (w * w).sum()
    own_array(w)[...] = 50
    loss.backward()
    assert w.grad.tolist() == [6]
    w.grad = None
    (w * w).sum().backward()
    assert w.grad.tolist() == [100]


def test_a_strided_array_is_made_contiguous_for_reading():
    x = sl.tensor(np.arange(6.).reshape(2, 3)).T
    assert read_array(x).flags.c_contiguous
    assert x.tolist() == [[0, 3], [1, 4], [2, 5]]


# Traces


def run(trace, outputs, env):
    """The values of outputs and writes of a trace."""
    env = env | {node: tensor.numpy() for tensor, node in trace.reads.items()}
    found = evaluate([each._node for each in outputs] + list(trace.writes.values()), env)
    return found[:len(outputs)], dict(zip(trace.writes, found[len(outputs):]))


def test_a_trace_computes_nothing_and_captures_what_it_reads():
    w, trace = sl.Parameter([2., 3.]), Trace()
    with tracing(trace):
        assert current_trace() is trace
        x = trace.argument((2,), "float32")
        y = (x * w).sum()
    assert current_trace() is None
    assert list(trace.reads) == [w]
    assert (y.shape, y.dtype, y.requires_grad, y.ndim) == ((), np.float32, True, 0)
    assert run(trace, [y], {x._node: np.array([1, 10], np.float32)})[0][0] == 32


def test_a_training_step_in_a_trace_equals_the_eager_one():
    def step(w, x):
        w.grad = None
        loss = ((x * w) * (x * w)).sum()
        loss.backward()
        w.assign(w - 0.1 * w.grad)
        return loss, w * 2

    eager, traced, trace = sl.Parameter([2., 3.]), sl.Parameter([2., 3.]), Trace()
    x = np.array([1, 0.5], np.float32)
    wanted = step(eager, sl.tensor(x))
    with tracing(trace):
        argument = trace.argument((2,), "float32")
        found = step(traced, argument)
    values, writes = run(trace, found, {argument._node: x})
    for value, each in zip(values, wanted):
        np.testing.assert_array_equal(value, each.detach().numpy())
    np.testing.assert_array_equal(writes[traced], eager.numpy())
    assert traced.tolist() == [2, 3]
    assert traced in trace.grads
    assert not trace.inherited


def test_two_steps_in_one_trace_differentiate_at_the_new_value():
    def steps(w):
        for _ in range(2):
            w.grad = None
            (w * w * w).sum().backward()
            w.assign(w - 0.01 * w.grad)
        return w + 0

    eager, traced, trace = sl.Parameter([2.]), sl.Parameter([2.]), Trace()
    wanted = steps(eager)
    with tracing(trace):
        found = steps(traced)
    np.testing.assert_allclose(run(trace, [found], {})[0][0], wanted.detach().numpy(), rtol=1e-6)


def test_equal_values_assigned_to_two_tensors_stay_two_leaves():
    a, b, trace = sl.Parameter([1.]), sl.Parameter([1.]), Trace()
    with tracing(trace):
        x = trace.argument((1,), "float32")
        a.assign(x)
        b.assign(x)
        (a * a * b).sum().backward()
        found = [a.grad, b.grad]
    values, _ = run(trace, found, {x._node: np.array([3], np.float32)})
    assert [value.tolist() for value in values] == [[18], [9]]


def test_gradient_added_to_one_from_before_is_noticed():
    w, trace = sl.Parameter([1.]), Trace()
    with tracing(trace):
        (w * 2).sum().backward()
    assert list(trace.inherited) == [w]


def test_no_grad_and_detach_cut_in_a_trace():
    w, trace = sl.Parameter([2.]), Trace()
    with tracing(trace):
        with sl.no_grad():
            frozen = w * 3
        (w * frozen + w * w.detach()).sum().backward()
        found = w.grad
    assert run(trace, [found], {})[0][0].tolist() == [8]


def test_requires_grad_inside_a_trace():
    trace = Trace()
    with tracing(trace):
        x = trace.argument((2,), "float32")
        x.requires_grad = True
        y = sl.tensor([1., 2.], requires_grad=True)
        (x * y * y).sum().backward()
        found = [x.grad, y.grad]
    values, _ = run(trace, found, {trace_variable(x): np.array([5, 7], np.float32)})
    assert [value.tolist() for value in values] == [[1, 4], [10, 28]]


def trace_variable(x):
    node = x._node
    while node.args:
        node = node.args[0]
    return node


def test_constants_in_a_trace_have_values_and_are_no_state():
    trace = Trace()
    with tracing(trace):
        assert int(sl.tensor(3)) == 3
        y = sl.tensor([1., 2.]) + sl.zeros(2) + np.ones(2, np.float32)
    assert not trace.reads
    assert evaluate([y._node])[0].tolist() == [2, 3]


def test_large_arrays_in_a_trace_are_state_and_not_copied_into_the_program():
    array, trace = np.ones(10_000, np.float32), Trace()
    with tracing(trace):
        x = trace.argument((10_000,), "float32")
        y = x + array
        _ = y * array
    (held,) = trace.reads
    assert np.shares_memory(held.numpy(), array)


def test_a_gradient_from_outside_cannot_be_frozen_into_a_trace():
    w = sl.Parameter([1.])
    (w * 2).sum().backward()
    with tracing(Trace()) as trace:
        with pytest.raises(TraceError, match="made outside of the compiled function"):
            w.grad  # noqa: B018
        w.grad = None
        (w * 2).sum().backward()
        assert w.grad is not None
    assert not trace.inherited
    assert w.grad.tolist() == [2]


def test_a_gradient_that_stayed_inside_is_cleared_by_zero_grad_and_by_backward():
    w = sl.Parameter([1.])
    for clear in (lambda: setattr(w, "grad", None), lambda: (w * 2).sum().backward()):
        w._grad, w._grad_inside, before = None, True, versions.gradients
        clear()
        assert not w._grad_inside
        assert versions.gradients > before  # so that a compiled function marks it again
    assert w.grad.tolist() == [2]


def test_notes_keep_every_call():
    trace = Trace()
    note("outside", sl.tensor(1.))
    with tracing(trace):
        x = trace.argument((2,), "float32")
        note("net.0", x)
        note("net.0", x + 1)
    assert list(trace.notes) == ["net.0", "net.0#2"]


def test_nested_traces_share_their_state():
    w, outer, inner = sl.Parameter([1.]), Trace(), Trace()
    with tracing(outer):
        x = outer.argument((1,), "float32")
        with tracing(inner):
            y = x + w
        z = y * w
    assert list(outer.reads) == [w]
    assert z._trace is outer


def test_a_tensor_of_a_finished_trace_cannot_be_used():
    trace = Trace()
    with tracing(trace):
        x = trace.argument((1,), "float32")
    for use in (lambda: x + 1, lambda: x.numpy(), lambda: x.assign([1.]), lambda: sl.tensor([1.], requires_grad=True) * x):
        with pytest.raises(TraceError, match="after the function had been traced"):
            use()
    with tracing(Trace()), pytest.raises(TraceError):
        x + 1


def test_a_tensor_recorded_outside_cannot_be_differentiated_inside():
    w = sl.Parameter([1.])
    hidden = w * 2
    with tracing(Trace()), pytest.raises(GradientError, match="computed outside of it"):
        (hidden * 3).sum().backward()


def test_origin_is_the_users_line():
    x = sl.tensor([1.], requires_grad=True)
    y = x * 2
    assert origin(x) is None
    assert origin(y)[0].endswith("test_tensor.py")
