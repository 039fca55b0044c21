"""Gradient clipping, between backward and step: bounds the effect of exploding gradients."""

from __future__ import annotations

from typing import Any

from .. import functions as F
from ..constraint import POSITIVE, check
from ..modes import no_grad
from ..tensor import Tensor, asarray
from .parameters import named_parameters


@no_grad()
def clip_by_norm(parameters: Any, limit: float) -> Tensor:
    """Scale all gradients by one factor so that their total norm is at most `limit`; returns the norm before scaling.

    g <- g min(1, limit / (|g| + 1e-6)), where |g| is the L2 norm of all gradients together; the direction does not change.
    `parameters` are a module, a mapping or a list; those without a gradient are skipped. limit > 0. Call it after backward and
    before step, also inside a compiled function. If a square overflows, the norm is inf and finite gradients become 0. Raises
    ArgumentError. Source: Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent neural networks", 2013; the 1e-6 is
    PyTorch's.

    >>> import slopes as sl
    >>> from slopes import optim
    >>> w = sl.Parameter([1.0, 1.0])
    >>> (w * sl.tensor([3.0, 4.0])).sum().backward()
    >>> optim.clip_by_norm([w], 1.0)
    tensor(5.)
    >>> w.grad.numpy().round(4).tolist()
    [0.6000000238418579, 0.800000011920929]
    """
    check("clip_by_norm", {"limit": POSITIVE}, {"limit": limit})
    pairs = with_gradients("clip_by_norm", parameters)
    norm = F.sqrt(sum(((gradient * gradient).sum() for _, gradient in pairs), asarray(0.0)))
    factor = F.minimum(limit / (norm + 1e-6), 1.0)
    for parameter, gradient in pairs:
        parameter.grad = gradient * factor.astype(gradient.dtype)
    return norm


@no_grad()
def clip_by_value(parameters: Any, limit: float) -> None:
    """Clamp every element of every gradient to [-limit, limit]; the direction may change.

    `parameters` and use as in clip_by_norm. Source: Mikolov, "Statistical language models based on neural networks", 2012.

    >>> import slopes as sl
    >>> from slopes import optim
    >>> w = sl.Parameter([1.0, 1.0])
    >>> (w * sl.tensor([-3.0, 0.5])).sum().backward()
    >>> optim.clip_by_value([w], 1.0)
    >>> w.grad
    tensor([-1. ,  0.5])
    """
    check("clip_by_value", {"limit": POSITIVE}, {"limit": limit})
    for parameter, gradient in with_gradients("clip_by_value", parameters):
        parameter.grad = F.clip(gradient, -limit, limit)


def with_gradients(owner: str, parameters: Any) -> list[tuple[Tensor, Tensor]]:
    """(parameter, gradient) of the parameters that have a gradient."""
    return [(parameter, gradient) for parameter in named_parameters(owner, parameters)[1] if (gradient := parameter.grad) is not None]
