"""`slopes tune`: what is searched, searches that survive, programs that trainings share, processes, and the command of the best."""

from __future__ import annotations

import copy
import json
import shlex

import numpy as np
import pytest
from command_line import own_settings, slopes  # noqa: F401  (the fixture is used by being there)
from tune_tasks import Bowl

from slopes import cli, data, table_commands, tune_command
from slopes.errors import ArgumentError, DataError, NonFiniteError, SaveError, SlopesError
from slopes.experiments import classification
from slopes.experiments.catalog import OWN_DATA, RECIPES
from slopes.experiments.experiment import Fit
from slopes.experiments.search import RecipeTask, command_text, kept_loss, range_of, search_space
from slopes.files.claim import claimed
from slopes.tables.network import Architecture
from slopes.tables.training import Settings
from slopes.train.history import Epoch, History, Run
from slopes.train.processes import Workers, answer
from slopes.train.runs import load_run
from slopes.train.space import Between, parameter, rounded
from slopes.train.stopping import EarlyStopping
from slopes.train.trials import Study
from slopes.train.tuning import SearchLoop, search
from slopes.tune_command import LOSS

RANGE = {"x": Between(-2.0, 2.0), "kind": ["a", "b"]}


def bowl(trial):
    return (trial["x"] - 1) ** 2 + (trial["kind"] == "b")


def quiet(train, folder, trials, **args):
    return search(train, RANGE, trials, progress=False, folder=folder, **args)


def tried(results):
    return [(dict(trial), trial.figure, trial.outcome) for trial in results.trials]


# Searches in a folder


def test_a_search_goes_on_where_it_ended(tmp_path):
    whole, first = quiet(bowl, tmp_path / "whole", 11), quiet(bowl, tmp_path / "parts", 5)
    again = quiet(bowl, tmp_path / "parts", 11)
    assert tried(first) == tried(whole)[:5] and tried(again) == tried(whole) and again.best.figure == whole.best.figure
    assert [trial.index for trial in again.trials] == list(range(11))
    assert tried(quiet(lambda trial: pytest.fail("trained again"), tmp_path / "whole", 11)) == tried(whole)


@pytest.mark.parametrize("end", [KeyboardInterrupt, MemoryError])
def test_a_training_that_did_not_end_is_done_again(tmp_path, end):
    def train(trial):
        if trial.index == 2:
            raise end
        return bowl(trial)

    whole = quiet(bowl, tmp_path / "whole", 4)
    if end is KeyboardInterrupt:
        assert quiet(train, tmp_path / "parts", 4).interrupted
    else:
        with pytest.raises(end):
            quiet(train, tmp_path / "parts", 4)
    assert tried(quiet(bowl, tmp_path / "parts", 4)) == tried(whole)


def test_what_became_of_a_training_is_kept(tmp_path):
    def train(trial):
        if trial.index == 2:
            raise NonFiniteError("the loss became nan")
        trial.report(0.5)
        trial.report(float("nan"))
        trial.programs["key"] = trial.index == 0
        return bowl(trial)

    first, again = quiet(train, tmp_path, 3), quiet(train, tmp_path, 3)
    assert tried(first) == tried(again) and [trial.outcome for trial in again.trials] == ["done", "done", "failed"]
    assert again.trials[2].message == "the loss became nan" and again.trials[0].epochs == [0.5, None]
    assert again.programs == {"key": 1} and again.trials[0].seconds == first.trials[0].seconds


def test_another_search_in_the_folder_is_refused(tmp_path):
    quiet(bowl, tmp_path, 1)
    with pytest.raises(ArgumentError, match=r"holds another search\n  seed is 1 here, 0 there"):
        quiet(bowl, tmp_path, 2, seed=1)
    with pytest.raises(ArgumentError, match=r"(?s)holds another search\n  space is x \[1\] here, x Between\(low=-2"):
        search(bowl, {"x": [1]}, 2, progress=False, folder=tmp_path)
    with claimed(tmp_path), pytest.raises(SaveError, match="is being written by"):
        quiet(bowl, tmp_path, 2)


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / "study.db").write_bytes(b"no database, but long enough to look like one" * 40)
    with pytest.raises(DataError, match=r"study\.db: contents: no study can be read from it \(DatabaseError"):
        quiet(bowl, tmp_path, 1)


