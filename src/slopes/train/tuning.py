"""Search for good settings: many trainings, those that fall behind stopped early, with the results as a table and a figure."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import plot as pictures
from ..constraint import COUNT, as_python, check, is_real, is_whole
from ..errors import ArgumentError, NonFiniteError
from ..extras import require
from .history import Run
from .metric import Metric
from .metrics import METRICS, metric_of
from .progress import Lines
from .stopping import held_out, sign_of
from .training import Callback, Training

RUNNING, DONE, BEHIND, FAILED, INTERRUPTED = "running", "done", "fell behind", "failed", "interrupted"
Log = Callable[[str], None]
WIDE = 5.0  # the scale is logarithmic where the largest figure is this many times the smallest


@dataclass(frozen=True)
class Between:
    """Any number from `low` to `high`, an integer if both are; log-uniform with `log=True`, the usual choice for learning rates.

    Raises ArgumentError unless low < high are finite, and both above 0 where the logarithm is taken.

    >>> Between(1e-4, 1e-1, log=True)
    Between(low=0.0001, high=0.1, log=True)
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not (is_real(self.low) and is_real(self.high)) or self.low >= self.high:
            raise ArgumentError(f"Between: from {self.low!r} to {self.high!r} there is nothing to choose",
                                why="it goes from a lower number to a higher one, both finite", repair="for one value, leave it out")
        if self.log and self.low <= 0:
            raise ArgumentError(f"Between: {self.low!r} has no logarithm", repair="begin above 0, or leave log=True out")


Space = Mapping[str, Between | Sequence[Any]]


class Trial(dict[str, Any], Callback):
    """The settings of one training, by name; with `fit(..., callbacks=[trial])` it ends the training when it falls behind.

    index    from 0
    figure   what came out; None while it runs, and of a training that failed
    outcome  "running", and at the end "done", "fell behind", "failed" or "interrupted"
    epochs   its figure after each epoch
    seconds  how long it took;    message  why it failed
    """

    def __init__(self, settings: Mapping[str, Any], index: int, metric: Metric, asked: Any) -> None:
        super().__init__(settings)
        self.index, self.metric, self.asked = index, metric, asked
        self.figure: float | None = None
        self.outcome, self.message, self.seconds = RUNNING, "", 0.0
        self.epochs: list[float] = []

    def epoch_done(self, training: Training) -> None:
        """Stop the training when its figure is worse than most were at this point."""
        figure = held_out(training.result, self.metric.name, "search")
        self.epochs.append(figure)
        self.asked.report(figure, len(self.epochs) - 1)
        if self.asked.should_prune():
            self.outcome = BEHIND
            training.stop()

    def settings(self) -> str:
        """`rate 0.0031, width 64`."""
        return ", ".join(f"{name} {shown(value)}" for name, value in self.items())

    def line(self) -> str:
        """One line of text for a log."""
        figure = "" if self.figure is None else f"{self.metric.name} {self.metric.text(self.figure)}"
        rest = [part for part in (figure, self.outcome if self.outcome != DONE else "", self.message) if part]
        return f"{self.settings()}: {', '.join(rest)}  {self.seconds:.1f} s"


@dataclass
class Search(pictures.View):
    """The results of a search: `trials` in their order, the `best` one, the Run of the best if it returned one, and `space`."""

    space: Space
    metric: Metric
    trials: list[Trial] = field(default_factory=list)
    run: Run | None = None
    interrupted: bool = False

    @property
    def best(self) -> Trial:
        """The trial with the best figure. Raises ArgumentError when none came to an end."""
        ranked = self.ranked()
        if not ranked:
            raise ArgumentError(f"search: none of {len(self.trials)} trainings came to an end",
                                why="; ".join(sorted({trial.message for trial in self.trials if trial.message})),
                                repair="look at one of them alone, with the settings of search.trials[0]")
        return ranked[0]

    def ranked(self) -> list[Trial]:
        """The trials that came to an end, the best first."""
        sign = sign_of(self.metric)
        return sorted((trial for trial in self.trials if trial.outcome == DONE), key=lambda trial: sign * (trial.figure or 0.0))

    def table(self, rows: int = 10) -> str:
        """The best trials, a line each."""
        return "\n".join(trial.line() for trial in self.ranked()[:rows])

    def draw(self) -> pictures.Picture:
        """The figure over each setting, the best one marked."""
        names = list(self.space)
        figure = pictures.new_figure(max(4.0, 2.6 * len(names)), 3.2)
        panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
        for axes, name in zip(panels, names):
            draw_setting(axes, self, name)
        figures = [trial.figure for trial in self.trials if trial.figure is not None]
        if figures and min(figures) > 0 and max(figures) > WIDE * min(figures):
            panels[0].set_yscale("log")
        panels[0].set_ylabel(self.metric.name)
        panels[0].legend(frameon=False, fontsize="small")
        return pictures.Picture(figure)

    def __repr__(self) -> str:
        ended = len(self.ranked())
        best = f", best: {self.best.line()}" if ended else ""
        return f"<Search: {len(self.trials)} trainings, {ended} to their end{best}>"


