"""`slopes report`: one page about runs of any kind, complete in itself."""

from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from command_line import own_settings, slopes  # noqa: F401  (the fixture is used by being there)

from slopes import nn, optim
from slopes.errors import DataError
from slopes.tables.folder import save_study
from slopes.tables.network import Architecture
from slopes.tables.study import Question, for_targets, train_table
from slopes.tables.training import Settings
from slopes.train.fit import fit
from slopes.train.runs import load_run, save_run
from slopes.view.charts import Curve, bar_chart, line_chart, point_chart
from slopes.view.report import report

QUICK = Settings(folds=2, variants=(Architecture(width=16, layers=1),), epochs=3, least_steps=40, most_steps=40)
VOID = {"meta", "img", "line", "circle", "rect", "polyline", "br", "path"}


class Page(HTMLParser):
    """The elements of a page; every one is closed in the order in which it was opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open, self.tags, self.words, self.sources = [], [], [], []
        self.feed(text)
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href", "srcset") or (value or "").startswith("http")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        self.words.append(data)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A run of two targets, whose columns and words try to be part of the page."""
    path = tmp_path_factory.mktemp("reports")
    generator = np.random.default_rng(0)
    with open(path / "table.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["size", "<script>", "grade", "price"])
        for _ in range(120):
            size, word = generator.normal(), ("a & b", "</td>")[generator.integers(2)]
            writer.writerow([f"{size:.3f}", word, "<b>good" if size > 0 else "bad", f"{3 * size:.3f}"])
    studies = [train_table(question, QUICK) for question in for_targets(Question(path / "table.csv", "grade"), ["grade", "price"])]
    return Path(save_study(studies, path / "run")[0])


def test_the_page_of_a_table_holds_its_account(folder):
    text = report([load_run(folder)])
    page, words = Page(text), re.sub(r"\s+", " ", text)
    for part in ("Target <b>grade</b>: classification", "Target <b>price</b>: regression", "<h3>Data</h3>", "<h3>On the test rows</h3>",
                 "most frequent class", "<h3>Confusion</h3>", "<h3>Calibration</h3>", "<h3>Predicted and true numbers</h3>",
                 "<h3>Worst errors</h3>", "<h3>Curves</h3>", "<h3>Settings</h3>", "<h3>Environment</h3>", "least_steps", "numpy"):
        assert part in words, f"{part!r} is not in the page"
    assert page.tags.count("svg") >= 8 and "script" not in page.tags and "<script>" in page.words
    assert not [source for source in page.sources if not source.startswith(("data:", "http://www.w3.org/2000/svg"))]


def test_the_confusion_counts_all_test_rows(folder):
    account = load_run(folder).data["account"]
    assert np.sum(account["confusion"]) == 24 and len(account["worst"]) == 12
    first, *_, last = [float(re.search(r"(?:<b>good|bad): ([\d.]+)%\)", row["predicted"])[1]) for row in account["worst"]]
    assert first <= last and set(account["worst"][0]["inputs"]) == {"size", "<script>"}


def test_a_run_of_any_kind_has_a_page(tmp_path):
    inputs = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    run = fit(nn.Linear(3, 1), (inputs, inputs[:, :1]), optimizer=optim.SGD(lr=0.1), epochs=2, batch_size=8, progress=False)
    save_run(run, tmp_path / "mine", recipe="own", hyperparameters={"rate": 0.1}, figures={"error": 0.25}, lines=["error <low>"])
    text = report([load_run(tmp_path / "mine")])
    assert Page(text).tags.count("svg") == 1 and "error &lt;low&gt;" in text and "<td>rate</td><td>0.1</td>" in text


def test_runs_are_beside_each_other(folder, tmp_path):
    result = slopes("report", folder, folder, "--out", tmp_path / "page.html")
    assert result.exit_code == 0 and result.stdout == f"saved in {tmp_path / 'page.html'}\n"
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<h2>Side by side</h2>" in text and Page(text).tags.count("h2") == 3


def test_a_damaged_run_has_no_page(folder, tmp_path):
    record = json.loads((folder / "run.json").read_text())
    before = (folder / "run.json").read_text()
    record["data"].pop("schema")
    (folder / "run.json").write_text(json.dumps(record))
    try:
        with pytest.raises(DataError, match="does not describe a model"):
            report([load_run(folder)])
        assert slopes("report", folder, "--out", tmp_path / "page.html").exit_code == 1 and not (tmp_path / "page.html").exists()
    finally:
        (folder / "run.json").write_text(before)


# Charts


def points_of(text: str) -> list[list[str]]:
    return [line.split() for line in re.findall(r'polyline points="([^"]*)"', text)]


def test_curves_without_finite_points_are_left_out():
    text = line_chart("x", [Curve("a", [1, 2, 3], [1.0, float("nan"), 3.0]), Curve("b", [1], [float("inf")])], ("epoch", "loss"))
    assert [len(points) for points in points_of(text)] == [2] and ">a<" in text and ">b<" not in text
    assert points_of(line_chart("x", [], ("epoch", "loss"))) == []


def test_long_curves_are_thinned_out_and_keep_their_end():
    text = line_chart("x", [Curve("a", range(5000), [float(i) for i in range(5000)])], ("step", "loss"))
    points = points_of(text)[0]
    assert 100 < len(points) <= 401 and float(points[-1].split(",")[0]) > 390


@pytest.mark.parametrize("values", [{"a": 1.0, "b": -0.5}, {"a": 0.0}, {"a" * 80: 1e-9}])
def test_bars_stay_in_the_picture(values):
    text = bar_chart("x", values)
    sizes = [float(size) for size in re.findall(r'<rect[^>]* width="([\d.]+)"', text)]
    assert all(0 <= size <= 420 for size in sizes) and text.count("<text") == 2 * len(values)


def test_points_have_one_scale():
    text = point_chart("x", [(0.0, 10.0), (5.0, 5.0), (float("nan"), 1.0)], ("true", "predicted"))
    assert text.count("<circle") == 2