def test_no_training_begins_after_the_timeout():
    assert search(bowl, RANGE, 5, progress=False, timeout=0).trials == []
    assert len(search(bowl, RANGE, 5, progress=False, timeout=3600).trials) == 5
    with pytest.raises(ArgumentError, match="timeout must be"):
        search(bowl, RANGE, 5, progress=False, timeout=-1)


def test_what_matters_is_important():
    shares = search(lambda trial: (trial["x"] - 1) ** 2, RANGE, 15, progress=False).importance().shares
    assert list(shares) == ["x", "kind"] and shares["x"] > 0.8 and sum(shares.values()) == pytest.approx(1)
    assert search(bowl, RANGE, 3, progress=False).importance().shares == {}


def test_numbers_are_rounded_and_settings_become_parameters():
    assert rounded(0.00123456, 3) == 0.00123 and rounded(0.1 + 0.2, None) == 0.1 + 0.2 and rounded("a", 3) == "a"
    assert parameter(Between(0.0, 1.0), 0.5) == 0.5 and parameter(["a", "b"], "b") == 1
    for choices, value in ((Between(0.0, 1.0), 2.0), (["a"], "b"), (Between(0.0, 1.0), "a")):
        with pytest.raises(ArgumentError, match="cannot be chosen"):
            parameter(choices, value)


# What is searched of a recipe


def test_ranges_contain_the_defaults():
    for recipe in (*RECIPES.values(), *OWN_DATA.values()):
        for name, setting in recipe.settings.items():
            choices = range_of(name, setting, setting.default)
            if choices is not None:
                parameter(choices, setting.default)
                for value in (choices.low, choices.high) if isinstance(choices, Between) else choices:
                    assert setting.accepts(value), f"{recipe.name}: {name} {value}"


def test_the_recipes_to_tune_have_ranges():
    for name in ("digits", "mlp", "softmax", "lenet", "sentiment", "names", "chars", "forecast", "tabular"):
        assert {"rate", "batch"} & set(search_space(RECIPES[name], {})) and len(search_space(RECIPES[name], {})) >= 2, name


def test_what_is_fixed_is_not_searched_and_others_follow_it():
    space = search_space(RECIPES["digits"], {})
    assert list(space) == ["batch", "rate", "channels", "dropout"]
    assert (space["rate"].low, space["rate"].high) == pytest.approx((3e-4, 3e-2)) and space["rate"].log and space["dropout"].high == 0.7
    space = search_space(RECIPES["digits"], {"optimizer": "sgd", "batch": 64})
    assert list(space) == ["rate", "channels", "dropout"] and space["rate"].low == pytest.approx(0.01)
    with pytest.raises(ArgumentError, match="there is nothing to search\n  of its hyper-parameters these can be searched: rate"):
        search_space(RECIPES["compare"], {"rate": 0.1})


# Trainings of recipes


class Few:
    """Few digits of the recipe's kind, whose test images are not to be read while `closed`."""

    def __init__(self):
        self.closed, self.whole = True, data.digits()

    def __call__(self):
        return data.Splits(self.part(self.whole.train, 96), self.part(self.whole.validation, 64), self.read_test, "digits")

    def part(self, part, count):
        return data.Dataset(part.inputs[:count], part.targets[:count], classes=part.classes, name=part.name)

    def read_test(self):
        assert not self.closed, "the test set was read"
        return self.part(self.whole.test, 16)


@pytest.fixture
def few(monkeypatch):
    pytest.importorskip("sklearn")
    few = Few()
    monkeypatch.setitem(classification.DATASETS, "digits", few)
    return few


FIXED = "--epochs", "2", "--batch", "32", "--channels", "4"
OPTIONS = "tune", "digits", *FIXED, "--seed", "5"


