"""The messages of the circuit's page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..messages import Message, Number, choice, flag, items, text
from .grammar import LONGEST, LONGEST_NAME, MOST_ELEMENTS
from .presets import PRESETS

LARGEST = 1e9  # of a value that is set


@dataclass(frozen=True)
class Write(Message):
    """Another text."""

    kind: ClassVar[str] = "write"
    text: str = text(LONGEST)


@dataclass(frozen=True)
class SetValue(Message):
    """Other numbers for a value, row by row."""

    kind: ClassVar[str] = "value"
    name: str = text(LONGEST_NAME)
    numbers: tuple[float, ...] = items(Number(-LARGEST, LARGEST), most=MOST_ELEMENTS, least=1)


@dataclass(frozen=True)
class OpenFunctions(Message):
    """Show what functions consist of, or each as one gate."""

    kind: ClassVar[str] = "open"
    on: bool = flag()


@dataclass(frozen=True)
class ChoosePreset(Message):
    """One of the texts to begin with."""

    kind: ClassVar[str] = "preset"
    name: str = choice(*PRESETS)


@dataclass(frozen=True)
class Save(Message):
    """The circuit as a picture, or as a program in Python."""

    kind: ClassVar[str] = "save"
    form: str = choice("svg", "python")


MESSAGES = (Write, SetValue, OpenFunctions, ChoosePreset, Save)
