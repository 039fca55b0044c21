"""The settings that a search may choose: ranges of numbers, and lists of choices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..constraint import is_real, is_whole
from ..errors import ArgumentError
from ..extras import require


@dataclass(frozen=True)
class Between:
    """Any number from `low` to `high`, an integer if both are; log-uniform with `log=True`, the usual choice for learning rates.

    Raises ArgumentError unless low < high are finite, and both above 0 where the logarithm is taken.

    >>> Between(1e-4, 1e-1, log=True)
    Between(low=0.0001, high=0.1, log=True)
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not (is_real(self.low) and is_real(self.high)) or self.low >= self.high:
            raise ArgumentError(f"Between: from {self.low!r} to {self.high!r} there is nothing to choose",
                                why="it goes from a lower number to a higher one, both finite", repair="for one value, leave it out")
        if self.log and self.low <= 0:
            raise ArgumentError(f"Between: {self.low!r} has no logarithm", repair="begin above 0, or leave log=True out")

    @property
    def is_whole(self) -> bool:
        """Whether it is a range of integers."""
        return is_whole(self.low) and is_whole(self.high)


Choices = Between | Sequence[Any]
Space = Mapping[str, Choices]


def distributions(space: Space) -> dict[str, Any]:
    """Optuna's distribution of each setting; of a list, of its positions, as its entries may be anything."""
    kinds = require("optuna", "tune", "search").distributions
    if not isinstance(space, Mapping) or not space or not all(isinstance(name, str) for name in space):
        raise ArgumentError(f"search: the space is {space!r:.80}", why="there is nothing to choose",
                            repair='for example {"rate": Between(1e-4, 1e-1, log=True), "width": [16, 64]}')
    made = {}
    for name, choices in space.items():
        if isinstance(choices, Between):
            kind = kinds.IntDistribution if choices.is_whole else kinds.FloatDistribution
            made[name] = kind(choices.low, choices.high, log=choices.log)
        elif isinstance(choices, (list, tuple)) and choices:
            made[name] = kinds.CategoricalDistribution(range(len(choices)))
        else:
            raise ArgumentError(f"search: the setting {name!r} is {choices!r:.60}", why="it is no range and no list of choices",
                                repair="use Between(low, high), or a list")
    return made


def resolve(choices: Choices, value: Any) -> Any:
    """The setting that optuna's parameter stands for."""
    return value if isinstance(choices, Between) else choices[value]


def parameter(choices: Choices, value: Any) -> Any:
    """Optuna's parameter for a setting: the inverse of `resolve`. ArgumentError for a value that cannot be chosen."""
    if isinstance(choices, Between) and is_real(value) and choices.low <= value <= choices.high:
        return value
    if not isinstance(choices, Between) and value in choices:
        return choices.index(value)
    raise ArgumentError(f"search: {value!r:.60} cannot be chosen", why=f"the setting is one of {choices!r:.100}",
                        repair="begin with settings of the space")


def rounded(value: Any, digits: int | None) -> Any:
    """A number with so many significant digits (None: all), so that its text is short and exact; anything else as it is.

    >>> rounded(0.00123456, 3), rounded(64, 3)
    (0.00123, 64)
    """
    return float(f"{value:.{digits}g}") if digits and isinstance(value, float) else value


def shown(value: Any) -> str:
    """A setting in a few characters."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
