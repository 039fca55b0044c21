"""`torch.nn.utils.rnn`: padding of sequences to one length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...tensor import new


def pad_sequence(sequences: Sequence[Any], batch_first: bool = False, padding_value: float = 0.0) -> Any:
    """One tensor, outside of graphs, of sequences (L_i, ...), padded at their ends to the longest."""
    arrays = [sequence.numpy() for sequence in sequences]
    padded = np.full((len(arrays), max(map(len, arrays)), *arrays[0].shape[1:]), padding_value, arrays[0].dtype)
    for row, array in zip(padded, arrays):
        row[:len(array)] = array
    return new(padded if batch_first else np.ascontiguousarray(padded.swapaxes(0, 1)))


def __getattr__(name: str) -> Any:
    raise AttributeError(f"torch.nn.utils.rnn.{name} is not in slopes.torch; in slopes, layers take the lengths of padded sequences: "
                         "lstm(x, lengths=lengths)")
