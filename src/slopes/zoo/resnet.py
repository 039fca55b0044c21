"""ResNet: blocks that add what they compute to what they were given, so that a hundred of them can be trained."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from .. import nn
from ..checkpoints import Checkpoint, WeightMap
from ..checkpoints.folder import pretrained_folder, read_pretrained
from ..checkpoints.network import load_network
from ..errors import StateError
from ..files.reading import Path
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


def from_pretrained(path: Path) -> nn.Module:
    """The ResNet in a file or folder with weights in torchvision's names, in eval mode. `path` may be a repository's name.

    Raises StateError for weights of other networks.
    """
    checkpoint = read_pretrained(pretrained_folder(path))
    kind = "bottleneck" if "layer1.0.conv3.weight" in checkpoint else "basic"
    counts = tuple(count_blocks(checkpoint, stage) for stage in range(4))
    depth = next((depth for depth, stages in STAGES.items() if stages == (kind, counts)), None)
    if depth is None:
        raise StateError(f"{path} holds no ResNet", why=f"its stages have {counts} {kind} blocks",
                         repair="match its weights: sl.match_weights(net, sl.read_checkpoint(path))")
    width, channels = checkpoint.shape("conv1.weight")[:2]
    weights, classes = WeightMap(dict(weight_names(kind, counts))), checkpoint.shape("fc.weight")[0]
    return load_network(lambda: resnet((channels, 224, 224), classes, depth, width), weights, checkpoint)


def count_blocks(checkpoint: Checkpoint, stage: int) -> int:
    return next(i for i in itertools.count() if f"layer{stage + 1}.{i}.conv1.weight" not in checkpoint)


def weight_names(kind: str, counts: tuple[int, ...]) -> Iterator[tuple[str, str]]:
    """(name here, name in torchvision's files) as patterns: blocks and their ReLUs take turns, after four layers."""
    yield from (("0.{p}", "conv1.{p}"), ("1.{p}", "bn1.{p}"))
    here = 4
    for stage, count in enumerate(counts):
        for block in range(count):
            there = f"layer{stage + 1}.{block}."
            for i in range(3 if kind == "bottleneck" else 2):
                yield f"{here}.{3 * i}.{{p}}", f"{there}conv{i + 1}.{{p}}"
                yield f"{here}.{3 * i + 1}.{{p}}", f"{there}bn{i + 1}.{{p}}"
            yield from ((f"{here}.shortcut.{i}.{{p}}", f"{there}downsample.{i}.{{p}}") for i in range(2))
            here += 2
    yield f"{here + 1}.{{p}}", "fc.{p}"
