"""The device and data type of layers: everything is on the CPU, and parameters are float32 or float64."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..constraint import FACTORY, check, float_name
from ..errors import TraceError
from ..graph.dtype import DType, as_dtype, is_float
from ..modes import mode
from ..owned import rebind
from ..tensor import Tensor
from ..versions import versions
from .init import shapes_only_mode


def convert(owner: str, tensors: Iterable[Tensor], device: Any, dtype: Any) -> None:
    """Check device and dtype, and convert the floats among the tensors of a layer to dtype, unless it is None.

    The tensors stay the same objects, so optimizers and other layers that share them see the change; their gradients are dropped.
    """
    check(owner, FACTORY, {"device": device, "dtype": dtype})
    if dtype is None:
        return
    if mode.trace is not None:
        raise TraceError(f"{owner}: its data type is changed inside a function that is being traced",
                         why="a compiled function keeps the types of its state", repair="convert the layer before the function is called")
    target = as_dtype(float_name(dtype))
    for tensor in tensors:
        if is_float(tensor.dtype) and tensor.dtype != target:
            rebind(tensor, cast(tensor, target))
            tensor.grad = None
            versions.structure += 1


def cast(tensor: Tensor, dtype: DType) -> np.ndarray:
    if shapes_only_mode.on:
        return np.broadcast_to(np.zeros((), dtype), tensor.shape)
    return tensor.detach().numpy().astype(dtype)
