"""The run folder of one training: begun anew, or continued where an earlier process left it."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any

import numpy as np

from ..agreement import agree, writes
from ..errors import ArgumentError, SaveError, warn
from ..files.claim import claimed
from ..files.jsonfile import plain
from .checkpoints import EVERY_SECONDS, Checkpoints
from .history import Run
from .runs import Histories, SavedNetwork, SavedRun, TrainingState, holds_run, load_run, prepare_folder, save_run, save_somewhere, structure
from .stopping import EarlyStopping
from .training import Training

TERMINATED = 143  # the exit code that shells expect after SIGTERM


class RunFolder:
    """`fit(..., run=RunFolder("runs/mine", every=10))`, or `run="runs/mine"` with the defaults: a training that survives its process.

    If the folder holds an unfinished run, or a finished one of fewer epochs, the training continues it, with the same bits as without
    the interruption; net, data and settings must be those of that run. The state is saved every `every` seconds, as long as this
    takes at most 1% of the time, and after Ctrl-C and SIGTERM. A second signal, or half a minute, ends at once; then, as after a
    SIGKILL or a loss of power, the run continues from its last checkpoint.

    every   seconds between two checkpoints
    best    with validation data, the weights of the best epoch by validation loss are those of the run, and those that the net has
            in the end; False: those of the last epoch. An EarlyStopping among the callbacks decides instead; with `average=` the
            run has the averaged weights. The last weights are always part of the state, too

    A finished run is continued as if it had had more epochs from its beginning: the same bits, unless its schedule depends on the
    number of epochs. SIGTERM ends the process with exit code 143 when the run is saved. Raises, before the first step, SaveError
    (a folder that cannot be written, or that another process is writing), DataError (a damaged folder, a newer version, other data) and
    ArgumentError (another model, other settings, fewer epochs).

    >>> import numpy as np, slopes as sl
    >>> x = np.linspace(-1, 1, 64, dtype=np.float32).reshape(64, 1)
    >>> train = lambda epochs: sl.fit(sl.nn.Linear(1, 2), x, (x[:, 0] > 0).astype(np.int64), epochs=epochs, progress=False,
    ...                               run=sl.train.RunFolder("runs/points", every=10))
    >>> train(3).losses == train(5).losses[:3]
    True
    """

    def __init__(self, folder: str | os.PathLike[str], every: float = EVERY_SECONDS, best: bool = True) -> None:
        self.folder, self.every, self.best = folder, every, best
        self.written: Histories = {}

    def train(self, training: Training) -> Run:
        """Continue the run, or begin it; save it, and return it. Called with a training before its first step."""
        with claimed(prepare_folder(self.folder)) if writes() else contextlib.nullcontext():
            self.written = {}
            saved = load_run(self.folder) if agree(holds_run(self.folder)) else None
            stopping = self.add_stopping(training)
            expected = "" if saved is None else check_run(saved, training).data_sha256
            checkpoints = Checkpoints(lambda training, state: self.save(training, state, stopping), self.every, expected, warn_of)
            training.callbacks.append(checkpoints)
            if saved is not None:
                training.load_named_state(saved.network.state)
            result = training.run()
            if training.torn:
                raise KeyboardInterrupt
            self.finish(training, checkpoints.state)
        if checkpoints.terminated:
            sys.exit(TERMINATED)
        return result

    def add_stopping(self, training: Training) -> EarlyStopping | None:
        """The callback that knows the best weights: the caller's own, or one that never stops, which comes first."""
        own = [callback for callback in training.callbacks if isinstance(callback, EarlyStopping)]
        if not own and self.best and training.spec.validation is not None and training.average is None:
            own = [EarlyStopping(patience=sys.maxsize)]
            training.callbacks.insert(0, own[0])
        return own[0] if own and own[0].restore else None

    def save(self, training: Training, state: TrainingState, stopping: EarlyStopping | None) -> None:
        """Save a checkpoint; the weights of the run are the best so far."""
        weights = (stopping.weights if stopping else {}) or used_weights(training)
        if not writes():
            return  # it has helped to gather them
        save_run(training.result, self.folder, **description(training), states={"": state}, weights={"": weights},
                 interrupted=True, written=self.written)

    def finish(self, training: Training, state: TrainingState | None) -> None:
        """Save the run as it ended; into a temporary folder where this fails, with a warning."""
        states, weights = {} if state is None else {"": state}, {"": used_weights(training)}
        if not writes():
            return
        folder, error = save_somewhere(training.result, self.folder, **description(training), states=states, weights=weights,
                                       written=self.written)
        if error is not None:
            warn(error.what, why=f"the training is not lost: it was saved in {folder}", repair=error.repair)


