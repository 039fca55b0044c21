"""What the page of pictures may ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..live_engine import Control, Missing
from ..messages import Items, Message, Number, choice, items, number, whole

OPTIMIZERS = ("adam", "sgd", "momentum")
ROLES = ("test", "training", "drawn")  # whose pictures can be chosen
MOST_STROKES, MOST_COORDINATES = 40, 1200  # of a drawing; a stroke is x, y, x, y, ...
MOST_UNITS = 4096


@dataclass(frozen=True)
class Configure(Message):
    """All settings of the training; of these, rate and speed change while it goes on, the others begin it anew."""

    kind: ClassVar[str] = "configure"
    data: str = choice("digits", "small-digits", "clothes", "folder")
    filters: int = whole(2, 32)
    optimizer: str = choice(*OPTIMIZERS)
    rate: float = number(1e-6, 10)
    batch: int = whole(1, 1024)
    examples: int = whole(100, 20_000)
    seed: int = whole(0, 2**31 - 1)
    speed: float = number(0, 1000)


@dataclass(frozen=True)
class Choose(Message):
    """Show another picture, by its index."""

    kind: ClassVar[str] = "choose"
    role: str = choice(*ROLES)
    index: int = whole(0, 10**6, 0)


@dataclass(frozen=True)
class Draw(Message):
    """What was drawn: strokes of points in the unit square, from the upper left corner."""

    kind: ClassVar[str] = "draw"
    strokes: tuple[tuple[float, ...], ...] = items(Items(Number(0, 1), MOST_COORDINATES, 2), MOST_STROKES)


@dataclass(frozen=True)
class Hover(Message):
    """Show what a unit of a layer's map sees."""

    kind: ClassVar[str] = "hover"
    layer: int = whole(0, 63)
    row: int = whole(0, 4095)
    column: int = whole(0, 4095)


@dataclass(frozen=True)
class Unit(Message):
    """Show the pictures that excite a unit (a map, or a unit of a dense layer) most."""

    kind: ClassVar[str] = "unit"
    layer: int = whole(0, 63)
    unit: int = whole(0, MOST_UNITS)


@dataclass(frozen=True)
class Ideal(Message):
    """Make a picture that excites the chosen unit, by gradient ascent."""

    kind: ClassVar[str] = "ideal"


@dataclass(frozen=True)
class Explain(Message):
    """Show the saliency for a class; -1: for the class that the network takes the picture for."""

    kind: ClassVar[str] = "explain"
    label: int = whole(-1, 4095)


MESSAGES = (Control, Missing, Configure, Choose, Draw, Hover, Unit, Ideal, Explain)
