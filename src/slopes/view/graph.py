"""The computation graph of a function, forward and backward, as text and as a picture drawn without any external program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..graph.node import Node
from ..graph.text import text as listing
from ..graph.walk import topological
from . import layout
from .boxes import Box, Boxes, Naming, make_boxes
from .picture import Picture
from .record import Recording, record, title_of_function
from .svg import Canvas, text_width

LIMIT = 40  # with more boxes than this, the boxes of one layer become one
MOST = 250  # with more boxes than this, only those nearest to the outputs are drawn

TITLE, DETAIL = 13.0, 10.5
HEIGHT, MARGIN, PANEL_GAP = 44.0, 28.0, 70.0
INK, QUIET, EDGE = "#1f2933", "#66727f", "#8a96a3"

COLOURS = {  # kind: (fill, stroke)
    "input": ("#d9ecff", "#3b82c4"), "parameter": ("#ffe9b8", "#c98a04"), "state": ("#fdeccd", "#b98a3a"),
    "constant": ("#eceff2", "#98a4b0"), "seed": ("#ffe0e6", "#d1435b"), "gradient": ("#ffd9e0", "#d1435b"),
    "elementwise": ("#ffffff", "#7b8794"), "reduce": ("#e9defb", "#7c4fc4"), "move": ("#eef2f6", "#a3afbb"),
    "contract": ("#ffdcc9", "#d9652b"), "index": ("#d3f2e8", "#1c9a76"), "order": ("#d3f2e8", "#1c9a76"),
    "layer": ("#e3e8ff", "#4f5fc9"), "leaf": ("#eceff2", "#98a4b0"),
}
MEANING = {"elementwise": "element by element", "move": "moves elements", "contract": "sum of products", "reduce": "reduction",
           "index": "indexing", "layer": "a layer", "seed": "where gradients start", "leaf": "other"}


class Graph(Picture):
    """A recorded computation; prints as text, shows itself as a picture in a notebook.

    `text` lists every node and reads back with slopes.graph.text.parse; `svg` is the picture; `save(path)` writes either
    (.svg or .txt). `outputs` are the nodes of the results and `gradients` those of the gradients by name.
    """

    def __init__(self, recording: Recording, title: str = "graph", limit: int = LIMIT) -> None:
        self.recording = recording
        self.title, self.limit = title, limit
        self.outputs, self.gradients = recording.outputs, recording.gradients

    @property
    def roots(self) -> list[Node]:
        """The nodes of the results, then those of the gradients."""
        return [*self.outputs, *(node for node in self.gradients.values() if node not in self.outputs)]

    @property
    def naming(self) -> Naming:
        """Numbers as in the text, the user's names, and the part that each node plays."""
        numbers = {node: f"%{number}" for number, node in enumerate(topological(self.roots))}
        return Naming(numbers, self.recording.names, self.recording.roles)

    @property
    def text(self) -> str:
        """Who is who, then every node on a line of its own."""
        naming = self.naming
        heads = [f"# {role}s: " + ", ".join(f"{naming.names.get(node, '?')} = {naming.numbers[node]}" for node in nodes)
                 for role in ("input", "parameter", "state") if (nodes := self.playing(role, naming))]
        heads.append("# outputs: " + ", ".join(naming.numbers[node] for node in self.outputs))
        if self.gradients:
            heads.append("# gradients: " + ", ".join(f"{name} = {naming.numbers[node]}" for name, node in self.gradients.items()))
        return "\n".join([*heads, self.listing])

    @property
    def listing(self) -> str:
        """Every node on a line of its own, as slopes.graph.text writes and reads it."""
        return listing(self.roots)

    def playing(self, role: str, naming: Naming) -> list[Node]:
        return [node for node in naming.numbers if naming.roles.get(node) == role]

    @property
    def svg(self) -> str:
        """The picture: the forward pass from top to bottom, beside it the backward pass from bottom to top."""
        return draw(self)


