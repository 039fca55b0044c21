"""Minimizing a whole loss of a small model with curvature: L-BFGS and Newton's method, with line search."""

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
from .search import Place, backtracking, fixed, strong_wolfe

METHODS: dict[str, tuple[Callable[[Objective, int], Direction], str]] = {"lbfgs": (LBFGS, "strong_wolfe"),
                                                                         "newton": (Newton, "backtracking")}
SEARCHES = {"strong_wolfe": strong_wolfe, "backtracking": backtracking, "fixed": fixed}
CONSTRAINTS: Mapping[str, Constraint] = {"method": one_of(*METHODS), "search": one_of(*SEARCHES, None), "steps": COUNT,
                                         "tolerance": NOT_NEGATIVE, "change": NOT_NEGATIVE, "history": COUNT, "lr": POSITIVE}


@dataclass
class Minimum:
    """Where a minimization ended; the parameters hold the point.

    value and values: the loss in the end, and from the start on after every step; gradient: its largest element in the end;
    evaluations: of loss and gradient; converged: whether it ended because nothing was left to gain; reason: why it ended, in words.
    """

    value: float
    values: list[float] = field(repr=False)
    gradient: float
    evaluations: int
    converged: bool
    reason: str

    @property
    def steps(self) -> int:
        """How many steps were taken."""
        return len(self.values) - 1


def minimize(loss: Callable[[], Tensor], parameters: Any, method: str = "lbfgs", *, steps: int = 100, tolerance: float = 1e-7,
             change: float = 1e-9, history: int = 10, search: str | None = None, lr: float = 1.0) -> Minimum:
    """Move the parameters to a minimum of loss(), which is compiled with its gradient; returns the Minimum.

    For models of which all data fit into one batch: every step looks at the whole loss, which must not be random.

    loss        function of nothing that reads the parameters and returns one number
    parameters  a module's, named ones, or a list; frozen ones rest
    method      "lbfgs": quasi-Newton from the last `history` steps; "newton": with the Hessian, for up to 4,096 parameters
    steps       at most so many;   lr  the step that is tried first, 1 for the method's own
    tolerance   ends when no element of the gradient is larger
    change      ends when a step moves no parameter, or changes the loss, by as much as this
    search      "strong_wolfe" (default of lbfgs), "backtracking" (Armijo; default of newton) or "fixed": no search

    Raises ArgumentError, ShapeError (the loss is no single number), GradientError (it does not depend on a parameter), and
    NonFiniteError when it is not finite at the start. However it ends, the parameters hold the best point accepted so far. Sources:
    Liu and Nocedal, "On the limited memory BFGS method for large scale optimization", 1989; Nocedal and Wright, Numerical
    Optimization (2006), chapters 3, 6, 7. The steps of "lbfgs" are those of PyTorch's LBFGS.

    >>> import slopes as sl
    >>> from slopes import optim
    >>> x = sl.Parameter([-1.2, 1.0], dtype="float64")
    >>> found = optim.minimize(lambda: 100 * (x[1] - x[0] * x[0]) ** 2 + (1 - x[0]) ** 2, [x], method="newton")
    >>> found.converged, x.numpy().round(4).tolist()
    (True, [1.0, 1.0])
    """
    given = {"method": method, "search": search, "steps": steps, "tolerance": tolerance, "change": change, "history": history, "lr": lr}
    check("minimize", CONSTRAINTS, given)
    objective = Objective(loss, parameters)
    make, usual = METHODS[method]
    return Descent(objective, make(objective, history), SEARCHES[search or usual], steps, tolerance, change, lr).run()


@dataclass
class Descent:
    """One minimization: direction, search, step, until an end is reached."""

    objective: Objective
    method: Direction
    search: Callable[..., Place]
    steps: int
    tolerance: float
    change: float
    lr: float

    def run(self) -> Minimum:
        """All steps; the parameters end at the last accepted point, also after an interruption."""
        self.point = self.objective.point()
        try:
            self.here = Place(0.0, *self.look(self.point))
            self.values = [self.here.value]
            if not math.isfinite(self.here.value):
                raise NonFiniteError("minimize: the loss is not finite at the start", why="there is no way down from there",
                                     repair="begin with other values of the parameters, or scale the inputs")
            reason, converged = self.descend()
        finally:
            self.objective.move(self.point)
        return Minimum(self.here.value, self.values, self.largest(), self.objective.evaluations, converged, reason)

    def look(self, point: np.ndarray, direction: np.ndarray | None = None) -> tuple[float, float, np.ndarray]:
        """Value, slope along the direction, and gradient."""
        value, gradient = self.objective.at(point)
        return value, 0.0 if direction is None else float(gradient @ direction), gradient

    def largest(self) -> float:
        """The largest element of the gradient."""
        return float(np.abs(self.here.gradient).max())

    def descend(self) -> tuple[str, bool]:
        """Steps until an end; returns the reason, and whether nothing was left to gain."""
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
        """One step along one line; the end, if this is one."""
        direction = self.method.direction(self.point, self.here.gradient)
        start = Place(0.0, self.here.value, float(self.here.gradient @ direction), self.here.gradient)
        if start.slope > -self.change:
            return "the slope along the direction is almost 0", True
        first, reach = self.lr * self.method.first_step(start.gradient), float(np.abs(direction).max())
        found = self.search(lambda step: Place(step, *self.look(self.point + step * direction, direction)), start, first, reach)
        if found is start or not math.isfinite(found.value):
            return "the line search found no lower point", False
        moved = found.step * direction
        self.method.learn(moved, found.gradient - start.gradient)
        self.point, self.here = self.point + moved, found
        self.values.append(found.value)
        if np.abs(moved).max() <= self.change:
            return f"the last step moved no parameter by more than {self.change:g}", True
        if abs(found.value - start.value) < self.change:
            return f"the last step changed the loss by less than {self.change:g}", True
        return None
