"""`torch.nn.utils`: clipping of gradients, parameters as one vector, padding of sequences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ... import functions as F
from ... import optim
from ...tensor import Tensor as CoreTensor
from ..in_place import change
from ..sides import lifted
from ..tensor import new


@lifted
def clip_grad_norm_(parameters: Any, max_norm: float, norm_type: float = 2.0) -> Any:
    """Scale all gradients by one factor so that their norm together is at most max_norm; returns the norm before."""
    return optim.clip_by_norm(as_list(parameters), max_norm) if norm_type == 2 else refuse_norm(norm_type)


def refuse_norm(norm_type: float) -> Any:
    raise ValueError(f"clip_grad_norm_: norm_type={norm_type} is not in slopes.torch; the norm is the Euclidean one")


@lifted
def clip_grad_value_(parameters: Any, clip_value: float) -> None:
    """Clamp every element of every gradient to -clip_value..clip_value."""
    optim.clip_by_value(as_list(parameters), clip_value)


def as_list(parameters: Any) -> list[Any]:
    return [parameters] if isinstance(parameters, CoreTensor) else list(parameters)


@lifted
def parameters_to_vector(parameters: Iterable[Any]) -> Any:
    return F.concat([F.reshape(parameter, (-1,)) for parameter in parameters], axis=0)


def vector_to_parameters(vec: Any, parameters: Iterable[Any]) -> None:
    start = 0
    for parameter in parameters:
        stop = start + parameter.numel()
        change(parameter.data, "copy_", vec[start:stop].reshape(parameter.shape))
        start = stop


def pad_sequence(sequences: Sequence[Any], batch_first: bool = False, padding_value: float = 0.0) -> Any:
    """One tensor of sequences (L_i, ...), padded at their ends to the longest."""
    arrays = [sequence.numpy() for sequence in sequences]
    padded = np.full((len(arrays), max(map(len, arrays)), *arrays[0].shape[1:]), padding_value, arrays[0].dtype)
    for row, array in zip(padded, arrays):
        row[:len(array)] = array
    return new(padded if batch_first else np.ascontiguousarray(padded.swapaxes(0, 1)))
