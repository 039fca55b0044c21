"""forecast: the next year of sunspots and the next days' temperatures, by a GRU; beside the two forecasts that anyone can make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ... import data, nn, optim
from ...data.sets.series import SeriesSplits
from ...errors import DataError
from ...files.columns import is_words
from ...files.csvfile import load_csv
from ...inside.draw import colour
from ...plot import Picture, View, finish, new_figure
from ...train.stopping import EarlyStopping
from ...zoo.recurrent_forecaster import Forecaster
from ..answers import outputs
from ..experiment import Config, Experiment, Facts, Fit, LoadedRun, Prediction, Report, Result, Setting

SERIES = {"sunspots": data.sunspots, "temperatures": data.temperatures}
NET, PERSISTENCE, SEASONAL = "network", "nothing changes", "one period ago"
SHOWN = 240  # values of the test part in the picture


@dataclass
class Outlook(View):
    """Values of the test part, (N, horizon) in the series' units, the forecast of each method, and when the first was."""

    name: str
    times: tuple[str, ...]
    truth: np.ndarray
    forecasts: dict[str, np.ndarray]

    def errors(self) -> dict[str, float]:
        """Each forecast's mean absolute error over all windows and steps."""
        return {name: float(np.abs(values - self.truth).mean()) for name, values in self.forecasts.items()}

    def ratio(self) -> float:
        """The network's error as a share of that of the better plain forecast."""
        errors = self.errors()
        return errors[NET] / min(errors[PERSISTENCE], errors[SEASONAL])

    def draw_on(self, left: Any, right: Any) -> None:
        """Truth with the network's forecasts, one after the other as they were made; and errors by how far ahead they look."""
        windows, horizon = self.truth.shape
        firsts = range(0, min(windows, SHOWN), horizon)
        left.plot(np.concatenate([self.truth[first] for first in firsts]), color="black", linewidth=1, alpha=0.5, label="truth")
        for i, (name, values) in enumerate(self.forecasts.items()):
            for first in firsts if name != PERSISTENCE else ():
                left.plot(np.arange(first, first + horizon), values[first], color=colour(i), linewidth=1.4 if name == NET else 0.8,
                          alpha=1 if name == NET else 0.5, label=name if first == 0 else None)
            right.plot(np.arange(1, horizon + 1), np.abs(values - self.truth).mean(axis=0), ".-", color=colour(i), label=name)
        left.set_title(f"{self.name}: forecasts of {horizon} steps, one after the other", fontsize="medium")
        marked = range(0, firsts[-1] + horizon, max(1, -(-(firsts[-1] + horizon) // 6)))
        left.set_xticks(marked, [self.times[step] for step in marked])
        right.set_title("mean absolute error", fontsize="medium")
        right.xaxis.get_major_locator().set_params(integer=True)
        right.set_ylim(bottom=0)
        finish(left, "", "")
        finish(right, "steps ahead", "")


@dataclass
class Outlooks(View):
    """One row for each series."""

    rows: list[Outlook]

    def draw(self) -> Picture:
        """All of them in one picture."""
        figure = new_figure(10, 3.2 * len(self.rows))
        for (left, right), view in zip(figure.subplots(len(self.rows), 2, squeeze=False, width_ratios=(3, 1)), self.rows):
            view.draw_on(left, right)
        return Picture(figure)


def names(config: Config) -> tuple[str, ...]:
    """A network for each series asked for."""
    return tuple(SERIES) if config["series"] == "both" else (config["series"],)


def splits_of(config: Config) -> dict[str, SeriesSplits]:
    """The windows of each series."""
    return {name: data.split_series(SERIES[name](), config["past"], config["horizon"]) for name in names(config)}


def describe(config: Config, splits: dict[str, SeriesSplits]) -> Facts:
    """The scale of each series, and its last values: where a forecast begins."""
    return {name: {"mean": np.ravel(parts.mean).tolist(), "std": np.ravel(parts.std).tolist(),
                   "last": np.ravel(parts.series.values)[-config["past"]:].tolist()} for name, parts in splits.items()}


def network(config: Config, facts: Facts, name: str) -> Forecaster:
    """The forecaster."""
    return Forecaster(config["horizon"], config["hidden"], config["kind"])


def training(config: Config, splits: dict[str, SeriesSplits], name: str, net: Forecaster) -> Fit:
    """The training; the weights of the epoch with the lowest validation loss are kept."""
    return Fit(splits[name].train, splits[name].validation, loss=nn.l1_loss, optimizer=optim.Adam(lr=config["rate"]), schedule="cosine",
               clip=1.0, epochs=config["epochs"], batch_size=config["batch"], callbacks=[EarlyStopping(max(1, config["epochs"]))])


def outlook(name: str, splits: SeriesSplits, net: Forecaster) -> Outlook:
    """The forecasts of the test part, which nothing before has seen."""
    test = splits.test
    assert test is not None
    scaled = {NET: outputs(net, test.inputs), PERSISTENCE: splits.persistence(), SEASONAL: splits.seasonal()}
    times = splits.series.times[splits.firsts("test")[0, 0]:]
    return Outlook(name, times, splits.unscaled(test.targets), {way: splits.unscaled(values) for way, values in scaled.items()})


def report(result: Result[dict[str, SeriesSplits]]) -> Report:
    """Mean absolute errors on the test part of each series, beside the plain forecasts."""
    views = [outlook(name, splits, result.networks[name]) for name, splits in result.data.items()]
    lines = [f"{'mean absolute error':22}" + "".join(f"{way:>16}" for way in views[0].forecasts),
             *(f"{view.name:22}" + "".join(f"{error:16.2f}" for error in view.errors().values()) for view in views)]
    return Report(
        {"error / plain forecast, worst series": max(view.ratio() for view in views),
         **{f"{view.name} error": view.errors()[NET] for view in views},
         **{f"{view.name} error, {way}": view.errors()[way] for view in views for way in (PERSISTENCE, SEASONAL)}},
        lines, {"forecast.png": Outlooks(views).draw, **result.curves})


def predict(run: LoadedRun, item: str, top: int) -> Prediction:
    """The next values: of a known series after its end (NAME), or of one in the last column of a CSV file (NAME=FILE)."""
    name, _, path = item.partition("=")
    if name not in run.networks:
        raise DataError(f"{item!r:.80} names no series of this run", why=f"its series are {', '.join(run.networks)}",
                        repair=f"give {next(iter(run.networks))}, or {next(iter(run.networks))}=FILE.csv", where="")
    facts = run.facts[name]
    past = last_values(path, run.config["past"]) if path else np.array(facts["last"])
    scaled = (past - facts["mean"]) / facts["std"]
    values = outputs(run.networks[name], scaled.astype(np.float32)[None, :, None])[0] * facts["std"][0] + facts["mean"][0]
    return Prediction(", ".join(f"{value:.4g}" for value in values))


def last_values(path: str, count: int) -> np.ndarray:
    """The last values of the last column of a CSV file."""
    table = load_csv(path)
    column = table[table.names[-1]]
    if is_words(column) or len(column) < count or not np.isfinite(column[-count:]).all():
        raise DataError(f"{path}: column {table.names[-1]!r} does not end with {count} known numbers",
                        why=f"the network forecasts from the last {count} values", repair="give a longer series, without gaps", where="")
    return np.asarray(column[-count:], np.float64)


recipe = Experiment(
    name="forecast",
    caption="sunspots of the next year, temperatures of the next days: a GRU beside the forecasts that need no learning",
    expected="on the test part, a smaller mean absolute error than \"nothing changes\" and \"as one period ago\", for both series",
    data=splits_of, describe=describe, parts=names, network=network, training=training, report=report, predict=predict,
    takes="SERIES[=FILE.csv]",
    datasets=tuple(SERIES),
    settings={"series": Setting("both", "one network for each", ("both", *SERIES)),
              "past": Setting(60, "months or days that the network sees; with 36 the validation errors are 2% larger"),
              "horizon": Setting(12, "a year of months, or 12 days: far enough that \"nothing changes\" is a poor forecast"),
              "kind": Setting("gru", "in validation better than an LSTM on sunspots, as good on temperatures", ("gru", "lstm", "rnn")),
              "hidden": Setting(32, "2,000 overlapping windows are little data: 64 units gain nothing in validation", search=(16, 32, 64)),
              "epochs": Setting(40, "the weights of the epoch with the lowest validation loss are kept, which is an earlier one"),
              "batch": Setting(64, "30 steps an epoch", search=(32, 64, 128)),
              "rate": Setting(1e-3, "the usual first choice, with a cosine down to 0")},
)
