"""Compiled functions at edge values: equal products, NaN constants, huge arguments give what eager mode and NumPy give."""

from __future__ import annotations

import math
import operator

import numpy as np
import pytest

import slopes as sl
from slopes.errors import ArgumentError, DTypeError, SlopesError

PRODUCTS = {
    "x x - y y": lambda a, b: a * a - b * b,
    "x y + (-y) x": lambda a, b: a * b + (-b) * a,
    "-(x y) + y x": lambda a, b: -(a * b) + b * a,
    "x^2 - y y": lambda a, b: a ** 2 - b * b,
    "x x x - y y y": lambda a, b: a * a * a - b * b * b,
    "2 x y - x x - y y": lambda a, b: 2 * a * b - a * a - b * b,
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", sorted(PRODUCTS))
def test_differences_of_equal_products_are_zero(name, dtype):
    x = np.random.default_rng(0).uniform(1, 2, 1000).astype(dtype)
    found = sl.compile(PRODUCTS[name])(sl.tensor(x), sl.tensor(x.copy()))
    np.testing.assert_array_equal(found.numpy(), PRODUCTS[name](sl.tensor(x), sl.tensor(x)).numpy())
    assert not found.numpy().any()


def test_a_variance_of_one_number_is_not_negative():
    x = sl.tensor(np.random.default_rng(0).uniform(1, 2, (500, 1)).astype("f4"))
    spread = sl.compile(lambda x: sl.sqrt((x * x).mean(1) - x.mean(1) * x.mean(1)))
    assert not np.isnan(spread(x).numpy()).any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_arithmetic_has_the_bits_of_eager_mode(dtype):
    """No product is fused with a later sum, whatever stands between them."""
    random = np.random.default_rng(1)
    x, y, z = (sl.tensor(random.normal(size=999).astype(dtype)) for _ in range(3))

    def chain(x, y, z):
        p = x * y
        return p + z, z - p, p - z, (p + z) * x - y * z, p / z + x * 0.1, sl.sqrt(sl.abs(p - z * y)), 1 - x * x

    for found, expected in zip(sl.compile(chain)(x, y, z), chain(x, y, z)):
        np.testing.assert_array_equal(found.numpy(), expected.numpy())


@pytest.mark.parametrize("bound", [math.nan, math.inf, -math.inf, 0.0, -0.0])
@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_extremes_against_a_constant(name, bound):
    x = np.array([1.0, -2.0, 0.0, math.inf, -math.inf, math.nan, 1e-45], "f4")
    function, expected = getattr(sl, name), getattr(np, name)(x, np.float32(bound))
    for form in (lambda x: function(x, bound), lambda x: function(bound, x)):
        np.testing.assert_array_equal(sl.compile(form)(sl.tensor(x)).numpy(), expected)
        np.testing.assert_array_equal(form(sl.tensor(x)).numpy(), expected)


def test_gelu_vanishes_far_below_zero():
    x = np.array([-5.6, -6, -20, -88, -1e5, -1e10, -1e30], "f4")
    for function in (sl.gelu, sl.compile(sl.gelu)):
        np.testing.assert_array_equal(function(sl.tensor(x)).numpy(), 0)
        np.testing.assert_array_equal(function(sl.tensor(-x)).numpy(), -x)


@pytest.mark.parametrize("dtype, bound", [("float32", 2.0**-23), ("float64", 2.0**-51)])
def test_gelu_stays_within_its_bound(dtype, bound):
    x = np.concatenate([np.linspace(-30, 6, 5001), -np.logspace(0, 30, 100), np.logspace(-30, 30, 100)]).astype(dtype)
    expected = np.array([each / 2 * math.erfc(-each / math.sqrt(2)) for each in x.tolist()])
    for function in (sl.gelu, sl.compile(sl.gelu)):
        assert (np.abs(function(sl.tensor(x)).numpy().astype("f8") - expected) <= bound * np.abs(x.astype("f8"))).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_angles_of_any_size_are_numpys(name, dtype):
    x = np.array([1e5, 1e8, 1e14, 2e15, 1e17, 9.3e18, 1e20, -1e30, np.finfo(dtype).max, 0.5, -0.0], dtype)
    x = np.concatenate([x, np.tile(x, 5)])
    found = sl.compile(getattr(sl, name))(sl.tensor(x)).numpy()
    np.testing.assert_allclose(found, getattr(np, name)(x), rtol=8 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["remainder", "floor_divide"])
def test_rests_of_any_quotient_are_numpys(name, dtype):
    info = np.finfo(dtype)
    sizes = np.array([info.max, 1e30, 3e7, 7.5, 0.1, 1e-30, info.tiny, info.smallest_subnormal], dtype)
    x, y = (grid.ravel() for grid in np.meshgrid(np.concatenate([sizes, -sizes]), np.concatenate([sizes, -sizes])))
    with np.errstate(all="ignore"):
        expected = getattr(np, name)(x, y)
    for function in (getattr(sl, name), sl.compile(getattr(sl, name))):
        np.testing.assert_array_equal(function(sl.tensor(x), sl.tensor(y)).numpy(), expected)


INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]


