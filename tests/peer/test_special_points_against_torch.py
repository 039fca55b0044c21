"""Values and gradients at zeros, infinities, ties and constants: wherever PyTorch has a finite gradient it is ours as well."""

from __future__ import annotations

import math

import numpy as np
import pytest

import slopes as sl
from slopes import nn

torch = pytest.importorskip("torch")
functional = torch.nn.functional
inf, nan = math.inf, math.nan

POINTS = [0.0, -0.0, 1.0, -1.0, inf, -inf, nan, 0.5, -2.0, 3.0, 100.0, -100.0]
PAIRS = np.array([(a, b) for a in (0.0, 1.0, -1.0, inf, -inf, nan, 2.0, -2.0, 0.5) for b in (0.0, 1.0, -1.0, inf, -inf, nan, 2.0, 0.5)]).T
ROWS = [[0.0, 0, 0], [3, 4, 0], [-1, 1, 2], [inf, 1, 0], [-inf, -inf, -inf], [inf, inf, 1], [1, 1, 1], [0, 2, 3], [-inf, 1, 2], [2, 2, -2]]
LOGITS = [[0.0, 0, 0], [-inf, 0, 1], [0, -inf, 1], [1000, -1000, 0], [-inf, -inf, 0], [1, 2, 3]]
SAME = ["abs", "exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "rsqrt", "square", "reciprocal", "sin", "cos", "tan", "asin",
        "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "floor", "ceil", "trunc", "round", "sigmoid", "relu"]
BOTH = ["add", "subtract", "multiply", "divide", "pow", "maximum", "minimum", "logaddexp", "atan2", "remainder"]
ACTIVATIONS = ["silu", "elu", "selu", "softplus", "leaky_relu"]

CASES = {  # ours, theirs, arguments
    **{name: (getattr(sl, name), getattr(torch, name), [POINTS]) for name in SAME},
    **{name: (getattr(sl, name), getattr(torch, name), list(PAIRS)) for name in BOTH},
    **{name: (getattr(sl, name), getattr(functional, name), [POINTS]) for name in ACTIVATIONS},
    "log_sigmoid": (sl.log_sigmoid, functional.logsigmoid, [POINTS]),
    **{f"x ** {n}": (lambda x, n=n: x ** n, lambda x, n=n: x ** n, [POINTS]) for n in (0, 1, 2, 3, -1, -2, 1.5)},
    **{f"x ** full({n})": (lambda x, n=n: x ** sl.full(x.shape, float(n), dtype=x.dtype),
                           lambda x, n=n: x ** torch.full(x.shape, float(n), dtype=x.dtype), [POINTS]) for n in (0, 1, 2, 3, -1, 1.5)},
    **{f"norm {n}": (lambda x, n=n: sl.vector_norm(x, axis=1, ord=n), lambda x, n=n: torch.linalg.vector_norm(x, n, dim=1), [ROWS])
       for n in (0, 1, 2, 3, 1.5, inf, -inf, -1)},
    **{f"norm {n} squared": (lambda x, n=n: sl.vector_norm(x, axis=1, ord=n) ** 2,
                             lambda x, n=n: torch.linalg.vector_norm(x, n, dim=1) ** 2, [ROWS]) for n in (1, 2, 3, inf)},
    **{f"var {n}": (lambda x, n=n: sl.var(x, axis=1, correction=n), lambda x, n=n: torch.var(x, 1, correction=n), [ROWS]) for n in (0, 1)},
    **{f"std {n}": (lambda x, n=n: sl.std(x, axis=1, correction=n), lambda x, n=n: torch.std(x, 1, correction=n), [ROWS]) for n in (0, 1)},
    "max": (lambda x: sl.max(x, axis=1), lambda x: torch.amax(x, 1), [ROWS]),
    "min": (lambda x: sl.min(x, axis=1), lambda x: torch.amin(x, 1), [ROWS]),
    "prod": (lambda x: sl.prod(x, axis=1), lambda x: torch.prod(x, 1), [ROWS]),
    "logsumexp": (lambda x: sl.logsumexp(x, axis=1), lambda x: torch.logsumexp(x, 1), [ROWS]),
    "softmax": (lambda x: sl.softmax(x, axis=1)[:, 1], lambda x: torch.softmax(x, 1)[:, 1], [ROWS]),
    "log_softmax": (lambda x: sl.log_softmax(x, axis=1)[:, 1], lambda x: torch.log_softmax(x, 1)[:, 1], [ROWS]),
    "bce": (lambda x: nn.binary_cross_entropy_with_logits(x, sl.asarray([0.0, 1, 0.5] * 4).astype(x.dtype), reduction="none"),
            lambda x: functional.binary_cross_entropy_with_logits(x, torch.tensor([0.0, 1, 0.5] * 4, dtype=x.dtype), reduction="none"),
            [POINTS]),
}
OPTIONS = ({}, {"reduction": "sum"}, {"reduction": "none"}, {"weight": [1.0, 0.0, 2.0]}, {"label_smoothing": 0.1})
LABELS = ([0, 1, 0, 1, 2, -100], [-100] * 6, [2] * 6)
for number, options in enumerate(OPTIONS):
    for labels in LABELS:
        CASES[f"cross_entropy {number} {labels[:3]}"] = (
            lambda x, o=options, t=labels: nn.cross_entropy(x, sl.tensor(t), ignore_index=-100, **{
                key: sl.tensor(value, dtype=x.dtype) if key == "weight" else value for key, value in o.items()}),
            lambda x, o=options, t=labels: functional.cross_entropy(x, torch.tensor(t), ignore_index=-100, **{
                key: torch.tensor(value, dtype=x.dtype) if key == "weight" else value for key, value in o.items()}), [LOGITS])


def weights(shape):
    return np.arange(math.prod(shape)).reshape(shape) % 3 + 1.0


def theirs(function, arrays):
    args = [torch.tensor(array, requires_grad=True) for array in arrays]
    y = function(*args)
    if y.requires_grad:
        y.backward(torch.tensor(weights(y.shape), dtype=y.dtype))
    return y.detach().numpy(), [np.zeros(x.shape) if x.grad is None else x.grad.numpy() for x in args]


def ours(function, arrays, run):
    @run
    def both(*args):
        y, pull = sl.vjp(function, *args)
        return y, pull(sl.tensor(weights(y.shape), dtype=y.dtype))

    y, slopes = both(*map(sl.tensor, arrays))
    return y.numpy(), [slope.numpy() for slope in slopes]


@pytest.mark.parametrize("run", [lambda f: f, sl.compile], ids=["eager", "compiled"])
@pytest.mark.parametrize("case", CASES)
def test_values_and_finite_gradients(case, run):
    function, other, args = CASES[case]
    arrays = [np.array(each, "float64") for each in args]
    wanted, wanted_slopes = theirs(other, arrays)
    value, slopes = ours(function, arrays, run)
    known = ~np.isnan(wanted)
    np.testing.assert_allclose(value[known], wanted[known], rtol=1e-9, atol=1e-12)
    for array, slope, expected in zip(arrays, slopes, wanted_slopes):
        counts = np.isfinite(expected) & ~np.isnan(array)
        if wanted.shape == array.shape:
            counts &= known
        elif wanted.ndim == 1 and array.ndim == 2:
            counts &= known[:, None]
        np.testing.assert_allclose(slope[counts], expected[counts], rtol=1e-9, atol=1e-12)
