"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..graph.operation import build
from ..nn.constraint import FLAG, NOT_NEGATIVE, SHARE_OR_ONE, Constraint, check
from ..tensor import Tensor
from .optimizer import Optimizer, State, Term


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

    def update(self, gradient: Tensor, parameter: Tensor, state: State) -> tuple[Tensor, State]:
        dtype = parameter.dtype
        if "weight_decay" in self.terms:
            gradient = gradient + self.weight_decay.astype(dtype) * parameter
        if "momentum" not in self.terms:
            return parameter - self.lr.astype(dtype) * gradient, {}
        velocity = self.velocity(gradient, state["momentum_buffer"])
        direction = gradient + self.momentum.astype(dtype) * velocity if self.nesterov else velocity
        return parameter - self.lr.astype(dtype) * direction, {"momentum_buffer": velocity}

    def velocity(self, gradient: Tensor, before: Tensor) -> Tensor:
        kept = self.momentum.astype(gradient.dtype) * before
        if "dampening" not in self.terms:
            return kept + gradient
        return build("where", self.steps == 1, gradient, kept + (1 - self.dampening).astype(gradient.dtype) * gradient)