def graph(f: Any, *examples: Any, backward: bool | None = None, limit: int = LIMIT, **named: Any) -> Graph:
    """The computation graph of `f(*examples)`: f is a function of tensors or a module, which is traced but not run.

    The backward graph is that of the output with respect to the inputs that require a gradient and all parameters; it is
    drawn when the output is one number and there is something to differentiate (`backward=None`), always with
    `backward=True` (the output is then summed) and never with `backward=False`. A graph of more than `limit` boxes shows
    one box per layer.

    >>> import slopes as sl
    >>> x, y = sl.tensor(2.0, requires_grad=True), sl.tensor(3.0)
    >>> picture = sl.graph(lambda x, y: x * y + 1, x, y)
    >>> [node.op.name for node in picture.outputs], list(picture.gradients)
    (['add'], ['x'])
    >>> picture.svg.startswith("<svg")
    True
    """
    return Graph(record(f, examples, named, backward), title_of_function(f), limit)


# The picture

class Panel:
    """One pass of the graph: its boxes, where they are, and how it is drawn."""

    def __init__(self, heading: str, boxes: Boxes, upwards: bool) -> None:
        self.heading, self.boxes, self.upwards = heading, boxes, upwards
        self.layout = layout.arrange(boxes.boxes, boxes.edges, box_width, lambda box: HEIGHT)

    @property
    def width(self) -> float:
        return max(self.layout.breadth, text_width(self.heading, TITLE))

    @property
    def height(self) -> float:
        return self.layout.length

    def centre(self, key: Any, left: float, top: float) -> tuple[float, float]:
        return self.at(self.layout.across[key], self.layout.along[key], left, top)

    def at(self, across: float, along: float, left: float, top: float) -> tuple[float, float]:
        return left + across, top + (self.height - along if self.upwards else along)


def draw(graph: Graph) -> str:
    """The whole picture."""
    naming = graph.naming
    panels, notes = make_panels(graph, naming)
    canvas = Canvas(f"computation graph of {graph.title}")
    top = MARGIN + 24
    bottom = top + max(panel.height for panel in panels)
    left = MARGIN
    for panel in panels:
        canvas.text(left, MARGIN + 4, panel.heading, 12.5, QUIET, "start", bold=True)
        draw_panel(canvas, panel, left, bottom - panel.height if panel.upwards else top)
        left += panel.width + PANEL_GAP
    width = max(left - PANEL_GAP + MARGIN, 420.0)
    end = draw_legend(canvas, panels, bottom + 34, width)
    for note in notes:
        end += 18
        canvas.text(MARGIN, end, note, 11, QUIET, "start")
    return canvas.svg(width, end + MARGIN - 6)


def make_panels(graph: Graph, naming: Naming) -> tuple[list[Panel], list[str]]:
    """The panels of the forward and, if there is one, of the backward pass, and what must be said below."""
    backward, more = fit_backward(graph, naming) if graph.gradients else (Boxes(), [])
    forward, notes = fit(graph.outputs, naming, {}, graph)
    for box in forward.boxes:
        if box.kind != "layer" and box.nodes[0].args:
            box.name = naming.name(box.nodes[0])
    panels = [Panel(f"{graph.title}: forward" if graph.gradients else graph.title, forward, upwards=False)]
    panels += [Panel("backward, from the bottom up", backward, upwards=True)] if backward.boxes else []
    return panels, list(dict.fromkeys(notes + more))


def fit_backward(graph: Graph, naming: Naming) -> tuple[Boxes, list[str]]:
    """The boxes of the backward pass; values of the forward pass appear by name inside them."""
    known = dict.fromkeys(topological(graph.outputs))
    names = dict(naming.names)
    for name, node in graph.gradients.items():
        names[node] = f"∂/∂{name}" if node not in names else names[node] + f", ∂/∂{name}"
    roles = naming.roles | dict.fromkeys(graph.gradients.values(), "gradient")
    roots = [node for node in graph.gradients.values() if node not in known]
    return fit(roots, Naming(naming.numbers, names, roles, naming.mentioned), known, graph)


def fit(roots: Sequence[Node], naming: Naming, given: Mapping[Node, object], graph: Graph) -> tuple[Boxes, list[str]]:
    """The boxes, by layer when they are many; only those nearest to the outputs when they are too many even so."""
    found = make_boxes(roots, naming, given)
    layers = graph.recording.layers
    notes = []
    depth = max((path_depth(path) for path in layers.values()), default=0)
    while len(found.boxes) > graph.limit and depth:
        shallow = {node: cut_path(path, depth) for node, path in layers.items()}
        found = make_boxes(roots, naming, given, shallow)
        notes = ["The operations of one layer are one box here; the text of the graph lists them all."]
        depth -= 1
    if found.left_out:
        notes.append("Broadcasting (expand, and reshape by axes of size 1) is not drawn; the text of the graph lists it.")
    for box in found.boxes:
        if box.kind == "layer":
            box.title = graph.recording.describe.get(box.title, box.title)
    if len(found.boxes) > MOST:
        notes.append(f"{len(found.boxes) - MOST} more boxes, further from the output, are not drawn; the text lists them all.")
        keep = set(found.boxes[-MOST:])
        found.boxes = found.boxes[-MOST:]
        found.edges = [edge for edge in found.edges if edge[0] in keep and edge[1] in keep]
    return found, notes


