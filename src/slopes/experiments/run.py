"""Run an experiment: data, trainings, report and run folder; and load the networks of a run folder again."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from .. import nn, random
from ..agreement import writes
from ..backend import BACKENDS, Backend
from ..errors import ArgumentError, DataError, MissingExtraError, SlopesError
from ..files.claim import claimed
from ..files.reading import refused
from ..plot import Picture
from ..streams import stderr
from ..train.interrupt import Interrupts
from ..train.progress import CallbackReporter, Lines, choose_reporter
from ..train.run_folder import TERMINATED
from ..train.runs import AGAIN, RECORD, SavedNetwork, SavedRun, prepare_folder, save_somewhere
from ..train.test_use import final_figures
from ..train.training import Callback
from .catalog import find_recipe
from .checkpoints import RunWriter, check_facts, description, lengthened, saved_states
from .experiment import Config, Experiment, Fit, LoadedRun, Part, Report, Result, State

D = TypeVar("D")
MALFORMED = (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError, ZeroDivisionError)  # of facts that are none
OLDER_NAMES = {"places": "positions"}  # parameters of the recipes' networks that once had another name


def run(experiment: Experiment[D], values: Mapping[str, Any] | None = None, folder: str | os.PathLike[str] | None = None, *,
        seed: int = 0, log: Callable[[str], None] | None = None, progress: bool | Callback | None = None,
        backend: str | Backend | None = None) -> Result[D]:
    """Carry out an experiment with these hyper-parameters (default: its own), and write the run into `folder`, if there is one.

    The seed decides initial weights, order of examples, dropout and whatever the experiment draws. `log` takes lines of progress;
    without it they are shown as fit shows them (see `progress` there). `backend`: what runs the steps of trainings by gradients (default:
    "native"); the report is computed natively. After Ctrl-C the part that learns ends early; what is
    left of the parts is not trained, and then nothing is reported, but what was trained is saved, and `resume` can continue. In a
    long run the folder is also written every minute, for the case that the process is killed; after SIGTERM it is written, and the
    process exits with code 143. A second signal ends at once. A folder that cannot be written in the end is replaced by a temporary
    one: `result.save_error`. Raises ArgumentError for values that the experiment does not take, and SaveError for a folder that
    cannot be written at the beginning or that another process is writing.
    """
    values = experiment.resolve(**values or {})
    return carry_out(experiment, values, seed, None if folder is None else Path(folder), log, progress, backend=backend)


def resume(saved: SavedRun, *, epochs: int | None = None, source: str | None = None, log: Callable[[str], None] | None = None,
           progress: bool | Callback | None = None, backend: str | Backend | None = None) -> Result[Any]:
    """Continue an interrupted run, `load_run(folder)`, with its own settings, and write the finished one into its folder.

    The result has the same bits as that of a run without the interruption. Of several trainings those that were finished are
    restored, the interrupted one continues, and the others follow; trainings by other methods than gradients are done again.
    `epochs`: continue to this many, also a finished run, if it has only one training; the schedule is that of so many epochs.
    `source`: where the user's own data are now, if they were moved. `backend`: another one than before; results then differ by rounding.
    Raises ArgumentError for a run that is finished or holds no state, and for fewer epochs than it has; DataError for other data than
    those it was begun with.
    """
    experiment = find_recipe(saved.recipe)
    values = known_values(experiment, saved)
    if epochs is not None:
        values = lengthened(values, epochs, saved, experiment)
    if source is not None:
        values[experiment.source] = source
    saved_states(saved, experiment, longer=epochs is not None)
    return carry_out(experiment, values, saved.seed, saved.folder, log, progress, saved, backend or saved_backend(saved))


def saved_backend(saved: SavedRun) -> str | None:
    """The name of the backend that trained a run; None: the default."""
    names = {network.settings.get("backend") for network in saved.networks.values()}
    return next((name for name in names if name in BACKENDS), None)


def carry_out(experiment: Experiment[D], values: Mapping[str, Any], seed: int, folder: Path | None, log: Callable[[str], None] | None,
              progress: bool | Callback | None, saved: SavedRun | None = None, backend: str | Backend | None = None) -> Result[D]:
    """Run an experiment from its beginning, or from a saved run on; it is the only one that writes its folder."""
    started = time.perf_counter() - (0 if saved is None else saved.seconds)
    config = Config(values, seed, logger(progress) if log is None else log)
    with contextlib.nullcontext() if folder is None or not writes() else own_folder(folder), random.using(random.Generator(seed)):
        data = experiment.data(config)
        result = Result(experiment, config, data, experiment.describe(config, data))
        if saved is not None:
            check_facts(saved, result.facts)
        networks = {} if saved is None else saved.networks
        writer = None if folder is None else RunWriter(result, folder, started, {name: networks[name].data_sha256 for name in networks})
        train(result, {name: network.state for name, network in networks.items() if network.state}, writer, log, progress, backend)
        if writer is not None and writer.terminated:
            writer.save(result.kept, writer.states)
            sys.exit(TERMINATED)
        # an impatient Ctrl-C while the nets are tested and saved does not lose them; a second one may
        with final_figures(), Interrupts() as late:
            result.report = Report({}, [unfinished(result)]) if unfinished(result) else experiment.report(result)
            result.seconds = time.perf_counter() - started
            if folder is not None and writes():
                save(result, folder)
    result.interrupted = result.interrupted or late.requested
    return result


@contextlib.contextmanager
def own_folder(folder: Path) -> Iterator[None]:
    """Be the only one to write into a folder, which is made if need be, and removed again if nothing was written into it."""
    is_new = not folder.exists()
    try:
        with claimed(prepare_folder(folder)):
            yield
    finally:
        if is_new:
            with contextlib.suppress(OSError):  # it is not empty
                os.rmdir(folder)


def logger(progress: bool | Callback | None) -> Callable[[str], None]:
    """Where lines of progress go if nobody asked for them: to the standard error stream; nowhere with progress=False."""
    return (lambda line: None) if progress is False else Lines(stderr()).log


def train(result: Result[D], states: Mapping[str, State], writer: RunWriter | None, log: Callable[[str], None] | None,
          progress: bool | Callback | None, backend: str | Backend | None = None) -> None:
    """Make the networks and train them, each from its state if there is one, until one is interrupted."""
    for name, net, part in prepare_parts(result):
        if log is None and name and progress is None:
            result.config.log(f"{name}:")
        callbacks = choose_reporter(progress if log is None else CallbackReporter(log, f"{name}: " if name else ""))
        if writer is not None:
            callbacks.append(writer.follow(name))
        if backend is not None and isinstance(part, Fit):
            part.use_backend(backend)
        result.runs[name] = part.run(net, result.config.seed, callbacks, states.get(name))
        if result.runs[name].interrupted:
            result.interrupted = True
            break
    if writer is not None:
        result.states = {name: state for name, state in writer.states.items() if name in result.kept}


def prepare_parts(result: Result[D]) -> Iterator[tuple[str, nn.Module | None, Part]]:
    """The name of each part, its untrained network and its training, each made when the one before is done."""
    experiment, config = result.experiment, result.config
    for i, name in enumerate(experiment.parts(config)):
        if not experiment.one_stream or not i:
            random.seed(config.seed)
        net = None if experiment.network is None else experiment.network(config, result.facts, name)
        part = result.trained[name] = experiment.training(config, result.data, name, net)
        yield name, net, part


def unfinished(result: Result[D]) -> str:
    """A line that names the parts that were not trained; "" when all were."""
    missing = [name for name in result.experiment.parts(result.config) if name not in result.runs]
    return f"interrupted before {', '.join(missing)} {'was' if len(missing) == 1 else 'were'} trained: nothing was measured" if missing \
        else ""


def save(result: Result[D], folder: Path) -> None:
    """Write the run folder."""
    plots, result.notes = draw(result.report)
    result.folder, result.save_error = save_somewhere(
        result.kept, folder, **description(result), figures=result.figures,
        lines=[*result.report.data_lines, *result.lines], plots=plots, seconds=result.seconds,
        interrupted=result.interrupted, states=result.states)


def draw(report: Report) -> tuple[dict[str, Picture], list[str]]:
    """The plots by file name; without matplotlib none, and a note that says how to get them."""
    try:
        return {name: plot() for name, plot in report.plots.items()}, []
    except MissingExtraError as error:
        return {}, [f"no pictures: {error.what}; {error.repair}"]


def rebuild(saved: SavedRun) -> LoadedRun:
    """The trained networks of a record, in eval mode, with the experiment that made it.

    Raises DataError for a damaged record, ArgumentError when this slopes does not know its recipe, StateError when the weights do not
    fit the networks.
    """
    experiment = find_recipe(saved.recipe)
    config = Config(known_values(experiment, saved), saved.seed)
    networks = {name: rebuilt(experiment, saved, config, name) for name in saved.networks}
    return LoadedRun(saved, networks, experiment, config)


def known_values(experiment: Experiment[Any], saved: SavedRun) -> dict[str, Any]:
    """The recipe's hyper-parameters as the record has them."""
    try:
        return experiment.resolve(**saved.hyperparameters)
    except ArgumentError as error:
        raise damaged(saved, "hyperparameters", error.what) from error


