"""Back-propagation explained: a table of values, gradients and products of the chain rule, and the same as a circuit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import GradientError
from ..graph.build import Variable
from ..graph.node import Node
from .boxes import title_of
from .chain import Chain, show
from .circuit import draw
from .drawing import Drawing
from .record import Recording, record, title_of_function


class Explanation(Chain, Drawing):
    """Values and gradients of one computation; prints as a table, shows itself as a circuit in a notebook.

    `values` and `gradients` map the user's names to arrays, `steps` are the products of the chain rule in the order in which
    back-propagation takes them. `svg` is the picture; `save(path)` writes it (.svg) or the table (.txt).
    """

    def __init__(self, recording: Recording, title: str) -> None:
        self.title = title
        super().__init__(recording)

    @property
    def values(self) -> dict[str, np.ndarray]:
        """The value under each name."""
        return {self.name(node): self.value_of[node] for node in self.nodes}

    @property
    def gradients(self) -> dict[str, np.ndarray]:
        """The derivative of the result with respect to each named value that it depends on."""
        return {self.name(node): self.gradient_of[node] for node in self.nodes if node in self.gradient_of}

    @property
    def text(self) -> str:
        """A table of values, then one line for each product of the chain rule."""
        return table(self)

    @property
    def svg(self) -> str:
        """The circuit, from left to right."""
        return draw(self, self.title)


def explain(f: Any, *values: Any, **named: Any) -> Explanation:
    """Work through `f(*values)` and its derivative by the chain rule, one operation at a time; f returns a single number.

    For every operation y = op(a, ...): product = (d f / d y) * (d y / d a), and the gradient of a is the sum of the products that
    arrive from its users. Python numbers become float64 inputs. Inputs that require a gradient and parameters are
    differentiated, or all inputs when none does. Raises GradientError when the result is not one floating-point number.

    >>> import slopes as sl
    >>> def f(x, y, z):
    ...     q = x + y
    ...     return q * z
    >>> shown = sl.explain(f, -2, 5, -4)
    >>> {name: float(gradient) for name, gradient in shown.gradients.items()}
    {'x': -4.0, 'y': -4.0, 'q': -4.0, 'z': 3.0, 'f': 1.0}
    """
    recording = record(f, values, named, True, dtype="float64")
    title = title_of_function(f)
    output = recording.outputs[0]
    if output.size != 1:
        raise GradientError(f"explain: {title} returned a tensor of shape {output.shape}",
                            why="the chain rule is shown for one number", repair="reduce the result first: .sum() or .mean()")
    return Explanation(recording, title)


# The table


def definition(node: Node, chain: Chain) -> str:
    """`q = add(x, y)`, or `x` for an input."""
    if node.op is Variable:
        return chain.name(node)
    return f"{chain.name(node)} = {title_of(node, node.args, chain.naming, dict.fromkeys(node.args))}"


def table(chain: Chain) -> str:
    """Both tables as text."""
    result = chain.name(chain.output)
    rows = [("node", "value", f"d {result} / d node")]
    slopes = {node: show(gradient) for node, gradient in chain.gradient_of.items()}
    rows += [(definition(node, chain), show(chain.value_of[node]), slopes.get(node, "")) for node in chain.nodes]
    products = [("backwards", "upstream", "local", "product")]
    products += [(f"{chain.name(step.node)} -> {chain.name(step.arg)}", show(step.upstream), show(step.local), show(step.product))
                 for step in chain.steps]
    return "\n".join([*aligned(rows), "", *aligned(products)])


def aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows)]
    cells = [[row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))] for row in rows]
    lines = ["  ".join(row).rstrip() for row in cells]
    return [lines[0], "-" * max(map(len, lines)), *lines[1:]]
