"""What a map does with every name of a network and of a checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from dataclasses import dataclass, field
from typing import Any

MOST_LINES = 20  # of problems in an error


@dataclass
class WeightReport:
    """The names of a network and a checkpoint: used, missing, of another shape, kept; unused, left out, shared. `print` shows all."""

    path: str
    used: dict[str, tuple[str, str]] = field(default_factory=dict)  # name -> (source, why it was proposed)
    missing: dict[str, str] = field(default_factory=dict)  # name -> what is missing
    other_shape: dict[str, str] = field(default_factory=dict)  # name -> both shapes
    kept: list[str] = field(default_factory=list)  # names that keep their values, on purpose
    unused: dict[str, tuple[int, ...]] = field(default_factory=dict)  # names of the checkpoint
    left_out: list[str] = field(default_factory=list)  # names of the checkpoint that are not used, on purpose
    shared: list[tuple[str, ...]] = field(default_factory=list)  # names of the checkpoint that are one array
    sources: set[str] = field(default_factory=set)  # names of the checkpoint that are used

    @property
    def is_complete(self) -> bool:
        """Whether every name is used, kept or left out."""
        return not (self.missing or self.other_shape or self.unused)

    def counts(self) -> str:
        """How many names are what."""
        parts: dict[str, Sized] = {"used": self.used, "missing": self.missing, "of another shape": self.other_shape, "kept": self.kept,
                                   "unused": self.unused, "left out": self.left_out, "shared": self.shared}
        return ", ".join(f"{len(names)} {word}" for word, names in parts.items() if names or word == "used")

    def problem_lines(self) -> list[str]:
        """A line for each name that does not fit."""
        lines = list(self.problems())
        return lines[:MOST_LINES] + ([f"and {len(lines) - MOST_LINES} more"] if len(lines) > MOST_LINES else [])

    def problems(self) -> Iterator[str]:
        yield from (f"missing: {name}" + (f": {why}" if why else "") for name, why in self.missing.items())
        yield from (f"another shape: {name} is {shapes}" for name, shapes in self.other_shape.items())
        yield from (f"unused: {name} {shape_text(shape)}" for name, shape in self.unused.items())

    def lines(self) -> Iterator[str]:
        yield f"{self.path}: {self.counts()}"
        width = max(map(len, self.used), default=0)
        for name, (text, reason) in self.used.items():
            yield f"  {name:{width}}  <- {text}" + (f"  (by {reason})" if reason else "")
        yield from (f"  {line}" for line in self.problems())
        yield from (f"  kept: {name}" for name in self.kept)
        yield from (f"  left out: {name}" for name in self.left_out)
        yield from (f"  shared: {' = '.join(names)}" for names in self.shared)

    def __str__(self) -> str:
        return "\n".join(self.lines())

    __repr__ = __str__


def shape_text(shape: Any) -> str:
    return "x".join(map(str, shape)) or "a number"
