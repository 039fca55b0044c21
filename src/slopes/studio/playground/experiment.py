"""An experiment: a training that can be changed by hand, and brought back to any of its steps, bit for bit."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ... import random
from ...data import Dataset
from ...errors import ArgumentError
from ...nn import Linear, l1_penalty, l2_penalty
from ...random import Generator
from ...train.history import History
from ...train.replay import DivergedError
from ...train.spec import Penalty
from ...train.state import collect_state
from ...train.training import Training
from .inspector import linear_layers, weights_of
from .packing import Layout, PackedState, pack, unpack
from .points import make_points
from .record import compact, copy_record
from .settings import LONGEST_TRAINING, Settings, build_network, build_optimizer, build_schedule, training_epochs

MEMORY, MOST_CHECKPOINTS = 64 << 20, 512  # bytes and number of checkpoints
MOST_STEPS = 128  # at once
FEWEST_STEPS, LONGEST_REPLAY = 64, 0.05  # between two checkpoints: so many steps, fewer where they would take longer to do again
FIRST_STEPS = 8  # of the first slice, when nobody knows how long a step takes


@dataclass(frozen=True)
class Event:
    """A change by hand before step `step`: the learning rate (layer -1), or a weight or bias (column -1) of a layer with weights."""

    step: int
    value: float
    layer: int = -1
    row: int = 0
    column: int = -1

    @property
    def target(self) -> tuple[int, int, int]:
        """What it changes."""
        return self.layer, self.row, self.column


@dataclass(frozen=True)
class Checkpoint:
    """The state before step `step` without the history, after the first `events` events; `kept` ones are never thinned out."""

    step: int
    events: int
    epochs: int
    state: PackedState
    kept: bool

    @property
    def size(self) -> int:
        """Bytes."""
        return self.state.size


class Experiment:
    """Data, network and training of some settings.

    advance(seconds, most)  train for about this long
    seek(step)         show a step that was done; `step` is the one that is shown, `last` the last one that was done
    branch()           go on from the step that is shown: what came later is forgotten
    change(event)      change the rate, a weight or a bias; undo() takes the last change and all steps since back
    """

    def __init__(self, settings: Settings) -> None:
        self.settings, self.points = settings, make_points(settings)
        with random.using(Generator(settings.seed)):
            self.net = build_network(settings)
        training, test = self.points.training, self.points.test
        self.steps_per_epoch = -(-len(training) // min(settings.batch, len(training)))
        self.training = self.make_training(training, test)
        compact(self.training.history)
        self.layers: list[Linear] = linear_layers(self.net)
        if settings.initial != 1:
            for tensor in weights_of(self.layers):
                tensor.assign(tensor.detach().numpy() * np.float32(settings.initial))
        self.events: list[Event] = []
        self.future: History | None = None  # the whole history, while an earlier step is shown
        self.checkpoints: list[Checkpoint] = []
        self.layouts: dict[Layout, Layout] = {}
        self.spacing = 1  # times the shortest distance of two checkpoints: doubled when there are too many
        self.seconds_per_step = 0.0
        self.add_checkpoint(kept=True)

    def make_training(self, training: Dataset, test: Dataset) -> Training:
        """The training, not begun."""
        settings = self.settings
        return Training(self.net, training, optimizer=build_optimizer(settings), epochs=training_epochs(settings),
                        batch_size=min(settings.batch, len(training)), validation=test, seed=settings.seed,
                        schedule=build_schedule(settings, self.steps_per_epoch), penalty=build_penalty(settings))

    @property
    def step(self) -> int:
        """The step that is shown: so many were done before it."""
        return self.training.history.steps

    @property
    def last(self) -> int:
        """How many steps were done in all."""
        return self.step if self.future is None else self.future.steps

    @property
    def history(self) -> History:
        """Everything that was done."""
        return self.training.history if self.future is None else self.future

    @property
    def ended(self) -> bool:
        """Whether there is no further step."""
        return self.future is None and (self.training.ended or self.step >= LONGEST_TRAINING)

    # Going on

    def advance(self, seconds: float, most: int) -> int:
        """Do steps for about this long, `most` of them at most; how many were done. A checkpoint follows now and then.

        A loss that is not finite raises DivergedError, and the last checkpoint is put back.
        """
        self.seek(self.last)
        fitting = int(seconds / self.seconds_per_step) if self.seconds_per_step else FIRST_STEPS
        steps = min(most, MOST_STEPS, LONGEST_TRAINING - self.step, max(1, fitting))
        compiled, started = self.training.history.compile_seconds, time.perf_counter()
        try:
            self.training.advance(steps)
        except DivergedError:
            self.restore(self.checkpoints[-1], self.training.history)
            raise
        if self.training.history.compile_seconds == compiled:
            measured = (time.perf_counter() - started) / steps
            self.seconds_per_step = measured if not self.seconds_per_step else 0.7 * self.seconds_per_step + 0.3 * measured
        since = self.step - self.checkpoints[-1].step
        if since >= FEWEST_STEPS * self.spacing or since * self.seconds_per_step >= LONGEST_REPLAY * self.spacing:
            self.add_checkpoint()
        return steps

    def warm_up(self) -> None:
        """Compile the step before it is needed: an epoch is done, and taken back, also one whose losses are not finite."""
        if self.last:
            return
        with contextlib.suppress(DivergedError):
            self.training.advance(self.steps_per_epoch if self.steps_per_epoch < 1000 else 1)
        self.restore(self.checkpoints[0], self.training.history)

    # Time

    def add_checkpoint(self, kept: bool = False) -> None:
        """Remember the state, as it is now."""
        groups = {name: group for name, group in self.training.state_groups().items() if name != "history"}
        state = pack(collect_state(self.training.tensors, groups), self.layouts)
        self.checkpoints.append(Checkpoint(self.step, len(self.events), len(self.training.history.epochs), state, kept))
        self.thin_out()

    def thin_out(self) -> None:
        """Drop every second checkpoint when there are too many, and leave twice the distance from now on: all of the past is then
        covered evenly."""
        most = max(2, min(MOST_CHECKPOINTS, MEMORY // max(1, self.checkpoints[-1].size)))
        if sum(not point.kept for point in self.checkpoints) > most:
            self.checkpoints = thinned(self.checkpoints)
            self.spacing *= 2

    def seek(self, step: int) -> None:
        """Show a step that was done: from the last checkpoint before it, the steps in between are done again."""
        step = max(0, min(step, self.last))
        if step != self.step:
            self.go(step, len(self.events))

    def go(self, step: int, events: int) -> None:
        """Show a step, after the first `events` events."""
        whole = self.history if self.future is not None else copy_record(self.training.history)
        start = next(point for point in reversed(self.checkpoints) if point.step <= step and point.events <= events)
        self.restore(start, whole)
        if start.step < step:
            self.training.advance(step - start.step)
        self.future = whole if step < whole.steps else None

    def restore(self, start: Checkpoint, whole: History) -> None:
        """Put a checkpoint back, with the part of the history that led to it."""
        past = History(whole.losses[: start.step], whole.epochs[: start.epochs], whole.seconds, whole.compile_seconds)
        history = {f"history.{name}": np.array(value) for name, value in past.named_state().items()}
        self.training.load_named_state({**unpack(start.state), **history})

    def branch(self) -> None:
        """Forget all that came after the step that is shown."""
        if self.future is None:
            return
        self.future = None
        self.events = [event for event in self.events if event.step <= self.step]
        self.forget(self.step, len(self.events))
        self.add_checkpoint(kept=True)

    def forget(self, step: int, events: int) -> None:
        """Drop the checkpoints after a step and a number of events."""
        self.checkpoints = [point for point in self.checkpoints if point.step <= step and point.events <= events]

    # Changes by hand

    def change(self, event: Event) -> None:
        """Change the rate, a weight or a bias before the step that is shown; ArgumentError where there is no such weight."""
        self.check_event(event)
        self.branch()
        if self.events and self.events[-1].step == self.step and self.events[-1].target == event.target:
            self.undo()
        self.apply(event)
        self.events.append(event)
        self.add_checkpoint(kept=True)

    def check_event(self, event: Event) -> None:
        """Raise ArgumentError where the network has no such weight."""
        if event.layer < 0:
            return
        shape = self.layers[event.layer].weight.shape if event.layer < len(self.layers) else (0, 0)
        if event.row >= shape[0] or event.column >= shape[1]:
            raise ArgumentError("the network has no such weight", repair="choose one that is drawn", where="in the network")

    def apply(self, event: Event) -> None:
        """Make a change."""
        if event.layer < 0:
            self.training.rate = event.value
            return
        weight, bias = weights_of([self.layers[event.layer]])
        tensor, index = (bias, (event.row,)) if event.column < 0 else (weight, (event.row, event.column))
        values = tensor.detach().numpy().copy()
        values[index] = event.value
        tensor.assign(values)
        self.training.replay.restart()

    def undo(self) -> None:
        """Take the last change back, and the steps since."""
        if not self.events:
            raise ArgumentError("there is no change to undo", where="in the network")
        event = self.events.pop()
        self.go(event.step, len(self.events))
        self.future = None
        self.forget(event.step, len(self.events))


def build_penalty(settings: Settings) -> Penalty | None:
    """The regularization that is added to the loss."""
    strength = settings.strength
    if settings.penalty == "L1":
        return lambda net: strength * l1_penalty(net)
    return (lambda net: strength * l2_penalty(net)) if settings.penalty == "L2" else None


def thinned(checkpoints: Sequence[Checkpoint]) -> list[Checkpoint]:
    """Every second one of the checkpoints that may be dropped, the last one, and all that must be kept."""
    free = [point for point in checkpoints if not point.kept]
    dropped = {id(point) for point in free[:-1][::2]}
    return [point for point in checkpoints if id(point) not in dropped]
