"""Gradient clipping, between backward and step: a single steep place cannot throw the parameters far away."""

from __future__ import annotations

from typing import Any

from .. import functions as F
from ..constraint import POSITIVE, check
from ..tensor import Tensor, asarray, no_grad
from .optimizer import named


@no_grad()
def clip_by_norm(parameters: Any, limit: float) -> Tensor:
    """Scale all gradients by one factor so that their common norm is at most `limit`; returns the norm that they had.

    g <- g min(1, limit / (|g| + 1e-6)), where |g| is the root of the sum of squares over all parameters; the direction stays.
    `parameters` are a module's, named ones or a list; those without a gradient are left out. limit > 0. Call it after backward and before
    step, also inside of a compiled function. Squares beyond the range of the type make the norm inf, and finite gradients 0. Raises
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
    found = with_gradients("clip_by_norm", parameters)
    norm = F.sqrt(sum(((gradient * gradient).sum() for _, gradient in found), asarray(0.0)))
    factor = F.minimum(limit / (norm + 1e-6), 1.0)
    for each, gradient in found:
        each.grad = gradient * factor.astype(gradient.dtype)
    return norm


@no_grad()
def clip_by_value(parameters: Any, limit: float) -> None:
    """Bring every element of every gradient into -limit..limit; the direction may change.

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
    for each, gradient in with_gradients("clip_by_value", parameters):
        each.grad = F.clip(gradient, -limit, limit)


def with_gradients(owner: str, parameters: Any) -> list[tuple[Tensor, Tensor]]:
    """(parameter, gradient) of those that have one."""
    return [(each, gradient) for each in named(owner, parameters)[1] if (gradient := each.grad) is not None]
