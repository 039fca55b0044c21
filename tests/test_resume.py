"""Recipes continued after Ctrl-C or a kill: the same bits as without the interruption, whatever was interrupted."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")

from command_line import own_settings, slopes  # noqa: F401  (the fixture is used by being there)
from recipe_runs import same_weights

import slopes as sl
from slopes import data, nn, optim
from slopes.errors import ArgumentError, DataError, SaveError
from slopes.experiments import checkpoints
from slopes.experiments.catalog import RECIPES, find_recipe
from slopes.experiments.experiment import Experiment, Fit, Learn, Report, Setting
from slopes.experiments.load import load
from slopes.experiments.run import resume, run
from slopes.files.claim import claimed
from slopes.train import Callback, EarlyStopping
from slopes.train import checkpoints as policy
from slopes.train.progress import Live
from slopes.train.runs import load_run

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there is no SIGINT to send")
PARTS = ("first", "method", "second", "last")


class Interrupt(Callback):
    """Ctrl-C after so many epochs, counted over all trainings."""

    def __init__(self, epochs: int, signal_number: int = signal.SIGINT) -> None:
        self.epochs, self.signal_number = epochs, signal_number

    def epoch_done(self, training: sl.Training) -> None:
        self.epochs -= 1
        if not self.epochs:
            os.kill(os.getpid(), self.signal_number)


def histories(result) -> dict[str, tuple]:
    """All that a history holds but times."""
    return {name: (run.losses, [replace(epoch, seconds=0) for epoch in run.epochs]) for name, run in result.runs.items()}


def assert_same(result, expected) -> None:
    assert same_weights(result, expected)
    assert histories(result) == histories(expected) and list(result.runs) == list(expected.runs)
    assert result.figures == expected.figures and not result.interrupted


POINTS = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)


def sets(config, count: int = 40) -> tuple[data.Dataset, data.Dataset]:
    return tuple(data.Dataset(part, (part[:, 0] * part[:, 1] > 0).astype(int)) for part in (POINTS[:count], POINTS[40:]))


def training(config, splits, name, net):
    """Weights that are averaged, restored, or learned by another method."""
    if name == "method":
        return Learn(lambda: optim.minimize(lambda: nn.cross_entropy(net(splits[0].inputs), splits[0].targets), net, steps=3))
    options = {"average": optim.Average(0.9)} if name == "first" else {"callbacks": [EarlyStopping(patience=50)]}
    return Fit(*splits, epochs=config["epochs"], batch_size=8, optimizer=optim.Adam(lr=0.05), schedule="cosine", **options)


def report(result) -> Report:
    return Report({name: float(np.abs(result.networks[name](POINTS).numpy()).sum()) for name in result.networks}, ["done"])


several = Experiment(
    name="several", caption="four trainings", expected="nothing", data=sets, describe=lambda config, splits: {"count": len(splits[0])},
    parts=lambda config: PARTS, training=training, report=report, keeps=("last",), one_stream=True, predict=lambda run, item, top: None,
    network=lambda config, facts, name: nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.2), nn.Tanh(), nn.Linear(8, 2)),
    settings={"epochs": Setting(4, "enough to be interrupted")})


@pytest.fixture
def recipe(monkeypatch):
    monkeypatch.setitem(RECIPES, "several", several)
    return several


@pytest.fixture
def interrupted(recipe, tmp_path):
    """A run that was interrupted after the second epoch of its third training."""
    result = run(recipe, folder=tmp_path / "run", seed=5, progress=Interrupt(6))
    assert result.interrupted and list(result.runs) == ["first", "method", "second"] and not result.figures
    return tmp_path / "run"


SMALL = {"epochs": 4, "channels": 2}  # of the digits recipe


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A run of the digits recipe without interruption."""
    return run(find_recipe("digits"), SMALL, tmp_path_factory.mktemp("resume") / "whole", seed=3, progress=False)


def test_a_recipe_continues_after_ctrl_c_in_a_new_process(digits, tmp_path):
    folder = tmp_path / "run"
    half = run(digits.experiment, SMALL, folder, seed=3, progress=Interrupt(2))
    assert half.interrupted and "test accuracy" in half.figures and (folder / "state.safetensors").exists()
    assert load_run(folder).network.position == {"epoch": 2, "step": 0}
    command = [sys.executable, "-m", "slopes", "train", "digits", "--resume", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(sl.__file__).resolve().parents[1])
    assert "epochs 4, " in done.stdout and done.stdout.splitlines()[0].endswith("seed 3")
    first, *epochs = done.stderr.splitlines()
    assert first == "continues in epoch 3, step 1 of 40" and [line[:9] for line in epochs] == ["epoch 3/4", "epoch 4/4"]
    saved, whole = load_run(folder), load_run(digits.folder)
    assert saved.network.history.losses == whole.network.history.losses and len(saved.network.history.epochs) == 4
    for file in ("weights.safetensors", "history.jsonl"):
        assert (folder / file).read_bytes() == (digits.folder / file).read_bytes()
    assert saved.figures == whole.figures and not saved.interrupted


