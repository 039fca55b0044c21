"""The run folder: weights, structure, histories, figures and plots of finished trainings, written atomically and checked when read."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from ..errors import ArgumentError, DataError, SaveError
from ..files import inside, load_json, load_safetensors, save_json, save_safetensors
from ..files.appended import read_prefix
from ..files.atomic import saving
from ..files.reading import reading, refused
from ..files.staging import current, holds, staged
from ..nn import Module
from ..plot import Picture
from ..settings import VERSION
from .history import SCHEMA as HISTORY_SCHEMA
from .history import VERSION as HISTORY_VERSION
from .history import History, Run, check_fields
from .history_file import Written, parse_history, times_of, write_history

RUN_SCHEMA, RUN_VERSION = "slopes.run", 3
STUDY_SCHEMA = "slopes.study"  # of older versions: recipes of several trainings left this record and no history
RECORD, STUDY, WEIGHTS, HISTORY, STATE = "run.json", "study.json", "weights.safetensors", "history.jsonl", "state.safetensors"
NAME = re.compile(r"[^./\\\x00-\x1f]{1,100}")  # a network's name is part of file names and of the names of its arrays
HEAD = {"schema": str, "version": int, "made_with": dict, "recipe": str, "hyperparameters": dict}
FIELDS = {**HEAD, "finished": str, "seed": int, "data": dict, "networks": dict, "figures": dict, "lines": list, "plots": list,
          "seconds": (int, float), "interrupted": bool, "sha256": dict}
NETWORK_2_FIELDS = {"structure": list, "settings": dict, "interrupted": bool, "position": dict}
NETWORK_FIELDS = {**NETWORK_2_FIELDS, "history": dict, "times": dict, "data_sha256": str}
HISTORY_FIELDS = {"bytes": int, "sha256": str}
RUN_1_FIELDS = {**HEAD, "finished": str, "data": dict, "structure": list, "settings": dict, "result": dict, "interrupted": bool,
                "weights_sha256": str}
STUDY_1_FIELDS = {**HEAD, "seed": int, "figures": dict, "lines": list, "seconds": (int, float)}
AGAIN = "restore the file from a copy, or train again"
NET, LINES = "net.", "history."  # prefixes in a state: the net's arrays, and those of the history, which are in its lines
T = TypeVar("T")
Histories = dict[str, Written]  # by network: what of its history is in the folder, written by this process


class TrainingState(NamedTuple):
    """What a training needs to continue: named arrays, its position, such as {"epoch": 3, "step": 120}, and the digest of its data."""

    arrays: Mapping[str, np.ndarray]
    position: Mapping[str, int]
    data_sha256: str = ""


@dataclass
class SavedNetwork:
    """One network of a run folder: its weights by path, every layer of it, and how it was trained.

    `state`, `position` and `data_sha256` are those of a training that can be continued; they are empty where none was saved.
    """

    weights: dict[str, np.ndarray]
    structure: list[dict[str, Any]] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    history: History = field(default_factory=History)
    interrupted: bool = False
    state: dict[str, np.ndarray] = field(default_factory=dict)
    position: dict[str, int] = field(default_factory=dict)
    data_sha256: str = ""

    @property
    def last_weights(self) -> dict[str, np.ndarray]:
        """The weights after the last step, where `weights` are those of the best epoch; the same ones where no state was saved."""
        last = {name.removeprefix(NET): array for name, array in self.state.items() if name.startswith(NET)}
        return last or self.weights


@dataclass
class SavedRun:
    """What a run folder holds; `recipe` is "" for networks that no recipe made. The only network of a run is called ""."""

    folder: Path
    schema: str
    version: int
    made_with: dict[str, str]
    recipe: str
    hyperparameters: dict[str, Any]
    seed: int
    data: dict[str, Any]
    networks: dict[str, SavedNetwork]
    figures: dict[str, float]
    lines: list[str] = field(default_factory=list)
    plots: list[str] = field(default_factory=list)
    seconds: float = 0.0
    interrupted: bool = False

    @property
    def network(self) -> SavedNetwork:
        """The only network; ArgumentError where there are several, or none."""
        if len(self.networks) != 1:
            raise ArgumentError(f"{self.folder} holds {len(self.networks)} networks", why=f"they are {', '.join(self.networks) or 'none'}",
                                repair="choose one: run.networks[name]")
        return next(iter(self.networks.values()))


def save_run(runs: Run | Mapping[str, Run], folder: str | os.PathLike[str], *, recipe: str = "",
             hyperparameters: Mapping[str, Any] | None = None, seed: int = 0, data: Mapping[str, Any] | None = None,
             figures: Mapping[str, float] | None = None, lines: Iterable[str] = (), plots: Mapping[str, Picture] | None = None,
             seconds: float | None = None, interrupted: bool = False, states: Mapping[str, TrainingState] | None = None,
             weights: Mapping[str, Mapping[str, np.ndarray]] | None = None, written: Histories | None = None) -> Path:
    """Write a run, or several by name, into `folder`: run.json, weights.safetensors, history.jsonl and plots; returns the folder.

    The weights of several networks are in one file, each array as NAME.PATH; their histories are history-NAME.jsonl. `data` describes
    the data as far as predictions need it (shape, classes, vocabulary); `states` is written to state.safetensors. `weights` are saved
    instead of those of the networks of these names.
    `written`, which is updated, makes histories grow in their files instead of being written anew: only for a process that writes
    the folder alone (`files.claim`). A history is on the disk before the record that counts on it.
    All files are first written beside their places, then count at one moment: after a full disk, a crash or a kill the folder
    holds the run that was there before, or the new one, whole in either case; remains are removed when the next run is saved there.
    run.json holds the SHA-256 of the arrays' files, so that files of two runs are never mixed up. Raises SaveError, and
    ArgumentError for a name with a dot, a slash or more than 100 characters.
    """
    named, states = {"": runs} if isinstance(runs, Run) else dict(runs), states or {}
    check_names(named)
    target = prepare_folder(folder)
    with saving(target), staged(target) as stage:
        arrays = join_arrays({name: run.net.state_dict() for name, run in named.items()} | dict(weights or {}))
        digests = {WEIGHTS: save_arrays(stage / WEIGHTS, arrays, recipe)} if arrays else {}
        if states:
            digests[STATE] = save_arrays(stage / STATE, join_arrays({name: state_arrays(state) for name, state in states.items()}), recipe)
        histories = save_histories(named, target, stage, written or {})
        for name, picture in (plots or {}).items():
            picture.save(stage / name)
        networks = {name: network_fields(run, histories[name], states.get(name)) for name, run in named.items()}
        total = sum(run.history.seconds for run in named.values()) if seconds is None else seconds
        record = {"made_with": versions(), "finished": datetime.now(UTC).isoformat(timespec="seconds"), "recipe": recipe,
                  "hyperparameters": dict(hyperparameters or {}), "seed": seed, "data": dict(data or {}), "networks": networks,
                  "figures": dict(figures or {}), "lines": list(lines), "plots": list(plots or {}), "seconds": round(total, 2),
                  "interrupted": interrupted or any(run.interrupted for run in named.values()), "sha256": digests}
        save_json(stage / RECORD, record, RUN_SCHEMA, RUN_VERSION)
    if written is not None:
        written.update(histories)
    remove_older(target, named, bool(states))
    return target


def save_histories(named: Mapping[str, Run], target: Path, stage: Path, written: Histories) -> Histories:
    """Write the histories, and say how much of each is in its file."""
    return {name: write_history(run.history, target / history_file(name), stage / history_file(name), written.get(name))
            for name, run in named.items()}


def network_fields(run: Run, history: Written, state: TrainingState | None) -> dict[str, Any]:
    """What the record says of a network."""
    return {"structure": structure(run.net), "settings": run.settings, "interrupted": run.interrupted,
            "position": dict(state.position) if state else {}, "data_sha256": state.data_sha256 if state else "",
            "history": {"bytes": history.prefix.length, "sha256": history.prefix.digest}, "times": times_of(run.history)}


def state_arrays(state: TrainingState) -> dict[str, np.ndarray]:
    """The arrays of a state but for its history, which has a file of its own."""
    return {name: array for name, array in state.arrays.items() if not name.startswith(LINES)}


def remove_older(target: Path, names: Iterable[str], states: bool) -> None:
    """Remove files of an earlier run that run.json no longer names: its state, and histories as older versions wrote them."""
    for file in (*(() if states else (STATE,)), *(older_history_file(name) for name in names)):
        with contextlib.suppress(OSError):
            os.unlink(target / file)


def check_names(names: Iterable[str]) -> None:
    """A network among several has a name, of characters that file names and the names of arrays can hold."""
    names = list(names)
    for name in names:
        if not is_name(name, len(names)):
            raise ArgumentError(f"a network is called {name!r:.120}", why="its name is part of file names and of the names of its arrays",
                                repair="use 1 to 100 characters, no dot and no slash")


def is_name(name: str, count: int) -> bool:
    """Whether one of `count` networks may be called so."""
    return (not name and count == 1) or NAME.fullmatch(name) is not None


def history_file(name: str) -> str:
    """Where the history of a network is kept: `history.jsonl` for the only one, `history-NAME.jsonl` otherwise."""
    return f"history-{name}.jsonl" if name else HISTORY


def older_history_file(name: str) -> str:
    """Where versions 1 and 2 kept it."""
    return history_file(name).removesuffix("l")


def join_arrays(arrays: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The arrays of all networks in one mapping, called NAME.PATH, or PATH where there is one network without a name."""
    return {f"{name}.{path}" if name else path: array for name, group in arrays.items() for path, array in group.items()}


