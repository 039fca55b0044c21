"""Activation functions as layers. As plain functions they are in `slopes` itself."""

from __future__ import annotations

from ..constraint import POSITIVE, REAL, WHOLE, check, one_of
from ..graph.build import build
from ..ops import composite
from ..tensor import Tensor
from .module import Module


class Identity(Module):
    """y = x, dy/dx = 1. Any shape.

    >>> import slopes as sl
    >>> sl.nn.Identity()(sl.tensor([1.0, -2.0])).numpy().tolist()
    [1.0, -2.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        return x


class Threshold(Module):
    """y = 1 where x >= threshold, otherwise 0; its derivative is 0 everywhere. Any shape.

    The threshold unit of McCulloch and Pitts, "A logical calculus of the ideas immanent in nervous activity", 1943.
    (PyTorch's Threshold is different: it returns x above the threshold.)

    >>> import slopes as sl
    >>> sl.nn.Threshold()(sl.tensor([-1.0, 0.0, 2.0])).numpy().tolist()
    [0.0, 1.0, 1.0]
    """

    constraints = {"threshold": REAL}

    def __init__(self, threshold: float = 0.0) -> None:
        check("Threshold", self.constraints, {"threshold": threshold})
        self.threshold = float(threshold)

    def forward(self, x: Tensor) -> Tensor:
        return (x >= self.threshold).astype(x.dtype)

    def details(self) -> str:
        return f"{self.threshold:g}" if self.threshold else ""


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


class ReLU(Module):
    """y = max(x, 0), dy/dx = 1 where x > 0, otherwise 0 (at 0 too). Any shape.

    Source: Nair and Hinton, "Rectified linear units improve restricted Boltzmann machines", 2010.

    >>> import slopes as sl
    >>> sl.nn.ReLU()(sl.tensor([-1.0, 2.0])).numpy().tolist()
    [0.0, 2.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        return composite.relu(x)


class LeakyReLU(Module):
    """y = x where x > 0, otherwise negative_slope x; the derivative is 1 or negative_slope. Any shape.

    Source: Maas et al., "Rectifier nonlinearities improve neural network acoustic models", 2013.

    >>> import slopes as sl
    >>> sl.nn.LeakyReLU(0.5)(sl.tensor([-1.0, 2.0])).numpy().tolist()
    [-0.5, 2.0]
    """

    constraints = {"negative_slope": REAL}

    def __init__(self, negative_slope: float = 0.01) -> None:
        check("LeakyReLU", self.constraints, {"negative_slope": negative_slope})
        self.negative_slope = float(negative_slope)

    def forward(self, x: Tensor) -> Tensor:
        return composite.leaky_relu(x, self.negative_slope)

    def details(self) -> str:
        return f"{self.negative_slope:g}"


class Softplus(Module):
    """y = log(1 + exp(beta x)) / beta, dy/dx = sigmoid(beta x): a smooth ReLU. Any shape; computed without overflow.

    >>> import slopes as sl
    >>> sl.nn.Softplus()(sl.tensor([1000.0, -1000.0])).numpy().tolist()
    [1000.0, 0.0]
    """

    constraints = {"beta": POSITIVE}

    def __init__(self, beta: float = 1.0) -> None:
        check("Softplus", self.constraints, {"beta": beta})
        self.beta = float(beta)

    def forward(self, x: Tensor) -> Tensor:
        return composite.softplus(x, self.beta)

    def details(self) -> str:
        return f"{self.beta:g}" if self.beta != 1 else ""


class Softmax(Module):
    """y_i = exp(x_i) / sum over j of exp(x_j) along one axis: positive, with sum 1; computed without overflow.

    For training, omit it and pass the logits to cross_entropy, which is more accurate.

    >>> import slopes as sl
    >>> sl.nn.Softmax()(sl.tensor([[1e4, 1e4]])).numpy().tolist()
    [[0.5, 0.5]]
    """

    constraints = {"axis": WHOLE}

    def __init__(self, axis: int = -1) -> None:
        check("Softmax", self.constraints, {"axis": axis})
        self.axis = int(axis)

    def forward(self, x: Tensor) -> Tensor:
        return composite.softmax(x, axis=self.axis)

    def details(self) -> str:
        return "" if self.axis == -1 else f"axis={self.axis}"


class LogSoftmax(Module):
    """y_i = x_i - log(sum over j of exp(x_j)) along one axis: the logarithm of softmax, computed without overflow.

    >>> import slopes as sl
    >>> sl.nn.LogSoftmax()(sl.tensor([[1e4, 0.0]])).numpy().tolist()
    [[0.0, -10000.0]]
    """

    constraints = {"axis": WHOLE}

    def __init__(self, axis: int = -1) -> None:
        check("LogSoftmax", self.constraints, {"axis": axis})
        self.axis = int(axis)

    def forward(self, x: Tensor) -> Tensor:
        return composite.log_softmax(x, axis=self.axis)

    def details(self) -> str:
        return "" if self.axis == -1 else f"axis={self.axis}"


class ELU(Module):
    """y = x where x > 0, otherwise alpha (exp(x) - 1); the derivative is 1 or alpha exp(x). Any shape.

    Source: Clevert et al., "Fast and accurate deep network learning by exponential linear units", 2016.

    >>> import slopes as sl
    >>> sl.nn.ELU()(sl.tensor([0.0, 2.0])).numpy().tolist()
    [0.0, 2.0]
    """

    constraints = {"alpha": REAL}

    def __init__(self, alpha: float = 1.0) -> None:
        check("ELU", self.constraints, {"alpha": alpha})
        self.alpha = float(alpha)

    def forward(self, x: Tensor) -> Tensor:
        return composite.elu(x, self.alpha)

    def details(self) -> str:
        return f"{self.alpha:g}" if self.alpha != 1 else ""


class SELU(Module):
    """y = s x where x > 0, otherwise s a (exp(x) - 1), with a = 1.6733, s = 1.0507. Any shape.

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


class SiLU(Module):
    """y = x sigmoid(x), also called swish. Any shape.

    Source: Elfwing et al., "Sigmoid-weighted linear units for neural network function approximation", 2018.

    >>> import slopes as sl
    >>> sl.nn.SiLU()(sl.tensor([0.0])).numpy().tolist()
    [0.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        return composite.silu(x)