def test_the_best_command_trains_what_the_search_found(few, tmp_path):
    result = slopes(*OPTIONS, "--trials", "2")
    assert result.exit_code == 0, result.output
    assert [line.split("  ")[0] for line in result.stderr.splitlines()] == ["training 1 of 2", "training 2 of 2"]
    folder = tmp_path / "runs" / "tune-digits"
    kept = json.loads((folder / "search.json").read_text())
    assert kept["trials"][0]["settings"] == {"rate": 0.003, "dropout": 0.5} and len(kept["trials"]) == 2
    assert len(kept["programs"]) == 2 and max(kept["programs"].values()) <= 1  # learning rates and dropout are inputs of the programs
    assert f"2 trials, {sum(kept['programs'].values())} programs compiled" in result.stdout and "the best 2:" in result.stdout
    command = (folder / "best.txt").read_text().strip()
    assert result.stdout.splitlines()[-1] == f"best: {command}" == f"best: {kept['best']}"
    few.closed = False
    program, *arguments = shlex.split(command)
    assert program == "slopes" and arguments[:8] == ["train", "digits", *FIXED]
    assert slopes(*arguments, "--quiet", "--out", "again").exit_code == 0
    best = min(trial["loss"] for trial in kept["trials"])
    assert load_run("again").network.history.epochs[-1].validation["loss"] == best
    assert f"best {best:.4f}" in result.stdout and (folder / "slices.png").stat().st_size > 5000

    more = slopes(*OPTIONS, "--trials", "4", "--resume")
    assert more.exit_code == 0 and more.stderr.startswith("2 trainings are there already\ntraining 3 of 4  ")
    again = json.loads((folder / "search.json").read_text())
    assert again["trials"][:2] == kept["trials"] and len(again["trials"]) == 4 and again["programs"].keys() == kept["programs"].keys()
    assert set(again["importance"]) == {"rate", "dropout"} and (folder / "importance.png").stat().st_size > 3000

    for options, text in ((["--trials", "5"], "runs/tune-digits holds a search already\n  its trainings would be lost\n  continue it"),
                          (["--resume", "--seed", "6"], "holds another search\n  seed is 6 here, 5 there"),
                          (["--resume", "--replace"], "--resume with --replace")):
        result = slopes(*OPTIONS, *options)
        assert result.exit_code == 1 and text in result.stderr
    result = slopes("tune", "softmax", "--resume", "--out", folder)
    assert result.exit_code == 1 and "holds another search" in result.stderr and "recipe is softmax here, digits there" in result.stderr


def test_a_training_can_end_early_and_its_figure_is_that_of_its_last_epoch(few):
    losses = []
    task = RecipeTask("digits", {"epochs": 3, "channels": 4}, 5)
    assert task({"rate": 0.004}, lambda loss: losses.append(loss) or len(losses) == 2) == losses[-1] and len(losses) == 2


def test_the_loss_is_that_of_the_weights_that_are_kept():
    epochs = [Epoch(i, 1.0, {}, {"loss": loss}, 1, 1, 0.0) for i, loss in enumerate((3.0, 1.0, 2.0))]
    run, stopping = Run(None, History([], epochs)), EarlyStopping()
    stopping.epoch = 1
    assert kept_loss(run, Fit(None)) == 2.0 and kept_loss(run, Fit(None, callbacks=[stopping])) == 1.0
    assert kept_loss(run, Fit(None, callbacks=[EarlyStopping(restore=False)])) == 2.0


def test_a_recipe_without_validation_data_is_refused():
    result = slopes("tune", "features", "--trials", "1")
    assert result.exit_code == 1 and result.stderr.endswith("""\
error: recipe features cannot be tuned
  none of its trainings has validation data, and settings are never chosen by the test set
  tune another recipe: slopes train --list
""")


def test_wrong_usage(tmp_path, monkeypatch):
    result = slopes("tune", "digts")
    assert result.exit_code == 2 and "no recipe is called 'digts'" in result.stderr and "did you mean 'digits'?" in result.stderr
    result = slopes("tune", "digits", "--resume")
    assert result.exit_code == 1 and "there is no search in runs/tune-digits" in result.stderr and not (tmp_path / "runs").exists()
    help_text = slopes("tune", "digits", "--help").stdout
    assert "slopes tune digits --trials 30" in help_text and "batch, rate, channels, dropout" in " ".join(help_text.split())
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    result = slopes("tune", "digits")
    assert result.exit_code == 1 and "slopes[tune]" in result.stderr


def test_every_recipe_has_a_command_whose_options_differ():
    for name in (*RECIPES, *OWN_DATA, "table"):
        command = cli.command.commands["tune"].get_command(None, name)
        options = [option for parameter in command.params for option in parameter.opts]
        assert len(set(options)) == len(options) and {"--trials", "--jobs", "--resume"} <= set(options), name


