"""Series from the user's own files: times and their steps, what is repaired or refused, seasons, windows, scores, and the command."""

from __future__ import annotations

import csv
import json
import re
import shlex
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from command_line import slopes

from slopes import nn
from slopes.errors import ArgumentError, DataError, MissingExtraError
from slopes.experiments.experiment import Config
from slopes.experiments.own import seasons, series, series_account, series_inputs, series_network, time_steps
from slopes.experiments.own.series_plots import SeriesOutlook
from slopes.experiments.own.series_table import Question, read_series

ASKED = Question("time", "y")


def write(path, columns):
    """A CSV file of columns by name."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(columns)
        table.writerows(zip(*columns.values()))
    return str(path)


def days(count, step=1, first=date(2024, 1, 1)):
    return [str(first + timedelta(days=step * i)) for i in range(count)]


def read(tmp_path, times, values=None, question=ASKED, **more):
    values = np.arange(len(times)) if values is None else values
    return read_series(write(tmp_path / "series.csv", {"time": times, "y": values, **more}), question)[0]


def refusal(tmp_path, times, values=None, question=ASKED, **more):
    """The error about such a file: what, why and repair."""
    with pytest.raises((DataError, ArgumentError)) as caught:
        read(tmp_path, times, values, question, **more)
    assert caught.value.why and caught.value.repair, caught.value
    return f"{caught.value.what} / {caught.value.why} / {caught.value.repair}"


@pytest.mark.parametrize("times, step, following", [
    (["2024-01-29", "2024-01-30", "2024-01-31"], "1 day", "2024-02-01"),
    (["28.01.2024", "29.01.2024", "30.01.2024"], "1 day", "31.01.2024"),
    (["20240227", "20240228", "20240229"], "1 day", "20240301"),
    (["1949-10", "1949-11", "1949-12"], "1 month", "1950-01"),
    (["2024-01-31", "2024-02-29", "2024-03-31"], "1 month", "2024-04-30"),
    (["2023-03-01", "2023-06-01", "2023-09-01", "2023-12-01"], "3 months", "2024-03-01"),
    (["2022-01-01", "2023-01-01", "2024-01-01", "2025-01-01"], "1 year", "2026-01-01"),
    (["2024-01-01T00:00Z", "2024-01-01T01:00Z", "2024-01-01T02:00Z"], "1 hour", "2024-01-01T03:00Z"),
    (["2024-01-01 00:15:00", "2024-01-01 00:30:00", "2024-01-01 00:45:00"], "15 minutes", "2024-01-01 01:00:00"),
    ([str(day) for day in days(14) if date.fromisoformat(day).weekday() < 5], "1 day from Monday to Friday", "2024-01-15"),
    (days(4, step=7), "1 week", "2024-01-29"),
    ([1990, 1991, 1992], "1 in numbers", "1993"),
    ([0.1, 0.2, 0.3, 0.4], "0.1 in numbers", "0.5"),
    ([1704067200000, 1704070800000, 1704074400000], "3.6e+06 in numbers", "1704078000000"),
])
def test_the_step_between_times_and_the_time_that_follows(tmp_path, times, step, following):
    table = read(tmp_path, times)
    assert table.layout.step.text == step and table.text(len(times)) == following and not table.notes
    assert [table.text(i) for i in range(len(times))] == [str(time) for time in times]
    offsets = table.layout.step.offsets(table.times(0, len(times)), table.origin)
    assert np.allclose(offsets, np.arange(len(times)))


def test_what_is_repaired_is_said(tmp_path):
    times = ["2024-01-03", "2024-01-01", "2024-01-02", "2024-01-02", "2024-01-06"]
    asked = Question("time", "y", duplicates="mean", gaps="interpolate")
    table = read(tmp_path, times, [3, 1, 2, 4, 9], asked)
    assert table.target.tolist() == [1, 3, 3, 5, 7, 9]
    notes = " | ".join(table.notes)
    assert "the rows are not in the order of 'time' (line 3 goes back): they are sorted" in notes
    assert "1 time is there more than once: the mean of their values is taken (2024-01-02)" in notes
    assert "2 times are missing: 2024-01-04, 2024-01-05: they are filled, interpolated" in notes
    last = read(tmp_path, times, [3, 1, 2, 4, 9], Question("time", "y", duplicates="last", gaps="previous"))
    assert last.target.tolist() == [1, 4, 3, 3, 3, 9] and "as the values before them" in " ".join(last.notes)


def test_the_ends_of_a_target(tmp_path):
    known = Question("time", "y", known=("x", "w"))
    table = read(tmp_path, days(8), ["", "", 1, 2, 3, 4, "", ""], known, x=range(8), w="ababbaab")
    assert table.target.tolist() == [1, 2, 3, 4] and table.future == 2 and table.text(0) == "2024-01-03"
    assert table.columns["x"].tolist() == [2, 3, 4, 5, 6, 7] and "".join(table.columns["w"]) == "abbaab"
    assert table.notes == ["2 times before the first value of 'y' are left out",
                           "the rows after 2024-01-06 have no 'y': they are the future"]


@pytest.mark.parametrize("times, values, said", [
    (["2024-01-01", "2024-01-02", "2024-01-02"], None,
     "time column 'time': 1 time is there more than once: 2024-01-02 / .* / --duplicates mean or --duplicates last"),
    (["2024-01-01", "2024-01-02", "2024-01-04", "2024-01-05"], None, "gaps: 1 times are missing: 2024-01-03 / .* / --gaps interpolate"),
    (days(5), [1, 2, "", 4, 5], "gaps: 1 values of 'y' are missing: 2024-01-03 / "),
    ([*days(9), *days(9, step=7, first=date(2024, 2, 1))], None, "two frequencies: 1 day, but from 2024-02-01 on 7 times as far apart"),
    (["2024-01-01 00:00", "2024-01-01 01:00", "2024-01-01 02:00", "2024-01-01 02:40"], None,
     "no regular distance: most are 1 hour apart, but not 2024-01-01 02:40"),
    (["2024-01-01 00:00", "2024-01-01 01:00", "2024-01-01 02:00", "2024-01-02 02:00"], None, "more are missing than there"),
    (["Monday", "Tuesday", "Friday"], None, "line 2, column 'time': 'Monday' is no time / .*--missing"),
    (["2024-01-01", "2024-01-02", "soon"], None, "line 4, column 'time': 'soon' is no time"),
    (["2024-01-01", "2024-01-02", ""], None, "there is no time"),
    (["03/04/2024", "04/04/2024"], None, "may begin with the day or with the month / .* / --dates day-first"),
    (["2024-01-13", "14.01.2024"], None, "'14.01.2024' is written in another way than '2024-01-13'"),
    (["", ""], None, "time column 'time': no row has a value"),
    (["2024-01-01"], None, "there is one time only"),
    (days(3), [1, "inf", 2], "line 3, column 'y': inf is not finite"),
    (days(3), ["1,5", "2,5", "3"], "'1,5' may be a number / .* / --decimal ,"),
    (days(3), [1, "many", 3], "'many' is no number / only columns that are known in advance"),
    (days(3), ["", "", ""], "target 'y': no row has a value"),
])
def test_what_is_no_series_is_refused(tmp_path, times, values, said):
    text = refusal(tmp_path, times, values)
    assert re.search(said, text), text


def test_several_series_in_one_file_are_seen(tmp_path):
    text = refusal(tmp_path, [*days(3), *days(3)], shop=["a", "a", "a", "b", "b", "b"], row=range(6))
    assert "column 'shop' tells rows of the same time apart: the file may hold several series" in text
    assert "--series shop learns all of them" in text


def test_columns_have_to_be_named(tmp_path):
    assert "no column of the times is named / it has 'time', 'y' / --time COLUMN" in refusal(tmp_path, days(3), question=Question("", "y"))
    assert "no column of the target is named" in refusal(tmp_path, days(3), question=Question("time", ""))
    assert "has no column 'z'" in refusal(tmp_path, days(3), question=Question("time", "y", known=("z",)))
    assert "column 'y' is named twice" in refusal(tmp_path, days(3), question=Question("time", "y", past=("y",)))


DAY, MONTH = time_steps.Step("second", 86400.0), time_steps.Step("month", 1)


def test_seasons_are_seen_in_the_autocorrelation():
    t, noise = np.arange(400), np.random.default_rng(0).normal(size=400)
    assert seasons.find_season(np.sin(2 * np.pi * t / 12) + t / 50 + 0.3 * noise, MONTH)[:1] == (12,)
    assert seasons.find_season(np.sin(2 * np.pi * t / 37) + 0.3 * noise, time_steps.Step("number", 1)).period in (36, 37, 38)
    none = seasons.find_season(noise, time_steps.Step("number", 1))
    assert none.period == 1 and "no peak" in none.reason
    assert seasons.find_season(noise, DAY).period == 7  # the calendar's
    assert seasons.find_season(np.arange(3.0), MONTH).period == 1


def test_the_cycles_that_a_step_can_show():
    assert seasons.cycles_of(DAY, 800) == {"day of the week": 3, "time of the year": 3}
    assert seasons.cycles_of(DAY, 400) == {"day of the week": 3}
    assert seasons.cycles_of(time_steps.Step("second", 3600.0), 100) == {"hour of the day": 3}
    assert seasons.cycles_of(time_steps.Step("month", 12), 100) == {}
    features = seasons.cycle_features(np.arange(14.0), "day of the week", 3)
    assert features.shape == (14, 6) and np.allclose(features[:7], features[7:])


def made(count=120, **more):
    """A table of a daily series with a column that is known in advance and one of the past, and its inputs."""
    t = np.arange(count)
    target = 10 + np.sin(2 * np.pi * t / 7) + 0.1 * (t % 5 == 0)
    columns = {"x": (np.arange(count + 3) % 5 == 0).astype(float), "p": np.cos(t / 3)}
    table = series_inputs.SeriesTable("made.csv", None, 0.0, target, columns, 3)
    table.layout = SimpleNamespace(step=DAY, times=time_steps.TimeFormat("year-month-day", "%Y-%m-%d"))
    codes = [series_inputs.code_of(table, name, table.columns[name][:80], table.notes) for name in "xp"]
    inputs = series_inputs.Inputs("y", series_inputs.Scale(False, 10.0, 1.0), 10, 3, 7, {"day of the week": 1}, (codes[0],), (codes[1],))
    return table, inputs


def test_windows_hold_the_past_and_what_is_known_of_the_future():
    table, inputs = made()
    windows = inputs.windows(table, np.array([10, 50, 120]))
    assert windows.past.shape == (3, 10, 5) and windows.future.shape == (3, 3, 4)
    assert np.allclose(windows.past[1, :, 0], table.target[40:50] - 10) and np.allclose(windows.targets[1], table.target[50:53] - 10)
    assert np.allclose(windows.future[1, :, 0], table.target[43:46] - 10)
    code = inputs.known[0]
    assert np.allclose(windows.future[2, :, 3], (table.columns["x"][120:] - code.mean) / code.std) and np.isnan(windows.targets[2]).all()
    assert np.allclose(windows.past[1, :, 1], (table.columns["p"][40:50] - inputs.past[0].mean) / inputs.past[0].std)
    assert series_inputs.Inputs.from_fields(json.loads(json.dumps(inputs.fields()))) == inputs
    parts = series_inputs.divide(table, inputs)
    assert (parts.train[0], parts.train[-1], parts.validation[0], parts.test[0], parts.test[-1]) == (10, 75, 78, 96, 117)
    series_inputs.check_known(table, inputs, 3)
    with pytest.raises(DataError, match="no value for 1970-05-04"):
        series_inputs.check_known(table, inputs, 4)


def test_the_linear_forecast_is_that_of_the_untrained_network_and_blends_with_the_trained_one():
    table, inputs = made()
    parts = series_inputs.divide(table, inputs)
    train, validation = inputs.windows(table, parts.train), inputs.windows(table, parts.validation)
    start = series_network.ridge(train, validation)
    assert np.abs(start(validation) - validation.targets).mean() < 0.05
    net = series_network.SeriesNetwork(10, 3, 5, 4, hidden=4).eval()
    net.begin_with(start)
    assert np.allclose(series_network.forecasts(net, validation), start(validation), atol=1e-4)
    net.correction.weight = nn.Parameter(np.ones((3, 4), np.float32))
    trained = series_network.forecasts(net, validation)
    net.blend_with(start, 0.25)
    assert np.allclose(series_network.forecasts(net, validation), 0.25 * trained + 0.75 * start(validation), atol=1e-4)
    assert np.abs(trained - start(validation)).max() > 0.1


def test_gradient_boosting_learns_all_steps_at_once():
    pytest.importorskip("sklearn.ensemble")  # before the limit, which is of the libraries that are loaded
    threads = pytest.importorskip("threadpoolctl")
    table, inputs = made()
    train, test = (inputs.windows(table, np.arange(*ends)) for ends in ((10, 70), (90, 110)))
    with threads.threadpool_limits(1):
        forecasts = series_account.boosting(train, test, seed=0)
    assert forecasts.shape == (20, 3) and np.abs(forecasts - test.targets).mean() < 0.2 < np.abs(test.last - test.targets).mean()


def test_categories_and_logarithms(tmp_path):
    table = made()[0]
    table.columns["w"] = np.array(["a", "b", "c"] * 41, object)
    code = series_inputs.code_of(table, "w", table.columns["w"][:80], table.notes)
    assert code.categories == ("a", "b", "c") and code(np.array(["b", "z", ""], object)).tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 0]]
    assert code.unknown(np.array(["b", "z", ""], object)) == ["z"]
    assert series_inputs.code_of(table, "x", table.columns["x"][:1], table.notes) is None and "it has one value only" in table.notes[-1]
    with pytest.raises(DataError, match="it is always 3 in the training part"):
        series_inputs.choose_scale(table, "y", np.full(9, 3.0), "auto")
    assert series_inputs.choose_scale(table, "y", np.arange(1.0, 9), "log").logarithm
    table.target[5] = -1
    with pytest.raises(DataError, match="-1 at 1970-01-06 has no logarithm"):
        series_inputs.choose_scale(table, "y", np.arange(1.0, 9), "log")


def test_scores_by_blocks_of_windows():
    draws = series_account.block_draws(10, 4, seed=0)
    assert draws.shape == (500, 10) and ((draws[:, 1:4] - draws[:, :3]) % 10 == 1).all()
    assert (draws == series_account.block_draws(10, 4, seed=0)).all()
    scores = series_account.Scores(series_account.block_draws(40, 4, 0), base=2.0)
    errors = np.random.default_rng(1).normal(size=(40, 4))
    standing = scores.standing(errors)
    assert standing["MAE"].value == pytest.approx(np.abs(errors).mean())
    assert standing["MASE"].value == pytest.approx(np.abs(errors).mean() / 2)
    assert standing["RMSE"].value == pytest.approx(np.sqrt((errors**2).mean())) and standing["MAE"].low < standing["MAE"].value
    better = series_account.verdict({"network": errors / 2, "last value": errors * 2, "plain": errors}, scores)
    assert better.startswith("the network is better than plain by") and "for sure" not in better
    assert series_account.verdict({"network": errors, "plain": errors / 2}, scores).endswith("use that one")
    assert series_account.verdict({"network": errors * 1.00001, "plain": errors}, scores) == \
        "the network is as good as plain: the simpler model will do"
    assert series_account.conformal_margins(np.zeros((9, 2)), np.arange(18.0).reshape(9, 2)).tolist() == [16, 17]


@pytest.fixture
def sales(tmp_path, monkeypatch):
    """Ninety days of sales, weekly, with a holiday that is known in advance, and a temperature."""
    monkeypatch.chdir(tmp_path)
    t = np.arange(96)
    draw = np.random.default_rng(0).normal(size=96)
    holiday = np.where(t % 9 == 0, "yes", "no")
    units = np.round(50 + 10 * np.sin(2 * np.pi * t / 7) + 15 * (t % 9 == 0) + draw, 2)
    all_rows = {"day": days(96), "units": units, "holiday": holiday, "warm": np.round(draw, 3)}
    write(tmp_path / "sales.csv", {name: values[:90] for name, values in all_rows.items()})
    write(tmp_path / "next.csv", {**all_rows, "units": [*units[:90], *[""] * 6]})
    write(tmp_path / "all.csv", all_rows)
    return all_rows


def no_boosting(*args):
    raise MissingExtraError("scikit-learn is not installed", repair="install it")


def test_the_commands_of_the_page_run_and_the_run_is_continued(tmp_path, monkeypatch):
    monkeypatch.setattr(series_account, "boosting", no_boosting)
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).resolve().parent.parent / "docs" / "own-series.md").read_text(encoding="utf-8")
    python, commands = (re.search(rf"```{language}\n(.*?)```", page, re.DOTALL)[1] for language in ("python", "sh"))
    exec(compile(python, "docs/own-series.md", "exec"), {})
    output = ""
    for line in commands.splitlines():
        result = slopes(*shlex.split(line)[1:])
        assert result.exit_code == 0, f"{line}\n{result.output}"
        output += result.output
    for text in ("units: 150 values from 2024-01-01 to 2024-05-29, step 1 day", "season: 7 steps", "known in advance; a feature",
                 "from 21 values, the day of the week", "linear autoregression", "one period ago", "MASE",
                 "95% intervals from blocks of 7 windows", "90% intervals from", "fair: ", "the network is", "rows after 2024-05-29 have",
                 "not compared with gradient boosting: scikit-learn is not installed; install it", "sales.csv: network: MAE",
                 "sales.csv: one period ago: MAE", "sales.csv: 90% intervals hold", "7 rows, predictions in forecasts.csv"):
        assert text in output, text
    record = json.loads((tmp_path / "runs/sales/run.json").read_text(encoding="utf-8"))
    assert record["figures"]["test MAE"] < min(record["figures"][f"{plain}: MAE"] for plain in ("last value", "one period ago"))
    rows = list(csv.DictReader((tmp_path / "forecasts.csv").read_text(encoding="utf-8").splitlines()))
    assert list(rows[0]) == ["day", "units", "low 90%", "high 90%"] and [row["day"] for row in rows] == days(7, first=date(2024, 5, 30))
    assert all(float(row["low 90%"]) < float(row["units"]) < float(row["high 90%"]) for row in rows)
    over = [float(row["units"]) - 50 - 10 * np.sin(i * 2 * np.pi / 7) for i, row in enumerate(rows, 150)]
    assert over[3] > 9 > 6 > max(over[:3] + over[4:]), over  # on the fourth day there is a fair, of 15 more units
    shown = slopes("predict", "runs/sales", "next.csv")
    assert shown.exit_code == 0 and "\n2024-05-30  " in shown.stdout and "\n2024-06-05  " in shown.stdout, shown.output
    lacking = slopes("predict", "runs/sales", "sales.csv")
    assert lacking.exit_code == 1 and "column 'fair': it has no value for 2024-05-30" in lacking.stderr
    assert "add rows for the 7 steps after 2024-05-29, with an empty 'units'" in lacking.stderr
    for name, lines, said in (("months", ["day,units,fair", "2024-05,1,no", "2024-06,2,no"], "'2024-05' is no time"),
                              ("hours", ["day,units,fair", "2024-01-01,1,no", "2024-01-01 08:00,2,no"], "no whole number of steps"),
                              ("short", ["day,units,fair", "2024-01-01,1,no", "2024-01-02,2,no"], "2 values are too few to forecast from"),
                              ("others", ["day,price,fair", "2024-01-01,1,no"], "has no column 'units'")):
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        refused = slopes("predict", "runs/sales", f"{name}.csv")
        assert refused.exit_code == 1 and said in refused.stderr, refused.output
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert all(f'alt="{name}.png" src="data:' in report for name in ("outlook", "errors", "curve-forecast")) and "how much larger" in report
    monkeypatch.setattr("slopes.experiments.run.draw", lambda report: ({}, []))
    continued = slopes("train", "series", "sales.csv", "--resume", "runs/sales", "--epochs", "31")
    assert continued.exit_code == 0 and "the network is" in continued.output, continued.output


def test_what_was_understood(sales, tmp_path):
    values = series.experiment.resolve(file="sales.csv", time="day", target="units", known=["holiday"], past=["warm"], horizon=4,
                                       scale="log")
    data = series.prepare(Config(values))
    lines = series.description_lines(data, ["a note"])
    assert lines[0] == "units: 90 values from 2024-01-01 to 2024-03-30, step 1 day" and lines[-1] == "note: a note"
    assert [line.split("  ")[0] for line in lines[1:5]] == ["column", "units", "holiday", "warm"]
    assert lines[2].endswith("of its logarithm") and "no, yes" in lines[3] and "known in advance; a feature for each category" in lines[3]
    assert "number" in lines[4] and "known of the past; (x - " in lines[4]
    assert lines[5:8] == [f"season: 7 steps ({data.season.reason}); another one: --period",
                          "the network forecasts 4 steps from 14 values, the day of the week",
                          "training before 2024-02-28, validation before 2024-03-13, test from there on"]
    assert series.few_blocks(data) == ["the test part has 18 values, 4.5 times the horizon: its intervals say little"]
    facts = json.loads(json.dumps(series.describe(Config(values), data)))
    net = series.network(Config(values), facts, "")
    matters = series_account.importance(net.eval(), data.inputs, data.test, seed=0)
    assert sorted(matters) == ["day of the week", "holiday", "past of units but its last value", "units one period ago", "warm"]
    assert matters["units one period ago"] == 0 < max(matters.values())  # no weight is on it before the training


def test_forecasts_of_one_step_are_one_line():
    values = np.arange(30.0)
    for horizon, count in ((1, 1), (4, 2)):
        firsts = np.arange(20, 31 - horizon)
        arrays = [np.zeros((len(firsts), horizon))] * 3
        segments = SeriesOutlook("y", values, [""] * 30, firsts, *arrays).segments()
        assert len(segments) == count and segments[0][0][0] == 20
        assert all(len(line) == len(steps) for steps, lines in segments for line in lines)


@pytest.mark.parametrize("options, said", [
    ((), "no column of the times is named"),
    (("--time", "day", "--target", "units", "--horizon", "30"), "a series of 90 values is too short"),
    (("--time", "day", "--target", "holiday"), "'yes' is no number"),
])
def test_what_cannot_be_learned_leaves_no_run(sales, tmp_path, options, said):
    result = slopes("train", "series", "sales.csv", *options, "--out", "run")
    assert result.exit_code == 1 and said in result.stderr and not (tmp_path / "run").exists(), result.output
