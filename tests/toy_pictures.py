"""Pictures of two classes that any net tells apart, for tests."""

from __future__ import annotations

import numpy as np

from slopes.data import Dataset

CLASSES = ("Coat/cape", "Bag")


def toys(count=40, channels=1, size=8):
    """Bright above, or bright below, and noise."""
    targets = np.arange(count) % 2
    inputs = np.random.default_rng(0).uniform(0, 0.3, (count, channels, size, size)).astype(np.float32)
    inputs[targets == 0, :, : size // 2] += 0.6
    inputs[targets == 1, :, size // 2 :] += 0.6
    return Dataset(inputs, targets, CLASSES, "toys")
