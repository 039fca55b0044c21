"""Elementwise operations mean what NumPy means, promote as promised, refuse with good texts, and have the stated derivatives."""

from __future__ import annotations

import inspect
import math
import re

import numpy as np
import pytest
from together import together

import slopes.ops  # noqa: F401  (fills the table)
from slopes.autodiff.pullback import pull_back
from slopes.errors import ArgumentError, DivisionError, DTypeError, ShapeError
from slopes.graph.build import build, constant, variable
from slopes.graph.dtype import NATIVE, promote
from slopes.graph.node import Operation
from slopes.graph.walk import topological
from slopes.machine.reference import evaluate
from slopes.ops.bfloat import Bits  # of one type each: tests/test_bfloat.py
from slopes.ops.elementwise import Elementwise
from slopes.ops.random import NumpyBits, threefry
from slopes.ops.special import erf

ELEMENTWISE = sorted(name for name, each in Operation.table.items() if issubclass(each, Elementwise) and not issubclass(each, Bits))
FLOATS = ("float32", "float64")
UNARY = {"negative": np.negative, "abs": np.abs, "sign": np.sign, "exp": np.exp, "expm1": np.expm1, "log": np.log,
         "log1p": np.log1p, "sqrt": np.sqrt, "sin": np.sin, "cos": np.cos, "tan": np.tan, "asin": np.arcsin, "acos": np.arccos,
         "atan": np.arctan, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "asinh": np.arcsinh, "acosh": np.arccosh,
         "atanh": np.arctanh, "floor": np.floor, "ceil": np.ceil, "trunc": np.trunc, "round": np.round, "isnan": np.isnan,
         "isinf": np.isinf, "isfinite": np.isfinite}
BINARY = {"add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide, "pow": np.power,
          "floor_divide": np.floor_divide, "remainder": np.remainder, "maximum": np.maximum, "minimum": np.minimum,
          "atan2": np.arctan2, "equal": np.equal, "not_equal": np.not_equal, "less": np.less, "less_equal": np.less_equal,
          "greater": np.greater, "greater_equal": np.greater_equal}
BITS = {"bitwise_and": np.bitwise_and, "bitwise_or": np.bitwise_or, "bitwise_xor": np.bitwise_xor}
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -1.5, 2.5, 3.0, -7.0, 1e30, math.inf, -math.inf, math.nan]


def run(name, *arrays, **params):
    """The value of an operation on arrays."""
    return evaluate([build(name, *(constant(np.asarray(each)) for each in arrays), **params)])[0]


def arity(operation):
    """How many arrays an operation without parameters takes."""
    return len(inspect.signature(operation.meaning).parameters) - 1


def gradients(function, *numbers, order=1):
    """The derivatives of a function of scalar nodes by each, at these numbers; repeated `order` times by the first."""
    inputs = [variable((), np.dtype("float64")) for _ in numbers]
    y = function(*inputs)
    for _ in range(order - 1):
        y = pull_back([y], [constant(1.0, y.dtype)], inputs)[0]
        if y is None:  # zero everywhere, and so are its derivatives
            return [None] * len(inputs)
    found = pull_back([y], [constant(1.0, y.dtype)], inputs)
    env = {each: np.float64(number) for each, number in zip(inputs, numbers)}
    return [None if each is None else float(evaluate([each], env)[0]) for each in found]


def assert_text(error, *lines):
    """The first lines of an error, exactly; its last line says where."""
    text = str(error.value).splitlines()
    assert [line.strip() for line in text[:-1]] == list(lines)
    assert re.fullmatch(r"at test_elementwise\.py:\d+", text[-1].strip())


# ------------------------------------------------------------------------------------------------------------ meaning


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", sorted(UNARY))
def test_functions_of_one_number_are_numpys(name, dtype):
    x = np.array(SPECIAL, dtype)
    with np.errstate(all="ignore"):
        expected = UNARY[name](x)
    np.testing.assert_array_equal(run(name, x), expected, strict=True)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", sorted(BINARY))
def test_functions_of_two_numbers_are_numpys(name, dtype):
    x, y = (each.astype(dtype) for each in np.meshgrid(SPECIAL, SPECIAL))
    with np.errstate(all="ignore"):
        expected = BINARY[name](x, y)
    np.testing.assert_array_equal(run(name, x, y), expected, strict=True)


