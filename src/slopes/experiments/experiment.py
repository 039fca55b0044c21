"""An experiment: data, networks, hyper-parameters with reasons, trainings, figures, plots, and how to predict with the result."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from .. import nn
from ..backend import Backend
from ..errors import ArgumentError, SaveError
from ..plot import Picture
from ..train.history import History, Run
from ..train.runs import TrainingState
from ..train.space import Between
from ..train.training import Callback, Training
from .loaded import Loaded

D = TypeVar("D")
Facts = dict[str, Any]  # a description of the data that JSON can hold
State = Mapping[str, np.ndarray]  # Training.named_state()


@dataclass(frozen=True)
class Setting:
    """A hyper-parameter: its default, the reason for it, and the values allowed: one of `choices` (none: any value of the default's
    type); numbers are at least `least` (None: 0 for floats, 1 for integers). A default of False is a flag, a tuple holds any number of
    texts.

    search: what `slopes tune` tries, a range or choices; None: as the name says (`experiments.search.range_of`)
    """

    default: Any
    reason: str
    choices: tuple[Any, ...] = ()
    least: float | None = None
    search: Between | tuple[Any, ...] | None = None

    def accepts(self, value: Any) -> bool:
        """Whether the value is a choice, where there are some, and of the default's type; an integer is a float, too."""
        if isinstance(self.default, tuple):
            return isinstance(value, tuple | list) and all(isinstance(text, str) for text in value)
        kinds = (int, float) if isinstance(self.default, float) else (type(self.default),)
        return isinstance(value, kinds) and isinstance(value, bool) == isinstance(self.default, bool) and (
            not self.choices or value in self.choices)

    @property
    def kind(self) -> str:
        """What a value is, in words."""
        kinds = {float: "a number", int: "a whole number", str: "text", bool: "True or False", tuple: "a list of texts"}
        return kinds[type(self.default)]


class Config(Mapping[str, Any]):
    """The hyper-parameters of one run by name, its seed, and `log`, a function that takes lines of progress."""

    def __init__(self, values: Mapping[str, Any], seed: int = 0, log: Callable[[str], None] = lambda line: None) -> None:
        self.values_by_name, self.seed, self.log = dict(values), seed, log

    def __getitem__(self, name: str) -> Any:
        return self.values_by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_name)

    def __len__(self) -> int:
        return len(self.values_by_name)


class Part(Protocol):
    """One training of an experiment."""

    def run(self, net: nn.Module | None, seed: int, callbacks: Sequence[Callback] = (), state: State | None = None) -> Run:
        """Train, from a state that an earlier run of this part was in, if there is one, and return the run."""


class Fit:
    """A training by gradients: training data, validation data, and the other arguments of slopes.fit.

    With an average of the weights among them (optim.Average), the net holds the averaged weights in the end: validation is measured
    with these.
    """

    def __init__(self, train: Any, validation: Any = None, **options: Any) -> None:
        self.train, self.validation, self.options = train, validation, options

    def use_backend(self, backend: str | Backend) -> None:
        """Let this backend run the steps, unless the options name another one."""
        self.options.setdefault("backend", backend)

    def training(self, net: nn.Module, seed: int, callbacks: Sequence[Callback] = ()) -> Training:
        """The training, before its first step; these callbacks come after those of the options."""
        options = {**self.options, "callbacks": [*self.options.get("callbacks", ()), *callbacks]}
        return Training(net, self.train, validation=self.validation, seed=seed, **options)

    def run(self, net: nn.Module | None, seed: int, callbacks: Sequence[Callback] = (), state: State | None = None) -> Run:
        """Train the net; with a state, continue from it, to the same bits as without the interruption.

        A second Ctrl-C, after which there is no state to continue from, is raised as KeyboardInterrupt.
        """
        assert net is not None, "an experiment with a Fit has a network"
        training = self.training(net, seed, callbacks)
        if state is not None:
            training.load_named_state(state)
        run = training.run()
        if training.torn:
            raise KeyboardInterrupt
        if training.average is not None and run.history.steps:
            training.average.take()
        return run


class Learn:
    """A training by another method, such as L-BFGS or the perceptron's rule: a function, whose value is then `result`.

    It has no state to continue from: after an interruption it is done again.
    """

    def __init__(self, learn: Callable[[], Any]) -> None:
        self.learn = learn
        self.result: Any = None

    def run(self, net: nn.Module | None, seed: int, callbacks: Sequence[Callback] = (), state: State | None = None) -> Run:
        """Call the function."""
        started = time.perf_counter()
        self.result = self.learn()
        return Run(net, History(seconds=time.perf_counter() - started))


