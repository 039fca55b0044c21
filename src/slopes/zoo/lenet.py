"""lenet: LeNet on 28x28 images, 431,080 parameters; the network with which convolution won."""

from __future__ import annotations

from .networks import lenet
from .recipe import Recipe, Setting

recipe = Recipe(
    name="lenet",
    caption="LeNet (convolutions of 20 and 50 filters) on 28x28 images: 99.2% on MNIST after 3 epochs",
    network=lenet,
    datasets=("mnist", "fashion"),
    epochs=Setting(3, "99.1 to 99.3% on MNIST; ten epochs bring 99.4%"),
    batch=Setting(64, "the published choice"),
    optimizer=Setting("adam", "learns fastest in few epochs"),
    schedule=Setting("cosine", "ends with small steps: less luck in the last batches than with a constant rate"),
)
