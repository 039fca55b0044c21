"""Unfold, which lists all windows of images as columns (im2col), and its adjoint Fold (col2im)."""

from __future__ import annotations

import math
from typing import Any

from ..constraint import MARGINS, SIZES, check, per_axis
from ..errors import ShapeError
from ..graph.build import build
from ..graph.shape import window_count
from ..ops.composite import crop
from ..tensor import Tensor
from .convolution import check_channels, options
from .module import Module
from .where import layer_and_location

SPATIAL = (2, 3)


class Windowing(Module):
    """The base class of Unfold and Fold: kernel size, dilation, padding and stride of two axes."""

    constraints = {"kernel_size": SIZES, "dilation": SIZES, "padding": MARGINS, "stride": SIZES}

    def set_sizes(self, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> None:
        owner = type(self).__name__
        check(owner, self.constraints, {"kernel_size": kernel_size, "dilation": dilation, "padding": padding, "stride": stride})
        self.kernel_size, self.dilation = per_axis(owner, "kernel_size", kernel_size, 2), per_axis(owner, "dilation", dilation, 2)
        self.padding, self.stride = per_axis(owner, "padding", padding, 2), per_axis(owner, "stride", stride, 2)

    def counts(self, height: int, width: int) -> tuple[int, ...]:
        """How many windows images of this size have, along each axis."""
        return tuple(window_count(n + 2 * p, k, s, d) for n, p, k, s, d in
                     zip((height, width), self.padding, self.kernel_size, self.stride, self.dilation))

    def details(self) -> str:
        return "x".join(map(str, self.kernel_size)) + options(self, dilation=1, padding=0, stride=1)


class Unfold(Windowing):
    """y[n, :, l] = the values of window l, channel by channel: a convolution is a product with y.

    x: (N, C, H, W), y: (N, C k k, L) for L windows, sizes as in Conv2d; padding is zeros. Raises ShapeError unless x has 4 axes.

    >>> import slopes as sl
    >>> sl.nn.Unfold(2)(sl.arange(6.0).reshape((1, 1, 2, 3))).tolist()
    [[[0.0, 1.0], [1.0, 2.0], [3.0, 4.0], [4.0, 5.0]]]
    """

    def __init__(self, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> None:
        self.set_sizes(kernel_size, dilation, padding, stride)

    def forward(self, x: Tensor) -> Tensor:
        check_channels(self, x, 2, None)
        padded = build("pad", x, widths=((0, 0), (0, 0), *((p, p) for p in self.padding)), value=0)
        view = build("window", padded, axes=SPATIAL, size=self.kernel_size, stride=self.stride, dilation=self.dilation)
        return view.permute_dims((0, 1, 4, 5, 2, 3)).reshape((x.shape[0], x.shape[1] * math.prod(self.kernel_size),
                                                              math.prod(view.shape[2:4])))


class Fold(Windowing):
    """The adjoint of Unfold: the values of all windows are added up at their positions.

    x: (N, C k k, L), y: (N, C, *output_size), where images of output_size have L windows. Raises ShapeError for other axes.

    >>> import slopes as sl
    >>> sl.nn.Fold((2, 3), 2)(sl.ones((1, 4, 2))).tolist()
    [[[[1.0, 2.0, 1.0], [1.0, 2.0, 1.0]]]]
    """

    constraints = {"output_size": SIZES, **Windowing.constraints}

    def __init__(self, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> None:
        check("Fold", self.constraints, {"output_size": output_size})
        self.output_size = per_axis("Fold", "output_size", output_size, 2)
        self.set_sizes(kernel_size, dilation, padding, stride)

    def forward(self, x: Tensor) -> Tensor:
        counts, size = self.counts(*self.output_size), math.prod(self.kernel_size)
        if x.ndim != 3 or x.shape[1] % size or x.shape[2] != math.prod(counts):
            what, where = layer_and_location(self, x)
            raise ShapeError(f"{what} needs x of shape (N, channels * {size}, {math.prod(counts)}), but x is {tuple(x.shape)}",
                             why=f"images of {self.output_size} have {' x '.join(map(str, counts))} windows of {size} values", where=where)
        cut = x.reshape((x.shape[0], x.shape[1] // size, *self.kernel_size, *counts)).permute_dims((0, 1, 4, 5, 2, 3))
        lengths = tuple(n + 2 * p for n, p in zip(self.output_size, self.padding))
        y = build("unwindow", cut, axes=SPATIAL, size=self.kernel_size, stride=self.stride, dilation=self.dilation, lengths=lengths)
        return crop(y, tuple((-p, -p) for p in self.padding))

    def details(self) -> str:
        return f"{'x'.join(map(str, self.output_size))}, {super().details()}"
