"""What the engines of pages that watch a training have in common: play, pause and step, tasks that block, and frames of named parts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from .engine import Frame
from .live import LiveTraining, Part, Parts, Tasks
from .messages import Attached, Message, Text, choice, items


@dataclass(frozen=True)
class Control(Message):
    """Play, pause, do one step, or start again with new weights."""

    kind: ClassVar[str] = "control"
    action: str = choice("play", "pause", "step", "reset")


@dataclass(frozen=True)
class Missing(Message):
    """Send these parts again: the page did not show the frame that had them."""

    kind: ClassVar[str] = "missing"
    parts: tuple[str, ...] = items(Text(20), 20)


class LiveScene(Protocol):
    """What every such page shows: whether it trains, and what it waits for."""

    playing: bool
    task: str  # in words; empty where nothing is waited for

    @property
    def trains(self) -> bool:
        """Whether there is a model."""


class LiveEngine(ABC):
    """A training that is watched: a page's engine adds its own messages, tasks and parts.

    HANDLERS  the method of each type of message; a page extends it
    DRAWN     parts that change with every step
    """

    HANDLERS: ClassVar[Mapping[type[Message], Callable[[Any, Any], None]]]
    DRAWN: ClassVar[Sequence[str]]
    scene: LiveScene

    def __init__(self, parts: Sequence[str]) -> None:
        self.parts, self.tasks = Parts(parts), Tasks()

    # What a page adds

    @property
    @abstractmethod
    def live(self) -> LiveTraining:
        """The training whose turn it is; ArgumentError before there is one."""

    @property
    def compiling(self) -> str:
        """What the first step of a training spends its time on."""
        return "compiling the training step"

    @abstractmethod
    def restart(self) -> None:
        """Begin again with new weights."""

    @abstractmethod
    def trained(self, at_once: bool) -> None:
        """Mark what steps changed: `at_once`, or not more often than it is worth."""

    @abstractmethod
    def part(self, name: str) -> Part:
        """One part of a frame."""

    # Messages

    def handle(self, message: Message) -> Frame | None:
        """Do what the page asks."""
        self.HANDLERS[type(message)](self, message)
        return None

    def attached(self, message: Attached) -> None:
        """A page is there, and knows nothing."""
        self.parts.resend()

    def missing(self, message: Missing) -> None:
        """A page missed something."""
        self.parts.resend(*(name for name in message.parts if name in self.parts.versions))

    def control(self, message: Control) -> None:
        """Play, pause, one step, or new weights."""
        self.scene.playing = message.action == "play"
        if message.action == "step":
            self.tasks.add("a step of training", self.one_step)
        if message.action == "reset":
            self.restart()
        if message.action == "pause" and self.scene.trains:
            self.trained(at_once=True)
        self.parts.change("status")

    # Work

    def one_step(self) -> None:
        """A single step of training, which may have to be compiled."""
        self.train(lambda live: live.run(1))

    def train(self, advance: Callable[[LiveTraining], int]) -> None:
        """Advance the training whose turn it is, and mark what that changes; where it fails, the training pauses."""
        try:
            done = advance(self.live)
        except Exception:
            self.scene.playing = False
            self.parts.change("status", *self.DRAWN)
            raise
        if done:
            self.trained(at_once=not self.scene.playing)

    def advance(self, seconds: float, speed: float) -> bool:
        """The next task, or a slice of the training; whether there is more to do at once."""
        if self.tasks.waiting:
            self.tasks.run_next()
            self.parts.change("status")
        elif self.scene.playing and self.scene.trains:
            if self.live.steps:
                self.train(lambda live: live.advance(seconds, speed))
            else:
                self.tasks.add(self.compiling, self.one_step)
        return bool(self.tasks.waiting) or self.scene.playing

    # Frames

    def frame(self) -> Frame | None:
        """The parts that changed; before there is a model, only the status, which is known without one."""
        self.scene.task, self.tasks.shown = self.tasks.text, True
        names = self.parts.take(None if self.scene.trains else ("status",))
        return self.parts.frame({name: self.part(name) for name in names}) if names else None


LiveEngine.HANDLERS = {Attached: LiveEngine.attached, Missing: LiveEngine.missing, Control: LiveEngine.control}
