"""solver="lbfgs": the minimum of the loss of all examples, by SciPy's L-BFGS-B as in scikit-learn."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..tensor import Tensor
from .examples import Batches, Examples, Gatherer, batches_of
from .program import Program
from .scikit import exceptions, optimize
from .settings import Settings


def minimize(program: Program, examples: Examples, settings: Settings) -> tuple[int, float]:
    """Move the program's network to the minimum; returns the number of iterations and the loss.

    Source: Byrd, Lu, Nocedal, Zhu, "A limited memory algorithm for bound constrained optimization", 1995.
    """
    (indices, counts), = batches_of(np.arange(len(examples))[None], len(examples), program.plan.architecture.rows_alone)
    batch = Batches(*(array[0] for array in Gatherer(examples, program.plan.dtype).gather(indices, counts)))
    objective = Objective(program, batch)
    result = optimize.minimize(objective, objective.point(), method="L-BFGS-B", jac=True,
                               options={"maxfun": settings.max_fun, "maxiter": settings.max_iter, "gtol": settings.tol})
    objective.move(result.x)
    if result.status:
        warnings.warn(f"lbfgs failed to converge after {result.nit} iterations (status={result.status}): {result.message}",
                      exceptions.ConvergenceWarning, stacklevel=2)
    return min(int(result.nit), settings.max_iter), float(result.fun)


class Objective:
    """The loss as a function of one vector: all parameters in a row."""

    def __init__(self, program: Program, batch: Batches) -> None:
        self.program, self.batch, self.parameters = program, batch, learned(program)

    def __call__(self, point: np.ndarray) -> tuple[float, np.ndarray]:
        self.move(point)
        value, gradients = self.program.measure(*self.batch)
        return value, np.concatenate([gradient.reshape(-1) for gradient in gradients])

    def point(self) -> np.ndarray:
        """The parameters as they are."""
        return np.concatenate([parameter.numpy().reshape(-1) for parameter in self.parameters]).astype(np.float64)

    def move(self, point: Any) -> None:
        """Give the parameters other values."""
        start = 0
        for parameter in self.parameters:
            end = start + parameter.size
            parameter.assign(point[start:end].reshape(parameter.shape).astype(parameter.dtype))
            start = end


def learned(program: Program) -> list[Tensor]:
    """The parameters that are not frozen."""
    return [parameter for parameter in program.optimizer.parameters if parameter.requires_grad]
