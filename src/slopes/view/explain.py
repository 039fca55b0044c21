"""Back-propagation shown as a circuit: each value, its local gradients, the gradient from above, and their products.

The picture is that of Stanford's CS231n ("backpropagation, intuitions"): values flow to the right, gradients to the left, and
each gate multiplies the gradient that arrives by its own local one. Slopes multiply.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ..errors import GradientError
from ..graph.build import Variable, constant
from ..graph.node import Node, Operation
from ..graph.walk import topological
from ..machine.reference import evaluate
from ..ops.elementwise import Add, Divide, Maximum, Minimum, Multiply, Negative, Subtract
from . import layout
from .boxes import MARK, Naming, inline, title_of
from .drawing import Drawing
from .graph import COLOURS, EDGE, INK, MARGIN, QUIET
from .record import Recording, record, title_of_function
from .svg import Canvas, Point, text_width

GREEN, RED, BLUE = "#15803d", "#c81e3a", "#1d5fa8"
JACOBIAN = 16  # local gradients of up to this many numbers are worked out
MOST = 150  # nodes of a circuit that can still be read
SMALL = 10.5
SHORT = 6  # numbers of an array that are written out
DRAWN = 4  # digits in the picture; the table has six


@dataclass(frozen=True)
class Step:
    """One product of the chain rule: the gradient of `node` from above, times the node's local gradient with respect to `arg`.

    `local` is d node / d arg: partial derivatives where the operation works element by element, otherwise a small Jacobian of
    shape (*node.shape, *arg.shape), None where that would be large. `product` has the shape of `arg`.
    """

    node: Node
    arg: Node
    upstream: np.ndarray
    local: np.ndarray | None
    product: np.ndarray


class Explanation(Drawing):
    """Values and gradients of one computation; prints as a table, shows itself as a circuit in a notebook.

    `values` and `gradients` map the user's names to arrays, `steps` are the products of the chain rule in the order in which
    back-propagation takes them. `svg` is the picture; `save(path)` writes it (.svg) or the table (.txt).
    """

    def __init__(self, recording: Recording, title: str) -> None:
        self.title = title
        self.output = recording.outputs[0]
        self.nodes = [node for node in topological([self.output]) if inline(node) is None]
        self.recording = recording
        self.value_of, self.gradient_of = work_out(recording, self.nodes)
        self.naming = Naming(short_names(self.nodes, recording), {}, recording.roles)
        self.steps = [step for node in reversed(self.nodes) if node in self.gradient_of for step in steps_of(node, self)]

    @property
    def values(self) -> dict[str, np.ndarray]:
        """The value under each name."""
        return {self.name(node): self.value_of[node] for node in self.nodes}

    @property
    def gradients(self) -> dict[str, np.ndarray]:
        """The derivative of the result with respect to each named value that it depends on."""
        return {self.name(node): self.gradient_of[node] for node in self.nodes if node in self.gradient_of}

    def name(self, node: Node) -> str:
        return self.naming.call(node)

    @property
    def text(self) -> str:
        """A table of values, then one line for each product of the chain rule."""
        return table(self)

    @property
    def svg(self) -> str:
        """The circuit, from left to right."""
        return draw(self)


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


def work_out(recording: Recording, nodes: Sequence[Node]) -> tuple[dict[Node, np.ndarray], dict[Node, np.ndarray]]:
    """The value of every node, and the gradient of the output with respect to those that have one."""
    with_gradient = [node for node in nodes if node in recording.adjoint]
    arrays = evaluate([*nodes, *(recording.adjoint[node] for node in with_gradient)], recording.values)
    return dict(zip(nodes, arrays)), dict(zip(with_gradient, arrays[len(nodes):]))


def short_names(nodes: Sequence[Node], recording: Recording) -> dict[Node, str]:
    """The user's name of each node, or a, b, c, ... (a1, b1, ... after z), without meeting a name already taken."""
    taken = set(recording.names.values())
    fresh = (f"{letter}{turn or ''}" for turn in range(len(nodes) + 1) for letter in "abcdefghijklmnopqrstuvw")
    names: dict[Node, str] = {}
    for node in nodes:
        names[node] = recording.names.get(node) or next(name for name in fresh if name not in taken)
    return names