def search(train: Callable[[Trial], Run | float], space: Space, trials: int = 20, *, metric: str | Metric = "loss", seed: int = 0,
           progress: bool | Log = True) -> Search:
    """Call `train(trial)` with settings from `space`, again and again, and return the results.

    train     makes a net with the trial's settings (trial["rate"]), trains it and returns the Run, whose last validation figure
              counts, or a number. With fit(..., callbacks=[trial]), a training that after an epoch is worse than the median of
              earlier trainings was after the same epoch is pruned: most of the time goes to promising settings
    space     name -> Between(low, high, log=...), or a list of choices
    trials    number of trainings. The first ten settings are drawn at random, later ones by a tree-structured Parzen estimator, where
              good results are more likely
    metric    "loss", or a metric of the run's validation data: its name, or a train.Metric, which says whether lower is better; of
              a name that is not one of fit's, higher is
    seed      the same seed and the same results give the same settings
    progress  a line per training on standard error, or to a function; False: silence

    Choose settings by validation data, never by the test set. A training whose loss is no longer finite has failed, and the search
    goes on; another error ends it, with the results so far in `error.search`. Ctrl-C ends it: `.interrupted` is then set.
    Needs optuna. Raises ArgumentError (an empty space, a setting of no choice, a result that is no figure), MissingExtraError.
    Sources: Bergstra, Bardenet, Bengio, Kégl, "Algorithms for hyper-parameter optimization", 2011; Bergstra and Bengio, "Random
    search for hyper-parameter optimization", 2012; Akiba et al., "Optuna", 2019.

    >>> import numpy as np, slopes as sl
    >>> from slopes import nn, optim
    >>> from slopes.train import Between, search
    >>> x = np.random.default_rng(0).normal(size=(96, 2)).astype(np.float32)
    >>> label = (x[:, 0] * x[:, 1] > 0).astype(int)
    >>> learned, held_out = sl.data.Dataset(x[:64], label[:64]), sl.data.Dataset(x[64:], label[64:])
    >>> def train(trial):
    ...     sl.seed(0)
    ...     net = nn.Sequential(nn.Linear(2, trial["width"]), nn.Tanh(), nn.Linear(trial["width"], 2))
    ...     return sl.fit(net, learned, optimizer=optim.Adam(lr=trial["rate"]), epochs=10, validation=held_out, callbacks=[trial],
    ...                   progress=False)
    >>> results = search(train, {"rate": Between(1e-4, 1.0, log=True), "width": [4, 16]}, trials=6, progress=False)
    >>> 0.01 < results.best["rate"] < 1, results.best.figure == results.run.epochs[-1].validation["loss"]
    (True, True)
    """
    check("search", {"trials": COUNT}, {"trials": trials})
    compared = metric if isinstance(metric, Metric) else metric_of(metric, METRICS)
    study, ranges = new_study(seed, compared), distributions(space)
    results = Search(dict(space), compared)
    log = log_function(progress)
    try:
        for n in range(trials):
            asked = study.ask(ranges)
            trial = Trial({name: resolve(space[name], asked.params[name]) for name in space}, n, compared, asked)
            results.trials.append(trial)
            attempt(train, trial, results)
            log(f"training {n + 1} of {trials}  {trial.line()}")
            study.tell(asked, *study_result(trial))
            if results.interrupted:
                break
    except Exception as error:
        error.search = results  # type: ignore[attr-defined]
        error.add_note(f"in training {len(results.trials)} of the search, with {results.trials[-1].settings()}; "
                       "those before it are in error.search")
        raise
    return results


def attempt(train: Callable[[Trial], Any], trial: Trial, results: Search) -> None:
    """One training: its outcome, figure and time go into the trial, the Run of the best so far into the results."""
    started, result = time.perf_counter(), None
    try:
        result = train(trial)
        interrupted = isinstance(result, Run) and result.interrupted
    except KeyboardInterrupt:
        interrupted = True
    except Exception as error:
        trial.outcome, trial.message = FAILED, getattr(error, "what", None) or f"{type(error).__name__}: {error}"
        if not isinstance(error, NonFiniteError):
            raise
        return
    finally:
        trial.seconds = time.perf_counter() - started
    if interrupted:
        trial.outcome, results.interrupted = INTERRUPTED, True
        return
    record_figure(trial, result)
    if trial.outcome == DONE and results.best is trial:
        results.run = result if isinstance(result, Run) else None


