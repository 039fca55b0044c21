"""The study of a search: Optuna's, kept in memory, or in a file of a folder where a search that was killed goes on."""

from __future__ import annotations

import contextlib
import json
import threading
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ArgumentError, DataError
from ..extras import require
from ..files.jsonfile import plain
from ..files.reading import refused
from .metrics import Metric
from .space import Space, distributions, parameter, resolve, rounded, shown
from .stopping import held_out
from .training import Callback, Training

RUNNING, DONE, BEHIND, FAILED, INTERRUPTED = "running", "done", "fell behind", "failed", "interrupted"
FILE = "study.db"
ABOUT, ACCOUNT = "slopes", "trial"  # names of attributes in the file: of the search, and of a training that ended
WAIT = 60.0  # seconds for a file that another process reads
SEEDS = 2**32


class Trial(dict[str, Any], Callback):
    """The settings of one training, by name; with `fit(..., callbacks=[trial])` it ends the training when it falls behind.

    index    from 0
    figure   what came out; None while it runs, and of a training that failed
    outcome  "running", and at the end "done", "fell behind", "failed" or "interrupted"
    epochs   its figure after each epoch
    seconds  how long it took;    message  why it failed
    programs the programs that it needed, by key: whether they were compiled for it
    """

    def __init__(self, settings: Mapping[str, Any], index: int, metric: Metric, study: Study, asked: Any) -> None:
        super().__init__(settings)
        self.index, self.metric, self.study, self.asked = index, metric, study, asked
        self.figure: float | None = None
        self.outcome, self.message, self.seconds = RUNNING, "", 0.0
        self.epochs: list[float] = []
        self.programs: dict[str, bool] = {}

    def epoch_done(self, training: Training) -> None:
        """Stop the training when its figure is worse than most were at this point."""
        if self.report(held_out(training.result, self.metric.name, "search")):
            training.stop()

    def report(self, figure: float) -> bool:
        """Note the figure of an epoch; whether it is worse than most were at this point, so that the training should end."""
        self.epochs.append(figure)
        if self.study.falls_behind(self):
            self.outcome = BEHIND
        return self.outcome == BEHIND

    def settings(self) -> str:
        """`rate 0.0031, width 64`."""
        return ", ".join(f"{name} {shown(value)}" for name, value in self.items())

    def line(self) -> str:
        """One line of text for a log."""
        figure = "" if self.figure is None else f"{self.metric.name} {self.metric.text(self.figure)}"
        rest = [part for part in (figure, self.outcome if self.outcome != DONE else "", self.message) if part]
        compiled = sum(self.programs.values())
        return f"{self.settings()}: {', '.join(rest)}  {self.seconds:.1f} s" + (f", {compiled} compiled" if compiled else "")


