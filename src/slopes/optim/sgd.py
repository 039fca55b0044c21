"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..constraint import FLAG, NOT_NEGATIVE, SHARE_OR_ONE, Constraint, check
from ..errors import ArgumentError
from ..graph.build import build
from ..graph.composite import composed
from ..graph.dtype import DType
from ..tensor import Tensor
from .optimizer import Coefficients, Optimizer, OptionalTerm, State


class SGD(Optimizer):
    """w <- w - lr v, where v = g, or with momentum m: v <- m v + (1 - dampening) g; with nesterov: w <- w - lr (g + m v).

    g is the gradient plus weight_decay w. The first v is g itself. State of each parameter, with momentum only:
    momentum_buffer v, of its shape, initially zeros. Momentum and weight decay that are 0 at construction are not part of the
    compiled program; setting one later adds it (and compiles once more). maximize=True performs gradient ascent.
    Sources: Robbins and Monro, "A stochastic approximation method", 1951; Polyak, "Some methods of speeding up the convergence of
    iteration methods", 1964; Sutskever et al., "On the importance of initialization and momentum", 2013.

    >>> import slopes as sl
    >>> from slopes import optim
    >>> w = sl.Parameter([1.0])
    >>> opt = optim.SGD([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> opt.step()
    >>> w.numpy().tolist()
    [0.0]
    """

    momentum = OptionalTerm(NOT_NEGATIVE)
    dampening = OptionalTerm(SHARE_OR_ONE)
    weight_decay = OptionalTerm(NOT_NEGATIVE)
    constraints: Mapping[str, Constraint] = {**Optimizer.constraints, "momentum": NOT_NEGATIVE, "dampening": SHARE_OR_ONE,
                                             "weight_decay": NOT_NEGATIVE, "nesterov": FLAG}

    def __init__(self, params: Any = None, lr: float = 1e-3, momentum: float = 0.0, dampening: float = 0.0,
                 weight_decay: float = 0.0, nesterov: bool = False, *, maximize: bool = False) -> None:
        super().__init__(lr, maximize)
        check("SGD", {"nesterov": FLAG}, {"nesterov": nesterov})
        self.momentum, self.dampening, self.weight_decay, self.nesterov = momentum, dampening, weight_decay, nesterov
        if nesterov and self.terms & {"momentum", "dampening"} != {"momentum"}:
            raise ArgumentError(f"SGD: nesterov=True needs a momentum and no dampening, not momentum={momentum:g} and "
                                f"dampening={dampening:g}", why="it looks ahead along the momentum",
                                repair="for example SGD(lr=0.01, momentum=0.9, nesterov=True)")
        self.start(params)

    @property
    def counts_steps(self) -> bool:
        """With dampening only, whose first step is different."""
        return "dampening" in self.terms

    def init(self, parameter: Tensor) -> dict[str, np.ndarray]:
        return {"momentum_buffer": np.zeros(parameter.shape, parameter.dtype)} if "momentum" in self.terms else {}

    def coefficients(self, dtype: DType) -> Coefficients:
        more = {"one_minus_dampening": 1 - self.dampening} if "dampening" in self.terms else {}
        return self.cast(dtype, more)

    def update(self, gradient: Tensor, parameter: Tensor, state: State, c: Coefficients) -> tuple[Tensor, State]:
        gradient = self.add_weight_decay(gradient, parameter, c)
        if "momentum" not in self.terms:
            return descend(parameter, c.lr, gradient), {}
        velocity = self.velocity(gradient, state["momentum_buffer"], c)
        direction = gradient + c.momentum * velocity if self.nesterov else velocity
        return descend(parameter, c.lr, direction), {"momentum_buffer": velocity}

    def velocity(self, gradient: Tensor, velocity: Tensor, c: Coefficients) -> Tensor:
        """The new velocity from the previous one."""
        carried = c.momentum * velocity
        if "dampening" not in self.terms:
            return carried + gradient
        return build("where", self.steps == 1, gradient, carried + c.one_minus_dampening * gradient)


@composed(3)
def descend(parameter: Any, lr: Any, direction: Any) -> Any:
    """parameter - lr direction."""
    return parameter - lr * direction
