"""The messages of the playground's page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..messages import Message, flag


@dataclass(frozen=True)
class Play(Message):
    """Go on, or pause."""

    kind: ClassVar[str] = "play"
    on: bool = flag()


MESSAGES = (Play,)
