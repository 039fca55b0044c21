"""series: the next values of a series from a file, by a linear forecast and a GRU that corrects it, beside simpler forecasts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ... import nn, optim
from ...data.loaders.dataset import Dataset
from ...files.reading import refused
from ...tables.calibrate import best_share
from ...tables.spelling import spelling_of
from ...train.stopping import EarlyStopping
from ..experiment import Config, Experiment, Facts, Fit, LoadedRun, PredictedRows, Prediction, Report, Result, Setting
from . import series_account as account
from .seasons import cycles_of, find_season, named_season
from .series_inputs import (
    Inputs,
    SeriesData,
    Windows,
    check_known,
    check_positive,
    choose_scale,
    choose_window,
    code_of,
    cuts_of,
    divide,
    unknown_notes,
)
from .series_lines import description_lines, few_blocks
from .series_network import SeriesNetwork, forecasts, ridge
from .series_plots import SeriesOutlook, StepErrors
from .series_table import Layout, Question, SeriesTable, read_series

DETECT, PART = "detect", "forecast"
MOST_WINDOWS = 20_000  # of training: of longer series every second, third, ... is taken


def errors_of(table: SeriesTable, inputs: Inputs, windows: Windows, scaled: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The errors (N, horizon) of scaled forecasts by name, in the units of the series."""
    truth = table.target[windows.firsts[:, None] + np.arange(inputs.horizon)]
    return {name: inputs.scale.back(values) - truth for name, values in scaled.items()}


def question_of(config: Config) -> Question:
    """What the settings say of the file."""
    spelling = spelling_of(config["delimiter"], config["encoding"], config["decimal"], config["thousands"], config["missing"])
    order = "" if config["dates"] == DETECT else config["dates"]
    return Question(config["time"], config["target"], tuple(config["known"]), tuple(config["past"]), spelling, order, config["duplicates"],
                    config["gaps"])


