"""Experiments: recipes that train networks well, what they leave in a run folder, and the table of their results."""

from ..extras import submodules

__all__ = ["catalog", "points", "report", "run"]

__getattr__, __dir__ = submodules(__name__, __all__)
