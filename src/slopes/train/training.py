"""A training that can be advanced step by step, looked at, saved and continued."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple, NoReturn

import numpy as np

from .. import random
from ..agreement import agree, compare
from ..constraint import COUNT, NOT_NEGATIVE, check
from ..errors import ArgumentError
from ..nn.losses import cross_entropy, nll_loss
from ..nn.module import Buffer, Module, entries
from ..optim import Adam, schedules
from ..optim.optimizer import Optimizer
from ..random import Generator
from .best import AUTO, MOST_EPOCHS, BestEpoch
from .checks import check_auto, check_average, check_kinds, check_optimizer, paired
from .chunk import Chunk, join_chunks
from .data_digest import data_digest
from .epoch_metrics import EpochMetrics
from .facts import training_facts
from .history import Chance, Epoch, History, Run
from .interrupt import Interrupts
from .metrics import check_for_training, find_metrics, without_ranks
from .mistakes import check_learns, warn_of_zeros
from .mode import Mode, put_in_use
from .replay import DivergedError, StepReplay, broken_weights, is_finite, non_finite, state_tensors
from .schedule import find_schedule
from .sources import Source, source_of
from .spec import TrainSpec
from .state import Group, collect_state, restore_state
from .statistics import find_statistics
from .step import Forward, TrainStep
from .totals import Loss, Objective
from .validation import Validation, validation_sources
from .weighting import find_class_weight


class Position(NamedTuple):
    """The step that comes next: its epoch, and its index in that epoch; both count from 0."""

    epoch: int
    step: int


class Event(NamedTuple):
    """Something that happened in a training: it began, a chunk of steps was done, an epoch was done, it ended.

    value: the Chunk of "chunk", the Epoch of "epoch", the Run of "end"; None of "begin".
    """

    kind: Literal["begin", "chunk", "epoch", "end"]
    value: Chunk | Epoch | Run | None = None


class Callback:
    """The base of objects that follow a training, `fit(..., callbacks=[...])`: override the methods for the events of interest.

    `training.stop()` ends the training after the chunk or epoch that was just done. A callback with a memory of its own has
    `named_state` and `load_named_state`, so that a training that is saved and continued has the same memory.

    >>> from slopes.train import Callback
    >>> class Goal(Callback):
    ...     def epoch_done(self, training):
    ...         if training.history.epochs[-1].metrics["accuracy"] >= 0.99:
    ...             training.stop()
    """

    def begin(self, training: Training) -> None:
        """Before the first step, or before a saved state is loaded: forget an earlier training."""

    def chunk_done(self, training: Training, chunk: Chunk) -> None:
        """After each native call."""

    def epoch_done(self, training: Training) -> None:
        """After each epoch and its validation; `training.history.epochs[-1]` is its record."""

    def resumed(self, training: Training) -> None:
        """After a saved state was loaded: the training goes on from `training.position`."""

    def interrupted(self, training: Training) -> None:
        """After Ctrl-C, before `end`: net and training are as the last step left them, so that `named_state` can be saved. Not called
        after a second Ctrl-C, which may have come in the middle of anything: `training.torn`."""

    def end(self, training: Training) -> str | None:
        """However the training ends; `training.error` is the exception that ended it, if any. A text that is returned says what the
        net holds now, and is shown after an interruption."""

    def named_state(self) -> dict[str, Any]:
        """Everything that later events depend on, as arrays and numbers by name."""
        return {}

    def load_named_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from what `named_state` gave."""


class OnEpoch(Callback):
    """Calls a function with the training after each epoch: `fit(..., callbacks=[OnEpoch(lambda training: print(training.rate))])`.

    >>> from slopes.train import OnEpoch
    >>> stop_early = OnEpoch(lambda training: training.stop() if training.history.epochs[-1].loss < 0.1 else None)
    """

    def __init__(self, function: Callable[[Training], Any]) -> None:
        self.function = function

    def epoch_done(self, training: Training) -> None:
        """Call the function."""
        self.function(training)


