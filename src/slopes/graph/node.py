"""The two types of a graph: an operation, and the node, one value that an operation computes.

Nodes are immutable and interned: equal expressions are one object, so equality is identity.
"""

from __future__ import annotations

import itertools
import math
import re
import weakref
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..errors import Location, SlopesError, missing_method, user_location
from .dtype import NATIVE, DType
from .operators import Operators
from .scopes import Region, scopes
from .shape import Shape


class Operation:
    """All that the package knows of one operation: a subclass answers the questions below. Nobody makes an instance of it.

    The functions of a subclass take no self: each is turned into a static method. What a subclass does not answer has the default
    that is declared here; what it must answer (`rule`, `meaning`, `pullback`; `emit` if it is elementwise) raises a
    MissingMethodError when it is asked for.

    The kinds of operations, and what each of them promises:

    leaf         a value with no arguments: a constant or a variable
    elementwise  element i of the result depends on element i of each argument, which all have the shape of the result
    move         each element of the result is an element of an argument or a fixed fill value; which one depends on shapes and parameters
    index        which elements are read or written depends on the values of another argument, or on the position alone
    reduce       some axes vanish: the elements along them are combined in one after the other
    contract     sums of products of two arguments over named axes
    mix          a small matrix of known numbers, applied along some axes
    order        each line along an axis is processed from one end to the other: running totals, sorting
    linalg       a function of matrices that a library computes
    complex      a part of complex numbers, or their Fourier transform
    loop         a graph of its own (`Body`), repeated
    """

    table: dict[str, type[Operation]] = {}
    name: str = "operation"

    # ------------------------------------------------------------------ the graph
    kind: str = "leaf"
    reads_numbers: bool = False
    """Whether `make` builds something else for some values of a constant argument."""
    varies: bool = False
    """Whether it is a leaf whose value is only known when the graph runs."""
    conditions: int = 0
    """How many of the first arguments are conditions, whose type has no part in the type of the result."""
    types: Sequence[DType] = NATIVE
    """The types that `samples` are tested in."""

    # ------------------------------------------------------------------ derivatives
    bounded: bool = True
    """Whether the result and its derivative are finite for all finite arguments."""
    reads_once: bool = False
    """Whether each element of each argument is read by exactly one element of the result."""

    # ------------------------------------------------------------------ values
    same_numbers: bool = False
    """Whether every element of the result is an element of the one argument, perhaps in another type."""
    broadcasts: bool = False
    """Whether the result repeats the argument along axes, as NumPy's broadcasting does."""
    view: bool = False
    """Whether NumPy returns a view of the argument, without computing or copying."""
    beyond_standard: str = ""
    """Why `meaning` needs NumPy: what the array API standard lacks. "" where any namespace of the standard will do."""

    # ------------------------------------------------------------------ compilation
    eager_only: str = ""
    """Why no program can do it; "" where it is compiled."""

    # ------------------------------------------------------------------ compilation: costs
    cost: int = 10
    """About how many simple instructions one element takes: the measure that rewrite rules lower."""
    inline_limit: int | None = None
    """How many instructions an argument may take that is computed where this operation reads it; None: no matter how many."""

    # ------------------------------------------------------------------ compilation: observers
    observes: bool = False
    """Whether what reads the result only looks at the argument: the rest of the program is compiled as if it were not there."""

    # ------------------------------------------------------------------ compilation: kernels
    kernel: str | None = None
    """The way in which a kernel of its own computes it: reduce, position, unwindow, contract, mix, cumulative_sum, sort, scatter or loop.

    None where `lower` says how each element is computed inside of the kernel that reads it.
    """
    epilogue: bool = False
    """Whether elementwise operations on the result may be computed in the loops of its kernel, before it is stored."""
    buffered: bool = False
    """Whether the result is always kept in memory, however cheap it is."""
    joins: bool = False
    """Whether the arguments lie one behind the other in the result, so that they can be computed in place."""
    buffered_if_reread: bool = False
    """Whether the result is kept in memory where elements of it are read more than once: `lower` compares positions for each."""
    overlaps: bool = False
    """Whether its elements show one element of the argument in several neighbouring positions."""
    keeps_order: bool = False
    """Whether the result holds the argument's elements in the same row-major order: memory of the one can serve as the other."""
    converts: bool = False
    """Whether the result is the argument in another type."""
    comparison: str = ""
    """Of a `position` kernel: the comparison (">" or "<") by which an element beats the best one so far."""
    by_line: bool = False
    """Of a `scatter` kernel: whether each line along the axis has indices of its own."""

    def __init_subclass__(cls, abstract: bool = False) -> None:
        for attribute, value in list(vars(cls).items()):
            if callable(value) and not attribute.startswith("__") and not isinstance(value, (classmethod, staticmethod, type)):
                setattr(cls, attribute, staticmethod(value))
        if "meaning" in vars(cls) and "compute" not in vars(cls):
            cls.compute = staticmethod(partial(cls.meaning, np))  # type: ignore[method-assign]
        if not abstract:
            cls.name = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
            Operation.table[cls.name] = cls

    @classmethod
    def attach(cls, **answers: Callable[..., Any]) -> None:
        """Add answers that are defined on a higher floor, as the derivatives of loops are."""
        for question, answer in answers.items():
            setattr(cls, question, staticmethod(answer))

    # ------------------------------------------------------------------ the graph
    @classmethod
    def make(cls, *args: Node, **params: Any) -> Node:
        """The node of this operation on these arguments, after the type rule has accepted them."""
        shape, dtype = cls.rule(*args, **params)
        return intern(cls, args, params, shape, dtype)

    @classmethod
    def rule(cls, *args: Node, **params: Any) -> tuple[Shape, DType]:
        """(shape, dtype) of the result; raises the errors of a wrong call."""
        raise missing_method(cls, "rule", "it says the shape and the type of the result")

    @classmethod
    def samples(cls) -> Iterable[tuple[list[Any], dict[str, Any]]]:
        """(descriptions of inputs, parameters) for the tests that run for every operation: see ops/samples.py."""
        return ()

    # ------------------------------------------------------------------ values
    @classmethod
    def meaning(cls, xp: Any, *arrays: Any, **params: Any) -> Any:
        """The value, in terms of an array namespace: NumPy, or any other of the array API standard."""
        raise missing_method(cls, "meaning", "it says the value, in terms of an array namespace: it runs whenever the operation is eager")

    @classmethod
    def compute(cls, *arrays: Any, **params: Any) -> Any:
        """The value of NumPy arrays: `meaning` with NumPy, unless NumPy has a faster way or wrong values are to be reported."""
        return cls.meaning(np, *arrays, **params)

    @classmethod
    def invalid(cls, xp: Any, *arrays: Any, **params: Any) -> Any:
        """Whether some values are an error, as one truth value in terms of an array namespace; None where no values are.

        For machines that go on computing with such values: `compute` and compiled code for this processor look themselves.
        """
        return None

    @classmethod
    def xla(cls, x: Any, *arrays: Any, **params: Any) -> Any:
        """The value of arrays that JAX traces: `meaning` with jax.numpy, unless XLA has an operation for it, or `meaning` cannot be traced.

        x is the tracer (xla/trace.py `Tracer`): x.np and x.lax are jax.numpy and jax.lax.
        """
        return cls.meaning(x.np, *arrays, **params)

    # ------------------------------------------------------------------ derivatives
    @classmethod
    def pullback(cls, g: Node, y: Node, *args: Node, **params: Any) -> tuple[Node | None, ...]:
        """One gradient (or None) for each argument, from the gradient g of the result and the result y itself."""
        raise missing_method(cls, "pullback", "it says the gradient of each argument; (None,) * len(args) where there are none")

    @classmethod
    def batch(cls, nodes: Sequence[Node], batched: Sequence[bool], **params: Any) -> Node:
        """The same operation on many examples: arguments whose flag is set, and the result, have one more axis, in front."""
        raise missing_method(cls, "batch", "it says how the operation is performed for many examples at once")

    @classmethod
    def untaken(cls, y: Node, *args: Node, **params: Any) -> Sequence[Node | None] | None:
        """Of a choice, for each argument the elements that were not chosen, as a bool node (None: all were); None: it is no choice."""
        return None

    @classmethod
    def linear(cls, node: Node) -> bool:
        """Whether this node is linear: op(a + b) = op(a) + op(b), in all arguments together."""
        return False

    # ------------------------------------------------------------------ compilation: one element
    @classmethod
    def lower(cls, read: Any, index: Sequence[Any], node: Node) -> Any:
        """The scalar expression of the element at `index`, in terms of a reader of the arguments (loops/lower.py `Reader`)."""
        raise missing_method(cls, "lower", "it says how one element is computed; an operation with a `kernel` of its own needs none")

    @classmethod
    def emit(cls, b: Any, *xs: Any, **params: Any) -> Any:
        """The result for vectors of elements, in terms of a builder of native code (loops/builder.py `Builder`).

        It takes the parameters of the operation by the names that `meaning` gives them.
        """
        raise missing_method(cls, "emit", "it says how the operation is compiled; eager code needs none")

    @classmethod
    def inline_cost(cls, node: Node) -> int:
        """How many instructions one element takes inside of another kernel, beyond those of its arguments."""
        return 0

    @classmethod
    def may_trap(cls, dtype: DType) -> bool:
        """Whether the code of `emit` for this type may report an error at run time."""
        return False

    @classmethod
    def trap_error(cls, node: Node, where: str) -> SlopesError:
        """The error that compiled code reports on behalf of a node."""
        raise missing_method(cls, "trap_error", "it says the error that compiled code reports by number")

    # ------------------------------------------------------------------ compilation: kernels
    @classmethod
    def disjoint(cls, node: Node) -> bool:
        """Whether this node can do without its `kernel`, as no two elements of the argument meet in one of the result: `lower` is right."""
        return False

    @classmethod
    def repeats(cls, node: Node) -> bool:
        """Whether this node reads elements of its argument more than once."""
        return False

    @classmethod
    def shows_argument(cls, node: Node) -> bool:
        """Whether this node is a view of its first argument: where the view would need a buffer, the argument gets it."""
        return False

    @classmethod
    def identity(cls, dtype: DType) -> np.generic:
        """Of a kernel that combines elements: the value to start from, which changes none."""
        raise missing_method(cls, "identity", "it says the value that a reduction starts from")

    @classmethod
    def combine(cls, b: Any, acc: Any, x: Any) -> Any:
        """Of a kernel that combines elements: one more of them taken in, in terms of a builder of native code."""
        raise missing_method(cls, "combine", "it says how a reduction takes in one more element")


