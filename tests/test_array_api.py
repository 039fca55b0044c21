"""slopes as a namespace of the Python array API: names, signatures, questions about types, and the functions that came with it."""

from __future__ import annotations

import inspect
import math

import array_api
import array_api_strict as strict
import numpy as np
import pytest

import slopes as sl
from slopes.errors import ArgumentError, DTypeError, ShapeError, TraceError

OWN = {"ArrayAPIStrictFlags", "Device", "get_array_api_strict_flags", "reset_array_api_strict_flags", "set_array_api_strict_flags"}
STANDARD = sorted(name for name in dir(strict) if not name.startswith("_") and name not in OWN)


def test_the_namespace_has_the_names_of_the_standard():
    missing = {name for name in STANDARD if not hasattr(sl, name)}
    assert not missing
    assert sl.__array_api_version__ == array_api.VERSION


def test_results_are_those_of_array_api_strict():
    sections = array_api.layouts, array_api.sorting, array_api.creation, array_api.products, array_api.transforms
    counts, differing = array_api.sweep(sections)
    assert sum(counts.values()) > 1900 and not array_api.uncalled()
    unlisted = [f"{array_api.text_of(case)}: {text}" for case, text in differing if not array_api.reason_of(f"{case.name}: {text}")]
    assert not unlisted


def test_types_are_kept_or_changed_as_they_are_named():
    x = sl.tensor([1.0, 2.0])
    assert sl.asarray(x, dtype="float64").dtype == sl.float64 and sl.asarray(x) is x and sl.asarray(x, dtype="float32") is x
    assert sl.copysign(x, sl.asarray([-1.0, 1.0], dtype="float64")).dtype == sl.float64
    assert sl.searchsorted(sl.tensor([1, 3], dtype="uint64"), 2).item() == 1 and sl.isin(2, sl.tensor([2], dtype="uint64")).item()
    assert sl.any(sl.tensor([0, 1j])).item() and not sl.all(sl.tensor([0, 1j])).item() and sl.count_nonzero(sl.tensor([0, 1j])).item() == 1
    assert sl.vecdot(sl.tensor([1j]), sl.tensor([1j])).item() == 1


def parameters(function):
    return inspect.signature(function).parameters.values()


@pytest.mark.parametrize("extension", ["linalg", "fft"])
def test_the_extensions_have_the_names_of_the_standard(extension):
    theirs = getattr(strict, extension)
    assert functions_of(theirs) <= set(getattr(sl, extension).__all__)
    for name in functions_of(theirs):
        check_parameters(getattr(theirs, name), getattr(getattr(sl, extension), name))


def functions_of(extension):
    """Its public functions, without those that it only imports."""
    return {name for name, function in vars(extension).items()
            if inspect.isfunction(function) and not name.startswith("_") and name in extension.__all__}


@pytest.mark.parametrize("name", [name for name in STANDARD if inspect.isfunction(getattr(strict, name)) and hasattr(sl, name)])
def test_functions_have_the_parameters_of_the_standard(name):
    check_parameters(getattr(strict, name), getattr(sl, name))


