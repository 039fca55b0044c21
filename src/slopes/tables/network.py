"""The networks for tables: numbers as they are or in bins, flags, categories embedded; then dense layers with dropout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from .. import nn
from ..constraint import COUNT, LAYERS, NOT_NEGATIVE, SHARE, check
from ..nn.features import bin_edges
from ..ops.composite import concat
from ..tensor import Tensor
from .encoding import Widths


@dataclass(frozen=True)
class Architecture:
    """The sizes of a network: the bins of each number at most (0: none), units of each layer, layers, dropout, and the width of
    embeddings of categories."""

    bins: int = 0
    width: int = 128
    layers: int = 3
    dropout: float = 0.3
    embedding: int = 8

    def __post_init__(self) -> None:
        check("Architecture", {"bins": NOT_NEGATIVE, "width": COUNT, "layers": LAYERS, "dropout": SHARE, "embedding": COUNT}, asdict(self))

    def edges(self, numbers: np.ndarray) -> list[list[float]]:
        """The edges of the bins of each column of numbers (N, D); none without bins."""
        return [bin_edges(column, self.bins).tolist() for column in numbers.T] if self.bins else []


class TableNetwork(nn.Module):
    """y = W_L h_L + b, h_l = dropout(silu(W_l h_{l-1} + b_l)), h_0 = (numbers, their bins, flags, embeddings of the codes).

    features: (N, numbers + flags) float32, codes: (N, embeddings) int64; y: (N, outputs). `edges` are those of the bins of each
    number (nn.Bins); without any, the numbers are taken as they are. Sources: Gorishniy, Rubachev, Babenko, "On embeddings for
    numerical features in tabular deep learning", 2022 (bins); Holzmüller, Grinsztajn, Steinwart, "Better by default", 2024 (the
    preparation of numbers and categories).
    """

    def __init__(self, widths: Widths, edges: Sequence[Sequence[float]], outputs: int, architecture: Architecture) -> None:
        self.numbers = widths.numbers
        self.bins = nn.Bins.from_edges(edges) if edges else None
        self.embeddings = [nn.Embedding(size, architecture.embedding) for size in widths.sizes]
        width = (self.bins.outputs if self.bins else widths.numbers) + widths.flags + architecture.embedding * len(widths.sizes)
        layers: list[nn.Module] = []
        for _ in range(architecture.layers):
            layers += [nn.Linear(width, architecture.width), nn.SiLU(), nn.Dropout(architecture.dropout)]
            width = architecture.width
        self.layers = nn.Sequential(*layers, nn.Linear(width, outputs))

    def forward(self, features: Tensor, codes: Tensor | None = None) -> Tensor:
        parts = [features]
        if self.bins is not None:
            parts = [self.bins(features[:, : self.numbers])]
            if features.shape[1] > self.numbers:
                parts.append(features[:, self.numbers :])
        parts += self.embedded(codes)
        return self.layers(parts[0] if len(parts) == 1 else concat(parts, axis=1))

    def embedded(self, codes: Tensor | None) -> list[Tensor]:
        """The embeddings of the codes."""
        return [] if codes is None else [embedding(codes[:, i]) for i, embedding in enumerate(self.embeddings)]

    def details(self) -> str:
        return f"{self.numbers} numbers, {len(self.embeddings)} embeddings"
