"""Learning-rate schedules: for each step, the factor of the optimizer's learning rate."""

from .base import FixedLength, Schedule, ScheduleFunction
from .composed import Chained, Composed, PerEpoch, Sequential, WarmUp
from .curves import Constant, Cosine, CosineRestarts, Cyclic, Exponential, Linear, MultiStep, OneCycle, Polynomial, Step
from .plateau import Plateau

__all__ = ["Chained", "Composed", "Constant", "Cosine", "CosineRestarts", "Cyclic", "Exponential", "FixedLength", "Linear", "MultiStep",
           "OneCycle", "PerEpoch", "Plateau", "Polynomial", "Schedule", "ScheduleFunction", "Sequential", "Step", "WarmUp"]