# The chain rule, step by step

def steps_of(node: Node, shown: Explanation) -> list[Step]:
    """What this node sends to each of its arguments that carries a gradient."""
    upstream = shown.gradient_of[node]
    indices = [i for i, arg in enumerate(node.args) if arg in shown.gradient_of]
    if not indices:
        return []
    env = {part: shown.value_of[part] for part in (node, *node.args) if part in shown.value_of}
    products = pulled(node, constant(upstream), env)
    locals_ = local_gradients(node, env, indices)
    return [Step(node, node.args[i], upstream, locals_[i], products[i]) for i in indices if products[i] is not None]


def pulled(node: Node, seed: Node, env: dict[Node, np.ndarray]) -> list[Any]:
    """The pullback of one operation, evaluated: an array or None per argument."""
    parts = node.op.pullback(seed, node, *node.args, **node.params)
    arrays = iter(evaluate([part for part in parts if part is not None], env))
    return [None if part is None else next(arrays) for part in parts]


def local_gradients(node: Node, env: dict[Node, np.ndarray], indices: Sequence[int]) -> dict[int, np.ndarray | None]:
    """d node / d arg for each argument in `indices`: ones pulled back or, where elements mix, each element in turn."""
    if node.op.kind == "elementwise" or node.size == 1:
        pieces = pulled(node, constant(np.ones(node.shape, node.dtype)), env)
        return {i: pieces[i] for i in indices}
    if node.size * max(node.args[i].size for i in indices) > JACOBIAN:
        return dict.fromkeys(indices)
    rows = [pulled(node, constant(row.reshape(node.shape)), env) for row in np.eye(node.size, dtype=node.dtype)]
    return {i: np.stack([row[i] for row in rows]).reshape(*node.shape, *node.args[i].shape) for i in indices}


# The table

def number(value: float, digits: int) -> str:
    return f"{value + 0.0:.{digits}g}"  # + 0.0: no negative zero


def show(array: np.ndarray | None, digits: int = 6) -> str:
    """A value in a few characters: a number, a short list, or the shape and the norm."""
    if array is None:
        return "a Jacobian"
    if array.size == 1:
        return number(array.reshape(-1)[0].item(), digits)
    if array.size <= SHORT:
        return np.array2string(np.asarray(array), precision=4, separator=", ", suppress_small=True).replace("\n", "")
    return f"{list(array.shape)}, norm {number(float(np.linalg.norm(array.astype(np.float64))), digits)}"


def definition(node: Node, shown: Explanation) -> str:
    """`q = add(x, y)`, or `x` for an input."""
    if node.op is Variable:
        return shown.name(node)
    return f"{shown.name(node)} = {title_of(node, node.args, shown.naming, dict.fromkeys(node.args))}"


def table(shown: Explanation) -> str:
    """Both tables as text."""
    result = shown.name(shown.output)
    rows = [("node", "value", f"d {result} / d node")]
    slopes = {node: show(gradient) for node, gradient in shown.gradient_of.items()}
    rows += [(definition(node, shown), show(shown.value_of[node]), slopes.get(node, "")) for node in shown.nodes]
    products = [("backwards", "upstream", "local", "product")]
    products += [(f"{shown.name(step.node)} -> {shown.name(step.arg)}", show(step.upstream), show(step.local), show(step.product))
                 for step in shown.steps]
    return "\n".join([*aligned(rows), "", *aligned(products)])


def aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows)]
    cells = [[row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))] for row in rows]
    lines = ["  ".join(row).rstrip() for row in cells]
    return [lines[0], "-" * max(map(len, lines)), *lines[1:]]


# The picture

@dataclass
class Gate:
    """A node of the circuit with its lines of text and its position."""

    node: Node
    title: str
    value: str
    gradient: str
    kind: str
    centre: Point = (0.0, 0.0)

    @property
    def width(self) -> float:
        return max(58.0, text_width(self.title, 13, bold=True), text_width(self.value, SMALL, mono=True),
                   text_width(self.gradient, SMALL, mono=True)) + 20

    @property
    def height(self) -> float:
        return 54.0 if self.gradient else 40.0

    @property
    def area(self) -> tuple[float, float, float, float]:
        x, y = self.centre
        return x - self.width / 2, y - self.height / 2, x + self.width / 2, y + self.height / 2