def warn_of(error: SaveError) -> None:
    """Warn of a checkpoint that could not be written."""
    warn(f"no checkpoint was written: {error.what}", why="the training goes on, and tries again", repair=error.repair)


def used_weights(training: Training) -> dict[str, np.ndarray]:
    """The weights to use now: the net's own, or the averaged ones."""
    if training.average is None or not training.history.steps:
        return training.net.state_dict()
    with training.average.swapped():
        return training.net.state_dict()


def description(training: Training) -> dict[str, Any]:
    """What the record says of a training besides its weights and history."""
    spec = training.spec
    return {"hyperparameters": plain({**training.result.settings, **{name: described(getattr(spec, name)) for name in COMPARED}}),
            "seed": spec.seed}


COMPARED = "schedule", "clip", "accumulate", "average", "augment", "penalty", "constrain", "storage"


def described(value: Any) -> Any:
    """A setting as JSON can hold it: functions and objects by the names of what they are."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return getattr(value, "__name__", type(value).__name__)


def check_run(saved: SavedRun, training: Training) -> SavedNetwork:
    """The network of a run that this training can continue; ArgumentError otherwise."""
    if saved.recipe:
        raise refusal(saved, f"recipe {saved.recipe!r} made it", f"continue it by `slopes train {saved.recipe} --resume {saved.folder}`")
    network = saved.network
    if not network.state:
        raise refusal(saved, "it holds no state of a training")
    if difference := other_model(network.structure, plain(structure(training.net))):
        raise refusal(saved, difference, "make the net as it was made for this run")
    before, now = dict(saved.hyperparameters), description(training)["hyperparameters"]
    epochs = before.pop("epochs", 0), now.pop("epochs")
    other = [f"{name} is {now.get(name)} here, {before.get(name)} there" for name in {**before, **now} if now.get(name) != before.get(name)]
    if other:
        raise refusal(saved, f"its settings are others: {', '.join(other)}", "use the settings that it was begun with")
    if epochs[0] != epochs[1] and "auto" in epochs:
        raise refusal(saved, f"epochs is {epochs[1]!r} here, {epochs[0]!r} there", "use the epochs that it was begun with")
    if epochs[1] < epochs[0]:
        raise refusal(saved, f"it has {epochs[0]} epochs, more than epochs={epochs[1]}", f"use epochs={epochs[0]} or more")
    return network


def other_model(before: list[dict[str, Any]], now: list[dict[str, Any]]) -> str:
    """The first difference between the layers of two models, "" where there is none."""
    for old, new in zip(before, now):
        if old != new:
            return f"net.{new['path']} is {new['layer']} here, {old['layer']} there".replace("net. ", "the net ")
    return "" if len(before) == len(now) else f"the net has {len(now)} layers here, {len(before)} there"


def refusal(saved: SavedRun, why: str, repair: str = "") -> ArgumentError:
    """The error for a run that this training is not."""
    return ArgumentError(f"the run in {saved.folder} cannot be continued by this training", why=why,
                         repair=f"{repair}, or name another folder in run=" if repair else "name another folder in run=")
