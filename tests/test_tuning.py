"""The search over settings: it finds good ones, gives up hopeless ones, repeats itself, and loses nothing."""

from __future__ import annotations

import numpy as np
import pytest

import slopes as sl
from slopes import nn, optim
from slopes.data import Dataset
from slopes.errors import ArgumentError, MissingExtraError
from slopes.train import Between, search

NARROW = {"x": Between(-2.0, 2.0), "y": Between(-2.0, 2.0)}


def bowl(trial):
    return (trial["x"] - 1) ** 2 + trial["y"] ** 2


def heaps(examples, seed):
    random = np.random.default_rng(seed)
    labels = np.arange(examples) % 3
    return Dataset((np.eye(3)[labels] * 2 + random.standard_normal((examples, 3))).astype(np.float32), labels)


def training(trial, epochs=6):
    sl.seed(0)
    return sl.fit(nn.Linear(3, 3), heaps(90, 0), optimizer=optim.SGD(lr=trial["rate"]), epochs=epochs, batch_size=16,
                  validation=heaps(60, 1), callbacks=[trial], progress=False)


def quiet(train, space, trials=20, **given):
    return search(train, space, trials, **{"progress": False} | given)


def test_it_comes_nearer_than_chance():
    found = quiet(bowl, NARROW, 60)
    first = min(each.figure for each in found.trials[:10])
    assert found.best.figure < 0.05 and found.best.figure < first
    assert found.best.figure == min(each.figure for each in found.trials) == bowl(found.best)


def test_settings_are_of_their_kind_and_within_their_limits():
    class Wide:
        """A choice that only knows itself."""

    space = {"rate": Between(1e-4, 1e-1, log=True), "width": Between(4, 8), "kind": ["lstm", Wide, None, (1, 2)]}
    found = quiet(lambda trial: float(trial["width"]), space, 40)
    rates, widths = ([each[name] for each in found.trials] for name in ("rate", "width"))
    assert all(isinstance(rate, float) and 1e-4 <= rate <= 1e-1 for rate in rates) and min(rates) < 1e-3 < 1e-2 < max(rates)
    assert set(widths) <= {4, 5, 6, 7, 8} and all(isinstance(width, int) for width in widths)
    assert {each["kind"] for each in found.trials} == set(space["kind"])
    assert found.best["width"] == 4


def test_the_same_seed_gives_the_same_search():
    one, two, other = (quiet(bowl, NARROW, 15, seed=seed) for seed in (3, 3, 4))
    assert one.trials == two.trials != other.trials
    assert [each.figure for each in one.trials] == [each.figure for each in two.trials]


def test_more_is_better_of_an_accuracy_and_less_of_an_error():
    for metric, wanted in (("accuracy", max), ("absolute_error", min), ("loss", min)):
        found = quiet(lambda trial: trial["x"], {"x": Between(0.0, 1.0)}, 12, metric=metric)
        assert found.best.figure == wanted(each.figure for each in found.trials)


def test_hopeless_trainings_end_early_and_the_best_run_is_kept():
    found = quiet(training, {"rate": Between(1e-5, 1.0, log=True)}, 16)
    behind = [each for each in found.trials if each.outcome == "fell behind"]
    assert behind and all(len(each.epochs) < 6 for each in behind)
    assert all(each.figure > found.best.figure for each in behind) and all(each not in found.ranked() for each in behind)
    assert found.run.epochs[-1].validation["loss"] == found.best.figure and len(found.best.epochs) == 6
    assert found.best["rate"] > 1e-2


def test_a_training_that_explodes_has_failed_and_the_search_goes_on():
    def train(trial):
        x = np.ones((8, 1), np.float32)
        return sl.fit(nn.Linear(1, 1), Dataset(x, x * 3), loss=nn.mse_loss, optimizer=optim.SGD(lr=trial["rate"]), epochs=200,
                      validation=Dataset(x, x * 3), progress=False)

    found = quiet(train, {"rate": [0.1, 1e4]}, 8)
    outcomes = {each["rate"]: each.outcome for each in found.trials}
    assert outcomes == {0.1: "done", 1e4: "failed"} and found.best["rate"] == 0.1
    assert all("the loss became" in each.message for each in found.trials if each["rate"] == 1e4)
    assert quiet(lambda trial: float("nan") if trial["x"] > 0 else 1.0, NARROW, 8).best["x"] <= 0


