"""How many features a part of a network gives for images of a size: what the dense layer after it must take."""

from __future__ import annotations

import math

from .. import nn


def features(part: nn.Module, shape: tuple[int, ...]) -> int:
    """The number of values per example of the part's output, for inputs of `shape` (without the batch axis).

    >>> from slopes import nn
    >>> features(nn.Conv2d(1, 20, 5), (1, 28, 28))
    11520
    """
    return math.prod(part.summary((1, *shape)).rows[0].output[1:])  # type: ignore[index]
