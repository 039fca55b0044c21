"""`python -m tests.array_api`: slopes beside array-api-strict, function by function, type by type, for version 2025.12 of the standard.

Each case calls a function of both with equal arguments: results must have equal structure, shapes, types and values (floats to their
precision). What array-api-strict refuses is no case. Cases that differ and are not listed in `REASONS` make the exit status 1.
"""

from __future__ import annotations

import inspect
import re
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import array_api_strict as strict
import numpy as np

import slopes as sl

VERSION = "2025.12"
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
FLOATS, COMPLEX = ("float32", "float64"), ("complex64", "complex128")
TYPES = ("bool", *INTEGERS, *FLOATS, *COMPLEX)
SHAPES = ((), (3,), (2, 3), (2, 1, 3), (0, 3))
TOLERANCE = {"float32": 2e-5, "complex64": 2e-5, "float64": 1e-11, "complex128": 1e-11}

NO_COMPLEX = "linear algebra is of real matrices"
REASONS = {  # patterns of "function: difference", for the cases that may differ
    r"(linalg\.\w+): DTypeError: \w+ has no meaning for complex\d+": NO_COMPLEX,
    r"(round|sign): DTypeError: \w+ has no meaning for complex\d+": "of complex numbers there is arithmetic, abs, exp, log and the like",
    r"(remainder|floor_divide): DivisionError: .* integer divisors are 0": "an error; the standard leaves it open",
    r"fft.r?fftfreq: type float32 instead of float64": "float32 is the default type",
    r"can_cast: True instead of False": "kinds promote too, which the standard leaves open",
    r"isin: values": "array-api-strict 2.6 ignores invert=True",
}


class Array(NamedTuple):
    """An argument that each namespace makes an array of."""

    values: np.ndarray


class Case(NamedTuple):
    """A call of a function."""

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def values(shape: tuple[int, ...], dtype: str, seed: int = 0) -> Array:
    """Small numbers of a type; floats with signs and fractions."""
    rng = np.random.default_rng([seed, len(shape), TYPES.index(dtype)])
    if dtype == "bool":
        return Array(rng.random(shape) < 0.5)
    if dtype in COMPLEX:
        return Array((rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(dtype))
    if dtype in FLOATS:
        return Array(rng.normal(size=shape).astype(dtype))
    return Array(rng.integers(0 if dtype[0] == "u" else -4, 6, shape).astype(dtype))


SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, 0.5, -2.5, np.inf, -np.inf, np.nan])
UNARY = """abs acos acosh asin asinh atan atanh bitwise_invert ceil conj cos cosh exp expm1 floor imag isfinite isinf isnan log log10 log1p
log2 logical_not negative positive real reciprocal round sign signbit sin sinh sqrt square tan tanh trunc""".split()
BINARY = """add atan2 bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor copysign divide equal floor_divide greater
greater_equal hypot less less_equal logaddexp logical_and logical_or logical_xor maximum minimum multiply nextafter not_equal pow remainder
subtract isin""".split()
REDUCED = "all any argmax argmin count_nonzero max mean min prod std sum var".split()


def elementwise() -> Iterator[Case]:
    """One and two arguments, arrays and numbers, broadcast, special numbers."""
    for dtype in TYPES:
        for name in UNARY:
            yield from (Case(name, (values(shape, dtype),), {}) for shape in SHAPES)
            if dtype in FLOATS:
                yield Case(name, (Array(SPECIAL.astype(dtype)),), {})
        for name in BINARY:
            yield from binary_cases(name, dtype)


def binary_cases(name: str, dtype: str) -> Iterator[Case]:
    shift = name.endswith("_shift")
    other = (lambda shape: Array(np.abs(values(shape, dtype, 1).values) % 4)) if shift and dtype in INTEGERS else (
        lambda shape: values(shape, dtype, 1))
    for shape, second in ((s, s) for s in SHAPES):
        yield Case(name, (values(shape, dtype), other(second)), {})
    yield Case(name, (values((2, 1), dtype), other((3,))), {})
    number = {"b": True, "i": 2, "u": 2, "f": 1.5, "c": 1.5}[np.dtype(dtype).kind]
    yield Case(name, (values((3,), dtype), number), {})
    yield Case(name, (number, other((3,))), {})
    if dtype in FLOATS:
        grid = np.meshgrid(SPECIAL.astype(dtype), SPECIAL.astype(dtype))
        yield Case(name, (Array(grid[0]), Array(grid[1])), {})
    for mixed in ("int16", "uint8", "int64", "float32", "float64", "complex64"):
        yield Case(name, (values((3,), dtype), values((3,), mixed, 2) if not shift else Array(np.abs(values((3,), mixed, 2).values))), {})


