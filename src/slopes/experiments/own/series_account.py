"""How good forecasts are, and whether the network is worth having: scores beside simpler forecasts on the same windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ...data.loaders.order import RATING, order, random_words
from ...errors import MissingExtraError
from ...extras import require
from ...tables.calibrate import margin
from ...tables.report import standing_lines
from ...tables.scores import Interval
from .series_inputs import SEASON, Inputs, Windows
from .series_network import SeriesNetwork, forecasts, ridge

NETWORK, LAST, LINEAR = "network", "last value", "linear autoregression"
BOOSTING = "gradient boosting (scikit-learn)"
DRAWS, LOW, HIGH = 500, 0.025, 0.975
MOST_ROWS = 50_000  # windows x steps from which gradient boosting learns
EQUAL = 1e-4  # of the error: a smaller difference is none
REPEATS, MOST_EXCHANGED = 3, 1000
FORECASTING, COMPARING = 4, 5  # streams of random numbers


def plain_forecasts(inputs: Inputs, windows: Windows) -> dict[str, np.ndarray]:
    """The forecasts that need no learning, scaled: the last value seen and, where there is a period, the value one period ago."""
    result = {LAST: np.repeat(windows.last, inputs.horizon, axis=1)}
    return result | ({SEASON: windows.future[:, :, 0]} if inputs.period > 1 else {})


def simpler_forecasts(inputs: Inputs, train: Windows, validation: Windows, windows: Windows, seed: int, notes: list[str]
                      ) -> dict[str, np.ndarray]:
    """The forecasts of all simpler models by name, scaled; a note says why one is missing."""
    result = plain_forecasts(inputs, windows) | {LINEAR: ridge(train, validation)(windows)}
    try:
        return result | {BOOSTING: boosting(train, windows, seed)}
    except MissingExtraError as error:
        notes.append(f"not compared with gradient boosting: {error.what}; {error.repair}")
        return result


def boosting(train: Windows, windows: Windows, seed: int) -> np.ndarray:
    """scikit-learn's histogram gradient boosting with its defaults: one model of the difference from the last value, for all steps."""
    ensemble = require("sklearn.ensemble", extra="sklearn", purpose="the comparison with gradient boosting")
    inputs, targets = boosting_rows(train), (train.targets - train.last).ravel()
    chosen = order(seed, FORECASTING, len(inputs), RATING)[:MOST_ROWS]
    model = ensemble.HistGradientBoostingRegressor(random_state=seed).fit(inputs[chosen], targets[chosen])
    return windows.last + model.predict(boosting_rows(windows)).reshape(windows.targets.shape)


def boosting_rows(windows: Windows) -> np.ndarray:
    """A row for each window and step (N * horizon, D): the past relative to its last value, what is known of the step, and the step."""
    count, horizon = windows.targets.shape
    past = np.concatenate([windows.past[:, :, 0] - windows.last, windows.past[:, -1]], axis=1)
    future = windows.future.copy()
    future[:, :, :1] -= windows.last[:, :, None]
    steps = np.tile(np.arange(horizon, dtype=np.float32), count)[:, None]
    return np.concatenate([np.repeat(past, horizon, axis=0), future.reshape(count * horizon, -1), steps], axis=1)


