"""series: the next values of a series from a file, by a linear forecast and a GRU that corrects it, beside simpler forecasts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ... import nn, optim
from ...data.loaders.dataset import Dataset
from ...errors import DataError
from ...files.reading import refused
from ...tables.calibrate import best_share
from ...tables.spelling import spelling_of
from ...train.stopping import EarlyStopping
from ..experiment import Config, Experiment, Facts, Fit, LoadedRun, PredictedRows, Prediction, Report, Result, Setting
from . import series_account as account
from .seasons import cycles_of, find_season, named_season
from .series_inputs import (
    Inputs,
    Member,
    Parts,
    Scale,
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
from .series_lines import description_lines, few_blocks, member_lines
from .series_network import SeriesNetwork, forecasts, ridge
from .series_plots import SeriesOutlook, StepErrors
from .series_table import Layout, Question, SeriesTable, read_series

DETECT, PART = "detect", "forecast"
MOST_WINDOWS = 20_000  # of training: of longer series every second, third, ... is taken


def errors_of(parts: Sequence[tuple[SeriesTable, Inputs, np.ndarray]], scaled: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The errors (N, horizon) of scaled forecasts by name, in the units of the series; of each series table, inputs and the indices of
    the first targets of its windows."""
    ends = np.cumsum([len(firsts) for _, _, firsts in parts])
    result: dict[str, np.ndarray] = {name: np.empty(values.shape) for name, values in scaled.items()}
    for (table, inputs, firsts), end in zip(parts, ends.tolist()):
        rows, truth = slice(end - len(firsts), end), table.target[firsts[:, None] + np.arange(inputs.horizon)]
        for name, values in scaled.items():
            result[name][rows] = inputs.scale.back(values[rows]) - truth
    return result


def question_of(config: Config) -> Question:
    """What the settings say of the file."""
    spelling = spelling_of(config["delimiter"], config["encoding"], config["decimal"], config["thousands"], config["missing"])
    order = "" if config["dates"] == DETECT else config["dates"]
    return Question(config["time"], config["target"], tuple(config["known"]), tuple(config["past"]), spelling, order, config["duplicates"],
                    config["gaps"], config["series"])


