"""The parameters of an estimator, kept as scikit-learn wants them: each unchanged, as the attribute of its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def keep(estimator: Any, arguments: Mapping[str, Any]) -> None:
    """Keep the arguments of `__init__`: its `locals()`, without the estimator and the class that Python adds."""
    for name, value in arguments.items():
        if name not in ("self", "__class__"):
            setattr(estimator, name, value)
