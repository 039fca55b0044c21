"""What run folders say of themselves, without their weights: listed below a folder, and compared with each other."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ..errors import DataError
from ..files.claim import is_claimed
from ..files.staging import holds
from .history import History, check_fields, real
from .history_file import TIMES_FIELDS
from .runs import (
    RECORD,
    SavedRun,
    holds_run,
    read_fields,
    read_history,
    read_history_1,
    read_stable,
    read_study_fields,
)

DEPTH = 3  # how many folders deep runs are searched
LEAST_LOSS, LAST_LOSS = "lowest validation loss", "training loss"


@dataclass(frozen=True)
class Record:
    """What run.json says of a run; `recipe` is "" of networks that no recipe made, `epochs` that of the longest training.

    A run without figures, as plain fit and interruptions leave it, has those of `loss_figures`.
    """

    folder: Path
    recipe: str
    hyperparameters: dict[str, Any]
    seed: int
    figures: dict[str, float]
    epochs: int
    seconds: float
    interrupted: bool
    finished: str

    @property
    def state(self) -> str:
        """`running` while a process writes the folder, else `finished` or `interrupted`."""
        return "running" if is_claimed(self.folder) else "interrupted" if self.interrupted else "finished"


ReadHistories = Callable[[Path, Mapping[str, Any]], dict[str, History]]


def read_histories(target: Path, fields: Mapping[str, Any]) -> dict[str, History]:
    """The histories of a run by name."""
    return {name: read_history(target, name, network) for name, network in fields["networks"].items()}


def read_record(folder: str | os.PathLike[str], histories_of: ReadHistories = read_histories) -> Record:
    """The record of a run folder of this or an older version. Reads no weights; raises DataError as `load_run` does.

    histories_of: what reads the histories of a run without figures
    """
    return read_stable(Path(folder), lambda target: record_of(target, histories_of) if holds(target, RECORD) else study_record(target))


def record_of(target: Path, histories_of: ReadHistories) -> Record:
    """The record of run.json, of any version."""
    fields = read_fields(target)
    if fields["version"] == 1:
        histories = {"": read_history_1(target, "")}
        figures = {f"test {name}": value for name, value in fields["result"].items()}
        seed = fields["hyperparameters"].pop("seed", 0)
        fields |= {"seed": seed if isinstance(seed, int) else 0, "seconds": histories[""].seconds}
    else:
        figures, histories = fields["figures"], {}
        if fields["version"] == 2 or not figures:
            histories = histories_of(target, fields)
    epochs = [len(history.epochs) for history in histories.values()] or \
        [count_epochs(network, target) for network in fields["networks"].values()]
    figures = {name: real(value, f"{target / RECORD}: figures[{name!r}]") for name, value in figures.items()}
    return Record(target, fields["recipe"], fields["hyperparameters"], fields["seed"], figures or loss_figures(histories),
                  max(epochs, default=0), fields["seconds"], fields["interrupted"], fields["finished"])


def count_epochs(network: Mapping[str, Any], target: Path) -> int:
    """How many epochs a network of version 3 has."""
    check_fields(network["times"], TIMES_FIELDS, f"{target / RECORD}: times")
    return len(network["times"]["epochs"])


def study_record(target: Path) -> Record:
    """The record of study.json, which held no epochs and no date."""
    fields = read_study_fields(target)
    return Record(target, fields["recipe"], fields["hyperparameters"], fields["seed"], fields["figures"], 0, fields["seconds"], False, "")


def loss_figures(histories: Mapping[str, History]) -> dict[str, float]:
    """The lowest validation loss of each network; without validation the training loss of its last epoch."""
    figures = {}
    for name, history in histories.items():
        losses = [epoch.watched["loss"] for epoch in history.epochs if epoch.validation]
        before = f"{name}: " if name else ""
        if losses:
            figures[before + LEAST_LOSS] = min(losses)
        elif history.epochs:
            figures[before + LAST_LOSS] = history.epochs[-1].loss
    return figures


def figures_of(run: SavedRun) -> dict[str, float]:
    """The figures of a run; of one that has none those of `loss_figures`."""
    return run.figures or loss_figures({name: network.history for name, network in run.networks.items()})


@dataclass
class Listing:
    """The runs below a folder, in the order of their paths, and the reasons why others cannot be read."""

    records: list[Record] = field(default_factory=list)
    unreadable: dict[Path, str] = field(default_factory=dict)


def list_runs(folder: str | os.PathLike[str], depth: int = DEPTH) -> Listing:
    """Read the records of `folder` and of the folders in it, `depth` folders deep; links are not followed."""
    listing = Listing()
    for path in run_folders(Path(folder), depth, listing.unreadable):
        try:
            listing.records.append(read_record(path))
        except DataError as error:
            listing.unreadable[path] = error.what
    return listing


def run_folders(folder: Path, depth: int, unreadable: dict[Path, str]) -> Iterator[Path]:
    """Every folder that holds a run; folders that cannot be opened are added to `unreadable`."""
    if holds_run(folder):
        yield folder
    try:
        inner = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False))
    except OSError as error:
        unreadable[folder] = f"{folder} cannot be opened: {error.strerror or error}"
        return
    for name in inner if depth else ():
        if not name.startswith("."):
            yield from run_folders(folder / name, depth - 1, unreadable)


# Comparison


class Compared(Protocol):
    """What a SavedRun and a Record have in common."""

    @property
    def recipe(self) -> str: ...
    @property
    def hyperparameters(self) -> dict[str, Any]: ...
    @property
    def seed(self) -> int: ...
    @property
    def figures(self) -> dict[str, float]: ...


Row = list[str]


def figure_rows(runs: Sequence[Compared]) -> list[Row]:
    """A row for each figure: its name, and its value in each run, "" where a run has none."""
    return [[name, *(figure_text(run.figures.get(name)) for run in runs)] for name in names_of(run.figures for run in runs)]


def setting_rows(runs: Sequence[Compared]) -> list[Row]:
    """A row for each setting: its name, and its value in each run, "" where a run has none."""
    settings = [{"recipe": run.recipe, **run.hyperparameters, "seed": run.seed} for run in runs]
    return [[name, *(str(values.get(name, "")) for values in settings)] for name in names_of(settings)]


def differing_settings(runs: Sequence[Compared]) -> list[Row]:
    """The rows of the settings that are not the same in all runs."""
    return [row for row in setting_rows(runs) if len(set(row[1:])) > 1]


def names_of(mappings: Iterable[Mapping[str, Any]]) -> list[str]:
    """The keys of all mappings in the order in which they come first."""
    return list(dict.fromkeys(name for mapping in mappings for name in mapping))


def figure_text(value: float | None) -> str:
    """A figure with six digits; "" where there is none.

    >>> figure_text(0.98765432)
    '0.987654'
    """
    return "" if value is None else f"{value:.6g}"


def sorted_by(records: Sequence[Record], name: str, descending: bool = False) -> list[Record]:
    """The records by this figure, the smallest or largest first; those without it, or where it is nan, come last."""
    def key(record: Record) -> tuple[bool, float]:
        value = record.figures.get(name, math.nan)
        return math.isnan(value), 0.0 if math.isnan(value) else -value if descending else value

    return sorted(records, key=key)