class Training:
    """A training of `net` on `dataset` that is advanced by steps, looked at, saved and continued; `sl.fit` runs one to its end.

    spec       a TrainSpec; further keyword arguments are fields of it: Training(net, data, epochs=3). `sl.fit` documents them
    callbacks  objects that follow the training (Callback)

    advance(steps)       do that many steps (by default as many as one native call does in about 0.1 s); returns their Chunk
    for event in ...     the events "begin", "chunk", "epoch", "end" to the end of the training, each after it happened
    run()                all that is left, as `fit` does; returns the Run
    stop()               end after the chunk or epoch that was just done
    position             (epoch, step) of the next step;   ended: whether there is none
    history, result      losses and records of epochs; the Run
    statistics           what the step measures of outputs, weights, gradients and updates: a train.Statistics in `statistics=`
    rate                 the learning rate of the next step. Setting it holds from that step on: without a schedule it becomes the
                         optimizer's rate, with one, `base_rate`, by which the schedule's factors are multiplied, is set so that the
                         next step has this rate
    named_state()        all that changes, as arrays by name; load_named_state(state) continues from there, in any process, with the
                         same bits as if the training had never stopped. Net, data and settings must be those of the saved training

    Between two calls the net is in eval mode, ready for use, and random numbers are the caller's own. The division into chunks and
    calls changes no bit. Raises what `fit` raises; ArgumentError for `advance` after the end, StateError for a state that does not fit.

    >>> import numpy as np, slopes as sl
    >>> from slopes import nn, optim
    >>> x = np.linspace(-1, 1, 64, dtype=np.float32).reshape(64, 1)
    >>> points = sl.data.Dataset(x, (x[:, 0] > 0).astype(np.int64))
    >>> training = sl.Training(nn.Linear(1, 2), points, optimizer=optim.Adam(lr=0.1), epochs=30, batch_size=16)
    >>> chunk = training.advance(6)
    >>> chunk["loss"].shape, training.position, training.rate
    ((6,), Position(epoch=1, step=2), 0.1)
    >>> state = training.named_state()
    >>> training.rate = 0.01
    >>> for kind, value in training:
    ...     if kind == "epoch" and value.epoch == 1:
    ...         break
    >>> training.load_named_state(state)
    >>> training.position, training.rate
    (Position(epoch=1, step=2), 0.1)
    >>> training.run().epochs[-1].metrics["accuracy"] > 0.9
    True
    """

    def __init__(self, net: Module, dataset: Any, spec: TrainSpec | None = None, *, callbacks: Iterable[Callback] = (),
                 **settings: Any) -> None:
        spec = dataclasses.replace(TrainSpec() if spec is None else spec, **settings)
        self.net, self.spec, self.callbacks = net, spec, list(callbacks)
        dataset = paired(dataset)
        check_kinds(net, spec.loss, spec.optimizer)
        check_average(spec.average, net)
        self.optimizer = Adam(lr=1e-3) if spec.optimizer is None else spec.optimizer
        self.average, self.schedule = spec.average, find_schedule(spec.schedule)
        self.epochs = MOST_EPOCHS if spec.epochs == AUTO else int(spec.epochs)
        self.best = BestEpoch() if spec.epochs == AUTO else None
        self.generator = Generator(spec.seed)
        with random.using(Generator(spec.seed)):  # a loss or an augmentation that draws does so here, too
            self.source, held_out = self.check_data(dataset)
        self.metrics = find_metrics(spec.metrics, self.source.labelled)
        check_for_training(self.metrics, bool(held_out))
        if self.best is not None:
            check_auto(bool(held_out), self.average, self.schedule)
        self.step_metrics = without_ranks(self.metrics)
        self.statistics = find_statistics(spec.statistics, net)
        self.bind()
        self.batch_size = self.source.batch_size(spec.batch_size)
        self.examples, self.steps_per_epoch = self.source.examples(spec.batch_size), self.source.steps(spec.batch_size)
        self.prepare_step()
        self.validation = Validation(net, held_out, self.objective, self.metrics, self.batch_size, spec.seed, spec.backend)
        self.sources = [(self.source, self.batch_size), *self.validation.sources]
        self.prepare_record()

    # What is prepared when it is made

    def check_data(self, dataset: Any) -> tuple[Source, dict[str, Source]]:
        """The sources of training and validation data, after all checks that need no compilation."""
        spec = self.spec
        source = source_of(dataset, backend=spec.backend)
        class_weight = find_class_weight(spec.class_weight, source)
        objective = source.check_loss(self.net, spec.loss, spec.augment, class_weight is not None)
        self.objective = dataclasses.replace(objective, class_weight=class_weight)
        held_out = validation_sources(spec.validation, spec.backend)
        for other in held_out.values():
            other.check_loss(self.net, self.objective.loss, weighted=class_weight is not None)
        if spec.epochs:
            check_learns(self.net)
            warn_of_zeros(self.net)
        source.check_training(self.net, self.objective.loss, spec.batch_size, list(held_out.values()))
        return source, held_out

    def bind(self) -> None:
        """Bind the optimizer to the net, unless it is bound to parameters of this net already; and the average."""
        if self.optimizer.parameters:
            check_optimizer(self.optimizer, list(self.optimizer.parameters), self.net)
        else:
            self.optimizer.bind(self.net.parameters())
        if self.average is not None:
            self.average.bind(self.net.parameters())

    def prepare_step(self) -> None:
        """The compiled step, what runs it, and what repeats it after a loss that is not finite."""
        carried = self.source.carried_state(self.net, self.batch_size)
        forward = Forward(self.net, self.source, self.objective, self.step_metrics, carried)
        program = TrainStep(forward, self.spec, self.optimizer, self.average).compile(self.statistics)
        self.runner = self.source.runner(program, self.batch_size, carried)
        self.tensors = state_tensors(self.net, self.generator, optimizer=self.optimizer, average=self.average, carried=carried)
        self.replay = StepReplay(self.tensors, self.runner.run)
        learned = {id(parameter) for parameter in self.optimizer.parameters}
        self.watched = [(entry.display, entry.value) for entry in entries(self.net)
                        if (id(entry.value) in learned or isinstance(entry.value, Buffer)) and is_finite(entry.value.peek())]

    def prepare_record(self) -> None:
        """Position, history and result, before the first step."""
        settings = run_settings(self.spec, self.batch_size, self.optimizer, self.objective)
        self.position, self.history = Position(0, 0), History()
        self.result = Run(self.net, self.history, settings, chance=chance_of(self.objective.loss, self.source), metrics=self.metrics)
        self.base_rate = float(self.optimizer.lr)
        self.begun = self.stopped = self.finished = self.torn = False
        self.error: BaseException | None = None
        self.interrupts = Interrupts()
        self.start_epoch()

    def start_epoch(self) -> None:
        """Empty means, and batches that are made when the next step is done."""
        self.epoch_metrics = EpochMetrics(self.step_metrics, self.objective.summed)
        self.batches: Any = None

    # The rate

    @property
    def steps(self) -> int:
        """The number of steps of the whole training, for schedules; 0 where it is not known, with epochs="auto"."""
        return self.epochs * self.steps_per_epoch if self.best is None else 0

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        return float(self.optimizer.lr) if self.schedule is None else self.base_rate * self.factor(self.history.steps)

    @rate.setter
    def rate(self, value: float) -> None:
        check("Training", {"rate": NOT_NEGATIVE}, {"rate": value})
        self.replay.restart()
        if self.schedule is None:
            self.optimizer.lr = self.base_rate = float(value)
            return
        factor = self.factor(self.history.steps)
        if not factor:
            raise ArgumentError(f"the rate cannot become {value:g}", why="the schedule's factor of the next step is 0",
                                repair="set training.base_rate, by which the factors are multiplied")
        self.base_rate = float(value) / factor

    def factor(self, step: int) -> float:
        """The schedule's factor in a step of the training."""
        assert self.schedule is not None, "asked where there is a schedule"
        return self.schedule(step, self.steps)

    def rates(self, steps: int) -> np.ndarray | None:
        """The learning rates of the next steps, or None where the optimizer's own stays."""
        if self.schedule is None:
            return None
        first = self.history.steps
        return np.array([self.base_rate * self.factor(step) for step in range(first, first + steps)])

    # Going on

    @property
    def ended(self) -> bool:
        """Whether there is no further step."""
        return self.finished or self.stopped or self.position.epoch >= self.epochs

    def stop(self) -> None:
        """End the training after the chunk or epoch that was just done."""
        self.stopped = True

    def advance(self, steps: int | None = None) -> Chunk:
        """Do `steps` steps, fewer only where the training ends; None: one native call, within an epoch, of about 0.1 s.

        An epoch that is complete is validated and recorded before this returns. Ctrl-C is raised as KeyboardInterrupt between two
        native calls; the training can then go on.
        """
        if steps is not None:
            check("advance", {"steps": COUNT}, {"steps": steps})
        if self.ended:
            raise ArgumentError(f"advance: the training has ended after {self.history.steps} steps",
                                repair="make another Training of this net, or load the state into one with more epochs")
        calls = 1 if steps is None else math.inf
        chunks = [event.value for event in self.events(math.inf if steps is None else steps, calls) if isinstance(event.value, Chunk)]
        return join_chunks(chunks)

    def __iter__(self) -> Iterator[Event]:
        return self.events()

    def run(self) -> Run:
        """Everything that is left. Ctrl-C ends the training between two calls, and everything learned so far is kept."""
        try:
            with self.interrupts:
                for _ in self:
                    self.interrupts.requested = agree(self.interrupts.requested)
                    if self.interrupts.requested:
                        break
        except KeyboardInterrupt:
            self.interrupts.requested = self.torn = True
        try:
            if self.interrupts.requested and not self.finished:
                self.interrupt()
        finally:
            self.interrupts.settle()
        return self.result

    def events(self, steps: float = math.inf, calls: float = math.inf) -> Iterator[Event]:
        """The events of at most `steps` steps and `calls` native calls, each after it happened."""
        try:
            if not self.begun:
                self.begin()
                yield Event("begin")
            while not self.finished:
                if self.position.step == self.steps_per_epoch:
                    yield Event("epoch", self.finish_epoch())
                elif self.ended:
                    self.end()
                    yield Event("end", self.result)
                elif steps and calls:
                    chunk = self.run_chunk(steps)
                    steps, calls = steps - chunk.steps, calls - 1
                    yield Event("chunk", chunk)
                else:
                    return
        except Exception as error:
            self.fail(error)
            raise

    # Events

    def begin(self) -> None:
        """Put everything that follows the training at its start."""
        self.begun = True
        compare(lambda: training_facts(self.net, data_digest(self.sources), seed=self.spec.seed, batch_size=self.batch_size,
                                       epochs=self.epochs))
        put_in_use(self.net)
        if isinstance(self.schedule, schedules.Schedule):
            self.schedule.begin()
        for callback in self.callbacks:
            callback.begin(self)

    def run_chunk(self, limit: float) -> Chunk:
        """The next native call, and what it measured; a loss that is not finite ends the training."""
        with self.timed(), self.learning():
            chunk = self.call(limit)
            self.history.add_statistics(chunk)
            self.check_losses(chunk["loss"].astype(np.float64))
            self.epoch_metrics.add(chunk)
            self.position = Position(self.position.epoch, self.position.step + chunk.steps)
        for callback in self.callbacks:
            callback.chunk_done(self, chunk)
        self.interrupts.raise_outside()
        return chunk

    def call(self, limit: float) -> Chunk:
        """Run the next batches, and remember how, so that they can be repeated."""
        first = self.history.steps
        self.replay.before(first, self.check_weights)
        batches = self.take_batches(limit)
        rates = self.rates(len(batches))
        results = self.runner.run(batches, rates, first)
        self.replay.after(first, batches.without_inputs(), rates)
        return Chunk(first, batches.counts, results, self.step_metrics, 1 if self.statistics is None else self.statistics.every)

    def step_executable(self) -> Any:
        """The backend's program of the next step, which is compiled but not run."""
        with self.learning():
            batches, self.batches = self.take_batches(1), None
            return self.runner.executable(batches, self.rates(1))

    @contextlib.contextmanager
    def timed(self) -> Iterator[None]:
        """Count the seconds, and those of them that were spent on compiling."""
        started, compiled = time.perf_counter(), self.runner.compile_seconds
        try:
            yield
        finally:
            seconds = time.perf_counter() - started
            self.epoch_metrics.seconds += seconds
            self.history.seconds += seconds
            self.history.compile_seconds += self.runner.compile_seconds - compiled

    @contextlib.contextmanager
    def learning(self) -> Iterator[None]:
        """The net in train mode and the training's own random numbers; Ctrl-C waits."""
        with Mode(self.net, training=True, quiet=True), random.using(self.generator), self.interrupts:
            yield

    def take_batches(self, limit: float) -> Any:
        """The batches of the next call, at most `limit`."""
        if self.batches is None:
            self.batches = self.source.epoch(self.batch_size, self.spec.seed, *self.position)
        left = self.steps_per_epoch - self.position.step
        batches = self.batches.take(int(min(limit, self.runner.limit, left)))
        if batches is None:
            raise ArgumentError(f"the loader gave {self.position.step} batches in epoch {self.position.epoch + 1}, "
                                f"but its steps({self.batch_size}) is {self.steps_per_epoch}",
                                repair="let steps() and batches() of the loader agree")
        return batches

    def finish_epoch(self) -> Epoch:
        """The record of the epoch whose steps are done, with its validation."""
        means = self.epoch_metrics
        self.check_weights()
        started = time.perf_counter()
        average = self.average if self.history.steps else None
        record = Epoch(self.position.epoch, means.loss, means.metrics, self.validation.run(average), means.examples, self.steps_per_epoch,
                       means.seconds)
        self.history.seconds += time.perf_counter() - started
        self.history.epochs.append(record)
        if isinstance(self.schedule, schedules.Schedule):
            self.schedule.observe({**record.validation, **record.watched} or {"loss": record.loss, **record.metrics})
        if self.best is not None and self.best.observe(record.watched["loss"], record.epoch, self.net):
            self.stop()
        self.position = Position(self.position.epoch + 1, 0)
        self.start_epoch()
        for callback in self.callbacks:
            callback.epoch_done(self)
        return record

    def end(self) -> None:
        """Put the optimizer's rate back, and tell the callbacks; what they say of the net is shown after an interruption."""
        self.finished = True
        put_in_use(self.net)
        if self.schedule is not None:
            self.optimizer.lr = self.base_rate
        best = self.best.restore(self.net) if self.best is not None and self.error is None else None
        remarks = [] if best is None else [best]
        if best is not None:
            self.result.message = f"ended after {len(self.history.epochs)} epochs: {best}"
        self.describe_interruption(remarks)
        for callback in self.callbacks:
            if remark := callback.end(self):
                remarks.append(remark)
                self.describe_interruption(remarks)

    def describe_interruption(self, remarks: list[str]) -> None:
        """The message of a run that was interrupted."""
        if self.result.interrupted:
            done = f"{self.history.steps} steps ({len(self.history.epochs)} whole epochs)"
            self.result.message = f"interrupted after {done}: {'; '.join(remarks) or 'the net keeps what it learned'}"

    def interrupt(self) -> None:
        """End after Ctrl-C."""
        try:
            self.check_weights()
        except DivergedError as error:
            self.fail(error)
            raise
        for callback in self.callbacks if not self.torn else ():
            callback.interrupted(self)
        self.result.interrupted = True
        self.end()

    def fail(self, error: Exception) -> None:
        """End with an error: the net stays where that left it."""
        self.error = error
        if not self.finished:
            self.end()

    # Losses and weights that are not finite

    def check_losses(self, losses: np.ndarray) -> None:
        """Record the losses; where one is not finite, rewind to before the last step whose loss was, and raise."""
        bad = ~np.isfinite(losses)
        self.history.losses.extend(losses.tolist())
        if not bad.any():
            return
        self.history.truncate(self.history.steps - len(losses) + int(bad.argmax()) + 1)
        self.replay.rewind(self.history.steps - 1)
        broken = self.broken()
        self.replay.rewind(max(0, self.history.steps - 2))
        self.stop_with(non_finite(self.history.losses, self.steps_per_epoch, self.base_rate, broken))

    def broken(self) -> list[str]:
        """The paths of weights and buffers that are not finite, but were when the training began."""
        return [path for path, tensor in self.watched if not is_finite(tensor.peek())]

    def check_weights(self) -> None:
        """Rewind to before the step that made a weight nan or infinite, and raise, if there was one: also when no loss showed it."""
        if not self.broken():
            return
        with self.learning():
            step, names = self.replay.first_broken(self.history.steps, self.broken)
        self.history.truncate(step + 1)
        self.stop_with(broken_weights(names, self.history.losses, self.steps_per_epoch))

    def stop_with(self, error: DivergedError) -> NoReturn:
        """Raise the error, which carries the run."""
        self.result.message = error.what
        error.run = self.result
        raise error

    # State

    def named_state(self) -> dict[str, np.ndarray]:
        """Everything that changes in the training, as copies by name; `load_named_state` continues from it.

        net.PATH, optimizer.NAME, average.NAME, carried.I, generator.key and .counter (and those of layers), schedule.NAME,
        callbacks.I.NAME, epoch.NAME (the means of the epoch so far), history.NAME, position.NAME and spec.NAME.
        """
        return collect_state(self.tensors, self.state_groups())

    def load_named_state(self, state: Mapping[str, Any]) -> None:
        """Continue where `named_state` was taken: the next steps have the same bits as there.

        Raises one StateError that lists all that does not fit, and then changes nothing.
        """
        if not self.begun:
            self.begin()
        restore_state(self.tensors, self.state_groups(), state)
        self.finished, self.torn, self.error = False, False, None
        self.interrupts.requested = False
        self.result.interrupted, self.result.message = False, ""
        self.batches = None
        self.replay = StepReplay(self.tensors, self.runner.run)
        for callback in self.callbacks:
            callback.resumed(self)

    def state_groups(self) -> dict[str, Group]:
        """Everything else that changes, by the prefix of its names."""
        schedule = {"schedule": self.schedule} if isinstance(self.schedule, schedules.Schedule) else {}
        best = {} if self.best is None else {"best": self.best}
        return {**schedule, **best, "epoch": self.epoch_metrics, "history": self.history, "position": Progress(self), "spec": Fixed(self),
                **{f"callbacks.{i}": callback for i, callback in enumerate(self.callbacks)}}


