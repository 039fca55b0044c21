"""Search for good settings: many trainings, those that fall behind stopped early, with the results as a table and pictures."""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .. import plot as pictures
from ..constraint import COUNT, NOT_NEGATIVE, as_python, check
from ..errors import ArgumentError, NonFiniteError
from ..files.claim import claimed
from ..machine.native import observe_programs
from .history import Run
from .metric import Metric
from .metrics import METRICS, metric_of
from .progress import Lines
from .runs import prepare_folder
from .space import Between, Space, shown
from .stopping import held_out, sign_of
from .trials import BEHIND, DONE, FAILED, INTERRUPTED, RUNNING, Study, Trial

Log = Callable[[str], None]
Train = Callable[[Trial], Any]
WIDE = 5.0  # the scale is logarithmic where the largest figure is this many times the smallest


@dataclass
class Search(pictures.View):
    """The results of a search: `trials` in their order, the `best` one, the Run of the best if it returned one, and `space`."""

    study: Study = field(repr=False)
    run: Run | None = None
    interrupted: bool = False

    @property
    def space(self) -> Space:
        """The settings that were searched."""
        return self.study.space

    @property
    def metric(self) -> Metric:
        """What was compared."""
        return self.study.metric

    @property
    def trials(self) -> list[Trial]:
        """All trainings, in their order."""
        return self.study.trials

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

    @property
    def programs(self) -> dict[str, int]:
        """How often each program was compiled for these trainings: 0 for one that was kept from before."""
        counts: dict[str, int] = {}
        for trial in self.trials:
            for key, compiled in trial.programs.items():
                counts[key] = counts.get(key, 0) + compiled
        return counts

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

    def importance(self) -> Importance:
        """How much each setting matters."""
        return Importance(self.study.importance())

    def __repr__(self) -> str:
        ended = len(self.ranked())
        best = f", best: {self.best.line()}" if ended else ""
        return f"<Search: {len(self.trials)} trainings, {ended} to their end{best}>"


@dataclass
class Importance(pictures.View):
    """By setting, its share in what makes trainings the best tenth; they add up to 1."""

    shares: dict[str, float]

    def draw(self) -> pictures.Picture:
        """A bar for each setting."""
        figure = pictures.new_figure(5, 0.9 + 0.35 * max(1, len(self.shares)))
        axes = figure.subplots()
        names = list(self.shares)[::-1]
        axes.barh(names, [self.shares[name] for name in names], color=pictures.TRAIN)
        axes.set_xlim(0, 1)
        pictures.tidy(axes, "importance", "")
        return pictures.Picture(figure)


def search(train: Callable[[Trial], Run | float], space: Space, trials: int = 20, *, metric: str | Metric = "loss", seed: int = 0,
           progress: bool | Log = True, folder: str | os.PathLike[str] | None = None, timeout: float | None = None) -> Search:
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
    folder    a search that survives its process: each training that ends is kept in the file study.db there, and a search that finds
              one continues to `trials` in all, with the same settings as without the interruption
    timeout   seconds after which no further training begins

    Choose settings by validation data, never by the test set. A training whose loss is no longer finite has failed, and the search
    goes on; another error ends it, with the results so far in `error.search`. Ctrl-C ends it: `.interrupted` is then set.
    Needs optuna. Raises ArgumentError (an empty space, a setting of no choice, a result that is no figure, a folder with another
    search), DataError (a damaged file), SaveError (a folder that another process writes), MissingExtraError.
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
    if timeout is not None:
        check("search", {"timeout": NOT_NEGATIVE}, {"timeout": timeout})
    compared = metric if isinstance(metric, Metric) else metric_of(metric, METRICS)
    if folder is None:
        return SearchLoop(train, Study(space, compared, seed), trials, log_function(progress), timeout).run()
    with claimed(prepare_folder(folder)):
        return SearchLoop(train, Study(space, compared, seed, Path(folder)), trials, log_function(progress), timeout).run()


class SearchLoop:
    """Trainings until there are `trials` of them, `jobs` at a time, each in a thread of its own that `train` is called in.

    timeout   seconds after which no further training begins;   cancel   ends the trainings of other threads
    """

    def __init__(self, train: Train, study: Study, trials: int, log: Log, timeout: float | None = None, jobs: int = 1,
                 cancel: Callable[[], None] = lambda: None) -> None:
        self.train, self.study, self.count, self.log, self.jobs, self.cancel = train, study, trials, log, jobs, cancel
        self.results = Search(study)
        self.deadline = math.inf if timeout is None else time.monotonic() + timeout
        self.stopped = False
        self.lock = threading.Lock()

    def run(self) -> Search:
        """The results, when all is done, after the timeout, or after Ctrl-C."""
        if self.jobs == 1:
            self.work()
        elif (trial := self.next()) is not None:  # alone, so that the programs of most trainings are compiled once
            self.attempt(trial)
            self.run_threads()
        return self.results

    def run_threads(self) -> None:
        """Train in several threads; Ctrl-C, which the main thread sees, and errors end all of them."""
        with ThreadPoolExecutor(self.jobs) as pool:
            futures = [pool.submit(self.work) for _ in range(self.jobs)]
            try:
                for future in wait(futures, return_when=FIRST_EXCEPTION).done:
                    future.result()
            except BaseException as stop:
                self.stopped = True
                self.cancel()
                if not isinstance(stop, KeyboardInterrupt):
                    raise
                self.results.interrupted = True

    def work(self) -> None:
        """Train, again and again."""
        while (trial := self.next()) is not None:
            self.attempt(trial)

    def next(self) -> Trial | None:
        """The settings of the next training; None when there is none."""
        with self.lock:
            if self.stopped or len(self.study.trials) >= self.count or time.monotonic() >= self.deadline:
                return None
            return self.study.ask()

    def attempt(self, trial: Trial) -> None:
        """One training, and what became of it."""
        try:
            attempt(self.train, trial, self.results)
            self.study.record(trial)
        except Exception as error:
            error.search = self.results  # type: ignore[attr-defined]
            error.add_note(f"in training {trial.index + 1} of the search, with {trial.settings()}; those before it are in error.search")
            raise
        self.log(f"training {trial.index + 1} of {self.count}  {trial.line()}")
        self.stopped |= self.results.interrupted


def attempt(train: Callable[[Trial], Any], trial: Trial, results: Search) -> None:
    """One training: its outcome, figure and time go into the trial, the Run of the best so far into the results."""
    started, result = time.perf_counter(), None
    try:
        with observe_programs(trial.programs):
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


def log_function(progress: bool | Log) -> Log:
    """Where the lines go."""
    if callable(progress):
        return progress
    return Lines(sys.stderr).log if progress else (lambda line: None)


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
