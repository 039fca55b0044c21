"""The outputs of a trained network for any number of rows, in eval mode."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from .. import nn
from ..compile import Compiled, compile
from ..modes import no_grad
from ..tensor import Tensor, asarray
from ..train.mode import Mode
from .architectures import Architecture
from .examples import BLOCK_BYTES, Examples
from .pool import Pool
from .program import convert

FEW_PRODUCTS = 1 << 24  # up to about as many products are computed eagerly: faster than to compile
BLOCK = 1024  # rows that are computed at once


@dataclass(frozen=True)
class ForwardPlan:
    """What a program for outputs is made of."""

    architecture: Architecture
    dtype: np.dtype


class ForwardProgram:
    """A network that is given the weights of others, and its compiled outputs."""

    def __init__(self, plan: ForwardPlan, net: nn.Module | None = None) -> None:
        self.plan = plan
        self.net = plan.architecture.build() if net is None else net
        convert(self.net, plan.dtype)
        self.net.eval()
        self.compiled = compile(self.net)


programs: Pool[ForwardPlan, ForwardProgram] = Pool(ForwardProgram)


class Forward:
    """A network in use. Few rows are computed eagerly, many in blocks of one size by a program, which networks share."""

    def __init__(self, architecture: Architecture, net: nn.Module) -> None:
        self.net, self.products = net, architecture.products(net)
        dtype = next((parameter.dtype for parameter in net.parameters()), np.dtype(np.float32))
        self.plan = ForwardPlan(architecture, dtype)
        self.own = None if architecture.shared else ForwardProgram(self.plan, net)

    def outputs(self, examples: Examples) -> np.ndarray:
        """The outputs (N, ...), in the type of the parameters."""
        with no_grad():
            if len(examples) * self.products <= FEW_PRODUCTS:
                with Mode(self.net, training=False):
                    return self.blocks(examples, BLOCK, self.net)
            with programs.program(self.plan, self.own, self.load) as program, Mode(program.net, training=False):
                return self.blocks(examples, self.block_rows(examples), partial(run_blocks, program.compiled))

    def block_rows(self, examples: Examples) -> int:
        """The number of rows that one native call is given, whole blocks of them."""
        row_bytes = int(np.prod(examples.shape)) * self.plan.dtype.itemsize
        return max(1, BLOCK_BYTES // (row_bytes * BLOCK)) * BLOCK

    def load(self, program: ForwardProgram) -> None:
        """Have a program compute with the weights of this network."""
        if program.net is not self.net:
            program.net.load_state_dict(self.net.state_dict())

    def blocks(self, examples: Examples, rows: int, function: Callable[[Tensor], Tensor]) -> np.ndarray:
        """The function of all inputs, so many rows at a time."""
        parts = [function(asarray(examples.inputs(slice(start, start + rows), self.plan.dtype))).numpy()
                 for start in range(0, len(examples), rows)]
        return np.concatenate(parts)


def run_blocks(function: Compiled, inputs: Tensor) -> Tensor:
    """The function of inputs, block by block in one native call; the last one is filled up with zeros."""
    steps = -(-len(inputs) // BLOCK)
    filled = np.zeros((steps * BLOCK, *inputs.shape[1:]), inputs.dtype)
    filled[: len(inputs)] = inputs.numpy()
    outputs = function.many(steps, asarray(filled.reshape((steps, BLOCK, *inputs.shape[1:]))), stepped=(0,))
    return outputs.reshape((steps * BLOCK, *outputs.shape[2:]))[: len(inputs)]
