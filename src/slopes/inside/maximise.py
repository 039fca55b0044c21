"""Activation maximization: images that maximize a unit's activation, by gradient ascent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import nn, optim
from ..compile import compile
from ..constraint import COUNT, NOT_NEGATIVE, POSITIVE, check
from ..errors import OutOfRangeError
from ..functions import roll
from ..parameter import Parameter
from ..plot import Picture, View
from ..random import Generator
from ..random import normal as draw_normal
from ..tensor import Tensor, asarray
from ..train.mode import Mode
from .draw import as_picture, sheet
from .watch import Layer, find_layer, output_at


@dataclass
class Favourites(View):
    """images (K, C, H, W): the maximizing image of each unit; activations (K,); the units and the path of their layer."""

    images: np.ndarray
    activations: np.ndarray
    units: list[int]
    path: str

    def draw(self) -> Picture:
        """A grid of the images, labelled with their units."""
        return sheet([as_picture(image) for image in self.images], [f"unit {unit}" for unit in self.units], size=1.1,
                     heading=f"what units of {self.path} like")


def maximise(net: nn.Module, shape: tuple[int, ...], units: Any, layer: Layer = None, steps: int = 200, rate: float = 0.05,
             decay: float = 0.01, smooth: float = 0.1, seed: int = 0) -> Favourites:
    """Gradient ascent on the input: for each of `units` of a layer (default: the network's outputs), the picture x (C, H, W) that
    makes mean activation - decay mean x^2 large.

    A unit of a convolution counts with its mean over positions. `smooth` (0 to 1) is the share of a 3x3 blur that is mixed into x after
    each step, without which the pictures are noise that only the network sees. Adam with `rate`; the seed draws the starting noise.
    Raises OutOfRangeError for a unit that is none. Source: Erhan et al., "Visualizing higher-layer features of a deep network", 2009;
    blur: Yosinski et al., "Understanding neural networks through deep visualization", 2015.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> liked = sl.inside.maximise(nn.Sequential(nn.Flatten(), nn.Linear(16, 3)), (1, 4, 4), units=[0, 2], steps=50)
    >>> liked.images.shape, bool((liked.activations > 0).all())
    ((2, 1, 4, 4), True)
    """
    check("maximise", {"steps": COUNT, "rate": POSITIVE, "decay": NOT_NEGATIVE}, {"steps": steps, "rate": rate, "decay": decay})
    path, module = find_layer(net, net if layer is None else layer)
    chosen = [int(unit) for unit in np.atleast_1d(units)]
    picture = Parameter(draw_normal((len(chosen), *shape), std=0.1, generator=Generator(seed)).numpy())
    ascent = optim.Adam([picture], lr=rate)

    def score() -> Tensor:
        """The activation of each picture's own unit."""
        output = output_at(net, module, picture)
        width = output.shape[1]
        if not all(0 <= unit < width for unit in chosen):
            raise OutOfRangeError(f"maximise: units {chosen} of {path}, which has {width}: 0 to {width - 1}")
        selected = np.eye(width, dtype=np.float32)[chosen].reshape((len(chosen), width) + (1,) * (output.ndim - 2))
        return (output * asarray(selected)).sum(axis=1).reshape((len(chosen), -1)).mean(axis=1)

    @compile
    def step() -> Tensor:
        activation = score()
        loss = decay * (picture * picture).reshape((len(chosen), -1)).mean(axis=1).sum() - activation.sum()
        ascent.zero_grad()
        loss.backward()
        ascent.step()
        if smooth:
            picture.assign(picture.detach() * (1 - smooth) + blur(picture.detach()) * smooth)
        return activation.detach()

    flags = [(parameter, parameter.requires_grad) for parameter in net.parameters()]
    with Mode(net, training=False):
        try:
            for parameter, _ in flags:
                parameter.requires_grad = False
            step.many(steps)
            activations = np.array(step().numpy())
        finally:
            for parameter, before in flags:
                parameter.requires_grad = before
    return Favourites(np.array(picture.detach().numpy()), activations, chosen, path)


def blur(pictures: Tensor) -> Tensor:
    """A 3x3 blur of every channel, with periodic borders."""
    if pictures.ndim != 4:
        return pictures
    across = 2 * pictures + roll(pictures, 1, axis=3) + roll(pictures, -1, axis=3)
    return (2 * across + roll(across, 1, axis=2) + roll(across, -1, axis=2)) / 16
