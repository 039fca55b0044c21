"""Optimizers, gradient clipping, weight averaging and learning-rate schedules. Update rules and defaults are PyTorch's."""

from __future__ import annotations

from . import schedules
from .adadelta import Adadelta
from .adagrad import Adagrad
from .adam import Adam, AdamW
from .average import Average
from .clip import clip_by_norm, clip_by_value
from .descent import minimize
from .limit import limit_norm
from .nadam import NAdam
from .optimizer import Optimizer
from .rmsprop import RMSprop
from .sgd import SGD

__all__ = ["SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Average", "NAdam", "Optimizer", "RMSprop", "clip_by_norm", "clip_by_value",
           "limit_norm", "minimize", "schedules"]
