"""From the past of a series to its next values: a recurrent net that predicts their differences from the last one."""

from __future__ import annotations

from .. import nn
from ..errors import ShapeError
from ..tensor import Tensor
from .tokens import recurrent


class Forecaster(nn.Module):
    """The next values of a series: the last one seen, plus what a recurrent layer makes of all that was seen.

    y[n, k] = x[n, T - 1] + (W h_T + b)_k, h_T the layer's state after the T values x[n]; kind: "rnn", "lstm" or "gru".
    x: (N, T, 1); y: (N, horizon). So a net that has learned nothing yet is near the forecast that nothing changes, and the sum needs
    no new weights when a series drifts. Raises ShapeError for other axes.
    Source: Cho et al., "Learning phrase representations using RNN encoder-decoder", 2014 (GRU); He et al., 2015 (the sum).

    >>> import slopes as sl
    >>> Forecaster(horizon=3, hidden=8)(sl.zeros((2, 24, 1))).shape
    (2, 3)
    """

    def __init__(self, horizon: int, hidden: int = 32, kind: str = "gru") -> None:
        self.memory = recurrent("Forecaster", kind, 1, hidden, 1)
        self.head = nn.Linear(hidden, horizon)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 3 or x.shape[2] != 1:
            raise ShapeError(f"Forecaster: x is {tuple(x.shape)}", why="its axes are (windows, time, 1): the past of one series",
                             repair="x[:, :, None] adds the last axis" if x.ndim == 2 else "")
        states, _ = self.memory(x)
        return x[:, -1] + self.head(states[:, -1])
