"""Moves, windows, reductions, contractions and indexing: element rules, ties, zeros, empty axes, and errors that help."""

from __future__ import annotations

import numpy as np
import pytest
from operation_cases import OPERATIONS, cases, declares

from slopes.autodiff.pullback import pull_back
from slopes.errors import ArgumentError, DTypeError, OutOfRangeError, ShapeError, SlopesError
from slopes.graph.build import build, constant, variable
from slopes.graph.dtype import float64, int64
from slopes.machine.reference import evaluate
from slopes.ops.move import regrouped


class Element:
    """What `lower` reads with, on plain numbers: one element at a time, straight from the arrays."""

    def __init__(self, arrays):
        self.arrays = arrays

    def __call__(self, node, index):
        inside = all(0 <= i < n for i, n in zip(index, node.shape))
        assert len(index) == node.ndim
        return self.arrays[node][index] if inside else None  # may be asked for, but not used

    def select(self, conditions, inner, fill):
        chosen = inner if all(low <= index < high for index, low, high in conditions) else fill
        assert chosen is not None
        return chosen

    def constant(self, value, dtype):
        return np.asarray(value, dtype)

    index_value = constant

    def dynamic(self, expr, size, node):
        assert 0 <= expr < size
        return int(expr)


INLINED = [name for name, operation in OPERATIONS.items() if operation.kind != "elementwise" and declares(operation, "lower")]


@pytest.mark.parametrize("name", INLINED)
def test_the_element_rule_gives_what_the_meaning_gives(name):
    operation = OPERATIONS[name]
    for case in cases(operation, float64):
        if case.node.op is not operation or (name == "unwindow" and not operation.disjoint(case.node)):
            continue
        (expected,) = evaluate([case.node], case.env)
        read = Element(case.env)
        for index in np.ndindex(*case.node.shape):
            assert operation.lower(read, index, case.node) == expected[index]


def test_some_windows_of_the_samples_overlap_and_some_do_not():
    unwindow = OPERATIONS["unwindow"]
    assert {unwindow.disjoint(case.node) for case in cases(unwindow, float64)} == {False, True}


def value(name, *arrays, **params):
    """The operation on arrays."""
    variables = [variable(array.shape, array.dtype) for array in map(np.asarray, arrays)]
    return evaluate([build(name, *variables, **params)], dict(zip(variables, map(np.asarray, arrays))))[0]


def gradient(name, x, **params):
    """The gradient of the sum of the operation's result."""
    node = variable(x.shape, x.dtype)
    y = build(name, node, **params)
    (g,) = pull_back([y], [constant(np.ones(y.shape))], [node])
    return evaluate([g], {node: x})[0]


# Moves


def test_moves_that_change_nothing_are_no_node():
    x = variable((2, 3), float64)
    assert build("reshape", x, shape=(2, -1)) is x
    assert build("permute", x, axes=(0, 1)) is x
    assert build("expand", x, shape=(2, 3)) is x
    assert build("pad", x, widths=((0, 0), (0, 0)), value=1) is x
    assert build("slice", x, start=(0, 0), stop=(2, 3), step=(1, 1)) is x
    assert build("concat", x, axis=0) is x


def test_joined_tensors_meet_in_their_common_type():
    assert value("concat", np.ones(1, np.int8), np.ones(1, np.float32), axis=0).dtype == np.float32


def test_a_window_view_shares_memory_and_cannot_be_written():
    x = np.arange(6.0)
    view = value("window", x, axes=(0,), size=(3,), stride=(1,), dilation=(1,))
    assert np.shares_memory(view, x) and not view.flags.writeable


# Reductions


def test_equal_extremes_share_the_gradient_and_only_the_first_gets_it_in_max_first():
    x = np.array([[1.0, 3, 3], [2, 2, 2]])
    assert gradient("max", x, axes=(1,)).tolist() == [[0, 0.5, 0.5], [1 / 3, 1 / 3, 1 / 3]]
    assert gradient("min", x, axes=(0, 1)).tolist() == [[1, 0, 0], [0, 0, 0]]
    assert gradient("max_first", x, axes=(1,)).tolist() == [[0, 1, 0], [1, 0, 0]]
    assert gradient("max_first", x, axes=(0,)).tolist() == [[0, 1, 1], [1, 0, 0]]


@pytest.mark.parametrize("row, expected", [([2.0, 3, 4], [12, 8, 6]), ([0.0, 3, 4], [12, 0, 0]), ([0.0, 3, 0], [0, 0, 0]),
                                           ([5.0], [1]), ([], [])])
def test_the_derivative_of_a_product_with_zeros_is_the_product_of_the_others(row, expected):
    assert gradient("prod", np.array(row), axes=(0,)).tolist() == expected