def prepare(config: Config) -> SeriesData:
    """Read the file, find out what its series, or the longest of them, is like, and cut windows."""
    question = question_of(config)
    tables = read_series(config["file"], question)
    table = tables[0]
    first, _ = cuts_of(len(table))
    if first < 3:
        raise refused(table.path, "rows", f"a series of {len(table):,} values is too short", "its parts are of 65%, 15% and 20%",
                      "bring a longer series")
    train, step = table.target[:first], table.layout.step
    how = "plain" if config["scale"] == "auto" and any(other.target.min() <= 0 for other in tables) else config["scale"]
    scale = choose_scale(table, question.target, train, how)
    season = named_season(scale(train), config["period"]) if config["period"] else find_season(scale(train), step)
    codes = [[code for name in names if (code := code_of(table, name, trained(tables, name), table.notes)) is not None]
             for names in (question.known, question.past)]
    window = config["window"] or choose_window(first, config["horizon"], season.period)
    cycles, (known, past) = cycles_of(step, first), map(tuple, codes)
    inputs = Inputs(question.target, scale, window, config["horizon"], season.period, cycles, known, past)
    members = [Member(table, inputs, divide(table, inputs))] if not question.series else members_of(tables, inputs, question)
    count = sum(len(member.parts.train) for member in members)
    stride = -(-count // MOST_WINDOWS)
    if stride > 1:
        table.notes.append(f"of the {count:,} training windows one in {stride} is learned from")
    train_windows = [member.inputs.windows(member.table, member.parts.train[::stride]) for member in members]
    validation = [member.inputs.windows(member.table, member.parts.validation) for member in members]
    return SeriesData(members, season, Windows.join(train_windows), Windows.join(validation))


def trained(tables: Sequence[SeriesTable], name: str) -> np.ndarray:
    """The values of a column in the training parts of all series."""
    return np.concatenate([table.columns[name][: cuts_of(len(table))[0]] for table in tables])


def members_of(tables: Sequence[SeriesTable], inputs: Inputs, question: Question) -> list[Member]:
    """The series that are learned from, each on its own scale; those that are too short or constant are left out, with a note.

    Raises the error of the longest where none is left.
    """
    divided: list[tuple[SeriesTable, Scale, Parts]] = []
    how = "log" if inputs.scale.logarithm else "plain"
    for table in tables:
        try:
            parts = divide(table, inputs)
            divided.append((table, choose_scale(table, question.target, table.target[: parts.cuts[0]], how), parts))
        except DataError as error:
            if table is tables[0]:
                raise
            tables[0].notes.append(f"{question.series} {table.name!r} is left out: {error.what.removeprefix(f'{table.path}: ')}")
    shared = replace(inputs, scales={table.name: scale for table, scale, _ in divided})
    return [Member(table, shared.of(table), parts) for table, _, parts in divided]


def describe(config: Config, data: SeriesData) -> Facts:
    """What predictions need: how a file is read, the inputs of the network, and what MASE is relative to."""
    changes = {member.table.name: account.change_of(member.inputs, member.trained_on) for member in data.members}
    return {"layout": data.table.layout.fields(), "inputs": data.inputs.fields(), "season": data.season._asdict(),
            "change": changes[data.table.name], "changes": changes, "values": sum(len(member.table) for member in data.members)}


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
    errors = errors_of([(member.table, member.inputs, member.parts.test) for member in data.members], {account.NETWORK: own, **simpler})
    counts = [len(member.parts.test) for member in data.members]
    scores = account.scores_of([account.change_of(member.inputs, member.trained_on) for member in data.members], counts,
                               data.inputs.horizon, seed)
    standings = {name: scores.standing(values) for name, values in errors.items()}
    covered = account.coverage(own, test.targets, margins)
    figures = account.figures(standings) | {"test coverage of 90% intervals": covered, "share of the trained network": share}
    lines = [*description_lines(data, notes),
             f"best in validation, and kept: {share:.0%} of the trained network, {1 - share:.0%} of the ridge regression that it began as",
             *account.account_lines(errors, standings, scores), *member_lines(data, errors), *few_blocks(data),
             f"90% intervals from {len(data.validation):,} validation windows: they hold {covered:.1%} of the test values",
             *account.importance_lines(account.importance(net, data.inputs, test, seed))]
    return Report(figures, lines, {"outlook.png": outlook(data, test, own, margins).draw, "errors.png": StepErrors(errors).draw,
                                   **result.curves})


def outlook(data: SeriesData, test: Windows, own: np.ndarray, margins: np.ndarray) -> SeriesOutlook:
    """The test part of the longest series with the network's forecasts."""
    count = len(data.parts.test)
    times = [data.table.text(i) for i in range(len(data.table))]
    ends = (data.inputs.scale.back(values[:count]) for values in (own, own - margins, own + margins))
    return SeriesOutlook(data.inputs.target, data.table.target, times, test.firsts[:count], *ends)


def blend(net: SeriesNetwork, data: SeriesData) -> float:
    """Mix the trained network with the ridge regression that it began as; returns its share, which is best in validation."""
    start, validation = ridge(data.train, data.validation), data.validation
    trained, linear = forecasts(net, validation), start(validation)
    share = best_share(lambda x: float(np.abs(x * trained + (1 - x) * linear - validation.targets).mean()))
    net.blend_with(start, share)
    return share


def forecasts_of(run: LoadedRun, path: str) -> list[Forecast]:
    """The forecasts of all series of a file."""
    inputs, question = Inputs.from_fields(run.facts["inputs"]), question_of(run.config)
    kept = {code.name for code in (*inputs.known, *inputs.past)}
    known, past = ([name for name in names if name in kept] for names in (question.known, question.past))
    tables = read_series(path, replace(question, known=known, past=past), Layout.from_fields(run.facts["layout"]))
    return [Forecast(run, inputs, table) for table in tables]


class Forecast:
    """A run and a series of a file, from which it forecasts."""

    def __init__(self, run: LoadedRun, inputs: Inputs, table: SeriesTable) -> None:
        self.net, self.inputs, self.table = run.net, inputs.of(table), table
        known = run.facts["changes"] if table.name else {"": float(run.facts["change"])}
        self.change = known[table.name] if table.name in known else account.change_of(self.inputs, table.target)
        if len(self.table) < self.inputs.lookback:
            name = f"series {table.name!r}" if table.name else "rows"
            raise refused(table.path, name, f"{len(self.table):,} values are too few to forecast from",
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
    lines, notes = [""], []
    for forecast in forecasts_of(run, item):
        if forecast.table.name:
            lines.append(f"{run.config['series']} {forecast.table.name}:")
        lines += [f"{time}  {value:.6g} ({low:.6g} to {high:.6g})" for time, value, low, high in forecast.rows()]
        notes += forecast.notes
    return Prediction("\n".join([*lines, *(f"note: {note}" for note in notes)]))


def predict_rows(run: LoadedRun, items: Sequence[str]) -> PredictedRows:
    """The next values after the end of each file, with their times and 90% intervals."""
    several = len(items) > 1
    question = question_of(run.config)
    notes: list[str] = []

    def rows() -> Iterator[Sequence[str]]:
        for item in items:
            for forecast in forecasts_of(run, item):
                of = [*([item] if several else []), *([forecast.table.name] if question.series else [])]
                for time, *values in forecast.rows():
                    yield (*of, time, *(f"{value:.7g}" for value in values))
                notes.extend(f"{item}: {note}" for note in forecast.notes)

    names = [*(["file"] if several else []), *([question.series] if question.series else [])]
    columns = [*names, question.time, question.target, "low 90%", "high 90%"]
    return PredictedRows(columns, rows(), notes)


def evaluate(run: LoadedRun, item: str) -> Report:
    """Rolling forecasts of a file: at every step with enough values before and after it."""
    every = forecasts_of(run, item)
    inputs, net, table = every[0].inputs, every[0].net, every[0].table
    parts = [(one.table, one.inputs, np.arange(inputs.lookback, len(one.table) - inputs.horizon + 1)) for one in every]
    counts = [len(firsts) for _, _, firsts in parts]
    if not sum(counts):
        raise refused(item, "rows", f"{len(table):,} values are too few to evaluate on", f"the network needs {inputs.lookback} values "
                      f"before a forecast, and {inputs.horizon} to compare with", "bring a longer series; to predict only: slopes predict")
    windows = Windows.join([scaled.windows(one, firsts) for one, scaled, firsts in parts])
    own = forecasts(net, windows)
    errors = errors_of(parts, {account.NETWORK: own, **account.plain_forecasts(inputs, windows)})
    scores = account.scores_of([one.change for one in every], counts, inputs.horizon, 0)
    standings = {name: scores.standing(values) for name, values in errors.items()}
    covered = account.coverage(own, windows.targets, net.margins.numpy())
    lines = [f"{name}: " + ", ".join(f"{score} {interval.text}" for score, interval in standing.items())
             for name, standing in standings.items()]
    figures = {name: interval.value for name, interval in standings[account.NETWORK].items()} | {"coverage of 90% intervals": covered}
    since = f"of {len(every):,} series" if table.name else f"from {table.text(inputs.lookback)} on"
    return Report(figures, [f"{sum(counts):,} forecasts of {inputs.horizon} steps, {since}", *lines,
                            f"90% intervals hold {covered:.1%} of the values", *(f"note: {note}" for one in every for note in one.notes)])


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
              "shops.csv --time day --target units --series shop --horizon 7",
              "prices.csv --time date --target price --dates day-first --decimal , --period 7 --out runs/prices"),
    settings={"file": Setting("", "a CSV, Parquet or Arrow file with a row for each time"),
              "time": Setting("", "the column of the times: dates or numbers"),
              "target": Setting("", "the column to forecast"),
              "known": Setting((), "a column that is known in advance, such as holidays or prices: numbers or words. To predict, add rows "
                                   "for the steps to come in which the target is empty"),
              "past": Setting((), "a column of numbers that is known of the past only"),
              "series": Setting("", "a column that says which of several series a row is of: one network learns all, each on its own "
                                    "scale"),
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
