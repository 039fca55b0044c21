"""The fields of a tensor: what every file that reads or changes them agrees on."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .graph.dtype import DType
from .graph.node import Node
from .graph.shape import Shape
from .methods import Methods
from .modes import Recorder
from .versions import versions


class Remote(Protocol):
    """A value that lies on a device. `is_here`: its tensor has a copy of it."""

    is_here: bool
    shape: Shape
    dtype: DType

    def fetch(self) -> np.ndarray:
        """A read-only copy in an array that nobody else holds."""


class TensorFields(Methods):
    """A tensor holds an array, or while a function is traced the node that stands for its values. `Tensor` derives from this.

    _value          the array; None while traced; unset while the value lies on a device alone: reading it fetches it
    _node           how it was computed, or the variable that stands for it in recorded graphs
    _owned          nobody else holds `_value`: a compiled function may write into it (see owned.py)
    _address        where `_value` begins, once somebody asked and it may be read as it lies; else 0
    _requires_grad  whether `backward` gives it a gradient
    _grad           that gradient, a tensor
    _grad_inside    the last gradient was computed inside of a compiled function and stayed there
    _trace          the trace that it belongs to, while traced
    _remote         its value on a device, if it lies there (see owned.py)
    """

    __slots__ = ("__weakref__", "_address", "_grad", "_grad_inside", "_node", "_owned", "_remote", "_requires_grad", "_trace", "_value")
    _value: np.ndarray | None
    _node: Node | None
    _owned: bool
    _address: int
    _requires_grad: bool
    _grad: Any
    _grad_inside: bool
    _trace: Recorder[Any] | None
    _remote: Remote | None
    _prints_as = "tensor"
    _is_parameter = False

    def _bind(self, value: np.ndarray | None, node: Node | None, trace: Recorder[Any] | None, requires_grad: bool = False) -> None:
        self._value, self._node, self._trace, self._requires_grad = value, node, trace, requires_grad
        self._owned, self._grad, self._grad_inside, self._address, self._remote = False, None, False, 0, None

    @property
    def shape(self) -> Shape:
        """The size of each axis."""
        return self._value.shape if self._value is not None else self._node.shape  # type: ignore[union-attr]

    @property
    def dtype(self) -> DType:
        """The data type of the elements, a NumPy dtype."""
        return self._value.dtype if self._value is not None else self._node.dtype  # type: ignore[union-attr]


class RemoteFields(TensorFields):
    """A tensor whose value lies on a device alone: reading it fetches it.

    It is the class of the tensor only until then (see `remote_class`): a class that looks for attributes which are not set makes every
    access to an attribute slower.
    """

    __slots__ = ()
    local_class: type[TensorFields]

    if not TYPE_CHECKING:  # a type checker would take any attribute for known

        def __getattr__(self, name: str) -> Any:
            """The value; Python asks here for attributes that are not set."""
            if name == "_value":
                return fetch(self)
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)

    @property
    def shape(self) -> Shape:
        """The size of each axis."""
        return self._remote.shape if self._remote is not None else super().shape

    @property
    def dtype(self) -> DType:
        """The data type of the elements, a NumPy dtype."""
        return self._remote.dtype if self._remote is not None else super().dtype


VALUE = vars(TensorFields)["_value"]


@cache
def remote_class(kind: type[TensorFields]) -> type[TensorFields]:
    """What a class of tensors becomes while the value of one lies on a device alone."""
    if issubclass(kind, RemoteFields):
        return kind
    members = {"__slots__": (), "__module__": kind.__module__, "__qualname__": kind.__qualname__, "local_class": kind}
    return type(kind.__name__, (RemoteFields, kind), members)


def local_class(kind: type[TensorFields]) -> type[TensorFields]:
    """The class of tensors whose values are here."""
    return kind.local_class if issubclass(kind, RemoteFields) else kind


def fetch(x: TensorFields) -> np.ndarray | None:
    """The value of a tensor, fetched from its device if it is not here."""
    with versions.gate:  # no call of a compiled function replaces it meanwhile
        if x._remote is not None:
            x._remote.is_here = True  # before it is: Ctrl-C may come in between
            x._value = x._remote.fetch()
        value: np.ndarray | None = VALUE.__get__(x)
        x.__class__ = local_class(type(x))
        return value
