"""Floor 9, practice: fit, evaluate, what a run leaves behind."""

from .advise import Advice, advice
from .rates import RangeTest, range_test
from .snapshots import Snapshots
from .stopping import EarlyStopping
from .tuning import Between, search

__all__ = ["Advice", "Between", "EarlyStopping", "RangeTest", "Snapshots", "advice", "range_test", "search"]
