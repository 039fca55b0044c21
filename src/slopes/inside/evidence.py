"""Explanations of a classification: saliency (gradient of the score) and occlusion (effect of covering parts)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import nn
from ..compile import compile
from ..constraint import COUNT, REAL, check
from ..errors import ArgumentError, OutOfRangeError
from ..functions import softmax
from ..modes import no_grad
from ..plot import Picture, View, new_figure
from ..tensor import asarray, tensor
from ..train.mode import Mode
from .draw import as_picture, show


@dataclass
class Evidence(View):
    """map (H, W): the importance of each pixel of `image` for class `target`; `title` says how it is measured."""

    map: np.ndarray
    image: np.ndarray
    target: int
    title: str

    def draw(self) -> Picture:
        """The image and the map, side by side."""
        figure = new_figure(5, 2.8)
        left, right = figure.subplots(1, 2)
        show(left, as_picture(self.image))
        limit = float(np.abs(self.map).max()) or 1.0
        if self.map.min() < 0:
            show(right, self.map, limit)
        else:
            right.imshow(self.map, cmap="magma", interpolation="nearest")
        right.set_title(self.title, fontsize="small")
        left.set_title("input", fontsize="small")
        for axes in (left, right):
            axes.axis("off")
        return Picture(figure)


def saliency(net: nn.Module, image: Any, target: int | None = None) -> Evidence:
    """|d score / d pixel|, the maximum over channels, for class `target` (default: the predicted one) of an image (C, H, W).

    The score is the logit, before softmax. Raises OutOfRangeError for an invalid class.
    Source: Simonyan, Vedaldi, Zisserman, "Deep inside convolutional networks", 2014.

    >>> import slopes as sl
    >>> from slopes.zoo.networks import lenet
    >>> sl.inside.saliency(lenet((1, 28, 28), 10), np.zeros((1, 28, 28)), target=3).map.shape
    (28, 28)
    """
    array = np.asarray(image, np.float32)
    x = tensor(array[None], requires_grad=True)
    with Mode(net, training=False, quiet=True):
        scores = net(x)
        chosen = checked_class("saliency", scores.detach().numpy(), target)
        scores[0, chosen].backward()
    slopes = np.abs(x.grad.numpy()[0])  # type: ignore[union-attr]
    return Evidence(slopes.max(axis=0), array, chosen, f"saliency for class {chosen}")


def occlusion(net: nn.Module, image: Any, target: int | None = None, size: int = 5, stride: int = 1, fill: float = 0.0) -> Evidence:
    """The decrease of the probability of class `target` when a square of size x size around each pixel is filled with `fill`.

    image: (C, H, W). Squares are `stride` pixels apart and may extend over the border; each pixel gets the value of the nearest one.
    A decrease is positive. Raises OutOfRangeError for an invalid class.
    Source: Zeiler and Fergus, "Visualizing and understanding convolutional networks", 2014.

    >>> import slopes as sl
    >>> from slopes.zoo.networks import lenet
    >>> sl.inside.occlusion(lenet((1, 28, 28), 10), np.ones((1, 28, 28)), size=7, stride=7).map.shape
    (28, 28)
    """
    check("occlusion", {"size": COUNT, "stride": COUNT, "fill": REAL}, {"size": size, "stride": stride, "fill": fill})
    array = np.asarray(image, np.float32)
    rows, columns = (np.arange(0, side, stride) for side in array.shape[1:])
    covered = np.repeat(array[None], len(rows) * len(columns), axis=0)
    for i, (row, column) in enumerate((row, column) for row in rows for column in columns):
        top, left = max(0, row - size // 2), max(0, column - size // 2)
        covered[i, :, top : row - size // 2 + size, left : column - size // 2 + size] = fill
    with Mode(net, training=False), no_grad():
        chosen = checked_class("occlusion", net(asarray(array[None])).numpy(), target)
        ask = compile(lambda x: softmax(net(x), axis=1))
        shares = np.concatenate([ask(asarray(part)).numpy()[:, chosen] for part in parts(covered)])
        whole = float(ask(asarray(array[None])).numpy()[0, chosen])
    falls = (whole - shares).reshape(len(rows), len(columns))
    nearest = [np.minimum((np.arange(side) + stride // 2) // stride, count - 1)
               for side, count in zip(array.shape[1:], (len(rows), len(columns)))]
    return Evidence(falls[np.ix_(*nearest)], array, chosen, f"fall of p(class {chosen}) from {whole:.2f}")


def parts(array: np.ndarray, most: int = 256) -> list[np.ndarray]:
    """The examples in parts of nearly equal length."""
    return np.array_split(array, -(-len(array) // most))


def checked_class(owner: str, scores: np.ndarray, target: int | None) -> int:
    """The class to explain."""
    if scores.ndim != 2:
        raise ArgumentError(f"{owner}: the network's outputs have shape {scores.shape}", why="it needs scores (N, classes)")
    if target is None:
        return int(scores[0].argmax())
    if not 0 <= target < scores.shape[1]:
        raise OutOfRangeError(f"{owner}: target {target}, but there are {scores.shape[1]} classes, 0 to {scores.shape[1] - 1}")
    return int(target)
