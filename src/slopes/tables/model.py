"""A trained model of a table: from the text of rows to probabilities or numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from .calibrate import softmax
from .encoding import Columns, Encoding
from .forward import Forward
from .network import Architecture
from .schema import Schema


@dataclass(frozen=True)
class Variant:
    """A kind of network: its sizes, the edges of its bins, its weight in the mean, and the temperature of its logits."""

    architecture: Architecture
    edges: Sequence[Sequence[float]]
    weight: float = 1.0
    temperature: float = 1.0


@dataclass
class TableModel:
    """The networks of an ensemble with everything between a file's text and their predictions.

    schema, encoding     what the columns are, and how they become features
    variants             the kinds of networks, with their weights in the mean
    nets                 the networks, each with the index of its variant
    mean, std, margin    the scale on which numbers are learned, and the half width of their 90% interval (regression)
    """

    schema: Schema
    encoding: Encoding
    variants: Sequence[Variant]
    nets: Sequence[tuple[int, Forward]]
    mean: float = 0.0
    std: float = 1.0
    margin: float = 0.0

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes; () for numbers."""
        return self.schema.target.classes

    @property
    def target(self) -> str:
        """The name of the column that is predicted."""
        return self.schema.target.column.name

    @property
    def outputs(self) -> int:
        """How many outputs each network has."""
        return max(1, len(self.classes))

    def predict(self, columns: Columns) -> np.ndarray:
        """Probabilities (N, classes) or numbers (N,) of typed columns (`table.typed_columns`), float64."""
        return self.predict_features(*self.encoding(columns))

    def predict_features(self, features: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """The same of encoded rows: the mean of the networks' probabilities, or of their numbers."""
        total = np.zeros((len(features), self.outputs))
        sizes = np.bincount([index for index, _ in self.nets])
        for index, forward in self.nets:
            if self.variants[index].weight:
                total += self.variants[index].weight / sizes[index] * self.answers(index, forward(features, codes))
        return total if self.classes else total[:, 0]

    def answers(self, index: int, outputs: np.ndarray) -> np.ndarray:
        """The outputs of a network of a variant as probabilities, or as numbers (N, 1) on the scale of the target."""
        return softmax(outputs / self.variants[index].temperature) if self.classes else outputs.astype(np.float64) * self.std + self.mean

    def single(self) -> TableModel:
        """The model with one network, the first of the variant that weighs most: as many times faster as there are networks."""
        best = int(np.argmax([variant.weight for variant in self.variants]))
        variants = [replace(variant, weight=float(i == best)) for i, variant in enumerate(self.variants)]
        return replace(self, variants=variants, nets=[next(pair for pair in self.nets if pair[0] == best)])

    def facts(self) -> dict[str, Any]:
        """Everything but the weights, as JSON holds it."""
        return {"schema": self.schema.to_fields(), "encoding": self.encoding.to_fields(),
                "variants": [asdict(variant) for variant in self.variants], "nets": [index for index, _ in self.nets],
                "mean": self.mean, "std": self.std, "margin": self.margin}
