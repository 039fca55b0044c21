"""Optimizers, gradient clipping, weight averaging and learning-rate schedules. Update rules and defaults are PyTorch's."""

from __future__ import annotations

from . import schedules
from .adadelta import Adadelta
from .adafactor import Adafactor
from .adagrad import Adagrad
from .adam import Adam, AdamW
from .adamax import Adamax
from .average import Average
from .clip import clip_by_norm, clip_by_value
from .combined import Combined
from .descent import minimize
from .limit import limit_norm
from .lion import Lion
from .muon import Muon
from .nadam import NAdam
from .optimizer import Optimizer
from .radam import RAdam
from .rmsprop import RMSprop
from .rprop import Rprop
from .sgd import SGD

__all__ = ["SGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "Average", "Combined", "Lion", "Muon", "NAdam",
           "Optimizer", "RAdam", "RMSprop", "Rprop", "clip_by_norm", "clip_by_value", "limit_norm", "minimize", "schedules"]
