"""LeNet on MNIST until 99% of the test images are right, with slopes."""

from __future__ import annotations

from functools import partial
from typing import Any

import slopes as sl
from slopes import optim
from slopes.train import OnEpoch

from . import layers_slopes
from .accuracy import BATCH, EPOCHS, GOAL, RATE, first, images
from .networks import lenet


def train(seed: int, threads: int) -> list[float]:
    """The share of right answers after each epoch; the number of threads is SLOPES_THREADS'."""
    net = lenet(layers_slopes)
    net.load_state_dict({name: first(name, array.shape, seed) for name, array in net.state_dict().items()})
    training, test = (sl.data.Dataset(*images(part)) for part in ("train", "t10k"))
    found: list[float] = []
    sl.fit(net, training, optimizer=optim.Adam(lr=RATE), epochs=EPOCHS, batch_size=BATCH, validation=test, seed=seed, schedule="cosine",
           progress=False, callbacks=[OnEpoch(partial(enough, found))])
    return found


def enough(found: list[float], training: Any) -> None:
    found.append(training.history.epochs[-1].validation["accuracy"])
    if found[-1] >= GOAL:
        training.stop()
