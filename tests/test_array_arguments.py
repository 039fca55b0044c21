"""NumPy arrays of every make as arguments: other byte orders, masks, subclasses, views, and types that are no numbers."""

from __future__ import annotations

import datetime

import numpy as np
import pytest

import slopes as sl
from slopes.errors import ArgumentError, DTypeError

PLAIN = np.array([[1, 2], [3, 4]], "f4")
X = sl.tensor(np.ones((2, 2), "f4"))
BIG = np.arange(1500, dtype="f4").reshape(50, 30)  # more than is folded while compiling


class Sub(np.ndarray):
    pass


MAKES = {
    "big-endian": PLAIN.astype(">f4"),
    "matrix": PLAIN.view(np.matrix),
    "subclass": PLAIN.view(Sub),
    "strided": np.repeat(PLAIN, 2, axis=1)[:, ::2],
    "backwards": PLAIN[::-1, ::-1].copy()[::-1, ::-1],
    "unaligned": np.frombuffer(b"x" + PLAIN.tobytes(), np.uint8)[1:].view("f4").reshape(2, 2),
    "columns first": np.asfortranarray(PLAIN),
    "read-only": np.broadcast_to(PLAIN, (2, 2)),
}
TAKES = {
    "tensor": sl.tensor,
    "asarray": sl.asarray,
    "Parameter": lambda a: sl.Parameter(a).detach(),
    "operand": lambda a: X * a,
    "first operand": lambda a: sl.multiply(a, X),
    "recorded": lambda a: sl.Parameter(X) * a,
    "argument": lambda a: sl.compile(lambda x: x * 1)(a),
    "stepped": lambda a: sl.compile(lambda x: x * 1).many(2, a, stepped=(0,)),
    "constant": lambda a: sl.compile(lambda x: x * a)(X),
    "where": lambda a: sl.where(np.ones((2, 2), bool), a, X),
    "assign": lambda a: sl.tensor(np.zeros((2, 2), "f4")).assign(a),
}


@pytest.mark.parametrize("take", sorted(TAKES))
@pytest.mark.parametrize("make", sorted(MAKES))
def test_arrays_of_any_make_are_read_right(make, take):
    found = TAKES[take](MAKES[make])
    assert found.dtype == np.float32 and found.dtype.isnative
    np.testing.assert_array_equal(found.numpy(), PLAIN)


def test_a_large_array_of_the_other_byte_order_in_a_compiled_function():
    array = BIG.astype(">f4")
    np.testing.assert_array_equal(sl.compile(lambda x: x + array)(sl.zeros(BIG.shape)).numpy(), BIG)
    np.testing.assert_array_equal(sl.compile(lambda x: x + 0)(array).numpy(), BIG)


MASKED = np.ma.array(PLAIN, mask=[[True, False], [False, False]])


@pytest.mark.parametrize("take", sorted(TAKES))
def test_a_mask_is_not_lost(take):
    with pytest.raises(DTypeError, match=r"masked array of shape \(2, 2\) cannot become a tensor(.|\n)*x\.filled\(0\)"):
        TAKES[take](MASKED)


def test_a_mask_in_a_list_or_an_index_is_not_lost():
    for use in (lambda: sl.tensor([MASKED, MASKED]), lambda: sl.tensor([[MASKED[0], MASKED[1]]]),
                lambda: sl.tensor(PLAIN)[np.ma.array([0, 1], mask=[True, False])]):
        with pytest.raises(DTypeError, match="masked array"):
            use()


NO_NUMBERS = {
    "dates": np.array([["2020-01-01"] * 2] * 2, "M8[D]"),
    "words": np.array([["1", "2"], ["3", "4"]]),
    "objects": np.array([[1, datetime.date(2020, 1, 1)]] * 2, object),
    "records": np.zeros((2, 2), [("a", "f4")]),
}


@pytest.mark.parametrize("take", sorted(TAKES))
@pytest.mark.parametrize("kind", sorted(NO_NUMBERS))
def test_arrays_of_no_numbers_are_refused_by_name(kind, take):
    with pytest.raises(DTypeError):
        TAKES[take](NO_NUMBERS[kind])


@pytest.mark.parametrize("kind", sorted(NO_NUMBERS))
def test_a_wanted_type_does_not_make_numbers_of_them(kind):
    for dtype in ("float32", "int64"):
        with pytest.raises(DTypeError, match="elements are no numbers"):
            sl.tensor(NO_NUMBERS[kind], dtype=dtype)


def test_an_imaginary_part_is_not_lost():
    for value in (np.array([1 + 2j]), [1 + 2j], 1j):
        with pytest.raises(DTypeError, match="imaginary part"):
            sl.tensor(value, dtype="float32")


@pytest.mark.parametrize("value, dtype", [([300], "uint8"), ([-1], "uint8"), ([[1], [2**31]], "int32"), (2**63, "int64"), (-129, "int8")])
def test_whole_numbers_that_do_not_fit_are_refused(value, dtype):
    with pytest.raises(ArgumentError, match=f"does not fit into {dtype}"):
        sl.tensor(value, dtype=dtype)
