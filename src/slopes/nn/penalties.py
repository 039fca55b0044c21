"""Regularization terms to add to a loss: on weights, activations and Jacobians."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..constraint import OPTIONAL_COUNT, Constraint, check, is_real
from ..derivatives import vjp, vmap
from ..errors import ArgumentError, ShapeError
from ..functions import eye
from ..ops.composite import as_float
from ..random import normal
from ..tensor import Tensor, asarray
from .module import Module

BETWEEN = Constraint("a number between 0 and 1", lambda value: is_real(value) and 0 < value < 1, (0, 1, -0.1, 1.5, "0.5"))
NARROW = 1e-6  # mean activations are clipped to this distance from 0 and 1, as log 0 has no gradient


def l1_penalty(parameters: Any) -> Tensor:
    """sum |w|: L1 regularization (the lasso), which drives many weights to (almost) 0.

    parameters: a module, of which the parameters with two or more axes are used (not biases and scales), or tensors. Use it with a
    factor: `fit(penalty=lambda net: 1e-5 * nn.l1_penalty(net))`. Raises ArgumentError if there is nothing to sum.
    Source: Tibshirani, "Regression shrinkage and selection via the lasso", 1996; Goodfellow et al., Deep Learning, section 7.1.2.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> float(nn.l1_penalty([sl.tensor([[1.0, -2.0]])]))
    3.0
    """
    return total([abs(weight).sum() for weight in get_weights("l1_penalty", parameters)])


def l2_penalty(parameters: Any) -> Tensor:
    """sum w^2: L2 regularization (ridge regression); with SGD and a factor c the same as weight_decay=2c.

    parameters and use as in l1_penalty. With Adam, the decoupled weight_decay of AdamW, which is not scaled by the gradient's
    magnitude, is usually better (Loshchilov and Hutter, 2019).
    Source: Goodfellow et al., Deep Learning (2016), section 7.1.1.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> float(nn.l2_penalty([sl.tensor([[1.0, -2.0]])]))
    5.0
    """
    return total([(weight * weight).sum() for weight in get_weights("l2_penalty", parameters)])


def kl_sparsity(activations: Any, target: float = 0.05) -> Tensor:
    """sum over units j of KL(p || q_j) = p log(p / q_j) + (1 - p) log((1 - p) / (1 - q_j)), q_j the unit's mean over the batch.

    activations: (N, ...) from 0 to 1, such as outputs of a sigmoid; 0 when every unit has the mean activation p = target over the
    examples. Raises ArgumentError unless 0 < target < 1, ShapeError without a batch axis.
    Source: Ng, "Sparse autoencoder", CS294A lecture notes, 2011; Lee et al., "Sparse deep belief net model for V2", 2008.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> float(nn.kl_sparsity(sl.tensor([[0.1, 0.0], [0.0, 0.1]]), target=0.05))
    0.0
    >>> round(float(nn.kl_sparsity(sl.tensor([[0.5], [0.5]]), target=0.05)), 4)
    0.4946
    """
    check("kl_sparsity", {"target": BETWEEN}, {"target": target})
    active = as_float(asarray(activations))
    if active.ndim < 1 or not active.shape[0]:
        raise ShapeError(f"kl_sparsity: activations of shape {active.shape}", why="they are averaged over the batch (axis 0)")
    q = active.mean(axis=0).clip(NARROW, 1 - NARROW)
    return (target * (target / q).log() + (1 - target) * ((1 - target) / (1 - q)).log()).sum()


def contractive_penalty(encode: Callable[[Tensor], Tensor], x: Tensor, draws: int | None = None) -> Tensor:
    """The mean over examples of |dh/dx|^2, the squared Frobenius norm of the Jacobian of the code h = encode(x): small if h is
    insensitive to x.

    encode: (N, ...) -> (N, K), independently for each example; x: (N, ...). Exact by default, with one vector-Jacobian product per
    code unit, batched; with `draws`, estimated as the mean of |v^T dh/dx|^2 over that many normal v per example. Its gradient
    needs second derivatives. Raises ShapeError unless the code has two axes.
    Source: Rifai et al., "Contractive auto-encoders", 2011; the estimate: Hutchinson, 1990.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> W = sl.tensor([[1.0, 2.0], [0.0, 3.0]])
    >>> float(nn.contractive_penalty(lambda x: x @ W, sl.ones((5, 2))))  # 1 + 4 + 9
    14.0
    """
    check("contractive_penalty", {"draws": OPTIONAL_COUNT}, {"draws": draws})
    code, pull = vjp(encode, x)
    if code.ndim != 2:
        raise ShapeError(f"contractive_penalty: the code has shape {code.shape}", why="it must be one row of units per example",
                         repair="flatten it in encode: code.reshape(code.shape[0], -1)")
    count, width = code.shape
    if draws is None:
        seeds = eye(width, dtype=code.dtype).reshape((width, 1, width)).broadcast_to((width, count, width))
    else:
        seeds = normal((draws, count, width), dtype=code.dtype)
    slopes = vmap(lambda seed: pull(seed)[0])(seeds)
    return (slopes * slopes).sum() / (count * (draws or 1))


def get_weights(owner: str, parameters: Any) -> list[Tensor]:
    """The weights of a module, or the tensors themselves."""
    if isinstance(parameters, Module):
        weights = [value for value in parameters.parameters() if value.ndim > 1]
    else:
        weights = [parameters] if isinstance(parameters, Tensor) else [asarray(value) for value in parameters]
    if not weights:
        raise ArgumentError(f"{owner}: there are no weights to sum", repair="pass a module with layers, or a list of tensors")
    return weights


def total(terms: list[Tensor]) -> Tensor:
    result = terms[0]
    for term in terms[1:]:
        result = result + term
    return result