def test_the_second_derivative_of_a_product_with_two_zeros_is_the_third_factor():
    x = variable((3,), float64)
    (g,) = pull_back([build("prod", x, axes=(0,))], [constant(1.0, float64)], [x])
    (h,) = pull_back([g], [constant(np.array([1.0, 0, 0]))], [x])
    assert evaluate([h], {x: np.array([0.0, 0, 7])})[0].tolist() == [0, 7, 0]


def test_nan_wins_every_extreme():
    x = np.array([[1.0, np.nan, np.nan], [np.inf, 2, 3]])
    assert np.isnan(value("max", x, axes=(1,))).tolist() == [True, False]
    assert np.isnan(value("min", x, axes=(1,))).tolist() == [True, False]
    assert value("argmax", x, axis=1).tolist() == [1, 0] and value("argmin", x, axis=1).tolist() == [1, 1]


def test_sums_of_small_integers_do_not_wrap_around():
    assert value("sum", np.full(1000, 100, np.int8), axes=(0,)) == 100_000
    assert value("sum", np.full(9, True), axes=(0,)).dtype == np.int64
    assert value("prod", np.full(9, 10, np.uint8), axes=(0,)).dtype == np.uint64
    assert value("cumulative_sum", np.full(9, 100, np.int8), axis=0)[-1] == 900


def test_reductions_over_nothing_are_their_identities():
    empty = np.zeros((2, 0))
    assert value("sum", empty, axes=(1,)).tolist() == [0, 0] and value("prod", empty, axes=(1,)).tolist() == [1, 1]
    assert value("any", empty, axes=(1,)).tolist() == [False] * 2 and value("all", empty, axes=(1,)).tolist() == [True] * 2


REDUCTIONS = [name for name, operation in OPERATIONS.items() if operation.kind == "reduce" and declares(operation, "identity")]


@pytest.mark.parametrize("name", REDUCTIONS)
def test_the_identity_changes_nothing_and_has_the_results_type(name):
    operation = OPERATIONS[name]
    for dtype in ("float32", "float64", "int8", "uint16", "int64", "bool"):
        x = np.array([1, 0], dtype=dtype)
        result = value(name, x[:1], axes=(0,))
        identity = operation.identity(result.dtype)
        assert identity.dtype == result.dtype
        assert value(name, np.array([identity, result], dtype=result.dtype), axes=(0,)) == result


# Contraction and indexing


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "float32", "complex64"])
def test_a_contraction_keeps_its_type(dtype):
    a = np.arange(6).reshape(2, 3).astype(dtype)
    y = value("contract", a, a, a_axes=(0, 1), b_axes=(2, 1), out_axes=(0, 2))
    assert y.dtype == dtype and y.tolist() == (a @ a.T).tolist()


def test_adding_at_one_place_twice_adds_twice():
    assert value("scatter_add", np.array([1, 1, 0]), np.array([2.0, 3, 4]), axis=0, size=3).tolist() == [4, 5, 0]
    assert value("put_along_axis", np.array([[1, 1]]), np.array([[2.0, 3]]), axis=1, size=2).tolist() == [[0, 5]]


def test_sorting_keeps_the_order_of_equals_in_both_directions():
    x = np.array([1, 0, 1, 0, 1])
    assert value("argsort", x, axis=0, descending=False).tolist() == [1, 3, 0, 2, 4]
    assert value("argsort", x, axis=0, descending=True).tolist() == [0, 2, 4, 1, 3]


# Errors

