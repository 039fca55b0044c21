"""What all estimators share: fit, partial_fit, warm start, validation data, early stopping, pickles."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .. import random
from ..errors import ArgumentError, missing_method
from ..files.tensorfile import loads_safetensors, safetensors_bytes
from .architectures import Architecture, Shape
from .callbacks import CallbackFollower, NoFollower, SupportsCallbacks
from .epochs import Curve, Epochs, Follower
from .examples import Examples
from .forward import Forward
from .minimum import minimize
from .objectives import Loss
from .program import Arrays, Plan, Program, convert, programs
from .scikit import BaseEstimator, base, model_selection, utils, validation
from .settings import TABLE, Settings, settings_of

EAGER_STEPS = 64  # a fit of more steps is compiled
EAGER_PRODUCTS = 1 << 18  # so is one with more products than about this in the forward pass of a step
TRANSIENT = ("net_", "_forward", "_encoder", "_program", "_epochs")  # not in pickles: made anew
FLOATS = [np.float64, np.float32]


class HeldOut(NamedTuple):
    """Validation data as the user passes them."""

    X: Any
    y: Any
    weights: Any


class NetworkEstimator(SupportsCallbacks, BaseEstimator):
    """The base of all estimators. A subclass defines what its network is and what its targets are.

    After fit: net_ (the slopes network), n_iter_, loss_, loss_curve_, best_loss_, validation_scores_, best_validation_score_, t_,
    n_outputs_, n_features_in_, feature_names_in_.
    """

    random_state: Any
    warm_start: bool
    preset = "plain"
    calibrated = False
    _state: Arrays  # weights, and what optimizer and random numbers need to go on
    takes_images = False  # whether examples may have several axes
    supervised = True  # whether there are targets other than the inputs

    # What a subclass defines

    def _architecture_of(self, shape: Shape, outputs: int, rows: Any) -> Architecture:
        """The network for examples of this shape."""
        raise missing_method(self, "_architecture_of")

    def _encode(self, y: Any, first: bool, classes: Any) -> np.ndarray | None:
        """The targets as the loss takes them; sets what is known of them where this is the first fit."""
        raise missing_method(self, "_encode")

    def _loss(self, settings: Settings) -> Loss:
        """The loss, after `_encode`."""
        raise missing_method(self, "_loss")

    def _outputs_of(self, targets: np.ndarray | None) -> int:
        """The number of outputs of the network, after `_encode`."""
        raise missing_method(self, "_outputs_of")

    def _score_outputs(self, outputs: np.ndarray, examples: Examples) -> float:
        """The validation score of outputs: higher is better."""
        raise missing_method(self, "_score_outputs")

    def _class_weights(self, y: Any) -> np.ndarray | None:
        """The weight of each example by its class, or None."""
        return None

    def _stratify(self, targets: np.ndarray) -> np.ndarray | None:
        """By what the division into training and validation examples is stratified."""
        return None

    def _finish(self, settings: Settings, held_out: Examples | None) -> None:
        """After a fit: what held-out examples say of the outputs."""

    # Data

    def _check_rows(self, X: Any, first: bool = False) -> Any:
        """X as rows (N, features), by scikit-learn's checks."""
        return validation.validate_data(self, self._flatten(X, first), accept_sparse="csr", dtype=FLOATS, reset=first)

    def _check_pairs(self, X: Any, y: Any, first: bool = False) -> tuple[Any, Any]:
        """X as rows and the targets."""
        if not self.supervised:
            return self._check_rows(X, first), None
        return validation.validate_data(self, self._flatten(X, first), y, accept_sparse="csr", dtype=FLOATS, reset=first,
                                        multi_output=True, y_numeric=base.is_regressor(self))

    def _flatten(self, X: Any, first: bool) -> Any:
        """Examples with several axes as rows; their shape is kept at the first fit, and compared afterwards."""
        axes = getattr(X, "ndim", 2)
        if not self.takes_images or axes <= 2:
            if first:
                self._example_shape: Shape | None = None
            return X
        shape = tuple(X.shape[1:])
        if first:
            self._example_shape = shape
        elif shape != self._example_shape:
            expected = (self.n_features_in_,) if self._example_shape is None else self._example_shape
            raise ArgumentError(f"X has examples of shape {shape}, but {type(self).__name__} is expecting {expected}",
                                why="these are the shapes of the examples that it was fitted with", repair="pass examples of that shape")
        return np.asarray(X).reshape((len(X), -1))

    def _shape(self, features: int) -> Shape:
        """The shape of an example."""
        return (features,)

    def _weights(self, sample_weight: Any, rows: Any, y: Any = None) -> np.ndarray:
        """The weight of each example: that of the user times that of its class."""
        if sample_weight is None:
            weights = np.ones(rows.shape[0])
        else:
            weights = validation._check_sample_weight(sample_weight, rows, dtype=np.float64, ensure_non_negative=True)
        if not weights.any():
            raise ArgumentError("Sample weights must contain at least one non-zero number.",
                                why="there would be nothing to learn from", repair="give the examples that count a weight above 0")
        class_weights = None if y is None else self._class_weights(y)
        return weights if class_weights is None else weights * class_weights

    def _examples(self, X: Any, targets: np.ndarray | None = None, weights: np.ndarray | None = None) -> Examples:
        """Checked rows as examples."""
        return Examples(X, targets, np.ones(X.shape[0]) if weights is None else weights, self._architecture.shape)

    def _outputs(self, X: Any) -> np.ndarray:
        """The outputs of the network, in float64."""
        validation.check_is_fitted(self)
        return self._forward.outputs(self._examples(self._check_rows(X))).astype(np.float64)

    # Fit

    def _settings(self, examples: int) -> Settings:
        """The settings that hold for so many examples."""
        settings = settings_of(self)
        return settings.for_table(examples) if self.preset == TABLE else settings

    def _fit(self, X: Any, y: Any, sample_weight: Any, held_out: HeldOut | None = None, *, incremental: bool = False,
             classes: Any = None) -> Any:
        """Fit, or go on where the estimator is fitted already and that is asked for."""
        settings_of(self)
        first = not hasattr(self, "net_") or not (self.warm_start or incremental)
        rows, y = self._check_pairs(X, y, first)
        settings = self._settings(rows.shape[0])
        if incremental:
            self._check_partial(settings)
        targets = self._encode(y, first, classes)
        weights = self._weights(sample_weight, rows, y)
        generator = utils.check_random_state(self.random_state)
        if first:
            self._start(settings, rows, targets, generator)
        examples = self._examples(rows, targets, weights)
        if incremental:
            self._learn(settings, examples, None, generator, NoFollower(), incremental)
        else:
            learned, held = self._divide(settings, examples, held_out, generator)
            follower = CallbackFollower(self, self._attributes, X=X, y=y)
            follower.begin(settings.max_iter)
            self._learn(settings, learned, held, generator, follower, incremental)
            self._finish(settings, held)
            follower.end()
        return self

    def _check_partial(self, settings: Settings) -> None:
        """Early stopping looks at epochs, and lbfgs at all examples at once."""
        if settings.early_stopping:
            raise ArgumentError("partial_fit does not support early_stopping=True", why="it does one epoch", repair="call fit")
        if not settings.stochastic:
            raise AttributeError(f"partial_fit is only available for stochastic optimizers. {settings.solver} is not stochastic.")

    def _start(self, settings: Settings, rows: Any, targets: np.ndarray | None, generator: Any) -> None:
        """A new network, and an empty curve."""
        self._architecture = self._architecture_of(self._shape(rows.shape[1]), self._outputs_of(targets), rows)
        self._seed = int(generator.randint(2**31 - 1)) if self._draws else 0
        self._build()
        self._architecture.initialize(self.net_, generator)
        self.n_outputs_ = self._architecture.outputs
        self._curve, self._state = Curve(settings.learning_rate_init), {}
        self.t_ = 0

    @property
    def _draws(self) -> bool:
        """Whether slopes' random numbers matter: not in plain dense networks, which have scikit-learn's for an equal seed."""
        return True

    def _build(self) -> None:
        """The network, with weights of its seed, and what computes its outputs."""
        with random.using(random.Generator(self._seed)):
            self.net_ = self._architecture.build().eval()
        self._program: Program | None = None

    def _divide(self, settings: Settings, examples: Examples, held_out: HeldOut | None, generator: Any) -> tuple[Examples, Examples | None]:
        """Training and validation examples: those that were passed, or a share where something asks for them."""
        if held_out is not None:
            rows, y = self._check_pairs(held_out.X, held_out.y)
            return examples, self._examples(rows, self._encode(y, False, None), self._weights(held_out.weights, rows, y))
        if not ((settings.early_stopping and settings.stochastic) or self.calibrated):
            return examples, None
        stratify = None if examples.targets is None else self._stratify(examples.targets)
        learned, held = model_selection.train_test_split(np.arange(len(examples)), random_state=generator, stratify=stratify,
                                                         test_size=settings.validation_fraction)
        if len(held) < 2:
            raise ArgumentError("The validation set is too small. Increase 'validation_fraction' or the size of your dataset.",
                                why=f"it has {len(held)} of {len(examples)} examples")
        return examples.take(learned), examples.take(held)

    def _learn(self, settings: Settings, learned: Examples, held: Examples | None, generator: Any, follower: Follower,
               incremental: bool) -> None:
        """Train, with a program of which other fits may have compiled the steps."""
        if not incremental:
            self._prepare_curve(settings, held)
        with self._programs(self._plan(settings, learned, incremental)) as program:
            program.set(settings.alpha, settings.hyper_parameters)
            if settings.stochastic:
                self._run_epochs(settings, program, learned, held, generator, follower, incremental)
            else:
                self._minimize(settings, program, learned)
            self._keep(program)
        self._describe_curve()

    def _prepare_curve(self, settings: Settings, held: Examples | None) -> None:
        """The curve at the beginning of a fit: of a warm start it goes on."""
        curve = self._curve
        curve.rate, curve.best = settings.learning_rate_init, None
        if held is not None and curve.validation_scores is None:
            curve.validation_scores = []

    def _run_epochs(self, settings: Settings, program: Program, learned: Examples, held: Examples | None, generator: Any,
                    follower: Follower, incremental: bool) -> None:
        """The epochs of a stochastic solver."""
        if not isinstance(settings.batch_size, str) and settings.batch_size > len(learned):
            warnings.warn("Got `batch_size` larger than sample size. It is going to be clipped.", stacklevel=2)
        score = None if held is None else partial(self._score_now, Forward(self._architecture, program.net), held)
        shared = {name: getattr(settings, name) for name in ("max_iter", "shuffle", "tol", "n_iter_no_change", "verbose",
                                                             "learning_rate_init", "power_t")}
        self._epochs = Epochs(program=program, examples=learned, generator=generator, curve=self._curve, follower=follower, score=score,
                              watch_score=settings.early_stopping, batch_size=settings.rows(len(learned)),
                              learning_rate=settings.schedule, **shared)
        try:
            if incremental:
                self._epochs.advance(1)
            else:
                self._epochs.run()
            self.n_iter_ = self._epochs.done
        finally:
            del self._epochs

    def _score_now(self, forward: Forward, held: Examples) -> float:
        """The validation score in the middle of a fit."""
        outputs = forward.outputs(held).astype(np.float64)
        return self._score_outputs(outputs, held) if np.isfinite(outputs).all() else math.nan

    def _minimize(self, settings: Settings, program: Program, learned: Examples) -> None:
        """The minimum of the whole loss."""
        self.n_iter_, self.loss_ = minimize(program, learned, settings)

    def _plan(self, settings: Settings, examples: Examples, incremental: bool) -> Plan:
        """The program that these examples need: tiny amounts of work are done eagerly, in float64."""
        rows = settings.rows(len(examples)) if settings.stochastic else len(examples)
        epochs = 1 if incremental else settings.max_iter
        products = rows * self._architecture.products(self.net_)
        eager = epochs * -(-len(examples) // rows) <= EAGER_STEPS and products <= EAGER_PRODUCTS
        exact = eager or not settings.stochastic
        return Plan(self._architecture, self._loss(settings), settings.optimizer, not eager, np.dtype(np.float64 if exact else np.float32))

    def _programs(self, plan: Plan) -> Any:
        """A program of this plan, for a with-block, as this estimator left it."""
        return programs.program(plan, self._program, self._load)

    def _load(self, program: Program) -> None:
        """Put a program where this estimator is."""
        program.start(self._seed)
        if self._state:
            program.load(self._state)
        else:
            program.load_net(self.net_.state_dict())

    def _keep(self, program: Program) -> None:
        """Keep what a program has learned."""
        self._state = program.state()
        self._program = None if self._architecture.shared else program
        self._use({name.removeprefix("net."): array for name, array in self._state.items() if name.startswith("net.")})
        if not all(np.isfinite(array).all() for array in self.net_.state_dict().values()):
            raise ArgumentError("Solver produced non-finite parameter weights. The input data may contain large values and need to be "
                                "preprocessed.", repair="scale the inputs (StandardScaler), or use a smaller learning_rate_init")

    def _use(self, weights: Mapping[str, np.ndarray]) -> None:
        """Have the estimator's network compute with these weights, in their type."""
        floats = [array.dtype for array in weights.values() if array.dtype.kind == "f"]
        convert(self.net_, floats[0] if floats else np.dtype(np.float32))
        self.net_.load_state_dict(dict(weights))
        self.net_.eval()
        self._forward = Forward(self._architecture, self.net_)

    def _describe_curve(self) -> None:
        """The curve as scikit-learn's attributes."""
        curve = self._curve
        self.t_ = curve.examples
        if curve.losses:
            self.loss_curve_, self.loss_ = curve.losses, curve.losses[-1]
        self.validation_scores_ = curve.validation_scores
        self.best_validation_score_ = None if curve.validation_scores is None else curve.best_score
        self.best_loss_ = curve.best_loss if np.isfinite(curve.best_loss) else None

    def _attributes(self) -> dict[str, Any]:
        """The fitted attributes in the middle of a fit or at its end, for callbacks."""
        made = type(self).__new__(type(self))
        made.__dict__.update({name: value for name, value in vars(self).items() if name not in TRANSIENT})
        made._build()
        epochs = getattr(self, "_epochs", None)
        made._use((epochs.program.net if epochs is not None else self.net_).state_dict())
        made.n_iter_ = self.n_iter_ if epochs is None else epochs.done
        made._describe_curve()
        return {name: value for name, value in vars(made).items() if name.endswith("_") or name.startswith("_")}

    # Pickles

    def __getstate__(self) -> dict[str, Any]:
        state = {name: value for name, value in super().__getstate__().items() if name not in TRANSIENT}
        if state.get("_state"):
            state["_state"] = safetensors_bytes(state["_state"])
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if not state.get("_state"):  # not fitted, or in the middle of the first fit
            return
        self._state = loads_safetensors(state["_state"])
        self._build()
        self._use({name.removeprefix("net."): array for name, array in self._state.items() if name.startswith("net.")})

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_forward")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

