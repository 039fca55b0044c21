"""MLPClassifier and MLPRegressor: scikit-learn's multi-layer perceptrons with the same parameters, trained by compiled programs."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..nn import Linear
from ..nn.features import bin_edges
from ..tables.network import Architecture as TableArchitecture
from ..tables.training import DEFAULTS
from .architectures import Architecture, Dense, Shape
from .base import NetworkEstimator
from .classification import NetworkClassifier
from .parameters import keep
from .regression import NetworkRegressor
from .scikit import validation
from .settings import TABLE, layer_sizes


class MultilayerPerceptron(NetworkEstimator):
    """The dense network of both; after fit also coefs_, intercepts_, n_layers_."""

    hidden_layer_sizes: Any
    activation: str
    dropout: float

    def _architecture_of(self, shape: Shape, outputs: int, rows: Any) -> Architecture:
        hidden = layer_sizes(type(self).__name__, "hidden_layer_sizes", self.hidden_layer_sizes)
        if self.preset != TABLE:
            return Dense(shape, outputs, hidden, self.activation, self.dropout)
        table = DEFAULTS.variants[0]
        return Dense(shape, outputs, (table.width,) * table.layers, "silu", table.dropout, edges_of(table, rows))

    @property
    def _draws(self) -> bool:
        return self.preset == TABLE or self.dropout > 0

    @property
    def coefs_(self) -> list[np.ndarray]:
        """The weights (inputs, outputs) of each layer."""
        return [layer.weight.numpy().T for layer in self._layers()]

    @property
    def intercepts_(self) -> list[np.ndarray]:
        """The biases (outputs,) of each layer."""
        return [layer.bias.numpy() for layer in self._layers() if layer.bias is not None]

    @property
    def n_layers_(self) -> int:
        """The number of layers, that of the inputs among them."""
        return len(self._layers()) + 1

    def _layers(self) -> list[Linear]:
        """The dense layers."""
        validation.check_is_fitted(self)
        return [layer for _, layer in self.net_.named_modules() if isinstance(layer, Linear)]


def edges_of(table: TableArchitecture, rows: Any) -> tuple[tuple[float, ...], ...]:
    """The edges of the bins of each column."""
    dense = np.asarray(rows if isinstance(rows, np.ndarray) else rows.toarray(), np.float64)
    return tuple(tuple(bin_edges(column, table.bins).tolist()) for column in dense.T)


class MLPClassifier(MultilayerPerceptron, NetworkClassifier):
    """A multi-layer perceptron classifier: dense layers, log loss; scikit-learn's parameters, names and defaults.

    hidden_layer_sizes     the units of each hidden layer
    activation             "identity", "logistic", "tanh", "relu", or also "silu", "gelu"
    solver                 "adam", "sgd", or "lbfgs" on all examples at once
    alpha                  L2 penalty: alpha / 2 |w|^2 / (total weight of the batch), of weights, not of biases
    batch_size             "auto": min(200, examples)
    learning_rate          "constant", "invscaling" or "adaptive" for sgd, as in scikit-learn; "cosine" for both, down to 0 at max_iter
    early_stopping         hold out `validation_fraction` of the examples, end when their accuracy has not improved by `tol` for
                           `n_iter_no_change` epochs, and keep the best weights
    dropout                after each hidden layer
    class_weight           None, "balanced", or a mapping {label: weight}
    calibrated             divide the logits by a temperature that is fitted to validation data (held out where none are passed)
    preset                 "plain": as the other parameters say; "table": the first network of `slopes train table`, with bins, three
                           layers of 128 units, dropout and its training, of which the epoch with the best log likelihood of held-out
                           examples is kept; of the other parameters random_state, validation_fraction, class_weight, calibrated,
                           warm_start and verbose hold

    The other parameters are documented by scikit-learn's MLPClassifier. With equal random_state, plain networks have the initial
    weights and batches of scikit-learn's; sums are rounded in float32. Fits of up to 64 steps on tiny batches run eagerly, in float64.
    Sparse rows are made dense batch by batch. Attributes after fit: those of scikit-learn's, and net_, the network of slopes.

    >>> import numpy as np
    >>> from slopes.sklearn import MLPClassifier
    >>> X, y = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), ["no", "yes", "yes", "no"]
    >>> model = MLPClassifier((8,), activation="tanh", solver="lbfgs", max_iter=60, random_state=0).fit(X, y)
    >>> model.predict(X).tolist()
    ['no', 'yes', 'yes', 'no']
    """

    one_logit = True

    def __init__(self, hidden_layer_sizes: Any = (100,), activation: str = "relu", *, solver: str = "adam", alpha: float = 1e-4,
                 batch_size: int | str = "auto", learning_rate: str = "constant", learning_rate_init: float = 1e-3, power_t: float = 0.5,
                 max_iter: int = 200, shuffle: bool = True, random_state: Any = None, tol: float = 1e-4, verbose: bool = False,
                 warm_start: bool = False, momentum: float = 0.9, nesterovs_momentum: bool = True, early_stopping: bool = False,
                 validation_fraction: float = 0.1, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-8,
                 n_iter_no_change: float = 10, max_fun: int = 15_000, dropout: float = 0.0, class_weight: Any = None,
                 calibrated: bool = False, preset: str = "plain") -> None:
        keep(self, locals())


class MLPRegressor(MultilayerPerceptron, NetworkRegressor):
    """A multi-layer perceptron regressor for one or several targets: dense layers, squared error or Poisson loss.

    loss is "squared_error" (half of (y - t)^2, of several targets the sum), "poisson" (of counts; predictions are exp(y)), or a
    function (outputs, targets) that gives a mean of slopes, such as nn.huber_loss; early stopping watches R^2. The other parameters
    are those of MLPClassifier. preset="table" also standardizes the targets.

    >>> import numpy as np
    >>> from slopes.sklearn import MLPRegressor
    >>> X = np.linspace(-1, 1, 32).reshape(-1, 1)
    >>> model = MLPRegressor(hidden_layer_sizes=(8,), activation="tanh", solver="lbfgs", max_iter=60, random_state=0)
    >>> model.fit(X, X[:, 0] ** 2).score(X, X[:, 0] ** 2) > 0.9
    True
    """

    def __init__(self, loss: str = "squared_error", hidden_layer_sizes: Any = (100,), activation: str = "relu", *, solver: str = "adam",
                 alpha: float = 1e-4, batch_size: int | str = "auto", learning_rate: str = "constant", learning_rate_init: float = 1e-3,
                 power_t: float = 0.5, max_iter: int = 200, shuffle: bool = True, random_state: Any = None, tol: float = 1e-4,
                 verbose: bool = False, warm_start: bool = False, momentum: float = 0.9, nesterovs_momentum: bool = True,
                 early_stopping: bool = False, validation_fraction: float = 0.1, beta_1: float = 0.9, beta_2: float = 0.999,
                 epsilon: float = 1e-8, n_iter_no_change: float = 10, max_fun: int = 15_000, dropout: float = 0.0,
                 preset: str = "plain") -> None:
        keep(self, locals())
