"""The engine of the page of sequences: what the page asks for, work in small slices, and frames of what changed."""

from __future__ import annotations

import dataclasses

from ...errors import ArgumentError
from ..engine import Context
from ..live import Every, LiveTraining, Part
from ..live_engine import LiveEngine
from .frames import PARTS, write
from .messages import Configure, Paste, Read, Unit, Write
from .scene import RECURRENT, Model, Scene
from .texts import BUILT_IN, Corpus, corpus_named, pasted_corpus
from .writer import Sample, keep

DEFAULT = Configure(network="lstm", source="shakespeare", hidden=64, context=48, batch=16, rate=0.003, forget=1.0, seed=0, speed=0.0)


class SequencesEngine(LiveEngine):
    """Trains a character model on a text, lets it write, and shows what happens inside while it reads."""

    DRAWN = ("curve",)
    scene: Scene

    def __init__(self, context: Context) -> None:
        super().__init__(PARTS)
        self.scene = Scene(DEFAULT)
        self.pasted = BUILT_IN
        self.corpus: Corpus | None = None
        self.shown_often, self.measured_often, self.wrote_often = Every(0.15), Every(1.5), Every(2.5)
        self.restart()

    # Messages

    def configure(self, message: Configure) -> None:
        """New settings: rate and speed hold from the next step on, networks to compare join, others begin the training anew."""
        before, self.scene.settings = self.scene.settings, message
        if dataclasses.replace(message, rate=before.rate, speed=before.speed, compare=before.compare) != before:
            self.restart()
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
        self.restart()

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

    @property
    def live(self) -> LiveTraining:
        """The training of the network that is behind; ArgumentError before there is one."""
        return self.ready().behind.live

    @property
    def compiling(self) -> str:
        """What the first step spends its time on, and for which network."""
        return f"{super().compiling} ({self.ready().behind.kind})"

    # Work

    def restart(self) -> None:
        """Begin again with a new network."""
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
        return self.advance(seconds, self.scene.settings.speed)

    def close(self) -> None:
        """Nothing is held beyond memory."""

    def part(self, name: str) -> Part:
        """One part of a frame."""
        return write(self.scene, name)


SequencesEngine.HANDLERS = {
    **LiveEngine.HANDLERS,
    Configure: SequencesEngine.configure, Paste: SequencesEngine.paste, Read: SequencesEngine.read, Write: SequencesEngine.write,
    Unit: SequencesEngine.choose_unit}
