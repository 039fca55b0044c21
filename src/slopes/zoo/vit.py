"""The vision transformer: an image as a sequence of patches."""

from __future__ import annotations

import math

from .. import nn
from ..errors import ArgumentError
from ..ops.composite import concat
from ..tensor import Tensor


class VisionTransformer(nn.Module):
    """A transformer encoder over patches of `patch` x `patch` pixels and one token more, whose output is classified.

    shape: (C, H, W); x: (N, C, H, W), y: (N, classes). Layers are pre-norm with GELU; the positions are learned, one vector each.
    Raises ArgumentError unless patches cover the picture. Source: Dosovitskiy et al., "An image is worth 16x16 words", 2021.

    >>> import slopes as sl
    >>> net = VisionTransformer((1, 28, 28), 10, patch=7, width=32, depth=2, heads=4, hidden=64)
    >>> net(sl.zeros((3, 1, 28, 28))).shape
    (3, 10)
    """

    token: nn.Parameter  # (1, 1, width), zeros

    def __init__(self, shape: tuple[int, ...], classes: int, patch: int = 16, width: int = 768, depth: int = 12, heads: int = 12,
                 hidden: int = 3072, dropout: float = 0.0) -> None:
        channels, *sides = shape
        if any(side % patch for side in sides):
            raise ArgumentError(f"VisionTransformer: patches of {patch}x{patch} do not cover a picture of "
                                f"{'x'.join(map(str, sides))}", why="height and width must be multiples of the patch")
        count = math.prod(side // patch for side in sides)
        self.patches = nn.Conv2d(channels, width, patch, stride=patch)
        self.token = nn.init.blank((1, 1, width))
        self.positions = nn.LearnedEncoding(count + 1, width)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        layer = nn.TransformerEncoderLayer(width, heads, hidden, dropout, "gelu", 1e-6, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, depth, nn.LayerNorm(width, 1e-6))
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        patches = self.patches(x).flatten(2).mT  # (N, patches, width)
        token = self.token.broadcast_to((x.shape[0], 1, patches.shape[2]))
        y = self.encoder(self.dropout(self.positions(concat([token, patches], axis=1))))  # (N, 1 + patches, width)
        return self.head(y[:, 0])


def vit_b16(shape: tuple[int, ...], classes: int, dropout: float = 0.0) -> nn.Module:
    """ViT-B/16: 86,567,656 parameters for (3, 224, 224) and 1000 classes, 197 tokens of 768."""
    return VisionTransformer(shape, classes, dropout=dropout)


def small_vit(shape: tuple[int, ...], classes: int, patch: int = 4, width: int = 64, depth: int = 4, heads: int = 4,
              dropout: float = 0.1) -> nn.Module:
    """A vision transformer for small images, such as digits: patches of 4x4, 4 layers of 64."""
    return VisionTransformer(shape, classes, patch, width, depth, heads, 2 * width, dropout)
