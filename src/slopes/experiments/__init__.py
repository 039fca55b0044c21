"""Experiments: recipes that train networks well, what they leave in a run folder, and the table of their results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..extras import submodules

__all__ = ["catalog", "points", "report", "run"]

if TYPE_CHECKING:
    from . import catalog, points, report, run
else:
    __getattr__, __dir__ = submodules(__name__, __all__)
