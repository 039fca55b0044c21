"""The history of a training as a file of lines that only grows, each a JSON object: a step or an epoch. Times are not in it.

The lines depend on the training alone, not on when it was saved or how it was divided into calls: a training that was interrupted
and continued leaves the same bytes as one that was not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import DataError
from ..files.appended import Prefix, append
from ..files.atomic import write_bytes
from ..files.jsonfile import check_version, parse_object, plain
from ..files.reading import refused
from .history import AGAIN, EPOCH_FIELDS, SCHEMA, History, check_fields, read_epoch, read_statistics, real

VERSION = 2  # version 1 was one JSON object with everything
HEAD = {"schema": SCHEMA, "version": VERSION}
LINE_FIELDS = {name: kind for name, kind in EPOCH_FIELDS.items() if name != "seconds"}
TIMES_FIELDS = {"seconds": (int, float), "compile_seconds": (int, float), "epochs": list}


class Written(NamedTuple):
    """How much of a history is in its file: steps, epochs, and the bytes that they take."""

    steps: int
    epochs: int
    prefix: Prefix


def write_history(history: History, path: Path, stage: Path, written: Written | None = None) -> Written:
    """Append to `path` the lines that are not yet `written` there; where nothing is, write all of them to the new file `stage`."""
    if written is None:
        data = to_bytes([HEAD, *records(history)])
        write_bytes(stage, data)
        return Written(history.steps, len(history.epochs), Prefix.of(data))
    data = to_bytes(records(history, written.steps, written.epochs))
    return Written(history.steps, len(history.epochs), append(path, written.prefix, data))


def records(history: History, steps: int = 0, epochs: int = 0) -> Iterator[dict[str, Any]]:
    """A record for every step and epoch in the order in which they happened, without the first ones of either."""
    first = sum(epoch.steps for epoch in history.epochs[:epochs])
    measured = {step: i for i, step in enumerate(history.statistics_steps) if step >= steps}
    for epoch in history.epochs[epochs:]:
        last = min(first + epoch.steps, history.steps)
        yield from (step_record(history, step, measured) for step in range(max(first, steps), last))
        yield {name: getattr(epoch, name) for name in LINE_FIELDS}
        first = last
    yield from (step_record(history, step, measured) for step in range(max(first, steps), history.steps))


def step_record(history: History, step: int, measured: Mapping[int, int]) -> dict[str, Any]:
    """The loss of a step, and its statistics where they were measured."""
    record: dict[str, Any] = {"loss": history.losses[step]}
    if step in measured:
        record["statistics"] = {name: values[measured[step]] for name, values in history.statistics.items()}
    return record


def to_bytes(lines: Any) -> bytes:
    """One line of JSON for each record."""
    return "".join(json.dumps(plain(line), ensure_ascii=False, allow_nan=False) + "\n" for line in lines).encode()


def times_of(history: History) -> dict[str, Any]:
    """The seconds of a history, which differ whenever a training is done again."""
    return {"seconds": history.seconds, "compile_seconds": history.compile_seconds, "epochs": [epoch.seconds for epoch in history.epochs]}


def parse_history(raw: bytes, times: Any, path: Path) -> History:
    """The history of these lines and times; DataError names the line and the field that is wrong."""
    history = History()
    extend_history(history, raw, times, path)
    return history


def extend_history(history: History, raw: bytes, times: Any, path: Path, lines: int = 0) -> int:
    """Add further lines of a file, of which the first `lines` are in the history already, and take over the times.

    Returns how many lines there are then; DataError names the line and the field that is wrong.
    """
    rest = parse_object(b'{"lines": [' + b",".join(raw.splitlines()) + b"]}", path, "contents")["lines"]
    check_fields(times, TIMES_FIELDS, f"{path}: times")
    if not lines:
        head, rest, lines = (rest or [{}])[0], rest[1:], 1
        check_head(head, path)
    for i, line in enumerate(rest, lines + 1):
        add_line(history, line, times["epochs"], f"{path}: line {i}")
    read_statistics({"statistics": history.statistics, "statistics_steps": history.statistics_steps}, str(path))
    history.seconds, history.compile_seconds = float(times["seconds"]), float(times["compile_seconds"])
    return lines + len(rest)


def check_head(head: Any, path: Path) -> None:
    """The first line names schema and version."""
    if not isinstance(head, dict) or head.get("schema") != SCHEMA:
        raise refused(path, "line 1", f"it is not the head of a {SCHEMA}")
    check_version(head.get("version"), VERSION, path)


def add_line(history: History, line: Any, seconds: list[Any], source: str) -> None:
    """Add what one line says."""
    if isinstance(line, dict) and "epoch" in line:
        check_fields(line, LINE_FIELDS, source)
        history.epochs.append(read_epoch({**line, "seconds": epoch_seconds(seconds, len(history.epochs), source)}, source))
        return
    check_fields({"statistics": {}, **line} if isinstance(line, dict) else line, {"loss": (int, float), "statistics": dict}, source)
    if "statistics" in line:
        history.statistics_steps.append(history.steps)
        for name, value in line["statistics"].items():
            history.statistics.setdefault(name, []).append(value)
    history.losses.append(real(line["loss"], f"{source}: loss"))


def epoch_seconds(seconds: list[Any], index: int, source: str) -> Any:
    """The seconds of an epoch."""
    if index >= len(seconds):
        raise DataError(f"{source} is epoch {index + 1}, but the times are those of {len(seconds)} epochs", repair=AGAIN, where="")
    return seconds[index]