def both(function, *args, **options):
    """What a function gives eagerly, after a look that it gives the same compiled."""
    eager, compiled = function(*args, **options), sl.compile(function)(*args, **options)
    assert eager.dtype == compiled.dtype
    np.testing.assert_array_equal(eager.numpy(), compiled.numpy())
    return eager


@pytest.mark.parametrize("dtype", INTEGERS)
def test_logaddexp_and_isclose_of_integers_do_not_wrap_around(dtype):
    info = np.iinfo(dtype)
    numbers = np.array([info.min, info.min + 1, 0, 1, 3, info.max - 1, info.max], dtype)
    x, y = (grid.ravel() for grid in np.meshgrid(numbers, numbers))
    np.testing.assert_allclose(sl.logaddexp(sl.tensor(x), sl.tensor(y)).numpy(), np.logaddexp(x.astype("f4"), y.astype("f4")), rtol=1e-6)
    for atol in (1e-8, 1.5):
        found = both(sl.isclose, sl.tensor(x), sl.tensor(y), atol=atol)
        np.testing.assert_array_equal(found.numpy(), np.isclose(x, y, atol=atol))


def test_clip_promotes_like_arithmetic():
    x = sl.tensor([1, 2, 3])
    assert both(lambda x: sl.clip(x, 1.5, 2.5), x).tolist() == [1.5, 2.0, 2.5]
    assert both(lambda x: sl.clip(x, 2, None), x).dtype == np.int64
    assert both(lambda x: sl.clip(x, np.float64(1.5), np.int32(2)), x).tolist() == [1.5, 2.0, 2.0]
    assert both(lambda x: sl.clip(x, sl.tensor(1.5), None), x).tolist() == [1.5, 2.0, 3.0]
    assert both(lambda x: sl.clip(x, 3, 1), x).tolist() == [1, 1, 1]  # as in NumPy: max wins
    for bad in (lambda: sl.clip(x.astype("int8"), 300, None), lambda: sl.compile(lambda x: sl.clip(x, 300, None))(x.astype("int8"))):
        with pytest.raises(ArgumentError, match="300 does not fit into int8"):
            bad()


def test_a_bound_of_nan_gives_nan():
    x = sl.tensor([1.0, math.nan, math.inf])
    for bounds in ((math.nan, 1.0), (None, math.nan), (0.0, math.nan), (sl.tensor(math.nan), None), (np.float32(math.nan), None)):
        assert np.isnan(both(sl.clip, x, *bounds).numpy()).all()
    assert np.isnan(both(lambda x: sl.clip(x, 0.0, 1.0), x).numpy()).tolist() == [False, True, False]


@pytest.mark.parametrize("number", [300, -200, 2**70, np.int64(300)])
@pytest.mark.parametrize("name, apply", [("add", operator.add), ("less", operator.lt), ("floor_divide", operator.floordiv)])
def test_whole_numbers_beyond_the_type_beside_them_are_refused(name, apply, number):
    x = sl.tensor(np.array([1, 2], "int8"))
    for function in (lambda x: apply(x, number), sl.compile(lambda x: apply(x, number))):
        with pytest.raises(ArgumentError, match=f"{name}: {int(number)} does not fit into int8"):
            function(x)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_pad_and_full_hold_their_value(dtype):
    x, over = sl.zeros(2, dtype), int(np.iinfo(dtype).max) + 1
    for bad in (over, -over - 1, math.nan, math.inf):
        with pytest.raises(ArgumentError, match="does not exist in"):
            sl.pad(x, 1, bad)
        with pytest.raises(ArgumentError, match="does not exist in"):
            sl.full_like(x, bad)
        with pytest.raises(ArgumentError, match=f"does not fit into {dtype}"):
            sl.full(2, bad, dtype)
    with pytest.raises(ArgumentError, match=r"full_like: the value 1\.5 does not exist in"):
        sl.full_like(x, 1.5)
    assert sl.full(2, over - 1, dtype).tolist() == [over - 1] * 2
    with pytest.raises(DTypeError, match="imaginary part"):
        sl.full(2, 1j, dtype)


