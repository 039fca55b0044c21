"""fashion: what piece of clothing a picture shows; a small residual net on moved and mirrored pictures of Fashion-MNIST."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ... import nn
from ...data.transforms import augment
from ...tensor import Tensor, asarray
from ...zoo.networks import small_resnet
from ..classification import image_classifier
from ..experiment import Config, Setting


def network(shape: tuple[int, ...], classes: int, width: int = 32) -> nn.Module:
    """The residual net of 8 layers: three stages of one block each, with width, 2 width and 4 width filters."""
    return small_resnet(shape, classes, depth=8, width=width)


def training(config: Config) -> dict[str, Any]:
    """More arguments of fit: shifted and mirrored images, label smoothing, decay of the weights."""

    weight = asarray(np.float32(config["decay"] / 2))  # a tensor: another decay needs no other program

    def moved(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return augment.flip(augment.shift(x, config["shift"])), y

    def penalty(net: nn.Module) -> Tensor:
        return weight * nn.l2_penalty(net)

    return {"augment": moved, "loss": partial(nn.cross_entropy, label_smoothing=config["smoothing"]), "penalty": penalty}


recipe = image_classifier(
    name="fashion",
    caption="a residual net of 8 layers on moved and mirrored pictures of clothes",
    network=network,
    datasets=("fashion",),
    epochs=Setting(15, "after 8 it is as good on new images as on training images: it can still improve"),
    batch=Setting(128, "large enough for the high learning rate of this schedule"),
    optimizer=Setting("momentum", "the usual choice for residual networks"),
    schedule=Setting("one_cycle", "up, then down to nothing: the best net for few epochs"),
    rates={"sgd": 0.3, "momentum": 0.1, "adam": 3e-3, "adamw": 3e-3},
    rate_reason="the top of the cycle; the usual first choice for a residual net",
    sizes={"width": Setting(32, "filters of the first stage; the next have twice and four times as many")},
    options={"shift": Setting(1, "each image is shifted by up to this many pixels each time, and mirrored half of the time; with 2 a "
                                 "network of this size underfits"),
             "smoothing": Setting(0.1, "a tenth of every label is spread over all classes: shirts and coats are often ambiguous"),
             "decay": Setting(5e-4, "of the weights, as usual for residual networks: weights before batch norm would grow")},
    training=training,
    expected="at least 93% of the test set",
)
