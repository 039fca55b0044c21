"""Floor 9, practice: fit, evaluate, what a run leaves behind."""

from .rates import RangeTest, range_test
from .snapshots import Snapshots
from .stopping import EarlyStopping

__all__ = ["EarlyStopping", "RangeTest", "Snapshots", "range_test"]
