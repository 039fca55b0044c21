"""Autoencoder: a transformer that learns a short code of its inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..modes import no_grad
from ..tensor import asarray
from .architectures import Architecture, Coder, CoderNetwork, Encoder, Shape
from .base import HeldOut, NetworkEstimator
from .callbacks import with_callbacks
from .examples import Examples
from .forward import Forward
from .objectives import Loss, squared_error
from .parameters import keep
from .scikit import ClassNamePrefixFeaturesOutMixin, TransformerMixin, validation
from .settings import Settings, layer_sizes


class Autoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, NetworkEstimator):
    """A dense autoencoder: `transform` gives the code of each example, from which `inverse_transform` restores it.

    n_components           the numbers of the code
    hidden_layer_sizes     the hidden layers of the encoder; the decoder is its mirror image
    noise                  the share of the inputs that is replaced by 0 in training (a denoising autoencoder)

    The loss is half the mean squared error of the restored inputs; scale them first. early_stopping watches the R^2 of the restored
    inputs. The other parameters and attributes are those of MLPRegressor. Without hidden layers the best code spans the principal
    components. Sources: Hinton and Salakhutdinov, "Reducing the dimensionality of data with neural networks", 2006; Vincent et al.,
    "Extracting and composing robust features with denoising autoencoders", 2008.

    >>> import numpy as np
    >>> from slopes.sklearn import Autoencoder
    >>> X = np.outer(np.linspace(-1, 1, 20), [1.0, 2.0, -1.0])
    >>> model = Autoencoder(1, hidden_layer_sizes=(), max_iter=60, solver="lbfgs", random_state=0).fit(X)
    >>> model.transform(X).shape, bool(np.abs(model.inverse_transform(model.transform(X)) - X).max() < 0.1)
    ((20, 1), True)
    """

    supervised = False

    def __init__(self, n_components: int = 2, hidden_layer_sizes: Any = (100,), activation: str = "relu", *, noise: float = 0.0,
                 solver: str = "adam", alpha: float = 1e-4, batch_size: int | str = "auto", learning_rate: str = "constant",
                 learning_rate_init: float = 1e-3, power_t: float = 0.5, max_iter: int = 200, shuffle: bool = True,
                 random_state: Any = None, tol: float = 1e-4, verbose: bool = False, warm_start: bool = False, momentum: float = 0.9,
                 nesterovs_momentum: bool = True, early_stopping: bool = False, validation_fraction: float = 0.1, beta_1: float = 0.9,
                 beta_2: float = 0.999, epsilon: float = 1e-8, n_iter_no_change: float = 10, max_fun: int = 15_000,
                 dropout: float = 0.0) -> None:
        keep(self, locals())

    n_components: int
    hidden_layer_sizes: Any
    activation: str
    noise: float
    dropout: float

    @with_callbacks
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, *, X_val: Any = None, sample_weight_val: Any = None) -> Any:
        """Learn codes of examples X (N, features); y is ignored. The other arguments are those of the classifiers."""
        return self._fit(X, None, sample_weight, None if X_val is None else HeldOut(X_val, None, sample_weight_val))

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Any:
        """Do one epoch on these examples."""
        return self._fit(X, None, sample_weight, incremental=True)

    def transform(self, X: Any) -> np.ndarray:
        """The code of each example (N, n_components), in the type of X."""
        validation.check_is_fitted(self)
        rows = self._check_rows(X)
        return self._encoder.outputs(self._examples(rows)).astype(rows.dtype)

    def inverse_transform(self, X: Any) -> np.ndarray:
        """The examples (N, features) of codes X (N, n_components)."""
        validation.check_is_fitted(self)
        codes = validation.check_array(X, dtype=[np.float64, np.float32])
        with no_grad():
            return self._net.decoder(asarray(codes.astype(self._forward.plan.dtype))).numpy().astype(codes.dtype)

    def score(self, X: Any, y: Any = None) -> float:
        """Minus half the mean squared error of the restored examples: higher is better."""
        validation.check_is_fitted(self)
        rows = self._check_rows(X)
        examples = self._examples(rows)
        restored = self._forward.outputs(examples)
        return -0.5 * float(np.mean((restored - examples.inputs(slice(None), restored.dtype)) ** 2))

    @property
    def _net(self) -> CoderNetwork:
        """The network, of the class that has an encoder and a decoder."""
        assert isinstance(self.net_, CoderNetwork), "an autoencoder has no other network"
        return self.net_

    @property
    def _n_features_out(self) -> int:
        return self._architecture.outputs

    def _use(self, weights: Any) -> None:
        super()._use(weights)
        self._encoder = Forward(Encoder(**vars(self._architecture)), self._net.encoder)

    def _architecture_of(self, shape: Shape, outputs: int, rows: Any) -> Architecture:
        hidden = layer_sizes(type(self).__name__, "hidden_layer_sizes", self.hidden_layer_sizes)
        return Coder(shape, outputs, hidden, self.activation, self.dropout, self.noise)

    @property
    def _draws(self) -> bool:
        return self.dropout > 0 or self.noise > 0

    def _encode(self, y: Any, first: bool, classes: Any) -> None:
        return None

    def _outputs_of(self, targets: np.ndarray | None) -> int:
        return self.n_components

    def _loss(self, settings: Settings) -> Loss:
        return squared_error

    def _score_outputs(self, outputs: np.ndarray, examples: Examples) -> float:
        inputs = examples.inputs(slice(None), np.dtype(np.float64))
        mean = np.average(inputs, axis=0, weights=examples.weights)
        error, spread = (np.average((values - inputs) ** 2, axis=0, weights=examples.weights).sum() for values in (outputs, mean))
        return float(1 - error / spread) if spread else float(error == 0)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