SYMBOLS: dict[type[Operation], str] = {
    Add: "+", Subtract: "−", Multiply: "×", Divide: "÷", Negative: "−", Maximum: "max", Minimum: "min"}
INFIX = (Add, Subtract, Multiply, Divide)


def make_gate(node: Node, shown: Explanation) -> Gate:
    role = shown.recording.roles.get(node, "")
    name = shown.recording.names.get(node, "")
    words = formula(node, shown.recording.names)
    title = name if node.op is Variable else f"{name} = {words}" if name else words
    gradient = show(shown.gradient_of[node], DRAWN) if node in shown.gradient_of else ""
    kind = role if role in ("input", "parameter", "state") else node.op.kind
    return Gate(node, title, show(shown.value_of[node], DRAWN), gradient, kind)


def formula(node: Node, names: Mapping[Node, str]) -> str:
    """`x + y` where the arguments have names, `+` where they have none."""
    words = [inline(arg) or names.get(arg, MARK) for arg in node.args]
    symbol = SYMBOLS.get(node.op)
    if not set(words) - {MARK}:
        return symbol or title_of(node, node.args, Naming({}), {})
    if node.op in INFIX:
        return f" {symbol} ".join(words)
    return f"{symbol or node.op.name}({', '.join(words)})"


def draw(shown: Explanation) -> str:
    """The circuit: gates with value above and gradient below, and on each wire the local gradient and the product."""
    canvas = Canvas(f"how {shown.title} and its gradients are computed")
    if len(shown.nodes) > MOST:
        words = f"{len(shown.nodes)} operations are too many for a circuit; the text lists them all."
        canvas.text(MARGIN, 40, words, anchor="start")
        return canvas.svg(640, 70)
    gates = {node: make_gate(node, shown) for node in shown.nodes}
    wires = [(arg, node) for node in shown.nodes for arg in node.args if arg in gates]
    labels: dict[Wire, list[Label]] = {}
    for step in shown.steps:
        labels.setdefault((step.arg, step.node), []).append(wire_label(step))
    lines = [line for group in labels.values() for label in group for line in label]
    room = 40 + max((text_width(line, SMALL, mono=True) for line in lines), default=0.0)
    placed = layout.arrange(shown.nodes, wires, lambda node: gates[node].height + 4, lambda node: gates[node].width, 34.0, room)
    top = MARGIN + 34
    for node, gate in gates.items():
        gate.centre = MARGIN + placed.along[node], top + placed.across[node]
    paths = [[(MARGIN + along, top + across) for across, along in placed.points(route)] for route in placed.routes]
    draw_wires(canvas, gates, wires, paths)
    draw_labels(canvas, gates, wires, paths, labels)
    for gate in gates.values():
        draw_gate(canvas, gate)
    width = max(placed.length + MARGIN, draw_head(canvas, shown)) + MARGIN
    return canvas.svg(width, top + placed.breadth + MARGIN)


Wire = tuple[Node, Node]  # from an argument to its user
Label = tuple[str, str]  # the line in blue, and the line in red


def wire_label(step: Step) -> Label:
    """The local gradient, and upstream times local = product."""
    if step.local is None or step.local.size > SHORT:
        return "local: a Jacobian", f"gives {show(step.product, DRAWN)}"
    local = show(step.local, DRAWN)
    if step.product.size > 1 or step.local.size > 1:
        return f"local {local}", f"gives {show(step.product, DRAWN)}"
    return f"local {local}", f"{show(step.upstream, DRAWN)} · {signed(local)} = {show(step.product, DRAWN)}"


def signed(text: str) -> str:
    return f"({text})" if text.startswith("-") else text


