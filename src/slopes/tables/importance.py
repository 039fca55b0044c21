"""Which columns matter: how much worse the test rows are predicted when a column's values are exchanged among them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..data.loaders.order import RATING, order
from .model import TableModel
from .scores import scores_for

MOST_ROWS = 5000  # of the test rows that are used
REPEATS = 3


def permutation_importance(model: TableModel, columns: Mapping[str, np.ndarray], targets: np.ndarray, seed: int = 0) -> dict[str, float]:
    """By column, how much the first score (accuracy, RMSE) becomes worse, a mean over 3 exchanges; the largest first.

    Columns that say the same share their importance: the model can take the one for the other.
    Source: Breiman, "Random forests", 2001, section 10; Fisher, Rudin, Dominici, "All models are wrong, but many are useful", 2019.
    """
    score = scores_for(bool(model.classes))[0]
    rows = order(seed, 2, len(targets), RATING)[:MOST_ROWS]
    columns, targets = {name: values[rows] for name, values in columns.items()}, targets[rows]
    whole = score(model.predict(columns), targets)
    sign = 1.0 if score.lower_is_better else -1.0
    losses = {}
    for name in columns:
        exchanged = [{**columns, name: columns[name][order(seed, 3 + i, len(rows), RATING)]} for i in range(REPEATS)]
        losses[name] = float(np.mean([sign * (score(model.predict(inputs), targets) - whole) for inputs in exchanged]))
    return dict(sorted(losses.items(), key=lambda pair: -pair[1]))
