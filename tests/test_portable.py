"""The meaning of every operation in terms of array-api-strict, which offers what the array API standard says and nothing else."""

from __future__ import annotations

import array_api_strict as strict
import numpy as np
import pytest
from operation_cases import OPERATIONS, cases
from together import together

from slopes.graph.dtype import NATIVE, bool_
from slopes.ops.elementwise import Comparison
from slopes.ops.reduce import Extreme, Position

BEYOND = {"bfloat16_bits", "bfloat16_value", "round_bfloat16"}  # these look at the bits of floats
ORDERED = (Comparison, Extreme, Position, OPERATIONS["argsort"])  # the standard gives truth values no order


def without_a_standard(operation, dtype):
    """Whether the standard lacks this operation for truth values: it compares, and takes the larger of, numbers only."""
    return dtype == bool_ and issubclass(operation, ORDERED) and operation.name not in ("equal", "not_equal")


def portable_cases(dtype):
    for name, operation in OPERATIONS.items():
        if name in BEYOND or without_a_standard(operation, dtype):
            continue
        for i, case in enumerate(cases(operation, dtype)):
            if case.node.op is operation and all(arg in case.inputs for arg in case.node.args):
                yield f"{name}-{dtype}-{i}", case


def test_few_operations_are_beyond_the_standard_and_say_why():
    assert {name for name, operation in OPERATIONS.items() if operation.beyond_standard} == BEYOND


@pytest.mark.parametrize("dtype", NATIVE, ids=str)
def test_a_meaning_is_portable(dtype):
    """The same values, types and shapes as NumPy computes at once: integers exactly, floats but for the order of sums."""
    together("name, case", portable_cases(dtype))(check_meaning)()


def check_meaning(name, case):
    node, arrays = case.node, dict(zip(case.inputs, case.arrays))
    args = [arrays[arg] for arg in node.args]
    expected = np.asarray(node.op.compute(*args, **node.params))
    found = node.op.meaning(strict, *map(strict.asarray, args), **node.params)
    assert isinstance(found, type(strict.asarray(0)))
    assert found.shape == node.shape and found.dtype == getattr(strict, node.dtype.name)
    near = np.testing.assert_allclose if node.dtype.kind == "f" else np.testing.assert_array_equal
    near(np.asarray(found), expected, **({"rtol": 1e-5, "atol": 1e-6} if node.dtype.kind == "f" else {}))


@pytest.mark.parametrize("dtype", [dtype for dtype in NATIVE if dtype.kind in "iu"], ids=str)
@pytest.mark.parametrize("source", ["float32", "float64"])
def test_a_cast_to_integers_saturates_in_any_namespace(source, dtype):
    limits = np.iinfo(dtype)
    points = [np.nan, np.inf, -np.inf, 0.5, -0.5, 2.9, -2.9, 127, 128, 255, 256, -128, -129, 1e30, -1e30, 2.0**63, -(2.0**63)]
    x = np.array([*points, float(limits.max), float(limits.min)], source)
    cast = OPERATIONS["cast"]
    with np.errstate(invalid="ignore"):
        expected = cast.compute(x, dtype=dtype)
    np.testing.assert_array_equal(np.asarray(cast.meaning(strict, strict.asarray(x), dtype=dtype)), expected)
