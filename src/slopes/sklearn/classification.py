"""What the classifiers share: classes of any kind, several labels at once, class weights, probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..tables.calibrate import best_temperature, softmax
from ..tables.scores import surprise
from .base import HeldOut, NetworkEstimator
from .callbacks import with_callbacks
from .examples import Examples
from .objectives import Loss, binary_log_loss, log_loss, smooth_log_loss
from .scikit import ClassifierMixin, class_weights, metrics, multiclass, validation
from .settings import TABLE, Settings


class NetworkClassifier(ClassifierMixin, NetworkEstimator):
    """The base of classifiers. After fit also: classes_, temperature_ (1.0 unless calibrated)."""

    class_weight: Any
    one_logit = False  # whether two classes have one output, the logit of the second

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, X_val: Any = None, y_val: Any = None,
            sample_weight_val: Any = None) -> Any:
        """Learn from examples X (N, features) and labels y (N,), or an indicator matrix (N, labels) of several labels at once.

        sample_weight (N,)   the weight of each example in the loss
        X_val, y_val         validation data: scored after each epoch (validation_scores_). With early_stopping they decide when to end;
                             without them, early_stopping holds out a share of the examples
        """
        return self._fit(X, y, sample_weight, validation_data(X_val, y_val, sample_weight_val))

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Any:
        """Do one epoch on these examples; `classes` lists all labels, and is needed at the first call."""
        return self._fit(X, y, sample_weight, incremental=True, classes=classes)

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest label of each example; of several labels at once, an indicator matrix."""
        outputs = self._outputs(X)
        if self._multilabel:
            return (outputs > 0).astype(int)
        chosen = (outputs[:, 0] > 0).astype(int) if outputs.shape[1] == 1 else outputs.argmax(axis=1)
        return self.classes_[np.minimum(chosen, len(self.classes_) - 1)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class (N, classes), rows that sum to 1; of several labels at once, of each label."""
        outputs = self._outputs(X) / self.temperature_
        if self._multilabel:
            return 1 / (1 + np.exp(-outputs))
        if len(self.classes_) == 1:
            return np.ones((len(outputs), 1))
        return softmax(self._logits(outputs))

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """The logarithm of `predict_proba`."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def _logits(self, outputs: np.ndarray) -> np.ndarray:
        """One logit for each class: of two classes with one output, 0 and the output."""
        return np.concatenate([0 * outputs, outputs], axis=1) if outputs.shape[1] == 1 else outputs

    # Targets

    def _encode(self, y: Any, first: bool, classes: Any) -> np.ndarray:
        kind = multiclass.type_of_target(y, input_name="y")
        multiclass.check_classification_targets(y)
        multilabel = kind == "multilabel-indicator"
        if first:
            self._multilabel = multilabel
        elif multilabel != self._multilabel:
            raise ArgumentError(f"y is {kind}, unlike at the first fit", why="the network has outputs for those targets",
                                repair="fit another estimator, or one with warm_start=False")
        if multilabel:
            return self._encode_labels(y, first)
        labels = validation.column_or_1d(y, warn=True)
        known = np.unique(labels)
        if first:
            self.classes_ = known if classes is None else np.unique(classes)
        elif classes is not None and not np.array_equal(self.classes_, np.unique(classes)):
            raise ArgumentError(f"`classes={list(classes)}` is not the same as on last call to partial_fit, was: {self.classes_}")
        unknown = np.setdiff1d(known, self.classes_)
        if len(unknown):
            raise ArgumentError(f"y has labels that are not among the classes: {unknown.tolist()!r:.80}", why=f"the classes are "
                                f"{self.classes_.tolist()!r:.80}", repair="name all at the first call of partial_fit: classes=...")
        indices = np.searchsorted(self.classes_, labels)
        return indices.reshape((-1, 1)).astype(np.float64) if self._has_one_logit else indices.astype(np.int64)

    def _encode_labels(self, y: Any, first: bool) -> np.ndarray:
        """An indicator matrix, dense."""
        indicators = np.asarray(y.toarray() if hasattr(y, "toarray") else y, np.float64)
        if first:
            self.classes_ = np.arange(indicators.shape[1])
        if indicators.shape[1] != len(self.classes_):
            raise ArgumentError(f"y has {indicators.shape[1]} labels, but there were {len(self.classes_)} at the first fit")
        return indicators

    @property
    def _has_one_logit(self) -> bool:
        """Whether the network has a single output."""
        return len(self.classes_) == 1 or (self.one_logit and len(self.classes_) == 2)

    def _outputs_of(self, targets: np.ndarray | None) -> int:
        return 1 if self._has_one_logit and not self._multilabel else len(self.classes_)

    def _loss(self, settings: Settings) -> Loss:
        if self._multilabel or self._has_one_logit:
            return binary_log_loss
        return smooth_log_loss(settings.smoothing) if settings.smoothing else log_loss

    @property
    def out_activation_(self) -> str:
        """The function that makes probabilities of outputs."""
        validation.check_is_fitted(self)
        return "logistic" if self._multilabel or self._has_one_logit else "softmax"

    def _class_weights(self, y: Any) -> np.ndarray | None:
        return None if self.class_weight is None else class_weights.compute_sample_weight(self.class_weight, y)

    def _check_partial(self, settings: Settings) -> None:
        super()._check_partial(settings)
        if isinstance(self.class_weight, str):
            raise ArgumentError(f"class_weight={self.class_weight!r} is not supported for partial_fit",
                                why="it counts the examples of each class, and later ones are not known yet",
                                repair="pass the weights: class_weight={label: weight}")

    def _stratify(self, targets: np.ndarray) -> np.ndarray | None:
        return targets if targets.ndim == 2 and targets.shape[1] == 1 else None

    # What validation data say

    def _score_outputs(self, outputs: np.ndarray, examples: Examples) -> float:
        targets = examples.targets
        assert targets is not None, "classifiers have targets"
        if self.preset == TABLE:
            return float(np.average(log_likelihood(outputs, targets), weights=examples.weights))
        if targets.ndim == 2:
            return metrics.accuracy_score(targets > 0.5, outputs > 0, sample_weight=examples.weights)
        return metrics.accuracy_score(targets, outputs.argmax(axis=1), sample_weight=examples.weights)

    def _finish(self, settings: Settings, held_out: Examples | None) -> None:
        if not self.calibrated:
            return
        if self._multilabel:
            raise ArgumentError("calibrated=True with several labels at once", why="one temperature is fitted to the classes of a softmax",
                                repair="use calibrated=False")
        assert held_out is not None and held_out.targets is not None, "calibration asks for validation data"
        if len(self.classes_) > 1:
            logits = self._logits(self._forward.outputs(held_out).astype(np.float64))
            self.temperature_ = best_temperature(logits, held_out.targets.reshape(-1).astype(np.int64))

    def _start(self, *args: Any) -> None:
        super()._start(*args)
        self.temperature_ = 1.0

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def log_likelihood(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The log probability of the targets of each example (N,): of class indices (N,), or of labels that are 0 or 1, (N, labels)."""
    if targets.ndim == 2:
        return -np.logaddexp(0.0, np.where(targets > 0.5, -outputs, outputs)).sum(axis=1)
    return -surprise(softmax(outputs), targets)


def validation_data(X: Any, y: Any, weights: Any) -> HeldOut | None:
    """Validation data as they were passed, or None; both or none of X and y."""
    if (X is None) != (y is None):
        missing = "X_val" if X is None else "y_val"
        raise ArgumentError(f"{missing} is missing", why="validation data have examples and targets", repair="pass X_val= and y_val=")
    return None if X is None else HeldOut(X, y, weights)
