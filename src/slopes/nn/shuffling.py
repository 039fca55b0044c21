"""Layers that exchange channels and positions: PixelShuffle, PixelUnshuffle, ChannelShuffle."""

from __future__ import annotations

from ..constraint import COUNT, check
from ..errors import ShapeError
from ..tensor import Tensor
from .convolution import check_channels
from .module import Module
from .where import layer_and_location


class PixelShuffle(Module):
    """y[n, c, r i + a, r j + b] = x[n, c r^2 + r a + b, i, j]: groups of r^2 channels become r x r pixels, r = upscale_factor.

    x: (N, C r^2, H, W), y: (N, C, r H, r W). Raises ShapeError unless x has 4 axes and its channels are a multiple of r^2.
    Source: Shi et al., "Real-time single image and video super-resolution", 2016.

    >>> import slopes as sl
    >>> sl.nn.PixelShuffle(2)(sl.arange(4.0).reshape((1, 4, 1, 1))).tolist()
    [[[[0.0, 1.0], [2.0, 3.0]]]]
    """

    constraints = {"upscale_factor": COUNT}

    def __init__(self, upscale_factor: int) -> None:
        check("PixelShuffle", self.constraints, {"upscale_factor": upscale_factor})
        self.upscale_factor = int(upscale_factor)

    def forward(self, x: Tensor) -> Tensor:
        check_channels(self, x, 2, None)
        (n, c, height, width), r = x.shape, self.upscale_factor
        check_multiple(self, x, 1, r * r)
        cut = x.reshape((n, c // (r * r), r, r, height, width)).permute_dims((0, 1, 4, 2, 5, 3))
        return cut.reshape((n, c // (r * r), r * height, r * width))

    def details(self) -> str:
        return str(self.upscale_factor)


class PixelUnshuffle(Module):
    """The inverse of PixelShuffle: r x r pixels become r^2 channels, r = downscale_factor.

    x: (N, C, r H, r W), y: (N, C r^2, H, W). Raises ShapeError unless x has 4 axes and its height and width are multiples of r.

    >>> import slopes as sl
    >>> sl.nn.PixelUnshuffle(2)(sl.arange(4.0).reshape((1, 1, 2, 2))).reshape((-1,)).tolist()
    [0.0, 1.0, 2.0, 3.0]
    """

    constraints = {"downscale_factor": COUNT}

    def __init__(self, downscale_factor: int) -> None:
        check("PixelUnshuffle", self.constraints, {"downscale_factor": downscale_factor})
        self.downscale_factor = int(downscale_factor)

    def forward(self, x: Tensor) -> Tensor:
        check_channels(self, x, 2, None)
        (n, c, height, width), r = x.shape, self.downscale_factor
        check_multiple(self, x, 2, r)
        check_multiple(self, x, 3, r)
        cut = x.reshape((n, c, height // r, r, width // r, r)).permute_dims((0, 1, 3, 5, 2, 4))
        return cut.reshape((n, c * r * r, height // r, width // r))

    def details(self) -> str:
        return str(self.downscale_factor)


class ChannelShuffle(Module):
    """y[n, g + groups k] = x[n, k + g C / groups]: the channels of each group are dealt out to all groups.

    x and y: (N, C, ...). Raises ShapeError unless the channels are a multiple of groups.
    Source: Zhang et al., "ShuffleNet", 2018.

    >>> import slopes as sl
    >>> sl.nn.ChannelShuffle(2)(sl.arange(6.0).reshape((1, 6, 1))).reshape((-1,)).tolist()
    [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]
    """

    constraints = {"groups": COUNT}

    def __init__(self, groups: int) -> None:
        check("ChannelShuffle", self.constraints, {"groups": groups})
        self.groups = int(groups)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim < 2:
            what, where = layer_and_location(self, x)
            raise ShapeError(f"{what} needs x of shape (N, C, ...), but x is {tuple(x.shape)}", where=where)
        check_multiple(self, x, 1, self.groups)
        n, c, *space = x.shape
        cut = x.reshape((n, self.groups, c // self.groups, *space))
        return cut.permute_dims((0, 2, 1, *range(3, cut.ndim))).reshape((n, c, *space))

    def details(self) -> str:
        return str(self.groups)


def check_multiple(layer: Module, x: Tensor, axis: int, factor: int) -> None:
    if x.shape[axis] % factor:
        what, where = layer_and_location(layer, x)
        raise ShapeError(f"{what} needs axis {axis} of x to be a multiple of {factor}, but x is {tuple(x.shape)}", where=where)
