"""What happened in a run: the loss of every step, a record per epoch, and the times."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from .. import plot as pictures
from ..errors import DataError
from ..files.jsonfile import check_version, parse_object, plain
from .chunk import Chunk
from .metric import Metric
from .metrics import metric_of

SCHEMA, VERSION = "slopes.history", 1
NO_STATISTICS: dict[str, Any] = {"statistics": {}, "statistics_steps": []}
FIELDS = {"schema": str, "version": int, "losses": list, "epochs": list, "seconds": (int, float), "compile_seconds": (int, float),
          "statistics": dict, "statistics_steps": list}
AGAIN = "restore the file from a copy, or train again"
EPOCH_FIELDS = {"epoch": int, "loss": (int, float), "metrics": dict, "validation": dict, "examples": int, "steps": int,
                "seconds": (int, float)}


@dataclass
class Epoch:
    """One pass over the data: means over its examples, measured while learning; validation is measured after it."""

    epoch: int
    loss: float
    metrics: dict[str, float]
    validation: dict[str, float]  # empty without validation data; of several sets, "dev/loss", "dev/accuracy", "other/loss", ...
    examples: int
    steps: int
    seconds: float

    @property
    def watched(self) -> dict[str, float]:
        """The figures of the only or the first validation set, by metric: what schedules and early stopping watch."""
        return next(iter(by_set(self.validation).values()), {})

    def line(self, epochs: int | str, metrics: Mapping[str, Metric]) -> str:
        """One line of text for a log; `metrics` say how their values are written, `epochs` how many there are, or "auto"."""
        parts = [epoch_text(self.epoch, epochs), f"loss {self.loss:.4f}", *figures(self.metrics, metrics)]
        for name, values in by_set(self.validation).items():
            parts.append(" ".join([f"{name or 'validation'} loss {values['loss']:.4f}", *figures(values, metrics)]))
        return "  ".join([*parts, f"{self.examples / max(self.seconds, 1e-9):,.0f} examples/s", f"{self.seconds:.1f} s"])


def epoch_text(epoch: int, epochs: int | str) -> str:
    """`epoch 3/20`, or `epoch 3` where nobody knows how many there will be; `epoch` counts from 0."""
    return f"epoch {epoch + 1}" if isinstance(epochs, str) else f"epoch {epoch + 1}/{epochs}"


def by_set(validation: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Validation figures by the name of their set, which is "" for the only one, and by metric."""
    sets: dict[str, dict[str, float]] = {}
    names = [name.removesuffix("loss") for name in validation if name == "loss" or name.endswith("/loss")]
    for name, value in validation.items():
        prefix = next(prefix for prefix in reversed(names) if name.startswith(prefix))
        sets.setdefault(prefix.removesuffix("/"), {})[name.removeprefix(prefix)] = value
    return sets


def figures(values: Mapping[str, float], metrics: Mapping[str, Metric]) -> list[str]:
    """`accuracy 97.31%`, `absolute_error 0.01234`: each value but the loss."""
    return [f"{name} {metric_of(name, metrics).text(value)}" for name, value in values.items() if name != "loss"]


@dataclass
class History:
    """The losses of all steps in order, the epochs, the seconds in all and those of them spent on compiling.

    statistics: by name, a value (of a histogram a list) for each of `statistics_steps`, see train.Statistics.
    """

    losses: list[float] = field(default_factory=list)
    epochs: list[Epoch] = field(default_factory=list)
    seconds: float = 0.0
    compile_seconds: float = 0.0
    statistics: dict[str, list[Any]] = field(default_factory=dict)
    statistics_steps: list[int] = field(default_factory=list)

    @property
    def steps(self) -> int:
        """How many steps were taken."""
        return len(self.losses)

    def add_statistics(self, chunk: Chunk) -> None:
        """Add the statistics of a chunk."""
        self.statistics_steps += chunk.measured_steps
        for name, values in chunk.results["statistics"].items():
            self.statistics.setdefault(name, []).extend(values.tolist())

    def truncate(self, steps: int) -> None:
        """Forget all steps after the first `steps`."""
        del self.losses[steps:]
        measured = sum(step < steps for step in self.statistics_steps)
        for values in (self.statistics_steps, *self.statistics.values()):
            del values[measured:]

    def content(self) -> dict[str, Any]:
        """The fields, as plain dicts and lists; statistics only where there are any."""
        return {name: value for name, value in asdict(self).items() if value or name not in NO_STATISTICS}

    def named_state(self) -> dict[str, Any]:
        """The history as arrays by name, a row per step or per epoch."""
        columns = {"loss": "loss", "examples": "examples", "steps": "steps", "epoch_seconds": "seconds"}
        state = {"losses": np.array(self.losses, np.float64), "seconds": self.seconds, "compile_seconds": self.compile_seconds,
                 **{name: np.array([getattr(epoch, field) for epoch in self.epochs]) for name, field in columns.items()}}
        for group in ("metrics", "validation"):
            names = getattr(self.epochs[0], group) if self.epochs else ()
            state |= {f"{group}.{name}": np.array([getattr(epoch, group)[name] for epoch in self.epochs]) for name in names}
        if self.statistics:
            state["statistics.steps"] = np.array(self.statistics_steps, np.int64)
        return state | {f"statistics.{name}": np.array(values) for name, values in self.statistics.items()}

    def load_named_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Become the history whose arrays `named_state` gave; lists that others hold are changed in place."""
        def rows(group: str, i: int) -> dict[str, float]:
            return {name.removeprefix(group): float(array[i]) for name, array in state.items() if name.startswith(group)}

        self.losses[:] = np.asarray(state["losses"], np.float64).tolist()
        self.epochs[:] = [Epoch(i, float(state["loss"][i]), rows("metrics.", i), rows("validation.", i), int(state["examples"][i]),
                                int(state["steps"][i]), float(state["epoch_seconds"][i])) for i in range(len(state["loss"]))]
        self.seconds, self.compile_seconds = float(state["seconds"]), float(state["compile_seconds"])
        statistics = {name.removeprefix("statistics."): np.asarray(array).tolist() for name, array in state.items()
                      if name.startswith("statistics.")}
        self.statistics_steps[:] = statistics.pop("steps", [])
        self.statistics.clear()
        self.statistics.update(statistics)

    def to_json(self) -> str:
        """The history as JSON text with schema and version; `from_json` reads it back, to the last bit."""
        return json.dumps(plain({"schema": SCHEMA, "version": VERSION, **self.content()}), indent=1, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> History:
        """Read what `to_json` wrote; DataError names the field that is missing, unknown or of another type."""
        fields = parse_object(text.encode(), "history", "contents")
        check_version(fields.get("version"), VERSION, "history")
        return cls.from_fields(fields, "history")

    @classmethod
    def from_fields(cls, fields: dict[str, Any], source: str) -> History:
        """Read parsed fields, whose schema and version are known to fit; `source` is named in errors."""
        check_fields({**NO_STATISTICS, **fields}, FIELDS, source)
        epochs = [read_epoch(epoch, f"{source}: epochs[{i}]") for i, epoch in enumerate(fields["epochs"])]
        losses = [real(loss, f"{source}: losses[{i}]") for i, loss in enumerate(fields["losses"])]
        return cls(losses, epochs, float(fields["seconds"]), float(fields["compile_seconds"]), *read_statistics(fields, source))


def read_statistics(fields: dict[str, Any], source: str) -> tuple[dict[str, list[Any]], list[int]]:
    """The statistics and their steps, as many values of each as there are steps."""
    statistics, steps = fields.get("statistics", {}), fields.get("statistics_steps", [])
    for name, values in statistics.items():
        if not isinstance(values, list) or len(values) != len(steps):
            raise DataError(f"{source}: statistics[{name!r}] is not a list of {len(steps)} values", why="statistics_steps has as many",
                            repair=AGAIN, where="")
        for i, value in enumerate(values):
            for figure in value if isinstance(value, list) else [value]:
                real(figure, f"{source}: statistics[{name!r}][{i}]")
    return statistics, steps


def read_epoch(fields: Any, source: str) -> Epoch:
    """One epoch's record, checked."""
    check_fields(fields, EPOCH_FIELDS, source)
    for group in ("metrics", "validation"):
        for name, value in fields[group].items():
            real(value, f"{source}.{group}.{name}")
    return Epoch(**{name: fields[name] for name in EPOCH_FIELDS})


