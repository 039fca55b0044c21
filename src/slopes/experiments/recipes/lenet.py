"""lenet: LeNet on 28x28 images, 431,080 parameters; the network with which convolution won: fast, as published, regularized."""

from __future__ import annotations

from functools import partial
from typing import Any

from ... import nn, optim
from ...data.transforms import augment
from ...zoo.networks import lenet, regularized_lenet
from ..classification import image_classifier
from ..experiment import Config, Setting

recipe = image_classifier(
    name="lenet",
    caption="LeNet (convolutions of 20 and 50 filters) on 28x28 images: 99.2% on MNIST after 3 epochs",
    network=lenet,
    datasets=("mnist", "fashion"),
    epochs=Setting(3, "99.1 to 99.3% on MNIST; ten epochs bring 99.4%"),
    batch=Setting(64, "the published choice", search=(32, 64, 128)),
    optimizer=Setting("adam", "learns fastest in few epochs"),
    schedule=Setting("cosine", "ends with small steps: the last batches matter less than with a constant rate"),
    expected="MNIST: at least 99.1% of the test set",
)

published = image_classifier(
    name="lenet-published",
    caption="LeNet as published: 75 epochs of plain gradient descent at rate 0.01; 99.38% on MNIST was reported",
    network=lenet,
    datasets=("mnist", "fashion"),
    epochs=Setting(75, "the published number"),
    batch=Setting(64, "the published choice"),
    optimizer=Setting("sgd", "as published: nothing but the gradient"),
    rates={"sgd": 0.01, "momentum": 0.01, "adam": 1e-3, "adamw": 1e-3},
    rate_reason="the published rate",
    schedule=Setting("constant", "as published"),
    expected="MNIST: beside the published 99.38%, as it comes out",
)


def regularizers(config: Config) -> dict[str, Any]:
    """More arguments of fit: shifted images, label smoothing, an average of the weights, a limit to their norm."""
    return {"augment": lambda x, y: (augment.shift(x, config["shift"]), y),
            "loss": partial(nn.cross_entropy, label_smoothing=config["smoothing"]), "average": optim.Average(config["average"]),
            "constrain": config["limit"]}


regularized = image_classifier(
    name="lenet-regularized",
    caption="LeNet with shifted images, dropout, batch norm, weight decay, smoothed labels, limited and averaged weights",
    network=regularized_lenet,
    datasets=("mnist", "fashion"),
    epochs=Setting(20, "a regularized network overfits later"),
    batch=Setting(64, "the published choice"),
    optimizer=Setting("adamw", "decays weights apart from the gradient (by 0.01 of them, times the rate)"),
    schedule=Setting("cosine", "ends with small steps"),
    rates={"sgd": 0.05, "momentum": 0.02, "adam": 1e-3, "adamw": 2e-3},
    rate_reason="with batch norm, twice the usual learning rate works",
    sizes={"dropout": Setting(0.4, "of the dense layer's inputs and outputs; half of that on whole channels")},
    options={"shift": Setting(2, "each image is shifted by up to this many pixels each time: a digit does not depend on its position"),
             "smoothing": Setting(0.05, "a twentieth of every label is spread over all classes"),
             "average": Setting(0.999, "decay of the average: about the last 1,000 of 17,000 steps"),
             "limit": Setting(3.0, "the length of the weights into a unit, as in Srivastava et al., 2014")},
    training=regularizers,
    expected="MNIST: at least 99.45% of the test set",
)