class Node(Operators):
    """One value of a computation: an operation, its arguments (nodes) and parameters, and what follows from them.

    `value` is the array when it is already known: always for constants, and for whatever ran eagerly.
    `location` is the user's (file, line) that built it first; `region` the call of a layer or function that was running then.
    `owner` refers weakly to the tensor that gets the gradient of this node, if one does.
    `varies` says whether it depends on a variable; nodes of constants alone are shared by many graphs, and in no region.
    """

    __slots__ = ("__weakref__", "args", "dtype", "location", "op", "owner", "params", "region", "shape", "value", "varies")
    op: type[Operation]
    args: tuple[Node, ...]
    params: dict[str, Any]
    shape: Shape
    dtype: DType
    location: Location
    region: Region | None
    value: np.ndarray | None
    owner: weakref.ref | None
    varies: bool

    def __init__(self, op: type[Operation], args: tuple[Node, ...], params: dict[str, Any], shape: Shape, dtype: DType,
                 value: np.ndarray | None, location: Location, region: Region | None) -> None:
        self.op, self.args, self.params, self.shape, self.dtype = op, args, params, shape, dtype
        self.value, self.location, self.region, self.owner = value, location, region, None
        self.varies = True

    @property
    def layer(self) -> str:
        """The path of the layer that it was made in, "" outside of layers."""
        return "" if self.region is None else self.region.layer

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def __repr__(self) -> str:
        return f"<{self.op.name} {self.dtype}{list(self.shape)}>"


_pool: weakref.WeakValueDictionary[tuple, Node] = weakref.WeakValueDictionary()
_serial = itertools.count()


def next_serial() -> int:
    """A new serial number of this process: the identity of a variable or a tag."""
    return next(_serial)


def intern(op: type[Operation], args: tuple[Node, ...], params: dict[str, Any], shape: Shape, dtype: DType) -> Node:
    """The one node of this operation, arguments and parameters; parameters must be hashable."""
    key = (op, args, tuple(sorted(params.items())), shape, dtype) if params else (op, args, shape, dtype)
    known = _pool.get(key)
    return known if known is not None else _pool.setdefault(key, fresh(op, args, params, shape, dtype))


def fresh(op: type[Operation], args: tuple[Node, ...], params: dict[str, Any], shape: Shape, dtype: DType) -> Node:
    """A node that is not interned: no other expression becomes the same node."""
    varies = op.varies or any(arg.varies for arg in args)
    region = scopes.region if varies and args else None  # all else is shared by many graphs, and belongs to none
    node = Node(op, args, params, shape, dtype, None, user_location(), region)
    node.varies = varies
    return node
