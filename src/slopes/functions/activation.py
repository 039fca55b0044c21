"""Activation functions."""

from __future__ import annotations

from typing import Any

from ..errors import ShapeError
from ..graph.shape import normalize_axis
from ..ops import composite
from ..tensor import Tensor, asarray

__all__ = [
    "celu", "elu", "gelu", "glu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "heaviside", "leaky_relu", "log_sigmoid", "mish",
    "relu", "relu6", "selu", "sigmoid", "silu", "softmin", "softplus", "softshrink", "softsign", "tanhshrink", "threshold",
]


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


def leaky_relu(x: Any, negative_slope: Any = 0.01) -> Tensor:
    """x for x > 0, negative_slope x elsewhere (Maas, Hannun, Ng 2013).

    >>> sl.leaky_relu([-1., 2.], 0.1)
    tensor([-0.1,  2. ])
    """
    return composite.leaky_relu(asarray(x), negative_slope)


def softplus(x: Any, beta: Any = 1, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(beta x)) / beta, without overflow: a smooth relu whose derivative is sigmoid(beta x).

    It is x where beta x is above another threshold than 20; at 20 it differs from x by 2e-9 / beta.

    >>> sl.softplus([1000., -1000.])
    tensor([1000.,    0.])
    """
    return composite.softplus(asarray(x), beta, threshold)


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


def mish(x: Any) -> Tensor:
    """x tanh(softplus(x)) (Misra 2019).

    >>> sl.mish([0., 100.])
    tensor([  0., 100.])
    """
    return composite.mish(asarray(x))


def celu(x: Any, alpha: Any = 1.0) -> Tensor:
    """x for x > 0, alpha (exp(x / alpha) - 1) elsewhere: an elu whose slope is continuous for every alpha (Barron 2017).

    >>> sl.celu([-1000., 2.], 0.5)
    tensor([-0.5,  2. ])
    """
    return composite.celu(asarray(x), alpha)


def hardtanh(x: Any, min_val: Any = -1.0, max_val: Any = 1.0) -> Tensor:
    """x, but at least min_val and at most max_val; the derivative is 0 there (Collobert 2004).

    >>> sl.hardtanh([-3., 0.5, 2.])
    tensor([-1. ,  0.5,  1. ])
    """
    return composite.hardtanh(asarray(x), min_val, max_val)


def relu6(x: Any) -> Tensor:
    """x, but at least 0 and at most 6 (Krizhevsky 2010).

    >>> sl.relu6([-3., 0.5, 8.])
    tensor([0. , 0.5, 6. ])
    """
    return composite.relu6(asarray(x))


def hardsigmoid(x: Any) -> Tensor:
    """x / 6 + 1/2, but at least 0 and at most 1: the sigmoid in three straight pieces (Courbariaux et al. 2015).

    >>> sl.hardsigmoid([-4., 0., 3.])
    tensor([0. , 0.5, 1. ])
    """
    return composite.hardsigmoid(asarray(x))


def hardswish(x: Any) -> Tensor:
    """x hardsigmoid(x): silu without an exponential (Howard et al. 2019).

    >>> sl.hardswish([-4., 1.5, 4.])
    tensor([-0.   ,  1.125,  4.   ])
    """
    return composite.hardswish(asarray(x))


def softsign(x: Any) -> Tensor:
    """x / (1 + |x|), from -1 to 1: like tanh, with slower tails (Turian et al. 2009).

    >>> sl.softsign([-3., 0., 1.])
    tensor([-0.75,  0.  ,  0.5 ])
    """
    return composite.softsign(asarray(x))


def tanhshrink(x: Any) -> Tensor:
    """x - tanh(x).

    >>> sl.tanhshrink([0., 100.])
    tensor([ 0., 99.])
    """
    return composite.tanhshrink(asarray(x))


def softshrink(x: Any, lambd: Any = 0.5) -> Tensor:
    """x moved towards 0 by lambd, and 0 between -lambd and lambd: the proximal step of an l1 penalty (Donoho 1995).

    >>> sl.softshrink([-2., 0.3, 1.])
    tensor([-1.5,  0. ,  0.5])
    """
    return composite.softshrink(asarray(x), lambd)


def hardshrink(x: Any, lambd: Any = 0.5) -> Tensor:
    """x, but 0 from -lambd to lambd (Donoho and Johnstone 1994).

    >>> sl.hardshrink([-2., 0.3, 1.])
    tensor([-2.,  0.,  1.])
    """
    return composite.hardshrink(asarray(x), lambd)


def threshold(x: Any, threshold: Any, value: Any) -> Tensor:
    """x for x > threshold, value elsewhere, where the derivative is 0.

    >>> sl.threshold([-1., 0., 2.], 0.5, 7.)
    tensor([7., 7., 2.])
    """
    return composite.threshold(asarray(x), threshold, value)


def heaviside(x: Any, values: Any = 1.0) -> Tensor:
    """0 for x < 0, `values` at 0 and 1 above: the step of the threshold neuron (McCulloch and Pitts 1943); no gradient to x.

    >>> sl.heaviside([-1., 0., 2.])
    tensor([0., 1., 1.])
    """
    x = composite.as_float(asarray(x))
    return composite.where(x == 0, values, (x >= 0).astype(x.dtype))


def glu(x: Any, axis: int = -1) -> Tensor:
    """a sigmoid(b), where a and b are the halves of x along an axis (Dauphin et al. 2017).

    Raises ShapeError for an axis of odd length.

    >>> sl.glu([3., 0.])
    tensor([1.5])
    """
    x = asarray(x)
    if x.shape[normalize_axis(axis, x.ndim, "glu")] % 2:
        raise ShapeError(f"glu: axis {axis} of x {x.shape} has an odd length", why="it is cut into two halves")
    first, second = composite.split(x, 2, axis=axis)
    return first * composite.sigmoid(second)


def softmin(x: Any, axis: int = -1) -> Tensor:
    """softmax(-x): large where x is small, with sum 1 along the axis.

    >>> sl.softmin([0., 0.])
    tensor([0.5, 0.5])
    """
    return composite.softmax(-asarray(x), axis=axis)
