"""A loss as a function of one flat parameter vector: its value, gradient and Hessian, each compiled."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import functions as F
from ..compile import compile
from ..derivatives.follow import finish, gradients_or_zeros, node_of
from ..derivatives.matrices import jacobian_blocks, reshape
from ..errors import ArgumentError, GradientError, ShapeError
from ..ops.fill import ones_like
from ..tensor import Tensor
from .parameters import named_parameters


class Objective:
    """`loss`, a function without arguments that reads `parameters`, as a function of the float64 vector of all their elements."""

    def __init__(self, loss: Callable[[], Tensor], parameters: Any) -> None:
        if not callable(loss):
            raise ArgumentError(f"minimize: loss is {loss!r:.60}, not a function", why="it is evaluated at many points",
                                repair="pass lambda: nn.mse_loss(net(x), y), without arguments")
        pairs = [(name, parameter) for name, parameter in zip(*named_parameters("minimize", parameters)) if parameter.requires_grad]
        self.loss, self.names, self.parameters = loss, [name for name, _ in pairs], [parameter for _, parameter in pairs]
        self.ends = list(itertools.accumulate((parameter.size for parameter in self.parameters), initial=0))
        self.evaluations = 0
        self.value_program, self.hessian_program = compile(self.value_and_gradient), compile(self.second_derivatives)

    @property
    def size(self) -> int:
        """The number of scalar parameters."""
        return self.ends[-1]

    def point(self) -> np.ndarray:
        """The current parameters as a vector."""
        return np.concatenate([parameter.detach().numpy().reshape(-1).astype(np.float64) for parameter in self.parameters])

    def move(self, vector: Any) -> None:
        """Set the parameters to these values: an array, or a tensor while compiling."""
        for parameter, (start, stop) in zip(self.parameters, itertools.pairwise(self.ends)):
            parameter.assign(vector[start:stop].reshape(parameter.shape).astype(parameter.dtype))

    def at(self, vector: np.ndarray) -> tuple[float, np.ndarray]:
        """The value (inf if not finite) and the gradient at this point."""
        value, gradient = self.value_program(vector)
        self.evaluations += 1
        return float(value) if math.isfinite(value) else math.inf, gradient.numpy()

    def hessian(self, vector: np.ndarray) -> np.ndarray:
        """The Hessian (n, n) at this point."""
        matrix = self.hessian_program(vector).numpy()
        return (matrix + matrix.T) / 2  # symmetric up to rounding

    # The programs

    def value_and_gradient(self, vector: Tensor) -> tuple[Tensor, Tensor]:
        value = self.value_there(vector)
        for parameter in self.parameters:
            parameter.grad = None
        value.backward()
        gradients = [gradient.reshape(-1).astype(np.float64) for parameter in self.parameters if (gradient := parameter.grad) is not None]
        missing = [name for name, parameter in zip(self.names, self.parameters) if parameter.grad is None]
        if missing:
            raise GradientError(f"minimize: the loss does not depend on {', '.join(missing)}", why="its gradient for them is undefined",
                                repair="leave them out, or freeze them: parameter.requires_grad = False")
        return value.detach(), F.concat(gradients)

    def second_derivatives(self, vector: Tensor) -> Tensor:
        value = node_of(self.value_there(vector))
        leaves = [node_of(tensor) for tensor in self.parameters]
        rows = [jacobian_blocks(tensor, leaves) for tensor in gradients_or_zeros([value], [ones_like(value)], leaves)]
        flat = [reshape(block, (row.size, column.size)) for row, blocks in zip(leaves, rows) for column, block in zip(leaves, blocks)]
        blocks, count = [tensor.astype(np.float64) for tensor in finish(flat)], len(leaves)
        return F.concat([F.concat(blocks[start:start + count], axis=1) for start in range(0, count * count, count)], axis=0)

    def value_there(self, vector: Tensor) -> Tensor:
        self.move(vector)
        value = self.loss()
        if not isinstance(value, Tensor) or value.shape:
            kind = f"of shape {value.shape}" if isinstance(value, Tensor) else f"of type {type(value).__name__}"
            raise ShapeError(f"minimize: the loss returned a value {kind}, not a scalar", repair="take its mean: .mean() at its end")
        if not value.requires_grad:
            raise GradientError(f"minimize: the loss depends on none of {', '.join(self.names)}",
                                repair="pass the parameters that it reads, and compute it without detach() and no_grad()")
        return value