@pytest.mark.parametrize("name", sorted(set(BINARY | BITS) - {"divide", "atan2"}))
@together("dtype", [each.name for each in NATIVE if each.kind in "iu"])
def test_whole_numbers_are_numpys(name, dtype):
    x, y = np.array([0, 1, 5, 100, 7], dtype), np.array([3, 1, 2, 2, 7], dtype)
    np.testing.assert_array_equal(run(name, x, y), (BINARY | BITS)[name](x, y), strict=True)


def test_shifts_lose_bits_and_keep_the_sign():
    x, y = np.array([1, -1, 3, -128], "int8"), np.array([3, 1, 9, 20], "int8")
    np.testing.assert_array_equal(run("bitwise_left_shift", x, y), np.array([8, -2, 0, 0], "int8"), strict=True)
    np.testing.assert_array_equal(run("bitwise_right_shift", x, y), np.array([0, -1, 0, -1], "int8"), strict=True)


def test_bits_of_bool_are_logic():
    a, b = np.array([True, True, False, False]), np.array([True, False, True, False])
    for name in BITS:
        np.testing.assert_array_equal(run(name, a, b), BITS[name](a, b), strict=True)
    np.testing.assert_array_equal(run("bitwise_invert", a), ~a, strict=True)
    np.testing.assert_array_equal(run("bitwise_invert", np.array([0, 5], "uint8")), np.array([255, 250], "uint8"), strict=True)


def test_where_casts_and_identities():
    x = np.array([1.5, -2.5, 0.0], "float32")
    np.testing.assert_array_equal(run("where", x > 0, x, np.float32(9)), np.array([1.5, 9, 9], "float32"), strict=True)
    np.testing.assert_array_equal(run("cast", x, dtype="int32"), np.array([1, -2, 0], "int32"), strict=True)
    np.testing.assert_array_equal(run("cast", x, dtype="bool"), np.array([True, True, False]), strict=True)
    for name, params in (("alias", {"tag": 3}), ("stop_gradient", {})):
        np.testing.assert_array_equal(run(name, x, **params), x, strict=True)


def test_rsqrt_keeps_its_type():
    x = np.array([4.0, 0.25, 0.0, np.inf], "float32")
    np.testing.assert_array_equal(run("rsqrt", x), np.array([0.5, 2.0, np.inf, 0.0], "float32"), strict=True)


def test_erf_is_good_to_the_last_digits():
    x = np.concatenate([np.linspace(-7, 7, 20001), [0.0, -0.0, 1e-300, -1e-20, math.inf, -math.inf]])
    expected = np.array([math.erf(each) for each in x])
    with np.errstate(all="ignore"):
        found = erf(np, x)
    np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))
    np.testing.assert_allclose(found, expected, rtol=5e-16, atol=0)
    assert np.isnan(run("erf", np.array(np.nan)))
    assert run("erf", np.array([0.5], "float32")).dtype == np.float32


def test_whole_powers_with_negative_exponents_keep_the_whole_part():
    x, y = np.array([1, -1, -1, 2, -3, 0]), np.array([-5, -3, -4, -1, -2, -1])
    np.testing.assert_array_equal(run("pow", x, y), [1, -1, 1, 0, 0, 0])


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_numbers_run_eagerly(dtype):
    x = np.array([1 + 2j, -0.5j, 3], dtype)
    for name in ("add", "subtract", "multiply", "divide"):
        np.testing.assert_array_equal(run(name, x, x + 1), BINARY[name](x, x + 1), strict=True)
    for name in ("exp", "log", "sqrt", "sin", "tanh", "abs", "negative", "isfinite"):
        np.testing.assert_array_equal(run(name, x), UNARY[name](x), strict=True)


# ------------------------------------------------------------------------------------------------------------ random bits


@pytest.mark.parametrize("counter, key, expected", [
    ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
])
def test_threefry_gives_the_published_words(counter, key, expected):
    """Known answers of Random123 for threefry2x32 with 20 rounds."""
    words = [tuple(np.array([each], "uint32") for each in pair) for pair in (key, counter)]
    assert tuple(int(each[0]) for each in threefry(NumpyBits(np), *words)) == expected


