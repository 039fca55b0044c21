"""U-Net: an encoder, a decoder, and a skip connection at each level."""

from __future__ import annotations

from .. import nn
from ..functions import pad
from ..ops.composite import concat
from ..tensor import Tensor


class UNet(nn.Module):
    """One class per pixel: levels of two 3x3 convolutions, pooled on the way down, enlarged and joined on the way up.

    shape: (C, H, W); x: (N, C, H, W), y: (N, classes, H, W), the logits of each pixel. Level l has width 2^l filters. Any size of
    at least 2^(levels - 1) pixels will do: where a size is odd, the enlarged image is filled up with zeros.
    Source: Ronneberger, Fischer, Brox, "U-Net", 2015; with padding and batch norm, as it is built today.

    >>> import slopes as sl
    >>> UNet((1, 12, 9), 2, width=4)(sl.zeros((3, 1, 12, 9))).shape
    (3, 2, 12, 9)
    """

    def __init__(self, shape: tuple[int, ...], classes: int, width: int = 16, levels: int = 3) -> None:
        filters = [width * 2 ** level for level in range(levels)]
        self.down = [double(before, after) for before, after in zip([shape[0], *filters], filters)]
        self.pool = nn.MaxPool2d(2)
        self.enlarge = [nn.ConvTranspose2d(2 * count, count, 2, stride=2) for count in filters[:-1]]
        self.up = [double(2 * count, count) for count in filters[:-1]]
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        seen = []
        for level, block in enumerate(self.down):
            x = block(self.pool(x) if level else x)
            seen.append(x)
        for across, enlarge, block in reversed(list(zip(seen, self.enlarge, self.up))):
            x = block(concat([across, enlarged_to(across, enlarge(x))], axis=1))
        return self.head(x)


def double(before: int, after: int) -> nn.Module:
    """Two 3x3 convolutions that keep the size."""
    return nn.Sequential(nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(),
                         nn.Conv2d(after, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU())


def enlarged_to(like: Tensor, x: Tensor) -> Tensor:
    """x with zeros at its end up to the size of `like`."""
    missing = [n - m for n, m in zip(like.shape[2:], x.shape[2:])]
    return pad(x, ((0, 0), (0, 0), *((0, n) for n in missing))) if any(missing) else x


def small_unet(shape: tuple[int, ...], classes: int, width: int = 16) -> nn.Module:
    """A U-Net of three levels, for images such as digits: 117,090 parameters for one channel and two classes."""
    return UNet(shape, classes, width)
