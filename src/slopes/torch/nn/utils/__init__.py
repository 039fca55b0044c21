"""`torch.nn.utils`: clipping of gradients, parameters as one vector, and `rnn`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .... import functions as F
from .... import optim
from ....tensor import Tensor as CoreTensor
from ...in_place import change
from ...sides import lifted
from . import rnn


@lifted
def clip_grad_norm_(parameters: Any, max_norm: float, norm_type: float = 2.0) -> Any:
    """Scale all gradients by one factor so that their norm together is at most max_norm; returns the norm before."""
    if norm_type == 2:
        return optim.clip_by_norm(as_list(parameters), max_norm)
    with_gradient = [parameter for parameter in as_list(parameters) if parameter.grad is not None]
    if not with_gradient:
        return F.asarray(0.0)
    norm = F.vector_norm(F.concat([F.reshape(parameter.grad, (-1,)) for parameter in with_gradient]), ord=norm_type)
    factor = F.minimum(max_norm / (norm + 1e-6), 1.0)
    for parameter in with_gradient:
        parameter.grad = parameter.grad * factor.astype(parameter.grad.dtype)
    return norm


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
    start, vec = 0, vec.detach()
    for parameter in parameters:
        stop = start + parameter.numel()
        change(parameter.data, "copy_", vec[start:stop].reshape(parameter.shape))
        start = stop


__all__ = ["clip_grad_norm_", "clip_grad_value_", "parameters_to_vector", "rnn", "vector_to_parameters"]


def __getattr__(name: str) -> Any:
    raise AttributeError(f"torch.nn.utils.{name} is not in slopes.torch, which has {', '.join(__all__)}")
