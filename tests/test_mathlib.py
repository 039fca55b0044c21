"""The native mathematical functions keep their stated error bounds, their special values, and call nothing."""

from __future__ import annotations

import ctypes
import math
import re
import zlib

import llvmlite.binding as llvm
import numpy as np
import pytest

from slopes.loops import memory
from slopes.loops.builder import MATH, Builder
from slopes.loops.mathlib import ERROR_BOUNDS
from slopes.loops.values import INT64, Value

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
        memory.store(b, b.math(name, *(memory.load(b, pointer, dtype, i, lanes) for pointer in pointers)), "%y", i)
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
    return x


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
    y, expected = Native(name, dtype)(x), exact(name, x).astype(dtype)
    plain = np.isfinite(expected) & (expected != 0)
    assert_same(y[~plain], expected[~plain], x[~plain])
    np.testing.assert_allclose(y[plain], expected[plain], rtol=4 * np.finfo(dtype).eps)


# sin of the number, from 400-digit arithmetic. The fourth is the float64 that comes closest to a multiple of pi / 2.
FAR_SINES = [
    (2.0**49, 0.25681130751920698446),
    (2.0**50, 0.49639651520894084088),
    (1e22, -0.85220084976718880177),
    (6381956970095103 * 2.0**797, 1.0),
    (1e300, -0.81788191211590859705),
    (float(np.finfo("f8").max), 0.0049619547891840617905),
    (float(np.float32(1e30)), -0.7911634385219836678),
    (float(np.finfo("f4").max), -0.52187652333365854055),
]


@pytest.mark.parametrize("x, sine", FAR_SINES)
def test_angles_of_any_size(x, sine):
    for sign in (1, -1):
        for dtype in ("float32", "float64"):
            if dtype == "float64" or (abs(x) < 2.0**128 and float(np.float32(x)) == x):
                found = Native("sin", dtype)(np.array([0.5, sign * x, 1.0], dtype))
                expected = np.array([math.sin(0.5), sign * sine, math.sin(1.0)])
                np.testing.assert_allclose(found, expected, rtol=2 * np.finfo(dtype).eps)


def test_an_angle_beside_a_multiple_of_a_quarter_turn_keeps_all_digits():
    x = np.array([6381956970095103 * 2.0**797])
    np.testing.assert_allclose(Native("cos", "float64")(x), -4.6871659242546276111e-19, rtol=3e-16)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_angles_beyond_the_usual_path_stay_within_their_bound(name, dtype):
    random = random_for("far", name, dtype)
    info = np.finfo(dtype)
    x = (random.uniform(1, 2, 500) * np.exp2(random.uniform(46, info.maxexp - 1, 500)) * random.choice([-1, 1], 500)).astype(dtype)
    reference = np.array([far_circular(name, each) for each in x.tolist()], np.longdouble)
    assert_within(ERROR_BOUNDS[name, dtype], Native(name, dtype)(x), reference, x)


def far_circular(name: str, x: float) -> np.longdouble:
    """sin, cos or tan of what is left of x after whole quarter turns, taken away in whole numbers."""
    quarter = quarter_turn(2200)  # pi / 2 in 2200 bits behind the point
    numerator, denominator = x.as_integer_ratio()
    scaled = (numerator << 2200) // denominator
    count = (2 * scaled + quarter) // (2 * quarter)
    rest = np.ldexp(np.longdouble((scaled - count * quarter) >> 2000), -200)
    sine, cosine = np.sin(rest), np.cos(rest)
    sine, cosine = [(sine, cosine), (cosine, -sine), (-sine, -cosine), (-cosine, sine)][count % 4]
    return {"sin": sine, "cos": cosine, "tan": sine / cosine}[name]


def quarter_turn(bits: int) -> int:
    """pi / 2 as a whole number of 2^-bits, by Machin's formula: pi / 4 = 4 atan(1/5) - atan(1/239)."""
    one = 1 << (bits + 32)

    def inverse_tangent(n: int) -> int:
        total = term = one // n
        for k in range(3, 4 * bits, 2):
            term = -(term // (n * n))
            total += term // k
            if abs(term) <= 1:
                return total
        return total

    return (2 * (4 * inverse_tangent(5) - inverse_tangent(239))) >> 32


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
    x, y = (grid.ravel().astype(dtype) for grid in np.meshgrid(SPECIAL, SPECIAL))
    with np.errstate(all="ignore"):
        expected = getattr(np, NUMPY_NAMES.get(name, name))(x, y)
    found = Native(name, dtype)(x, y)
    close = np.isclose(found, expected, rtol=4 * np.finfo(dtype).eps, atol=0) & (expected != 0) & (name in ("pow", "atan2"))
    assert_same(np.where(close, expected, found), expected, x, y)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["remainder", "floor_divide"])
def test_float_division_with_rest_is_numpys_to_the_bit(name, dtype):
    function, info = Native(name, dtype), np.finfo(dtype)
    ends = np.array([info.max, info.tiny, info.smallest_subnormal, 3 * info.smallest_subnormal, 1 + info.eps, 1.5])
    for x, y in [*pairs(name, dtype), (np.repeat(ends, 6), np.tile(ends, 6))]:
        x, y = x.astype(dtype), y.astype(dtype)
        with np.errstate(all="ignore"):
            expected = getattr(np, name)(x, y)
        assert_same(function(x, y), expected, x, y)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_erf_is_one_where_it_rounds_to_one(dtype):
    x = np.array([4.0 if dtype == "float32" else 6.0, 10.0, 1e4, 1e20, math.inf], dtype)
    assert_same(Native("erf", dtype)(np.concatenate([x, -x])), np.repeat(np.array([1, -1], dtype), 5))


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
    """No call into a C library: what is called is in the code itself, so that it can be exported."""
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
            called = re.findall(r"^\s+(?:callq?|bl|jmp)\s+([A-Za-z_]\w*)", code, re.MULTILINE)
            assert all(re.search(rf"^{each}:", code, re.MULTILINE) for each in called), (name, dtype, lanes, called)
