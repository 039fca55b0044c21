"""Special functions: error functions and the gamma function, computed in float64 and given in the type of the argument.

Sources: Abramowitz and Stegun, "Handbook of mathematical functions", 1964 (asymptotic series, reflection); Giles, "Approximating the
erfinv function", 2010 (the first approximation of erfinv).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from itertools import accumulate
from typing import Any

from ..graph.dtype import float64
from ..ops import composite
from ..ops.special import CENTRE, FAR, polynomial
from ..tensor import Tensor, asarray, perform

__all__ = ["digamma", "erfc", "erfinv", "lgamma"]

ASYMPTOTIC = tuple(accumulate(range(1, 21), lambda c, n: -c * (2 * n - 1) / 2, initial=1.0))  # of erfc: 1, -1/2, 3/4, ... of 1/x^2
STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)  # 1/z, 1/z^3, 1/z^5, ...
DIGAMMA = (-1 / 12, 1 / 120, -1 / 252, 1 / 240, -1 / 132, 691 / 32760, -1 / 12)  # 1/z^2, 1/z^4, ...
SHIFT = 8  # gamma(x) = gamma(x + 8) / (x (x + 1) ... (x + 7)): the series are exact enough from 8 on
CENTRAL = (1.50140941, 0.246640727, -0.00417768164, -0.00125372503, 0.00021858087, -4.39150654e-06, -3.5233877e-06, 3.43273939e-07,
           2.81022636e-08)
TAIL = (2.83297682, 1.00167406, 0.00943887047, -0.0076224613, 0.00573950773, -0.00367342844, 0.00134934322, 0.000100950558,
        -0.000200214257)


def in_float64(function: Callable[[Tensor], Tensor]) -> Callable[[Any], Tensor]:
    """The function of real numbers, computed in float64; the result has the type of the argument, float32 for integers."""
    @wraps(function)
    def call(x: Any) -> Tensor:
        x = composite.as_float(asarray(x))
        return function(x.astype(float64)).astype(x.dtype)
    return call


def log(x: Tensor) -> Tensor:
    return perform("log", (x,), {})


@in_float64
def erfc(x: Tensor) -> Tensor:
    """1 - erf(x), also where erf(x) is nearly 1: 2/sqrt(pi) times the integral of exp(-t^2) from x to infinity.

    >>> sl.erfc([0., 5.])
    tensor([1.0000000e+00, 1.5374598e-12])
    """
    size = abs(x)
    middle, large = composite.where(size < 1, 1.0, composite.where(size > 6, 6.0, size)), composite.where(size < 6, 6.0, size)
    near = 1 - perform("erf", (x,), {})
    far = perform("exp", (-middle * middle,), {}) * polynomial(FAR, (middle - CENTRE) / (middle + CENTRE))
    farther = perform("exp", (-large * large,), {}) / (large * math.sqrt(math.pi)) * polynomial(ASYMPTOTIC, 1 / (large * large))
    tail = composite.where(size < 6, far, farther)
    return composite.where(size < 1, near, composite.where(x > 0, tail, 2 - tail))


@in_float64
def erfinv(x: Tensor) -> Tensor:
    """The y with erf(y) = x, for x from -1 to 1; NaN outside, and infinite at the ends, where the derivative is infinite too.

    >>> sl.erfinv([-0.5, 0., 0.9])
    tensor([-0.47693628,  0.        ,  1.1630871 ])
    """
    inside = abs(x) < 1
    size = composite.where(inside, abs(x), 0.0)
    w = -log((1 - size) * (1 + size))
    central = polynomial(CENTRAL, composite.where(w < 5, w, 2.5) - 2.5)
    tail = polynomial(TAIL, perform("sqrt", (composite.where(w < 5, 9.0, w),), {}) - 3)
    y = composite.where(w < 5, central, tail) * size
    for _ in range(3):  # Newton's steps, of erf or of log erfc, which is nearly a parabola
        slope = 2 / math.sqrt(math.pi) * perform("exp", (-y * y,), {})
        rest = erfc(y)
        high = (log(1 - size) - log(rest)) * rest
        y = y - composite.where(size < 0.5, perform("erf", (y,), {}) - size, high) / slope
    y = composite.where(x < 0, -y, y)
    end = composite.where(x > 0, math.inf, composite.where(x < 0, -math.inf, x))
    return composite.where(inside, y, composite.where(abs(x) > 1, math.nan, end))


@in_float64
def lgamma(x: Tensor) -> Tensor:
    """log |gamma(x)|, where gamma(n) = (n - 1)! for whole numbers; infinite at 0, -1, -2, ... The derivative is `digamma`.

    >>> sl.lgamma([0.5, 5.])
    tensor([0.5723649, 3.1780539])
    """
    negative = x < 0.5
    z = composite.where(negative, 1 - x, x)
    product = z
    for k in range(1, SHIFT):
        product = product * composite.where(z < SHIFT, z + k, 1.0)
    product = composite.where(z < SHIFT, product, 1.0)
    large = composite.where(z < SHIFT, z + SHIFT, z)
    inverse = 1 / large
    series = (large - 0.5) * log(large) - large + 0.5 * math.log(2 * math.pi) + inverse * polynomial(STIRLING, inverse * inverse)
    above = series - log(product)
    sine = abs(sine_of_pi_times(composite.where(negative, x, 0.25)))
    return composite.where(negative, math.log(math.pi) - log(sine) - above, above)


def sine_of_pi_times(x: Tensor) -> Tensor:
    """sin(pi x), exactly 0 for whole numbers."""
    fraction = x != perform("round", (x,), {})
    return perform("sin", (math.pi * (x - 2 * perform("round", (x / 2,), {})),), {}) * fraction.astype(x.dtype)


@in_float64
def digamma(x: Tensor) -> Tensor:
    """The derivative of lgamma; NaN at -1, -2, ..., minus infinity at 0.

    >>> sl.digamma([1., 10.])
    tensor([-0.5772157,  2.2517526])
    """
    negative = x < 0
    z = composite.where(negative, 1 - x, x)
    shift = sum((1 / composite.where(z < SHIFT, z + k, 1.0) for k in range(1, SHIFT)), 1 / z)
    large = composite.where(z < SHIFT, z + SHIFT, z)
    inverse = 1 / large
    squared = inverse * inverse
    above = log(large) - 0.5 * inverse + squared * polynomial(DIGAMMA, squared) - composite.where(z < SHIFT, shift, 0.0)
    whole = x == perform("round", (x,), {})
    angle = composite.where(negative, composite.where(whole, 0.5, math.pi * (x - perform("round", (x,), {}))), 0.5)
    below = above - math.pi / perform("tan", (angle,), {})
    return composite.where(negative, composite.where(whole, math.nan, below), above)
