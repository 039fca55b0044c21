"""A loss as a function of one vector of all parameters: its value, gradient and Hessian, each a native program."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import functions as F
from ..autodiff.pushforward import ones_like
from ..compile import compile
from ..derivatives.follow import finish, node_of, pulled
from ..derivatives.matrices import jacobian_blocks, reshaped
from ..errors import ArgumentError, GradientError, ShapeError
from ..tensor import Tensor
from .optimizer import named


class Objective:
    """`loss`, a function of nothing that reads `parameters`, as a function of the vector of all their elements (float64)."""

    def __init__(self, loss: Callable[[], Tensor], parameters: Any) -> None:
        if not callable(loss):
            raise ArgumentError(f"minimize: loss is {loss!r:.60}, not a function", why="it is computed anew at every point",
                                repair="pass lambda: nn.mse_loss(net(x), y), without arguments")
        pairs = [(name, each) for name, each in zip(*named("minimize", parameters)) if each.requires_grad]
        self.loss, self.names, self.parameters = loss, [name for name, _ in pairs], [each for _, each in pairs]
        self.ends = list(itertools.accumulate((each.size for each in self.parameters), initial=0))
        self.evaluations = 0
        self.value_program, self.hessian_program = compile(self.value_and_gradient), compile(self.second_derivatives)

    @property
    def size(self) -> int:
        """How many numbers are looked for."""
        return self.ends[-1]

    def point(self) -> np.ndarray:
        """The present parameters as a vector."""
        return np.concatenate([each.detach().numpy().reshape(-1).astype(np.float64) for each in self.parameters])

    def move(self, vector: Any) -> None:
        """Let the parameters have these values: an array, or, in a program, a tensor."""
        for each, (start, stop) in zip(self.parameters, itertools.pairwise(self.ends)):
            each.assign(vector[start:stop].reshape(each.shape).astype(each.dtype))

    def at(self, vector: np.ndarray) -> tuple[float, np.ndarray]:
        """The value, inf where it is not finite, and the gradient there."""
        value, gradient = self.value_program(vector)
        self.evaluations += 1
        return float(value) if math.isfinite(value) else math.inf, gradient.numpy()

    def hessian(self, vector: np.ndarray) -> np.ndarray:
        """The matrix of second derivatives (n, n) there."""
        matrix = self.hessian_program(vector).numpy()
        return (matrix + matrix.T) / 2  # symmetric but for rounding

    # The programs

    def value_and_gradient(self, vector: Tensor) -> tuple[Tensor, Tensor]:
        value = self.value_there(vector)
        for each in self.parameters:
            each.grad = None
        value.backward()
        found = [gradient.reshape(-1).astype(np.float64) for each in self.parameters if (gradient := each.grad) is not None]
        missing = [name for name, each in zip(self.names, self.parameters) if each.grad is None]
        if missing:
            raise GradientError(f"minimize: the loss does not depend on {', '.join(missing)}", why="any value is as good",
                                repair="leave them out, or let them rest: parameter.requires_grad = False")
        return value.detach(), F.concat(found)

    def second_derivatives(self, vector: Tensor) -> Tensor:
        value = node_of(self.value_there(vector))
        leaves = [node_of(each) for each in self.parameters]
        rows = [jacobian_blocks(each, leaves) for each in pulled([value], [ones_like(value)], leaves)]
        flat = [reshaped(block, (row.size, column.size)) for row, blocks in zip(leaves, rows) for column, block in zip(leaves, blocks)]
        blocks, count = [each.astype(np.float64) for each in finish(flat)], len(leaves)
        return F.concat([F.concat(blocks[start:start + count], axis=1) for start in range(0, count * count, count)], axis=0)

    def value_there(self, vector: Tensor) -> Tensor:
        self.move(vector)
        value = self.loss()
        if not isinstance(value, Tensor) or value.shape:
            seen = f"of shape {value.shape}" if isinstance(value, Tensor) else f"of type {type(value).__name__}"
            raise ShapeError(f"minimize: the loss returned a value {seen}, not one number", repair="take its mean: .mean() at its end")
        if not value.requires_grad:
            raise GradientError(f"minimize: the loss depends on none of {', '.join(self.names)}",
                                repair="pass the parameters that it reads, and compute it without detach() and no_grad()")
        return value
