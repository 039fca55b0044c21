"""Activation functions made of straight pieces, as layers: cheap, and without a gradient where they are flat."""

from __future__ import annotations

from ..constraint import FLAG, NOT_NEGATIVE, OPTIONAL_REAL, REAL, check
from ..errors import ArgumentError
from ..ops import composite
from ..tensor import Tensor
from .activations import Activation
from .module import Module


class Hardtanh(Module):
    """y = x between min_val and max_val, otherwise the nearer of both, where dy/dx = 0. Any shape; `inplace` has no effect.

    min_value and max_value are older names of the bounds, as in PyTorch. Raises ArgumentError unless min_val < max_val.
    Source: Collobert, "Large scale machine learning", 2004.

    >>> import slopes as sl
    >>> sl.nn.Hardtanh()(sl.tensor([-3.0, 0.5, 2.0])).numpy().tolist()
    [-1.0, 0.5, 1.0]
    """

    constraints = {"min_val": REAL, "max_val": REAL, "inplace": FLAG, "min_value": OPTIONAL_REAL, "max_value": OPTIONAL_REAL}

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False, min_value: float | None = None,
                 max_value: float | None = None) -> None:
        check("Hardtanh", self.constraints, {"min_val": min_val, "max_val": max_val, "inplace": inplace, "min_value": min_value,
                                             "max_value": max_value})
        self.min_val = float(min_val if min_value is None else min_value)
        self.max_val = float(max_val if max_value is None else max_value)
        if self.min_val >= self.max_val:
            raise ArgumentError(f"Hardtanh: min_val={self.min_val:g} must be less than max_val={self.max_val:g}",
                                why="between them y = x")

    def forward(self, x: Tensor) -> Tensor:
        return composite.hardtanh(x, self.min_val, self.max_val)

    def details(self) -> str:
        return "" if (self.min_val, self.max_val) == (-1, 1) else f"{self.min_val:g}, {self.max_val:g}"


class ReLU6(Activation):
    """y = x between 0 and 6, otherwise the nearer of both, where dy/dx = 0. Any shape; `inplace` has no effect.

    Source: Krizhevsky, "Convolutional deep belief networks on CIFAR-10", 2010.

    >>> import slopes as sl
    >>> sl.nn.ReLU6()(sl.tensor([-3.0, 0.5, 8.0])).numpy().tolist()
    [0.0, 0.5, 6.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        return composite.relu6(x)


class Hardsigmoid(Activation):
    """y = x / 6 + 1/2 between -3 and 3, 0 below and 1 above, where dy/dx = 0. Any shape; `inplace` has no effect.

    Source: Courbariaux et al., "BinaryConnect", 2015.

    >>> import slopes as sl
    >>> sl.nn.Hardsigmoid()(sl.tensor([-4.0, 0.0, 3.0])).numpy().tolist()
    [0.0, 0.5, 1.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        return composite.hardsigmoid(x)


class Hardswish(Activation):
    """y = x hardsigmoid(x): SiLU without an exponential. Any shape; `inplace` has no effect.

    Source: Howard et al., "Searching for MobileNetV3", 2019.

    >>> import slopes as sl
    >>> sl.nn.Hardswish()(sl.tensor([0.0, 1.5, 4.0])).numpy().tolist()
    [0.0, 1.125, 4.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        return composite.hardswish(x)


class Shrinking(Module):
    """The base class of Softshrink and Hardshrink: the half width of the interval that becomes 0."""

    constraints = {"lambd": NOT_NEGATIVE}

    def __init__(self, lambd: float = 0.5) -> None:
        check(type(self).__name__, self.constraints, {"lambd": lambd})
        self.lambd = float(lambd)

    def details(self) -> str:
        return "" if self.lambd == 0.5 else f"{self.lambd:g}"


class Softshrink(Shrinking):
    """y = x moved towards 0 by lambd, and 0 where |x| <= lambd. Any shape.

    Source: Donoho, "De-noising by soft-thresholding", 1995.

    >>> import slopes as sl
    >>> sl.nn.Softshrink()(sl.tensor([-2.0, 0.25, 1.0])).numpy().tolist()
    [-1.5, 0.0, 0.5]
    """

    def forward(self, x: Tensor) -> Tensor:
        return composite.softshrink(x, self.lambd)


class Hardshrink(Shrinking):
    """y = x, but 0 where |x| <= lambd. Any shape.

    Source: Donoho and Johnstone, "Ideal spatial adaptation by wavelet shrinkage", 1994.

    >>> import slopes as sl
    >>> sl.nn.Hardshrink()(sl.tensor([-2.0, 0.25, 1.0])).numpy().tolist()
    [-2.0, 0.0, 1.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        return composite.hardshrink(x, self.lambd)


class Threshold(Module):
    """y = x where x > threshold, otherwise `value`, where dy/dx = 0. Any shape; `inplace` has no effect.

    The threshold unit of McCulloch and Pitts, whose output is 0 or 1, is Heaviside.

    >>> import slopes as sl
    >>> sl.nn.Threshold(0.5, 7.0)(sl.tensor([-1.0, 0.0, 2.0])).numpy().tolist()
    [7.0, 7.0, 2.0]
    """

    constraints = {"threshold": REAL, "value": REAL, "inplace": FLAG}

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        check("Threshold", self.constraints, {"threshold": threshold, "value": value, "inplace": inplace})
        self.threshold, self.value = float(threshold), float(value)

    def forward(self, x: Tensor) -> Tensor:
        return composite.threshold(x, self.threshold, self.value)

    def details(self) -> str:
        return f"{self.threshold:g}, {self.value:g}"


class Heaviside(Module):
    """y = 1 where x >= threshold, otherwise 0; its derivative is 0 everywhere. Any shape.

    The threshold unit of McCulloch and Pitts, "A logical calculus of the ideas immanent in nervous activity", 1943.

    >>> import slopes as sl
    >>> sl.nn.Heaviside()(sl.tensor([-1.0, 0.0, 2.0])).numpy().tolist()
    [0.0, 1.0, 1.0]
    """

    constraints = {"threshold": REAL}

    def __init__(self, threshold: float = 0.0) -> None:
        check("Heaviside", self.constraints, {"threshold": threshold})
        self.threshold = float(threshold)

    def forward(self, x: Tensor) -> Tensor:
        return (x >= self.threshold).astype(x.dtype)

    def details(self) -> str:
        return f"{self.threshold:g}" if self.threshold else ""