def test_a_search_in_which_all_failed_says_so():
    found = quiet(lambda trial: float("inf"), NARROW, 3)
    with pytest.raises(ArgumentError, match=r"(?s)none of 3 trainings came to an end.*loss is inf"):
        found.best  # noqa: B018
    assert repr(found) == "<Search: 3 trainings, 0 to their end>" and found.table() == "" and found.run is None


def test_another_error_ends_it_with_what_was_found():
    def train(trial):
        if trial.index == 4:
            raise ZeroDivisionError("mine")
        return bowl(trial)

    with pytest.raises(ZeroDivisionError, match="mine") as caught:
        quiet(train, NARROW)
    assert len(caught.value.search.trials) == 5 and caught.value.search.best.figure >= 0
    assert caught.value.search.trials[-1].outcome == "failed" and caught.value.search.trials[-1].message == "ZeroDivisionError: mine"
    assert caught.value.__notes__[0].startswith("in training 5 of the search, with x ")


def test_an_interruption_ends_it_with_what_was_found():
    def train(trial):
        if trial.index == 3:
            raise KeyboardInterrupt
        return bowl(trial)

    found = quiet(train, NARROW)
    assert found.interrupted and [each.outcome for each in found.trials] == ["done"] * 3 + ["interrupted"]
    assert found.best in found.trials[:3]


def test_a_line_per_training(capsys):
    lines = []
    search(lambda trial: 0.25, {"rate": [0.125], "kind": ["gru"]}, 2, progress=lines.append)
    assert lines[0].startswith("training 1 of 2  rate 0.125, kind gru: loss 0.25  0.0 s") and len(lines) == 2
    search(lambda trial: 0.25, {"rate": [0.125]}, 1, metric="accuracy")
    assert "accuracy 25.00%" in capsys.readouterr().err
    assert capsys.readouterr().err == ""


def test_nothing_but_the_lines_is_printed(capfd):
    quiet(bowl, NARROW, 12)
    assert capfd.readouterr() == ("", "")


def test_the_table_has_the_best_first():
    found = quiet(bowl, NARROW, 12)
    lines = found.table(rows=5).splitlines()
    assert len(lines) == 5 and lines[0] == found.best.line()
    assert "12 trainings, 12 to their end, best: x " in repr(found)


def test_the_picture_has_a_panel_per_setting(tmp_path):
    space = {"rate": Between(1e-4, 1e-1, log=True), "width": Between(4, 8), "kind": ["lstm", "gru"]}
    found = quiet(lambda trial: trial["rate"] * trial["width"], space, 12)
    axes = found.plot(tmp_path / "search.png").figure.axes
    assert [each.get_xlabel() for each in axes] == list(space) and (tmp_path / "search.png").stat().st_size > 10_000
    assert axes[0].get_xscale() == "log" and [each.get_text() for each in axes[2].get_xticklabels()] == ["lstm", "gru"]
    for axis, name in zip(axes, ("rate", "width")):
        behind, every, best = (line.get_xydata() for line in axis.get_lines())
        assert len(behind) == 0 and len(every) == 12 and best.tolist() == [[found.best[name], found.best.figure]]


@pytest.mark.parametrize("make, message", [
    (lambda: Between(1, 1), r"from 1 to 1 there is nothing to choose"),
    (lambda: Between(0.0, float("inf")), r"from 0\.0 to inf there is nothing to choose"),
    (lambda: Between("a", "b"), r"from 'a' to 'b' there is nothing to choose"),
    (lambda: Between(0.0, 1.0, log=True), r"0\.0 has no logarithm.*begin above 0"),
    (lambda: quiet(bowl, {}), r"the space is \{\}"),
    (lambda: quiet(bowl, [1, 2]), r"the space is \[1, 2\]"),
    (lambda: quiet(bowl, {"x": []}), r"the setting 'x' is \[\].*use Between\(low, high\), or a list"),
    (lambda: quiet(bowl, {"x": "lstm"}), r"the setting 'x' is 'lstm'"),
    (lambda: quiet(bowl, NARROW, 0), r"trials must be a whole number of at least 1, not 0"),
    (lambda: quiet(lambda trial: None, NARROW), r"train returned None, a NoneType.*return what fit returns, or a number"),
    (lambda: quiet(lambda trial: sl.fit(nn.Linear(3, 3), heaps(9, 0), progress=False), NARROW), r"no validation figure 'loss'"),
])
def test_errors_help(make, message):
    with pytest.raises(ArgumentError, match=f"(?s){message}"):
        make()


def test_without_optuna_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r"slopes\[tune\]"):
        quiet(bowl, NARROW)
