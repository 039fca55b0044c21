"""Inputs for every operation of the table, made from what it says of itself: `samples`, or domain and accepted types."""

from __future__ import annotations

import inspect
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

import slopes.autodiff
import slopes.ops  # noqa: F401
from slopes.errors import DTypeError
from slopes.graph.build import build, variable
from slopes.graph.dtype import NATIVE, bool_, float64
from slopes.graph.node import Node, Operation
from slopes.ops.elementwise import Elementwise
from slopes.ops.samples import Domain

OPERATIONS = {name: operation for name, operation in sorted(Operation.table.items()) if operation.kind != "leaf"}
COMPILED = [name for name, operation in OPERATIONS.items() if not operation.eager_only]

# Shapes of one, two and three arguments: equal, broadcast on either side, 0-d, odd sizes, sizes of 1 and empty axes.
BROADCASTS = {
    1: [((3, 5),), ((),), ((37,),), ((1, 1),), ((0, 2),)],
    2: [((3, 5), (3, 5)), ((3, 1), (1, 5)), ((5,), (3, 5)), ((37,), ()), ((2, 1, 3), (4, 1)), ((1,), (1, 1)), ((0, 3), (3,))],
    3: [((7,), (7,), (7,)), ((3, 1), (5,), ()), ((), (2, 1, 3), (4, 1)), ((0, 2), (2,), ())],
}
# Values for parameters of elementwise operations, by the parameter's name.
PARAMETERS = {"dtype": NATIVE, "tag": (1,)}


@dataclass
class Case:
    """One call of an operation: arrays and their descriptions, parameters, and the node of the call on variables for the arrays."""

    arrays: list[np.ndarray]
    described: list[tuple]
    params: dict[str, Any]
    inputs: list[Node]
    node: Node

    @property
    def text(self) -> str:
        """The call in words, for the message of a failure."""
        return f"{self.node.op.name}({', '.join(f'{array.dtype} {array.shape}' for array in self.arrays)}, {self.params})"

    @property
    def env(self) -> dict[Node, np.ndarray]:
        return dict(zip(self.inputs, self.arrays))


def declares(operation: type[Operation], question: str) -> bool:
    """Whether the operation itself, and not only the base of all, answers the question."""
    return any(question in vars(base) for base in operation.__mro__ if base not in (Operation, Elementwise, object))


def random_array(shape: tuple[int, ...], dtype: np.dtype, domain: Domain, rng: np.random.Generator) -> np.ndarray:
    """Values of the domain; for unsigned types of its part from 0 on."""
    if callable(domain):
        return domain(shape, rng).astype(dtype)
    low, high = domain
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype.kind in "iu":
        least = max(0, low) if dtype.kind == "u" else low
        return rng.integers(int(np.ceil(least)), max(int(high), int(np.ceil(least))) + 1, shape).astype(dtype)
    return np.asarray(rng.uniform(low, high, shape)).astype(dtype)


def cases(operation: type[Operation], dtype: np.dtype) -> list[Case]:
    """The calls to test an operation with when arguments of no fixed type are of `dtype`; none if it refuses the type."""
    rng = np.random.default_rng(zlib.crc32(f"{operation.name} {dtype}".encode()))
    if operation.kind != "elementwise":
        if dtype not in operation.types:
            return []
        described = [([(shape, own or dtype, domain) for shape, own, domain in inputs], params)
                     for inputs, params in (operation.samples(dtype) if operation.kind == "loop" else operation.samples())]
    else:
        described = elementwise_calls(operation, dtype)
    return [make_case(operation, inputs, params, rng) for inputs, params in described]


def make_case(operation: type[Operation], inputs: list[tuple], params: dict[str, Any], rng: np.random.Generator) -> Case:
    arrays = [random_array(shape, dtype, domain, rng) for shape, dtype, domain in inputs]
    variables = [variable(array.shape, array.dtype) for array in arrays]
    return Case(arrays, inputs, params, variables, build(operation.name, *variables, **params))


def elementwise_calls(operation: type[Operation], dtype: np.dtype) -> list[tuple[list[tuple], dict[str, Any]]]:
    """Every broadcast of the arguments with every value of the parameters, unless the operation refuses the type."""
    names = list(inspect.signature(operation.meaning).parameters)[1:]
    chosen = [name for name in names if name in PARAMETERS]
    count = len(names) - len(chosen)
    types = accepted_types(operation, dtype, count, {name: PARAMETERS[name][0] for name in chosen})
    if types is None:
        return []
    domains = operation.domain if isinstance(operation.domain[0], tuple) else (operation.domain,) * count
    calls = []
    for params in [{name: value} for name in chosen for value in PARAMETERS[name]] or [{}]:
        unsigned = getattr(params.get("dtype"), "kind", "") == "u"  # what a negative float becomes there is not specified
        limits = [(max(0, low), high) if unsigned else (low, high) for low, high in domains]
        calls += [(list(zip(shapes, types, limits)), params) for shapes in BROADCASTS[count]]
    return calls


def accepted_types(operation: type[Operation], dtype: np.dtype, count: int, params: dict) -> tuple[np.dtype, ...] | None:
    """The arguments' types: all `dtype`, or a condition and then `dtype`; None when the operation takes neither."""
    for types in ((dtype,) * count, (bool_, *(dtype,) * (count - 1))):
        try:
            operation.make(*(variable((), each) for each in types), **params)
        except DTypeError:
            continue
        return types
    return None


def is_smooth(case: Case) -> bool:
    """Whether there is a derivative to check: a float64 result of a float64 argument."""
    return case.node.dtype == float64 and any(node.dtype == float64 for node in case.inputs)
