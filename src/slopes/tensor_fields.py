"""The fields of a tensor: what every file that reads or changes them agrees on."""

from __future__ import annotations

from typing import Any

import numpy as np

from .graph.dtype import DType
from .graph.node import Node
from .graph.shape import Shape
from .methods import Methods
from .modes import Recorder


class TensorFields(Methods):
    """A tensor holds an array, or while a function is traced the node that stands for its values. `Tensor` derives from this.

    _value          the array; None while traced
    _node           how it was computed, or the variable that stands for it in recorded graphs
    _owned          nobody else holds `_value`: a compiled function may write into it (see owned.py)
    _address        where `_value` begins, once somebody asked and it may be read as it lies; else 0
    _requires_grad  whether `backward` gives it a gradient
    _grad           that gradient, a tensor
    _grad_inside    the last gradient was computed inside of a compiled function and stayed there
    _trace          the trace that it belongs to, while traced
    """

    __slots__ = ("__weakref__", "_address", "_grad", "_grad_inside", "_node", "_owned", "_requires_grad", "_trace", "_value")
    _value: np.ndarray | None
    _node: Node | None
    _owned: bool
    _address: int
    _requires_grad: bool
    _grad: Any
    _grad_inside: bool
    _trace: Recorder[Any] | None
    _prints_as = "tensor"
    _is_parameter = False

    def _bind(self, value: np.ndarray | None, node: Node | None, trace: Recorder[Any] | None, requires_grad: bool = False) -> None:
        self._value, self._node, self._trace, self._requires_grad = value, node, trace, requires_grad
        self._owned, self._grad, self._grad_inside, self._address = False, None, False, 0

    @property
    def shape(self) -> Shape:
        """The size of each axis."""
        return self._value.shape if self._value is not None else self._node.shape  # type: ignore[union-attr]

    @property
    def dtype(self) -> DType:
        """The data type of the elements, a NumPy dtype."""
        return self._value.dtype if self._value is not None else self._node.dtype  # type: ignore[union-attr]