def test_a_killed_run_continues_from_its_last_checkpoint(digits, tmp_path):
    script = ("import signal, sys; from test_resume import SMALL, Interrupt, checkpoints, find_recipe, policy, run;"
              "checkpoints.EVERY_SECONDS = policy.SHARE = 0;"
              "run(find_recipe('digits'), SMALL, sys.argv[1], seed=3, progress=Interrupt(3, signal.SIGKILL))")
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(sl.__file__).resolve().parents[1])])
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "run")], env={**os.environ, "PYTHONPATH": path}, check=False)
    assert done.returncode == -signal.SIGKILL
    saved = load_run(tmp_path / "run")
    assert saved.interrupted and saved.network.history.steps > 0
    assert_same(resume(saved, progress=False), digits)


def test_of_several_trainings_the_interrupted_one_continues(recipe, interrupted, tmp_path):
    whole = run(recipe, folder=tmp_path / "whole", seed=5, progress=False)
    assert list(load_run(interrupted).networks) == ["first", "method", "second"]
    logged: list[str] = []
    assert_same(resume(load_run(interrupted), log=logged.append), whole)
    assert logged[0] == "first: already trained: 20 steps" and logged[1] == "second: continues in epoch 3, step 1 of 5"
    assert list(load(interrupted).networks) == ["last"]


def test_a_run_may_be_interrupted_again(recipe, interrupted, tmp_path):
    again = resume(load_run(interrupted), progress=Interrupt(3))
    assert again.interrupted and list(again.runs) == list(PARTS)
    assert again.figures and {name: state.position["epoch"] for name, state in again.states.items()} == {"first": 4, "second": 4, "last": 1}
    assert_same(resume(load_run(interrupted), progress=False), run(recipe, seed=5, progress=False))


def test_a_checkpoint_that_cannot_be_written_ends_no_training(recipe, tmp_path, monkeypatch):
    def full(*args, **contents):
        raise SaveError("the disk is full", repair="delete something")

    monkeypatch.setattr(checkpoints, "EVERY_SECONDS", 0)
    monkeypatch.setattr(policy, "SHARE", 0)
    monkeypatch.setattr(checkpoints, "save_run", full)
    logged: list[str] = []
    result = run(recipe, folder=tmp_path, log=logged.append)
    assert [line for line in logged if "checkpoint" in line] == ["no checkpoint was written: the disk is full; delete something"]
    assert_same(result, run(recipe, progress=False))


def test_the_command_says_how_to_continue_and_does(recipe, interrupted, tmp_path):
    whole = run(recipe, folder=tmp_path / "whole", seed=5, progress=False)
    done = slopes("train", "several", "--resume", interrupted)
    assert done.exit_code == 0 and "epochs 4, seed 5" in done.stdout and "to continue" not in done.stdout
    assert (interrupted / "weights.safetensors").read_bytes() == (whole.folder / "weights.safetensors").read_bytes()
    recipes = {"several": replace(recipe, data=lambda config: os.kill(os.getpid(), signal.SIGINT))}
    run(recipe, folder=interrupted, progress=Interrupt(1))
    RECIPES.update(recipes)
    stopped = slopes("train", "several", "--resume", interrupted)
    assert stopped.exit_code == 130 and f"to continue: slopes train several --resume {interrupted}" in stopped.stderr


@pytest.mark.parametrize("options, text", [
    (("several", "--seed", 1), "error: --resume with --seed\n  a run is continued with its own settings"),
    (("several", "--epochs", 5), "cannot be continued to 5 epochs\n  it has several trainings"),
    (("several", "--replace"), "error: --resume with --replace\n"),
    (("mlp",), "this is a run of recipe 'several', not of mlp\n  to continue: slopes train several --resume")])
def test_a_run_is_continued_by_its_recipe_with_its_settings(interrupted, options, text):
    done = slopes("train", *options, "--resume", interrupted)
    assert done.exit_code == 1 and text in done.stderr


