"""Which regions of pictures or spectrograms matter: how much worse the test examples are classified when one is exchanged among them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ...data.loaders.order import RATING, order
from ...inside.draw import as_picture
from ...plot import Picture, View, new_figure
from ...tables.calibrate import softmax
from ...tables.scores import surprise

GRID = 6  # regions along each side, at most
FEWEST, MOST, MOST_PIXELS = 32, 256, 10_000_000  # test examples that are used, and pixels of all inputs


@dataclass
class Regions(View):
    """losses (rows, columns): the rise of the log loss for each region of the mean input `mean` (C, H, W), of `count` examples."""

    losses: np.ndarray
    mean: np.ndarray
    count: int

    def draw(self) -> Picture:
        """The mean input, and the regions."""
        figure = new_figure(6.4, 3)
        left, right = figure.subplots(1, 2)
        left.imshow(as_picture(self.mean), cmap="gray", aspect="auto")
        left.set_title("mean input", fontsize="small")
        limit = float(np.abs(self.losses).max()) or 1.0
        shown = right.imshow(self.losses, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto")
        right.set_title("rise of the log loss without a region", fontsize="small")
        for axes in (left, right):
            axes.axis("off")
        figure.colorbar(shown, ax=right)
        return Picture(figure)

    def line(self) -> str:
        """Which region matters most, and how much the border does, where a network may look at the background."""
        rows, columns = self.losses.shape
        row, column = np.unravel_index(int(self.losses.argmax()), self.losses.shape)
        inner = np.zeros(self.losses.shape, bool)
        inner[1:-1, 1:-1] = True
        means = [f"{name} {self.losses[chosen].mean():+.3f}" for name, chosen in (("inside", inner), ("at the border", ~inner))
                 if chosen.any()]
        return (f"regions of {self.count:,} test examples, exchanged among them: the log loss rises most, by {self.losses.max():.3f}, "
                f"without row {row + 1}, column {column + 1} of {rows} x {columns}; the mean {', '.join(means)}")


def region_losses(logits: Callable[[np.ndarray], np.ndarray], inputs: Any, targets: np.ndarray, temperature: float, seed: int) -> Regions:
    """How much the log loss rises when the inputs (N, C, H, W) get a region of another example each, for the regions of a 6 x 6 grid.

    `logits` gives (N, classes). Of many or large inputs some are used. Regions that say the same share their importance.
    Source: Breiman, "Random forests", 2001, section 10, for regions instead of columns.
    """
    cells = [grid(side) for side in inputs.shape[2:]]
    size = len(cells[0]) * len(cells[1]) * int(np.prod(inputs.shape[1:]))
    chosen = order(seed, 2, len(targets), RATING)[: min(MOST, max(FEWEST, MOST_PIXELS // size))]
    examples, targets = np.asarray(inputs[np.sort(chosen)]), targets[np.sort(chosen)]

    def loss(changed: np.ndarray) -> float:
        return float(surprise(softmax(logits(changed) / temperature), targets).mean())

    others, whole = np.roll(order(seed, 3, len(targets), RATING), 1), loss(examples)
    losses = np.zeros((len(cells[0]), len(cells[1])))
    for i, rows in enumerate(cells[0]):
        for j, columns in enumerate(cells[1]):
            changed = examples.copy()
            changed[:, :, rows, columns] = examples[others][:, :, rows, columns]
            losses[i, j] = loss(changed) - whole
    return Regions(losses, examples.mean(axis=0), len(targets))


def grid(side: int) -> list[slice]:
    """A side in at most 6 parts of nearly equal length.

    >>> grid(8)[:2], len(grid(8)), len(grid(4))
    ([slice(0, 1, None), slice(1, 3, None)], 6, 4)
    """
    edges = np.rint(np.linspace(0, side, min(GRID, side) + 1)).astype(int).tolist()
    return [slice(first, last) for first, last in pairwise(edges)]