def reductions() -> Iterator[Case]:
    """Of all elements, along axes, with kept axes, corrections, dtypes; running sums; differences."""
    for dtype in TYPES:
        for name in REDUCED:
            for shape in SHAPES:
                yield Case(name, (values(shape, dtype),), {})
                yield from (Case(name, (values(shape, dtype),), {"axis": axis, "keepdims": keep})
                            for axis in range(-len(shape), len(shape)) for keep in (False, True))
            if not name.startswith("arg"):
                yield Case(name, (values((2, 3, 2), dtype),), {"axis": (0, 2)})
                yield Case(name, (values((2, 3, 2), dtype),), {"axis": ()})
        for name in ("std", "var"):
            yield Case(name, (values((4, 3), dtype),), {"axis": 0, "correction": 1.5})
        for name in ("sum", "prod", "cumulative_sum", "cumulative_prod"):
            for target in COMPLEX if dtype in COMPLEX else TYPES[1:]:  # what complex numbers become as real ones is not defined
                axis = {} if name in ("sum", "prod") else {"axis": 0}
                x = values((3, 2), dtype)
                x = Array(np.abs(x.values)) if target[0] == "u" else x  # so is what negative floats become as unsigned integers
                yield Case(name, (x,), {**axis, "dtype": target})
        for name in ("cumulative_sum", "cumulative_prod"):
            yield Case(name, (values((4,), dtype),), {})
            yield from (Case(name, (values((2, 3), dtype),), {"axis": axis, "include_initial": first}) for axis in (0, 1, -1)
                        for first in (False, True))
        yield from (Case("diff", (values((4, 3), dtype),), {"axis": axis, "n": n}) for axis in (0, -1) for n in (0, 1, 2))
        yield Case("diff", (values((4, 3), dtype),), {"axis": 0, "prepend": values((1, 3), dtype, 1), "append": values((2, 3), dtype, 2)})


def layouts() -> Iterator[Case]:
    """Shapes, joining, moving, repeating, indexing."""
    for dtype in TYPES:
        x, row = values((2, 3, 4), dtype), values((5,), dtype)
        for name, args, kwargs in (
                ("broadcast_to", (values((3, 1), dtype), (2, 3, 4)), {}), ("concat", ([x, x],), {"axis": 1}), ("concat", ([x, row],), {"axis": None}),
                ("expand_dims", (x,), {"axis": 1}), ("expand_dims", (x,), {"axis": -1}), ("flip", (x,), {}), ("flip", (x,), {"axis": (0, -1)}),
                ("moveaxis", (x, 0, 2), {}), ("moveaxis", (x, (0, 1), (-1, 0)), {}), ("permute_dims", (x, (2, 0, 1)), {}),
                ("repeat", (row, 2), {}), ("repeat", (x, 2), {"axis": 1}), ("repeat", (row, Array(np.array([1, 0, 2, 1, 3]))), {}),
                ("reshape", (x, (4, -1)), {}), ("reshape", (x, (24,)), {"copy": True}), ("reshape", (values((0, 3), dtype), (3, 0)), {}),
                ("roll", (x, 2), {}), ("roll", (x, -1), {"axis": 1}), ("roll", (x, (1, 2)), {"axis": (0, 2)}),
                ("squeeze", (values((2, 1, 3, 1), dtype), 1), {}), ("squeeze", (values((2, 1, 3, 1), dtype), (1, -1)), {}),
                ("stack", ([x, x],), {"axis": -1}), ("stack", ([row],), {}), ("tile", (x, (2,)), {}), ("tile", (row, (2, 3)), {}),
                ("unstack", (x,), {"axis": 1}), ("tril", (x,), {"k": 1}), ("triu", (x,), {"k": -1}), ("matrix_transpose", (x,), {}),
                ("broadcast_arrays", (values((3, 1), dtype), values((4,), dtype)), {}),
                ("meshgrid", (row, values((3,), dtype)), {}), ("meshgrid", (row, values((3,), dtype)), {"indexing": "ij"}),
                ("take", (x, Array(np.array([1, 3, 0]))), {"axis": 2}), ("take", (row, Array(np.array([4, 0]))), {}),
                ("take_along_axis", (x, Array(np.zeros((2, 1, 4), np.int64))), {"axis": 1}),
                ("nonzero", (x,), {}), ("where", (Array(x.values.real > 0), x, values((4,), dtype, 1)), {}),
                ("where", (Array(row.values.real > 0), row, 1), {}), ("where", (Array(row.values.real > 0), row, values((5,), "float64")), {}),
                ("astype", (x, "float64"), {}), ("clip", (x, 0, 2), {}), ("clip", (x, values((4,), dtype, 1)), {}),
                ("clip", (x,), {"max": 1}), ("clip", (x,), {})):
            yield Case(name, args, kwargs)
        yield from (Case("astype", (Array(np.abs(x.values)), target), {"copy": copy}) for target in TYPES for copy in (False, True))


