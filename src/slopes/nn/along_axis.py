"""Layers that compare or gate along an axis: Softmax, LogSoftmax, Softmin, Softmax2d and GLU."""

from __future__ import annotations

from ..constraint import WHOLE, check
from ..functions import glu
from ..ops import composite
from ..tensor import Tensor
from .convolution import check_channels
from .module import Module


class Softmax(Module):
    """y_i = exp(x_i) / sum over j of exp(x_j) along the axis dim: positive, with sum 1; computed without overflow.

    For training, omit it and pass the logits to cross_entropy, which is more accurate.

    >>> import slopes as sl
    >>> sl.nn.Softmax()(sl.tensor([[1e4, 1e4]])).numpy().tolist()
    [[0.5, 0.5]]
    """

    constraints = {"dim": WHOLE}

    def __init__(self, dim: int = -1) -> None:
        check("Softmax", self.constraints, {"dim": dim})
        self.dim = int(dim)

    def forward(self, x: Tensor) -> Tensor:
        return composite.softmax(x, axis=self.dim)

    def details(self) -> str:
        return "" if self.dim == -1 else f"dim={self.dim}"


class LogSoftmax(Module):
    """y_i = x_i - log(sum over j of exp(x_j)) along the axis dim: the logarithm of softmax, computed without
    overflow.

    >>> import slopes as sl
    >>> sl.nn.LogSoftmax()(sl.tensor([[1e4, 0.0]])).numpy().tolist()
    [[0.0, -10000.0]]
    """

    constraints = {"dim": WHOLE}

    def __init__(self, dim: int = -1) -> None:
        check("LogSoftmax", self.constraints, {"dim": dim})
        self.dim = int(dim)

    def forward(self, x: Tensor) -> Tensor:
        return composite.log_softmax(x, axis=self.dim)

    def details(self) -> str:
        return "" if self.dim == -1 else f"dim={self.dim}"


class Softmin(Module):
    """y_i = exp(-x_i) / sum over j of exp(-x_j) along the axis dim: large where x is small, with sum 1.

    >>> import slopes as sl
    >>> sl.nn.Softmin()(sl.tensor([[1e4, 1e4]])).numpy().tolist()
    [[0.5, 0.5]]
    """

    constraints = {"dim": WHOLE}

    def __init__(self, dim: int = -1) -> None:
        check("Softmin", self.constraints, {"dim": dim})
        self.dim = int(dim)

    def forward(self, x: Tensor) -> Tensor:
        return composite.softmax(-x, axis=self.dim)

    def details(self) -> str:
        return "" if self.dim == -1 else f"dim={self.dim}"


class Softmax2d(Module):
    """Softmax over the channels of images, at each position: x and y: (N, C, H, W). Raises ShapeError for other axes.

    >>> import slopes as sl
    >>> sl.nn.Softmax2d()(sl.ones((1, 2, 1, 1))).numpy().ravel().tolist()
    [0.5, 0.5]
    """

    def forward(self, x: Tensor) -> Tensor:
        check_channels(self, x, 2, None)
        return composite.softmax(x, axis=1)


class GLU(Module):
    """y = a sigmoid(b), where a and b are the halves of x along the axis dim: a gated linear unit.

    x: (..., 2n, ...), y: (..., n, ...). Raises ShapeError for an odd length.
    Source: Dauphin et al., "Language modeling with gated convolutional networks", 2017.

    >>> import slopes as sl
    >>> sl.nn.GLU()(sl.tensor([[3.0, 5.0, 0.0, 0.0]])).numpy().tolist()
    [[1.5, 2.5]]
    """

    constraints = {"dim": WHOLE}

    def __init__(self, dim: int = -1) -> None:
        check("GLU", self.constraints, {"dim": dim})
        self.dim = int(dim)

    def forward(self, x: Tensor) -> Tensor:
        return glu(x, self.dim)

    def details(self) -> str:
        return "" if self.dim == -1 else f"dim={self.dim}"
