"""The native mathematical functions keep their stated error bounds, their special values, and call nothing."""

from __future__ import annotations

import ctypes
import math
import re
import zlib

import llvmlite.binding as llvm
import numpy as np
import pytest

from slopes.loops.builder import INT64, MATH, Builder, Value
from slopes.loops.mathlib import ERROR_BOUNDS, LARGEST_ANGLE

llvm.initialize_native_target()
llvm.initialize_native_asmprinter()

TWO_ARGUMENTS = {"pow", "atan2", "remainder", "floor_divide"}
NUMPY_NAMES = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh",
               "atan2": "arctan2", "pow": "power"}
EXTENDED = np.finfo(np.longdouble).nmant >= 63
COUNT = 20_000

# Where each function is tried, besides everywhere: intervals of its argument.
INTERVALS = {
    "exp": [(-110, 90), (-1, 1), (-750, 710)], "expm1": [(-20, 90), (-1, 1), (-1e-3, 1e-3), (-50, 711)],
    "log": [(0, 2), (0.5, 1.5), (0, 1e5)], "log1p": [(-1, 1), (-0.99, 10), (-1e-3, 1e-3)],
    "sin": [(-10, 10), (-1e3, 1e3), (-1e5, 1e5)], "cos": [(-10, 10), (-1e3, 1e3), (-1e5, 1e5)],
    "tan": [(-10, 10), (-1e3, 1e3), (-1e5, 1e5)], "asin": [(-1, 1), (0.45, 0.6)], "acos": [(-1, 1), (-0.6, -0.4)],
    "atan": [(-3, 3), (-50, 50)], "sinh": [(-90, 90), (-1.5, 1.5), (-711, 711)], "cosh": [(-90, 90), (-5, 5), (-711, 711)],
    "tanh": [(-10, 10), (-0.7, 0.7), (-22, 22)], "asinh": [(-3, 3), (-100, 100)], "acosh": [(1, 3), (1, 1.1), (1, 1e4)],
    "atanh": [(-1, 1), (-0.3, 0.3)], "erf": [(-4, 4), (-1.1, 1.1), (0.9, 1.1), (-6.5, 6.5)], "rsqrt": [(0, 10)],
}
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 2.5, -2.5, 1e30, -1e30, 1e-30, math.inf, -math.inf, math.nan]


# ------------------------------------------------------------------------------------------------------------ compiling


def assembly_text(name: str, dtype: np.dtype, lanes: int) -> str:
    """The LLVM code of f(n, x, [second x,] y, error): y[i] = name(x[i], ...) for vectors of `lanes`."""
    b = Builder(lanes)
    pointers = ["%x0", "%x1"][: 2 if name in TWO_ARGUMENTS else 1]
    with b.loop(b.whole(0), Value("%n", INT64), lanes) as i:
        b.store(b.math(name, *(b.load(pointer, dtype, i, lanes) for pointer in pointers)), "%y", i)
    arguments = ", ".join(f"ptr noalias {pointer}" for pointer in [*pointers, "%y"])
    return "\n".join([*sorted(b.declarations), b.function(f"define void @f(i64 %n, {arguments}, ptr %error)")])


def optimized(text: str, machine: llvm.TargetMachine) -> llvm.ModuleRef:
    module = llvm.parse_assembly(text)
    module.verify()
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=3))
    builder.getModulePassManager().run(module, builder)
    return module


