"""Second-order search directions: L-BFGS from the last steps, Newton from the Hessian."""

from __future__ import annotations

from collections import deque
from typing import Protocol

import numpy as np

from ..errors import ArgumentError
from .objective import Objective

LEAST_CURVATURE = 1e-10  # pairs with less curvature are skipped
LARGEST_HESSIAN = 4096  # parameters: the matrix has 128 MiB then


class Direction(Protocol):
    """A method of minimization: its search direction, first step size, and update of its curvature estimate."""

    def direction(self, point: np.ndarray, gradient: np.ndarray) -> np.ndarray: ...

    def first_step(self, gradient: np.ndarray) -> float: ...

    def learn(self, step: np.ndarray, change: np.ndarray) -> None: ...


class LBFGS:
    """d = -H g, where H approximates the inverse Hessian from the last `history` steps s and gradient differences y.

    The two loops of Nocedal and Wright, Numerical Optimization (2006), algorithm 7.4; the first H is s'y / y'y times the identity.
    """

    def __init__(self, objective: Objective, history: int) -> None:
        self.pairs: deque[tuple[np.ndarray, np.ndarray]] = deque(maxlen=history)
        self.scale: float | None = None  # None before the first step

    def direction(self, point: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        direction, weights = -gradient, []
        for step, change in reversed(self.pairs):
            weights.append(step @ direction / (step @ change))
            direction = direction - weights[-1] * change
        direction = direction * (1.0 if self.scale is None else self.scale)
        for (step, change), weight in zip(self.pairs, reversed(weights)):
            direction = direction + (weight - change @ direction / (step @ change)) * step
        return direction

    def first_step(self, gradient: np.ndarray) -> float:
        """1; in the first iteration, before the scale is known, a short step."""
        return min(1.0, 1.0 / np.abs(gradient).sum()) if self.scale is None else 1.0

    def learn(self, step: np.ndarray, change: np.ndarray) -> None:
        product = step @ change
        self.scale = 1.0 if self.scale is None else self.scale
        if product > LEAST_CURVATURE:
            self.pairs.append((step, change))
            self.scale = float(product / (change @ change))


class Newton:
    """d = -(F + m I)^-1 g with the Hessian F and the smallest m of 0, b, 2 b, 4 b, ... that makes F + m I positive definite.

    Nocedal and Wright, Numerical Optimization (2006), algorithm 3.3.
    """

    def __init__(self, objective: Objective, history: int) -> None:
        self.objective, size = objective, objective.size
        if size > LARGEST_HESSIAN:
            raise ArgumentError(f"minimize: Newton's method for {size:,} parameters needs a Hessian of {size * size:.2g} numbers",
                                why=f"every step solves a linear system with it; at most {LARGEST_HESSIAN:,} parameters are supported",
                                repair='use method="lbfgs", which needs no matrix, or freeze parameters')

    def direction(self, point: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        hessian = self.objective.hessian(point)
        least = float(np.diag(hessian).min())
        unit = max(1e-3 * float(np.linalg.norm(hessian)), 1e-8)
        shift = 0.0 if least > 0 else unit - least
        while not is_positive(hessian + shift * np.eye(len(hessian))):
            shift = max(2 * shift, unit)
        return -np.linalg.solve(hessian + shift * np.eye(len(hessian)), gradient)

    def first_step(self, gradient: np.ndarray) -> float:
        return 1.0

    def learn(self, step: np.ndarray, change: np.ndarray) -> None:
        """Nothing: the Hessian is computed at every point."""


def is_positive(matrix: np.ndarray) -> bool:
    """Whether a symmetric matrix is positive definite."""
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return False
    return True
