"""What the page of sequences may ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..live_engine import Control, Missing
from ..messages import Message, choice, flag, number, text, whole

KINDS = ("rnn", "gru", "lstm", "transformer")
LONGEST_TEXT = 200_000  # characters that can be pasted
SHORTEST_READING, LONGEST_READING = 3, 96  # characters that are looked at, step by step


@dataclass(frozen=True)
class Configure(Message):
    """All settings of the training; of these, rate and speed change while it goes on, `compare` adds networks of the other kinds, and
    the others begin it anew."""

    kind: ClassVar[str] = "configure"
    network: str = choice(*KINDS)
    source: str = choice("shakespeare", "built-in", "pasted")
    hidden: int = whole(4, 256)
    context: int = whole(8, 128)
    batch: int = whole(1, 256)
    rate: float = number(1e-6, 1)
    forget: float = number(-4, 4)
    seed: int = whole(0, 2**31 - 1)
    speed: float = number(0, 1000)
    compare: bool = flag(False)


@dataclass(frozen=True)
class Paste(Message):
    """Learn this text."""

    kind: ClassVar[str] = "paste"
    text: str = text(LONGEST_TEXT)


@dataclass(frozen=True)
class Read(Message):
    """Read this text step by step, and show what happens."""

    kind: ClassVar[str] = "read"
    text: str = text(LONGEST_READING)


@dataclass(frozen=True)
class Write(Message):
    """Continue this prompt, now and from time to time."""

    kind: ClassVar[str] = "write"
    prompt: str = text(200)
    temperature: float = number(0.05, 3)


@dataclass(frozen=True)
class Unit(Message):
    """Show a unit of the hidden state in the unrolled graph."""

    kind: ClassVar[str] = "unit"
    unit: int = whole(0, 1023)


MESSAGES = (Control, Missing, Configure, Paste, Read, Write, Unit)
