"""ResNet: blocks that add what they compute to what they were given, so that a hundred of them can be trained."""

from __future__ import annotations

from .. import nn
from ..functions import pad
from ..tensor import Tensor
from .choice import resolve

# block ("basic" or "bottleneck") and number of blocks in each stage, by the number of layers that have weights
STAGES = {18: ("basic", (2, 2, 2, 2)), 34: ("basic", (3, 4, 6, 3)), 50: ("bottleneck", (3, 4, 6, 3)),
          101: ("bottleneck", (3, 4, 23, 3)), 152: ("bottleneck", (3, 8, 36, 3))}


def resnet(shape: tuple[int, ...], classes: int, depth: int = 18, width: int = 64) -> nn.Module:
    """ResNet of 18, 34, 50, 101 or 152 layers for large images: ResNet-18 has 11,689,512 parameters for (3, 224, 224) and 1000
    classes (512 features), ResNet-50 has 25,557,032 (2048 features). `width` is the number of filters of the first stage.

    Where a stage begins, its first 3x3 convolution halves the size and a 1x1 convolution is the shortcut. Convolutions start He
    normal (fan_out). Source: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", 2016.
    """
    kind, counts = resolve("resnet", "depth", depth, STAGES)
    layers = [*convolution(shape[0], width, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    before = width
    for stage, count in enumerate(counts):
        filters = width * 2 ** stage
        for i in range(count):
            stride = 2 if stage and not i else 1
            layers += basic(before, filters, stride) if kind == "basic" else bottleneck(before, filters, stride)
            before = filters if kind == "basic" else 4 * filters
    return nn.Sequential(*layers, nn.GlobalAvgPool(), nn.Linear(before, classes))


def small_resnet(shape: tuple[int, ...], classes: int, depth: int = 20, width: int = 16) -> nn.Module:
    """ResNet of 6n + 2 layers for small images: ResNet-20 has 269,722 parameters for (3, 32, 32) and 10 classes.

    Three stages of n blocks with 16, 32 and 64 filters; shortcuts between stages have no weights: they skip every other place and
    fill the new channels with zeros (the paper's option A).
    """
    if depth % 6 != 2 or depth < 8:
        resolve("small_resnet", "depth", depth, dict.fromkeys((8, 14, 20, 32, 44, 56, 110)))
    layers = [*convolution(shape[0], width, 3, 1), nn.ReLU()]
    before = width
    for stage in range(3):
        for i in range((depth - 2) // 6):
            filters, stride = width * 2 ** stage, 2 if stage and not i else 1
            shortcut = None if filters == before else Skip(filters)
            layers += [nn.Residual(*convolution(before, filters, 3, stride), nn.ReLU(), *convolution(filters, filters, 3, 1),
                                   shortcut=shortcut), nn.ReLU()]
            before = filters
    return nn.Sequential(*layers, nn.GlobalAvgPool(), nn.Linear(before, classes))


def basic(before: int, filters: int, stride: int) -> list[nn.Module]:
    """Two 3x3 convolutions beside a shortcut."""
    body = [*convolution(before, filters, 3, stride), nn.ReLU(), *convolution(filters, filters, 3, 1)]
    return [nn.Residual(*body, shortcut=projection(before, filters, stride)), nn.ReLU()]


def bottleneck(before: int, filters: int, stride: int) -> list[nn.Module]:
    """A 1x1 convolution to few channels, a 3x3 one on them, and a 1x1 one to four times as many, beside a shortcut."""
    body = [*convolution(before, filters, 1, 1), nn.ReLU(), *convolution(filters, filters, 3, stride), nn.ReLU(),
            *convolution(filters, 4 * filters, 1, 1)]
    return [nn.Residual(*body, shortcut=projection(before, 4 * filters, stride)), nn.ReLU()]


def projection(before: int, after: int, stride: int) -> nn.Module | None:
    """The shortcut where the shape changes; None where x passes by unchanged."""
    return None if before == after and stride == 1 else nn.Sequential(*convolution(before, after, 1, stride))


def convolution(before: int, after: int, size: int, stride: int) -> list[nn.Module]:
    """A convolution that keeps the size (but for its stride), and batch norm, which has the bias."""
    layer = nn.Conv2d(before, after, size, stride, padding=size // 2, bias=False)
    nn.init.kaiming_normal(layer.weight, mode="fan_out", nonlinearity="relu")
    return [layer, nn.BatchNorm2d(after)]


class Skip(nn.Module):
    """Every other place of x, and channels of zeros up to `channels`: a shortcut without weights.

    >>> import slopes as sl
    >>> Skip(8)(sl.ones((1, 4, 6, 6))).shape
    (1, 8, 3, 3)
    """

    def __init__(self, channels: int) -> None:
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        return pad(x[:, :, ::2, ::2], ((0, 0), (0, self.channels - x.shape[1]), (0, 0), (0, 0)))

    def details(self) -> str:
        return f"-> {self.channels}"
