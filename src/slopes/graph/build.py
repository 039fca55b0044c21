"""Building nodes: the two kinds of leaves, and operations by name."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ..errors import ArgumentError
from .dtype import DType, plain, scalar_dtype
from .node import Node, Operation, intern, next_serial
from .operators import Operators
from .shape import Shape


class Frozen:
    """An array as a hashable parameter: small ones are equal by content, large ones by identity."""

    __slots__ = ("array", "key")

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        self.key = (array.dtype.str, array.shape, array.tobytes()) if array.nbytes <= 1024 else id(array)

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Frozen) and self.key == other.key


class Constant(Operation):
    """A value known when the graph is built."""


class Variable(Operation):
    """A value given when the graph runs: an input, a parameter, a piece of state."""


def constant(value: Any, dtype: DType | None = None) -> Node:
    """The constant node of a number or array."""
    if dtype is not None and type(value) in (int, float):
        return kept_constant(value, dtype, "" if value else repr(value))
    return new_constant(value, dtype)


@lru_cache(maxsize=1024, typed=True)
def kept_constant(value: Any, dtype: DType, zero: str) -> Node:
    """A cached constant of a number in a type; `zero` distinguishes 0.0 from -0.0, which compare equal."""
    return new_constant(value, dtype)


def new_constant(value: Any, dtype: DType | None) -> Node:
    value = plain(value) if isinstance(value, np.ndarray) else int(value) if isinstance(value, np.integer) else value
    array = np.array(value, dtype=dtype if dtype is not None else None, order="C")  # native code reads it row by row
    if dtype is None and not isinstance(value, (np.ndarray, np.generic)):
        array = array.astype(scalar_dtype(array.reshape(-1)[0].item() if array.size else 0.0, None))
    array.flags.writeable = False
    node = intern(Constant, (), {"value": Frozen(array)}, array.shape, array.dtype)
    node.value = array
    return node


def variable(shape: Shape, dtype: DType, name: str = "") -> Node:
    """A fresh variable, different from every other."""
    return intern(Variable, (), {"serial": next_serial(), "name": name}, tuple(shape), dtype)


def build(name: str, *args: Any, **params: Any) -> Any:
    """Perform the operation `name`: on tensors eagerly (or traced), on nodes by building the graph."""
    chosen = None
    for arg in args:
        if isinstance(arg, Operators):
            chosen = arg
            if not isinstance(arg, Node):
                break
    apply = build_node if chosen is None else type(chosen)._apply
    return apply(name, args, params)


def build_node(name: str, args: tuple, params: dict[str, Any]) -> Node:
    """The graph node of operation `name`; Python numbers among the arguments take the type of the arrays beside them."""
    operation = Operation.table[name]
    if not all(isinstance(arg, Node) for arg in args):
        args = lift(operation, args)
    return operation.make(*args, **params)


def lift(operation: type[Operation], args: tuple) -> tuple[Node, ...]:
    """Turn Python numbers and NumPy arrays among the arguments into constants."""
    name, typed = operation.name, args[operation.conditions:]
    beside = next((arg.dtype for arg in typed if isinstance(arg, (Node, np.ndarray))), None)
    lifted = []
    for arg in args:
        if isinstance(arg, Node):
            lifted.append(arg)
        elif isinstance(arg, np.ndarray):
            lifted.append(constant(arg))
        elif isinstance(arg, (bool, int, float, complex, np.generic)):
            lifted.append(number_beside(name, arg, beside))
        else:
            raise ArgumentError(f"{name}: {arg!r} of type {type(arg).__name__} is no number and no tensor",
                                repair="make a tensor of it first: slopes.tensor(...)")
    return tuple(lifted)


def number_beside(name: str, value: Any, beside: DType | None) -> Node:
    """A Python or NumPy number in the type that it takes beside an array of this one."""
    try:
        return constant(value, scalar_dtype(value, beside))
    except OverflowError as error:
        raise too_large(name, value, beside) from error


def too_large(name: str, value: Any, beside: DType | None) -> ArgumentError:
    return ArgumentError(f"{name}: {value} does not fit into {scalar_dtype(value, beside)}",
                         repair="cast the tensor first: x.astype(sl.int64)")


Node._apply = staticmethod(build_node)
