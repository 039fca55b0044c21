"""Smooth activation functions as layers. As plain functions they are in `slopes` itself."""

from __future__ import annotations

from typing import Any

from ..constraint import FLAG, POSITIVE, REAL, Constraint, check, one_of
from ..graph.build import build
from ..ops import composite
from ..tensor import Tensor
from .module import Module


class Activation(Module):
    """The base class of activations that take `inplace`, as in PyTorch; it has no effect, as tensors never change in place."""

    constraints: dict[str, Constraint] = {"inplace": FLAG}

    def __init__(self, inplace: bool = False) -> None:
        check(type(self).__name__, self.constraints, {"inplace": inplace})


class Identity(Module):
    """y = x, dy/dx = 1. Any shape; arguments are accepted and have no effect, so that it can replace any layer.

    >>> import slopes as sl
    >>> sl.nn.Identity()(sl.tensor([1.0, -2.0])).numpy().tolist()
    [1.0, -2.0]
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def forward(self, x: Tensor) -> Tensor:
        return x


class Sigmoid(Module):
    """y = 1 / (1 + exp(-x)), dy/dx = y (1 - y). Any shape; the logistic function, computed without overflow.

    >>> import slopes as sl
    >>> sl.nn.Sigmoid()(sl.tensor([0.0, -1000.0])).numpy().tolist()
    [0.5, 0.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        return composite.sigmoid(x)


class Tanh(Module):
    """y = tanh(x), dy/dx = 1 - y^2. Any shape.

    >>> import slopes as sl
    >>> sl.nn.Tanh()(sl.tensor([0.0])).numpy().tolist()
    [0.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        return build("tanh", x)


class ReLU(Activation):
    """y = max(x, 0), dy/dx = 1 where x > 0, otherwise 0 (at 0 too). Any shape; `inplace` has no effect.

    Source: Nair and Hinton, "Rectified linear units improve restricted Boltzmann machines", 2010.

    >>> import slopes as sl
    >>> sl.nn.ReLU()(sl.tensor([-1.0, 2.0])).numpy().tolist()
    [0.0, 2.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        return composite.relu(x)


class LeakyReLU(Module):
    """y = x where x > 0, otherwise negative_slope x; the derivative is 1 or negative_slope. Any shape; `inplace` has
    no effect.

    Source: Maas et al., "Rectifier nonlinearities improve neural network acoustic models", 2013.

    >>> import slopes as sl
    >>> sl.nn.LeakyReLU(0.5)(sl.tensor([-1.0, 2.0])).numpy().tolist()
    [-0.5, 2.0]
    """

    constraints = {"negative_slope": REAL, "inplace": FLAG}

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        check("LeakyReLU", self.constraints, {"negative_slope": negative_slope, "inplace": inplace})
        self.negative_slope = float(negative_slope)

    def forward(self, x: Tensor) -> Tensor:
        return composite.leaky_relu(x, self.negative_slope)

    def details(self) -> str:
        return f"{self.negative_slope:g}"


class Softplus(Module):
    """y = log(1 + exp(beta x)) / beta, dy/dx = sigmoid(beta x): a smooth ReLU. Any shape; computed without overflow.

    threshold: where beta x is above it, y = x. At 20, the default, the exact value is returned, which differs from x by 2e-9.

    >>> import slopes as sl
    >>> sl.nn.Softplus()(sl.tensor([1000.0, -1000.0])).numpy().tolist()
    [1000.0, 0.0]
    """

    constraints = {"beta": POSITIVE, "threshold": REAL}

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        check("Softplus", self.constraints, {"beta": beta, "threshold": threshold})
        self.beta, self.threshold = float(beta), float(threshold)

    def forward(self, x: Tensor) -> Tensor:
        return composite.softplus(x, self.beta, self.threshold)

    def details(self) -> str:
        return f"{self.beta:g}" if self.beta != 1 else ""


class ELU(Module):
    """y = x where x > 0, otherwise alpha (exp(x) - 1); the derivative is 1 or alpha exp(x). Any shape; `inplace` has
    no effect.

    Source: Clevert et al., "Fast and accurate deep network learning by exponential linear units", 2016.

    >>> import slopes as sl
    >>> sl.nn.ELU()(sl.tensor([0.0, 2.0])).numpy().tolist()
    [0.0, 2.0]
    """

    constraints = {"alpha": REAL, "inplace": FLAG}

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        check("ELU", self.constraints, {"alpha": alpha, "inplace": inplace})
        self.alpha = float(alpha)

    def forward(self, x: Tensor) -> Tensor:
        return composite.elu(x, self.alpha)

    def details(self) -> str:
        return f"{self.alpha:g}" if self.alpha != 1 else ""


class SELU(Activation):
    """y = s x where x > 0, otherwise s a (exp(x) - 1), with a = 1.6733, s = 1.0507. Any shape; `inplace` has
    no effect.

    With weights of variance 1 / fan_in, activations converge to mean 0 and variance 1 from layer to layer. Use
    AlphaDropout with it, which preserves both. Source: Klambauer et al., "Self-normalizing neural networks", 2017.

    >>> import slopes as sl
    >>> sl.nn.SELU()(sl.tensor([0.0, 1.0]))
    tensor([0.      , 1.050701])
    """

    def forward(self, x: Tensor) -> Tensor:
        return composite.selu(x)


class GELU(Module):
    """y = x P(Z < x) for a standard normal Z, = x (1 + erf(x / sqrt 2)) / 2. Any shape.

    approximate="tanh" is the usual approximation: x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2.
    Source: Hendrycks and Gimpel, "Gaussian error linear units", 2016.

    >>> import slopes as sl
    >>> sl.nn.GELU()(sl.tensor([0.0])).numpy().tolist()
    [0.0]
    """

    constraints = {"approximate": one_of("none", "tanh")}

    def __init__(self, approximate: str = "none") -> None:
        check("GELU", self.constraints, {"approximate": approximate})
        self.approximate = approximate

    def forward(self, x: Tensor) -> Tensor:
        return composite.gelu(x, self.approximate)

    def details(self) -> str:
        return "" if self.approximate == "none" else f"approximate={self.approximate!r}"


class SiLU(Activation):
    """y = x sigmoid(x), also called swish. Any shape; `inplace` has no effect.

    Source: Elfwing et al., "Sigmoid-weighted linear units for neural network function approximation", 2018.

    >>> import slopes as sl
    >>> sl.nn.SiLU()(sl.tensor([0.0])).numpy().tolist()
    [0.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        return composite.silu(x)


class CELU(Module):
    """y = x where x > 0, otherwise alpha (exp(x / alpha) - 1); the derivative is 1 or exp(x / alpha). Any shape; `inplace` has no
    effect. Source: Barron, "Continuously differentiable exponential linear units", 2017.

    >>> import slopes as sl
    >>> sl.nn.CELU(0.5)(sl.tensor([-1000.0, 2.0])).numpy().tolist()
    [-0.5, 2.0]
    """

    constraints = {"alpha": POSITIVE, "inplace": FLAG}

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        check("CELU", self.constraints, {"alpha": alpha, "inplace": inplace})
        self.alpha = float(alpha)

    def forward(self, x: Tensor) -> Tensor:
        return composite.celu(x, self.alpha)

    def details(self) -> str:
        return f"{self.alpha:g}" if self.alpha != 1 else ""


class Mish(Activation):
    """y = x tanh(log(1 + exp(x))). Any shape; `inplace` has no effect.

    Source: Misra, "Mish: a self regularized non-monotonic activation function", 2019.

    >>> import slopes as sl
    >>> sl.nn.Mish()(sl.tensor([0.0, 100.0])).numpy().tolist()
    [0.0, 100.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        return composite.mish(x)


class LogSigmoid(Module):
    """y = log(1 / (1 + exp(-x))), dy/dx = 1 - sigmoid(x). Any shape; exact where sigmoid underflows.

    >>> import slopes as sl
    >>> sl.nn.LogSigmoid()(sl.tensor([-1000.0])).numpy().tolist()
    [-1000.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        return composite.log_sigmoid(x)


class Softsign(Module):
    """y = x / (1 + |x|), dy/dx = 1 / (1 + |x|)^2: like tanh, with slower tails. Any shape.

    >>> import slopes as sl
    >>> sl.nn.Softsign()(sl.tensor([-3.0, 1.0])).numpy().tolist()
    [-0.75, 0.5]
    """

    def forward(self, x: Tensor) -> Tensor:
        return composite.softsign(x)


class Tanhshrink(Module):
    """y = x - tanh(x), dy/dx = tanh(x)^2. Any shape.

    >>> import slopes as sl
    >>> sl.nn.Tanhshrink()(sl.tensor([0.0, 100.0])).numpy().tolist()
    [0.0, 99.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        return composite.tanhshrink(x)
