"""The outputs of a network in use: many rows by a compiled program, few without one."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import nn
from ..compile import compile
from ..modes import no_grad
from ..tensor import Tensor, asarray
from ..train.mode import Mode

BLOCK = 4096  # rows of the compiled program for tables
FEW = 1024  # rows for which it is not worth compiling


class Forward:
    """A network in eval mode: `forward(features, codes)` are its outputs, (N, outputs) float32, without derivatives.

    block, few: rows of the compiled program, whose last block is filled up with zeros; a part of a block is computed without it where
    there are at most `few` rows altogether. many: a network of the same outputs that the program computes, where it is another.
    Inputs are anything that slices give arrays of; those without columns are not passed on.
    """

    def __init__(self, net: nn.Module, block: int = BLOCK, few: int = FEW, many: nn.Module | None = None) -> None:
        self.net, self.many, self.block, self.few = net, many or net, block, few
        self.program = compile(self.many)

    def __call__(self, *inputs: Any) -> np.ndarray:
        """The outputs, block by block."""
        count = len(inputs[0])
        return np.concatenate([self.batch(*(rows[i : i + self.block] for rows in inputs), expected=count)
                               for i in range(0, max(count, 1), self.block)])

    def batch(self, *inputs: np.ndarray, expected: int) -> np.ndarray:
        """The outputs of at most a block of rows, of so many altogether."""
        count = len(inputs[0])
        with Mode(self.many, training=False), no_grad():
            if expected <= self.few and count < self.block:
                return self.net(*tensors(inputs)).numpy()
            return self.program(*tensors([filled(rows, self.block) for rows in inputs])).numpy()[:count]


def tensors(inputs: Any) -> list[Tensor]:
    """The inputs of the net, without arrays that have no columns."""
    return [asarray(rows) for rows in inputs if rows.ndim == 1 or rows.shape[1]]


def filled(rows: np.ndarray, block: int) -> np.ndarray:
    """The rows, and zeros up to a whole block."""
    return rows if len(rows) == block else np.concatenate([rows, np.zeros((block - len(rows), *rows.shape[1:]), rows.dtype)])
