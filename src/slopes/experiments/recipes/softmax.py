"""softmax: multi-class logistic regression on 28x28 images; the straight line that every deeper net has to beat."""

from __future__ import annotations

from ...zoo.networks import softmax_regression
from ..classification import image_classifier
from ..experiment import Setting

recipe = image_classifier(
    name="softmax",
    caption="softmax regression on 28x28 images: the linear baseline, 92% on MNIST",
    network=softmax_regression,
    datasets=("mnist", "fashion"),
    epochs=Setting(10, "the loss is convex and flat by then"),
    batch=Setting(64, "more steps per epoch than larger ones, less noise than smaller ones", search=(32, 64, 128)),
    optimizer=Setting("sgd", "a convex loss needs nothing cleverer"),
    rates={"sgd": 0.5, "momentum": 0.05, "adam": 1e-3, "adamw": 1e-3},
    rate_reason="one layer does not diverge: 0.4% better than 0.1",
    schedule=Setting("linear", "a falling rate averages the noise of the batches away"),
    expected="MNIST: at least 92.0% of the test set",
)
