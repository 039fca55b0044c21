"""The messages of the playground's page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..messages import LONGEST, Message, Record, Text, choice, flag, items, number, record, text, whole
from .settings import LONGEST_TRAINING, MOST_LAYERS, MOST_UNITS, Settings

MOST_EVENTS = 2000
FASTEST = 100_000


@dataclass(frozen=True)
class Change:
    """A change by hand: of the learning rate (layer -1), or of a weight or bias (column -1)."""

    value: float = number(-1e6, 1e6)
    layer: int = whole(-1, MOST_LAYERS, default=-1)
    row: int = whole(0, MOST_UNITS, default=0)
    column: int = whole(-1, MOST_UNITS, default=-1)
    step: int = whole(0, LONGEST_TRAINING, default=0)


@dataclass(frozen=True)
class Configure(Message):
    """Begin anew with these settings; with a link's changes and steps, go on to the step where it was made."""

    kind: ClassVar[str] = "configure"
    settings: Settings = record(Settings)
    changes: tuple[Change, ...] = items(Record(Change), MOST_EVENTS, default=())
    steps: int = whole(0, LONGEST_TRAINING, default=0)


@dataclass(frozen=True)
class Play(Message):
    """Go on, or pause; `speed` is in epochs per second, 0 as fast as possible."""

    kind: ClassVar[str] = "play"
    on: bool = flag()
    speed: float = number(0, FASTEST, default=0)


@dataclass(frozen=True)
class Advance(Message):
    """Do a step, or all steps of an epoch."""

    kind: ClassVar[str] = "advance"
    unit: str = choice("step", "epoch", default="step")


@dataclass(frozen=True)
class Seek(Message):
    """Show a step that was done."""

    kind: ClassVar[str] = "seek"
    step: int = whole(0, 2**31)


@dataclass(frozen=True)
class Branch(Message):
    """Go on from the step that is shown."""

    kind: ClassVar[str] = "branch"


@dataclass(frozen=True)
class Edit(Message):
    """Change the rate, a weight or a bias."""

    kind: ClassVar[str] = "edit"
    change: Change = record(Change)


@dataclass(frozen=True)
class Undo(Message):
    """Take the last change by hand back."""

    kind: ClassVar[str] = "undo"


@dataclass(frozen=True)
class Show(Message):
    """Whether gradients are drawn."""

    kind: ClassVar[str] = "show"
    gradients: bool = flag(default=False)


@dataclass(frozen=True)
class Read(Message):
    """Read a CSV; columns: of x1, x2 and the target, or none for a guess."""

    kind: ClassVar[str] = "read"
    text: str = text(LONGEST)
    columns: tuple[str, ...] = items(Text(200), 3, default=())


@dataclass(frozen=True)
class TakeHome(Message):
    """The program, the weights, or what a link must hold, of the step that is shown."""

    kind: ClassVar[str] = "take"
    what: str = choice("program", "weights", "link")


MESSAGES = (Configure, Play, Advance, Seek, Branch, Edit, Undo, Show, Read, TakeHome)