def check_parameters(their_function, our_function):
    theirs, ours = parameters(their_function), parameters(our_function)
    by_position = [p for p in theirs if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    assert {p.name for p in theirs if p.kind is p.KEYWORD_ONLY} <= {p.name for p in ours}
    assert len(by_position) <= len([p for p in ours if p.kind is not p.KEYWORD_ONLY])


def test_tensors_have_the_attributes_of_the_standard():
    theirs = {name for name in dir(type(strict.asarray(1.0))) if not name.startswith("_") or name.startswith("__")}
    assert {name for name in theirs if not hasattr(sl.Tensor, name)} <= {"__buffer__"}
    x = sl.ones(2)
    assert x.__array_namespace__() is sl and x.__array_namespace__(api_version="2022.12") is sl and x.to_device("cpu") is x
    with pytest.raises(ArgumentError, match="of version '1999"):
        x.__array_namespace__(api_version="1999.1")
    y = sl.tensor([5])
    y &= 4
    y <<= 1
    assert y.tolist() == [8]


def test_the_only_device_is_the_cpu():
    for make in (lambda device: sl.zeros(2, device=device), lambda device: sl.asarray([1], device=device),
                 lambda device: sl.arange(3, device=device), lambda device: sl.ones_like(sl.ones(2), device=device),
                 lambda device: sl.eye(2, device=device), lambda device: sl.linspace(0, 1, 3, device=device),
                 lambda device: sl.full((2,), 1, device=device), lambda device: sl.astype([1], "float32", device=device)):
        assert make("cpu").device == make(None).device == "cpu"
        with pytest.raises(ArgumentError, match="device='cuda' is not there"):
            make("cuda")
    info = sl.__array_namespace_info__()
    assert info.devices() == [info.default_device()] and info.default_dtypes()["integral"] == np.int64
    assert set(info.dtypes(kind="real floating")) == {"float32", "float64"} and "bool" in info.dtypes()
    assert info.capabilities()["data-dependent shapes"]


TYPES = ["bool", "int8", "int32", "int64", "uint8", "uint32", "uint64", "float32", "float64"]


def test_types_answer_as_the_standard_says():
    for name in TYPES:
        ours, theirs = getattr(sl, name), getattr(strict, name)
        for kind in ("bool", "signed integer", "unsigned integer", "integral", "real floating", "complex floating", "numeric"):
            assert sl.isdtype(ours, kind) == strict.isdtype(theirs, kind)
        if "int" in name:
            assert (sl.iinfo(ours).min, sl.iinfo(ours).max, sl.iinfo(ours).bits) == \
                   (strict.iinfo(theirs).min, strict.iinfo(theirs).max, strict.iinfo(theirs).bits)
        if "float" in name:
            a, b = sl.finfo(ours), strict.finfo(theirs)
            assert (a.eps, a.max, a.min, a.smallest_normal, a.bits) == (b.eps, b.max, b.min, b.smallest_normal, b.bits)
    assert sl.isdtype(sl.float32, ("bool", sl.float32)) and not sl.isdtype(sl.int8, sl.int16)
    assert sl.result_type(sl.int8, sl.int32, sl.ones(1, "int16")) == sl.int32 and sl.result_type(sl.float32, 1.5, 3) == sl.float32
    assert sl.can_cast(sl.bool, sl.int8) and not sl.can_cast(sl.uint64, sl.int64)
    assert sl.broadcast_shapes((2, 1), (3,), ()) == (2, 3)
    for wrong, error in ((lambda: sl.finfo("int8"), DTypeError), (lambda: sl.iinfo("float32"), DTypeError),
                         (lambda: sl.isdtype(sl.int8, "whole"), ArgumentError), (lambda: sl.result_type(1, 2.0), ArgumentError),
                         (lambda: sl.broadcast_shapes((2,), (3,)), ShapeError)):
        with pytest.raises(error):
            wrong()


# Functions

SPECIAL = np.array([1.0, -0.0, 0.0, np.nan, -3.0, np.inf, -np.inf, 5e-324, 1.5])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_signs_neighbours_and_lengths_follow_numpy_for_special_numbers(dtype):
    x, y = (grid.reshape(-1).astype(dtype) for grid in np.meshgrid(SPECIAL, SPECIAL))
    def functions(x, y):
        return sl.signbit(x), sl.copysign(x, y), sl.nextafter(x, y), sl.hypot(x, y)

    expected = np.signbit(x), np.copysign(x, y), np.nextafter(x, y), np.hypot(x, y)
    for run in (functions, sl.compile(functions)):
        for got, truth in zip(run(sl.tensor(x), sl.tensor(y)), expected):
            np.testing.assert_allclose(got.numpy(), truth, rtol=1e-6 if dtype == "float32" else 1e-15)
            assert np.array_equal(np.signbit(got.numpy()[truth == 0]), np.signbit(truth[truth == 0])) if truth.dtype != bool else True
    assert sl.hypot(sl.tensor(3e300, "float64"), 4e300).item() == pytest.approx(5e300)


def test_interpolation_and_replacement():
    assert sl.lerp([0.0, 10.0], [1.0, 20.0], sl.tensor([1.0, 0.25])).tolist() == [1.0, 12.5]
    x = np.array([1.0, np.nan, np.inf, -np.inf], np.float32)
    np.testing.assert_array_equal(sl.nan_to_num(x).numpy(), np.nan_to_num(x))
    np.testing.assert_array_equal(sl.nan_to_num(x, 7.0, 8.0, -9.0).numpy(), [1, 7, 8, -9])
    assert sl.nan_to_num([1, 2]).tolist() == [1, 2]


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_running_products_sums_and_differences_follow_numpy(axis):
    x = np.random.default_rng(0).integers(-3, 4, (5, 6)).astype(float)
    np.testing.assert_array_equal(sl.cumulative_prod(x, axis).numpy(), np.cumprod(x, axis))
    np.testing.assert_array_equal(sl.cumulative_prod(x.astype(int), axis, include_initial=True).numpy(),
                                  np.cumulative_prod(x.astype(int), axis=axis, include_initial=True))
    np.testing.assert_array_equal(sl.cumulative_sum(x, axis, include_initial=True).numpy(),
                                  np.cumulative_sum(x, axis=axis, include_initial=True))
    for n in range(4):
        np.testing.assert_array_equal(sl.diff(x, axis, n).numpy(), np.diff(x, n, axis))
    np.testing.assert_array_equal(sl.diff(x > 0, axis, prepend=x > 1, append=x > 0).numpy(), np.diff(x > 0, axis=axis, prepend=x > 1,
                                                                                                  append=x > 0))
    with pytest.raises(ArgumentError, match="n must be a whole number of at least 0"):
        sl.diff(x, axis, -1)


def test_products_have_exact_gradients_at_zeros():
    x = sl.tensor([2.0, 0.0, 3.0, 0.0, 5.0], "float64", requires_grad=True)
    weights = sl.tensor([1.0, 10.0, 100.0, 1000.0, 10000.0], "float64")
    (sl.cumulative_prod(x) * weights).sum().backward()
    assert x.grad.tolist() == [1.0, 20.0 + 600.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("q", [0.0, 0.3, 1.0, [0.0, 0.25, 0.5]])
@pytest.mark.parametrize("axis", [None, 0, -1])
@pytest.mark.parametrize("keepdims", [False, True])
def test_quantiles_follow_numpy(q, axis, keepdims):
    x = np.random.default_rng(1).normal(size=(4, 7))
    np.testing.assert_allclose(sl.quantile(x, q, axis, keepdims).numpy(), np.quantile(x, q, axis, keepdims=keepdims), rtol=1e-14)
    np.testing.assert_allclose(sl.median(x, axis, keepdims).numpy(), np.median(x, axis, keepdims=keepdims), rtol=1e-14)


def test_quantiles_know_their_limits():
    assert np.isnan(sl.median([1.0, np.nan, 2.0]).item()) and sl.quantile([1.0, np.inf], 1.0).item() == math.inf
    assert sl.quantile([1, 2], 0.5).item() == 1.5
    for q in (1.5, -0.1, math.nan):
        with pytest.raises(ArgumentError, match="q is a share"):
            sl.quantile([1.0], q)
    with pytest.raises(ShapeError, match="no elements"):
        sl.median(sl.zeros((0,)))


def test_sets_follow_numpy():
    x = np.array([[3.0, np.nan, 1.0], [3.0, np.nan, -2.0]])
    values, indices, inverse, counts = sl.unique_all(x)
    expected = np.unique_all(x)
    for got, truth in zip((values, indices, inverse, counts), expected):
        np.testing.assert_array_equal(got.numpy(), truth)
    np.testing.assert_array_equal(sl.unique_counts(x).counts.numpy(), expected.counts)
    np.testing.assert_array_equal(sl.unique_inverse(x).inverse_indices.numpy(), expected.inverse_indices)
    np.testing.assert_array_equal(sl.unique_values(x).numpy(), expected.values)
    for elements in ([1.0, 3.0], [np.nan], [], [[9, 1], [1, 2]]):
        for invert in (False, True):
            np.testing.assert_array_equal(sl.isin(x, elements, invert).numpy(), np.isin(x, elements, invert=invert))
    assert sl.isin([1, 2], [2.5, 2.0]).tolist() == [False, True]
    with pytest.raises(TraceError, match="a shape depends on"):
        sl.compile(sl.unique_counts)(sl.tensor(x))


def test_sorted_by_others():
    x = sl.tensor([3.0, 1.0, 2.0])
    assert sl.searchsorted(x, [1.5, 9.0], sorter=sl.argsort(x)).tolist() == [1, 3]
    assert sl.sort(x, stable=False).tolist() == [1, 2, 3] and sl.argsort(x, stable=False).tolist() == [1, 2, 0]
