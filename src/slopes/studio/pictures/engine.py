"""The engine of the page of pictures: what the page asks for, work in small slices, and frames of what changed."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from ...errors import ArgumentError, OutOfRangeError
from ...inside.maximise import maximise
from ..engine import Context
from ..live import Every, LiveTraining, Part
from ..live_engine import LiveEngine
from .datasets import PictureData, first_choice, source_named, sources
from .drawing import condition
from .frames import PARTS, write
from .messages import Choose, Configure, Draw, Explain, Hover, Ideal, Unit
from .model import Model
from .probe import LayerFacts
from .scene import Scene

DEFAULTS: dict[str, Any] = {"filters": 8, "optimizer": "adam", "rate": 0.001, "batch": 32, "examples": 10_000, "seed": 0, "speed": 0.0}
IDEAL_STEPS = 120


class PicturesEngine(LiveEngine):
    """Trains a LeNet on pictures, and shows what happens inside of it for one picture that was chosen or drawn."""

    DRAWN = ("curve", "maps", "filters")
    scene: Scene

    def __init__(self, context: Context) -> None:
        super().__init__(PARTS)
        offered = sources(context.shared.get("pictures"))
        self.scene = Scene(offered, Configure(data=first_choice(offered), **DEFAULTS))
        self.data: PictureData | None = None
        self.shown_often, self.measured_often, self.searched_often = Every(0.08), Every(0.5), Every(1.5)
        self.begin(read=True)

    # Messages

    def configure(self, message: Configure) -> None:
        """New settings: rate and speed hold from the next step on, others begin the training anew."""
        source_named(self.scene.sources, message.data)
        before, self.scene.settings = self.scene.settings, message
        if dataclasses.replace(message, rate=before.rate, speed=before.speed) != before:
            self.begin(read=(message.data, message.examples) != (before.data, before.examples))
        elif message.rate != before.rate and self.scene.model is not None:
            self.scene.model.live.training.rate = message.rate
        self.parts.change("status")

    def choose(self, message: Choose) -> None:
        """Show another picture."""
        data = self.ready().data
        length = {"test": len(data.test), "training": len(data.train), "drawn": int(self.scene.drawing.size > 0)}[message.role]
        if message.index >= length:
            raise OutOfRangeError(f"there is no {message.role} picture {message.index}", why=f"there are {length:,}")
        self.show_picture(message.role, message.index)

    def draw(self, message: Draw) -> None:
        """Show what was drawn, made like the pictures of the data set."""
        data = self.ready().data
        picture = condition(message.strokes, data.conditioning)
        self.scene.drawing = np.ascontiguousarray(np.broadcast_to(picture, data.shape))
        self.show_picture("drawn", 0)

    def show_picture(self, role: str, index: int) -> None:
        """All that depends on the chosen picture is shown anew."""
        self.scene.role, self.scene.index, self.scene.target = role, index, -1
        self.parts.change("picture", "maps", "saliency")

    def hover(self, message: Hover) -> None:
        """Show what a unit sees."""
        layer = self.layer_at(message.layer)
        if not layer.spatial or message.row >= layer.shape[1] or message.column >= layer.shape[2]:
            raise OutOfRangeError(f"{layer.path} has no unit at row {message.row}, column {message.column}",
                                  why=f"its output is {layer.shape}")
        self.scene.hovered = (message.layer, message.row, message.column)
        self.parts.change("field")

    def choose_unit(self, message: Unit) -> None:
        """Show the favourite inputs of a unit."""
        layer = self.layer_at(message.layer)
        if message.unit >= layer.shape[0]:
            raise OutOfRangeError(f"{layer.path} has no unit {message.unit}", why=f"it has {layer.shape[0]}")
        self.scene.unit, self.scene.ideal = (message.layer, message.unit), None
        self.parts.change("favourites", "ideal")

    def make_ideal(self, message: Ideal) -> None:
        """Gradient ascent for the chosen unit."""
        layer, unit = self.scene.unit
        self.tasks.add(f"gradient ascent for unit {unit} of {self.layer_at(layer).path}", self.run_ideal)
        self.parts.change("status")

    def explain(self, message: Explain) -> None:
        """Show the saliency for a class."""
        classes = self.ready().data.classes
        if message.label >= len(classes):
            raise OutOfRangeError(f"there is no class {message.label}", why=f"there are {len(classes)}")
        self.scene.target = message.label
        self.parts.change("saliency")

    def layer_at(self, index: int) -> LayerFacts:
        """The layer of this index."""
        layers = self.ready().layers
        if index >= len(layers):
            raise OutOfRangeError(f"there is no layer {index}", why=f"the network has {len(layers)}")
        return layers[index]

    def ready(self) -> Model:
        """The model; ArgumentError before there is one."""
        if self.scene.model is None:
            raise ArgumentError("no pictures were read yet", repair="wait until they are, or choose other data")
        return self.scene.model

    @property
    def live(self) -> LiveTraining:
        """The training; ArgumentError before there is one."""
        return self.ready().live

    # Work

    def restart(self) -> None:
        """Begin again with new weights."""
        self.begin(read=False)

    def begin(self, read: bool) -> None:
        """Start again, with other data where `read`."""
        self.tasks.clear()
        if read:
            source = source_named(self.scene.sources, self.scene.settings.data)
            self.tasks.add(f"reading {source.title}" + (f": {source.problem}" if source.problem else ""), self.read)
        self.tasks.add("compiling the network", self.build)
        self.parts.change("status")

    def read(self) -> None:
        """Read the pictures; where that fails, everything stays as it was."""
        try:
            self.data = source_named(self.scene.sources, self.scene.settings.data).read(self.scene.settings.examples)
        except Exception:
            self.tasks.clear()
            self.scene.playing = False
            self.scene.settings = self.scene.settings if self.scene.model is None else self.scene.model.settings
            self.parts.change("status")
            raise

    def build(self) -> None:
        """A new network and its training."""
        assert self.data is not None, "read before"
        same_data = self.scene.model is not None and self.scene.model.data is self.data
        self.scene.model = Model(self.data, self.scene.settings)
        layers = self.scene.model.layers
        if not same_data:
            self.scene.role, self.scene.index, self.scene.target = "test", 0, -1
        if self.scene.unit[0] >= len(layers) or self.scene.unit[1] >= layers[self.scene.unit[0]].shape[0]:
            self.scene.unit = (0, 0)
        self.scene.ideal = self.scene.hovered = None
        self.parts.change(*PARTS)

    def trained(self, at_once: bool) -> None:
        """Mark what steps changed: not more often than it is worth."""
        if self.shown_often.due() or at_once:
            self.parts.change(*self.DRAWN)
        if self.measured_often.due() or at_once:
            self.ready().measure()
            self.parts.change("test", "saliency")
        if self.searched_often.due() or at_once:
            self.parts.change("favourites")

    def run_ideal(self) -> None:
        """The picture that excites the chosen unit."""
        model, (layer, unit) = self.ready(), self.scene.unit
        self.scene.ideal = maximise(model.net, model.data.shape, [unit], model.layers[layer].path, steps=IDEAL_STEPS)
        self.parts.change("ideal")

    def step(self, seconds: float) -> bool:
        """The next task, or a slice of the training."""
        return self.advance(seconds, self.scene.settings.speed)

    def close(self) -> None:
        """Nothing is held beyond memory."""

    def part(self, name: str) -> Part:
        """One part of a frame."""
        return write(self.scene, name)


PicturesEngine.HANDLERS = {
    **LiveEngine.HANDLERS,
    Configure: PicturesEngine.configure, Choose: PicturesEngine.choose, Draw: PicturesEngine.draw, Hover: PicturesEngine.hover,
    Unit: PicturesEngine.choose_unit, Ideal: PicturesEngine.make_ideal, Explain: PicturesEngine.explain}
