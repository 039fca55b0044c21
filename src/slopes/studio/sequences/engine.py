"""The engine of the page of sequences: what the page asks for, work in small slices, and frames of what changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from ...errors import ArgumentError
from ..engine import Context, Frame
from ..live import Every, LiveTraining, Parts, Tasks
from ..messages import Attached, Message
from .frames import PARTS, WITHOUT_MODEL, write
from .messages import Configure, Control, Missing, Paste, Read, Unit, Write
from .scene import RECURRENT, Model, Scene
from .texts import BUILT_IN, Corpus, corpus_named, pasted_corpus
from .writer import Sample, keep

DEFAULT = Configure(network="lstm", source="shakespeare", hidden=64, context=48, batch=16, rate=0.003, forget=1.0, seed=0, speed=0.0)


class SequencesEngine:
    """Trains a character model on a text, lets it write, and shows what happens inside while it reads."""

    def __init__(self, context: Context) -> None:
        self.scene = Scene(DEFAULT)
        self.parts, self.tasks = Parts(PARTS), Tasks()
        self.pasted = BUILT_IN
        self.corpus: Corpus | None = None
        self.shown_often, self.measured_often, self.wrote_often = Every(0.15), Every(1.5), Every(2.5)
        self.begin()

    # Messages

    def handle(self, message: Message) -> Frame | None:
        """Do what the page asks."""
        HANDLERS[type(message)](self, message)
        return None

    def attached(self, message: Attached) -> None:
        """A page is there, and knows nothing."""
        self.parts.resend()

    def missing(self, message: Missing) -> None:
        """A page missed something."""
        self.parts.resend(*(name for name in message.parts if name in PARTS))

    def control(self, message: Control) -> None:
        """Play, pause, one step, or new weights."""
        self.scene.playing = message.action == "play"
        if message.action == "step":
            self.tasks.add("a step of training", lambda: self.train(lambda live: live.run(1)))
        if message.action == "reset":
            self.begin()
        if message.action == "pause" and self.scene.model is not None:
            self.trained(at_once=True)
        self.parts.change("status")

    def configure(self, message: Configure) -> None:
        """New settings: rate and speed hold from the next step on, networks to compare join, others begin the training anew."""
        before, self.scene.settings = self.scene.settings, message
        if dataclasses.replace(message, rate=before.rate, speed=before.speed, compare=before.compare) != before:
            self.begin()
        elif self.scene.model is not None:
            for learner in self.scene.model.learners if message.rate != before.rate else ():
                learner.live.training.rate = message.rate
            if message.compare != before.compare:
                self.compare(self.scene.model, message.compare)
        self.parts.change("status")

    def paste(self, message: Paste) -> None:
        """Learn a text of the user's."""
        pasted_corpus(message.text)  # raises before anything is changed
        self.pasted = message.text
        self.scene.settings = dataclasses.replace(self.scene.settings, source="pasted")
        self.begin()

    def read(self, message: Read) -> None:
        """Look at another text."""
        self.scene.reading = message.text
        self.parts.change("reading", "graph", "gradients")

    def write(self, message: Write) -> None:
        """Write now."""
        self.scene.prompt, self.scene.temperature = message.prompt, message.temperature
        if self.scene.model is not None:
            self.tasks.add("writing", self.add_sample)

    def choose_unit(self, message: Unit) -> None:
        """Look at another unit."""
        self.scene.unit = message.unit
        self.parts.change("graph")

    def ready(self) -> Model:
        """The model; ArgumentError before there is one."""
        if self.scene.model is None:
            raise ArgumentError("there is no network yet", repair="wait until it is compiled")
        return self.scene.model

    # Work

    def begin(self) -> None:
        """Start again with a new network."""
        self.tasks.clear()
        self.tasks.add("reading the text", self.read_corpus)
        self.tasks.add("compiling the network", self.build)
        self.tasks.add("the first sample", self.add_sample)
        if self.scene.settings.compare:
            self.tasks.add("compiling the networks to compare", lambda: self.compare(self.ready(), True))
        self.parts.change("status")

    def read_corpus(self) -> None:
        """The text that is learned."""
        self.corpus = corpus_named(self.scene.settings.source, self.pasted)

    def build(self) -> None:
        """A new network and its training."""
        assert self.corpus is not None, "read before"
        self.scene.model = Model(self.corpus, self.scene.settings)
        self.scene.samples = []
        self.scene.model.measure()
        self.parts.change(*PARTS)

    def compare(self, model: Model, on: bool) -> None:
        """Let the other recurrent networks learn as well, or no longer."""
        model.drop_others()
        for kind in RECURRENT if on else ():
            if kind != model.main.kind:
                model.add(kind)
        self.parts.change("curve", "gradients")

    def train(self, advance: Callable[[LiveTraining], int]) -> None:
        """Advance the training that is behind, and mark what it changes."""
        try:
            done = advance(self.ready().behind.live)
        except Exception:
            self.scene.playing = False
            self.parts.change("status", "curve")
            raise
        if done:
            self.trained(at_once=not self.scene.playing)

    def trained(self, at_once: bool) -> None:
        """Mark what steps changed: not more often than it is worth."""
        if self.shown_often.due() or at_once:
            self.parts.change("curve", "reading", "graph", "gradients")
        if self.measured_often.due() or at_once:
            self.ready().measure()
        if self.wrote_often.due() or at_once:
            self.add_sample()

    def add_sample(self) -> None:
        """Write, and keep what was written."""
        model, scene = self.ready(), self.scene
        written = model.writer.write(scene.prompt, scene.temperature)
        sample = Sample(model.main.live.steps, scene.prompt, written, scene.temperature)
        others = [earlier for earlier in scene.samples if earlier.step != sample.step]
        scene.samples = keep([*others, sample])
        self.parts.change("writing")

    def step(self, seconds: float) -> bool:
        """The next task, or a slice of the training."""
        if self.tasks.waiting:
            self.tasks.run_next()
            self.parts.change("status")
        elif self.scene.playing and self.scene.model is not None:
            learner = self.scene.model.behind
            if learner.live.steps:
                self.train(lambda live: live.advance(seconds, self.scene.settings.speed))
            else:
                self.tasks.add(f"compiling the training step ({learner.kind})", lambda: self.train(lambda live: live.run(1)))
        return bool(self.tasks.waiting) or self.scene.playing

    def close(self) -> None:
        """Nothing is held beyond memory."""

    # Frames

    def frame(self) -> Frame | None:
        """The parts that changed; before there is a model, only what is known without one."""
        self.scene.task, self.tasks.shown = self.tasks.text, True
        names = self.parts.take(WITHOUT_MODEL if self.scene.model is None else None)
        return self.parts.frame({name: write(self.scene, name) for name in names}) if names else None


HANDLERS: dict[type[Message], Callable[[SequencesEngine, Any], None]] = {
    Attached: SequencesEngine.attached, Missing: SequencesEngine.missing, Control: SequencesEngine.control,
    Configure: SequencesEngine.configure, Paste: SequencesEngine.paste, Read: SequencesEngine.read, Write: SequencesEngine.write,
    Unit: SequencesEngine.choose_unit}
