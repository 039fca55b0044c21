"""The messages of the runs page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..messages import Message, Text, Upload, choice, items, rule_field, text, whole
from .curves import AXES, LOSS
from .predict import MOST_TEXT

LONGEST_NAME = 300
MOST_COMPARED = 8


@dataclass(frozen=True)
class Select(Message):
    """Compare these runs."""

    kind: ClassVar[str] = "select"
    runs: tuple[str, ...] = items(Text(LONGEST_NAME), most=MOST_COMPARED)


@dataclass(frozen=True)
class Plot(Message):
    """Curves of another figure, over another axis, or smoothed: by a running mean of so many steps."""

    kind: ClassVar[str] = "plot"
    figure: str = text(LONGEST_NAME, LOSS)
    axis: str = choice(*AXES, default=AXES[0])
    smooth: int = whole(1, 1000, 1)


@dataclass(frozen=True)
class Look(Message):
    """All about one run, which is also the one to predict with."""

    kind: ClassVar[str] = "look"
    run: str = text(LONGEST_NAME)


@dataclass(frozen=True)
class Picture(Message):
    """A picture of a run."""

    kind: ClassVar[str] = "picture"
    run: str = text(LONGEST_NAME)
    name: str = text(LONGEST_NAME)


@dataclass(frozen=True)
class Predict(Message):
    """A prediction for a text; an empty one says how a file that follows is predicted: how many answers, and which series it belongs to."""

    kind: ClassVar[str] = "predict"
    text: str = text(MOST_TEXT)
    top: int = whole(1, 20, 3)
    series: str = rule_field(Text(LONGEST_NAME), "")


MESSAGES = (Select, Plot, Look, Picture, Predict, Upload)