def arrays_of(arrays: Mapping[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    """The arrays of one network, by path."""
    return {path.removeprefix(f"{name}.") if name else path: array for path, array in arrays.items()
            if not name or path.startswith(f"{name}.")}


def save_arrays(path: Path, arrays: Mapping[str, np.ndarray], recipe: str) -> str:
    """Write the arrays; returns the SHA-256 of their file."""
    save_safetensors(path, dict(arrays), {"slopes": VERSION, "recipe": recipe})
    return sha256(path)


def save_somewhere(runs: Run | Mapping[str, Run], folder: str | os.PathLike[str], **contents: Any) -> tuple[Path, SaveError | None]:
    """Save into `folder`, or, when that fails, into a new temporary folder: a finished training is not lost to a full disk.

    Returns the folder that holds the run, and the error that prevented saving into the one asked for.
    """
    try:
        return save_run(runs, folder, **contents), None
    except SaveError as error:
        return save_run(runs, tempfile.mkdtemp(prefix="slopes-run-"), **contents), error


def prepare_folder(folder: str | os.PathLike[str]) -> Path:
    """The folder, made if need be, and proven to be writable; SaveError otherwise. Call it before a long training."""
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=target) as probe:
            probe.write(b"\0" * 4096)
    except OSError as error:
        raise SaveError(f"{target} cannot hold a run: {error.strerror or error}", why="a run is written into a folder of its own",
                        repair="name a folder that you may write to, on a disk with free space") from error
    return target


def holds_run(folder: str | os.PathLike[str]) -> bool:
    """Whether there is a run in `folder` that saving would replace."""
    return holds(folder, RECORD) or holds(folder, STUDY)


def versions() -> dict[str, str]:
    """The versions of slopes, Python and NumPy, and the kind of machine."""
    return {"slopes": VERSION, "python": platform.python_version(), "numpy": np.__version__, "machine": platform.machine()}


def structure(net: Module) -> list[dict[str, Any]]:
    """Every layer of a net: path, description, and the shape and dtype of its own parameters and buffers."""
    state = {name: {"shape": list(array.shape), "dtype": str(array.dtype)} for name, array in net.state_dict().items()}
    return [{"path": path, "layer": module.describe(),
             "state": {name: about for name, about in state.items() if name.rpartition(".")[0] == path}}
            for path, module in net.named_modules()]


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with reading(path), open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_run(folder: str | os.PathLike[str]) -> SavedRun:
    """Read a run folder of this or an older version; everything in it is checked, nothing outside it is read.

    Raises DataError naming file and field for: a missing or damaged file, a link that leaves the folder, a schema newer than this
    version's, missing or unknown fields, fields of another type, weights that are not those of run.json.
    """
    return read_stable(Path(folder), lambda target: read_run(target) if holds(target, RECORD) else read_study_1(target))


def read_stable(target: Path, read: Callable[[Path], T]) -> T:
    """What `read` gives of a run folder: of one run, even if another process saves a new one meanwhile."""
    while holds_run(target):
        before = identity(target)
        try:
            value = read(target)
        except DataError:
            if before is not None and identity(target) == before:
                raise
        else:
            if before is not None and identity(target) == before:
                return value
    seen = "there is no such file in this folder" if target.is_dir() else \
        "this is a file, not a folder" if target.exists() else "there is no such folder"
    raise refused(target, RECORD, seen,
                  why="a run folder is what `slopes train` writes", repair=f"check the path{known_runs(target)}")


def identity(target: Path) -> tuple[Any, ...] | None:
    """What changes as soon as another run counts, or files are moved; None if they are being moved at this moment."""
    before = record_identity(target)
    paths = [current(target, name) for name in (HISTORY, WEIGHTS, STATE)]
    return (*before, *paths) if before and before == record_identity(target) else None  # else the paths are those of two runs


def record_identity(target: Path) -> tuple[Any, ...]:
    """The record that counts: its path, inode, size and time; empty if it is being moved at this moment."""
    path = current(target, RECORD if holds(target, RECORD) else STUDY)
    with contextlib.suppress(FileNotFoundError):
        status = os.lstat(target / path)
        return path, status.st_ino, status.st_size, status.st_mtime_ns
    return ()


def read_run(target: Path) -> SavedRun:
    """The run that the folder holds at this moment."""
    record = read_fields(target)
    if record["version"] == 1:
        return read_run_1(target, record)
    weights, state = (read_arrays(target, file, record["sha256"].get(file)) for file in (WEIGHTS, STATE))
    networks = {name: read_network(target, name, fields, arrays_of(weights, name), arrays_of(state, name))
                for name, fields in record["networks"].items()}
    plain = {name: record[name] for name in FIELDS if name not in ("finished", "networks", "sha256")}
    return SavedRun(folder=target, networks=networks, **plain)


def read_fields(target: Path) -> dict[str, Any]:
    """The fields of run.json, checked."""
    record = load_json(inside(target, current(target, RECORD)), RUN_SCHEMA, RUN_VERSION)
    source = str(target / RECORD)
    check_fields(record, RUN_1_FIELDS if record["version"] == 1 else FIELDS, source)
    for name, fields in record.get("networks", {}).items():
        if not is_name(name, len(record["networks"])):
            raise refused(target / RECORD, "networks", f"one is called {name!r:.120}", repair=AGAIN)
        check_fields(fields, NETWORK_2_FIELDS if record["version"] == 2 else NETWORK_FIELDS, f"{source}: networks[{name!r}]")
    return record


def read_network(target: Path, name: str, fields: dict[str, Any], weights: dict[str, np.ndarray],
                 state: dict[str, np.ndarray]) -> SavedNetwork:
    """A network of version 2 or 3; its history is part of its state, if it has one."""
    history = read_history(target, name, fields)
    if state:
        state |= {f"{LINES}{path}": np.asarray(value) for path, value in history.named_state().items()}
    return SavedNetwork(weights, fields["structure"], fields["settings"], history, fields["interrupted"], state, fields["position"],
                        fields.get("data_sha256", ""))


def read_run_1(target: Path, record: dict[str, Any]) -> SavedRun:
    """A run of one network, as slopes wrote it before there were several; its seed was a hyper-parameter."""
    values = dict(record["hyperparameters"])
    network = SavedNetwork(read_arrays(target, WEIGHTS, record["weights_sha256"]), record["structure"], record["settings"],
                           read_history_1(target, ""), record["interrupted"])
    seed = values.pop("seed", 0)
    return SavedRun(target, RUN_SCHEMA, 1, record["made_with"], record["recipe"], values, seed if isinstance(seed, int) else 0,
                    record["data"], {"": network}, {f"test {name}": value for name, value in record["result"].items()},
                    seconds=network.history.seconds, interrupted=record["interrupted"])


def read_study_1(target: Path) -> SavedRun:
    """What recipes of several trainings left before they left runs: figures and weights, but no description of the data."""
    record = read_study_fields(target)
    weights = load_safetensors(inside(target, current(target, WEIGHTS))) if holds(target, WEIGHTS) else {}
    return SavedRun(target, STUDY_SCHEMA, 1, record["made_with"], record["recipe"], record["hyperparameters"], record["seed"], {},
                    {"": SavedNetwork(weights)} if weights else {}, record["figures"], record["lines"], seconds=record["seconds"])


def read_study_fields(target: Path) -> dict[str, Any]:
    """The fields of study.json, checked."""
    record = load_json(inside(target, current(target, STUDY)), STUDY_SCHEMA)
    check_fields(record, STUDY_1_FIELDS, str(target / STUDY))
    return record


def read_history(target: Path, name: str, fields: Mapping[str, Any]) -> History:
    """The history of a network: those lines of its file that the record counts on."""
    if "history" not in fields:
        return read_history_1(target, name)
    counted, file = fields["history"], history_file(name)
    check_fields(counted, HISTORY_FIELDS, f"{target / RECORD}: networks[{name!r}].history")
    path = Path(inside(target, current(target, file)))
    return parse_history(read_prefix(path, counted["bytes"], counted["sha256"]), fields["times"], target / file)


def read_history_1(target: Path, name: str) -> History:
    """The history of a network as versions 1 and 2 wrote it."""
    file = older_history_file(name)
    return History.from_fields(load_json(inside(target, current(target, file)), HISTORY_SCHEMA, HISTORY_VERSION), str(target / file))


def known_runs(target: Path) -> str:
    """`; runs nearby: runs/digits, ...` when there are some beside the wrong name."""
    with contextlib.suppress(OSError):
        near = sorted(str(path.parent) for path in (*target.glob(f"*/{RECORD}"), *target.parent.glob(f"*/{RECORD}")))
        if near:
            return f"; runs nearby: {', '.join(near[:5])}"
    return ""


def read_arrays(target: Path, file: str, digest: Any) -> dict[str, np.ndarray]:
    """The arrays of a file, which must be the very one that run.json was written for; none where run.json names no such file."""
    if digest is None:
        return {}
    path = Path(inside(target, current(target, file)))
    arrays = load_safetensors(path)
    actual = sha256(path)
    if actual != digest:
        raise DataError(f"{path} is not the file that {RECORD} was written for",
                        why=f"its SHA-256 begins with {actual[:12]}, not {str(digest)[:12]}: it was changed",
                        repair=AGAIN, where="")
    return arrays
