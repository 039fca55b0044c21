"""Several series in one file: one network learns all, each on its own scale, and forecasts each."""

from __future__ import annotations

import csv
import datetime
import json

import numpy as np
import pytest
from command_line import own_settings, slopes  # noqa: F401  (the fixture is used by being there)

from slopes.errors import DataError
from slopes.experiments.experiment import Config
from slopes.experiments.own import series, series_account
from slopes.experiments.own.series_table import Question, read_series

SIZES = {"north": (90, 10.0), "south": (120, 1000.0), "east": (100, 100.0), "tiny": (5, 1.0)}


def write(path, shops=SIZES, last=0, header=("day", "shop", "units")):
    """Weekly sales of some shops, whose rows are mixed by day, from the step `last` on."""
    draw = np.random.default_rng(last)
    rows = []
    for shop, (count, size) in shops.items():
        for i in range(count):
            units = size * (5 + np.sin(2 * np.pi * (i + last) / 7) + draw.normal() / 10)
            rows.append((str(datetime.date(2024, 1, 1) + datetime.timedelta(i + last)), shop, f"{units:.4g}"))
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *sorted(rows)])
    return path


def test_several_series_are_learned_and_each_is_forecast(tmp_path, monkeypatch):
    monkeypatch.setattr(series_account, "boosting", lambda *args: np.zeros_like(args[1].targets))
    path = write(tmp_path / "shops.csv")
    trained = slopes("train", "series", path, "--time", "day", "--target", "units", "--series", "shop", "--horizon", 4, "--kind", "linear",
                     "--epochs", 1, "--out", "run", "--threads", 1)
    assert trained.exit_code == 0, trained.output
    for words in ("units: 3 series, 310 values; of 'south', the longest, from 2024-01-01 to 2024-04-29, step 1 day",
                  "note: shop 'tiny' is left out: rows: a series of 5 values is too short", "MAE of each series:", "season: 7 steps"):
        assert words in trained.output, trained.output
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    scales = record["data"]["inputs"]["scales"]
    assert list(scales) == ["south", "east", "north"] and scales["south"]["mean"] > 9 * scales["east"]["mean"]
    assert record["figures"]["test MASE"] < 1 < record["figures"]["last value: MASE"]
    new = write(tmp_path / "new.csv", {"north": (30, 10.0), "west": (40, 500.0)})
    assert slopes("predict", "run", new, "--out", "forecasts.csv").exit_code == 0
    rows = list(csv.DictReader((tmp_path / "forecasts.csv").read_text().splitlines()))
    assert list(rows[0]) == ["shop", "day", "units", "low 90%", "high 90%"]
    assert [row["shop"] for row in rows] == ["west"] * 4 + ["north"] * 4 and rows[0]["day"] == "2024-02-10"
    for row in rows:
        assert 0.7 < float(row["units"]) / (5 * {"north": 10, "west": 500}[row["shop"]]) < 1.3, row
    shown = slopes("predict", "run", new)
    assert "shop west:\n2024-02-10  " in shown.stdout and "shop north:" in shown.stdout
    evaluated = slopes("evaluate", "run", new)
    assert evaluated.exit_code == 0 and "22 forecasts of 4 steps, of 2 series" in evaluated.stdout, evaluated.output


def test_errors_are_those_of_each_series_in_its_units(tmp_path):
    values = series.experiment.resolve(file=str(write(tmp_path / "shops.csv")), time="day", target="units", series="shop", horizon=4)
    data = series.prepare(Config(values))
    test, parts = data.test, [(member.table, member.inputs, member.parts.test) for member in data.members]
    exact = series.errors_of(parts, {"truth": test.targets})["truth"]
    assert len(exact) == sum(len(firsts) for _, _, firsts in parts) and np.abs(exact).max() < 1e-2
    last = series.errors_of(parts, {"last": np.repeat(test.last, 4, axis=1)})["last"]
    ends = np.cumsum([len(firsts) for _, _, firsts in parts])[:-1]
    south, east, north = (np.abs(part).mean() for part in np.split(last, ends))
    assert south > 5 * east > 25 * north


def test_a_row_without_a_series_and_another_step_are_errors(tmp_path):
    question = Question("day", "units", series="shop")
    path = tmp_path / "shops.csv"
    path.write_text("day,shop,units\n2024-01-01,a,1\n2024-01-02,,2\n2024-01-03,a,3\n")
    with pytest.raises(DataError, match=r"line 3, column 'shop': there is no name"):
        read_series(str(path), question)
    path.write_text("day,shop,units\n2024-01-01,a,1\n2024-01-03,a,2\n2024-01-05,a,3\n2024-01-01,b,1\n2024-01-02,b,3\n")
    with pytest.raises(DataError, match="no whole number of steps"):
        read_series(str(path), question)
