"""The summary table of a network: each layer with its output shape and number of parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..errors import ArgumentError
from ..graph.shape import Shape
from ..modes import no_grad
from ..notebook import table
from ..parameter import Parameter
from ..trace_call import TensorSpec, trace_args


class Layer(Protocol):
    """What the summary asks a module."""

    def describe(self) -> str:
        """The module without its children, as text."""

    def children(self) -> Sequence[Any]:
        """The modules that it holds."""

    def __call__(self, *args: Any) -> Any:
        """The output."""


@dataclass(frozen=True)
class Row:
    """One module: its path and text, the shape of its (first) output or None, and the number of its own parameters."""

    path: str
    text: str
    output: Shape | None
    parameters: int


@dataclass(frozen=True)
class Summary:
    """The rows, outermost module first, and the number of (trainable) parameters; printing shows the table."""

    rows: tuple[Row, ...]
    parameters: int
    trainable: int

    def __repr__(self) -> str:
        lines = [("layer", "what", "output", "parameters")]
        lines += [(row.path, row.text, "" if row.output is None else str(row.output), f"{row.parameters:,}") for row in self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(4)]
        formats = [f"<{width}" for width in widths[:3]] + [f">{widths[3]}"]
        table = ["  ".join(format(text, spec) for text, spec in zip(line, formats)) for line in lines]
        return "\n".join([table[0], "-" * len(table[0]), *table[1:], "-" * len(table[0]), self.total()])

    def _repr_html_(self) -> str:
        """The table, in a notebook."""
        rows = [[row.path, row.text, "" if row.output is None else str(row.output), f"{row.parameters:,}"] for row in self.rows]
        return table(["layer", "what", "output", "parameters"], rows, self.total())

    def total(self) -> str:
        frozen = self.parameters - self.trainable
        return f"{self.parameters:,} parameters" + (f", {frozen:,} of them frozen" if frozen else "")


Modules = Sequence[tuple[str, Layer, list[Parameter]]]  # (path, module, its own parameters)


def summarize(root: Layer, modules: Modules, examples: Iterable[Any] | None) -> Summary:
    """The summary of `root`, whose modules are `modules`, called with `examples` (shapes, arrays or tensors); None: not called."""
    shapes = {} if examples is None else output_shapes(root, [module for _, module, _ in modules], examples)
    known: dict[int, Parameter] = {}
    rows = []
    for path, module, own in modules:
        new = {id(parameter): parameter for parameter in own if id(parameter) not in known}
        known.update(new)
        text = module.describe() if len(modules) == 1 or not module.children() else type(module).__name__
        rows.append(Row(path, text, shapes.get(path), sum(parameter.size for parameter in new.values())))
    trainable = sum(parameter.size for parameter in known.values() if parameter.requires_grad)
    return Summary(tuple(rows), sum(parameter.size for parameter in known.values()), trainable)


def output_shapes(root: Layer, modules: Sequence[Layer], examples: Iterable[Any]) -> dict[str, Shape]:
    """The output shape of every module by path; tracing computes nothing and changes no state."""
    with eval_mode(modules), trace_args(*map(example_spec, examples)) as call, no_grad():
        root(*call.args)
    return {path: tuple(node.shape) for path, node in call.trace.notes.items()}


def example_spec(example: Any) -> TensorSpec:
    """The spec of an input, given as its shape or as an array like it."""
    if isinstance(example, (tuple, list)) and all(isinstance(n, (int, np.integer)) for n in example):
        return TensorSpec(tuple(int(n) for n in example), np.float32)
    if hasattr(example, "shape") and hasattr(example, "dtype"):
        return TensorSpec(tuple(example.shape), example.dtype)
    raise ArgumentError(f"summary: {example!r} is neither a shape nor an example",
                        repair="pass the shape of a batch, such as (1, 1, 28, 28), or an example array")


@contextmanager
def eval_mode(modules: Sequence[Layer]) -> Iterator[None]:
    """All modules in eval mode; afterwards restored, without a notification of changes."""
    before = [(vars(module), vars(module).get("training")) for module in modules]
    for attributes, _ in before:
        attributes["training"] = False
    try:
        yield
    finally:
        for attributes, training in before:
            attributes.pop("training") if training is None else attributes.update(training=training)