x23, x5 = np.zeros((2, 3)), np.zeros(5)
MISTAKES = [
    ("reshape", (x23,), {"shape": (4, 2)}, ShapeError,
     "reshape: a tensor of shape (2, 3) (6 elements) cannot become (4, 2)\n  the number of elements must stay the same\n"
     "  with 3 for axis 0 it would fit: (3, 2)"),
    ("permute", (x23,), {"axes": (0, 0)}, ShapeError,
     "permute: (0, 0) is no order of the axes of a tensor of shape (2, 3)\n  every axis must be named exactly once\n"
     "  the axes are (0, 1)"),
    ("expand", (x23,), {"shape": (4, 3)}, ShapeError,
     "expand: shape (2, 3) does not broadcast to (4, 3)\n"
     "  counted from the last axis, each size must be 1 or already the wanted one"),
    ("pad", (x5,), {"widths": ((1, -1),), "value": 0}, ShapeError,
     "pad: widths ((1, -1),) hold a negative number\n  padding only adds\n  cut with a slice instead"),
    ("pad", (np.zeros(2, np.int8),), {"widths": ((1, 1),), "value": 0.5}, ArgumentError,
     "pad: the value 0.5 does not exist in int8\n  cast x to a float type first"),
    ("slice", (x5,), {"start": (0,), "stop": (7,), "step": (1,)}, ShapeError,
     "slice: 0:7:1 leaves axis 0 of size 5\n  normalise it first, as in range(n)[a:b:s]"),
    ("slice", (x5,), {"start": (0,), "stop": (5,), "step": (0,)}, ArgumentError,
     "slice: the step along axis 0 is 0\n  steps are 1 or more, or -1 or less"),
    ("concat", (x23, np.zeros((3, 3))), {"axis": 1}, ShapeError,
     "concat: on axis 1, tensor 1 of shape (3, 3) does not fit tensor 0 of (2, 3)\n"
     "  all sizes except the one of the joined axis must be equal"),
    ("window", (x5,), {"axes": (0,), "size": (3,), "stride": (1,), "dilation": (3,)}, ShapeError,
     "window: axis 0 of size 5 is shorter than the window of 3 spread by dilation 3 over 7\n  not one window fits\n"
     "  take a smaller window, or pad the axis"),
    ("max", (np.zeros((2, 0)),), {"axes": (1,)}, ShapeError,
     "max: axis 1 of shape (2, 0) is empty\n  no elements have no max\n  reduce a non-empty axis, or check the size first"),
    ("argmin", (np.zeros((2, 0)),), {"axis": 1}, ShapeError,
     "argmin: axis 1 of shape (2, 0) is empty\n  no elements have no argmin\n  reduce a non-empty axis, or check the size first"),
    ("max", (np.zeros(2, np.complex64),), {"axes": (0,)}, DTypeError,
     "max: complex64 numbers have no order\n  compare their absolute values: abs(x)"),
    ("contract", (x23, np.zeros((2, 4))), {"a_axes": (0, 1), "b_axes": (1, 2), "out_axes": (0, 2)}, ShapeError,
     "contract: a (2, 3) and b (2, 4) do not fit: axis 1 of a has size 3, axis 0 of b has size 2\n"
     "  the two axes are multiplied with each other element by element"),
    ("contract", (x5 > 0, x5 > 0), {"a_axes": (0,), "b_axes": (0,), "out_axes": ()}, DTypeError,
     "contract: bool is no number to sum products of\n  cast first: x.astype(slopes.float32)"),
    ("take", (x5, np.array([1.5])), {"axis": 0}, DTypeError,
     "take: indices of type float64 cannot choose elements\n  indices are whole numbers\n"
     "  cast them: indices.astype(slopes.int64)"),
    ("take", (np.zeros((3, 10)), np.array([0, 12])), {"axis": 1}, OutOfRangeError,
     "take: index 12 is outside axis 1 of size 10\n  indices run from 0 to 9\n"
     "  clip the indices, or look where they are made"),
    ("take_along_axis", (x23, np.array([[-1], [0]])), {"axis": 1}, OutOfRangeError,
     "take_along_axis: index -1 is outside axis 1 of size 3\n  indices run from 0 to 2\n"
     "  clip the indices, or look where they are made"),
    ("take_along_axis", (x23, np.array([[0]])), {"axis": 1}, ShapeError,
     "take_along_axis: x (2, 3) and indices (1, 1) differ on an axis other than 1\n"
     "  every line along axis 1 has its own indices\n"
     "  to use the same indices everywhere, call take"),
    ("scatter_add", (np.array([5]), np.zeros(1)), {"axis": 0, "size": 5}, OutOfRangeError,
     "scatter_add: index 5 is outside axis 0 of size 5\n  indices run from 0 to 4\n"
     "  clip the indices, or look where they are made"),
    ("take", (np.zeros(0), np.array([0])), {"axis": 0}, OutOfRangeError,
     "take: index 0 is outside axis 0 of size 0\n  the axis is empty: it has no elements to choose"),
]


@pytest.mark.parametrize("name, arrays, params, kind, text", MISTAKES, ids=[f"{each[0]}-{i}" for i, each in enumerate(MISTAKES)])
def test_a_wrong_call_says_what_why_and_how_to_repair(name, arrays, params, kind, text):
    with pytest.raises(SlopesError) as caught:
        value(name, *arrays, **params)
    assert type(caught.value) is kind
    assert str(caught.value).startswith(text + "\n")


def test_iota_refuses_types_without_counting_numbers():
    with pytest.raises(DTypeError, match="iota: bool has no counting numbers"):
        build("iota", size=3, dtype=np.dtype("bool"))
    assert evaluate([build("iota", size=3, dtype=int64)])[0].tolist() == [0, 1, 2]


@pytest.mark.parametrize(("old", "new", "groups"), [
    ((5, 6, 4), (5, 24), [([0], [0]), ([1, 2], [1])]),
    ((24, 7), (4, 6, 7), [([0], [0, 1]), ([1], [2])]),
    ((4, 6), (6, 4), [([0, 1], [0, 1])]),
    ((3, 1, 5), (3, 5, 1), [([0], [0]), ([2], [1])]),
    ((1, 1), (), []),
])
def test_a_reshape_touches_only_the_axes_that_it_changes(old, new, groups):
    assert regrouped(old, new) == groups
