"""Many cases of the table of operations as one XLA program: what tests/test_xla.py and the sweep `python -m tests.xla_sweep` share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from operation_cases import COMPILED, OPERATIONS, Case, cases
from test_compiled import agree, arrays_of, results

import slopes as sl

Call = tuple[str, Case]


def calls_of(dtypes: Sequence[np.dtype], names: Sequence[str] = COMPILED, most: int | None = None) -> list[Call]:
    """The cases of the operations in these types, of each at most so many; the first are those that are not empty."""
    return [(name, case) for name in names for dtype in dtypes for case in cases(OPERATIONS[name], dtype)[:most]]


def perform_all(calls: Sequence[Call], tensors: Sequence[sl.Tensor]) -> tuple[sl.Tensor, ...]:
    """The results of all calls."""
    remaining = iter(tensors)
    return tuple(y for name, case in calls for y in results(name, [case], tuple(next(remaining) for _ in arrays_of([case]))))


def check_values(calls: Sequence[Call]) -> None:
    """All calls in one program give what they give eagerly."""
    inputs = [sl.asarray(array) for _, case in calls for array in arrays_of([case])]

    def call(*tensors):
        return perform_all(calls, tensors)

    agree(sl.compile(call, backend="xla")(*inputs), call(*inputs), [case.text for _, case in calls])


def check_gradients(calls: Sequence[Call], order: int = 1) -> None:
    """The gradients of a weighted sum of all results, by all arguments that are floats, in one program.

    Order 2: those of the squared norm of these gradients, where errors are measured by the largest element of each, if that is above 1.
    """
    calls = [(name, case) for name, case in calls if case.node.dtype.kind == "f" and case.arrays]
    inputs = [sl.asarray(array) for _, case in calls for array in case.arrays]
    labels = [case.text for _, case in calls for _ in case.arrays]
    wrt = tuple(i for i, x in enumerate(inputs) if x.dtype.kind == "f")
    rng = np.random.default_rng(1)
    weights = [sl.asarray(rng.normal(size=case.node.shape).astype(case.node.dtype)) for _, case in calls]

    def loss(*tensors):
        parts = [sl.sum(y * weight).astype("float64") for y, weight in zip(perform_all(calls, tensors), weights)]
        return sum(parts[1:], parts[0])

    def squared_norm(*tensors):
        return sum((sl.sum(g * g).astype("float64") for g in sl.grad(loss, wrt)(*tensors)), sl.zeros((), "float64"))

    gradient = sl.grad(loss if order == 1 else squared_norm, wrt)
    ours, eager = sl.compile(gradient, backend="xla")(*inputs), gradient(*inputs)
    if order == 2:
        sizes = [max(1.0, np.max(np.abs(x.numpy()), initial=0)) for x in eager]
        ours, eager = ([x / size for x, size in zip(values, sizes)] for values in (ours, eager))
    agree(ours, eager, [labels[i] for i in wrt])
