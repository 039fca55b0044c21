"""NetClassifier and NetRegressor: any network of slopes as an estimator."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .. import nn
from ..errors import ArgumentError, ShapeError
from .architectures import Architecture, Custom, Shape
from .base import NetworkEstimator
from .classification import NetworkClassifier
from .parameters import keep
from .regression import NetworkRegressor
from .settings import layer_sizes

Build = Callable[[Shape, int], nn.Module]


class CustomNetwork(NetworkEstimator):
    """The network that `build` makes."""

    build: Build
    input_shape: Any
    takes_images = True

    def _architecture_of(self, shape: Shape, outputs: int, rows: Any) -> Architecture:
        if not callable(self.build):
            raise ArgumentError(f"{type(self).__name__}: build is {self.build!r:.60}, not a function (shape, outputs)",
                                why="it makes the network for the shape of an example and the number of outputs",
                                repair="for example build=lambda shape, outputs: nn.Linear(shape[0], outputs)")
        return Custom(shape, outputs, self.build)

    def _shape(self, features: int) -> Shape:
        shape = self.input_shape if self._example_shape is None else self._example_shape
        if shape is None:
            return (features,)
        sizes = layer_sizes(type(self).__name__, "input_shape", shape)
        if math.prod(sizes) != features:
            raise ShapeError(f"{type(self).__name__}: input_shape is {shape!r}, but X has {features} features",
                             why=f"an example of that shape has {math.prod(sizes)} numbers", repair="pass the shape of one example")
        return sizes


class NetClassifier(CustomNetwork, NetworkClassifier):
    """A classifier of any network of slopes: build(shape, outputs) makes one for examples of `shape`, with a logit for each class.

    X are rows (N, features), or arrays of examples with several axes.

    build          a function (shape, outputs) -> Module that depends on its arguments only. One that is defined in a module can be
                   pickled, and used in other processes; its networks may have any layers, also such as BatchNorm
    input_shape    the shape of an example whose numbers are a row of X; None: (features,)

    The other parameters, attributes and methods are those of MLPClassifier; alpha penalizes all parameters with two axes or more.

    >>> import numpy as np
    >>> from slopes import nn
    >>> from slopes.sklearn import NetClassifier
    >>> X, y = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), ["none", "one", "one", "two"]
    >>> def network(shape, outputs):
    ...     return nn.Sequential(nn.Linear(*shape, 8), nn.Tanh(), nn.Linear(8, outputs))
    >>> model = NetClassifier(network, learning_rate_init=0.1, tol=0.05, max_iter=60, random_state=0).fit(X, y)
    >>> model.predict(X).tolist()
    ['none', 'one', 'one', 'two']
    """

    def __init__(self, build: Any, input_shape: Any = None, *, solver: str = "adam", alpha: float = 1e-4, batch_size: int | str = "auto",
                 learning_rate: str = "constant", learning_rate_init: float = 1e-3, power_t: float = 0.5, max_iter: int = 200,
                 shuffle: bool = True, random_state: Any = None, tol: float = 1e-4, verbose: bool = False, warm_start: bool = False,
                 momentum: float = 0.9, nesterovs_momentum: bool = True, early_stopping: bool = False, validation_fraction: float = 0.1,
                 beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-8, n_iter_no_change: float = 10, max_fun: int = 15_000,
                 class_weight: Any = None, calibrated: bool = False) -> None:
        keep(self, locals())


class NetRegressor(CustomNetwork, NetworkRegressor):
    """A regressor of any network of slopes: build(shape, outputs) makes one with an output for each target.

    `build` and `input_shape` are those of NetClassifier, the other parameters those of MLPRegressor.

    >>> import numpy as np
    >>> from slopes import nn
    >>> from slopes.sklearn import NetRegressor
    >>> X = np.linspace(-1, 1, 20).reshape(-1, 1)
    >>> model = NetRegressor(lambda shape, outputs: nn.Linear(*shape, outputs), solver="lbfgs", random_state=0, max_iter=60)
    >>> model.fit(X, 2 * X[:, 0] + 1).score(X, 2 * X[:, 0] + 1) > 0.95
    True
    """

    def __init__(self, build: Any, input_shape: Any = None, loss: str = "squared_error", *, solver: str = "adam", alpha: float = 1e-4,
                 batch_size: int | str = "auto", learning_rate: str = "constant", learning_rate_init: float = 1e-3, power_t: float = 0.5,
                 max_iter: int = 200, shuffle: bool = True, random_state: Any = None, tol: float = 1e-4, verbose: bool = False,
                 warm_start: bool = False, momentum: float = 0.9, nesterovs_momentum: bool = True, early_stopping: bool = False,
                 validation_fraction: float = 0.1, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-8,
                 n_iter_no_change: float = 10, max_fun: int = 15_000) -> None:
        keep(self, locals())