def sorting() -> Iterator[Case]:
    """Order, search, sets."""
    for dtype in TYPES:
        x = values((4, 5), dtype)
        for name in ("sort", "argsort"):
            yield from (Case(name, (x,), {"axis": axis, "descending": down, "stable": True}) for axis in (0, -1) for down in (False, True))
        line = Array(np.sort(values((6,), dtype).values))
        for side in ("left", "right"):
            yield Case("searchsorted", (line, values((2, 3), dtype, 1)), {"side": side})
        yield Case("searchsorted", (line, 1), {})
        order = np.random.default_rng(0).permutation(6)
        yield Case("searchsorted", (Array(line.values[np.argsort(order)]), values((3,), dtype, 1)), {"sorter": Array(order)})
        yield from (Case(name, (x,), {}) for name in ("unique_all", "unique_counts", "unique_inverse", "unique_values"))
        yield Case("isin", (x, values((3,), dtype, 1)), {"invert": True})


def creation() -> Iterator[Case]:
    """Filled arrays, ranges, diagonals."""
    for dtype in TYPES:
        given = {"dtype": dtype}
        for shape in (*SHAPES, 3):
            yield from (Case(name, (shape,), given) for name in ("zeros", "ones"))
            yield Case("full", (shape, 1), given)
        kind = "biufc".index(np.dtype(dtype).kind)
        for least, number in enumerate((True, 2, 2, 1.5, 1 + 2j)):
            yield from (Case("full", ((2,), number), given) for _ in range(least <= kind))
        for args in ((5,), (1, 5), (5, 1, -2), (0.5, 3), (1, 2, 0.25)):
            yield Case("arange", args, given)
        for endpoint in (True, False):
            yield Case("linspace", (0, 4, 5), {**given, "endpoint": endpoint})
        for args, k in (((3,), 0), ((2, 4), 1), ((3, 2), -1)):
            yield Case("eye", args, {"k": k, **given})
        yield Case("asarray", ([[1, 0], [0, 1]],), given)
        for target in ({}, {"dtype": "float64"}, {"dtype": "int8"}):
            yield from (Case(name, (values((2, 3), dtype),), target) for name in ("zeros_like", "ones_like"))
            yield Case("full_like", (values((2, 3), dtype), 1), target)
        yield from (Case("asarray", (values((2, 3), dtype),), {"copy": copy}) for copy in (None, True, False))


