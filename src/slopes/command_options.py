"""Options of commands: one for each hyper-parameter of a recipe, and those that all trainings have."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import click

from .backend import BACKENDS
from .errors import ArgumentError
from .experiments.experiment import Experiment, Setting
from .settings import MOST_THREADS

SPLITS = "towers", "wide", "megatron"  # tables of slopes.xla.tables


def setting_options(recipe: Experiment[Any]) -> list[click.Parameter]:
    """An argument for the user's data, and one option per hyper-parameter: its help gives the reason and the default. A value of None
    means that it was not given."""
    return [click.Argument([name], required=False, metavar=name.upper()) if name == recipe.source else setting_option(name, setting)
            for name, setting in recipe.settings.items()]


def setting_option(name: str, setting: Setting) -> click.Option:
    """The option of a hyper-parameter: a flag for False, a repeatable one for a tuple."""
    option, default = f"--{name.replace('_', '-')}", setting.default
    if isinstance(default, bool):
        return click.Option([option, name], is_flag=True, default=None, help=setting.reason)
    if isinstance(default, tuple):
        return click.Option([option, name], multiple=True, metavar="TEXT", callback=given_values, help=f"{setting.reason}; repeatable")
    shown = f"  [default: {default}]" if default != "" else ""
    return click.Option([option, name], type=option_type(name, setting), help=f"{setting.reason}{shown}")


def given_values(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...] | None:
    """The values of a repeatable option; None when it was not given."""
    return values or None


class Number(click.ParamType):
    """A number of at least `least`: whole and at most `most`, or, when `whole` is false, finite."""

    def __init__(self, least: float, whole: bool = True, most: int = 2**63 - 1) -> None:
        self.name = "integer" if whole else "number"
        self.least, self.whole, self.most = least, whole, most

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> int | float:
        """The number, or click's error of a wrong value."""
        try:
            converted = int(value) if self.whole else float(value)
        except ValueError:
            self.fail(f"{value!r} is not {'a whole' if self.whole else 'a'} number.", parameter, context)
        if self.whole and not self.least <= converted <= self.most:
            self.fail(f"{value} is not from {self.least} to {self.most}.", parameter, context)
        if not self.least <= converted < math.inf:
            self.fail(f"{value} is not a finite number of at least {self.least}.", parameter, context)
        return converted


def option_type(name: str, setting: Setting) -> click.ParamType:
    """Choices, text, integers of at least 1 (epochs: 0), numbers of at least 0, if nothing else is said."""
    if setting.choices:
        return click.Choice(setting.choices)
    if isinstance(setting.default, str):
        return click.STRING
    if isinstance(setting.default, int):
        return Number(least=setting.least if setting.least is not None else 0 if name == "epochs" else 1)
    return Number(least=0 if setting.least is None else setting.least, whole=False)


def common_options(own: bool) -> list[click.Parameter]:
    """The options of every recipe; of those that learn from the user's own data without a folder of data sets."""
    data = click.Option(["--data"], type=click.Path(path_type=Path), metavar="DIR",
                        help="folder with local copies of the data sets, such as DIR/mnist  [default: SLOPES_DATA, else downloads]")
    return [
        *([] if own else [data]),
        click.Option(["--seed"], type=Number(0),
                     help="of initial weights, order of examples and dropout: the same seed gives the same result  [default: 0]"),
        click.Option(["--threads"], type=Number(1, most=MOST_THREADS),
                     help="number of threads; the result does not depend on it  [default: all]"),
        click.Option(["--backend"], type=click.Choice(list(BACKENDS)),
                     help="what runs the steps: native code, or XLA, which knows GPUs (pip install 'slopes[xla]')  [default: native]"),
        click.Option(["--mesh"], metavar="data=4,model=2",
                     help="with --backend xla: several devices, of several processes too (slopes launch); batches are split along data"),
        click.Option(["--split"], type=click.Choice(SPLITS), help="with --mesh: split parameters along model by this table"),
        click.Option(["--zero"], is_flag=True, help="with --mesh: split optimizer state along data (ZeRO-1)"),
        click.Option(["--out"], type=click.Path(path_type=Path), metavar="RUN",
                     help="run folder to write  [default: a new one in runs/]"),
        click.Option(["--replace"], is_flag=True, help="overwrite RUN if it holds a run already"),
        click.Option(["--resume"], type=click.Path(path_type=Path), metavar="RUN",
                     help="continue the interrupted run in this folder, with its settings: the result is the same as without the "
                          "interruption. With more --epochs also a finished run. Such as --resume runs/lenet"),
        click.Option(["--quiet"], is_flag=True, help="print no progress, only the results"),
    ]


def use_settings(data: Path | None, threads: int | None) -> None:
    """Options as settings, before anything is loaded or compiled."""
    if data is not None:
        if not data.is_dir():
            raise ArgumentError(f"--data {data}: there is no such folder",
                                why="it must hold local copies of the data sets, such as mnist/",
                                repair="correct the path, or leave --data out to download")
        os.environ["SLOPES_DATA"] = str(data)
    if threads is not None:
        os.environ["SLOPES_THREADS"] = str(threads)
