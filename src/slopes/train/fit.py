"""Training: many compiled steps per native call, with order, validation, progress, interruption and failure looked after."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np

from .. import random
from ..compile import compile
from ..constraint import POSITIVE
from ..data.loaders.feed import Feed
from ..errors import ArgumentError
from ..nn.losses import cross_entropy, nll_loss
from ..nn.module import Buffer, entries
from ..optim import Adam, Average, clip_by_norm, limit_norm, schedules
from ..random import Generator
from ..tensor import Tensor, no_grad
from .checks import as_held, check_average, check_counts, check_kinds, check_last_batch, check_optimizer, paired
from .draws import none_frozen
from .evaluate import Evaluator
from .guard import DivergedError, Guard, broken_weights, is_finite, non_finite
from .history import Chance, Epoch, History, Run
from .interrupt import Interrupts
from .metrics import Metric, find_metrics
from .mistakes import check_learns, tell_classes, tell_outputs, tell_zeros
from .mode import Learning
from .progress import Reporter, choose_reporter
from .schedule import Schedule, find_schedule
from .sources import check_source, has_classes, source_of, usual_loss
from .stepper import Stretch
from .totals import Answer, Loss, Objective, Tally, answer, report, total, whole_loss

AfterEpoch = Callable[[Run], Any]
Clip = Callable[[list[Tensor]], Any]
Augment = Callable[[Any, Tensor], tuple[Any, Tensor]]
Penalty = Callable[[Any], Tensor]


def fit(net: Any, dataset: Any, targets: Any = None, *, loss: Loss | None = None, optimizer: Any = None, epochs: int = 1,
        batch_size: int = 64, validation: Any = None, metrics: Iterable[str | Metric] | str | None = None, seed: int = 0,
        schedule: str | Schedule | None = None, clip: float | Clip | None = None, accumulate: int = 1,
        average: Average | None = None, augment: Augment | None = None, penalty: Penalty | None = None,
        constrain: float | Clip | None = None, progress: bool | Reporter | None = None,
        after_epoch: AfterEpoch | None = None, storage: str = "float32") -> Run:
    """Train `net` on `dataset` by minibatches and return the Run: the net, its losses and epochs, and a plot of them.

    One step gathers a batch, computes loss(net(inputs), targets), its gradients and the update; the whole step is one native
    program and many steps are one call. The batches of epoch e are consecutive parts of data.order(seed, e, examples); the last
    one may be smaller. Loss and metrics of an epoch are means over all that counts in it, each measured before its own update:
    over its examples; where the loss weighs them or leaves some out, over these with their weights, whatever batch they are in.

    net         a Module. It is in train mode during the run, and however that ends, in eval mode after it: its answers are those of a
                net in use. A layer that you put into eval mode, in a net that is in train mode, is frozen: it stays so, as a
                BatchNorm that keeps its moments. In a net that was in eval mode as a whole, layers with parameters that all have
                requires_grad = False stay so; all others learn. Call net.train() before a loop of your own
    dataset     has `inputs` (N, ...) and `targets` (N, ...); integer targets are class labels, floats are numbers to be given. A
                tuple of inputs are as many arguments of the net: data.Dataset((images, tokens), targets) for net(images, tokens).
                Inputs that lie on the disk (data.image_folder) are read as they are used, the next ones while the step computes.
                fit(net, inputs, targets) makes a data set of two arrays. Or a data.Feed, which makes batches: text.Streams (the
                net's state is carried from batch to batch), text.Windows, text.Rows (of different lengths); "examples" are then
                the targets that count, and loss and metrics are means over these
    loss        function (outputs, targets) -> 0-d mean; default nn.cross_entropy for targets that are integers, nn.mse_loss for
                floats, nn.token_cross_entropy for a feed; run.settings["loss"] tells which. One of your own that leaves out or
                weighs examples says what counts by ending in nn.weighted_mean(values, weights). A sum over examples is reported
                as their mean
    optimizer   from slopes.optim, best unbound; default optim.Adam(lr=1e-3)
    epochs      passes over the data, >= 0;    batch_size  >= 1
    validation  a second data set, or a pair (inputs, targets), measured after every epoch in eval mode; it changes no state.
                Classes in it of which training has no example are told by a warning
    metrics     names (accuracy, token_accuracy, binary_accuracy, absolute_error) or functions (outputs, targets) -> (N,); default:
                accuracy for class labels, none otherwise. Labels that the loss leaves out (ignore_index) do not count in them
    seed        decides the order of examples, and slopes' random numbers (dropout) in the run, which has a generator of its own:
                the default one is afterwards as it was, and trainings in several threads do not disturb each other. Validation
                that draws, draws the same after each epoch. Initial weights were drawn before, when the net was made:
                slopes.seed(...) decides those
    schedule    how the rate changes over the steps: "constant" (default), "linear", "cosine", "one_cycle", one of optim.schedules,
                or a function (step, steps) that returns the factor by which to multiply the rate
    clip        the largest norm that all gradients together may have (optim.clip_by_norm), or a function that is called with the
                list of parameters between backward and step, such as functools.partial(optim.clip_by_value, limit=1.0)
    accumulate  parts into which each batch is cut: their gradients are added up before the one update, which is that of the whole
                batch, class weights and targets that do not count included (but for layers that look at the batch, as BatchNorm
                does); not for feeds whose state is carried
    average     an optim.Average of the weights, updated in every step; validation is measured with the averaged weights, the net
                keeps its own (average.take() gives it the averaged ones)
    augment     function (inputs, targets) -> (inputs, targets) of a batch, of slopes.data.augment for example, that is part of the
                training step and of nothing else; metrics compare with the targets as they were. With fit's random numbers, the
                default ones, it is the same for the same seed: lambda x, y: (augment.shift(x, 2), y). Random numbers of NumPy or
                Python, here or in the net, are refused: they would be drawn only once
    penalty     function of the net whose result, a 0-d tensor, is added to the loss of each step but not to what is reported:
                lambda net: 1e-5 * nn.l1_penalty(net)
    constrain   the largest norm that the weights into a unit may have (optim.limit_norm), or a function that is called with the
                list of parameters after each step
    progress    None or True: a live line on a terminal, plain lines elsewhere; False: silence; or a Reporter of your own
    after_epoch called with the Run after each epoch; a true result stops the training (train.EarlyStopping, train.Snapshots)
    storage     "bfloat16": what layers with weights take is kept for the derivative in 16 bits, see sl.compile

    Ctrl-C ends the run between two calls: the Run then has interrupted=True and everything learned so far (with train.EarlyStopping,
    the best weights).
    Raises ArgumentError (empty or mismatched data, nan in it, batch_size < 1, epochs < 0, an optimizer of another net), ShapeError
    (outputs and targets of shapes that do not fit), TraceError (random numbers that are not slopes' own),
    OutOfRangeError (labels outside the net's outputs), and NonFiniteError when the loss or a weight or buffer, which it names, is no
    longer finite: the net is then back at its last sound step, and `error.run` holds the history. Weights are looked at after each epoch.

    Source: Goodfellow, Bengio, Courville, Deep Learning (2016), section 8.1.3 (minibatches).

    >>> import numpy as np, slopes as sl
    >>> from slopes import nn, optim
    >>> x = np.linspace(-1, 1, 64, dtype=np.float32).reshape(64, 1)
    >>> points = sl.data.Dataset(x, (x[:, 0] > 0).astype(np.int64))
    >>> run = sl.fit(nn.Linear(1, 2), points, optimizer=optim.Adam(lr=0.1), epochs=30, batch_size=16, progress=False)
    >>> run.epochs[-1].metrics["accuracy"] > 0.9
    True
    """
    dataset, validation = paired(dataset, targets), paired(validation)
    check_counts(batch_size, epochs, accumulate)
    check_kinds(net, usual_loss(loss, dataset), optimizer)
    check_average(average, net)
    with random.using(Generator(seed)):  # a loss or an augmentation that draws does so here, too
        objective = check_source(net, loss, dataset, augment=augment)
        if validation is not None:
            check_source(net, objective.loss, validation, "validation")
        if epochs:
            check_learns(net)
            tell_zeros(net)
        if not isinstance(dataset, Feed):
            check_last_batch(net, dataset, batch_size)
            tell_outputs(net, objective.loss, as_held(dataset.inputs))
            tell_classes(objective.loss, dataset, validation if validation is not None and has_classes(validation) else None)
    job = Job(net=net, dataset=dataset, validation=validation, objective=objective,
              optimizer=Adam(lr=1e-3) if optimizer is None else optimizer, metrics=find_metrics(metrics, has_classes(dataset)),
              epochs=epochs, batch_size=batch_size, seed=seed, schedule=find_schedule(schedule), clip=find_clip(clip),
              accumulate=accumulate, average=average, reporter=choose_reporter(progress), after_epoch=after_epoch, augment=augment,
              penalty=checked_penalty(penalty), constrain=find_constraint(constrain), storage=storage)
    return job.run()


@dataclass(kw_only=True)
class Job:
    """One call of fit."""

    net: Any
    dataset: Any
    objective: Objective
    optimizer: Any
    epochs: int
    batch_size: int
    seed: int
    reporter: Reporter
    validation: Any = None
    metrics: dict[str, Metric] = field(default_factory=dict)
    schedule: Schedule | None = None
    clip: Clip | None = None
    accumulate: int = 1
    average: Average | None = None
    after_epoch: AfterEpoch | None = None
    augment: Augment | None = None
    penalty: Penalty | None = None
    constrain: Clip | None = None
    storage: str = "float32"

    def __post_init__(self) -> None:
        self.bind()
        ignored = self.objective.ignored
        self.source, self.history = source_of(self.dataset, self.batch_size, self.net, ignored), History()
        self.examples, self.steps_per_epoch, self.batch_size = self.source.examples, self.source.steps, self.source.batch_size
        settings = {"epochs": self.epochs, "batch_size": self.batch_size, "seed": self.seed, "optimizer": repr(self.optimizer),
                    "loss": getattr(self.objective.loss, "__name__", type(self.objective.loss).__name__)}
        self.result = Run(self.net, self.history, settings, chance=chance_of(self.objective.loss, self.dataset))
        self.rate = float(self.optimizer.lr)
        self.stepper = self.source.stepper(compile(self.training_step, storage=self.storage))
        self.judge = None if self.validation is None else Evaluator(
            self.net, self.validation, self.objective, self.metrics, self.batch_size if isinstance(self.validation, Feed) else 512)
        self.guard = Guard(self.net, self.optimizer, *(each for each in (self.average, self.source.memory) if each is not None))
        self.code = self.objective.loss, self.augment, self.penalty, *(module for _, module in self.net.named_modules())
        learned = {id(each) for each in self.optimizer.parameters}
        self.watched = [(each.display, each.value) for each in entries(self.net)
                        if (id(each.value) in learned or isinstance(each.value, Buffer)) and is_finite(each.value.peek())]
        self.interrupts = Interrupts()
        self.outer, self.generator, self.judging = random.current(), Generator(self.seed), Generator(self.seed)

    def bind(self) -> None:
        """Bind the optimizer to the net, unless it is bound to parameters of this net already."""
        if self.optimizer.parameters:
            check_optimizer(self.optimizer, list(self.optimizer.parameters), self.net)
        else:
            self.optimizer.bind(self.net.parameters())
        if self.average is not None:
            self.average.bind(self.net.parameters())

    def run(self) -> Run:
        """All epochs, with the net in train mode; whatever ends them, the reporter is stopped and the rate is what it was."""
        started, whole = time.perf_counter(), False
        self.reporter.start(self.epochs, self.examples)
        if isinstance(self.schedule, schedules.Schedule):
            self.schedule.begin()
        try:
            with Learning(self.net), random.using(self.generator), self.interrupts:
                for epoch in range(self.epochs):
                    if not self.epoch(epoch):
                        break
            whole = True
        except KeyboardInterrupt:
            self.interrupts.wanted = whole = True
        finally:
            self.finish(time.perf_counter() - started, whole)
        return self.result

    def finish(self, seconds: float, whole: bool) -> None:
        """Say how it ended; restore the rate. After an error (not `whole`) the net stays where that left it."""
        self.history.seconds, self.history.compile_seconds = seconds, self.stepper.compile_seconds
        if self.schedule is not None:
            self.optimizer.lr = self.rate
        kept = [text for ending in self.result.endings if whole and (text := ending())]
        if self.interrupts.wanted:
            self.result.interrupted = True
            done = f"{self.history.steps} steps ({len(self.history.epochs)} whole epochs)"
            self.result.message = f"interrupted after {done}: {'; '.join(kept) or 'the net keeps what it learned'}"
        self.reporter.stop(self.result.message)

    def epoch(self, number: int) -> bool:
        """One pass over the data, and its record; False when the training shall end."""
        started, tally = time.perf_counter(), Tally(self.metrics, self.objective.summed)
        rates = self.rates(number)
        self.guard.before(self.history.steps, self.check_weights)
        for stretch in self.source.walk(self.stepper, self.seed, number, rates):
            self.take(stretch, number, rates, tally)
            if self.interrupts.wanted:
                self.check_weights()
                return False
            self.guard.before(self.history.steps, self.check_weights)
        self.check_weights()
        record = Epoch(number, tally.loss, tally.metrics, {}, tally.examples, self.steps_per_epoch, time.perf_counter() - started)
        record.validation = self.validate()
        self.history.epochs.append(record)
        if isinstance(self.schedule, schedules.Schedule):
            self.schedule.observe(record.validation or {"loss": record.loss, **record.metrics})
        self.reporter.epoch(record)
        return not self.stops() and not self.interrupts.wanted

    def stops(self) -> bool:
        """Whether the caller, told of the epoch, ends the training; what this draws is no part of the run."""
        with random.using(self.outer):
            return self.after_epoch is not None and bool(self.after_epoch(self.result))

    def validate(self) -> dict[str, float]:
        """Loss and metrics on the validation data, if there are any; with the averaged weights, if there are."""
        if self.judge is None:
            return {}
        swapped = contextlib.nullcontext() if self.average is None or not self.history.steps else self.average.swapped()
        with swapped, random.using(self.judging):
            self.judging.seed(self.seed)
            return dict(self.judge.run())

    def take(self, stretch: Stretch, number: int, rates: np.ndarray | None, tally: Tally) -> None:
        """Note what a native call did; a loss that is not finite ends the run."""
        first = self.history.steps
        at = first - number * self.steps_per_epoch
        self.guard.after(first, stretch.rows, None if rates is None else rates[at : at + stretch.steps])
        losses = stretch.values[0].astype(np.float64)
        bad = ~np.isfinite(losses)
        if bad.any():
            self.fail(losses[: int(bad.argmax()) + 1])
        self.history.losses.extend(losses.tolist())
        tally.add(stretch)
        self.reporter.advance(number, tally.examples, tally.loss, tally.metrics)

    def fail(self, losses: np.ndarray) -> None:
        """Rewind to before the last step whose loss was finite, and raise."""
        self.history.losses.extend(losses.tolist())
        self.guard.rewind(self.stepper, self.history.steps - 1)
        broken = self.broken()
        self.guard.rewind(self.stepper, max(0, self.history.steps - 2))
        self.stop_with(non_finite(self.history.losses, self.steps_per_epoch, self.rate, broken))

    def broken(self) -> list[str]:
        """The paths of weights and buffers that are not finite, but were when the training began."""
        return [path for path, held in self.watched if not is_finite(held.peek())]

    def check_weights(self) -> None:
        """Rewind to before the step that made a weight nan or infinite, and raise, if there was one: also when no loss showed it."""
        if not self.broken():
            return
        step, names = self.guard.first_broken(self.stepper, self.history.steps, self.broken)
        del self.history.losses[step + 1 :]
        self.stop_with(broken_weights(names, self.history.losses, self.steps_per_epoch))

    def stop_with(self, error: DivergedError) -> NoReturn:
        """Raise the error, which carries the run."""
        self.result.message = error.what
        error.run = self.result
        raise error

    # The step that is compiled

    def training_step(self, *given: Any) -> tuple[Tensor, ...]:
        """Gather, forward, loss, gradients, update; returns what the batch reports."""
        if len(given) > self.source.width:
            self.optimizer.lr.assign(given[-1])
        self.net.zero_grad()
        with none_frozen(*self.code):
            answers = [self.answer(*part) for part in self.source.parts(given[: self.source.width], self.accumulate)]
            losses, means = whole_loss(answers, self.objective.summed)
            losses_and_penalty = self.penalized(losses)
        for each in losses_and_penalty:
            each.backward()
        if self.clip is not None:
            self.clip(self.optimizer.parameters)
        self.optimizer.step()
        if self.constrain is not None:
            self.constrain(self.optimizer.parameters)
        if self.average is not None:
            self.average.update()
        with no_grad():
            return report(answers, total(losses), means)

    def answer(self, inputs: Any, wanted: Tensor, share: Any) -> Answer:
        """What the net makes of these examples, which are a share of the batch."""
        given, learned = (inputs, wanted) if self.augment is None else self.augment(inputs, wanted)
        outputs = self.source.answer(self.net, given)
        with no_grad():
            metrics = [self.source.total(each(outputs.detach(), wanted), wanted) for each in self.metrics.values()]
        return answer(self.objective.loss, outputs, learned, share, metrics)

    def penalized(self, losses: list[Tensor]) -> list[Tensor]:
        """The losses, the penalty added to the first."""
        if self.penalty is None:
            return losses
        first, *others = losses
        return [first + self.penalty(self.net).astype(first.dtype), *others]

    def rates(self, number: int) -> np.ndarray | None:
        """The rate of every step of this epoch, or None when it stays."""
        if self.schedule is None:
            return None
        steps = range(number * self.steps_per_epoch, (number + 1) * self.steps_per_epoch)
        return np.array([self.rate * self.schedule(each, self.epochs * self.steps_per_epoch) for each in steps])


def find_clip(wanted: float | Clip | None) -> Clip | None:
    """What to do with the gradients before the update."""
    return limited("clip", wanted, clip_by_norm, "it is the largest norm that all gradients together may have")


def find_constraint(wanted: float | Clip | None) -> Clip | None:
    """What to do with the parameters after the update."""
    return limited("constrain", wanted, limit_norm, "it is the largest norm that the weights into a unit may have")


def limited(name: str, wanted: float | Clip | None, action: Callable[..., Any], why: str) -> Clip | None:
    """The function as given, or the usual action with a number as its limit."""
    if wanted is None or callable(wanted):
        return wanted
    if not POSITIVE.holds(wanted):
        raise ArgumentError(f"{name} is {wanted!r}", why=why,
                            repair="use a number above 0, such as 1.0, or a function of the list of parameters")
    return functools.partial(action, limit=wanted)


def checked_penalty(penalty: Penalty | None) -> Penalty | None:
    """The penalty, if it can be called."""
    if penalty is not None and not callable(penalty):
        raise ArgumentError(f"penalty is {penalty!r}, not a function of the net",
                            repair="for example penalty=lambda net: 1e-5 * nn.l1_penalty(net)")
    return penalty


def chance_of(loss: Loss, dataset: Any) -> Chance | None:
    """What saying the same of every example reaches, where a loss of slopes takes the targets for classes."""
    if loss not in (cross_entropy, nll_loss) or not has_classes(dataset):
        return None
    counts = np.unique(np.asarray(dataset.targets), return_counts=True)[1]
    shares = counts / counts.sum()
    return Chance(float(-(shares * np.log(shares)).sum()), float(shares.max()), int(counts.sum()))