def draw_wires(canvas: Canvas, gates: dict[Node, Gate], wires: Sequence[Wire], paths: list[list[Point]]) -> None:
    """Wires end on the left side of a gate, one below the other in the order of where they come from."""
    arriving: dict[Node, list[int]] = {}
    for index, (_, node) in enumerate(wires):
        arriving.setdefault(node, []).append(index)
    for node, indices in arriving.items():
        indices.sort(key=lambda index: paths[index][-2][1])
        for order, index in enumerate(indices):
            x, y = paths[index][-1]
            paths[index][-1] = x - gates[node].width / 2, y + (order - (len(indices) - 1) / 2) * 13
    for (arg, _), points in zip(wires, paths):
        points[0] = points[0][0] + gates[arg].width / 2, points[0][1]
        canvas.path(points, EDGE, 1.4, arrow=True, down=False)


def draw_labels(canvas: Canvas, gates: dict[Node, Gate], wires: Sequence[Wire], paths: list[list[Point]],
                labels: dict[Wire, list[Label]]) -> None:
    """Each label on its wire, where it covers no gate and no other label."""
    taken = [gate.area for gate in gates.values()]
    for wire, points in zip(wires, paths):
        if not labels.get(wire):
            continue
        local, product = labels[wire].pop(0)  # in the order of the arguments, as the wires are
        width = max(text_width(line, SMALL, mono=True) for line in (local, product))
        x, y = free_point(points, width, 30.0, taken)
        taken.append((x - width / 2, y - 15, x + width / 2, y + 15))
        canvas.box(x - width / 2 - 2, y - 15, width + 4, 29, "#ffffff", radius=4.0, fill_opacity=0.88)
        canvas.text(x, y - 3, local, SMALL, BLUE, mono=True)
        canvas.text(x, y + 10, product, SMALL, RED, mono=True)


def free_point(points: Sequence[Point], width: float, height: float, taken: Sequence[tuple[float, float, float, float]]) -> Point:
    """The point of the wire, nearest to its middle, where a label of this size covers least."""
    def covered(point: Point) -> float:
        x, y = point
        return sum(overlap(x, width, left, right) * overlap(y, height, top, bottom) for left, top, right, bottom in taken)
    candidates = [between(first, second, share) for first, second in pairwise(points) for share in (0.5, 0.4, 0.6, 0.3, 0.7)]
    candidates += [(x, y + shift) for x, y in candidates[:5] for shift in (-16.0, 16.0, -30.0, 30.0)]
    return min(candidates, key=lambda point: round(covered(point)))


def overlap(centre: float, size: float, low: float, high: float) -> float:
    """How much of [centre - size / 2, centre + size / 2] lies in [low, high]."""
    return max(0.0, min(centre + size / 2, high) - max(centre - size / 2, low))


def between(first: Point, second: Point, share: float) -> Point:
    """A point of the curve from first to second (see svg.curve): x is nearly linear, y is smooth."""
    a, b, c, d = (1 - share)**3, 3 * share * (1 - share)**2, 3 * share**2 * (1 - share), share**3
    middle = (first[0] + second[0]) / 2
    return a * first[0] + (b + c) * middle + d * second[0], (a + b) * first[1] + (c + d) * second[1]


def draw_gate(canvas: Canvas, gate: Gate) -> None:
    x, y = gate.centre
    fill, stroke = COLOURS.get(gate.kind, COLOURS["leaf"])
    canvas.box(x - gate.width / 2, y - gate.height / 2, gate.width, gate.height, fill, stroke, 9.0, stroke_width=1.4)
    top = y - gate.height / 2
    canvas.text(x, top + 16, gate.title, 13, INK, bold=True)
    canvas.text(x, top + 31, gate.value, SMALL, GREEN, mono=True)
    if gate.gradient:
        canvas.text(x, top + 45, gate.gradient, SMALL, RED, mono=True)


def draw_head(canvas: Canvas, shown: Explanation) -> float:
    """What the colours mean; returns where the line ends."""
    x = MARGIN
    for words, colour in (("value", GREEN), (f"gradient of {shown.name(shown.output)}", RED), ("local gradient", BLUE)):
        canvas.text(x, MARGIN, words, 12, colour, "start", bold=True)
        x += text_width(words, 12, bold=True) + 18
    words = "upstream · local = product"
    canvas.text(x, MARGIN, words, 12, QUIET, "start")
    return x + text_width(words, 12)