def rebuilt(experiment: Experiment[Any], saved: SavedRun, config: Config, name: str) -> nn.Module:
    """The network of this name with its weights.

    Nothing is allocated on a claim: the network is first built without memory, and every array of it must have the shape of the saved one.
    """
    if experiment.network is None or name not in experiment.parts(config):
        raise damaged(saved, "networks", f"{name!r} is none of recipe {experiment.name}")
    network = replace(saved.networks[name], weights=present_paths(saved.networks[name].weights))
    claimed = Claimed(config, saved)
    try:
        with nn.init.shapes_only():
            check_shapes(saved, experiment.network(claimed, saved.data, name), network)
        net = experiment.network(config, saved.data, name)
    except SlopesError:
        raise
    except MALFORMED as error:
        raise damaged(saved, "data", f"it does not describe a network ({type(error).__name__}: {error!s:.100})") from error
    net.load_state_dict(network.weights)
    return net.eval()


def present_paths(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The weights under the paths that the networks of the recipes have now.

    >>> list(present_paths({"places.weight": np.zeros(3), "words.weight": np.zeros(2)}))
    ['positions.weight', 'words.weight']
    """
    return {".".join(OLDER_NAMES.get(part, part) for part in path.split(".")): array for path, array in weights.items()}


class Claimed(Config):
    """The hyper-parameters of a record while a network is built from them: no size may be larger than the number of weights."""

    def __init__(self, config: Config, saved: SavedRun) -> None:
        super().__init__(config, config.seed)
        self.saved, self.most = saved, sum(array.size for network in saved.networks.values() for array in network.weights.values())

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        if isinstance(value, int) and value > self.most:
            raise damaged(self.saved, name, f"{value}, but there are only {self.most:,} weights")
        return value


def check_shapes(saved: SavedRun, net: nn.Module, network: SavedNetwork) -> None:
    """Every parameter and buffer has the shape of the saved array of its path."""
    for path, tensor in net.named_state():
        weights = network.weights.get(path)
        if weights is not None and weights.shape != tuple(tensor.shape):
            raise damaged(saved, path, f"its shape is {tuple(tensor.shape)}, but that of the weights is {weights.shape}")


def damaged(saved: SavedRun, name: str, seen: str) -> DataError:
    """The error for a record that does not fit what is known or what lies beside it."""
    return refused(Path(saved.folder) / RECORD, name, seen, repair=AGAIN)
