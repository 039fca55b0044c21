"""Python's operators, for nodes and tensors alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


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
