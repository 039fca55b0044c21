"""fashion: what piece of clothing a picture shows; a small residual net on moved and mirrored pictures of Fashion-MNIST."""

from __future__ import annotations

from functools import partial
from typing import Any

from ... import nn
from ...data.transforms import augment
from ...tensor import Tensor
from ...zoo.networks import small_resnet
from ..experiment import Recipe, Setting


def network(shape: tuple[int, ...], classes: int, width: int = 32) -> nn.Module:
    """The residual net of 8 layers: three stages of one block each, with width, 2 width and 4 width filters."""
    return small_resnet(shape, classes, depth=8, width=width)


def training(values: dict[str, Any]) -> dict[str, Any]:
    """What fit is given besides: moved and mirrored pictures, a smoothed loss, decay of the weights."""

    def moved(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return augment.flip(augment.shift(x, values["shift"])), y

    def penalty(net: nn.Module) -> Tensor:
        return values["decay"] / 2 * nn.l2_penalty(net)

    return {"augment": moved, "loss": partial(nn.cross_entropy, label_smoothing=values["smoothing"]), "penalty": penalty}


recipe = Recipe(
    name="fashion",
    caption="a residual net of 8 layers on moved and mirrored pictures of clothes",
    network=network,
    datasets=("fashion",),
    epochs=Setting(15, "after 8 it knows new pictures as well as those it learned from: more is to be had"),
    batch=Setting(128, "bears the high rate of this schedule"),
    optimizer=Setting("momentum", "what residual nets are usually trained with"),
    schedule=Setting("one_cycle", "up, then down to nothing: the best net for few epochs"),
    rates={"sgd": 0.3, "momentum": 0.1, "adam": 3e-3, "adamw": 3e-3},
    rate_reason="the top of the cycle; the usual first choice for a residual net",
    sizes={"width": Setting(32, "filters of the first stage; the next have twice and four times as many")},
    options={"shift": Setting(1, "each picture is moved by up to so many pixels each time it is seen, and mirrored half of the times; "
                                 "by 2 makes it harder than a net of this size needs"),
             "smoothing": Setting(0.1, "a tenth of every label is spread over all classes: shirts and coats are not told apart for sure"),
             "decay": Setting(5e-4, "of the weights, as usual for residual nets: what batch norm makes up for shall not grow")},
    training=training,
    expected="at least 93% of the test set",
)
