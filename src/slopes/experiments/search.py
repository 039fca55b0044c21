"""Searching for the hyper-parameters of a recipe by its validation loss: what is tried, one training, and its command."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import random
from ..errors import ArgumentError
from ..train.history import Run
from ..train.space import Between, Choices
from ..train.stopping import EarlyStopping, held_out
from ..train.training import Callback, Training
from .catalog import find_recipe
from .experiment import Config, Experiment, Fit, Result, Setting
from .run import prepare_parts

TENFOLD = ("rate", "decay")  # numbers of these names are tried from a tenth to ten times the default, evenly in their logarithm
SHARES, MOST_SHARE = ("dropout",), 0.7  # and of these from 0 to 0.7, or the default where it is more


def search_space(experiment: Experiment[Any], fixed: Mapping[str, Any]) -> dict[str, Choices]:
    """What is tried: of each hyper-parameter that is not fixed its range, if it has one. ArgumentError where nothing is left."""
    defaults = experiment.resolve(**fixed)
    ranges = {name: range_of(name, setting, defaults[name]) for name, setting in experiment.settings.items() if name not in fixed}
    space = {name: choices for name, choices in ranges.items() if choices is not None}
    if not space:
        searched = searched_settings(experiment)
        raise ArgumentError(f"recipe {experiment.name}: there is nothing to search",
                            why=f"of its hyper-parameters these can be searched: {', '.join(searched) or 'none'}; an option fixes one",
                            repair="leave out the option of one of them" if searched else "tune another recipe: slopes train --list")
    return space


def searched_settings(experiment: Experiment[Any]) -> list[str]:
    """The names of those hyper-parameters that are searched unless they are fixed."""
    return [name for name, setting in experiment.settings.items() if range_of(name, setting, setting.default) is not None]


def range_of(name: str, setting: Setting, default: Any) -> Choices | None:
    """What is tried of a hyper-parameter: what its recipe says, else what its name says; None: nothing but the default."""
    if setting.search is not None:
        return setting.search
    if isinstance(default, float) and default > 0 and name in TENFOLD:
        return Between(default / 10, default * 10, log=True)
    if isinstance(default, float) and default >= 0 and name in SHARES:
        return Between(0.0, max(MOST_SHARE, default))
    return None


class Follower(Callback):
    """Reports the validation loss of each epoch, and ends the training when the answer is yes."""

    def __init__(self, report: Callable[[float], bool]) -> None:
        self.report = report
        self.behind = False

    def epoch_done(self, training: Training) -> None:
        """Report it."""
        if self.report(held_out(training.result, "loss", "tune")):
            self.behind = True
            training.stop()


@dataclass(frozen=True)
class RecipeTask:
    """A training of a recipe with some settings, the others fixed: those trainings of it that have validation data.

    The report, and with it the test set, is left out. The epochs of the first training are reported; the figure is the mean over the
    trainings of the validation loss that their weights have: that of the last epoch, or of the best one where the recipe restores it.
    """

    recipe: str
    fixed: dict[str, Any]
    seed: int

    def __call__(self, settings: dict[str, Any], report: Callable[[float], bool]) -> float:
        """The figure of a training."""
        experiment = find_recipe(self.recipe)
        config = Config(experiment.resolve(**self.fixed, **settings), self.seed)
        losses: list[float] = []
        with random.using(random.Generator(self.seed)):
            data = experiment.data(config)
            result = Result(experiment, config, data, experiment.describe(config, data))
            for _, net, part in prepare_parts(result):
                if isinstance(part, Fit) and part.validation is not None:
                    follower = Follower((lambda loss: False) if losses else report)
                    run = part.run(net, self.seed, [follower])
                    if run.interrupted:
                        raise KeyboardInterrupt
                    losses.append(kept_loss(run, part))
                    if follower.behind:
                        break
        if not losses:
            raise ArgumentError(f"recipe {self.recipe} cannot be tuned", why="none of its trainings has validation data, and settings are "
                                "never chosen by the test set", repair="tune another recipe: slopes train --list")
        return float(np.mean(losses))


def kept_loss(run: Run, part: Fit) -> float:
    """The validation loss of the weights that a run has in the end."""
    restoring = [callback for callback in part.options.get("callbacks", ()) if isinstance(callback, EarlyStopping) and callback.restore]
    return run.epochs[restoring[0].epoch].watched["loss"] if restoring else held_out(run, "loss", "tune")


def command_text(command: Sequence[str], options: Mapping[str, Any]) -> str:
    """A command with options, as a shell takes it; numbers are exact.

    >>> command_text(["slopes", "train", "digits"], {"rate": 0.003, "function": "sin x"})
    "slopes train digits --rate 0.003 --function 'sin x'"
    """
    return " ".join([shlex.join(command), *(f"--{name.replace('_', '-')} {shlex.quote(str(value))}" for name, value in options.items())])
