"""Lion: steps of one length, in the direction of the sign of a running mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..constraint import NOT_NEGATIVE, SHARE, Constraint
from ..graph.build import build
from ..graph.dtype import DType
from ..nn.hyper_parameter import HyperParameter
from ..tensor import Tensor
from .optimizer import Coefficients, Optimizer, OptionalTerm, State, check_pair


class Lion(Optimizer):
    """w <- w - lr (sign(b1 m + (1 - b1) g) + weight_decay w), then m <- b2 m + (1 - b2) g.

    Every weight moves by lr: rates are 3 to 10 times smaller than Adam's, and the decay as much larger. State of each parameter:
    exp_avg m, of its shape, initially zeros. Source: Chen et al., "Symbolic discovery of optimization algorithms", 2023.

    >>> import slopes as sl
    >>> from slopes import optim
    >>> w = sl.Parameter([1.0, -2.0])
    >>> opt = optim.Lion([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> opt.step()
    >>> w.numpy().round(4).tolist()
    [0.8999999761581421, -1.899999976158142]
    """

    beta1 = HyperParameter(SHARE)
    beta2 = HyperParameter(SHARE)
    weight_decay = OptionalTerm(NOT_NEGATIVE)
    constraints: Mapping[str, Constraint] = {**Optimizer.constraints, "weight_decay": NOT_NEGATIVE}

    def __init__(self, params: Any = None, lr: float = 1e-4, betas: tuple[float, float] = (0.9, 0.99), weight_decay: float = 0.0,
                 maximize: bool = False) -> None:
        super().__init__(lr, maximize)
        check_pair("Lion", "betas", betas, "(0.9, 0.99)")
        self.beta1, self.beta2 = betas
        self.weight_decay = weight_decay
        self.start(params)

    def init(self, parameter: Tensor) -> dict[str, np.ndarray]:
        return {"exp_avg": np.zeros(parameter.shape, parameter.dtype)}

    def coefficients(self, dtype: DType) -> Coefficients:
        return self.cast(dtype, {"one_minus_beta1": 1 - self.beta1, "one_minus_beta2": 1 - self.beta2,
                                 "decay": 1 - self.rate * self.weight_decay})

    def update(self, gradient: Tensor, parameter: Tensor, state: State, c: Coefficients) -> tuple[Tensor, State]:
        mean = state["exp_avg"]
        direction = build("sign", c.beta1 * mean + c.one_minus_beta1 * gradient)
        parameter = c.decay * parameter if "weight_decay" in self.terms else parameter
        return parameter - c.lr * direction, {"exp_avg": c.beta2 * mean + c.one_minus_beta2 * gradient}
