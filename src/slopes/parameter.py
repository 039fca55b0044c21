"""Parameters: the tensors that a model learns."""

from __future__ import annotations

from typing import Any

from .tensor import Tensor


class Parameter(Tensor):
    """A tensor that a model learns: it requires a gradient, and modules list it among their parameters.

    >>> import slopes as sl
    >>> sl.Parameter([1., 2.])
    Parameter([1., 2.], requires_grad=True)
    """

    __slots__ = ()
    _prints_as = "Parameter"
    _is_parameter = True

    def __init__(self, data: Any, dtype: Any = None, requires_grad: bool = True) -> None:
        super().__init__(data, dtype, requires_grad)
