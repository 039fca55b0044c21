"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..constraint import FLAG, NOT_NEGATIVE, SHARE_OR_ONE, Constraint, check
from ..errors import ArgumentError
from ..graph.dtype import DType
from ..graph.operation import build, composed
from ..tensor import Tensor
from .optimizer import Factors, Optimizer, State, Term


class SGD(Optimizer):
    """w <- w - lr v, where v = g, or with momentum m: v <- m v + (1 - dampening) g; with nesterov: w <- w - lr (g + m v).

    g is the gradient plus weight_decay w. The first v is g itself. State beside each parameter, with momentum only:
    momentum_buffer v, of its shape, at first zeros. Momentum and weight decay that are 0 at construction are no part of the
    compiled program; setting one later adds it (one new compilation). maximize=True climbs instead.
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

    momentum = Term(NOT_NEGATIVE)
    dampening = Term(SHARE_OR_ONE)
    weight_decay = Term(NOT_NEGATIVE)
    constraints: Mapping[str, Constraint] = {**Optimizer.constraints, "momentum": NOT_NEGATIVE, "dampening": SHARE_OR_ONE,
                                             "weight_decay": NOT_NEGATIVE, "nesterov": FLAG}

    def __init__(self, parameters: Any = None, lr: float = 1e-3, momentum: float = 0.0, dampening: float = 0.0,
                 weight_decay: float = 0.0, nesterov: bool = False, maximize: bool = False) -> None:
        super().__init__(lr, maximize)
        check("SGD", {"nesterov": FLAG}, {"nesterov": nesterov})
        self.momentum, self.dampening, self.weight_decay, self.nesterov = momentum, dampening, weight_decay, nesterov
        if nesterov and self.terms & {"momentum", "dampening"} != {"momentum"}:
            raise ArgumentError(f"SGD: nesterov=True needs a momentum and no dampening, not momentum={momentum:g} and "
                                f"dampening={dampening:g}", why="it looks ahead along the momentum",
                                repair="for example SGD(lr=0.01, momentum=0.9, nesterov=True)")
        self.start(parameters)

    @property
    def counts(self) -> bool:  # type: ignore[override]
        """Only dampening treats the first step in another way."""
        return "dampening" in self.terms

    def init(self, parameter: Tensor) -> dict[str, np.ndarray]:
        return {"momentum_buffer": np.zeros(parameter.shape, parameter.dtype)} if "momentum" in self.terms else {}

    def factors(self, dtype: DType) -> Factors:
        found = self.cast_numbers(dtype)
        if "dampening" in self.terms:
            found["taken"] = (1 - self.dampening).astype(dtype)
        return found

    def update(self, gradient: Tensor, parameter: Tensor, state: State, factors: Factors | None = None) -> tuple[Tensor, State]:
        number = self.factors(parameter.dtype) if factors is None else factors
        if "weight_decay" in self.terms:
            gradient = gradient + number["weight_decay"] * parameter
        if "momentum" not in self.terms:
            return moved(parameter, number["lr"], gradient), {}
        velocity = self.velocity(gradient, state["momentum_buffer"], number)
        direction = gradient + number["momentum"] * velocity if self.nesterov else velocity
        return moved(parameter, number["lr"], direction), {"momentum_buffer": velocity}

    def velocity(self, gradient: Tensor, before: Tensor, number: Factors) -> Tensor:
        kept = number["momentum"] * before
        if "dampening" not in self.terms:
            return kept + gradient
        return build("where", self.steps == 1, gradient, kept + number["taken"] * gradient)


@composed(3)
def moved(parameter: Any, rate: Any, direction: Any) -> Any:
    """One step against a direction."""
    return parameter - rate * direction
