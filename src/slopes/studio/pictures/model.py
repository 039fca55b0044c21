"""What is learned and looked at: the pictures, the network, its training, and what was measured of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from ... import optim, random
from ...optim.optimizer import Optimizer
from ...random import Generator
from ...train.training import Training
from ..live import LONGEST_TRAINING, LiveTraining
from .datasets import PictureData
from .favourites import field_box
from .messages import Configure
from .network import fitted_lenet
from .probe import Predictions, Probe, layers_of

MOST_TESTS = 400  # points of the test's curve: as many as the eye can see
FIELDS_KEPT = 4096
OPTIMIZERS: dict[str, Callable[[float], Optimizer]] = {
    "adam": lambda rate: optim.Adam(lr=rate), "sgd": lambda rate: optim.SGD(lr=rate),
    "momentum": lambda rate: optim.SGD(lr=rate, momentum=0.9)}


class Model:
    """A new network for these pictures, its training, and functions that look into it.

    The training is that of `sl.Training(fitted_lenet(shape, classes, filters), train, optimizer=..., batch_size=..., seed=seed)`, the
    weights drawn after `sl.seed(seed)`: its losses have the same bits.
    """

    def __init__(self, data: PictureData, settings: Configure) -> None:
        self.data, self.settings = data, settings
        with random.using(Generator(settings.seed)):
            self.net = fitted_lenet(data.shape, len(data.classes), settings.filters)
        training = Training(self.net, data.train, optimizer=OPTIMIZERS[settings.optimizer](settings.rate), batch_size=settings.batch,
                            epochs=LONGEST_TRAINING, seed=settings.seed)
        self.live = LiveTraining(training, ("loss", "accuracy"))
        self.layers = layers_of(self.net, data.shape)
        self.probe = Probe(self.net, self.layers)
        self.field = lru_cache(maxsize=FIELDS_KEPT)(lambda layer, position: field_box(self.probe, data.shape, layer, position))
        self.tests: list[tuple[int, float, float]] = []  # step, loss, accuracy
        self.measure()

    def measure(self) -> None:
        """Predict the test pictures."""
        self.predictions: Predictions = self.probe.predict(self.data.test)
        self.tests.append((self.live.steps, self.predictions.loss, self.predictions.accuracy))
        if len(self.tests) > MOST_TESTS:
            del self.tests[1::2]
