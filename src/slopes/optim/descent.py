"""Full-batch minimization of small models: L-BFGS and Newton's method, with line search."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..constraint import COUNT, NOT_NEGATIVE, POSITIVE, Constraint, check, one_of
from ..errors import NonFiniteError
from ..tensor import Tensor
from .curvature import LBFGS, Direction, Newton
from .objective import Objective
from .search import Trial, backtracking, strong_wolfe, take_first

METHODS: dict[str, tuple[Callable[[Objective, int], Direction], str]] = {"lbfgs": (LBFGS, "strong_wolfe"),
                                                                         "newton": (Newton, "backtracking")}
SEARCHES = {"strong_wolfe": strong_wolfe, "backtracking": backtracking, "fixed": take_first}
CONSTRAINTS: Mapping[str, Constraint] = {"method": one_of(*METHODS), "search": one_of(*SEARCHES, None), "steps": COUNT,
                                         "tolerance": NOT_NEGATIVE, "change": NOT_NEGATIVE, "history": COUNT, "lr": POSITIVE}


@dataclass
class Minimum:
    """The result of a minimization; the parameters are set to it.

    value: the final loss; values: the initial loss and that after every step; gradient: the largest element of the final gradient;
    evaluations: of loss and gradient; converged: whether a convergence criterion was met; reason: why it stopped.
    """

    value: float
    values: list[float] = field(repr=False)
    gradient: float
    evaluations: int
    converged: bool
    reason: str

    @property
    def steps(self) -> int:
        """The number of steps taken."""
        return len(self.values) - 1


def minimize(loss: Callable[[], Tensor], parameters: Any, method: str = "lbfgs", *, steps: int = 100, tolerance: float = 1e-7,
             change: float = 1e-9, history: int = 10, search: str | None = None, lr: float = 1.0) -> Minimum:
    """Minimize loss() over the parameters; loss and gradient are compiled. Returns a Minimum.

    For models whose data fit into one batch: every step evaluates the whole loss, which must be deterministic.

    loss        function without arguments that reads the parameters and returns a scalar
    parameters  a module, a mapping or a list; frozen ones do not change
    method      "lbfgs": quasi-Newton from the last `history` steps; "newton": with the Hessian, for up to 4,096 parameters
    steps       the largest number of steps;   lr  factor of the first trial step of each line search
    tolerance   stop when no element of the gradient is larger
    change      stop when a step changes no parameter by more, or the loss by less
    search      "strong_wolfe" (default of lbfgs), "backtracking" (Armijo; default of newton) or "fixed": no search

    Raises ArgumentError, ShapeError (the loss is not a scalar), GradientError (it does not depend on a parameter), and
    NonFiniteError if it is not finite at the start. The parameters end at the last accepted point, even after an exception.
    Sources: Liu and Nocedal, "On the limited memory BFGS method for large scale optimization", 1989; Nocedal and Wright, Numerical
    Optimization (2006), chapters 3, 6, 7. The steps of "lbfgs" are those of PyTorch's LBFGS.

    >>> import slopes as sl
    >>> from slopes import optim
    >>> x = sl.Parameter([-1.2, 1.0], dtype="float64")
    >>> result = optim.minimize(lambda: 100 * (x[1] - x[0] * x[0]) ** 2 + (1 - x[0]) ** 2, [x], method="newton")
    >>> result.converged, x.numpy().round(4).tolist()
    (True, [1.0, 1.0])
    """
    arguments = {"method": method, "search": search, "steps": steps, "tolerance": tolerance, "change": change, "history": history, "lr": lr}
    check("minimize", CONSTRAINTS, arguments)
    objective = Objective(loss, parameters)
    make, default = METHODS[method]
    return Descent(objective, make(objective, history), SEARCHES[search or default], steps, tolerance, change, lr).run()


@dataclass
class Descent:
    """One minimization: direction, line search, step, until a criterion is met."""

    objective: Objective
    method: Direction
    search: Callable[..., Trial]
    steps: int
    tolerance: float
    change: float
    lr: float

    def run(self) -> Minimum:
        """Perform all steps; the parameters end at the last accepted point, even after an exception."""
        self.point = self.objective.point()
        try:
            self.here = Trial(0.0, *self.evaluate(self.point))
            self.values = [self.here.value]
            if not math.isfinite(self.here.value):
                raise NonFiniteError("minimize: the loss is not finite at the start", why="it has no descent direction there",
                                     repair="start with other parameter values, or scale the inputs")
            reason, converged = self.descend()
        finally:
            self.objective.move(self.point)
        return Minimum(self.here.value, self.values, self.largest(), self.objective.evaluations, converged, reason)

    def evaluate(self, point: np.ndarray, direction: np.ndarray | None = None) -> tuple[float, float, np.ndarray]:
        """Value, slope along the direction, and gradient."""
        value, gradient = self.objective.at(point)
        return value, 0.0 if direction is None else float(gradient @ direction), gradient

    def largest(self) -> float:
        """The largest element of the gradient."""
        return float(np.abs(self.here.gradient).max())

    def descend(self) -> tuple[str, bool]:
        """Steps until a criterion is met; returns (reason, converged)."""
        for _ in range(self.steps):
            if self.largest() <= self.tolerance:
                return f"no element of the gradient is larger than {self.tolerance:g}", True
            end = self.step()
            if end:
                return end
        if self.largest() <= self.tolerance:
            return f"no element of the gradient is larger than {self.tolerance:g}", True
        return f"the limit of {self.steps} {'step' if self.steps == 1 else 'steps'} was reached", False

    def step(self) -> tuple[str, bool] | None:
        """One line search and step; returns (reason, converged) if it is the last, else None."""
        direction = self.method.direction(self.point, self.here.gradient)
        start = Trial(0.0, self.here.value, float(self.here.gradient @ direction), self.here.gradient)
        if start.slope > -self.change:
            return "the slope along the direction is almost 0", True
        first, reach = self.lr * self.method.first_step(start.gradient), float(np.abs(direction).max())
        end = self.search(lambda step: Trial(step, *self.evaluate(self.point + step * direction, direction)), start, first, reach)
        if end is start or not math.isfinite(end.value):
            return "the line search found no lower point", False
        change = end.step * direction
        self.method.learn(change, end.gradient - start.gradient)
        self.point, self.here = self.point + change, end
        self.values.append(end.value)
        if np.abs(change).max() <= self.change:
            return f"the last step moved no parameter by more than {self.change:g}", True
        if abs(end.value - start.value) < self.change:
            return f"the last step changed the loss by less than {self.change:g}", True
        return None
