"""scikit-learn's callbacks (`set_callbacks`), where the installed version has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..extras import installed, require

CALLBACKS = require("sklearn.callback", extra="sklearn") if installed("sklearn.callback") else None


class NoCallbacks:
    """The base of estimators where scikit-learn has no callbacks."""


SupportsCallbacks: Any = NoCallbacks if CALLBACKS is None else CALLBACKS.CallbackSupportMixin


def with_callbacks(method: Callable[..., Any]) -> Callable[..., Any]:
    """Let go of the callbacks when the method ends, however it ends."""
    return method if CALLBACKS is None else CALLBACKS.with_callbacks(method)


class CallbackFollower:
    """Tells the callbacks of an estimator what happens in its fit.

    attributes   makes the fitted attributes of the estimator as it is after an epoch
    """

    def __init__(self, estimator: Any, attributes: Callable[[], Mapping[str, Any]], **data: Any) -> None:
        self.estimator, self.attributes, self.data = estimator, attributes, data
        self.active = CALLBACKS is not None and bool(getattr(estimator, "_skl_callbacks", ()))
        self.context: Any = None
        self.epoch: Any = None

    def begin(self, epochs: int) -> None:
        """Before the first epoch."""
        if CALLBACKS is not None:
            self.context = self.estimator._init_callback_context(max_subtasks=epochs)
            self.context.call_on_fit_task_begin(estimator=self.estimator, **self.data)

    def epoch_begins(self, epoch: int) -> None:
        """Before an epoch."""
        self.epoch = self.context.subcontext(task_name=f"epoch {epoch}")
        self.epoch.call_on_fit_task_begin(estimator=self.estimator, **self.data)

    def epoch_ends(self) -> bool:
        """After an epoch; True where a callback ends the fit."""
        return bool(self.epoch.call_on_fit_task_end(estimator=self.estimator, **self.data, reconstruction_attributes=self.attributes))

    def end(self) -> None:
        """After the last epoch."""
        if self.context is not None:
            self.context.call_on_fit_task_end(estimator=self.estimator, **self.data, reconstruction_attributes=self.attributes)


class NoFollower:
    """Follows nothing: of `partial_fit`."""

    active = False

    def epoch_begins(self, epoch: int) -> None:
        """Nothing."""

    def epoch_ends(self) -> bool:
        """The fit goes on."""
        return False
