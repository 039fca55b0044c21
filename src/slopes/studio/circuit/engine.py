"""The engine of the circuit page: a text, the graph that it means, and what the page shows of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from ...errors import ArgumentError
from ...view.chain import Chain
from ...view.circuit import draw
from ..engine import Context, Frame
from ..messages import Attached, Message
from .compute import Graph, make_graph, work_through
from .grammar import ExpressionError
from .messages import ChoosePreset, OpenFunctions, Save, SetValue, Write
from .presets import FIRST, PRESETS
from .python_text import python_text
from .read import read
from .scene import make_scene, remarks

NO_CIRCUIT = ArgumentError("there is no circuit", why="the text has an error", repair="correct it first", where="")


class CircuitEngine:
    """One text and its circuit; after an error in the text the last circuit stays."""

    def __init__(self, context: Context) -> None:
        self.text, self.opened = PRESETS[FIRST].text, False
        self.graph: Graph | None = None
        self.chain: Chain | None = None
        self.error: ExpressionError | None = None
        self.changed = False
        self.compute()

    def handle(self, message: Message) -> Frame | None:
        """Do what the page asks."""
        match message:
            case Attached():
                self.changed = True
            case Write():
                self.text = message.text
                self.compute()
            case SetValue():
                self.set_value(message)
            case OpenFunctions():
                self.opened = message.on
                self.compute()
            case ChoosePreset():
                self.text, self.opened = PRESETS[message.name].text, False
                self.compute()
            case Save():
                return self.saved(message.form)
        return None

    def compute(self) -> None:
        """Read the text, and work through what it means."""
        self.changed = True
        try:
            graph = make_graph(read(self.text))
            self.chain, self.graph, self.error = work_through(graph, self.opened), graph, None
        except ExpressionError as error:
            self.error = error

    def set_value(self, message: SetValue) -> None:
        """Write other numbers into the text; a message that came after another text was written is out of date."""
        value = self.graph.program.values.get(message.name) if self.graph is not None and self.error is None else None
        if self.graph is not None and value is not None and value.array.size == len(message.numbers):
            self.text = self.graph.program.with_value(message.name, np.reshape(message.numbers, value.array.shape))
            self.compute()

    def saved(self, form: str) -> Frame:
        """A file to take home."""
        if self.graph is None or self.chain is None or self.error is not None:
            raise NO_CIRCUIT
        name = self.graph.program.result
        if form == "svg":
            return Frame({"kind": "file", "name": f"{name}.svg", "type": "image/svg+xml", "text": draw(self.chain, name)})
        return Frame({"kind": "file", "name": f"{name}.py", "type": "text/x-python", "text": python_text(self.graph)})

    def step(self, seconds: float) -> bool:
        """There is nothing to do between messages."""
        return False

    def frame(self) -> Frame | None:
        """Text, values, circuit and error."""
        if not self.changed:
            return None
        self.changed = False
        return Frame({"kind": "circuit", "text": self.text, "opened": self.opened, "error": self.error_fields(), **self.circuit_fields(),
                      "presets": [asdict(preset) for preset in PRESETS.values()]})

    def error_fields(self) -> dict[str, Any] | None:
        """What is wrong with the text, and where."""
        if self.error is None:
            return None
        start, end = self.error.span
        return {"what": self.error.what, "why": self.error.why, "repair": self.error.repair, "start": start, "end": end}

    def circuit_fields(self) -> dict[str, Any]:
        """The last circuit that could be computed."""
        if self.graph is None or self.chain is None:
            return {"scene": None, "values": [], "result": "", "functions": False, "remarks": []}
        values = [{"name": name, "shape": list(value.array.shape), "numbers": value.array.reshape(-1).tolist()}
                  for name, value in self.graph.program.values.items()]
        unused = self.graph.unused()
        notes = [f"not part of {self.graph.program.result}: {', '.join(unused)}"] if unused else []
        return {"scene": make_scene(self.chain), "values": values, "result": self.graph.program.result,
                "functions": bool(self.graph.functions), "remarks": [*notes, *remarks(self.chain)]}

    def close(self) -> None:
        """Nothing is held."""