def products() -> Iterator[Case]:
    """Matrices and vectors, and the extension of linear algebra."""
    for dtype in TYPES:
        v, m, s = values((3,), dtype), values((2, 3), dtype), values((4, 3, 5), dtype)
        for name, args, kwargs in (("matmul", (v, v), {}), ("matmul", (m, s), {}), ("matmul", (m, v), {}), ("vecdot", (m, v), {}),
                                   ("vecdot", (m, m), {}), ("tensordot", (m, s), {"axes": ((1,), (1,))}),
                                   ("tensordot", (m, values((3, 2), dtype)), {"axes": 1}), ("tensordot", (v, v), {"axes": 0})):
            yield Case(name, args, kwargs)
        if dtype not in (*FLOATS, *COMPLEX):
            continue
        square = Array(values((2, 3, 3), dtype).values + 3 * np.eye(3, dtype=dtype))
        symmetric = Array(square.values @ np.conj(np.swapaxes(square.values, -1, -2)))
        for name, args in (("cholesky", (symmetric,)), ("cross", (m, v)), ("det", (square,)), ("diagonal", (s,)), ("eigvalsh", (symmetric,)),
                           ("inv", (square,)), ("matmul", (m, s)), ("matrix_norm", (s,)), ("matrix_power", (square, 3)),
                           ("matrix_rank", (square,)), ("matrix_transpose", (s,)), ("outer", (v, v)), ("pinv", (m,)),
                           ("slogdet", (square,)), ("solve", (square, square)), ("svdvals", (s,)), ("tensordot", (m, values((3, 2), dtype))),
                           ("trace", (s,)), ("vecdot", (v, v)), ("vector_norm", (s,))):
            yield Case(f"linalg.{name}", args, {})
        for ord in (1, np.inf, -np.inf, -1, 2, -2, "nuc"):
            yield Case("linalg.matrix_norm", (s,), {"ord": ord, "keepdims": True})
        for ord in (0, 1, 2, np.inf, -np.inf, 3):
            yield Case("linalg.vector_norm", (s,), {"ord": ord, "axis": 1})
        yield Case("linalg.trace", (s,), {"offset": 1})
        yield Case("linalg.diagonal", (s,), {"offset": -1})


def transforms() -> Iterator[Case]:
    """The extension of Fourier transforms."""
    for dtype in (*FLOATS, *COMPLEX):
        x = values((4, 6), dtype)
        for name in ("fft", "ifft", "fftn", "ifftn", "rfft", "rfftn", "irfft", "irfftn", "hfft", "ihfft", "fftshift", "ifftshift"):
            yield Case(f"fft.{name}", (x,), {})
            if "shift" not in name:
                yield from (Case(f"fft.{name}", (x,), {"norm": norm}) for norm in ("ortho", "forward"))
            if not name.endswith("n") and "shift" not in name:
                yield Case(f"fft.{name}", (x,), {"n": 5, "axis": 0})
    for name in ("fftfreq", "rfftfreq"):
        yield Case(f"fft.{name}", (5,), {"d": 0.5})


def facts() -> Iterator[Case]:
    """Types: promotion, casts, limits, kinds."""
    for dtype in TYPES:
        yield Case("finfo" if dtype in (*FLOATS, *COMPLEX) else "iinfo", (dtype,), {})
        for other in TYPES:
            yield Case("can_cast", (dtype, other), {})
            yield Case("result_type", (dtype, other), {})
        for kind in ("bool", "signed integer", "unsigned integer", "integral", "real floating", "complex floating", "numeric"):
            yield Case("isdtype", (dtype, kind), {})
        yield Case("result_type", (dtype, 1), {})
    yield Case("broadcast_shapes", ((3, 1), (4,)), {})


SECTIONS = elementwise, reductions, layouts, sorting, creation, products, transforms, facts


def call(namespace: Any, case: Case) -> Any:
    """The result of a case, as NumPy arrays."""
    function = namespace
    for part in case.name.split("."):
        function = getattr(function, part)
    typed = case.name in ("finfo", "iinfo", "can_cast", "result_type", "isdtype", "astype")
    args = [convert(namespace, arg, typed) for arg in case.args]
    kwargs = {name: convert(namespace, value, name == "dtype") for name, value in case.kwargs.items()}
    return plain(function(*args, **kwargs))


def convert(namespace: Any, value: Any, typed: bool) -> Any:
    if isinstance(value, Array):
        return namespace.asarray(value.values)
    if isinstance(value, list) and value and isinstance(value[0], Array):
        return [namespace.asarray(item.values) for item in value]
    return getattr(namespace, value) if typed and isinstance(value, str) and value in TYPES else value


