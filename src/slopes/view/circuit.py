"""The chain rule drawn as a circuit: gates with values and gradients, wires with local gradients and products.

The picture is that of Stanford's CS231n ("backpropagation, intuitions"): values flow to the right, gradients to the left, and
each gate multiplies the gradient that arrives by its own local one. Slopes multiply.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest

from ..graph.build import Variable
from ..graph.node import Node, Operation
from ..ops.elementwise import Add, Divide, Maximum, Minimum, Multiply, Negative, Subtract
from . import layout
from .boxes import MARK, Naming, inline, title_of
from .chain import SHORT, Chain, Group, Step, show
from .graph import COLOURS, EDGE, INK, MARGIN, QUIET
from .svg import Canvas, Point, text_width

GREEN, RED, BLUE = "#15803d", "#c81e3a", "#1d5fa8"
MOST = 150  # nodes of a circuit that can still be read
SMALL = 10.5
DRAWN = 4  # digits in the picture; the table has six

Area = tuple[float, float, float, float]  # left, top, right, bottom


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
    def area(self) -> Area:
        x, y = self.centre
        return x - self.width / 2, y - self.height / 2, x + self.width / 2, y + self.height / 2


@dataclass
class Label:
    """What a wire says of the product of the chain rule that flows back along it, and where."""

    local: str
    product: str
    centre: Point = (0.0, 0.0)

    @property
    def width(self) -> float:
        return max(text_width(line, SMALL, mono=True) for line in (self.local, self.product))

    @property
    def area(self) -> Area:
        x, y = self.centre
        return x - self.width / 2, y - 15, x + self.width / 2, y + 15


@dataclass
class Wire:
    """The curve from an argument to its user; `step` and `label` where a gradient flows back along it."""

    arg: Node
    node: Node
    step: Step | None
    label: Label | None
    points: list[Point]


@dataclass
class Circuit:
    """Gates and wires with their positions, and the size of the whole."""

    gates: dict[Node, Gate]
    wires: list[Wire]
    width: float
    height: float


def arrange(chain: Chain) -> Circuit:
    """The circuit from left to right; wires are in the order of the gates and of their arguments."""
    gates = {node: make_gate(node, chain) for node in chain.nodes}
    wires = make_wires(chain, gates)
    widest = max((wire.label.width for wire in wires if wire.label), default=0.0)
    ends = [(wire.arg, wire.node) for wire in wires]
    arranged = layout.arrange(chain.nodes, ends, lambda node: gates[node].height + 4, lambda node: gates[node].width, 34.0, 40 + widest)
    top = MARGIN + 34
    for node, gate in gates.items():
        gate.centre = MARGIN + arranged.along[node], top + arranged.across[node]
    for wire, route in zip(wires, arranged.routes):
        wire.points = [(MARGIN + along, top + across) for across, along in arranged.points(route)]
    attach(gates, wires)
    put_labels(gates, wires)
    return Circuit(gates, wires, arranged.length + 2 * MARGIN, top + arranged.breadth + MARGIN)


def make_wires(chain: Chain, gates: Mapping[Node, Gate]) -> list[Wire]:
    """A wire for each use of a node by another; an operation that uses a node twice has two steps for it, in the order of its arguments."""
    steps: dict[tuple[Node, Node], list[Step]] = {}
    for step in chain.steps:
        steps.setdefault((step.arg, step.node), []).append(step)
    wires = []
    for node in chain.nodes:
        for arg in chain.args(node):
            if arg in gates:
                waiting = steps.get((arg, node), [])
                taken = waiting.pop(0) if waiting else None
                wires.append(Wire(arg, node, taken, make_label(taken) if taken else None, []))
    return wires


def make_gate(node: Node, chain: Chain) -> Gate:
    role = chain.recording.roles.get(node, "")
    name = chain.recording.names.get(node, "")
    words = formula(node, chain.recording.names, chain.groups.get(node))
    title = name if node.op is Variable else f"{name} = {words}" if name else words
    gradient = show(chain.gradient_of[node], DRAWN) if node in chain.gradient_of else ""
    kind = role if role in ("input", "parameter", "state") else node.op.kind
    return Gate(node, title, show(chain.value_of[node], DRAWN), gradient, kind)


SYMBOLS: dict[type[Operation], str] = {
    Add: "+", Subtract: "−", Multiply: "×", Divide: "÷", Negative: "−", Maximum: "max", Minimum: "min"}
INFIX = (Add, Subtract, Multiply, Divide)


def formula(node: Node, names: Mapping[Node, str], group: Group | None = None) -> str:
    """`x + y` where the arguments have names, `+` where they have none; the form of a group with its operands."""
    words = [inline(arg) or names.get(arg, MARK) for arg in (group.operands if group else node.args)]
    if group:
        return "".join(part for pair in zip_longest(group.form.split(MARK), words, fillvalue="") for part in pair)
    symbol = SYMBOLS.get(node.op)
    if not set(words) - {MARK}:
        return symbol or title_of(node, node.args, Naming({}), {})
    if node.op in INFIX:
        return f" {symbol} ".join(words)
    return f"{symbol or node.op.name}({', '.join(words)})"


def make_label(step: Step) -> Label:
    """The local gradient, and upstream times local = product."""
    if step.local is None or step.local.size > SHORT:
        return Label("local: a Jacobian", f"gives {show(step.product, DRAWN)}")
    local = show(step.local, DRAWN)
    if step.product.size > 1 or step.local.size > 1:
        return Label(f"local {local}", f"gives {show(step.product, DRAWN)}")
    return Label(f"local {local}", f"{show(step.upstream, DRAWN)} · {signed(local)} = {show(step.product, DRAWN)}")


def signed(text: str) -> str:
    return f"({text})" if text.startswith("-") else text


def attach(gates: Mapping[Node, Gate], wires: Sequence[Wire]) -> None:
    """Wires begin at the right side of a gate and end on the left side, one below the other in the order of where they come from."""
    arriving: dict[Node, list[Wire]] = {}
    for wire in wires:
        arriving.setdefault(wire.node, []).append(wire)
    for node, ends in arriving.items():
        ends.sort(key=lambda wire: wire.points[-2][1])
        for order, wire in enumerate(ends):
            x, y = wire.points[-1]
            wire.points[-1] = x - gates[node].width / 2, y + (order - (len(ends) - 1) / 2) * 13
    for wire in wires:
        wire.points[0] = wire.points[0][0] + gates[wire.arg].width / 2, wire.points[0][1]


def put_labels(gates: Mapping[Node, Gate], wires: Sequence[Wire]) -> None:
    """Each label on its wire, where it covers no gate and no other label."""
    taken = [gate.area for gate in gates.values()]
    for wire in wires:
        if wire.label:
            wire.label.centre = free_point(wire.points, wire.label.width, 30.0, taken)
            taken.append(wire.label.area)


def free_point(points: Sequence[Point], width: float, height: float, taken: Sequence[Area]) -> Point:
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


# Drawing


def draw(chain: Chain, title: str) -> str:
    """The circuit as SVG: gates with value above and gradient below, and on each wire the local gradient and the product."""
    canvas = Canvas(f"how {title} and its gradients are computed")
    if len(chain.nodes) > MOST:
        words = f"{len(chain.nodes)} operations are too many for a circuit; the text lists them all."
        canvas.text(MARGIN, 40, words, anchor="start")
        return canvas.svg(640, 70)
    circuit = arrange(chain)
    for wire in circuit.wires:
        canvas.path(wire.points, EDGE, 1.4, arrow=True, down=False)
    for wire in circuit.wires:
        if wire.label:
            draw_label(canvas, wire.label)
    for gate in circuit.gates.values():
        draw_gate(canvas, gate)
    width = max(circuit.width, draw_head(canvas, chain.name(chain.output)) + MARGIN)
    return canvas.svg(width, circuit.height)


def draw_label(canvas: Canvas, label: Label) -> None:
    x, y = label.centre
    canvas.box(x - label.width / 2 - 2, y - 15, label.width + 4, 29, "#ffffff", radius=4.0, fill_opacity=0.88)
    canvas.text(x, y - 3, label.local, SMALL, BLUE, mono=True)
    canvas.text(x, y + 10, label.product, SMALL, RED, mono=True)


def draw_gate(canvas: Canvas, gate: Gate) -> None:
    x, y = gate.centre
    fill, stroke = COLOURS.get(gate.kind, COLOURS["leaf"])
    canvas.box(x - gate.width / 2, y - gate.height / 2, gate.width, gate.height, fill, stroke, 9.0, stroke_width=1.4)
    top = y - gate.height / 2
    canvas.text(x, top + 16, gate.title, 13, INK, bold=True)
    canvas.text(x, top + 31, gate.value, SMALL, GREEN, mono=True)
    if gate.gradient:
        canvas.text(x, top + 45, gate.gradient, SMALL, RED, mono=True)


def draw_head(canvas: Canvas, result: str) -> float:
    """What the colours mean; returns where the line ends."""
    x = MARGIN
    for words, colour in (("value", GREEN), (f"gradient of {result}", RED), ("local gradient", BLUE)):
        canvas.text(x, MARGIN, words, 12, colour, "start", bold=True)
        x += text_width(words, 12, bold=True) + 18
    words = "upstream · local = product"
    canvas.text(x, MARGIN, words, 12, QUIET, "start")
    return x + text_width(words, 12)