def path_depth(path: str) -> int:
    return path.count(".") + path.count("[")


def cut_path(path: str, depth: int) -> str:
    """The path up to `depth` steps below the outermost module: ("net.block[0].conv", 2) -> "net.block[0]"."""
    pieces = path.replace("[", ".[").split(".")
    return ".".join(pieces[:depth + 1]).replace(".[", "[")


def box_title(box: Box) -> str:
    return f"{box.name} = {box.title}" if box.name else box.title


def box_detail(box: Box) -> str:
    return box.detail


def box_width(box: Box) -> float:
    return max(64.0, text_width(box_title(box), TITLE, bold=True), text_width(box_detail(box), DETAIL, mono=True)) + 22


def draw_panel(canvas: Canvas, panel: Panel, left: float, top: float) -> None:
    """Edges first, so that boxes lie on top of them."""
    ends = ports(panel)
    for number, route in enumerate(panel.layout.routes):
        points = [panel.at(*point, left, top) for point in panel.layout.points(route)]
        start, end = ends[number]
        reach = -HEIGHT / 2 if panel.upwards else HEIGHT / 2
        points[0] = (points[0][0] + start, points[0][1] + reach)
        points[-1] = (points[-1][0] + end, points[-1][1] - reach)
        canvas.path(points, EDGE, 1.3, arrow=True)
    for box in panel.boxes.boxes:
        draw_box(canvas, box, *panel.centre(box, left, top))


def ports(panel: Panel) -> list[tuple[float, float]]:
    """For every edge, how far from the centre it leaves and enters: side by side, in the order of what they lead to."""
    routes, across = panel.layout.routes, panel.layout.across
    leaving: dict[Any, list[int]] = {}
    entering: dict[Any, list[int]] = {}
    for number, route in enumerate(routes):
        leaving.setdefault(route[0], []).append(number)
        entering.setdefault(route[-1], []).append(number)
    shift = [[0.0, 0.0] for _ in routes]
    for side, groups, step in ((0, leaving, 1), (1, entering, -2)):
        for box, numbers in groups.items():
            numbers.sort(key=lambda number: across[routes[number][step]])
            space = min(22.0, 0.6 * box_width(box) / len(numbers))
            for place, number in enumerate(numbers):
                shift[number][side] = (place - (len(numbers) - 1) / 2) * space
    return [(start, end) for start, end in shift]


def draw_box(canvas: Canvas, box: Box, x: float, y: float) -> None:
    width = box_width(box)
    fill, stroke = COLOURS["gradient"] if box.role == "gradient" else COLOURS.get(box.kind, COLOURS["leaf"])
    thick = 2.6 if box.role in ("output", "gradient") else 1.3
    canvas.box(x - width / 2, y - HEIGHT / 2, width, HEIGHT, fill, stroke, 7.0, box.tip, stroke_width=thick)
    canvas.text(x, y - 3, box_title(box), TITLE, INK, bold=True)
    canvas.text(x, y + 13.5, box_detail(box), DETAIL, QUIET, mono=True)


def draw_legend(canvas: Canvas, panels: Sequence[Panel], y: float, width: float) -> float:
    """A swatch for every colour used, wrapped to the width; returns the last line's height."""
    kinds = dict.fromkeys("gradient" if box.role == "gradient" else box.kind for panel in panels for box in panel.boxes.boxes)
    x = MARGIN
    for kind in [kind for kind in COLOURS if kind in kinds]:
        label = MEANING.get(kind, kind)
        step = 18 + text_width(label, 11) + 18
        if x + step > width - MARGIN + 18 and x > MARGIN:
            x, y = MARGIN, y + 20
        fill, stroke = COLOURS[kind]
        canvas.box(x, y - 9, 12, 12, fill, stroke, 3.0, stroke_width=1.2)
        canvas.text(x + 18, y + 1, label, 11, QUIET, "start")
        x += step
    return y
