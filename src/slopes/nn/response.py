"""Local response normalization: each value is divided by the size of the same position in neighbouring channels."""

from __future__ import annotations

from ..constraint import COUNT, REAL, check
from ..errors import ShapeError
from ..graph.build import build
from ..tensor import Tensor
from .module import Module
from .where import layer_and_location


class LocalResponseNorm(Module):
    """y_c = x_c / (k + alpha / size * the sum of x_j^2 over the `size` channels j around c)^beta.

    x and y: (N, C, ...), with at least 3 axes; channels beyond the first and last count as 0. Raises ShapeError for fewer axes.
    Source: Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural networks", 2012.

    >>> import slopes as sl
    >>> sl.nn.LocalResponseNorm(2, alpha=2.0, beta=1.0, k=0.0)(sl.ones((1, 3, 1))).numpy().ravel().tolist()
    [1.0, 0.5, 0.5]
    """

    constraints = {"size": COUNT, "alpha": REAL, "beta": REAL, "k": REAL}

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        check("LocalResponseNorm", self.constraints, {"size": size, "alpha": alpha, "beta": beta, "k": k})
        self.size, self.alpha, self.beta, self.k = int(size), float(alpha), float(beta), float(k)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim < 3:
            what, where = layer_and_location(self, x)
            raise ShapeError(f"{what} needs x of shape (N, C, ...) with at least 3 axes, but x is {tuple(x.shape)}", where=where)
        sides = (self.size // 2, (self.size - 1) // 2)
        squares = build("pad", x * x, widths=((0, 0), sides, *((0, 0),) * (x.ndim - 2)), value=0)
        view = build("window", squares, axes=(1,), size=(self.size,), stride=(1,), dilation=(1,))
        return x / (view.sum(axis=-1) * (self.alpha / self.size) + self.k) ** self.beta

    def details(self) -> str:
        return str(self.size)