def record_figure(trial: Trial, result: Any) -> None:
    """The figure of what a training returned, and its outcome."""
    figure = figure_of(result, trial.metric.name)
    if not np.isfinite(figure):
        trial.outcome, trial.message = FAILED, f"{trial.metric.name} is {figure}"
        return
    trial.figure = figure
    trial.outcome = DONE if trial.outcome == RUNNING else trial.outcome


def figure_of(result: Any, metric: str) -> float:
    """The figure of a Run, or the number that was returned."""
    if isinstance(result, Run):
        return held_out(result, metric, "search")
    result = as_python(result)
    if isinstance(result, bool) or not isinstance(result, (int, float)):
        raise ArgumentError(f"search: train returned {result!r:.60}, a {type(result).__name__}",
                            why="the search needs a figure to compare", repair="return what fit returns, or a number")
    return float(result)


def study_result(trial: Trial) -> tuple[Any, Any]:
    """(value, state) for the study."""
    states = require("optuna", "tune", "search").trial.TrialState
    if trial.outcome == DONE:
        return trial.figure, states.COMPLETE
    return None, states.PRUNED if trial.outcome == BEHIND else states.FAIL


def new_study(seed: int, metric: Metric) -> Any:
    """Optuna's study, kept in memory; it says nothing by itself."""
    optuna = require("optuna", "tune", "search")
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return optuna.create_study(direction="minimize" if metric.lower_is_better else "maximize",
                                   sampler=optuna.samplers.TPESampler(seed=seed), pruner=optuna.pruners.MedianPruner())
    finally:
        optuna.logging.set_verbosity(before)


def distributions(space: Space) -> dict[str, Any]:
    """Optuna's distribution of each setting; of a list, of its positions, as its entries may be anything."""
    kinds = require("optuna", "tune", "search").distributions
    if not isinstance(space, Mapping) or not space or not all(isinstance(name, str) for name in space):
        raise ArgumentError(f"search: the space is {space!r:.80}", why="there is nothing to choose",
                            repair='for example {"rate": Between(1e-4, 1e-1, log=True), "width": [16, 64]}')
    made = {}
    for name, choices in space.items():
        if isinstance(choices, Between):
            whole = is_whole(choices.low) and is_whole(choices.high)
            made[name] = (kinds.IntDistribution if whole else kinds.FloatDistribution)(choices.low, choices.high, log=choices.log)
        elif isinstance(choices, (list, tuple)) and choices:
            made[name] = kinds.CategoricalDistribution(range(len(choices)))
        else:
            raise ArgumentError(f"search: the setting {name!r} is {choices!r:.60}", why="it is no range and no list of choices",
                                repair="use Between(low, high), or a list")
    return made


def resolve(choices: Between | Sequence[Any], value: Any) -> Any:
    """The setting that optuna's parameter stands for."""
    return value if isinstance(choices, Between) else choices[value]


def log_function(progress: bool | Log) -> Log:
    """Where the lines go."""
    if callable(progress):
        return progress
    return Lines(sys.stderr).log if progress else (lambda line: None)


def shown(value: Any) -> str:
    """A setting in a few characters."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def draw_setting(axes: Any, search: Search, name: str) -> None:
    """The figure over one setting: a point per training, pale if it fell behind, a ring around the best."""
    choices, ended = search.space[name], search.ranked()
    behind = [trial for trial in search.trials if trial.outcome == BEHIND]
    for trials, colour, kind, label in ((behind, pictures.MUTED, "x", "fell behind"), (ended, pictures.TRAIN, "o", "to the end"),
                                        (ended[:1], pictures.VALIDATION, "o", "best")):
        values = [trial[name] if isinstance(choices, Between) else choices.index(trial[name]) for trial in trials]
        ring = {"markersize": 10, "markerfacecolor": "none"} if label == "best" else {"markersize": 4}
        axes.plot(values, [trial.figure for trial in trials], kind, color=colour, label=label, **ring)
    if not isinstance(choices, Between):
        axes.set_xticks(range(len(choices)), [shown(choice) for choice in choices])
        axes.set_xlim(-0.5, len(choices) - 0.5)
    elif choices.log:
        axes.set_xscale("log")
    pictures.tidy(axes, name, "")
