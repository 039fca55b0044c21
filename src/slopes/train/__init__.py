"""Floor 9, practice: fit, evaluate, what a run leaves behind."""

from .rates import RangeTest, range_test

__all__ = ["RangeTest", "range_test"]