@dataclass
class Report:
    """Figures by name, the most important first; lines to print; functions that draw plots, by file name; and what was understood of
    the data, in lines that were logged before the training: they are kept in the run folder, in front of the others."""

    figures: dict[str, float]
    lines: list[str]
    plots: dict[str, Callable[[], Picture]] = field(default_factory=dict)
    data_lines: list[str] = field(default_factory=list)


@dataclass
class Prediction:
    """What a run says about one input: text, and for networks that make pictures a grey one (H, W), from 0 to 1."""

    text: str
    picture: np.ndarray | None = None


@dataclass
class PredictedRows:
    """What a run says about many inputs, as the rows of a table: the names of its columns, rows that are made as they are read, and
    notes on the inputs, which are complete after the last row."""

    columns: Sequence[str]
    rows: Iterable[Sequence[str | int | float]]
    notes: list[str] = field(default_factory=list)


def only(config: Config) -> tuple[str, ...]:
    """The names of an experiment of one training."""
    return ("",)


def no_facts(config: Config, data: Any) -> Facts:
    """The description of data that predictions do not depend on."""
    return {}


@dataclass(frozen=True, kw_only=True)
class Experiment(Generic[D]):
    """How to train one network, or several, with data and hyper-parameters; and the result to expect.

    settings    the hyper-parameters by name; `dependent` computes defaults that depend on other values, such as the rate
                that suits an optimizer
    data        data(config): what is learned from and tested with
    describe    describe(config, data): the facts about the data that the networks and predictions need (shape, classes, vocabulary);
                they are kept in the run folder
    parts       parts(config): the names of the trainings, in their order; by default there is one, called ""
    network     network(config, facts, name): the untrained network of a part. It depends on nothing else, so that a run folder is
                enough to build it again. None: the experiment compares models and keeps no network
    training    training(config, data, name, net): how the part is trained, a Fit or Learn
    report      report(result): figures, lines and plots, when all parts are trained
    predict     predict(run, item, top): what the loaded run says about one item of the command line; `takes` names such an item
    predict_rows  predict_rows(run, items): the same about many inputs, in files or folders, as rows of a table
    evaluate    evaluate(run, item): figures and lines on inputs of a file or folder whose targets are known
    write       write(run, prompt, length, temperature, seed): `length` tokens that follow a prompt, and notes on the prompt
    source      the setting that names the user's own data, a file or a folder; "": the data are those of `datasets`. Whatever else
                a user says of her data is a setting, too, so that a run can be continued
    files       settings that name further files and folders of the user: the command line makes their paths absolute
    examples    command lines for the help, without `slopes train NAME`
    keeps       the parts whose networks are kept in the run folder; (): all
    one_stream  the initial weights of all networks are drawn from one stream of random numbers; otherwise each begins with the seed
    """

    name: str
    caption: str
    expected: str
    settings: Mapping[str, Setting]
    data: Callable[[Config], D]
    training: Callable[[Config, D, str, Any], Part]
    report: Callable[[Result[D]], Report]
    describe: Callable[[Config, D], Facts] = no_facts
    parts: Callable[[Config], Sequence[str]] = only
    network: Callable[[Config, Facts, str], nn.Module] | None = None
    predict: Callable[[LoadedRun, str, int], Prediction] | None = None
    predict_rows: Callable[[LoadedRun, Sequence[str]], PredictedRows] | None = None
    evaluate: Callable[[LoadedRun, str], Report] | None = None
    write: Callable[[LoadedRun, str, int, float, int], tuple[str, list[str]]] | None = None
    takes: str = "IMAGE"
    source: str = ""
    files: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    dependent: Mapping[str, Callable[[Mapping[str, Any]], Any]] = field(default_factory=dict)
    keeps: tuple[str, ...] = ()
    one_stream: bool = False

    def resolve(self, **args: Any) -> dict[str, Any]:
        """The values of all hyper-parameters: those given (None counts as not given), else the defaults.

        Raises ArgumentError for an unknown name, for a value that is no choice or of another type, and without a source.
        """
        unknown = sorted(set(args) - set(self.settings))
        if unknown:
            raise ArgumentError(f"recipe {self.name} has no {', '.join(unknown)}", repair=f"it has {', '.join(self.settings)}")
        args = {name: value for name, value in args.items() if value is not None}
        for name, value in args.items():
            self.check(name, value)
        if self.source and not args.get(self.source):
            raise ArgumentError(f"slopes train {self.name}: no {self.source} is named", why="it learns from data of your own",
                                repair=f"slopes train {self.name} {self.source.upper()}; --help has examples")
        values = {name: setting.default for name, setting in self.settings.items()} | args
        return values | {name: compute(values) for name, compute in self.dependent.items() if name not in args}

    def check(self, name: str, value: Any) -> None:
        """ArgumentError for a value that the setting does not accept."""
        setting = self.settings[name]
        if not setting.accepts(value):
            raise ArgumentError(f"recipe {self.name}: {name} is {value!r:.80}",
                                repair=f"use {' or '.join(map(str, setting.choices)) or setting.kind}")

    def is_kept(self, name: str) -> bool:
        """Whether the network of this part is kept in the run folder."""
        return self.network is not None and (not self.keeps or name in self.keeps)


