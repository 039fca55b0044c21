"""The interned, immutable node of a computation graph: equal expressions are one object, so equality is identity."""

from __future__ import annotations

import itertools
import math
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import Location, user_location
from .dtype import DType
from .scopes import Region, scopes
from .shape import Shape

if TYPE_CHECKING:
    from .operation import Operation


class Operators:
    """Python's operators, for nodes and tensors alike: each builds the operation of its name."""

    __slots__ = ()
    _apply: Callable[..., Any]  # _apply(name, args, params): how this kind of operand performs an operation
    _compose: Callable[..., Any]  # _compose(composite, args, params): and a function made of operations
    __array_ufunc__ = None  # NumPy arrays defer to us: array + tensor is a tensor

    def __add__(self, other): return self._apply("add", (self, other), {})
    def __radd__(self, other): return self._apply("add", (other, self), {})
    def __sub__(self, other): return self._apply("subtract", (self, other), {})
    def __rsub__(self, other): return self._apply("subtract", (other, self), {})
    def __mul__(self, other): return self._apply("multiply", (self, other), {})
    def __rmul__(self, other): return self._apply("multiply", (other, self), {})
    def __truediv__(self, other): return self._apply("divide", (self, other), {})
    def __rtruediv__(self, other): return self._apply("divide", (other, self), {})
    def __floordiv__(self, other): return self._apply("floor_divide", (self, other), {})
    def __rfloordiv__(self, other): return self._apply("floor_divide", (other, self), {})
    def __mod__(self, other): return self._apply("remainder", (self, other), {})
    def __rmod__(self, other): return self._apply("remainder", (other, self), {})
    def __pow__(self, other): return self._apply("pow", (self, other), {})
    def __rpow__(self, other): return self._apply("pow", (other, self), {})
    def __and__(self, other): return self._apply("bitwise_and", (self, other), {})
    def __rand__(self, other): return self._apply("bitwise_and", (other, self), {})
    def __or__(self, other): return self._apply("bitwise_or", (self, other), {})
    def __ror__(self, other): return self._apply("bitwise_or", (other, self), {})
    def __xor__(self, other): return self._apply("bitwise_xor", (self, other), {})
    def __rxor__(self, other): return self._apply("bitwise_xor", (other, self), {})
    def __lshift__(self, other): return self._apply("bitwise_left_shift", (self, other), {})
    def __rlshift__(self, other): return self._apply("bitwise_left_shift", (other, self), {})
    def __rshift__(self, other): return self._apply("bitwise_right_shift", (self, other), {})
    def __rrshift__(self, other): return self._apply("bitwise_right_shift", (other, self), {})
    def __lt__(self, other): return self._apply("less", (self, other), {})
    def __le__(self, other): return self._apply("less_equal", (self, other), {})
    def __gt__(self, other): return self._apply("greater", (self, other), {})
    def __ge__(self, other): return self._apply("greater_equal", (self, other), {})
    def __neg__(self): return self._apply("negative", (self,), {})
    def __pos__(self): return self
    def __abs__(self): return self._apply("abs", (self,), {})
    def __invert__(self): return self._apply("bitwise_invert", (self,), {})


class Node(Operators):
    """One value of a computation: an operation, its arguments (nodes) and parameters, and what follows from them.

    `value` is the array when it is already known: always for constants, and for whatever ran eagerly.
    `location` is the user's (file, line) that built it first; `region` the call of a layer or function that was running then.
    `owner` refers weakly to the tensor that gets the gradient of this node, if one does.
    """

    __slots__ = ("__weakref__", "args", "dtype", "location", "op", "owner", "params", "region", "shape", "value")
    op: type[Operation]
    args: tuple[Node, ...]
    params: dict[str, Any]
    shape: Shape
    dtype: DType
    location: Location
    region: Region | None
    value: np.ndarray | None
    owner: weakref.ref | None

    def __init__(self, op: type[Operation], args: tuple[Node, ...], params: dict[str, Any], shape: Shape, dtype: DType,
                 value: np.ndarray | None, location: Location, region: Region | None) -> None:
        self.op, self.args, self.params, self.shape, self.dtype = op, args, params, shape, dtype
        self.value, self.location, self.region, self.owner = value, location, region, None

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
    region = scopes.region if args else None  # leaves such as constants are shared by many graphs
    return Node(op, args, params, shape, dtype, None, user_location(), region)