def test_random_bits_are_the_first_word_of_counter_and_zero():
    zero, counters = np.uint32(0), np.arange(1000, dtype="uint32")
    bits = run("random_bits", zero, zero, counters)
    assert bits.dtype == np.uint32
    assert bits[0] == 0x6B200159
    words = threefry(NumpyBits(np), (zero[None], zero[None]), (counters, np.zeros_like(counters)))
    np.testing.assert_array_equal(bits, words[0])
    assert abs(np.unpackbits(bits.view("uint8")).mean() - 0.5) < 0.01
    assert len(set(bits.tolist())) == 1000


def test_random_bits_refuse_other_types():
    with pytest.raises(DTypeError) as error:
        run("random_bits", np.uint32(1), np.uint32(1), np.int64(0))
    assert_text(error, "random_bits: key and counter are uint32, uint32, int64", "all three must be uint32",
                "cast: x.astype('uint32')")


# ------------------------------------------------------------------------------------------------------------ types and shapes


@pytest.mark.parametrize("a", [each.name for each in NATIVE])
@together("b", [each.name for each in NATIVE])
def test_arguments_meet_in_the_promoted_type(a, b):
    x, y = variable((2,), np.dtype(a)), variable((2,), np.dtype(b))
    if {"uint64"} & {a, b} and {x.dtype.kind, y.dtype.kind} == {"i", "u"}:
        with pytest.raises(DTypeError, match="have no common type"):
            build("multiply", x, y)
    elif a == b == "bool":
        with pytest.raises(DTypeError, match="multiply has no meaning for bool"):
            build("multiply", x, y)
    else:
        node = build("multiply", x, y)
        assert node.dtype == promote(x.dtype, y.dtype) == node.args[0].dtype == node.args[1].dtype
        assert build("less", x, y).dtype == np.bool_
        expected = node.dtype if node.dtype.kind == "f" else np.dtype("float32")
        assert build("divide", x, y).dtype == expected


@pytest.mark.parametrize("types, expected", [
    (("float32", "float64"), "float64"), (("int64", "float32"), "float32"), (("int8", "uint8"), "int16"),
    (("bool", "int32"), "int32"), (("uint8", "uint32"), "uint32"), (("int64", "complex64"), "complex64"),
    (("float64", "complex64"), "complex128"),
])
def test_promotion_table(types, expected):
    assert build("add", *(variable((), np.dtype(each)) for each in types)).dtype == expected


@pytest.mark.parametrize("dtype, number, expected", [
    ("float32", 2, "float32"), ("float32", 2.5, "float32"), ("float64", 2.5, "float64"), ("int8", 3, "int8"),
    ("int8", 2.5, "float32"), ("bool", 2, "int64"), ("float32", 1j, "complex64"),
])
def test_python_numbers_take_the_type_beside_them(dtype, number, expected):
    x = variable((2,), np.dtype(dtype))
    assert (x * number).dtype == expected
    assert (number * x).dtype == expected


@pytest.mark.parametrize("name", ["exp", "log", "sin", "erf", "sqrt", "tanh", "rsqrt"])
def test_float_functions_of_whole_numbers_give_float32(name):
    assert run(name, np.array([1, 2, 3])).dtype == np.float32
    assert run(name, np.array([True])).dtype == np.float32


@pytest.mark.parametrize("name", ["floor", "ceil", "trunc", "round"])
def test_whole_numbers_are_their_own_rounding(name):
    x = variable((3,), np.dtype("int16"))
    assert build(name, x) is x


def test_needless_casts_are_not_built():
    x = variable((3,), np.dtype("float32"))
    assert build("cast", x, dtype="float32") is x
    assert build("cast", x, dtype=float) is x
    assert build("cast", x, dtype="float64") is build("cast", x, dtype=np.float64)


def test_broadcasting_is_a_node_of_its_own():
    x, y = variable((3, 1), np.dtype("float32")), variable((4,), np.dtype("int32"))
    node = build("add", x, y)
    assert node.shape == (3, 4)
    assert [each.op.name for each in node.args] == ["expand", "expand"]
    assert node is build("add", x, y)
    assert "cast" in [each.op.name for each in topological([node])]