class Progress:
    """The position of a training and its base rate, as state."""

    def __init__(self, training: Training) -> None:
        self.training = training

    def named_state(self) -> dict[str, float]:
        """The numbers by name."""
        training = self.training
        return {"epoch": training.position.epoch, "step": training.position.step, "base_rate": training.base_rate,
                "stopped": training.stopped}

    def load_named_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from these numbers."""
        training = self.training
        training.position = Position(int(state["epoch"]), int(state["step"]))
        training.base_rate, training.stopped = float(state["base_rate"]), bool(state["stopped"])


class Fixed:
    """Settings of a training that must be equal where its state is loaded: with others, the steps would not be the same."""

    def __init__(self, training: Training) -> None:
        self.training = training

    def named_state(self) -> dict[str, int]:
        """The numbers by name."""
        training = self.training
        return {"batch_size": training.batch_size, "examples": training.examples, "steps_per_epoch": training.steps_per_epoch,
                "seed": training.spec.seed, "accumulate": training.spec.accumulate}

    def load_named_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Nothing to do: they were compared."""


def run_settings(spec: TrainSpec, batch_size: int, optimizer: Optimizer, objective: Objective) -> dict[str, Any]:
    """What a Run says of the settings of its training."""
    more: dict[str, Any] = {} if objective.class_weight is None else {"class_weight": objective.class_weight.tolist()}
    if spec.backend != "native":
        more["backend"] = spec.backend if isinstance(spec.backend, str) else spec.backend.name
    return {"epochs": spec.epochs, "batch_size": batch_size, "seed": spec.seed, "optimizer": repr(optimizer),
            "loss": getattr(objective.loss, "__name__", type(objective.loss).__name__), **more}


def chance_of(loss: Loss, source: Source) -> Chance | None:
    """What a constant answer reaches, where a loss of slopes takes the targets for classes."""
    if loss not in (cross_entropy, nll_loss) or not source.labelled or not len(source.targets):
        return None
    counts = np.unique(source.targets, return_counts=True)[1]
    shares = counts / counts.sum()
    return Chance(float(-(shares * np.log(shares)).sum()), float(shares.max()), int(counts.sum()))
