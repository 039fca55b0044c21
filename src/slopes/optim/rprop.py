"""Rprop: the sign of the gradient alone decides, with a step size for each weight that grows and shrinks."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..constraint import NOT_NEGATIVE, POSITIVE
from ..errors import ArgumentError
from ..graph.build import build
from ..nn.hyper_parameter import HyperParameter
from ..tensor import Tensor
from .optimizer import Coefficients, Optimizer, State, check_pair


class Rprop(Optimizer):
    """w <- w - sign(g) s, where the step size s of a weight is multiplied by eta_plus while the sign of g stays, by eta_minus when it
    changes, and kept between smallest and largest.

    After a change of sign the weight rests for one step. For full batches: the signs of small batches are noise. `lr` is the first
    step size; etas = (eta_minus, eta_plus), step_sizes = (smallest, largest). State of each parameter, of its shape: prev, the last g
    that counted, initially zeros, and step_size. Source: Riedmiller and Braun, "A direct adaptive method for faster backpropagation
    learning: the RPROP algorithm", 1993.

    >>> import slopes as sl
    >>> from slopes import optim
    >>> w = sl.Parameter([1.0, -2.0])
    >>> opt = optim.Rprop([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> opt.step()
    >>> w.numpy().round(4).tolist()
    [0.8999999761581421, -1.899999976158142]
    """

    eta_minus = HyperParameter(POSITIVE)
    eta_plus = HyperParameter(POSITIVE)
    smallest = HyperParameter(NOT_NEGATIVE)
    largest = HyperParameter(POSITIVE)
    def __init__(self, params: Any = None, lr: float = 1e-2, etas: tuple[float, float] = (0.5, 1.2),
                 step_sizes: tuple[float, float] = (1e-6, 50.0), *, maximize: bool = False) -> None:
        super().__init__(lr, maximize)
        check_pair("Rprop", "etas", etas, "(0.5, 1.2)")
        check_pair("Rprop", "step_sizes", step_sizes, "(1e-6, 50)")
        (self.eta_minus, self.eta_plus), (self.smallest, self.largest) = etas, step_sizes
        if not 0 < etas[0] < 1 < etas[1]:
            raise ArgumentError(f"Rprop: etas={tuple(etas)}", why="the first makes steps smaller, the second larger",
                                repair="take one below and one above 1, such as (0.5, 1.2)")
        self.start(params)

    def init(self, parameter: Tensor) -> dict[str, np.ndarray]:
        return {"prev": np.zeros(parameter.shape, parameter.dtype),
                "step_size": np.full(parameter.shape, float(self.lr), parameter.dtype)}

    def update(self, gradient: Tensor, parameter: Tensor, state: State, c: Coefficients) -> tuple[Tensor, State]:
        agreement = gradient * state["prev"]
        changed = agreement < 0
        factor = build("where", agreement > 0, c.eta_plus, build("where", changed, c.eta_minus, 1.0))
        size = build("minimum", build("maximum", state["step_size"] * factor, c.smallest), c.largest)
        gradient = build("where", changed, 0.0, gradient)
        return parameter - build("sign", gradient) * size, {"prev": gradient, "step_size": size}