# ------------------------------------------------------------------------------------------------------------ errors


def test_text_of_bits_of_floats():
    with pytest.raises(DTypeError) as error:
        build("bitwise_and", variable((2,), np.dtype("float32")), variable((2,), np.dtype("float32")))
    assert_text(error, "bitwise_and has no meaning for float32", "it is defined for bool, signed integers, unsigned integers",
                "cast first: x.astype('int64')")


def test_text_of_arithmetic_on_conditions():
    with pytest.raises(DTypeError) as error:
        build("add", variable((2,), np.dtype("bool")), variable((2,), np.dtype("bool")))
    assert_text(error, "add has no meaning for bool",
                "it is defined for signed integers, unsigned integers, floats, complex numbers",
                "combine conditions with &, | and ~, or count them as numbers: x.astype('int64')")


def test_text_of_ordering_complex_numbers():
    with pytest.raises(DTypeError) as error:
        build("less", variable((2,), np.dtype("complex64")), 1.0)
    assert_text(error, "less has no meaning for complex64", "it is defined for bool, signed integers, unsigned integers, floats",
                "complex numbers have no order and no whole part: take the absolute value first")


def test_text_of_a_condition_that_is_a_number():
    x = variable((2,), np.dtype("float32"))
    with pytest.raises(DTypeError) as error:
        build("where", x, x, x)
    assert_text(error, "where: the condition is float32, not bool", "a number says neither yes nor no",
                "write the question: where(x != 0, ...)")


def test_text_of_a_division_by_zero():
    with pytest.raises(DivisionError) as error:
        run("floor_divide", np.array([1, 2, 3]), np.array([1, 0, 0]))
    assert_text(error, "floor_divide: 2 of 3 integer divisors are 0", "int64 has no value for a division by zero",
                "replace zeros with where(y == 0, 1, y), or cast to a float type, which has inf and NaN")
    with pytest.raises(ZeroDivisionError):
        run("remainder", np.array(5), np.array(0))


def test_text_of_a_negative_whole_power():
    with pytest.raises(ArgumentError) as error:
        build("pow", variable((2,), np.dtype("int32")), -1)
    assert_text(error, "pow: a tensor of int32 to the power -1 is no whole number",
                "cast to a float type first: x.astype('float32')")


def test_text_of_a_lost_imaginary_part():
    with pytest.raises(DTypeError) as error:
        build("cast", variable((2,), np.dtype("complex64")), dtype="float32")
    assert_text(error, "cast: complex64 does not become float32", "the imaginary part would be lost silently",
                "take its real part or its absolute value: sl.real(x), sl.abs(x)")


def test_shapes_that_do_not_broadcast_name_the_operation():
    with pytest.raises(ShapeError, match=r"add: shapes \(3,\) and \(4,\) do not broadcast on axis -1"):
        build("add", variable((3,), np.dtype("float32")), variable((4,), np.dtype("float32")))


# ------------------------------------------------------------------------------------------------------------ derivatives


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, -1, 0.5, -0.5, 2.5, 4, 7])
@pytest.mark.parametrize("x", [0.7, 2.0])
def test_powers_with_constant_exponents_differentiate_three_times(exponent, x):
    factor = 1.0
    for order in (1, 2, 3):
        factor *= exponent - order + 1
        found = gradients(lambda x: x**exponent, x, order=order)[0]
        assert (found or 0.0) == pytest.approx(factor * x ** (exponent - order), rel=1e-12)


def test_powers_at_zero():
    assert gradients(lambda x, y: build("pow", x, y), 0.0, 2.0) == [0.0, 0.0]
    assert gradients(lambda x, y: build("pow", x, y), 0.0, 0.0) == [0.0, 0.0]
    assert gradients(lambda x, y: build("pow", x, y), 0.0, 1.0) == [1.0, 0.0]
    assert gradients(lambda x, y: build("pow", x, y), 0.0, -1.0) == [-math.inf, 0.0]
    assert gradients(lambda x: x**2, 0.0) == [0.0]
    assert gradients(lambda x: x**2.5, 0.0) == [0.0]
    assert gradients(lambda x: x**2.5, 0.0, order=2) == [0.0]


