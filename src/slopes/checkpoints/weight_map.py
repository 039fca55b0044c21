"""A map from the weights of a network to the arrays of a checkpoint, with patterns; it is saved as JSON, edited and applied."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from ..errors import ArgumentError, StateError
from ..files.jsonfile import load_json, save_json
from ..files.reading import Path, refused
from ..nn.module import Module
from .checkpoint import Checkpoint
from .report import WeightReport, shape_text
from .source import Source, from_json

SCHEMA = "slopes.weight-map"
HOLE = re.compile(r"\\\{(\w+)\\\}")  # a placeholder in a pattern that re.escape has escaped
FILLED = re.compile(r"\{(\w+)\}")


class WeightMap:
    """Which arrays of a checkpoint make which weights of a network.

    `weights` maps names of the network's state to sources. Both may have placeholders, which stand for one part of a name (without
    dots and slashes): {"layers.{i}.weight": "h.{i}.w"}. `unused` are names of the checkpoint that are left out, and `kept` names of
    the network that keep their values; both may have the wildcard `*`.

    >>> from slopes import nn
    >>> np.savez("weights.npz", **{"h.0.kernel": np.ones((3, 2), np.float32), "h.0.bias": np.zeros(2, np.float32), "step": np.array(7)})
    >>> weights = WeightMap({"{i}.weight": Source(("h.{i}.kernel",), permute=(1, 0)), "{i}.bias": "h.{i}.bias"}, unused=["step"])
    >>> net, checkpoint = nn.Sequential(nn.Linear(3, 2)), sl.read_checkpoint("weights.npz")
    >>> weights.load(net, checkpoint)
    >>> net(sl.ones((1, 3)))
    tensor([[3., 3.]], requires_grad=True)
    """

    def __init__(self, weights: Mapping[str, Source | str], unused: Iterable[str] = (), kept: Iterable[str] = (),
                 reasons: Mapping[str, str] | None = None) -> None:
        self.weights = {name: Source((item,)) if isinstance(item, str) else item for name, item in weights.items()}
        self.unused, self.kept, self.reasons = tuple(unused), tuple(kept), dict(reasons or {})
        self.patterns = [(compiled(name), item) for name, item in self.weights.items() if FILLED.search(name)]
        self.resolved: dict[str, Source | None] = {}  # what `source_of` has answered
        for target, item in self.weights.items():
            unknown = set(FILLED.findall(" ".join(item.names))) - set(FILLED.findall(target))
            if unknown:
                raise ArgumentError(f"the source of {target!r} has the placeholder {{{min(unknown)}}}, which {target!r} lacks")

    def save(self, path: Path) -> None:
        """Write the map as JSON; `WeightMap.read` reads it, also when it was edited."""
        weights = {target: item.to_json() for target, item in self.weights.items()}
        save_json(path, {"weights": weights, "unused": list(self.unused), "kept": list(self.kept)}, SCHEMA)

    @classmethod
    def read(cls, path: Path) -> WeightMap:
        """The map that a JSON file holds. Raises DataError naming file and field."""
        content = load_json(path, SCHEMA)
        weights = content.get("weights")
        if not isinstance(weights, dict):
            raise refused(path, "weights", "it is not an object")
        lists = {key: content.get(key, []) for key in ("unused", "kept")}
        for key, names in lists.items():
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise refused(path, key, "it is not a list of names")
        return cls({target: from_json(item, path, f"weights, {target!r}") for target, item in weights.items()}, **lists)

    def source_of(self, name: str) -> Source | None:
        """The source of a weight: that of its name, or of the first pattern that fits."""
        if name not in self.resolved:
            matches = ((match, item) for pattern, item in self.patterns if (match := pattern.fullmatch(name)))
            match, item = next(matches, (None, None))
            self.resolved[name] = self.weights.get(name) or (fill(item, match.groupdict()) if match and item else None)
        return self.resolved[name]

    def report(self, net: Module, checkpoint: Checkpoint) -> WeightReport:
        """What would happen to every name: nothing is read but shapes."""
        shapes, report = checkpoint.shapes, WeightReport(str(checkpoint.path), shared=checkpoint.shared())
        for name, held in net.named_state():
            item = self.source_of(name)
            missing = [] if item is None else [part for part in item.names if part not in shapes]
            if item is None or missing:
                if any(fnmatchcase(name, pattern) for pattern in self.kept):
                    report.kept.append(name)
                else:
                    report.missing[name] = f"{', '.join(missing)} is not in the checkpoint" if missing else ""
                continue
            shape = item.shape(shapes, tuple(held.shape))
            if shape == tuple(held.shape):
                report.used[name] = (item.text(), self.reasons.get(name, ""))
            else:
                report.other_shape[name] = f"{shape_text(held.shape)} here, {item.text()} gives {source_text(item, shapes, shape)}"
            report.sources.update(item.names)
        rest = [name for name in shapes if name not in report.sources]
        report.left_out = [name for name in rest if any(fnmatchcase(name, pattern) for pattern in self.unused)]
        report.unused = {name: shapes[name] for name in rest if name not in set(report.left_out)}
        return report

    def arrays(self, net: Module, checkpoint: Checkpoint, strict: bool = True) -> dict[str, np.ndarray]:
        """The values of the weights by the names of the network; StateError with the report unless every name fits.

        With strict=False, weights without a source keep their values and arrays may be left over; shapes must fit.
        """
        report = self.report(net, checkpoint)
        if report.other_shape or (strict and not report.is_complete):
            raise StateError(f"the weights of {checkpoint.path} do not fit {type(net).__name__}: {report.counts()}",
                             why="\n  ".join(report.problem_lines()),
                             repair="edit the map (weights.save(path), WeightMap.read(path)), or load what fits with strict=False")
        held = dict(net.named_state())
        return {name: item.values(checkpoint, tuple(held[name].shape)) for name in report.used
                if (item := self.source_of(name)) is not None}

    def load(self, net: Module, checkpoint: Checkpoint, strict: bool = True) -> None:
        """Set the weights of the network; nothing changes unless all fit. Errors as in `arrays`."""
        net.load_state_dict(self.arrays(net, checkpoint, strict), strict=False)

    def __repr__(self) -> str:
        return f"WeightMap({len(self.weights)} weights)"


def compiled(pattern: str) -> re.Pattern[str]:
    """The regular expression of a pattern with placeholders."""
    seen: set[str] = set()

    def group(match: re.Match[str]) -> str:
        again = match[1] in seen
        seen.add(match[1])
        return f"(?P={match[1]})" if again else f"(?P<{match[1]}>[^./]+)"

    return re.compile(HOLE.sub(group, re.escape(pattern)))


def fill(item: Source, parts: Mapping[str, Any]) -> Source:
    """The source with the placeholders' values."""
    names = tuple(FILLED.sub(lambda match: parts[match[1]], name) for name in item.names)
    return Source(names, item.row, item.view, item.permute, item.blocks, item.of, item.reshape)


def source_text(item: Source, shapes: Mapping[str, tuple[int, ...]], shape: tuple[int, ...] | None) -> str:
    return shape_text(shape) if shape is not None else "nothing: it is " + " and ".join(shape_text(shapes[name]) for name in item.names)
