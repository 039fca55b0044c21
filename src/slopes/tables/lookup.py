"""A network with bins in use: what a bin adds to the first layer is looked up, not multiplied by a row of mostly zeros and ones."""

from __future__ import annotations

import numpy as np

from .. import nn
from ..functions import clip, take, where
from ..nn.module import Buffer
from ..ops.composite import concat
from ..tensor import Tensor
from .forward import Forward
from .network import TableNetwork


class BinLookup(nn.Module):
    """The outputs of a trained TableNetwork with bins, for many rows: the same up to rounding, with less work in the first layer.

    The bins of a number in bin j are 1 below j, t = clip((x - low_j) / width_j, 0, 1) at j and 0 above it, so that with the columns w_i
    of the first layer's weight for the bins of this number

        sum_i w_i bin_i(x) = s_j + t w_j,    s_j = w_0 + ... + w_{j-1}

    The weights are those at the time of construction.
    """

    def __init__(self, net: TableNetwork) -> None:
        bins, first = net.bins, net.layers[0]
        assert bins is not None and isinstance(first, nn.Linear)
        column, low = bins.column.numpy(), bins.low.numpy()
        weight, start = first.weight.numpy(), net.numbers
        binned = weight[:, start : start + low.size].T
        columns, starts, counts = np.unique(column, return_index=True, return_counts=True)
        self.net = net
        self.columns, self.starts = Buffer(columns), Buffer(starts)
        self.low, self.width = Buffer(low), Buffer(bins.width.numpy())
        self.edges = Buffer(np.stack([np.pad(low[i : i + n], (0, counts.max() - n), constant_values=np.inf)
                                      for i, n in zip(starts, counts)]))
        self.weights = Buffer(np.ascontiguousarray(binned))
        self.sums = Buffer(np.concatenate([np.cumsum(part, axis=0) - part for part in np.split(binned.astype(np.float64), starts[1:])])
                           .astype(np.float32))
        self.bias = Buffer(np.zeros(first.weight.shape[0], np.float32) if first.bias is None else first.bias.numpy())
        self.others = Buffer(np.delete(weight, slice(start, start + low.size), axis=1).T.copy())

    def forward(self, features: Tensor, codes: Tensor | None = None) -> Tensor:
        _, *layers = self.net.layers
        rest = concat([features, *self.net.embedded(codes)], axis=1)
        y = rest @ self.others + self.bias + self.looked_up(take(features, self.columns, axis=1))
        for layer in layers:
            y = layer(y)
        return y

    def looked_up(self, x: Tensor) -> Tensor:
        """What the bins of the numbers x (N, D) add to the first layer, (N, width)."""
        above = where(x[:, :, None] >= self.edges, 1, 0).sum(axis=2)
        index = self.starts + where(above > 0, above - 1, 0)
        share = clip((x - take(self.low, index, axis=0)) / take(self.width, index, axis=0), 0, 1)
        return (take(self.sums, index, axis=0) + share[:, :, None] * take(self.weights, index, axis=0)).sum(axis=1)


def forward_of(net: TableNetwork) -> Forward:
    """The outputs of a trained network, with its bins looked up where there are many rows."""
    if net.bins is None or not net.bins.low.size:
        return Forward(net)
    return Forward(net, many=BinLookup(net).train(net.training))  # a module that changes its mode in each call is slow