def test_powers_of_negative_numbers():
    assert gradients(lambda x, y: build("pow", x, y), -2.0, 3.0) == [12.0, 0.0]
    by_x, by_y = gradients(lambda x, y: build("pow", x, y), 2.0, 3.0)
    assert (by_x, by_y) == (12.0, pytest.approx(8 * math.log(2)))


def test_small_powers_are_products():
    x = variable((2,), np.dtype("float32"))
    assert x**1 is x
    assert x**2 is x * x
    assert x**3 is x * x * x
    assert x**-1 is 1 / x
    assert (x**0).op.name == "expand"
    assert (x**5).op.name == "pow"
    assert (variable((2,), np.dtype("int32")) ** 0.5).dtype == "float32"


def test_ties_share_and_corners_are_flat():
    assert gradients(lambda x, y: build("maximum", x, y), 1.0, 1.0) == [0.5, 0.5]
    assert gradients(lambda x, y: build("minimum", x, y), 1.0, 1.0) == [0.5, 0.5]
    assert gradients(lambda x, y: build("maximum", x, y), 1.0, 2.0) == [0.0, 1.0]
    assert gradients(lambda x, y: build("minimum", x, y), 1.0, 2.0) == [1.0, 0.0]
    assert gradients(abs, 0.0) == [0.0]
    assert gradients(abs, -3.0) == [-1.0]
    assert gradients(lambda y, x: build("atan2", y, x), 0.0, 0.0) == [0.0, 0.0]


def test_steps_and_stopped_values_have_no_gradient():
    for name in ("sign", "floor", "ceil", "trunc", "round", "stop_gradient"):
        assert gradients(lambda x, name=name: build(name, x), 1.5) == [None]
    assert gradients(lambda x: x * build("stop_gradient", x), 3.0) == [3.0]
    assert gradients(lambda x: x * build("alias", x, tag=1), 3.0) == [6.0]


def test_where_keeps_the_other_side_out():
    """A NaN of the side not chosen does not reach the gradient."""
    assert gradients(lambda x, y: build("where", x > 0, x, y), 1.0, math.nan) == [1.0, 0.0]


def test_casts_carry_gradients_between_floats_only():
    def through(dtype):
        return lambda x: build("cast", build("cast", x, dtype=dtype) * 3, dtype="float64")

    assert gradients(through("float32"), 2.0) == [3.0]
    assert gradients(through("int32"), 2.0) == [None]


@pytest.mark.parametrize("name", [each for each in ELEMENTWISE if "f" in Operation.table[each].accepts
                                  and Operation.table[each].result == "same" and each not in ("where", "cast", "alias")])
def test_first_and_second_derivatives_are_the_slopes(name):
    """Against central differences of the value, and of the first derivative."""
    operation = Operation.table[name]
    count = arity(operation)
    domains = operation.domain if isinstance(operation.domain[0], tuple) else (operation.domain,) * count
    at = [low + (high - low) * part for (low, high), part in zip(domains, (0.637, 0.411))]
    if name in ("floor_divide", "floor", "ceil", "trunc", "round", "sign", "stop_gradient"):
        assert gradients(lambda *xs: build(name, *xs), *at) == [None] * count
        return
    assert_slope(lambda *xs: build(name, *xs), at)
    for i in range(count):
        if name not in ("abs", "nextafter", "remainder", "maximum", "minimum", "negative", "add", "subtract"):
            assert_slope(lambda *xs, i=i: derivative(name, xs, i), at)


def derivative(name, xs, i):
    y = build(name, *xs)
    return pull_back([y], [constant(1.0, y.dtype)], list(xs))[i]


def assert_slope(function, at, step=1e-5):
    found = gradients(function, *at)
    for i, slope in enumerate(found):
        inputs = [variable((), np.dtype("float64")) for _ in at]
        node = function(*inputs)
        values = []
        for sign in (1, -1):
            moved = [each + sign * step * (i == j) for j, each in enumerate(at)]
            values.append(float(evaluate([node], dict(zip(inputs, map(np.float64, moved))))[0]))
        difference = (values[0] - values[1]) / (2 * step)
        assert (0.0 if slope is None else slope) == pytest.approx(difference, rel=1e-6, abs=1e-8)
