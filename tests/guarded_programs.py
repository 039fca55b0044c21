"""Programs of many kinds, compiled and run between guard pages: `python tests/guarded_programs.py behind` (or before)."""

from __future__ import annotations

import faulthandler
import itertools
import sys

import numpy as np
import test_compiled
import test_program
from guards import guarded, guards
from native_graphs import thread_count
from operation_cases import COMPILED, OPERATIONS

import slopes as sl
from slopes.graph.dtype import bool_, float32, float64, int8, int16, int64, uint16

SIZES = (*range(20), 31, 33, 63, 65, 127)
COUNTS = (1, 2)  # threads
TYPES = {"behind": [int8, int16, float32, float64], "before": [bool_, uint16, int64, float32]}


def twice(x: sl.Tensor) -> tuple[sl.Tensor, sl.Tensor]:
    """What reads an argument in order and reversed, for types that can be added and for those that cannot."""
    other = sl.flip(x)
    return (x & other, x | other) if x.dtype == sl.bool_ else (x + other, x * other)


def odd_sizes(side: str) -> None:
    """Arguments that are themselves between guards, of all types and many sizes."""
    for dtype, size in itertools.product(TYPES[side], SIZES):
        x = sl.asarray(guarded((np.arange(size) % 2).astype(dtype), side))
        for found, expected in zip(sl.compile(twice)(x), twice(x)):
            np.testing.assert_array_equal(found.numpy(), expected.numpy())


def trainings(side: str) -> None:
    """Whole training steps, with state that is updated in place: their bits are those of programs without guards."""
    for name, threads in itertools.product(test_program.MODELS, COUNTS):
        plain = test_program.bits(name)
        with thread_count(threads), guards(side):
            assert test_program.bits(name) == plain


def steps() -> None:
    """Many steps in one call: the argument and the result move."""
    x = sl.asarray(np.arange(21, dtype=np.int16).reshape(3, 7))
    np.testing.assert_array_equal(sl.compile(twice).many(3, x, stepped=(0,))[0].numpy(), x.numpy() + x.numpy()[:, ::-1])


def operations(side: str) -> None:
    """Every operation and its gradient, on each side in types of other sizes: the sizes decide which memory a program touches.

    Elementwise operations have one kind of loop, which `odd_sizes` runs in all types: here they have one integer and one real type.
    """
    for name in COMPILED:
        elementwise = OPERATIONS[name].kind == "elementwise"
        dtypes = TYPES[side][1::2] if elementwise else TYPES[side]
        test_compiled.check_compiled(name, dtypes)
        test_compiled.check_gradients(name, [dtype for dtype in dtypes if dtype.kind == "f"])
    for name in test_compiled.COMPOSED:
        test_compiled.test_a_composed_function_and_its_gradient_compile(name)


def main(side: str) -> None:
    faulthandler.enable()
    with guards(side):
        odd_sizes(side)
        operations(side)
        steps()
    trainings(side)
    print(f"unharmed: {side}")


if __name__ == "__main__":
    main(*sys.argv[1:])