class Native:
    """A compiled function of arrays."""

    def __init__(self, name: str, dtype: str, lanes: int = 8) -> None:
        self.dtype, self.lanes = np.dtype(dtype), lanes
        machine = llvm.Target.from_default_triple().create_target_machine(
            cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3)
        self.engine = llvm.create_mcjit_compiler(optimized(assembly_text(name, self.dtype, lanes), machine), machine)
        self.engine.finalize_object()
        self.pointers = 4 if name in TWO_ARGUMENTS else 3
        signature = ctypes.CFUNCTYPE(None, ctypes.c_int64, *[ctypes.c_void_p] * self.pointers)
        self.function = signature(self.engine.get_function_address("f"))

    def __call__(self, *xs: np.ndarray) -> np.ndarray:
        size = -(-xs[0].size // self.lanes) * self.lanes
        arrays = [np.ones(size, self.dtype) for _ in range(self.pointers)]  # the last two: result, error code
        for array, x in zip(arrays, xs):
            array[: x.size] = x
        self.function(size, *(array.ctypes.data for array in arrays))
        return arrays[-2][: xs[0].size]


# ------------------------------------------------------------------------------------------------------------ measuring


def random_for(*key: object) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr(key).encode()))


def any_floats(random: np.random.Generator, dtype: str, count: int = COUNT) -> np.ndarray:
    """Numbers of every size, denormal, infinite and NaN ones among them: random bits."""
    x = random.integers(0, 256, count * np.dtype(dtype).itemsize, dtype=np.uint8).view(dtype)
    return np.where(np.isnan(x), np.array(np.nan, dtype), x)  # a signalling NaN would warn


def arguments_of(name: str, dtype: str) -> np.ndarray:
    random = random_for(name, dtype)
    parts = [random.uniform(low, high, COUNT).astype(dtype) for low, high in INTERVALS[name]]
    large = np.exp(random.uniform(-18, 18 if dtype == "float32" else 32, COUNT)) * random.choice([-1, 1], COUNT)
    x = np.concatenate([*parts, large.astype(dtype), any_floats(random, dtype)])
    return x[~(np.abs(x) > LARGEST_ANGLE)] if name in ("sin", "cos", "tan") else x


def exact(name: str, *xs: np.ndarray) -> np.ndarray:
    """The value in a wider type: float64 for float32, the processor's extended type for float64."""
    wide = [x.astype("float64" if x.dtype == np.float32 else np.longdouble) for x in xs]
    with np.errstate(all="ignore"):
        if name == "rsqrt":
            return 1 / np.sqrt(wide[0])
        if name == "erf":
            return exact_erf(wide[0])
        return getattr(np, NUMPY_NAMES.get(name, name))(*wide)


def exact_erf(x: np.ndarray) -> np.ndarray:
    """2 / sqrt(pi) exp(-x^2) times the sum of x (2 x^2)^n / (1 3 5 ... (2n + 1)): every term has one sign."""
    near = np.clip(x, -7, 7)
    term = total = near.astype(np.longdouble)
    for n in range(1, 240):
        term = term * (2 * near * near) / (2 * n + 1)
        total = total + term
    pi = np.longdouble("3.14159265358979323846264338327950288")
    return total * np.exp(-(near * near).astype(np.longdouble)) * 2 / np.sqrt(pi)


