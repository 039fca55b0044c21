"""The questions that an operation answers, the table of all operations, and the two kinds of leaves."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any

import numpy as np

from ..errors import ArgumentError, missing_method
from .dtype import DType, plain, scalar_dtype
from .node import Node, Operators, intern, next_serial
from .shape import Shape

MISSING = {
    "rule": "it says the shape and the type of the result",
    "meaning": "it says the value, in terms of an array namespace: it runs whenever the operation is used at once",
    "pullback": "it says the gradient of each argument; (None,) * len(args) where there are none",
    "emit": "it says how the operation is compiled; used at once, outside of compiled functions, it needs none",
}


def unsaid(function: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a function that an operation has to define before it is asked for."""
    function.unsaid = True  # type: ignore[attr-defined]
    return function


def complaining(operation: type, part: str) -> Callable[..., Any]:
    """What stands for a part of an operation that its class does not define."""
    def missing(*args: Any, **params: Any) -> Any:
        raise missing_method(operation, part, MISSING[part])

    missing.__signature__ = inspect.signature(getattr(operation, part))  # type: ignore[attr-defined]
    return missing


class Operation:
    """All that is known of one operation. A subclass is never instantiated; its functions take no self.

    meaning(xp, *arrays, **params)        the value, in terms of an array namespace: NumPy is the oracle
    rule(*nodes, **params)                (shape, dtype) of the result; raises the errors of a wrong call
    pullback(g, y, *nodes, **params)      one gradient (or None) per argument, given the result's gradient g and the result y
    batch(nodes, batched, **params)       the same operation with a leading batch axis on the arguments where batched is True
    lower(read, index, node)              the scalar expression of element `index`, for operations that a kernel can inline
    """

    table: dict[str, type[Operation]] = {}
    name: str = "operation"
    kind: str = "leaf"  # elementwise, move, reduce, contract, index, order, leaf
    reads_numbers: bool = False  # whether `make` builds something else for some values of a constant argument

    def __init_subclass__(cls, abstract: bool = False) -> None:
        for attribute, value in list(vars(cls).items()):
            if callable(value) and not attribute.startswith("__") and not isinstance(value, (classmethod, staticmethod, type)):
                setattr(cls, attribute, staticmethod(value))
        if not abstract:
            for part in ("rule", "meaning", "pullback", "emit"):
                if getattr(getattr(cls, part, None), "unsaid", False):
                    setattr(cls, part, staticmethod(complaining(cls, part)))
            cls.name = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
            Operation.table[cls.name] = cls

    @classmethod
    def make(cls, *args: Node, **params: Any) -> Node:
        """The node of this operation on these arguments, after the type rule has accepted them."""
        shape, dtype = cls.rule(*args, **params)
        return intern(cls, args, params, shape, dtype)

    @staticmethod
    @unsaid
    def rule(*args: Node, **params: Any) -> tuple[Shape, DType]:  # type: ignore[empty-body]
        """(shape, dtype) of the result."""

    @staticmethod
    @unsaid
    def meaning(xp: Any, *arrays: Any, **params: Any) -> Any:
        """The value."""

    @staticmethod
    @unsaid
    def pullback(g: Node, y: Node, *args: Node, **params: Any) -> tuple[Node | None, ...]:  # type: ignore[empty-body]
        """A gradient for each argument."""


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

    def __lt__(self, other: Frozen) -> bool:  # parameters are sorted by name, which is unique: never reached with meaning
        return False


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
    """The same number in the same type is found again; `zero` tells 0.0 from -0.0, which are equal."""
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
    for each in args:
        if isinstance(each, Operators):
            chosen = each
            if not isinstance(each, Node):
                break
    apply = build_node if chosen is None else type(chosen)._apply
    return apply(name, args, params)


def build_node(name: str, args: tuple, params: dict[str, Any]) -> Node:
    """The graph node of operation `name`; Python numbers among the arguments take the type of the arrays beside them."""
    operation = Operation.table[name]
    if not all(isinstance(each, Node) for each in args):
        args = lift(name, args)
    return operation.make(*args, **params)


def lift(name: str, args: tuple) -> tuple[Node, ...]:
    """Turn Python numbers and NumPy arrays among the arguments into constants."""
    typed = args[1:] if name == "where" else args  # a condition says nothing of the type of what it chooses
    beside = next((each.dtype for each in typed if isinstance(each, (Node, np.ndarray))), None)
    lifted = []
    for each in args:
        if isinstance(each, Node):
            lifted.append(each)
        elif isinstance(each, np.ndarray):
            lifted.append(constant(each))
        elif isinstance(each, (bool, int, float, complex, np.generic)):
            lifted.append(number_beside(name, each, beside))
        else:
            raise ArgumentError(f"{name}: {each!r} of type {type(each).__name__} is no number and no tensor",
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


class Composite:
    """A pure function of tensors made of operations, in the form of an operation: computed at once it is looked up as a whole."""

    reads_numbers = False

    def __init__(self, function: Callable[..., Any], operands: int) -> None:
        self.make, self.name, self.operands = function, function.__name__, operands
        self.names = list(inspect.signature(function).parameters)[operands:]

    def split(self, args: tuple, params: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        """The operands, and all that decides what is built, by name and hashable."""
        if len(args) == self.operands and not params:
            return args, params
        named = {**dict(zip(self.names, args[self.operands:])), **params}
        return args[:self.operands], {name: tuple(value) if type(value).__hash__ is None else value for name, value in named.items()}


def composed(operands: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator of a function whose first arguments are nodes or tensors and whose others decide what is built of them.

    On nodes it is called as it is; tensors that compute at once remember what it built for operands of their shapes and types.
    """
    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        whole = Composite(function, operands)

        @wraps(function)
        def perform(*args: Any, **params: Any) -> Any:
            for each in args[:operands]:
                if isinstance(each, Operators) and not isinstance(each, Node):
                    return type(each)._compose(whole, args, params)
            return function(*args, **params)

        return perform

    return decorate
