"""Checkpoints: the run folder of an experiment that is not finished, from which it can be continued."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

from ..agreement import writes
from ..errors import ArgumentError, DataError, SaveError
from ..files.jsonfile import plain
from ..train.checkpoints import EVERY_SECONDS, Checkpoints
from ..train.history import Run
from ..train.runs import Histories, SavedRun, TrainingState, save_run
from ..train.training import Training
from .experiment import Experiment, Facts, Result


class RunWriter:
    """Writes the run folder of an experiment while its trainings run, and knows the states that they can be continued from.

    digests   of the data that the trainings of a continued run were begun with, by part
    """

    def __init__(self, result: Result[Any], folder: Path, started: float, digests: dict[str, str]) -> None:
        self.result, self.folder, self.started, self.digests = result, folder, started, digests
        self.followed: dict[str, Checkpoints] = {}
        self.written: Histories = {}
        self.failed = False

    @property
    def states(self) -> dict[str, TrainingState]:
        """The last state of each training that has one."""
        return {name: callback.state for name, callback in self.followed.items() if callback.state is not None}

    @property
    def terminated(self) -> bool:
        """Whether SIGTERM ended a training."""
        return any(callback.terminated for callback in self.followed.values())

    def follow(self, name: str) -> Checkpoints:
        """The callback of the training of this name."""
        self.followed[name] = Checkpoints(partial(self.write, name), EVERY_SECONDS, self.digests.get(name, ""), self.warn)
        return self.followed[name]

    def write(self, name: str, training: Training, state: TrainingState) -> None:
        """Write the run folder: the networks trained so far, this one, and their states."""
        self.save({**self.result.runs, name: training.result}, {**self.states, name: state})

    def save(self, runs: dict[str, Run], states: dict[str, TrainingState]) -> None:
        """Write the run folder of an experiment that is not finished; of several processes the first does."""
        if not writes():
            return
        save_run(runs, self.folder, **description(self.result), interrupted=True, seconds=time.perf_counter() - self.started,
                 states=states, written=self.written)

    def warn(self, error: SaveError) -> None:
        """Log that a checkpoint could not be written, the first time."""
        if not self.failed:
            self.result.config.log(f"no checkpoint was written: {error.what}; {error.repair}")
        self.failed = True


def description(result: Result[Any]) -> dict[str, Any]:
    """What a run folder says of an experiment before its result is known, as arguments of save_run."""
    return {"recipe": result.experiment.name, "hyperparameters": dict(result.config), "seed": result.config.seed, "data": result.facts}


def saved_states(saved: SavedRun, experiment: Experiment[Any], longer: bool = False) -> None:
    """ArgumentError where there is nothing to continue: no state, or a finished run that is to become no longer."""
    if not saved.interrupted and not longer:
        more = ", or add --epochs with more than it had" if "epochs" in experiment.settings else ""
        raise ArgumentError(f"the run in {saved.folder} is finished", why="only an interrupted run can be continued as it is",
                            repair=f"train again into another folder, with other settings if you like{more}")
    if any(network.state for network in saved.networks.values()):
        return
    if saved.version == 1 or not saved.interrupted:
        why = "it was written by an older version of slopes"
    elif experiment.network is None:
        why = "the recipe compares models and keeps no network"
    else:
        why = "it was interrupted before the first step of a training by gradients"
    raise ArgumentError(f"the run in {saved.folder} holds no state to continue from", why=why,
                        repair="train again: slopes train " + experiment.name)


def lengthened(values: dict[str, Any], epochs: int, saved: SavedRun, experiment: Experiment[Any]) -> dict[str, Any]:
    """The hyper-parameters with more epochs; ArgumentError where the run cannot have them."""
    what = f"the run in {saved.folder} cannot be continued to {epochs} epochs"
    if "epochs" not in values:
        raise ArgumentError(what, why=f"recipe {experiment.name} counts no epochs", repair="leave out --epochs")
    if len(saved.networks) != 1:
        raise ArgumentError(what, why="it has several trainings, and one may begin with what another has learned",
                            repair="train again into another folder")
    before = max(values["epochs"], *(len(network.history.epochs) for network in saved.networks.values()))
    if epochs < before:
        raise ArgumentError(what, why=f"it has {before} of them", repair=f"use --epochs {before} or more")
    return experiment.resolve(**{**values, "epochs": epochs})


def check_facts(saved: SavedRun, facts: Facts) -> None:
    """DataError where the data are not those that the run was trained on."""
    before, now = plain(saved.data), plain(facts)
    other = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    if other:
        raise DataError(f"the run in {saved.folder} cannot be continued with these data: {', '.join(other)} differ",
                        why="it would not become the run that was interrupted",
                        repair="use the data that it was begun with (--data or SLOPES_DATA), or train again", where="")