def block_draws(count: int, length: int, seed: int) -> np.ndarray:
    """Indices (500, count) of windows, drawn in blocks of `length` neighbours (around the end), since neighbouring windows share targets.

    Source: Politis, Romano, "A circular block-resampling procedure for stationary data", 1992.
    """
    blocks = -(-count // length)
    starts = (random_words(seed, RATING, DRAWS * blocks, COMPARING) % np.uint64(count)).astype(np.int64).reshape(DRAWS, blocks, 1)
    return ((starts + np.arange(length)) % count).reshape(DRAWS, -1)[:, :count]


class Scores(NamedTuple):
    """Absolute errors (N, horizon) of windows in the units of the series, the draws of windows, and the error that MASE is relative to,
    one for all windows or (N,)."""

    draws: np.ndarray
    base: float | np.ndarray

    def standing(self, errors: np.ndarray) -> dict[str, Interval]:
        """MAE, RMSE and MASE with their 95% intervals."""
        absolute, squared = np.abs(errors).mean(axis=1), (errors**2).mean(axis=1)
        result = {"MAE": self.interval(absolute), "RMSE": Interval(*map(float, np.sqrt(self.interval(squared))))}
        return result | ({"MASE": self.interval(absolute / self.base)} if np.min(self.base) > 0 else {})

    def interval(self, values: np.ndarray) -> Interval:
        """The mean over windows and its 95% interval."""
        low, high = np.quantile(values[self.draws].mean(axis=1), [LOW, HIGH])
        return Interval(float(values.mean()), float(low), float(high))


def change_of(inputs: Inputs, values: np.ndarray) -> float:
    """The mean absolute change of a series over a period, which scales MASE; 0 of a series that is shorter.

    Source: Hyndman, Koehler, "Another look at measures of forecast accuracy", 2006.
    """
    return float(np.abs(values[inputs.period :] - values[: -inputs.period]).mean()) if len(values) > inputs.period else 0.0


def scores_of(changes: Sequence[float], counts: Sequence[int], horizon: int, seed: int) -> Scores:
    """The scores of the windows of series with these changes, in order."""
    windows = sum(counts)
    return Scores(block_draws(windows, min(horizon, windows), seed), np.repeat(changes, counts))


def conformal_margins(predicted: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The half widths (horizon,) of 90% intervals by step, from windows that were not learned from (`tables.calibrate.margin`)."""
    return np.array([margin(predicted[:, k], targets[:, k]) for k in range(targets.shape[1])])


def coverage(predicted: np.ndarray, targets: np.ndarray, margins: np.ndarray) -> float:
    """The share of targets within the intervals."""
    return float((np.abs(predicted - targets) <= margins).mean())


def verdict(errors: Mapping[str, np.ndarray], scores: Scores) -> str:
    """Whether the network, the first, is better than the best of the others: by the difference of absolute errors on the same windows."""
    (_, own), *rest = [(name, np.abs(values).mean(axis=1)) for name, values in errors.items()]
    best, other = min(rest, key=lambda pair: float(pair[1].mean()))
    difference = scores.interval(own - other)
    if abs(difference.value) <= EQUAL * float(other.mean()):
        return f"the network is as good as {best}: the simpler model will do"
    size = f"by {abs(difference.value):.3g} in MAE (95% interval of the difference {difference.low:.3g} to {difference.high:.3g})"
    sure = difference.low > 0 or difference.high < 0
    doubt = "" if sure else ", less than the test windows can tell for sure"
    if difference.value < 0:
        return f"the network is better than {best} {size}{doubt}"
    return f"the network is worse than {best} {size}{doubt}: " + ("use that one" if sure else "the simpler model will do")


def importance(net: SeriesNetwork, inputs: Inputs, windows: Windows, seed: int) -> dict[str, float]:
    """By input, how much larger the scaled MAE is when its values are exchanged among the windows (mean of 3 exchanges); largest first.

    Inputs that say the same share their importance. Source: Breiman, "Random forests", 2001, section 10.
    """
    chosen = order(seed, FORECASTING, len(windows), RATING)[:MOST_EXCHANGED]
    windows = windows.rows(chosen)
    whole = error_of(net, windows)
    result = {}
    for name, past, future in groups(inputs):
        losses = [error_of(net, exchange_features(windows, past, future, order(seed, FORECASTING + 1 + i, len(windows), RATING)))
                  for i in range(REPEATS)]
        result[name] = float(np.mean(losses)) - whole
    return dict(sorted(result.items(), key=lambda pair: -pair[1]))


def error_of(net: SeriesNetwork, windows: Windows) -> float:
    """The scaled mean absolute error."""
    return float(np.abs(forecasts(net, windows) - windows.targets).mean())


def groups(inputs: Inputs) -> list[tuple[str, Sequence[int], Sequence[int]]]:
    """(name, features of `past`, features of `future`) of each input of the network."""
    result: list[tuple[str, Sequence[int], Sequence[int]]] = [(f"past of {inputs.target} but its last value", (0,), ())]
    if inputs.period > 1:
        result.append((f"{inputs.target} {SEASON}", (), (0,)))
    at = 1
    for code in inputs.past:
        result.append((code.name, range(at, at + code.width), ()))
        at += code.width
    ahead = 1
    for name, width in inputs.future_groups:
        result.append((name, range(at, at + width), range(ahead, ahead + width)))
        at, ahead = at + width, ahead + width
    return result


def exchange_features(windows: Windows, past: Sequence[int], future: Sequence[int], rows: np.ndarray) -> Windows:
    """The windows with these features of other windows; those of the series itself relative to the last value, which stays."""
    before, after = windows.past.copy(), windows.future.copy()
    moved = windows.last - windows.last[rows]
    before[:, :, list(past)] = windows.past[rows][:, :, list(past)] + (moved[:, :, None] if 0 in past else 0)
    after[:, :, list(future)] = windows.future[rows][:, :, list(future)] + (moved[:, :, None] if 0 in future else 0)
    return replace(windows, past=before, future=after)


def importance_lines(values: Mapping[str, float]) -> list[str]:
    """The inputs that matter most."""
    lines = [f"  {name}: {value:.3f}" for name, value in list(values.items())[:10]]
    return ["how much larger the scaled MAE is when an input is exchanged among the test windows:", *lines]


def figures(standings: Mapping[str, Mapping[str, Interval]]) -> dict[str, float]:
    """All scores by name: those of the network, which comes first, and of the others."""
    first, *others = standings.items()
    return {f"test {name}": interval.value for name, interval in first[1].items()} | {
        f"{model}: {name}": interval.value for model, standing in others for name, interval in standing.items()}


def account_lines(errors: Mapping[str, np.ndarray], standings: Mapping[str, Any], scores: Scores) -> list[str]:
    """The scores of all models on the test windows, and a verdict."""
    count, horizon = next(iter(errors.values())).shape
    blocks = f" from blocks of {min(count, horizon)} windows, because neighbouring windows share targets" if horizon > 1 else ""
    steps = f"{horizon} steps" if horizon > 1 else "one step"
    head = f"on {count:,} test windows of {steps} (in brackets, 95% intervals{blocks}):"
    return [head, *standing_lines(standings), verdict(errors, scores)]