def plain(value: Any) -> Any:
    """Arrays as NumPy's, types as their names, several results as lists."""
    if hasattr(value, "eps") or hasattr(value, "bits"):
        return [plain(getattr(value, name)) if name == "dtype" else float(getattr(value, name)) for name in
                ("bits", "min", "max", "dtype", *(("eps", "smallest_normal") if hasattr(value, "eps") else ()))]
    if hasattr(value, "__array_namespace__"):
        return np.asarray(value)
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    return value if isinstance(value, (bool, int, float)) else str(value).removeprefix("array_api_strict.")


def difference(own: Any, theirs: Any) -> str:
    """What is not equal, in words; "" where all is."""
    if isinstance(theirs, list):
        if not isinstance(own, list) or len(own) != len(theirs):
            return "structure"
        return next(filter(None, map(difference, own, theirs)), "")
    if not isinstance(theirs, np.ndarray):
        return "" if own == theirs else f"{own} instead of {theirs}"
    if not isinstance(own, np.ndarray) or own.shape != theirs.shape:
        return "shape"
    if own.dtype != theirs.dtype:
        return f"type {own.dtype} instead of {theirs.dtype}"
    tolerance = TOLERANCE.get(theirs.dtype.name, 0)
    scale = np.abs(theirs[np.isfinite(theirs)]).max(initial=1) if theirs.size else 1
    with np.errstate(all="ignore"):
        equal = np.allclose(own, theirs, rtol=tolerance, atol=tolerance * scale, equal_nan=True)
        signs = theirs.dtype.kind != "f" or np.array_equal(np.signbit(own[theirs == 0]), np.signbit(theirs[theirs == 0]))
    return "values" if not equal else "" if signs else "signs of zeros"


def run(case: Case) -> str | None:
    """What slopes does otherwise; "" for nothing, None where array-api-strict refuses the call."""
    try:
        theirs = call(strict, case)
    except Exception:
        return None
    try:
        return difference(call(sl, case), theirs)
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0]}"


def sweep(sections: tuple[Callable[[], Iterator[Case]], ...] = SECTIONS) -> tuple[Counter[str], list[tuple[Case, str]]]:
    """The number of cases by section, and those that differ."""
    counts: Counter[str] = Counter()
    differing = []
    for section in sections:
        for case in section():
            result = run(case)
            if result is not None:
                counts[section.__name__] += 1
                if result:
                    differing.append((case, result))
    return counts, differing


def text_of(case: Case) -> str:
    """A case in short."""
    def short(value: Any) -> str:
        return f"{value.values.dtype}{value.values.shape}" if isinstance(value, Array) else repr(value)[:60]

    named = [f"{name}={short(value)}" for name, value in case.kwargs.items()]
    return f"{case.name}({', '.join([*map(short, case.args), *named])})"


def uncalled() -> set[str]:
    """The functions of the standard that no case calls."""
    called = {case.name for section in SECTIONS for case in section()}
    own = {"get_array_api_strict_flags", "set_array_api_strict_flags", "reset_array_api_strict_flags", "empty", "empty_like", "from_dlpack"}
    return {name for name, value in vars(strict).items() if inspect.isfunction(value) and name[0].islower()} - called - own


def main() -> int:
    """Print how many cases agree, and the others."""
    warnings.simplefilter("ignore")
    strict.set_array_api_strict_flags(api_version=VERSION)
    counts, differing = sweep()
    groups: dict[tuple[str, str], list[Case]] = {}
    for case, text in differing:
        groups.setdefault((f"{case.name}: {text}", reason_of(f"{case.name}: {text}")), []).append(case)
    for (text, reason), cases in sorted(groups.items()):
        print(f"{text} ({len(cases)} cases, such as {text_of(cases[0])}): {reason or 'NOT LISTED'}")
    print(f"{sum(counts.values()) - len(differing)} of {sum(counts.values())} cases agree ({dict(counts)}); not called: {', '.join(sorted(uncalled())) or 'none'}")
    return int(not all(reason for _, reason in groups))


def reason_of(text: str) -> str:
    """Why a case may differ; "" where it may not."""
    return next((reason for pattern, reason in REASONS.items() if re.fullmatch(pattern, text)), "")


if __name__ == "__main__":
    sys.exit(main())
