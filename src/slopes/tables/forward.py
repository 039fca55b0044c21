"""The outputs of a network in use: many rows by a compiled program, few without one."""

from __future__ import annotations

import numpy as np

from .. import nn
from ..compile import compile
from ..modes import no_grad
from ..tensor import Tensor, asarray
from ..train.mode import Mode

BLOCK = 4096  # rows of the compiled program; the last rows are filled up to so many
FEW = 1024  # rows for which it is not worth compiling


class Forward:
    """A network of features and codes in eval mode: `forward(features, codes)` are its outputs, (N, outputs) float32."""

    def __init__(self, net: nn.Module) -> None:
        self.net, self.program = net, compile(net)

    def __call__(self, features: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """The outputs, without derivatives."""
        with Mode(self.net, training=False), no_grad():
            if len(features) <= FEW:
                return self.net(*tensors(features, codes)).numpy()
            return np.concatenate([self.block(features[i : i + BLOCK], codes[i : i + BLOCK]) for i in range(0, len(features), BLOCK)])

    def block(self, features: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """The outputs of at most 4096 rows, by the compiled program."""
        return self.program(*tensors(filled(features), filled(codes))).numpy()[: len(features)]


def tensors(features: np.ndarray, codes: np.ndarray) -> tuple[Tensor, ...]:
    """The inputs of the net: no codes where the table has none."""
    return (asarray(features), asarray(codes)) if codes.shape[1] else (asarray(features),)


def filled(rows: np.ndarray) -> np.ndarray:
    """The rows, and zeros up to a whole block."""
    return rows if len(rows) == BLOCK else np.concatenate([rows, np.zeros((BLOCK - len(rows), rows.shape[1]), rows.dtype)])
