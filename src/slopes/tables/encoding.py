"""The preparation of a whole table: the encoders of its columns, and their features as the inputs of a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .encoders import Encoder, fit_encoder, read_encoder
from .fields import Words
from .schema import Schema

Columns = Mapping[str, np.ndarray | Words]  # typed values by the name of their column


class Widths(NamedTuple):
    """How many features there are: continuous ones, flags, and the sizes of the embeddings."""

    numbers: int
    flags: int
    sizes: tuple[int, ...]


@dataclass(frozen=True)
class Encoding:
    """The encoders of the columns, in their order."""

    encoders: tuple[Encoder, ...]

    @classmethod
    def fit(cls, schema: Schema, columns: Mapping[str, np.ndarray], rows: np.ndarray) -> Encoding:
        """The preparation of the schema's inputs, learned from some rows of typed columns (`table.typed_columns`)."""
        return cls(tuple(fit_encoder(column, columns[column.name][rows]) for column in schema.inputs))

    @property
    def widths(self) -> Widths:
        """How many features there are."""
        return Widths(sum(encoder.numbers for encoder in self.encoders), sum(encoder.flags for encoder in self.encoders),
                      tuple(size for encoder in self.encoders for size in encoder.sizes))

    def __call__(self, columns: Columns) -> tuple[np.ndarray, np.ndarray]:
        """(features (N, numbers + flags) float32, codes (N, embeddings) int64): numbers stand first."""
        pairs = [(encoder, columns[encoder.name]) for encoder in self.encoders]
        encoders = [*((encoder.encode_numbers, values) for encoder, values in pairs if encoder.numbers),
                    *((encoder.encode_flags, values) for encoder, values in pairs if encoder.flags)]
        codes = np.concatenate([by_values(encoder.encode_codes, values) for encoder, values in pairs], axis=1)
        features = np.empty((len(codes), self.widths.numbers + self.widths.flags), np.float32)
        start = 0
        for encode, values in encoders:
            part = by_values(encode, values)
            features[:, start : start + part.shape[1]] = part
            start += part.shape[1]
        return features, codes

    def unknown(self, columns: Columns) -> dict[str, int]:
        """How many rows have a category that no training row had, by column; columns without any are left out."""
        counts = {encoder.name: int(by_values(encoder.unknown, columns[encoder.name]).sum()) for encoder in self.encoders}
        return {name: count for name, count in counts.items() if count}

    def to_fields(self) -> list[dict[str, Any]]:
        """The encoders as JSON holds them."""
        return [encoder.to_fields() for encoder in self.encoders]

    @classmethod
    def from_fields(cls, content: Sequence[Mapping[str, Any]]) -> Encoding:
        """The preparation that `to_fields` described."""
        return cls(tuple(map(read_encoder, content)))


def by_values(encode: Callable[[np.ndarray], np.ndarray], column: np.ndarray | Words) -> np.ndarray:
    """What a function makes of each row of a column; of words it is computed once for each different one."""
    return encode(column.array())[column.codes] if isinstance(column, Words) else encode(column)
