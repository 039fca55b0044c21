"""Leaky ReLUs whose slope is learned (PReLU) or random (RReLU)."""

from __future__ import annotations

from typing import Any

from ..constraint import COUNT, FACTORY, FLAG, REAL, check
from ..errors import ArgumentError, ShapeError
from ..ops.composite import where
from ..parameter import Parameter
from ..random import Generator, uniform
from ..tensor import Tensor
from .init import blank, constant
from .module import Module
from .where import layer_and_location


class PReLU(Module):
    """y = x where x > 0, otherwise a x, with a learned slope a; dy/da = x where x <= 0, otherwise 0.

    x and y: any shape for one slope, (N, num_parameters, ...) for one per channel. weight: (num_parameters,), initially `init`.
    Raises ShapeError for another number of channels. Source: He et al., "Delving deep into rectifiers", 2015.

    >>> import slopes as sl
    >>> sl.nn.PReLU()(sl.tensor([-1.0, 2.0])).tolist()
    [-0.25, 2.0]
    """

    weight: Parameter  # (num_parameters,)
    constraints = {"num_parameters": COUNT, "init": REAL, **FACTORY}

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None) -> None:
        check("PReLU", self.constraints, {"num_parameters": num_parameters, "init": init})
        self.num_parameters = int(num_parameters)
        self.weight = constant(blank((self.num_parameters,)), init)
        self.to(device, dtype)

    def forward(self, x: Tensor) -> Tensor:
        if self.num_parameters == 1:
            return where(x > 0, x, x * self.weight.reshape(()))
        if x.ndim < 2 or x.shape[1] != self.num_parameters:
            what, where_ = layer_and_location(self, x)
            raise ShapeError(f"{what} has {self.num_parameters} slopes, one per channel (axis 1), but x is {tuple(x.shape)}",
                             repair="PReLU() has one slope for all", where=where_)
        return where(x > 0, x, x * self.weight.reshape((-1,) + (1,) * (x.ndim - 2)))

    def details(self) -> str:
        return str(self.num_parameters)


class RReLU(Module):
    """y = x where x > 0, otherwise a x; in training mode a is uniform in [lower, upper), one draw per element, in eval mode their mean.

    x and y: any shape; `inplace` has no effect. The slopes are drawn from `generator`, or from the default one.
    Raises ArgumentError unless lower <= upper.
    Source: Xu et al., "Empirical evaluation of rectified activations in convolutional network", 2015.

    >>> import slopes as sl
    >>> sl.nn.RReLU(0.25, 0.75).eval()(sl.tensor([-1.0, 2.0])).tolist()
    [-0.5, 2.0]
    """

    constraints = {"lower": REAL, "upper": REAL, "inplace": FLAG}

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3, inplace: bool = False, generator: Generator | None = None) -> None:
        check("RReLU", self.constraints, {"lower": lower, "upper": upper, "inplace": inplace})
        if lower > upper:
            raise ArgumentError(f"RReLU: lower={lower} must be at most upper={upper}", why="slopes are drawn between them")
        self.lower, self.upper, self.generator = float(lower), float(upper), generator

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return where(x > 0, x, x * ((self.lower + self.upper) / 2))
        return where(x > 0, x, x * uniform(x.shape, self.lower, self.upper, dtype=x.dtype, generator=self.generator))

    def details(self) -> str:
        return f"{self.lower:g}, {self.upper:g}"
