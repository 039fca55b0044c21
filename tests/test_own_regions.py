"""Which regions of pictures matter to a classifier."""

from __future__ import annotations

import numpy as np

from slopes.experiments.own.regions import region_losses


def test_the_region_that_decides_is_seen():
    draw = np.random.default_rng(0)
    inputs = draw.normal(size=(120, 2, 12, 18)).astype(np.float32)
    targets = (inputs[:, 1, 2:4, 6:9].sum(axis=(1, 2)) > 0).astype(np.int64)  # row 2, column 3 of the regions

    def logits(x: np.ndarray) -> np.ndarray:
        score = x[:, 1, 2:4, 6:9].sum(axis=(1, 2))
        return np.stack([-score, score], axis=1)

    regions = region_losses(logits, inputs, targets, temperature=1.0, seed=0)
    assert regions.losses.shape == (6, 6) and regions.count == 120 and regions.mean.shape == (2, 12, 18)
    assert regions.losses[1, 2] > 0.5 and np.count_nonzero(regions.losses) == 1
    assert "row 2, column 3 of 6 x 6" in regions.line() and "at the border +0.000" in regions.line()


def test_few_regions_and_constant_inputs():
    inputs = np.zeros((3, 1, 1, 2), np.float32)
    regions = region_losses(lambda x: np.zeros((len(x), 2)), inputs, np.array([0, 1, 0]), temperature=1.0, seed=0)
    assert regions.losses.tolist() == [[0, 0]] and "inside" not in regions.line()
