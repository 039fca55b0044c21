"""Compiled = eager: every operation of the table in every type, its gradient, and the composed functions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from operation_cases import COMPILED, OPERATIONS, Case, cases
from together import together

import slopes as sl
from slopes.errors import DivisionError, OutOfRangeError
from slopes.graph.build import build
from slopes.graph.dtype import NATIVE, float32, float64
from slopes.ops import composite as c
from slopes.ops import sampling
from slopes.tensor import perform

TOLERANCE = {"float32": 1e-5, "float64": 1e-12}  # sums may be taken in another order, functions round within their stated bounds
every_operation = pytest.mark.parametrize("name", COMPILED)


def agree(results, expected, labels=None):
    """Equal shapes and types; equal numbers, floats up to rounding. All are compared, and the errors say of what each is."""
    together("label, ours, eager", zip(labels or range(len(expected)), results, expected, strict=True), ids=summary)(compare)()


def summary(value):
    return f"an array of {value.dtype} {value.shape}" if isinstance(value, sl.Tensor) else value


def compare(label, ours, eager):
    ours, eager = ours.numpy(), eager.numpy()
    assert (ours.shape, ours.dtype) == (eager.shape, eager.dtype)
    tolerance = TOLERANCE.get(eager.dtype.name, 0)
    np.testing.assert_allclose(ours, eager, rtol=tolerance, atol=tolerance)


def results(name: str, calls: list[Case], tensors: tuple) -> list:
    """The operation called on all its cases, one after another; a call without arguments is added to a zero, to be a tensor."""
    remaining = iter(tensors)
    found = []
    for case in calls:
        args = [next(remaining) for _ in case.arrays]
        found.append(build(name, *args, **case.params) if args else perform(name, (), case.params) + next(remaining))
    return found


def arrays_of(calls: list[Case]) -> list[np.ndarray]:
    return [array for case in calls for array in (case.arrays or [np.zeros((), case.node.dtype)])]


def check_compiled(name: str, dtypes: Sequence[np.dtype]) -> None:
    """The operation on all its cases in these types, in one program: a kernel for each, so that each is compiled as if it were alone."""
    calls = [case for dtype in dtypes for case in cases(OPERATIONS[name], dtype)]
    inputs = [sl.asarray(array) for array in arrays_of(calls)]

    def call(*tensors):
        return tuple(results(name, calls, tensors))

    if calls:
        agree(sl.compile(call)(*inputs), call(*inputs), [case.text for case in calls])


def check_gradients(name: str, dtypes: Sequence[np.dtype]) -> None:
    """The gradients of the operation in these types, in one program."""
    calls = [case for dtype in dtypes for case in cases(OPERATIONS[name], dtype) if case.node.dtype == dtype and case.arrays]
    arrays = arrays_of(calls)
    wrt = tuple(i for i, array in enumerate(arrays) if array.dtype in dtypes)
    rng = np.random.default_rng(1)
    weights = [sl.asarray(rng.normal(size=case.node.shape).astype(case.node.dtype)) for case in calls]

    def loss(*tensors):
        parts = [sl.sum(y * weight) for y, weight in zip(results(name, calls, tensors), weights)]
        return sum(parts[1:], parts[0])

    if wrt:
        gradient = sl.grad(loss, wrt)
        inputs = [sl.asarray(array) for array in arrays]
        agree(sl.compile(gradient)(*inputs), gradient(*inputs), [f"the gradient of argument {i}" for i in wrt])


@every_operation
def test_an_operation_compiled_is_the_operation_eager(name):
    check_compiled(name, NATIVE)


@every_operation
def test_a_gradient_compiled_is_the_gradient_eager(name):
    check_gradients(name, [float32, float64])


def random(*shapes, dtype=np.float32):
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


COMPOSED = {
    "mean": (lambda x: c.mean(x, 1), [(5, 7)]),
    "var": (lambda x: c.var(x, (0, 2), 1, True), [(4, 3, 5)]),
    "logsumexp": (lambda x: c.logsumexp(x, 1), [(5, 7)]),
    "softmax": (lambda x: c.softmax(x, 1), [(5, 7)]),
    "log_softmax": (c.log_softmax, [(5, 7)]),
    "relu": (c.relu, [(37,)]),
    "sigmoid": (c.sigmoid, [(37,)]),
    "softplus": (c.softplus, [(37,)]),
    "gelu": (c.gelu, [(37,)]),
    "gelu tanh": (lambda x: c.gelu(x, "tanh"), [(37,)]),
    "silu": (c.silu, [(37,)]),
    "elu": (c.elu, [(37,)]),
    "matmul": (c.matmul, [(33, 17), (17, 50)]),
    "matmul batch": (c.matmul, [(2, 1, 5, 7), (3, 7, 4)]),
    "matmul vector": (c.matmul, [(9, 31), (31,)]),
    "einsum": (lambda a, b, w: c.einsum("bhid,bhjd,dj->bij", a, b, w), [(2, 3, 4, 5), (2, 3, 6, 5), (5, 6)]),
    "einsum diagonal": (lambda a: c.einsum("iij->j", a), [(4, 4, 3)]),
    "convolution": (c.convolution, [(2, 3, 9, 8), (5, 3, 3, 2)]),
    "convolution strided": (lambda x, w: c.convolution(x, w, 2, ((1, 2), (0, 1)), (2, 1), 2), [(2, 4, 11, 8), (6, 2, 3, 3)]),
    "convolution 1": (lambda x, w: c.convolution(x, w, 1, "same", 2), [(2, 3, 20), (4, 3, 5)]),
    "convolution 3": (lambda x, w: c.convolution(x, w, (1, 2, 1), 1), [(1, 2, 4, 5, 6), (3, 2, 2, 3, 3)]),
    "convolution depthwise": (lambda x, w: c.convolution(x, w, 1, 1, 1, 6), [(2, 6, 7, 7), (6, 1, 3, 3)]),
    "transposed convolution": (lambda x, w: c.transposed_convolution(x, w, 2, 1, 1), [(2, 4, 5, 6), (4, 3, 3, 3)]),
    "max pool": (lambda x: c.max_pool(x, 2), [(2, 3, 8, 9)]),
    "max pool overlapping": (lambda x: c.max_pool(x, 3, 2, 1), [(2, 3, 9, 8)]),
    "avg pool": (lambda x: c.avg_pool(x, 3, 2, 1, False), [(2, 3, 9, 8)]),
    "sort": (lambda x: c.sort(x, 0, True), [(20, 3)]),
    "top k": (lambda x: c.top_k(x, 3)[0], [(4, 20)]),
    "roll": (lambda x: c.roll(x, (2, -1), (0, 1)), [(5, 7)]),
    "flip": (c.flip, [(5, 7)]),
    "tile": (lambda x: c.tile(x, (2, 3)), [(5, 7)]),
    "tril": (c.tril, [(5, 7)]),
    "split and stack": (lambda x: c.stack(c.split(x, 3, 1), 0), [(5, 6)]),
}


@pytest.mark.parametrize("name", COMPOSED)
def test_a_composed_function_and_its_gradient_compile(name):
    function, shapes = COMPOSED[name]
    inputs = [sl.asarray(array) for array in random(*shapes)]
    agree([sl.compile(function)(*inputs)], [function(*inputs)])
    gradient = sl.grad(lambda *xs: sl.sum(sl.sin(function(*xs))), tuple(range(len(inputs))))
    agree(sl.compile(gradient)(*inputs), gradient(*inputs))


def test_random_numbers_compiled_are_those_of_eager_bit_by_bit():
    keys = [sl.asarray(np.uint32(n)) for n in (3, 5, 7)]
    for draw in (lambda a, b, s: sampling.uniform_from(sampling.words(a, b, s, (33,), 1), np.dtype(np.float32)),
                 lambda a, b, s: sampling.uniform_from(sampling.words(a, b, s, (4, 5), 2), np.dtype(np.float64)) < 0.25,
                 lambda a, b, s: sampling.integers_from(sampling.bits(a, b, s, (17,)), -3, 9),
                 lambda a, b, s: sampling.order_from(sampling.words(a, b, s, (100,), sampling.order_words(100)))):
        np.testing.assert_array_equal(sl.compile(draw)(*keys).numpy(), draw(*keys).numpy())


@pytest.mark.parametrize("bad", [-1, 5, 2**40])
def test_compiled_code_refuses_an_index_outside_and_goes_on_afterwards(bad):
    x, wrong, right = sl.asarray(np.arange(5.0)), sl.asarray(np.array([0, bad])), sl.asarray(np.array([0, 4]))
    for function in (lambda x, i: build("take", x, i, axis=0), lambda x, i: build("take_along_axis", x, i, axis=0),
                     lambda x, i: build("scatter_add", i, x[:2], axis=0, size=5)):
        compiled = sl.compile(function)
        with pytest.raises(OutOfRangeError):
            compiled(x, wrong)
        agree([compiled(x, right)], [function(x, right)])


@pytest.mark.parametrize("name", ["floor_divide", "remainder"])
def test_compiled_code_refuses_an_integer_division_by_zero_and_goes_on_afterwards(name):
    compiled = sl.compile(lambda x, y: build(name, x, y))
    x, y = sl.asarray(np.array([7, 8])), sl.asarray(np.array([2, 3]))
    with pytest.raises(DivisionError):
        compiled(x, sl.asarray(np.array([2, 0])))
    agree([compiled(x, y)], [build(name, x, y)])


def test_a_constant_whose_columns_lie_together_is_read_as_if_its_rows_did():
    table = np.asfortranarray(np.arange(12, dtype=np.float32).reshape(4, 3))
    x = sl.ones((2, 4))
    found = sl.compile(lambda x: x @ sl.tensor(table))(x)
    np.testing.assert_array_equal(found.numpy(), x.numpy() @ table)