@dataclass
class Result(Generic[D]):
    """One run of an experiment: its data and facts, each part with its run, the report, and where it was saved.

    `runs` holds those parts that were trained: all but the ones after an interrupted one. `states` are the states to continue from, of
    the networks that are kept in the run folder. `save_error` is the error that prevented saving into the folder asked for; `notes`
    name plots that could not be drawn.
    """

    experiment: Experiment[D]
    config: Config
    data: D
    facts: Facts
    runs: dict[str, Run] = field(default_factory=dict)
    trained: dict[str, Part] = field(default_factory=dict)
    report: Report = field(default_factory=lambda: Report({}, []))
    seconds: float = 0.0
    interrupted: bool = False
    states: dict[str, TrainingState] = field(default_factory=dict)
    folder: Path | None = None
    save_error: SaveError | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def figures(self) -> dict[str, float]:
        """The figures by name; the first is the one to judge by."""
        return self.report.figures

    @property
    def lines(self) -> list[str]:
        """The report in lines of text."""
        return self.report.lines

    @property
    def curves(self) -> dict[str, Callable[[], Picture]]:
        """The learning curve of each part, by file name: `curve.png` of the only one, else `curve-PART.png`."""
        return {f"curve-{name}.png" if name else "curve.png": run.plot for name, run in self.runs.items()}

    @property
    def run(self) -> Run:
        """The run of the only part, or of the first."""
        return next(iter(self.runs.values()))

    def learned(self, name: str) -> Any:
        """The result of a part that learned by another method than fit, such as a classical model."""
        part = self.trained[name]
        return part.result if isinstance(part, Learn) else None

    @property
    def networks(self) -> dict[str, Any]:
        """The trained networks by name."""
        return {name: run.net for name, run in self.runs.items() if run.net is not None}

    @property
    def kept(self) -> dict[str, Run]:
        """The runs whose networks are kept in the run folder: all of an interrupted experiment, so that it can be continued."""
        return {name: run for name, run in self.runs.items()
                if self.experiment.is_kept(name) or (self.interrupted and self.experiment.network is not None)}


@dataclass(repr=False)
class LoadedRun(Loaded):
    """A run of a recipe: with the recipe, and its hyper-parameters as a Config."""

    experiment: Experiment[Any]
    config: Config

    @property
    def facts(self) -> Facts:
        """The description of the data."""
        return self.record.data

    def predict(self, item: str, top: int = 1) -> Prediction:
        """What the run says about one item: a text, or the path of a file, as `experiment.takes` says.

        top: how many answers to give where there are several, such as classes.
        """
        if self.experiment.predict is None:
            raise self.without_net()
        return self.experiment.predict(self, item, top)

    def predict_rows(self, items: Sequence[str]) -> PredictedRows:
        """What the run says about each input in these files or folders, as rows of a table."""
        if self.experiment.predict_rows is None:
            raise ArgumentError(f"a run of {self.experiment.name} writes no table of predictions",
                                why=f"it predicts one {self.experiment.takes} at a time", repair="leave out --out, or name a folder there")
        return self.experiment.predict_rows(self, items)

    def write(self, prompt: str = "", length: int = 400, temperature: float = 0.8, seed: int = 0) -> tuple[str, list[str]]:
        """What a language model writes after a prompt, `length` tokens, and notes on the prompt.

        temperature: below 1 more probable texts, above 1 more surprising ones; 0: the most probable token each time.
        """
        if self.experiment.write is None:
            return super().write(prompt, length, temperature, seed)
        return self.experiment.write(self, prompt, length, temperature, seed)

    def evaluate(self, item: str) -> Report:
        """Figures and lines on inputs of a file or folder whose targets are known."""
        if self.experiment.evaluate is None:
            raise ArgumentError(f"a run of {self.experiment.name} cannot be evaluated on a file",
                                why="its test set is part of the recipe: run.json has the figures",
                                repair="slopes report shows them; runs of own data (slopes train table, images, ...) can")
        return self.experiment.evaluate(self, item)
