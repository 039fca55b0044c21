"""The validation sets of a training, by name, measured after every epoch."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from .. import random
from ..backend import Backend
from ..errors import ArgumentError
from ..nn.module import Module
from ..optim import Average
from ..random import Generator
from .checks import paired
from .evaluate import Evaluator
from .metric import Metric
from .sources import Source, source_of
from .totals import Objective


def validation_sources(validation: Any, backend: str | Backend) -> dict[str, Source]:
    """The sources of validation data by name: of one data set, under the name "", or of each in a mapping."""
    if validation is None:
        return {}
    if not isinstance(validation, Mapping):
        return {"": source_of(paired(validation), "validation", backend)}
    if not validation:
        raise ArgumentError("validation is an empty mapping", repair='leave it out, or name sets: validation={"dev": dev, "other": other}')
    for name in validation:
        if not isinstance(name, str) or not name or "/" in name:
            raise ArgumentError(f"a validation set is called {name!r}", why="its figures are called NAME/loss, NAME/accuracy, ...",
                                repair="use a string with a character at least, and no slash")
    return {name: source_of(paired(dataset), f"validation[{name!r}]", backend) for name, dataset in validation.items()}


class Validation:
    """Measures a net on its validation sets. Each draws the same random numbers after every epoch."""

    def __init__(self, net: Module, sources: Mapping[str, Source], objective: Objective, metrics: Mapping[str, Metric], batch_size: int,
                 seed: int, backend: str | Backend) -> None:
        self.generator, self.seed = Generator(seed), seed
        self.sources = [(source, source.validation_batch_size(batch_size)) for source in sources.values()]
        self.evaluators = {name: Evaluator(net, source, objective, metrics, size, backend)
                           for name, (source, size) in zip(sources, self.sources)}

    def run(self, average: Average | None) -> dict[str, float]:
        """The figures, called NAME/loss, ..., where the sets have names; with the averaged weights, if there are any."""
        figures: dict[str, float] = {}
        with contextlib.nullcontext() if average is None else average.swapped(), random.using(self.generator):
            for name, evaluator in self.evaluators.items():
                self.generator.seed(self.seed)
                figures |= {f"{name}/{figure}" if name else figure: value for figure, value in evaluator.run().items()}
        return figures
