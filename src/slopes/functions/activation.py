"""Activation functions."""

from __future__ import annotations

from typing import Any

from ..ops import composite
from ..tensor import Tensor, asarray

__all__ = ["elu", "gelu", "leaky_relu", "log_sigmoid", "relu", "selu", "sigmoid", "silu", "softplus", "threshold"]


def sigmoid(x: Any) -> Tensor:
    """1 / (1 + exp(-x)), without overflow; the derivative is y (1 - y), 1/4 at 0.

    >>> sl.sigmoid([0., 1000., -1000.])
    tensor([0.5, 1. , 0. ])
    """
    return composite.sigmoid(asarray(x))


def log_sigmoid(x: Any) -> Tensor:
    """log(sigmoid(x)), accurate even where sigmoid underflows to 0.

    >>> sl.log_sigmoid([-1000.])
    tensor([-1000.])
    """
    return composite.log_sigmoid(asarray(x))


def relu(x: Any) -> Tensor:
    """max(x, 0); the derivative is 0 for x <= 0 and 1 above (Nair and Hinton 2010).

    >>> sl.relu([-1., 2.])
    tensor([0., 2.])
    """
    return composite.relu(asarray(x))


def leaky_relu(x: Any, slope: Any = 0.01) -> Tensor:
    """x for x > 0, slope x elsewhere (Maas, Hannun, Ng 2013).

    >>> sl.leaky_relu([-1., 2.], 0.1)
    tensor([-0.1,  2. ])
    """
    return composite.leaky_relu(asarray(x), slope)


def softplus(x: Any, beta: Any = 1) -> Tensor:
    """log(1 + exp(beta x)) / beta, without overflow: a smooth relu whose derivative is sigmoid(beta x).

    >>> sl.softplus([1000., -1000.])
    tensor([1000.,    0.])
    """
    return composite.softplus(asarray(x), beta)


def elu(x: Any, alpha: Any = 1.0) -> Tensor:
    """x for x > 0, alpha (exp(x) - 1) elsewhere (Clevert, Unterthiner, Hochreiter 2016).

    >>> sl.elu([-1000., 2.])
    tensor([-1.,  2.])
    """
    return composite.elu(asarray(x), alpha)


def selu(x: Any) -> Tensor:
    """1.0507 elu(x, alpha=1.6733): self-normalizing in deep dense networks (Klambauer et al. 2017).

    >>> sl.selu([-1000., 1.])
    tensor([-1.7580993,  1.050701 ])
    """
    return composite.selu(asarray(x))


def gelu(x: Any, approximate: str = "none") -> Tensor:
    """x times the standard normal CDF at x; approximate="tanh" uses the tanh approximation (Hendrycks and Gimpel 2016).

    In float32 within 2^-23 |x| of the true value (float64: 2^-51 |x|), for every finite x: 0 far below 0, x far above; NaN at -inf.

    >>> sl.gelu([0., 10.])
    tensor([ 0., 10.])
    """
    return composite.gelu(asarray(x), approximate)


def silu(x: Any) -> Tensor:
    """x sigmoid(x), also called swish (Elfwing, Uchibe, Doya 2018).

    >>> sl.silu([0., 100.])
    tensor([  0., 100.])
    """
    return composite.silu(asarray(x))


def threshold(x: Any) -> Tensor:
    """1 for x >= 0, otherwise 0: the threshold neuron (McCulloch and Pitts 1943); no gradient.

    >>> sl.threshold([-1., 0., 2.])
    tensor([0., 1., 1.])
    """
    x = composite.as_float(asarray(x))
    return (x >= 0).astype(x.dtype)