class Study:
    """Where the settings of trainings come from, and what became of them; several threads may use it.

    space, metric, seed  as in `search`;   warmup  epochs after which a training may be found to fall behind
    folder               its file `study.db` holds the trainings; None: they are in memory
    about                what the file says of the search, which is another one if any of it differs
    digits               significant digits of numbers; None: all
    """

    def __init__(self, space: Space, metric: Metric, seed: int, folder: Path | None = None, about: Mapping[str, Any] | None = None,
                 warmup: int = 0, digits: int | None = None) -> None:
        self.space, self.metric, self.seed, self.folder, self.digits = space, metric, seed, folder, digits
        self.optuna, self.ranges = require("optuna", "tune", "search"), distributions(space)
        self.lock = threading.Lock()
        self.trials: list[Trial] = []
        with self.quiet(), self.readable():
            self.study = self.optuna.create_study(
                storage=None if folder is None else storage(self.optuna, folder / FILE), study_name="search", load_if_exists=True,
                direction="minimize" if metric.lower_is_better else "maximize", sampler=self.sampler(seed),
                pruner=self.optuna.pruners.MedianPruner(n_warmup_steps=warmup))
            if folder is not None:
                self.go_on(plain({"space": {name: repr(choices) for name, choices in space.items()}, "metric": metric.name, "seed": seed,
                                  **(about or {})}))

    def sampler(self, seed: int) -> Any:
        """Random settings first, then a tree-structured Parzen estimator."""
        return self.optuna.samplers.TPESampler(seed=seed % SEEDS)

    def go_on(self, about: dict[str, Any]) -> None:
        """Take over the trainings of the file; those that a killed process has not finished are to be done again."""
        before = self.study.user_attrs.get(ABOUT)
        if before is None:
            self.study.set_user_attr(ABOUT, about)
            return
        if before != about:
            raise self.another(before, about)
        states = self.optuna.trial.TrialState
        for frozen in self.study.get_trials(deepcopy=False):
            if ACCOUNT in frozen.user_attrs and frozen.state.is_finished():
                self.trials.append(self.restored(frozen.user_attrs[ACCOUNT]))
            elif frozen.state == states.RUNNING:
                self.study.tell(frozen.number, state=states.FAIL)
                self.study.enqueue_trial(frozen.params)

    def another(self, before: Any, about: Mapping[str, Any]) -> ArgumentError:
        """The error for a file of another search."""
        old = before if isinstance(before, dict) else {}
        different = [f"{name} is {text(about.get(name))} here, {text(old.get(name))} there"
                     for name in dict.fromkeys([*about, *old]) if about.get(name) != old.get(name)]
        return ArgumentError(f"{self.folder} holds another search", why="; ".join(different),
                             repair="continue it with the settings that it was begun with, or name another folder")

    def restored(self, account: str) -> Trial:
        """A training as the file has it."""
        fields = json.loads(account)
        trial = Trial(fields["settings"], len(self.trials), self.metric, self, None)
        trial.figure, trial.outcome, trial.message, trial.seconds = (fields[name] for name in ("figure", "outcome", "message", "seconds"))
        trial.epochs, trial.programs = fields["epochs"], fields["programs"]
        return trial

    def first(self, settings: Mapping[str, Any]) -> None:
        """Begin with these settings, unless the study has begun."""
        if not self.study.get_trials(deepcopy=False):
            self.study.enqueue_trial({name: parameter(self.space[name], settings[name]) for name in self.space if name in settings})

    def ask(self) -> Trial:
        """The next settings. In a file they depend on the seed and the trainings before them, not on when the search was interrupted."""
        with self.lock, self.quiet():
            index = len(self.trials)
            if self.folder is not None:
                self.study.sampler = self.sampler(self.seed * 1_000_003 + index)
            asked = self.study.ask(self.ranges)
            settings = {name: rounded(resolve(choices, asked.params[name]), self.digits) for name, choices in self.space.items()}
            self.trials.append(Trial(settings, index, self.metric, self, asked))
            return self.trials[-1]

    def falls_behind(self, trial: Trial) -> bool:
        """Whether its last figure is worse than the median of earlier trainings was after the same epoch."""
        with self.lock, self.quiet():
            trial.asked.report(trial.epochs[-1], len(trial.epochs) - 1)
            return bool(trial.asked.should_prune())

    def record(self, trial: Trial) -> None:
        """Keep what became of a training; in a file one that was interrupted counts as not begun."""
        states = self.optuna.trial.TrialState
        state = {DONE: states.COMPLETE, BEHIND: states.PRUNED}.get(trial.outcome, states.FAIL)
        with self.lock, self.quiet():
            if self.folder is not None:
                if trial.outcome == INTERRUPTED:
                    return
                trial.asked.set_user_attr(ACCOUNT, account(trial))
            self.study.tell(trial.asked, trial.figure if state == states.COMPLETE else None, state)

    def importance(self) -> dict[str, float]:
        """By setting, its share in what makes trainings the best tenth of all, the largest first; {} of fewer than four trainings.

        Source: Watanabe, Bansal, Hutter, "PED-ANOVA: efficiently quantifying hyperparameter importance in arbitrary subspaces", 2023.
        """
        if sum(trial.outcome == DONE for trial in self.trials) < 4:
            return {}
        with self.lock, self.quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it is new in Optuna 4
            evaluator = self.optuna.importance.PedAnovaImportanceEvaluator()
            return dict(self.optuna.importance.get_param_importances(self.study, evaluator=evaluator))

    @contextlib.contextmanager
    def quiet(self) -> Iterator[None]:
        """Optuna says nothing by itself."""
        logging = self.optuna.logging
        before = logging.get_verbosity()
        logging.set_verbosity(logging.ERROR)
        try:
            yield
        finally:
            logging.set_verbosity(before)

    @contextlib.contextmanager
    def readable(self) -> Iterator[None]:
        """A DataError for a file that is no study, or one of another version of Optuna."""
        try:
            yield
        except (ArgumentError, DataError):
            raise
        except Exception as error:
            if self.folder is None:
                raise
            raise refused(self.folder / FILE, "contents", f"no study can be read from it ({type(error).__name__}: {error!s:.100})",
                          why="it was damaged, or written by another program or a newer Optuna",
                          repair="restore it from a copy, or name another folder") from error


def storage(optuna: Any, path: Path) -> Any:
    """The SQLite file."""
    return optuna.storages.RDBStorage(f"sqlite:///{path}", engine_kwargs={"connect_args": {"timeout": WAIT}})


def account(trial: Trial) -> str:
    """What the file says of a training that ended."""
    finite = [value if np.isfinite(value) else None for value in trial.epochs]
    return json.dumps(plain({"settings": dict(trial), "figure": trial.figure, "outcome": trial.outcome, "message": trial.message,
                             "seconds": trial.seconds, "epochs": finite, "programs": trial.programs}))


def text(value: Any) -> str:
    """A part of a description in an error."""
    return ", ".join(f"{name} {inner}" for name, inner in value.items()) if isinstance(value, dict) else str(value)
