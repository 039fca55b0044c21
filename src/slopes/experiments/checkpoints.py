"""Checkpoints: the run folder of an experiment that is not finished, from which it can be continued."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ..errors import ArgumentError, DataError, SaveError
from ..files.jsonfile import plain
from ..train.chunk import Chunk
from ..train.runs import RUN_VERSION, SavedRun, TrainingState, save_run
from ..train.training import Callback, Training
from .experiment import Experiment, Facts, Result

PAUSE_SECONDS = 10.0  # at least this long between two checkpoints
PAUSE_SHARE = 50  # and this many times as long as writing one took: under 2% of the time goes into checkpoints


class Checkpoints(Callback):
    """Keeps the state of each training of an experiment, and writes the run folder now and then while they run.

    It comes after all other callbacks of a training, so that their states are those after the same step. `part` is the name of the
    training that it follows. A checkpoint that cannot be written does not end the training: the first error is logged.
    """

    def __init__(self, result: Result[Any], folder: Path, started: float) -> None:
        self.result, self.folder, self.started = result, folder, started
        self.part = ""
        self.states: dict[str, TrainingState] = {}
        self.due = time.monotonic() + PAUSE_SECONDS
        self.failed = False

    def resumed(self, training: Training) -> None:
        """Keep the state: there may be no further step."""
        self.keep(training)

    def chunk_done(self, training: Training, chunk: Chunk | None) -> None:
        """Write a checkpoint if the last one is old enough."""
        if training.ended:  # the next event is the end, which may replace the weights
            self.keep(training)
        elif time.monotonic() >= self.due:
            self.write(training)

    def epoch_done(self, training: Training) -> None:
        """The same after an epoch."""
        self.chunk_done(training, None)

    def interrupted(self, training: Training) -> None:
        """Keep the state, which is written when the experiment ends."""
        self.keep(training)

    def keep(self, training: Training) -> None:
        """Remember the state of the training."""
        epoch, step = training.position
        self.states[self.part] = TrainingState(training.named_state(), {"epoch": epoch, "step": step})

    def write(self, training: Training) -> None:
        """Write the run folder: the networks trained so far, this one, and their states."""
        started = time.monotonic()
        self.keep(training)
        try:
            save_run({**self.result.runs, self.part: training.result}, self.folder, **description(self.result), interrupted=True,
                     seconds=time.perf_counter() - self.started, states=self.states)
        except SaveError as error:
            if not self.failed:
                self.result.config.log(f"no checkpoint was written: {error.what}; {error.repair}")
            self.failed = True
        finished = time.monotonic()
        self.due = finished + max(PAUSE_SECONDS, PAUSE_SHARE * (finished - started))


def description(result: Result[Any]) -> dict[str, Any]:
    """What a run folder says of an experiment before its result is known, as arguments of save_run."""
    return {"recipe": result.experiment.name, "hyperparameters": dict(result.config), "seed": result.config.seed, "data": result.facts}


def saved_states(saved: SavedRun, experiment: Experiment[Any]) -> dict[str, TrainingState]:
    """The state of each training of an unfinished run; ArgumentError where there is nothing to continue."""
    states = {name: TrainingState(network.state, network.position) for name, network in saved.networks.items() if network.state}
    if states:
        return states
    if not saved.interrupted:
        raise ArgumentError(f"the run in {saved.folder} is finished", why="only an interrupted run can be continued",
                            repair="train again into another folder, with other settings if you like")
    if saved.version < RUN_VERSION:
        why = "it was written by an older version of slopes"
    elif experiment.network is None:
        why = "the recipe compares models and keeps no network"
    else:
        why = "it was interrupted before the first step of a training by gradients"
    raise ArgumentError(f"the run in {saved.folder} holds no state to continue from", why=why,
                        repair="train again: slopes train " + experiment.name)


def check_facts(saved: SavedRun, facts: Facts) -> None:
    """DataError where the data are not those that the run was trained on."""
    before, now = plain(saved.data), plain(facts)
    other = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    if other:
        raise DataError(f"the run in {saved.folder} cannot be continued with these data: {', '.join(other)} differ",
                        why="it would not become the run that was interrupted",
                        repair="use the data that it was begun with (--data or SLOPES_DATA), or train again", where="")
