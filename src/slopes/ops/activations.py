"""Activation functions, composed so that neither they nor their first two derivatives overflow."""

from __future__ import annotations

from math import pi, sqrt
from typing import Any

from ..errors import ArgumentError
from ..graph.build import build, constant
from ..graph.composite import composed
from ..graph.scopes import named_call
from .statistics import as_float

X = Any  # a Node or a Tensor


def where(condition: X, x: X, y: X) -> X:
    """x where the condition holds, else y; Python numbers take the type of the other choice."""
    if isinstance(x, (bool, int, float)):
        x = constant(x, y.dtype)
    elif isinstance(y, (bool, int, float)):
        y = constant(y, x.dtype)
    return build("where", condition, x, y)


@composed(1)
def relu(x: X) -> X:
    """max(x, 0), with slope 0 at 0; NaN stays NaN."""
    return where(x <= 0, 0, x)


@named_call
def leaky_relu(x: X, slope: float = 0.01) -> X:
    """x where x > 0, else slope * x."""
    x = as_float(x)
    return where(x > 0, x, x * slope)


def decay(x: X) -> X:
    """exp(-|x|), which never overflows; written without |x|, whose slope at 0 is not the one needed here."""
    return build("exp", where(x < 0, x, -x))


@composed(1)
def sigmoid(x: X) -> X:
    """1 / (1 + exp(-x)), as exp(x) / (1 + exp(x)) for negative x, where exp(-x) would overflow."""
    x = as_float(x)
    small = decay(x)
    return where(x < 0, small, 1.0) / (small + 1)


LINEAR = 20  # where beta x is above it, softplus is beta x up to 2e-9: the threshold at which PyTorch returns x


@named_call
def softplus(x: X, beta: float = 1, threshold: float = LINEAR) -> X:
    """log(1 + exp(beta x)) / beta, a smooth relu: as max(x, 0) + log1p(exp(-|beta x|)) / beta; x where beta x > threshold, which the
    usual threshold needs no selection for."""
    x = as_float(x)
    one = isinstance(beta, (int, float)) and beta == 1
    smooth = relu_right(x) + (build("log1p", decay(x)) if one else build("log1p", decay(x * beta)) / beta)
    return smooth if threshold == LINEAR else where(x * beta > threshold, x, smooth)


def relu_right(x: X) -> X:
    """max(x, 0), with slope 1 at 0: beside the slope -1/2 of log1p(exp(-|x|)) there, softplus gets its 1/2."""
    return where(x < 0, 0, x)


@composed(1)
def log_sigmoid(x: X) -> X:
    """log(sigmoid(x)) = -softplus(-x), exact where sigmoid underflows."""
    return -softplus(-as_float(x))


@named_call
def elu(x: X, alpha: float = 1.0) -> X:
    """x where x > 0, else alpha * (exp(x) - 1) (Clevert et al. 2016)."""
    x = as_float(x)
    return where(x > 0, x, build("expm1", where(x > 0, 0, x)) * alpha)


SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805  # with these, mean 0 and variance 1 are a fixed point


@named_call
def selu(x: X) -> X:
    """1.0507 times elu with alpha = 1.6733 (Klambauer et al. 2017)."""
    return elu(x, SELU_ALPHA) * SELU_SCALE


@named_call
def celu(x: X, alpha: float = 1.0) -> X:
    """x where x > 0, else alpha * (exp(x / alpha) - 1): elu with slope 1 at 0 for every alpha (Barron 2017)."""
    x = as_float(x)
    return where(x > 0, x, build("expm1", where(x > 0, 0, x) / alpha) * alpha)


@composed(1)
def silu(x: X) -> X:
    """x * sigmoid(x), also called swish."""
    x = as_float(x)
    return x * sigmoid(x)


@composed(1)
def gelu(x: X, approximate: str = "none") -> X:
    """x times the normal distribution function at x; with approximate="tanh", its tanh form (Hendrycks and Gimpel 2016)."""
    x = as_float(x)
    if approximate == "none":
        return x * 0.5 * (build("erf", x * sqrt(0.5)) + 1)
    if approximate == "tanh":
        return x * 0.5 * (build("tanh", (x + x * x * x * 0.044715) * sqrt(2 / pi)) + 1)
    raise ArgumentError(f"gelu: approximate={approximate!r} is not known", repair='choose "none" or "tanh"')


@composed(1)
def mish(x: X) -> X:
    """x * tanh(softplus(x)) (Misra 2019)."""
    x = as_float(x)
    return x * build("tanh", softplus(x))


@named_call
def hardtanh(x: X, min_val: float = -1.0, max_val: float = 1.0) -> X:
    """x between min_val and max_val, and the nearer of both elsewhere, where its slope is 0; NaN stays NaN."""
    x = as_float(x)
    return where(x <= min_val, min_val, where(x >= max_val, max_val, x))


@composed(1)
def relu6(x: X) -> X:
    """x between 0 and 6 (Krizhevsky 2010)."""
    return hardtanh(x, 0.0, 6.0)


@composed(1)
def hardsigmoid(x: X) -> X:
    """x / 6 + 1/2 between -3 and 3, 0 below and 1 above."""
    return hardtanh(as_float(x) + 3, 0.0, 6.0) / 6


@composed(1)
def hardswish(x: X) -> X:
    """x * hardsigmoid(x) (Howard et al. 2019)."""
    x = as_float(x)
    return x * hardtanh(x + 3, 0.0, 6.0) / 6


@composed(1)
def softsign(x: X) -> X:
    """x / (1 + |x|)."""
    x = as_float(x)
    return x / (abs(x) + 1)


@composed(1)
def tanhshrink(x: X) -> X:
    """x - tanh(x)."""
    x = as_float(x)
    return x - build("tanh", x)


@named_call
def softshrink(x: X, lambd: float = 0.5) -> X:
    """x moved towards 0 by lambd, and 0 within lambd of 0; NaN stays NaN."""
    x = as_float(x)
    return where(x > lambd, x - lambd, where(x < -lambd, x + lambd, x * 0))


@named_call
def hardshrink(x: X, lambd: float = 0.5) -> X:
    """x, but 0 within lambd of 0."""
    x = as_float(x)
    return where((x >= -lambd) & (x <= lambd), 0, x)


@named_call
def threshold(x: X, threshold: float, value: float) -> X:
    """x where x > threshold, else value."""
    x = as_float(x)
    return where(x <= threshold, value, x)
