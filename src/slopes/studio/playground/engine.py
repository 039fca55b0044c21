"""The playground's engine: an experiment that is played, steered and looked at from the page."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any, cast

import numpy as np

from ...errors import ArgumentError, SlopesError
from ...files.tensorfile import safetensors_bytes
from ...train.advise import advice
from ...train.history import History, Run
from ...train.replay import DivergedError
from ..engine import Context, Frame
from ..messages import Attached, Message
from .catalogue import catalogue
from .experiment import Event, Experiment
from .inspector import Inspector, weights_of
from .messages import Advance, Branch, Change, Configure, Edit, Play, Read, Seek, Show, TakeHome, Undo
from .program import program
from .record import Epochs
from .settings import LONGEST_TRAINING, Settings, count_parameters, widths, work_per_epoch
from .table import read_table

ADVICE_SECONDS, ADVICE_PAUSE = 0.5, 50  # between two looks at the curves: seconds, and times as long as the last look took
MOST_CURVE = 600  # points of a curve that are sent
LONGEST_DEBT = 0.25  # seconds of steps that are made up for after a pause


class Playground:
    """One experiment at a time; every setting that is changed begins a new one."""

    def __init__(self, context: Context) -> None:
        self.build = 0
        self.playing, self.speed, self.owed = False, 0.0, 0.0
        self.changed, self.show_gradients = True, False
        self.target: int | None = None  # the step to be shown
        self.script: list[tuple[int, Event | None]] = []  # changes and steps of a link that are still to be done
        self.cold: list[Callable[[], object]] = []  # what is still to be compiled, while nobody waits
        self.announced = False  # whether the page was told that the training is being compiled
        self.next_view = self.next_advice = self.last_step = 0.0
        self.remarks: list[dict[str, str]] = []
        self.begin(Settings())
        self.actions: dict[type[Message], Callable[[Any], Frame | None]] = {
            Attached: self.attached, Configure: self.configure, Play: self.play, Advance: self.advance, Seek: self.seek,
            Branch: self.branch, Edit: self.edit, Undo: self.undo, Show: self.show, Read: self.read, TakeHome: self.take}

    def begin(self, settings: Settings) -> None:
        """A new experiment."""
        experiment = Experiment(settings)
        self.settings, self.experiment = settings, experiment
        self.inspector = Inspector(experiment.net, settings, experiment.points)
        self.build += 1
        self.cold = [self.inspector.view, experiment.warm_up]
        self.playing, self.announced, self.changed = False, False, True
        self.target, self.script, self.remarks, self.owed = None, [], [], 0.0
        self.next_view = self.next_advice = 0.0

    # Messages

    def handle(self, message: Message) -> Frame | None:
        """Do what the page asks."""
        self.changed = True
        return self.actions[type(message)](message)

    def attached(self, message: Attached) -> Frame:
        """Everything that the page can offer, and the experiment as it is."""
        return Frame({"kind": "catalogue", **catalogue(), "resumed": message.resumed, "settings": dataclasses.asdict(self.settings),
                      "last": self.experiment.last, "changes": len(self.experiment.events),
                      **self.network_header()}, self.point_arrays())

    def configure(self, message: Configure) -> Frame:
        """Begin anew."""
        self.begin(message.settings)
        self.script = [(change.step, event_of(change)) for change in message.changes]
        if message.steps:
            self.script.append((message.steps, None))
        return Frame({"kind": "network", "settings": dataclasses.asdict(self.settings), **self.network_header()}, self.point_arrays())

    def play(self, message: Play) -> None:
        """Go on, or pause."""
        if message.on and self.experiment.ended:
            schedule = self.experiment.last < LONGEST_TRAINING
            raise ArgumentError(f"the training has ended after {self.experiment.last:,} steps",
                                why="its schedule is at its end" if schedule else "this is the playground's limit",
                                repair="reset it, or choose the schedule constant" if schedule else "take it home as a program to go on",
                                where="in the playground")
        self.playing, self.speed, self.owed = message.on, message.speed, 0.0
        self.last_step = time.monotonic()

    def advance(self, message: Advance) -> None:
        """Do a step or an epoch."""
        self.playing = False
        per_epoch = self.experiment.steps_per_epoch
        done = self.experiment.last
        self.script = [(done + 1 if message.unit == "step" else (done // per_epoch + 1) * per_epoch, None)]

    def seek(self, message: Seek) -> None:
        """Show a step; of several wishes, the last one counts."""
        self.playing, self.script, self.target = False, [], message.step

    def branch(self, message: Branch) -> None:
        """Go on from the step that is shown."""
        self.settle()
        self.experiment.branch()

    def edit(self, message: Edit) -> None:
        """Change a weight or the rate."""
        self.settle()
        change = message.change
        if change.layer < 0:  # the rate of the training that goes on, not of a step that is looked at
            self.experiment.seek(self.experiment.last)
        self.experiment.change(Event(self.experiment.step, change.value, change.layer, change.row, change.column))

    def undo(self, message: Undo) -> None:
        """Take a change back."""
        self.settle()
        self.playing = False
        self.experiment.undo()

    def show(self, message: Show) -> None:
        """Draw gradients, or not."""
        self.show_gradients = message.gradients

    def read(self, message: Read) -> Frame:
        """The points of a CSV."""
        table = read_table(message.text, message.columns)
        return Frame({"kind": "table", "problem": table.problem, "names": table.names, "columns": table.columns, "choice": table.choice,
                      "remarks": table.remarks, "points": table.points.tolist()})

    def take(self, message: TakeHome) -> Frame:
        """Something to take home, of the step that is shown."""
        self.settle()
        experiment = self.experiment
        events = [event for event in experiment.events if event.step <= experiment.step]
        if message.what == "program":
            return Frame({"kind": "program", "text": program(self.settings, events, experiment.step, experiment.steps_per_epoch)})
        if message.what == "weights":
            data = safetensors_bytes(experiment.net.state_dict())
            return Frame({"kind": "weights", "step": experiment.step}, {"file": np.frombuffer(data, np.uint8)})
        return Frame({"kind": "link", "changes": [dataclasses.asdict(event) for event in events], "steps": experiment.step})

    # Work

    def step(self, seconds: float) -> bool:
        """Show the step that was asked for, do what a link asks, train, or compile what will be needed."""
        if self.target is not None:
            self.settle()
        elif (self.script or self.playing) and not self.announced:
            self.announced = self.changed = True  # what comes next compiles: the page says so meanwhile
            return True
        elif self.script:
            self.guarded(self.follow, seconds)
        elif self.playing:
            self.guarded(self.train, seconds)
        elif self.cold and not self.changed:
            self.cold.pop(0)()
        return bool(self.playing or self.script or (self.cold and not self.changed))

    def settle(self) -> None:
        """Show the step that was asked for."""
        target, self.target = self.target, None
        if target is not None:
            self.experiment.seek(target)
            self.changed = True

    def guarded(self, work: Callable[[float], None], seconds: float) -> None:
        """Work; what fails ends the play."""
        self.changed, self.cold = True, [task for task in self.cold if task != self.experiment.warm_up]
        try:
            work(seconds)
        except DivergedError as error:
            self.playing, self.script = False, []
            raise ArgumentError(error.what, why=error.why, repair="lower the learning rate, and reset or go back in time",
                                where=f"after step {self.experiment.last}") from None
        except SlopesError:
            self.playing, self.script = False, []
            raise

    def follow(self, seconds: float) -> None:
        """The next steps or the next change of a link."""
        step, event = self.script[0]
        if self.experiment.last < step and not self.experiment.ended:
            self.experiment.advance(seconds, step - self.experiment.last)
            return
        self.experiment.seek(self.experiment.last)
        del self.script[0]
        if event is not None:
            self.experiment.change(event)

    def train(self, seconds: float) -> None:
        """As many steps as the speed allows."""
        now = time.monotonic()
        most = self.experiment.steps_per_epoch * self.speed
        self.owed = min(self.owed + most * (now - self.last_step), max(1.0, most * LONGEST_DEBT))
        self.last_step = now
        if self.speed and self.owed < 1:
            time.sleep(min(seconds, (1 - self.owed) / most))
            return
        self.owed -= self.experiment.advance(seconds, int(self.owed) if self.speed else 1 << 30)
        if self.experiment.ended:
            self.playing = False

    def close(self) -> None:
        """Nothing is held."""

    # What is shown

    def frame(self) -> Frame | None:
        """Network, boundary and curves as they are; at most half of the time goes into looking at a network that learns."""
        now = time.monotonic()
        if not self.changed or (self.playing and now < self.next_view) or self.target is not None:
            return None
        self.changed = False
        view = self.inspector.view() if self.playing or len(self.cold) < 2 else self.inspector.eager_view()
        arrays = {"boundary": view.boundary, "maps": view.maps, "spread": view.spread, **self.weight_arrays(), **self.curve_arrays()}
        if view.certainty is not None:
            arrays["certainty"] = view.certainty
        if self.show_gradients:
            arrays["gradients"] = flat(self.inspector.gradients())
        done = time.monotonic()
        self.next_view = done + (done - now)
        return Frame({"kind": "state", "build": self.build, **self.state_header()}, arrays)

    def state_header(self) -> dict[str, Any]:
        """The figures of the step that is shown."""
        experiment = self.experiment
        history = experiment.training.history
        epoch = history.epochs[-1] if history.epochs else None
        return {"step": experiment.step, "last": experiment.last, "epoch": experiment.training.position.epoch,
                "rate": experiment.training.rate, "playing": self.playing, "busy": bool(self.script), "ended": experiment.ended,
                "compiling": self.announced and not experiment.seconds_per_step and bool(self.playing or self.script),
                "changes": len(experiment.events), "batch_loss": history.losses[-1] if history.losses else None,
                "loss": None if epoch is None else epoch.loss, "test_loss": None if epoch is None else epoch.watched["loss"],
                "accuracy": None if epoch is None else epoch.metrics.get("accuracy"),
                "test_accuracy": None if epoch is None else epoch.watched.get("accuracy"),
                "steps_per_second": 1 / experiment.seconds_per_step if experiment.seconds_per_step else None, "remarks": self.advise()}

    def advise(self) -> list[dict[str, str]]:
        """The remarks of sl.train.advice on the curves, looked at now and then."""
        now = time.monotonic()
        if now >= self.next_advice or not self.playing:
            result = self.experiment.training.result
            self.remarks = [dataclasses.asdict(remark) for remark in advice(run_until_now(result, self.experiment.history))]
            done = time.monotonic()
            self.next_advice = done + max(ADVICE_SECONDS, ADVICE_PAUSE * (done - now))
        return self.remarks

    def network_header(self) -> dict[str, Any]:
        """The shape of the network, and what it costs."""
        return {"build": self.build, "widths": widths(self.settings), "parameters": count_parameters(self.settings),
                "operations": work_per_epoch(self.settings), "steps_per_epoch": self.experiment.steps_per_epoch,
                "side": self.inspector.side, "map_side": self.inspector.map_side}

    def point_arrays(self) -> dict[str, np.ndarray]:
        """The points with their targets, those to train on first."""
        points = self.experiment.points
        table = np.concatenate([points.points, points.targets.reshape(-1, 1)], axis=1)
        return {"points": table.astype(np.float32), "cut": np.array([points.cut], np.int32)}

    def weight_arrays(self) -> dict[str, np.ndarray]:
        """Weights and biases of all layers, one after the other."""
        return {"weights": flat([tensor.detach().numpy() for tensor in weights_of(self.experiment.layers)])}

    def curve_arrays(self) -> dict[str, np.ndarray]:
        """Losses after epochs: all of a short run, every 2nd, 4th, ... of a long one, and the last."""
        epochs = cast(Epochs, self.experiment.history.epochs)
        count, stride = len(epochs), 1
        while count / stride > MOST_CURVE:
            stride *= 2
        shown = np.unique([*range(0, count, stride), *range(max(0, count - 1), count)]).astype(np.int32)
        loss, test = (np.array(epochs.column(name), np.float32)[shown] for name in ("loss", "validation.loss"))
        return {"curve_steps": (shown + 1) * np.int32(self.experiment.steps_per_epoch), "curve_loss": loss, "curve_test": test}


def event_of(change: Change) -> Event:
    """A change of a message as an event of the experiment."""
    return Event(change.step, change.value, change.layer, change.row, change.column)


def run_until_now(result: Run, history: History) -> Run:
    """The run with all its history, also when an earlier step is shown."""
    return dataclasses.replace(result, history=history)


def flat(arrays: list[np.ndarray]) -> np.ndarray:
    """Arrays one after the other, as float32."""
    return np.concatenate([array.reshape(-1) for array in arrays]).astype(np.float32)
