"""Adafactor: adaptive rates of a matrix from the means of its rows and columns, which need little memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..constraint import NOT_NEGATIVE, POSITIVE, REAL, Constraint
from ..errors import ArgumentError
from ..graph.build import build
from ..graph.dtype import DType, float32
from ..nn.hyper_parameter import HyperParameter
from ..ops import composite
from ..tensor import Tensor
from .optimizer import Coefficients, Optimizer, OptionalTerm, State, check_pair

OwnEps = tuple[float | None, float]


class Adafactor(Optimizer):
    """w <- w - a u / max(1, RMS(u) / d), with u = g / sqrt(v) and a = max(eps2, RMS(w)) min(lr, 1 / sqrt(t)).

    For matrices, and stacks of them in the last two axes, v = r c / mean(r) from running means r of g^2 over each row and c over each
    column; for vectors v is the running mean of g^2. The means are weighted 1 - t^beta2_decay to t^beta2_decay. With weight_decay
    first w <- w - lr weight_decay w. eps = (eps1, eps2): v is at least eps1^2; None stands for the smallest step of float32.
    State of each parameter: row_var and col_var, or variance, initially zeros; the number of steps t is shared. Source: Shazeer and
    Stern, "Adafactor: adaptive learning rates with sublinear memory cost", 2018.

    >>> import slopes as sl
    >>> from slopes import optim
    >>> w = sl.Parameter([[1.0, -2.0], [3.0, 1.0]])
    >>> opt = optim.Adafactor([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> opt.step()
    >>> sorted((name, array.shape) for name, array in opt.state_dict().items() if "var" in name)
    [('0.col_var', (1, 2)), ('0.row_var', (2, 1))]
    """

    beta2_decay = HyperParameter(REAL)
    eps1 = HyperParameter(NOT_NEGATIVE)
    eps2 = HyperParameter(NOT_NEGATIVE)
    d = HyperParameter(POSITIVE)
    weight_decay = OptionalTerm(NOT_NEGATIVE)
    constraints: Mapping[str, Constraint] = {**Optimizer.constraints, "beta2_decay": REAL, "d": POSITIVE,
                                             "weight_decay": NOT_NEGATIVE}

    def __init__(self, params: Any = None, lr: float = 1e-2, beta2_decay: float = -0.8, eps: OwnEps = (None, 1e-3), d: float = 1.0,
                 weight_decay: float = 0.0, *, maximize: bool = False) -> None:
        super().__init__(lr, maximize)
        check_pair("Adafactor", "eps", eps, "(None, 1e-3)")
        self.beta2_decay, self.d, self.weight_decay = beta2_decay, d, weight_decay
        if beta2_decay > 0:
            raise ArgumentError(f"Adafactor: beta2_decay={beta2_decay}", why="the weight of new squares, t^beta2_decay, decreases",
                                repair="take a number below 0, such as -0.8")
        self.eps1, self.eps2 = float(np.finfo(float32).eps) if eps[0] is None else eps[0], eps[1]
        self.start(params)

    @property
    def counts_steps(self) -> bool:
        """For the weights of the running means."""
        return True

    def init(self, parameter: Tensor) -> dict[str, np.ndarray]:
        shape = parameter.shape
        if len(shape) < 2:
            return {"variance": np.zeros(shape, parameter.dtype)}
        return {"row_var": np.zeros((*shape[:-1], 1), parameter.dtype),
                "col_var": np.zeros((*shape[:-2], 1, shape[-1]), parameter.dtype)}

    def coefficients(self, dtype: DType) -> Coefficients:
        steps = self.steps.astype(np.float64)
        return self.cast(dtype, {"fresh": steps ** self.beta2_decay, "decay": 1 - self.rate * self.weight_decay,
                                 "relative_rate": build("minimum", self.rate.astype(np.float64), 1 / build("sqrt", steps)),
                                 "least_square": self.eps1.astype(np.float64) ** 2})

    def update(self, gradient: Tensor, parameter: Tensor, state: State, c: Coefficients) -> tuple[Tensor, State]:
        rate = build("maximum", c.eps2, root_mean_square(parameter)) * c.relative_rate
        parameter = c.decay * parameter if "weight_decay" in self.terms else parameter
        square = gradient * gradient
        if len(parameter.shape) < 2:
            new = {"variance": state["variance"] + c.fresh * (square - state["variance"])}
            variance = new["variance"]
        else:
            means = {"row_var": composite.mean(square, -1, True), "col_var": composite.mean(square, -2, True)}
            new = {name: state[name] + c.fresh * (mean - state[name]) for name, mean in means.items()}
            variance = new["row_var"] * new["col_var"] / build("maximum", composite.mean(new["row_var"], -2, True), c.eps1)
        step = gradient / build("sqrt", build("maximum", variance, c.least_square))
        return parameter - rate / build("maximum", 1.0, root_mean_square(step) / c.d) * step, new


def root_mean_square(x: Tensor) -> Tensor:
    """sqrt(mean(x^2)) of all elements."""
    return build("sqrt", composite.mean(x * x, None, False))
