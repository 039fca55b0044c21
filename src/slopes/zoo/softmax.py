"""softmax: multi-class logistic regression on 28x28 images; the straight line that every deeper net has to beat."""

from __future__ import annotations

from .networks import softmax_regression
from .recipe import Recipe, Setting

recipe = Recipe(
    name="softmax",
    caption="softmax regression on 28x28 images: the linear baseline, about 92% on MNIST",
    network=softmax_regression,
    datasets=("mnist", "fashion"),
    epochs=Setting(10, "the loss is convex: more epochs bring less than 0.3%"),
    batch=Setting(64, "smaller ones are slower, larger ones need a higher rate"),
    optimizer=Setting("sgd", "a convex loss needs nothing cleverer"),
    schedule=Setting("linear", "a falling rate averages the noise of the batches away"),
)