def prepare(config: Config) -> SeriesData:
    """Read the file, find out what the series is like, and cut windows."""
    question = question_of(config)
    table = read_series(config["file"], question)
    first, _ = cuts_of(len(table))
    if first < 3:
        raise refused(table.path, "rows", f"a series of {len(table):,} values is too short", "its parts are of 65%, 15% and 20%",
                      "bring a longer series")
    train, step = table.target[:first], table.layout.step
    scale = choose_scale(table, question.target, train, config["scale"])
    season = named_season(scale(train), config["period"]) if config["period"] else find_season(scale(train), step)
    codes = [[code for name in names if (code := code_of(table, name, first, table.notes)) is not None]
             for names in (question.known, question.past)]
    window = config["window"] or choose_window(first, config["horizon"], season.period)
    inputs = Inputs(question.target, scale, window, config["horizon"], season.period, cycles_of(step, first), *map(tuple, codes))
    parts = divide(table, inputs)
    stride = -(-len(parts.train) // MOST_WINDOWS)
    if stride > 1:
        table.notes.append(f"of the {len(parts.train):,} training windows one in {stride} is learned from")
    windows = [inputs.windows(table, firsts) for firsts in (parts.train[::stride], parts.validation)]
    return SeriesData(table, inputs, season, parts, *windows)


def describe(config: Config, data: SeriesData) -> Facts:
    """What predictions need: how a file is read, the inputs of the network, and what MASE is relative to."""
    change = account.scores_of(data.inputs, data.trained_on, 1, 0).base
    return {"layout": data.table.layout.fields(), "inputs": data.inputs.fields(), "season": data.season._asdict(), "change": change,
            "values": len(data.table)}


def network(config: Config, facts: Facts, name: str) -> SeriesNetwork:
    """The network."""
    inputs = Inputs.from_fields(facts["inputs"])
    return SeriesNetwork(inputs.window, config["horizon"], 1 + inputs.past_width + inputs.future_width, 1 + inputs.future_width,
                         config["hidden"] if config["kind"] == "gru" else 0)


def training(config: Config, data: SeriesData, name: str, net: SeriesNetwork) -> Fit:
    """The training from the ridge regression on; the weights of the epoch with the lowest validation loss are kept."""
    net.begin_with(ridge(data.train, data.validation))
    train, validation = (Dataset((windows.past, windows.future), windows.targets) for windows in (data.train, data.validation))
    return Fit(train, validation, loss=nn.l1_loss, optimizer=optim.Adam(lr=config["rate"]), schedule="cosine", clip=1.0,
               epochs=config["epochs"], batch_size=config["batch"], callbacks=[EarlyStopping(max(1, config["epochs"]))])


def report(result: Result[SeriesData]) -> Report:
    """The account of the network on the test part; its intervals come from the validation part."""
    data, net, seed, notes = result.data, result.run.net, result.config.seed, list[str]()
    share, test = blend(net, data), data.test
    margins = account.conformal_margins(forecasts(net, data.validation), data.validation.targets)
    net.margins = nn.Buffer(margins.astype(np.float32))
    own = forecasts(net, test)
    simpler = account.simpler_forecasts(data.inputs, data.train, data.validation, test, seed, notes)
    errors = errors_of(data.table, data.inputs, test, {account.NETWORK: own, **simpler})
    scores = account.scores_of(data.inputs, data.trained_on, len(test), seed)
    standings = {name: scores.standing(values) for name, values in errors.items()}
    covered = account.coverage(own, test.targets, margins)
    figures = account.figures(standings) | {"test coverage of 90% intervals": covered, "share of the trained network": share}
    lines = [*description_lines(data, notes),
             f"best in validation, and kept: {share:.0%} of the trained network, {1 - share:.0%} of the ridge regression that it began as",
             *account.account_lines(errors, standings, scores), *few_blocks(data),
             f"90% intervals from {len(data.validation):,} validation windows: they hold {covered:.1%} of the test values",
             *account.importance_lines(account.importance(net, data.inputs, test, seed))]
    return Report(figures, lines, {"outlook.png": outlook(data, test, own, margins).draw, "errors.png": StepErrors(errors).draw,
                                   **result.curves})


def outlook(data: SeriesData, test: Windows, own: np.ndarray, margins: np.ndarray) -> SeriesOutlook:
    """The test part with the network's forecasts."""
    times = [data.table.text(i) for i in range(len(data.table))]
    ends = (data.inputs.scale.back(values) for values in (own, own - margins, own + margins))
    return SeriesOutlook(data.inputs.target, data.table.target, times, test.firsts, *ends)


def blend(net: SeriesNetwork, data: SeriesData) -> float:
    """Mix the trained network with the ridge regression that it began as; returns its share, which is best in validation."""
    start, validation = ridge(data.train, data.validation), data.validation
    trained, linear = forecasts(net, validation), start(validation)
    share = best_share(lambda x: float(np.abs(x * trained + (1 - x) * linear - validation.targets).mean()))
    net.blend_with(start, share)
    return share


class Forecast:
    """A run and the series of a file, from which it forecasts."""

    def __init__(self, run: LoadedRun, path: str) -> None:
        facts = run.facts
        self.net, self.inputs, self.change = run.net, Inputs.from_fields(facts["inputs"]), float(facts["change"])
        question = question_of(run.config)
        kept = {code.name for code in (*self.inputs.known, *self.inputs.past)}
        known, past = ([name for name in names if name in kept] for names in (question.known, question.past))
        self.table = read_series(path, Question(question.time, question.target, known, past, question.spelling, question.date_order,
                                                question.duplicates, question.gaps), Layout.from_fields(facts["layout"]))
        if len(self.table) < self.inputs.lookback:
            raise refused(path, "rows", f"{len(self.table):,} values are too few to forecast from",
                          f"the network needs the last {self.inputs.lookback}", "bring a longer past")
        if self.inputs.scale.logarithm:
            check_positive(self.table, self.inputs.target, self.table.target)
        cut_short = ["the run was interrupted before its intervals were measured: they have no width"] if run.record.interrupted else []
        self.notes = [*self.table.notes, *unknown_notes(self.table, self.inputs), *cut_short]

    def ends(self, scaled: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Forecasts and the ends of their 90% intervals, in the units of the series."""
        margins = self.net.margins.numpy()
        low, middle, high = (self.inputs.scale.back(values) for values in (scaled - margins, scaled, scaled + margins))
        return middle, low, high

    def rows(self) -> Iterator[tuple[str, float, float, float]]:
        """(time, forecast, low, high) of each step after the end of the series."""
        check_known(self.table, self.inputs, self.inputs.horizon)
        length = len(self.table)
        middle, low, high = self.ends(forecasts(self.net, self.inputs.windows(self.table, np.array([length]))))
        for k in range(self.inputs.horizon):
            yield self.table.text(length + k), float(middle[0, k]), float(low[0, k]), float(high[0, k])


def predict(run: LoadedRun, item: str, top: int) -> Prediction:
    """The next values after the end of a file, a line for each."""
    forecast = Forecast(run, item)
    lines = [f"{time}  {value:.6g} ({low:.6g} to {high:.6g})" for time, value, low, high in forecast.rows()]
    return Prediction("\n".join(["", *lines, *(f"note: {note}" for note in forecast.notes)]))


def predict_rows(run: LoadedRun, items: Sequence[str]) -> PredictedRows:
    """The next values after the end of each file, with their times and 90% intervals."""
    several = len(items) > 1
    question = question_of(run.config)
    notes: list[str] = []

    def rows() -> Iterator[Sequence[str]]:
        for item in items:
            forecast = Forecast(run, item)
            for time, *values in forecast.rows():
                yield (*([item] if several else []), time, *(f"{value:.7g}" for value in values))
            notes.extend(f"{item}: {note}" for note in forecast.notes)

    columns = [*(["file"] if several else []), question.time, question.target, "low 90%", "high 90%"]
    return PredictedRows(columns, rows(), notes)


def evaluate(run: LoadedRun, item: str) -> Report:
    """Rolling forecasts of a file: at every step with enough values before and after it."""
    forecast = Forecast(run, item)
    inputs, table = forecast.inputs, forecast.table
    firsts = np.arange(inputs.lookback, len(table) - inputs.horizon + 1)
    if not len(firsts):
        raise refused(item, "rows", f"{len(table):,} values are too few to evaluate on", f"the network needs {inputs.lookback} values "
                      f"before a forecast, and {inputs.horizon} to compare with", "bring a longer series; to predict only: slopes predict")
    windows = inputs.windows(table, firsts)
    own = forecasts(forecast.net, windows)
    errors = errors_of(table, inputs, windows, {account.NETWORK: own, **account.plain_forecasts(inputs, windows)})
    scores = account.Scores(account.block_draws(len(firsts), min(inputs.horizon, len(firsts)), 0), forecast.change)
    standings = {name: scores.standing(values) for name, values in errors.items()}
    covered = account.coverage(own, windows.targets, forecast.net.margins.numpy())
    parts = [f"{name}: " + ", ".join(f"{score} {interval.text}" for score, interval in standing.items())
             for name, standing in standings.items()]
    figures = {name: interval.value for name, interval in standings[account.NETWORK].items()} | {"coverage of 90% intervals": covered}
    return Report(figures, [f"{len(firsts):,} forecasts of {inputs.horizon} steps, from {table.text(int(firsts[0]))} on", *parts,
                            f"90% intervals hold {covered:.1%} of the values", *(f"note: {note}" for note in forecast.notes)])


SPELLING: dict[str, Setting] = {
    "dates": Setting(DETECT, "the order of day and month in times such as 03/04/2024", (DETECT, "day-first", "month-first")),
    "delimiter": Setting("", "between fields; without it, it is detected"),
    "encoding": Setting("", "of the file; without it, it is detected"),
    "decimal": Setting(".", "the decimal mark", (".", ",")),
    "thousands": Setting("", "the mark between groups of three digits; without it there is none"),
    "missing": Setting((), "a further word that marks a missing value"),
}

experiment = Experiment(
    name="series",
    caption="the next values of a series of your own, with 90% intervals, from a file of times and values",
    expected="a smaller mean absolute error in the last fifth of the series than the last value and the value one period ago",
    data=prepare, describe=describe, parts=lambda config: (PART,),
    network=network, training=training, report=report, predict=predict, predict_rows=predict_rows,
    evaluate=evaluate, source="file", takes="HISTORY.csv",
    examples=("sales.csv --time month --target units --horizon 12",
              "load.csv --time hour --target megawatts --known holiday --past temperature --horizon 24 --gaps interpolate",
              "prices.csv --time date --target price --dates day-first --decimal , --period 7 --out runs/prices"),
    settings={"file": Setting("", "a CSV, Parquet or Arrow file with a row for each time"),
              "time": Setting("", "the column of the times: dates or numbers"),
              "target": Setting("", "the column to forecast"),
              "known": Setting((), "a column that is known in advance, such as holidays or prices: numbers or words. To predict, add rows "
                                   "for the steps to come in which the target is empty"),
              "past": Setting((), "a column of numbers that is known of the past only"),
              "horizon": Setting(12, "how many steps to forecast"),
              "window": Setting(0, "how many past values the network sees; 0: chosen from horizon, period and length"),
              "period": Setting(0, "after how many steps the series looks alike (1: never); 0: seen from the autocorrelation"),
              "scale": Setting("auto", "log: the network learns logarithms; auto: if the spread grows with the level",
                               ("auto", "plain", "log")),
              "duplicates": Setting("error", "what to do with times that are there more than once", ("error", "mean", "last")),
              "gaps": Setting("error", "what to do with missing times and values", ("error", "interpolate", "previous")),
              **SPELLING,
              "kind": Setting("gru", "a GRU corrects the linear forecast; linear: without it", ("gru", "linear")),
              "hidden": Setting(32, "units of the GRU"),
              "epochs": Setting(30, "the weights of the epoch with the lowest validation loss are kept"),
              "batch": Setting(64, "windows in a step"),
              "rate": Setting(1e-3, "the usual first choice, with a cosine down to 0")},
)
