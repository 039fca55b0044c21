"""The run folder: weights, structure, history and pictures of a finished training, written atomically and checked when read."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, SaveError
from ..files import inside, load_json, load_safetensors, save_json, save_safetensors
from ..files.atomic import saving
from ..files.reading import reading, refused
from ..files.staging import current, holds, staged
from ..plot import Picture
from ..settings import VERSION
from .history import SCHEMA as HISTORY_SCHEMA
from .history import VERSION as HISTORY_VERSION
from .history import History, Run, check_fields

RUN_SCHEMA, RUN_VERSION = "slopes.run", 1
RECORD, WEIGHTS, HISTORY = "run.json", "weights.safetensors", "history.json"
FIELDS = {"schema": str, "version": int, "made_with": dict, "finished": str, "recipe": str, "hyperparameters": dict,
          "data": dict, "structure": list, "settings": dict, "result": dict, "interrupted": bool, "weights_sha256": str}
AGAIN = "restore the file from a copy, or train again"


@dataclass
class SavedRun:
    """What a run folder holds; `recipe` is "" for a net that no recipe made. `weights` are the arrays by path."""

    folder: Path
    recipe: str
    hyperparameters: dict[str, Any]
    data: dict[str, Any]
    structure: list[dict[str, Any]]
    settings: dict[str, Any]
    result: dict[str, Any]
    interrupted: bool
    weights: dict[str, np.ndarray]
    history: History
    made_with: dict[str, str]


def save_run(run: Run, folder: str | os.PathLike[str], *, recipe: str = "", hyperparameters: Mapping[str, Any] | None = None,
             data: Mapping[str, Any] | None = None, result: Mapping[str, float] | None = None,
             pictures: Mapping[str, Picture] | None = None) -> Path:
    """Write a run into `folder`: run.json, weights.safetensors, history.json and pictures (name -> Picture); returns the folder.

    Everything is first written to the disk beside its place, then counts at one moment: after a full disk, a crash or a kill the
    folder holds the run that was there before, or the new one, whole in either case; what such an end leaves beside it is removed
    when the next run is saved there. run.json holds the weights' SHA-256, so that files of two runs are never taken for one.
    Raises SaveError.
    """
    place = prepare_folder(folder)
    with saving(place), staged(place) as stage:
        save_safetensors(stage / WEIGHTS, run.net.state_dict(), {"slopes": VERSION, "recipe": recipe})
        save_json(stage / HISTORY, run.history.content(), HISTORY_SCHEMA, HISTORY_VERSION)
        for name, picture in (pictures or {}).items():
            picture.save(stage / name)
        record = {"made_with": versions(), "finished": datetime.now(UTC).isoformat(timespec="seconds"), "recipe": recipe,
                  "hyperparameters": dict(hyperparameters or {}), "data": dict(data or {}), "structure": structure(run.net),
                  "settings": run.settings, "result": dict(result or {}), "interrupted": run.interrupted,
                  "weights_sha256": sha256(stage / WEIGHTS)}
        save_json(stage / RECORD, record, RUN_SCHEMA, RUN_VERSION)
    return place


def save_somewhere(run: Run, folder: str | os.PathLike[str], **contents: Any) -> tuple[Path, SaveError | None]:
    """Save into `folder`, or, when that fails, into a new temporary folder: a finished training is not lost to a full disk.

    Returns where the run lies, and the error that forbade the wanted folder.
    """
    try:
        return save_run(run, folder, **contents), None
    except SaveError as error:
        return save_run(run, tempfile.mkdtemp(prefix="slopes-run-"), **contents), error


def prepare_folder(folder: str | os.PathLike[str]) -> Path:
    """The folder, made if need be, and proven to be writable; SaveError otherwise. Call it before a long training."""
    place = Path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place) as probe:
            probe.write(b"\0" * 4096)
    except OSError as error:
        raise SaveError(f"{place} cannot hold a run: {error.strerror or error}", why="a run is written into a folder of its own",
                        repair="name a folder that you may write to, on a disk with free space") from error
    return place


def holds_run(folder: str | os.PathLike[str]) -> bool:
    """Whether there is a run in `folder` that saving would replace."""
    return holds(folder, RECORD)


def versions() -> dict[str, str]:
    """What the run was made with."""
    return {"slopes": VERSION, "python": platform.python_version(), "numpy": np.__version__, "machine": platform.machine()}


def structure(net: Any) -> list[dict[str, Any]]:
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
    """Read a run folder; everything in it is checked, nothing outside it is read.

    Raises DataError naming file and field for: a missing or damaged file, a link that leaves the folder, a schema newer than this
    version's, missing or unknown fields, fields of another type, weights that are not those of run.json.
    """
    place = Path(folder)
    if not holds_run(place):
        seen = "there is no such file in this folder" if place.is_dir() else \
            "this is a file, not a folder" if place.exists() else "there is no such folder"
        raise refused(place, RECORD, seen,
                      why="a run folder is what `slopes train` writes", repair=f"check the path{known_runs(place)}")
    before = identity(place)
    try:
        found = read_run(place)
    except DataError:
        if identity(place) == before:
            raise
        return load_run(place)  # another process has just saved a run here
    return found if identity(place) == before else load_run(place)


def identity(place: Path) -> tuple[Any, ...]:
    """What changes as soon as another run counts, or files are moved."""
    with contextlib.suppress(OSError):
        found = os.stat(place / current(place, RECORD))
        where = [current(place, name) for name in (RECORD, HISTORY, WEIGHTS)]
        return found.st_ino, found.st_size, found.st_mtime_ns, where
    return ()


def read_run(place: Path) -> SavedRun:
    """The run as it lies in the folder at this moment."""
    record = load_json(inside(place, current(place, RECORD)), RUN_SCHEMA, RUN_VERSION)
    check_fields(record, FIELDS, str(place / RECORD))
    history = History.from_fields(load_json(inside(place, current(place, HISTORY)), HISTORY_SCHEMA, HISTORY_VERSION),
                                  str(place / HISTORY))
    return SavedRun(place, record["recipe"], record["hyperparameters"], record["data"], record["structure"], record["settings"],
                    record["result"], record["interrupted"], read_weights(place, record), history, record["made_with"])


def known_runs(place: Path) -> str:
    """`; runs nearby: runs/digits, ...` when there are some beside the wrong name."""
    with contextlib.suppress(OSError):
        near = sorted(str(each.parent) for each in (*place.glob(f"*/{RECORD}"), *place.parent.glob(f"*/{RECORD}")))
        if near:
            return f"; runs nearby: {', '.join(near[:5])}"
    return ""


def read_weights(place: Path, record: dict[str, Any]) -> dict[str, np.ndarray]:
    """The arrays, which must be the very file that run.json was written for."""
    path = Path(inside(place, current(place, WEIGHTS)))
    arrays = load_safetensors(path)
    found = sha256(path)
    if found != record["weights_sha256"]:
        raise DataError(f"{path} is not the file that {RECORD} was written for",
                        why=f"its SHA-256 begins with {found[:12]}, not {record['weights_sha256'][:12]}: it was changed",
                        repair=AGAIN, where="")
    return arrays
