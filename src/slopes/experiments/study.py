"""What a study is: a recipe that is more than one training, with figures, text and pictures as its result."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .. import random
from ..errors import ArgumentError, MissingExtraError
from ..files import save_json, save_safetensors
from ..files.atomic import saving
from ..files.staging import holds, staged
from ..plot import Picture
from ..train.runs import prepare_folder, versions
from .experiment import Setting

RECORD, WEIGHTS = "study.json", "weights.safetensors"
SCHEMA = "slopes.study"


@dataclass
class Findings:
    """What was found: figures by name, the first being the one to judge by; lines to print; functions that draw, by file name; and
    weights of networks, if they are worth keeping."""

    figures: dict[str, float]
    lines: list[str]
    pictures: dict[str, Callable[[], Picture]] = field(default_factory=dict)
    weights: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Study:
    """A recipe whose work is a function: investigate(values, seed, tell) -> Findings, where tell(text) reports progress."""

    name: str
    caption: str
    expected: str
    investigate: Callable[[dict[str, Any], int, Callable[[str], None]], Findings]
    sizes: dict[str, Setting] = field(default_factory=dict)
    datasets: tuple[str, ...] = ()

    def settings(self) -> dict[str, Setting]:
        """All hyper-parameters by name."""
        return dict(self.sizes)

    def chosen(self, **given: Any) -> dict[str, Any]:
        """The values of all hyper-parameters: those given (None counts as not given), else the defaults."""
        unknown = sorted(set(given) - set(self.sizes))
        if unknown:
            raise ArgumentError(f"recipe {self.name} has no {', '.join(unknown)}", repair=f"it has {', '.join(self.sizes)}")
        return {name: setting.default for name, setting in self.sizes.items()} | {k: v for k, v in given.items() if v is not None}


@dataclass
class Studied:
    """What carrying out a study gave: findings, seconds, the folder, and notes on what could not be drawn."""

    findings: Findings
    seconds: float
    folder: Path
    notes: list[str]


def is_study(folder: str | os.PathLike[str]) -> bool:
    """Whether the folder is what `carry_out` wrote."""
    return holds(folder, RECORD)


def carry_out(study: Study, values: dict[str, Any], folder: str | os.PathLike[str], seed: int = 0,
              tell: Callable[[str], None] = lambda text: None) -> Studied:
    """Run the study with these hyper-parameters and write study.json, pictures and weights into `folder`, atomically."""
    place, started = prepare_folder(folder), time.perf_counter()
    with random.using(random.Generator(seed)):
        found = study.investigate(values, seed, tell)
    seconds, notes = time.perf_counter() - started, []
    with saving(place), staged(place) as stage:
        try:
            for name, draw in found.pictures.items():
                draw().save(stage / name)
        except MissingExtraError as error:
            notes.append(f"no pictures: {error.what}; {error.repair}")
        if found.weights:
            save_safetensors(stage / WEIGHTS, dict(found.weights), {"recipe": study.name})
        save_json(stage / RECORD, {"made_with": versions(), "recipe": study.name, "hyperparameters": values, "seed": seed,
                                   "figures": found.figures, "lines": found.lines, "seconds": round(seconds, 2)}, SCHEMA)
    return Studied(found, seconds, place, notes)