ROWS = [(16777217.0, 16777221.0, 1.0), (2**53 + 1, 2**53 + 5, 1), (float(2**62), float(2**62) + 4096, 1024.0), (5, -5, -2), (-3.0, 3.0, 2),
        (0, 0, 1), (3, 1, 1), (np.int64(2), np.float32(6), np.float64(2))]


@pytest.mark.parametrize("row", ROWS)
def test_arange_of_whole_numbers_is_exact(row):
    found = both(lambda: sl.arange(*row, dtype="int64"))
    assert found.tolist() == list(range(*map(int, row))) and found.dtype == np.int64


def test_arange_in_integer_types_up_to_their_ends():
    assert sl.arange(2**64 - 3, 2**64, dtype="uint64").tolist() == [2**64 - 3, 2**64 - 2, 2**64 - 1]
    assert sl.arange(-128, 128, 51, dtype="int8").tolist() == [-128, -77, -26, 25, 76, 127]
    assert both(lambda: sl.arange(127, -129, -255, dtype="int8")).tolist() == [127, -128]
    for bad in ((0, 300), (-129, 0), (0, 129)):
        with pytest.raises(ArgumentError, match="does not fit into int8"):
            sl.arange(*bad, dtype="int8")


@pytest.mark.parametrize("bad", [math.nan, math.inf, "3", None, sl.tensor([3])])
def test_rows_of_numbers_have_finite_ends(bad):
    for make in (lambda: sl.arange(0, 3, bad), lambda: sl.arange(bad, 3), lambda: sl.linspace(0, bad, 3), lambda: sl.linspace(bad, 1, 3)):
        with pytest.raises(SlopesError, match="is not a finite number"):
            make()


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "int64", "uint8", "uint64"])
@pytest.mark.parametrize("ends", [(0, 9, 4), (0, 10, 4), (100, 3, 7), (3.0, 120.0, 50), (0.5, 99.5, 12), (7, 7, 3), (5, 9, 1), (5, 9, 0)])
def test_linspace_is_of_the_wanted_type(ends, dtype):
    for endpoint in (True, False):
        found = both(sl.linspace, *ends, dtype=dtype, endpoint=endpoint)
        assert found.dtype == dtype
        expected = np.linspace(*ends, dtype=dtype, endpoint=endpoint)
        np.testing.assert_allclose(found.numpy(), expected, rtol=2e-7 if dtype == "float32" else 1e-15)