def test_commands_are_exact():
    options = {"rate": 0.1 + 0.2, "width": 64, "function": "it's x"}
    text = command_text(["slopes", "train", "digits"], options)
    assert shlex.split(text)[3:] == ["--rate", "0.30000000000000004", "--width", "64", "--function", "it's x"]


# Own tables


QUICK = Settings(folds=2, variants=(Architecture(width=16, layers=1),), epochs=2, least_steps=20, most_steps=20)


def test_the_best_command_trains_the_networks_for_a_table(tmp_path, monkeypatch):
    monkeypatch.setattr(table_commands, "DEFAULTS", QUICK)
    monkeypatch.setattr(tune_command, "DEFAULTS", QUICK)
    lines = [f"{i % 7};{('a', 'b')[i % 2]};{3 * (i % 7) + i % 2}" for i in range(60)]
    (tmp_path / "my table.csv").write_text("\n".join(["size;kind;price", *lines]))
    fixed = "--width", "16", "--layers", "1"
    options = "my table.csv", "--target", "price", "--without", "kind", "--kind", "size=number", "--delimiter", ";", *fixed
    result = slopes("tune", "table", *options, "--trials", "2", "--seed", "3")
    assert result.exit_code == 0, result.output
    kept = json.loads((tmp_path / "runs" / "tune-table" / "search.json").read_text())
    assert [set(trial["settings"]) for trial in kept["trials"]] == [{"rate", "decay", "dropout"}] * 2
    assert kept["trials"][0]["settings"] == {"rate": 0.008, "decay": 0.02, "dropout": 0.3} and max(kept["programs"].values()) <= 1
    words = shlex.split(kept["best"])
    assert words[:3] == ["slopes", "train", "table"] and words[3:4] == ["my table.csv"] and words[-2:] == ["--seed", "3"]
    assert slopes(*words[1:], "--no-compare", "--quiet", "--out", "again").exit_code == 0
    networks = load_run("again").networks.values()
    lowest = [min(epoch.validation["loss"] for epoch in network.history.epochs) for network in networks]
    assert np.mean(lowest) == min(trial["loss"] for trial in kept["trials"])
    (tmp_path / "my table.csv").write_text("\n".join(["size;kind;price", *lines[1:]]))
    result = slopes("tune", "table", *options, "--trials", "3", "--seed", "3", "--resume")
    assert result.exit_code == 1 and "holds another search\n  SHA-256 of the file is " in result.stderr
    result = slopes("tune", "table", "my table.csv", "--target", "price", "--target", "size")
    assert result.exit_code == 1 and "tune one target at a time" in result.stderr


# Processes


def searched(task, trials, jobs, folder=None):
    workers = Workers(task, jobs, 1)
    try:
        return SearchLoop(workers, Study(RANGE, LOSS, 0, folder), trials, lambda line: None, None, jobs, workers.cancel).run()
    finally:
        workers.close()
        assert all(not process.is_alive() for process in workers.processes)


def test_processes_train_what_one_process_trains():
    results = searched(Bowl(), 7, 2)
    assert len(results.trials) == 7 and all(trial.figure == trial["x"] ** 2 for trial in results.ranked())
    assert all(len(trial.epochs) == 3 for trial in results.ranked())


class Line:
    """A connection to a search that ends no training."""

    def __init__(self):
        self.sent = []

    def send(self, message):
        self.sent.append(message)

    def recv(self):
        return False


@pytest.mark.parametrize("end, kind, message", [("nan", NonFiniteError, "the loss became nan"), ("wrong", SlopesError, "wrong"),
                                                ("bug", SlopesError, "ZeroDivisionError: mine")])
def test_what_goes_wrong_in_a_process_is_sent(end, kind, message):
    line = Line()
    outcome, error, programs = answer(Bowl(end), {"x": 2.0}, line)
    assert (outcome, type(error), error.what, programs) == ("failed", kind, message, {})
    assert (error.why, error.repair) == ("because", "otherwise") or end != "wrong"
    assert line.sent == [("epoch", 2.0), ("epoch", 3.0)]
    again = copy.deepcopy(error)
    assert type(again) is kind and (again.what, again.why) == (error.what, error.why)


def test_a_process_that_ends_is_noticed():
    with pytest.raises(SlopesError, match="a worker process has ended") as caught:
        searched(Bowl("exit"), 3, 1)
    assert len(caught.value.search.trials) == 1
