"""The network of a series: a linear forecast, which begins as ridge regression, and a recurrent net that corrects it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ... import nn
from ...nn import init
from ...ops.composite import concat
from ...tensor import Tensor
from ...zoo.tokens import recurrent
from ..answers import outputs
from .series_inputs import Windows

PENALTIES = tuple(10.0**power for power in range(-4, 2))  # times the number of windows
LEAST_PENALTY = 1e-6  # of the constant term, as a share of the others
SMALLEST = 1e-4  # added to the squared spread of a window, for constant ones
AT_ONCE = 2048  # windows that are predicted together


class SeriesNetwork(nn.Module):
    """The next values of a series, all at once, from windows of the past and what is known of the future.

    past (N, window, 1 + P): the series x, columns beside it and what was known in advance; future (N, horizon, 1 + F): the value s one
    period before, and what is known in advance. With a = x[n, window - 1], the last value seen, and p the last row of `past`,

        y[n, k] = a + W_k (x - a, p) + V_k (s[n, k] - a, future[n, k, 1:]) + b_k + d U_k h,

    h the state of a GRU after ((x - a) / d, the rest of `past`), d the root mean square of x - a, so that a window of larger waves is
    corrected by more; without `hidden` there is none. U begins at 0: at first the net is a linear autoregression in several steps,
    whose weights `begin_with` sets. `margins` (horizon,) are the half widths of the 90% intervals.
    Source: Zeng, Chen, Zhang, Xu, "Are transformers effective for time series forecasting?", 2023 (linear, relative to the last
    value); Kim et al., "Reversible instance normalization", 2022 (d); Cho et al., 2014 (GRU).

    >>> import slopes as sl
    >>> net = SeriesNetwork(window=24, horizon=12, past=3, future=2, hidden=8)
    >>> net(sl.zeros((5, 24, 3)), sl.zeros((5, 12, 2))).shape
    (5, 12)
    """

    def __init__(self, window: int, horizon: int, past: int, future: int, hidden: int) -> None:
        self.linear = nn.Linear(window + past, horizon)
        self.effects = init.zeros(init.blank((horizon, future)))
        self.memory = recurrent("SeriesNetwork", "gru", past, hidden, 1) if hidden else None
        self.correction = nn.Linear(hidden, horizon, bias=False) if hidden else None
        if self.correction is not None:
            init.zeros(self.correction.weight)
        self.margins = nn.Buffer(np.zeros(horizon, np.float32))

    def forward(self, past: Tensor, future: Tensor) -> Tensor:
        x = past[:, :, 0]
        last = x[:, -1:]
        seen = x - last
        ahead = concat([future[:, :, :1] - last[:, :, None], future[:, :, 1:]], axis=2)
        y = last + self.linear(concat([seen, past[:, -1]], axis=1)) + (ahead * self.effects).sum(axis=2)
        if self.memory is None or self.correction is None:
            return y
        spread = ((seen * seen).mean(axis=1, keepdims=True) + SMALLEST).sqrt()
        states, _ = self.memory(concat([(seen / spread)[:, :, None], past[:, :, 1:]], axis=2))
        return y + spread * self.correction(states[:, -1])

    def begin_with(self, start: RidgeWeights) -> None:
        """Take the weights of a ridge regression as those of the linear part."""
        size = self.linear.in_features
        for owner, name, weights in ((self.linear, "weight", start.weights[:, :size]), (self, "effects", start.weights[:, size:-1]),
                                     (self.linear, "bias", start.weights[:, -1])):
            setattr(owner, name, nn.Parameter(weights.astype(np.float32)))

    def blend_with(self, start: RidgeWeights, share: float) -> None:
        """Become the network that forecasts share * (what this one does) + (1 - share) * (what it began with)."""
        learned = [parameter.numpy() for parameter in (self.linear.weight, self.effects, self.bias)]
        self.begin_with(start._replace(weights=(1 - share) * start.weights + share * np.concatenate(
            [learned[0], learned[1], learned[2][:, None]], axis=1)))
        if self.correction is not None:
            self.correction.weight = nn.Parameter(np.float32(share) * self.correction.weight.numpy())

    @property
    def bias(self) -> nn.Parameter:
        """The bias of the linear part."""
        assert self.linear.bias is not None, "the linear part has a bias"
        return self.linear.bias


class RidgeWeights(NamedTuple):
    """Weights (horizon, window + past + future + 1) of the linear forecast, and the penalty that was best in validation."""

    weights: np.ndarray
    penalty: float

    def __call__(self, windows: Windows) -> np.ndarray:
        """The forecasts (N, horizon), scaled."""
        steps = range(len(self.weights))
        return windows.last + np.stack([design(windows, k) @ self.weights[k] for k in steps], axis=1)


def design(windows: Windows, k: int) -> np.ndarray:
    """What the linear forecast of step k is made of (N, window + past + future + 1), float64: as in SeriesNetwork, and a 1."""
    seen = windows.past[:, :, 0] - windows.last
    ahead = windows.future[:, k].copy()
    ahead[:, :1] -= windows.last
    parts = [seen, windows.past[:, -1], ahead, np.ones_like(windows.last)]
    return np.concatenate(parts, axis=1).astype(np.float64)


def ridge(train: Windows, validation: Windows) -> RidgeWeights:
    """Linear autoregression, one ridge regression for each step ahead, with the penalty whose mean absolute error in validation is least.

    Source: Hoerl, Kennard, "Ridge regression", 1970.
    """
    horizon = train.targets.shape[1]
    rows: list[list[np.ndarray]] = [[] for _ in PENALTIES]
    for k in range(horizon):
        inputs = design(train, k)
        gram, moments = inputs.T @ inputs, inputs.T @ (train.targets[:, k] - train.last[:, 0])
        mask = np.ones(len(gram))
        mask[-1] = LEAST_PENALTY
        for weights, penalty in zip(rows, PENALTIES):
            weights.append(np.linalg.solve(gram + np.diag(penalty * len(inputs) * mask), moments))
    fits = [RidgeWeights(np.stack(weights), penalty) for weights, penalty in zip(rows, PENALTIES)]
    return min(fits, key=lambda fit: float(np.abs(fit(validation) - validation.targets).mean()))


def forecasts(net: SeriesNetwork, windows: Windows) -> np.ndarray:
    """The network's forecasts (N, horizon), scaled, float64."""
    parts = [outputs(net, windows.past[first : first + AT_ONCE], windows.future[first : first + AT_ONCE])
             for first in range(0, len(windows), AT_ONCE)]
    return np.concatenate(parts).astype(np.float64)