def test_linspace_of_large_integers_is_exact():
    start, stop = -(2**63), 2**63 - 1
    assert sl.linspace(start, stop, 5, dtype="int64").tolist() == [start + (stop - start) * i // 4 for i in range(5)]
    assert sl.linspace(2**53 + 1, 2**53 + 3, 3, dtype="int64").tolist() == [2**53 + 1, 2**53 + 2, 2**53 + 3]


@pytest.mark.parametrize("order", [0, 1, 2, 3, 0.5, -1, -2, math.inf, -math.inf, np.float32(2)])
def test_vector_norms_of_every_order_are_numpys(order):
    for x in ([2.0, -3.0, 5.0], [0.0, -3.0, 0.0], [1, -2, 0]):
        with np.errstate(divide="ignore"):
            expected = np.linalg.norm(np.array(x, "f4"), order)
        for function in (sl.vector_norm, sl.compile(sl.vector_norm)):
            np.testing.assert_allclose(function(sl.tensor(x), ord=order).numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("order", [math.nan, "fro", None])
def test_what_is_no_order_of_a_norm_is_refused(order):
    with pytest.raises(ArgumentError, match="is not the order of a norm"):
        sl.vector_norm([1.0], ord=order)


@pytest.mark.parametrize("source", ["float32", "float64"])
@pytest.mark.parametrize("dtype", INTEGERS)
def test_floats_outside_of_an_integer_type_become_its_ends(dtype, source):
    info = np.iinfo(dtype)
    top = 2.0 ** (info.bits - (info.min < 0))
    x = np.array([1.9, -0.9, top, 2 * top, math.inf, -math.inf, -2 * top, math.nan, float(info.min)], source)
    assert both(sl.astype, sl.tensor(x), dtype).tolist() == [1, 0, info.max, info.max, info.max, info.min, info.min, 0, info.min]


@pytest.mark.parametrize("dtype", ["float32", "float64", *INTEGERS])
@pytest.mark.parametrize("name", ["sum", "prod", "cumulative_sum"])
def test_totals_are_of_the_wanted_type(name, dtype):
    numbers = np.array([100, 100, 57, 3])
    for source in ("uint8", "int64", "float32"):
        found = both(lambda x: getattr(sl, name)(x, dtype=dtype), sl.tensor(numbers.astype(source)))
        expected = getattr(np, {"cumulative_sum": "cumsum"}.get(name, name))(numbers.astype(source).astype(dtype), dtype=dtype)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found.numpy(), expected)


@pytest.mark.parametrize("source, destination", [((1, 0, 2), (0, 4, -5)), ((0, 0), (1, 2)), ((0, -5), (1, 2)), ((0, 1), (2, 2))])
def test_no_axis_is_moved_twice_and_no_two_to_one_place(source, destination):
    with pytest.raises(SlopesError, match="an axis is named twice"):
        sl.moveaxis(sl.zeros((2, 3, 4, 5, 6)), source, destination)


def test_elements_are_not_repeated_less_than_never():
    with pytest.raises(SlopesError, match="-1 repeats"):
        sl.repeat([1, 2], [2, -1])


@pytest.mark.parametrize("side", ["left", "right"])
def test_searchsorted_takes_nan_for_the_largest(side):
    x = np.array([-math.inf, -1, 0, 0, 2, math.inf, math.nan, math.nan])
    found = both(sl.searchsorted, sl.tensor(x), sl.tensor(np.concatenate([x, [1.0, -5.0]])), side=side)
    np.testing.assert_array_equal(found.numpy(), np.searchsorted(x, np.concatenate([x, [1.0, -5.0]]), side))
    assert both(sl.searchsorted, sl.tensor([1, 2, 2, 5]), sl.tensor([2, 7]), side=side).tolist() == [1 if side == "left" else 3, 4]


def test_searchsorted_knows_two_sides():
    with pytest.raises(ArgumentError, match="side='middle' is not known"):
        sl.searchsorted([1.0], [1.0], side="middle")


def test_numpys_whole_numbers_are_whole_numbers():
    two = np.int64(2)
    for counts in (two, sl.tensor(2), np.array(2), [two], (2,)):
        assert sl.tile([1, 2], counts).tolist() == [1, 2, 1, 2]
    for repeats, expected in ((two, [1, 1, 2, 2]), (np.array([1, 2]), [1, 2, 2]), (sl.tensor([2, 0]), [1, 1])):
        assert sl.repeat([1, 2], repeats).tolist() == expected
    assert [each.shape for each in sl.split(sl.arange(6), two)] == [(3,), (3,)]
    assert [each.shape for each in sl.split(sl.arange(6), np.array([2, 4]))] == [(2,), (4,)]
    assert sl.roll([1, 2, 3], np.int32(1), np.int64(0)).tolist() == [3, 1, 2]
    assert sl.moveaxis(sl.zeros((2, 3)), np.int64(0), np.int64(1)).shape == (3, 2)
    assert sl.broadcast_to([1], 3).shape == sl.broadcast_to([1], np.array([3])).shape == (3,)
    assert sl.permute_dims([1, 2], 0).shape == sl.zeros(np.int64(2)).shape == (2,)


@pytest.mark.parametrize("use", [
    lambda: sl.tile([1], 1.5), lambda: sl.repeat([1], 1.5), lambda: sl.repeat([1], [1.5]), lambda: sl.split([1, 2], 1.0),
    lambda: sl.roll([1], 0.5), lambda: sl.roll([1], 1, 0.5), lambda: sl.moveaxis([1], 0.0, 0), lambda: sl.zeros(2.5),
    lambda: sl.zeros(None),
    lambda: sl.top_k([1.0], 1.0), lambda: sl.flatten(sl.zeros((2, 3)), 2), lambda: sl.flatten(sl.zeros((2, 3)), -3),
])
def test_what_is_no_whole_number_is_refused_in_words(use):
    with pytest.raises(SlopesError):
        use()