def check_fields(fields: Any, expected: dict[str, Any], source: str) -> None:
    """Every expected field is there and has its type; none is unknown."""
    if not isinstance(fields, dict):
        raise DataError(f"{source} is a {type(fields).__name__}, not an object", repair=AGAIN, where="")
    for name, kind in expected.items():
        if name not in fields:
            raise DataError(f"{source} lacks the field {name!r}", why=f"it has {', '.join(map(repr, fields)) or 'none'}",
                            repair=AGAIN, where="")
        if not isinstance(fields[name], kind) or (isinstance(fields[name], bool) and kind is not bool):
            raise DataError(f"{source}: field {name!r} is {fields[name]!r:.60}, of type {type(fields[name]).__name__}",
                            why=f"expected {type_names(kind)}", repair=AGAIN, where="")
    unknown = sorted(set(fields) - set(expected))
    if unknown:
        raise DataError(f"{source} has unknown fields: {', '.join(map(repr, unknown))}", repair=AGAIN, where="")


def type_names(kind: Any) -> str:
    """`int or float` for (int, float)."""
    kinds = kind if isinstance(kind, tuple) else (kind,)
    return " or ".join(option.__name__ for option in kinds)


def real(value: Any, source: str) -> float:
    """A JSON number, or a DataError."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise DataError(f"{source} is {value!r:.60}, not a number", repair=AGAIN, where="")
    return float(value)


@dataclass(frozen=True)
class Chance:
    """What a net reaches that says the same of every example: the loss, which is the entropy of the classes' shares, and the accuracy,
    the share of the commonest class. `examples` is their number."""

    loss: float
    accuracy: float
    examples: int


@dataclass
class Run(pictures.View):
    """What `slopes.fit` returns: the trained net, its history, and whether it was interrupted; of classes also what chance reaches.

    Also carried by the NonFiniteError of a run that failed, as `error.run`.
    """

    net: Any
    history: History
    settings: dict[str, Any] = field(default_factory=dict)
    interrupted: bool = False
    message: str = ""
    chance: Chance | None = None
    metrics: dict[str, Metric] = field(default_factory=dict, repr=False, compare=False)

    @property
    def losses(self) -> list[float]:
        """The loss of every step."""
        return self.history.losses

    @property
    def epochs(self) -> list[Epoch]:
        """One record per finished epoch."""
        return self.history.epochs

    def metric(self, name: str) -> Metric:
        """The metric of this name: its direction and how it is written."""
        return metric_of(name, self.metrics)

    def draw(self) -> pictures.Picture:
        """Loss and metrics over the epochs."""
        names = self.epochs[0].metrics if self.epochs else ()
        shares = bool(names) and all(self.metric(name).is_share for name in names)
        return pictures.curves(self.history.losses, [{**asdict(epoch), "validation": epoch.watched} for epoch in self.epochs], shares)

    def __repr__(self) -> str:
        last = self.epochs[-1].line(len(self.epochs), self.metrics) if self.epochs else "no finished epoch"
        return f"<Run: {self.history.steps} steps, {last}{', interrupted' if self.interrupted else ''}>"
