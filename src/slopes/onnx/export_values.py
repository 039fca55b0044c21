"""The values and calls of an ONNX graph while it is built: named only at the end, when it is known which of them are needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..graph.dtype import DType
from .export_sizes import Sizes


@dataclass(eq=False)
class Value:
    """A value of the graph: an input, an initializer or constant (with its array), or an output of a call.

    `is_constant`: a float array that no layer owns, which must not be taken for a weight by who reads the model.
    """

    dtype: DType
    shape: Sizes
    name: str = ""
    array: np.ndarray | None = None
    call: Call | None = None
    is_constant: bool = False


@dataclass(eq=False)
class Call:
    """A call of an ONNX operator on values; `layer` is the path of the slopes layer that it belongs to.

    An input that is None is an optional one left out. `bodies` are graphs among its attributes.
    """

    operator: str
    inputs: tuple[Value | None, ...]
    attributes: Mapping[str, Any]
    layer: str
    outputs: list[Value] = field(default_factory=list)
    bodies: Mapping[str, Subgraph] = field(default_factory=dict)
    name: str = ""

    def __post_init__(self) -> None:
        """Optional inputs at the end are left out altogether."""
        while self.inputs and self.inputs[-1] is None:
            self.inputs = self.inputs[:-1]

    def reads(self) -> Iterator[Value]:
        """The values that it reads, those that its graphs read included."""
        yield from (value for value in self.inputs if value is not None)
        for body in self.bodies.values():
            yield from body.reads()


@dataclass(eq=False)
class Subgraph:
    """A graph with inputs and outputs: the whole model, or the body of a loop."""

    inputs: list[Value]
    outputs: list[Value]
    calls: list[Call]

    def reads(self) -> Iterator[Value]:
        """All values that its outputs and calls read."""
        yield from self.outputs
        for call in self.calls:
            yield from call.reads()

    def drop_unused(self) -> None:
        """Remove the calls that no output needs."""
        needed = set(self.outputs)
        kept = []
        for call in reversed(self.calls):
            if not needed.isdisjoint(call.outputs):
                for body in call.bodies.values():
                    body.drop_unused()
                needed.update(call.reads())
                kept.append(call)
        self.calls = kept[::-1]

    def all_calls(self) -> Iterator[Call]:
        """Its calls, those of the bodies of loops included."""
        for call in self.calls:
            yield call
            for body in call.bodies.values():
                yield from body.all_calls()

    def arrays(self) -> list[Value]:
        """The initializers and constants that are read, in order of first use."""
        return list(dict.fromkeys(value for value in self.reads() if value.array is not None))


class Names:
    """Distinct names: `net[0]/Add`, and `net[0]/Add_2` for the next one."""

    def __init__(self, taken: Iterable[str]) -> None:
        self.counts = dict.fromkeys(taken, 1)

    def new(self, text: str) -> str:
        name = text
        while name in self.counts:
            self.counts[text] += 1
            name = f"{text}_{self.counts[text]}"
        self.counts[name] = 1
        return name


def assign_names(graph: Subgraph) -> None:
    """Name every value that has no name yet after the layer and the operator that compute it."""
    named = [*graph.inputs, *graph.outputs, *graph.arrays()]
    values, calls = Names(value.name for value in named if value.name), Names(())
    for value in graph.arrays():
        value.name = value.name or values.new("constant")
    for call in graph.all_calls():
        text = f"{call.layer}/{call.operator}" if call.layer else call.operator
        call.name = calls.new(text)
        for body in call.bodies.values():
            for value in body.inputs:
                value.name = values.new(f"{text}/input")
        for value in call.outputs:
            value.name = value.name or values.new(text)
