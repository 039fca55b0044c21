"""The outputs of a trained network for any number of rows, in eval mode."""

from __future__ import annotations

import numpy as np

from .. import nn
from ..compile import compile
from ..modes import no_grad
from ..tensor import asarray
from ..train.mode import Mode
from .architectures import Architecture
from .examples import Examples

FEW_PRODUCTS = 1 << 24  # up to about as many products are computed eagerly: faster than to compile
BLOCK = 1024  # rows that are computed at once


class Forward:
    """A network in use. Few rows are computed eagerly, many in blocks of one size by a compiled program, which is made once."""

    def __init__(self, architecture: Architecture, net: nn.Module) -> None:
        self.net, self.program = net, compile(net)
        self.products = architecture.products(net)
        self.dtype = next((parameter.dtype for parameter in net.parameters()), np.dtype(np.float32))

    def outputs(self, examples: Examples) -> np.ndarray:
        """The outputs (N, ...), in the type of the parameters."""
        eager = len(examples) * self.products <= FEW_PRODUCTS
        with Mode(self.net, training=False), no_grad():
            parts = [self.block(examples.inputs(slice(start, start + BLOCK), self.dtype), eager)
                     for start in range(0, len(examples), BLOCK)]
        return np.concatenate(parts)

    def block(self, inputs: np.ndarray, eager: bool) -> np.ndarray:
        """The outputs of at most one block."""
        if eager:
            return self.net(asarray(inputs)).numpy()
        missing = BLOCK - len(inputs)
        filled = np.concatenate([inputs, np.zeros((missing, *inputs.shape[1:]), inputs.dtype)]) if missing else inputs
        return self.program(asarray(filled)).numpy()[: len(inputs)]
