"""Muon: the step of a matrix is its momentum, with all singular values made nearly equal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..constraint import COUNT, FLAG, NOT_NEGATIVE, POSITIVE, Constraint, check, is_real, one_of
from ..errors import ArgumentError
from ..graph.build import build
from ..graph.dtype import DType
from ..nn.hyper_parameter import HyperParameter
from ..nn.module import Module
from ..tensor import Tensor
from .optimizer import Coefficients, Optimizer, OptionalTerm, State
from .parameters import named_parameters

Polynomial = tuple[float, float, float]
POLYNOMIAL = Constraint("three finite numbers", lambda value: isinstance(value, (tuple, list)) and len(value) == 3
                        and all(map(is_real, value)), (1.0, (1, 2), (1, 2, math.nan)))


class Muon(Optimizer):
    """w <- (1 - lr weight_decay) w - lr a O, where O is the momentum of the gradient, orthogonalized: O is about U V^T for U S V^T.

    The momentum is m <- momentum m + (1 - momentum) g; with nesterov O is made of momentum m + (1 - momentum) g. O begins as the
    matrix divided by its Frobenius norm (at least eps); each of ns_steps Newton-Schulz iterations is x <- a x + (b s + c s^2) x,
    s = x x^T, with ns_coefficients (a, b, c), which bring the singular values between about 0.7 and 1.2.
    The rate is adjusted for a matrix of shape (rows, columns): adjust_lr_fn="original" (or None) multiplies it by
    sqrt(max(1, rows / columns)), "match_rms_adamw" by 0.2 sqrt(max(rows, columns)), after which rates of AdamW fit.

    For the matrices of hidden layers; other parameters, embeddings and the last layer get another optimizer: see `Combined`. Raises
    ArgumentError for a parameter that has not two axes. State of each parameter: momentum_buffer m, of its shape, initially zeros.
    Computed in the dtype of the parameters (PyTorch rounds the iterations to bfloat16). Sources: Jordan et al., "Muon: an optimizer
    for hidden layers in neural networks", 2024; Liu et al., "Muon is scalable for LLM training", 2025.

    >>> import slopes as sl
    >>> from slopes import optim
    >>> w = sl.Parameter([[1.0, 0.0], [0.0, 8.0]])
    >>> opt = optim.Muon([w], lr=1.0, weight_decay=0.0)
    >>> (w * w).sum().backward()
    >>> opt.step()
    >>> [round(1 - w[0, 0].item(), 1), round(8 - w[1, 1].item(), 1)]  # of the gradients 2 and 16
    [0.7, 0.7]
    """

    weight_decay = OptionalTerm(NOT_NEGATIVE)
    momentum = HyperParameter(NOT_NEGATIVE)
    eps = HyperParameter(NOT_NEGATIVE)
    constraints: Mapping[str, Constraint] = {"lr": NOT_NEGATIVE, "weight_decay": NOT_NEGATIVE, "momentum": NOT_NEGATIVE, "nesterov": FLAG,
                                             "ns_coefficients": POLYNOMIAL, "eps": POSITIVE, "ns_steps": COUNT,
                                             "adjust_lr_fn": one_of("original", "match_rms_adamw", None)}

    def __init__(self, params: Any = None, lr: float = 1e-3, weight_decay: float = 0.1, momentum: float = 0.95, nesterov: bool = True,
                 ns_coefficients: Polynomial = (3.4445, -4.775, 2.0315), eps: float = 1e-7, ns_steps: int = 5,
                 adjust_lr_fn: str | None = None) -> None:
        super().__init__(lr)
        check("Muon", self.constraints, {"nesterov": nesterov, "ns_coefficients": ns_coefficients, "eps": eps, "ns_steps": ns_steps,
                                         "adjust_lr_fn": adjust_lr_fn})
        self.weight_decay, self.momentum, self.eps = weight_decay, momentum, eps
        self.nesterov, self.ns_coefficients, self.ns_steps, self.adjust_lr_fn = nesterov, ns_coefficients, ns_steps, adjust_lr_fn
        self.start(params)

    def bind(self, parameters: Module | Mapping[str, Tensor] | Iterable[Any]) -> Optimizer:
        """Optimize these parameters, which are matrices."""
        names, tensors = named_parameters("Muon", parameters)
        for name, tensor in zip(names, tensors):
            if tensor.ndim != 2:
                raise ArgumentError(f"Muon: parameter {name} has shape {tuple(tensor.shape)}, and is no matrix",
                                    why="it makes the singular values of a step equal",
                                    repair="give it to another optimizer: optim.Combined(optim.Muon(matrices), optim.AdamW(others))")
        return super().bind(list(zip(names, tensors)))

    def init(self, parameter: Tensor) -> dict[str, np.ndarray]:
        return {"momentum_buffer": np.zeros(parameter.shape, parameter.dtype)}

    def coefficients(self, dtype: DType) -> Coefficients:
        return self.cast(dtype, {"one_minus_momentum": 1 - self.momentum, "decay": 1 - self.rate * self.weight_decay})

    def update(self, gradient: Tensor, parameter: Tensor, state: State, c: Coefficients) -> tuple[Tensor, State]:
        mean = state["momentum_buffer"] + c.one_minus_momentum * (gradient - state["momentum_buffer"])
        direction = mean + c.one_minus_momentum * (gradient - mean) if self.nesterov else mean
        parameter = c.decay * parameter if "weight_decay" in self.terms else parameter
        step = orthogonalize(direction, self.ns_coefficients, self.ns_steps, c.eps)
        return parameter - c.lr * self.adjustment(*parameter.shape) * step, {"momentum_buffer": mean}

    def adjustment(self, rows: int, columns: int) -> float:
        """The factor of the learning rate for a matrix of this shape."""
        if self.adjust_lr_fn == "match_rms_adamw":
            return 0.2 * math.sqrt(max(rows, columns))
        return math.sqrt(max(1.0, rows / columns))


def orthogonalize(matrix: Tensor, polynomial: Polynomial, steps: int, eps: Tensor) -> Tensor:
    """U p(...p(S)) V^T of a matrix U S V^T, S divided by its norm: the odd polynomial p(x) = a x + b x^3 + c x^5, `steps` times."""
    a, b, c = polynomial
    rows, columns = matrix.shape
    x = matrix.T if rows > columns else matrix
    x = x / build("maximum", build("sqrt", (x * x).sum()), eps)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x.T if rows > columns else x