def errors_in_ulp(y: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """How many units in the last place (of the exact value) y is off; infinite where special values differ."""
    info = np.finfo(y.dtype)
    with np.errstate(all="ignore"):
        rounded = reference.astype(y.dtype)
        same = (rounded == y) | (np.isnan(rounded) & np.isnan(y))
        _, exponent = np.frexp(reference)
        ulp = np.ldexp(np.longdouble(1), np.maximum(exponent - 1, info.minexp) - info.nmant)
        return np.where(np.isfinite(y) & np.isfinite(rounded), np.abs(y - reference) / ulp, np.where(same, 0, np.inf))


def assert_within(bound: float, y: np.ndarray, reference: np.ndarray, *xs: np.ndarray) -> None:
    errors = errors_in_ulp(y, reference)
    worst = int(np.argmax(errors))
    at = [x[worst] for x in xs]
    assert errors[worst] <= bound, f"{errors[worst]:.2f} ulp at {at}: {y[worst]!r}, exactly {reference[worst]!r}"


def assert_same(y: np.ndarray, expected: np.ndarray, *xs: np.ndarray) -> None:
    """Equal bits, but for the bits of NaN."""
    same = ((y == expected) & (np.signbit(y) == np.signbit(expected))) | (np.isnan(y) & np.isnan(expected))
    assert same.all(), [(*(x[i] for x in xs), y[i], expected[i]) for i in np.flatnonzero(~same)[:5]]


needs_extended = pytest.mark.skipif(not EXTENDED, reason="this processor has no type wider than float64 to compare with")
DTYPES = ["float32", pytest.param("float64", marks=needs_extended)]


# ------------------------------------------------------------------------------------------------------------ tests


def test_every_function_states_its_bound():
    """remainder and floor_divide are exact, so they have no bound but tests of their own."""
    assert {name for name, _ in ERROR_BOUNDS} | {"remainder", "floor_divide"} == set(MATH)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", sorted(INTERVALS))
def test_error_stays_within_its_bound(name, dtype):
    x = arguments_of(name, dtype)
    assert_within(ERROR_BOUNDS[name, dtype], Native(name, dtype)(x), exact(name, x), x)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", sorted(INTERVALS))
def test_special_values_are_numpys(name, dtype):
    """Zero and its sign, inf and NaN exactly; other numbers within the bound."""
    x = np.array(SPECIAL, dtype)
    if name in ("sin", "cos", "tan"):
        x = x[~((np.abs(x) > LARGEST_ANGLE) & np.isfinite(x))]
    y, expected = Native(name, dtype)(x), exact(name, x).astype(dtype)
    plain = np.isfinite(expected) & (expected != 0)
    assert_same(y[~plain], expected[~plain], x[~plain])
    np.testing.assert_allclose(y[plain], expected[plain], rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_angles_beyond_the_limit_stay_finite(name, dtype):
    x = np.array([2.0**49, 2.0**50, 1e30, -1e30, np.finfo(dtype).max], dtype)
    y = Native(name, dtype)(x)
    expected = [y[0], y[0], y[0], y[0] if name == "cos" else -y[0], y[0]]
    assert_same(y, np.array(expected, dtype), x)


@pytest.mark.parametrize("name", ["exp", "log", "tanh", "sin"])
def test_known_values(name):
    """Digits from the tables, not from another library."""
    known = {"exp": (1.0, "2.718281828459045"), "log": (10.0, "2.302585092994046"), "tanh": (0.5, "0.46211715726000975"),
             "sin": (1.0, "0.8414709848078965")}
    x, digits = known[name]
    assert abs(Native(name, "float64")(np.array([x]))[0] - float(digits)) <= 2 * np.spacing(float(digits))
    assert abs(Native(name, "float32")(np.array([x], "f4"))[0] - np.float32(digits)) <= 2 * np.spacing(np.float32(digits))


def pairs(name: str, dtype: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Arguments of functions of two numbers: moderate, near 1 with large second, whole, of every size."""
    random = random_for(name, dtype)
    every = any_floats(random, dtype)
    limit = 88.0 if dtype == "float32" else 709.0
    with np.errstate(all="ignore"):
        full = random.uniform(-1, 1, COUNT) * limit / np.log(np.abs(every).astype("float64"))
    found = [(random.uniform(0, 4, COUNT), random.uniform(-5, 5, COUNT)),
             (1 + random.uniform(-1e-3, 1e-3, COUNT), random.uniform(-2e4, 2e4, COUNT)),
             (random.uniform(-10, 10, COUNT), random.integers(-20, 20, COUNT)),
             (every, any_floats(random, dtype)), (every, random.uniform(-3, 3, COUNT)), (np.abs(every), full)]
    with np.errstate(all="ignore"):
        return [(x.astype(dtype), y.astype(dtype)) for x, y in found]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["pow", "atan2"])
def test_error_of_two_arguments_stays_within_its_bound(name, dtype):
    function = Native(name, dtype)
    for x, y in pairs(name, dtype):
        wide = "float64" if name == "atan2" and dtype == "float32" else np.longdouble
        with np.errstate(all="ignore"):
            reference = getattr(np, NUMPY_NAMES[name])(x.astype(wide), y.astype(wide))
        assert_within(ERROR_BOUNDS[name, dtype], function(x, y), reference, x, y)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["pow", "atan2", "remainder", "floor_divide"])
def test_special_pairs_are_numpys(name, dtype):
    """Zeros, infinities, NaN, negative bases with whole, odd and fractional exponents."""
    numbers = [each for each in SPECIAL if abs(each) != 1e30 and each != 1e-30] if name == "remainder" else SPECIAL
    x, y = (grid.ravel().astype(dtype) for grid in np.meshgrid(numbers, numbers))
    with np.errstate(all="ignore"):
        expected = getattr(np, NUMPY_NAMES.get(name, name))(x, y)
    found = Native(name, dtype)(x, y)
    close = np.isclose(found, expected, rtol=4 * np.finfo(dtype).eps, atol=0) & (expected != 0) & (name in ("pow", "atan2"))
    assert_same(np.where(close, expected, found), expected, x, y)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["remainder", "floor_divide"])
def test_float_division_with_rest_is_numpys_to_the_bit(name, dtype):
    function, limit = Native(name, dtype), 2.0 ** (70 if dtype == "float32" else 155)
    for x, y in pairs(name, dtype):
        with np.errstate(all="ignore"):
            usable = ~(np.abs(x.astype("float64") / y) >= limit) | ~np.isfinite(x) | (y == 0)
            expected = getattr(np, name)(x, y)
        assert_same(function(x, y)[usable], expected[usable], x[usable], y[usable])


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
def test_whole_powers_wrap_like_numpys(dtype):
    random = random_for("pow", dtype)
    low = -9 if dtype.startswith("i") else 0
    x, y = random.integers(low, 10, COUNT).astype(dtype), random.integers(0, 120, COUNT).astype(dtype)
    np.testing.assert_array_equal(Native("pow", dtype)(x, y), np.power(x, y))


def test_negative_whole_powers_keep_the_whole_part():
    x = np.array([1, -1, -1, 2, -3, 0, 5], "int64")
    y = np.array([-5, -3, -4, -1, -2, -1, 0], "int64")
    np.testing.assert_array_equal(Native("pow", "int64")(x, y), [1, -1, 1, 0, 0, 0, 1])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", sorted(MATH))
def test_scalars_and_vectors_give_the_same_bits(name, dtype):
    """The last, partial vector of an array is done one by one: a result must not depend on where its element stands."""
    if name in TWO_ARGUMENTS:
        xs = tuple(np.concatenate(each)[::37] for each in zip(*pairs(name, dtype)))
    else:
        xs = (arguments_of(name, dtype)[::37],)
    scalar = Native(name, dtype, lanes=1)(*xs)
    for lanes in (4, 16):
        assert_same(Native(name, dtype, lanes)(*xs), scalar, *xs)


@pytest.mark.parametrize("triple, cpu", [("x86_64-unknown-linux-gnu", "skylake-avx512"), ("x86_64-unknown-linux-gnu", "haswell"),
                                         ("aarch64-unknown-linux-gnu", "cortex-a76")])
def test_nothing_is_called_on_any_processor(triple, cpu):
    """No call into a C library: the code needs no relocation and can be exported."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    try:
        target = llvm.Target.from_triple(triple)
    except RuntimeError:
        pytest.skip(f"this LLVM does not write code for {triple}")
    machine = target.create_target_machine(cpu=cpu, opt=3)
    for name in sorted(MATH):
        for dtype, lanes in (("float32", 4), ("float64", 2), ("float32", 1)):
            text = f'target triple = "{triple}"\n' + assembly_text(name, np.dtype(dtype), lanes)
            code = machine.emit_assembly(optimized(text, machine))
            assert not re.search(r"^\s+(callq?|bl|jmp)\s+[A-Za-z_]", code, re.MULTILINE), (name, dtype, lanes)