def test_a_finished_run_continues_to_more_epochs(tmp_path):
    settings = {**SMALL, "schedule": "constant"}
    whole, half = (run(find_recipe("digits"), {**settings, "epochs": epochs}, tmp_path / str(epochs), seed=3, progress=False)
                   for epochs in (4, 2))
    more = slopes("train", "digits", "--resume", half.folder, "--epochs", 4, "--quiet")
    assert more.exit_code == 0 and "to continue" not in more.stdout
    for file in ("weights.safetensors", "history.jsonl"):
        assert (half.folder / file).read_bytes() == (whole.folder / file).read_bytes()
    fewer = slopes("train", "digits", "--resume", half.folder, "--epochs", 3, "--quiet")
    assert fewer.exit_code == 1 and "cannot be continued to 3 epochs\n  it has 4 of them\n  use --epochs 4 or more" in fewer.stderr
    same = slopes("train", "digits", "--resume", half.folder, "--quiet")
    assert same.exit_code == 1 and "is finished\n" in same.stderr and "add --epochs with more than it had" in same.stderr


def test_sigterm_saves_the_run_and_ends_the_process(tmp_path):
    command = [sys.executable, "-m", "slopes", "train", "digits", "--epochs", "100000", "--channels", "2", "--out", str(tmp_path / "run")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          cwd=Path(sl.__file__).resolve().parents[1]) as process:
        assert process.stderr.readline().startswith("epoch 1/100000")
        process.terminate()
        errors = process.communicate(timeout=60)[1]
    assert process.returncode == 143 and "Traceback" not in errors
    assert f"interrupted; to continue: slopes train digits --resume {tmp_path / 'run'}" in errors
    saved = load_run(tmp_path / "run")
    assert saved.interrupted and saved.network.position["epoch"] >= 1 and saved.network.history.steps >= 40


def test_a_folder_that_is_being_written_is_refused(recipe, interrupted):
    with claimed(interrupted):
        done = slopes("train", "several", "--resume", interrupted)
    assert done.exit_code == 1 and f"{interrupted} is being written by this process already" in done.stderr


def test_what_cannot_be_continued_is_refused(recipe, tmp_path, monkeypatch):
    run(recipe, {"epochs": 1}, tmp_path / "finished", progress=False)
    with pytest.raises(ArgumentError, match=r"the run in .* is finished\n"):
        resume(load_run(tmp_path / "finished"))
    models = replace(recipe, network=None, parts=lambda config: ("a", "b"), report=lambda result: Report({}, []), keeps=(),
                     training=lambda config, splits, name, net: InterruptedMethod(lambda: None))
    for experiment, why in ((models, "keeps no network"), (replace(models, network=several.network), "before the first step")):
        monkeypatch.setitem(RECIPES, "several", experiment)
        run(experiment, folder=tmp_path / "models", progress=False)
        with pytest.raises(ArgumentError, match=rf"holds no state to continue from\n.*{why}"):
            resume(load_run(tmp_path / "models"))
    old = replace(load_run(tmp_path / "models"), version=1)
    with pytest.raises(ArgumentError, match="older version of slopes"):
        resume(old)


class InterruptedMethod(Learn):
    """A method that Ctrl-C ends."""

    def run(self, net, seed, callbacks=(), state=None):
        return replace(super().run(net, seed, callbacks, state), interrupted=True)


def test_other_data_are_refused(recipe, interrupted, monkeypatch):
    monkeypatch.setitem(RECIPES, "several", replace(recipe, data=partial(sets, count=30)))
    with pytest.raises(DataError, match="cannot be continued with these data: count differ"):
        resume(load_run(interrupted))
    monkeypatch.setitem(RECIPES, "several", replace(recipe, data=partial(sets, count=30), describe=lambda config, splits: {"count": 40}))
    with pytest.raises(DataError, match=r"cannot be continued with these data\n  their SHA-256 begins with"):
        resume(load_run(interrupted), progress=False)


def test_a_live_line_does_not_count_earlier_examples_as_speed(recipe):
    half = several.training({"epochs": 4}, sets(None), "first", net := several.network(None, {}, "first")).training(net, 0)
    half.advance(7)
    live = Live(io.StringIO())
    again = several.training({"epochs": 4}, sets(None), "first", net).training(net, 0, [live])
    again.load_named_state(half.named_state())
    task = live.progress.tasks[live.task]
    assert task.completed == 56 and task.speed is None
    assert "continues in epoch 2, step 3 of 5" in live.progress.console.file.getvalue()
    live.end(again)
