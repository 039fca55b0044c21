"""The computation graph of a function, forward and backward, as text and as a picture drawn without any external program."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ..errors import ArgumentError
from ..graph.node import Node
from ..graph.scopes import Region
from ..graph.text import text as listing
from ..graph.walk import topological
from . import layout
from .boxes import Box, Boxes, Naming, make_boxes
from .drawing import Drawing
from .record import Recording, record, title_of_function
from .svg import Canvas, text_width

LIMIT = 40  # with more boxes than this, the boxes of one layer or function become one
MOST = 250  # with more boxes than this, only those nearest to the outputs are drawn

TITLE, DETAIL = 13.0, 10.5
HEIGHT, MARGIN, PANEL_GAP = 40.0, 28.0, 70.0
LAYER_GAP, CHAIN_GAP = 38.0, 16.0  # between the layers of boxes; in a chain no edge bends, and less will do
INK, QUIET, EDGE = "#1f2933", "#66727f", "#8a96a3"

COLOURS = {  # kind: (fill, stroke)
    "input": ("#d9ecff", "#3b82c4"), "parameter": ("#ffe9b8", "#c98a04"), "state": ("#fdeccd", "#b98a3a"),
    "constant": ("#eceff2", "#98a4b0"), "seed": ("#ffe0e6", "#d1435b"), "gradient": ("#ffd9e0", "#d1435b"),
    "elementwise": ("#ffffff", "#7b8794"), "reduce": ("#e9defb", "#7c4fc4"), "move": ("#eef2f6", "#a3afbb"),
    "contract": ("#ffdcc9", "#d9652b"), "index": ("#d3f2e8", "#1c9a76"), "order": ("#d3f2e8", "#1c9a76"),
    "layer": ("#e3e8ff", "#4f5fc9"), "function": ("#f3e6ff", "#8a4fc9"), "leaf": ("#eceff2", "#98a4b0"),
}
MEANING = {"elementwise": "element by element", "move": "moves elements", "contract": "sum of products", "reduce": "reduction",
           "index": "indexing", "layer": "a layer", "function": "a function", "seed": "gradient", "leaf": "other"}
DIRECTIONS = ("down", "right")


class Graph(Drawing):
    """A recorded computation; prints as text, shows itself as a picture in a notebook.

    `text` lists every node and reads back with slopes.graph.text.parse; `svg` is the picture; `save(path)` writes either
    (.svg or .txt). `outputs` are the nodes of the results and `gradients` those of the gradients by name.
    """

    def __init__(self, recording: Recording, title: str = "graph", limit: int = LIMIT, direction: str = "down") -> None:
        self.recording = recording
        self.title, self.limit, self.direction = title, limit, direction
        self.outputs, self.gradients = recording.outputs, recording.gradients

    @property
    def roots(self) -> list[Node]:
        """The nodes of the results, then those of the gradients."""
        return [*self.outputs, *(node for node in self.gradients.values() if node not in self.outputs)]

    @property
    def naming(self) -> Naming:
        """Labels as in the text, the user's names, and the part that each node plays."""
        labels = {node: f"%{i}" for i, node in enumerate(topological(self.roots))}
        return Naming(labels, self.recording.names, self.recording.roles)

    @property
    def text(self) -> str:
        """Who is who, then every node on a line of its own."""
        naming = self.naming
        heads = [f"# {role}s: " + ", ".join(f"{naming.names.get(node, '?')} = {naming.labels[node]}" for node in nodes)
                 for role in ("input", "parameter", "state") if (nodes := self.playing(role, naming))]
        heads.append("# outputs: " + ", ".join(naming.labels[node] for node in self.outputs))
        if self.gradients:
            heads.append("# gradients: " + ", ".join(f"{name} = {naming.labels[node]}" for name, node in self.gradients.items()))
        return "\n".join([*heads, self.listing])

    @property
    def listing(self) -> str:
        """Every node on a line of its own, as slopes.graph.text writes and reads it."""
        return listing(self.roots)

    def playing(self, role: str, naming: Naming) -> list[Node]:
        return [node for node in naming.labels if naming.roles.get(node) == role]

    @property
    def svg(self) -> str:
        """The picture: the forward pass from top to bottom, beside it the backward pass from bottom to top; or from left to right,
        and below it the backward pass from right to left."""
        return draw(self)


def graph(f: Any, *examples: Any, backward: bool | None = None, limit: int = LIMIT, direction: str = "down", **named: Any) -> Graph:
    """The computation graph of `f(*examples)`: f is a function of tensors or a module, which is traced but not run.

    The backward graph is that of the output with respect to the inputs that require a gradient and all parameters; it is
    drawn when the output is one number and there is something to differentiate (`backward=None`), always with
    `backward=True` (the output is then summed) and never with `backward=False`. A graph of more than `limit` boxes shows
    one box per layer, and one per function, such as a loss or a softmax, that is called outside of layers.
    `direction="right"` draws from left to right: a loop over time then has its steps side by side. Raises ArgumentError for
    another direction.

    >>> import slopes as sl
    >>> x, y = sl.tensor(2.0, requires_grad=True), sl.tensor(3.0)
    >>> picture = sl.graph(lambda x, y: x * y + 1, x, y)
    >>> [node.op.name for node in picture.outputs], list(picture.gradients)
    (['add'], ['x'])
    >>> picture.svg.startswith("<svg")
    True
    """
    if direction not in DIRECTIONS:
        raise ArgumentError(f"graph: direction is {direction!r}", repair='give direction="down" or direction="right"')
    return Graph(record(f, examples, named, backward), title_of_function(f), limit, direction)


# The picture

class Panel:
    """One pass of the graph: its boxes, where they are, and how it is drawn. The backward pass runs against the direction."""

    def __init__(self, heading: str, boxes: Boxes, backwards: bool, direction: str, gap: float | None = None) -> None:
        self.heading, self.boxes, self.backwards, self.down = heading, boxes, backwards, direction == "down"
        self.layout = self.arrange(LAYER_GAP if gap is None else gap)
        self.gap = gap if gap is not None else CHAIN_GAP if self.down and is_chain(self.layout) else LAYER_GAP
        if gap is None and self.gap != LAYER_GAP:
            self.layout = self.arrange(self.gap)

    def arrange(self, gap: float) -> layout.Layout:
        sizes = (box_width, box_height) if self.down else (box_height, box_width)
        return layout.arrange(self.boxes.boxes, self.boxes.edges, *sizes, layer_gap=gap)

    @property
    def width(self) -> float:
        return max(self.layout.breadth if self.down else self.layout.length, text_width(self.heading, TITLE))

    @property
    def height(self) -> float:
        return self.layout.length if self.down else self.layout.breadth

    def centre(self, key: Any, left: float, top: float) -> tuple[float, float]:
        return self.at(self.layout.across[key], self.layout.along[key], left, top)

    def at(self, across: float, along: float, left: float, top: float) -> tuple[float, float]:
        along = self.layout.length - along if self.backwards else along
        return (left + across, top + along) if self.down else (left + along, top + across)

    def port(self, box: Any, shift: float, leaving: bool, left: float, top: float) -> tuple[float, float]:
        """Where an edge meets the border of a box, `shift` away from the middle of that side."""
        x, y = self.centre(box, left, top)
        side = 0.5 if leaving != self.backwards else -0.5
        return (x + shift, y + side * HEIGHT) if self.down else (x + side * box_width(box), y + shift)


def is_chain(arranged: layout.Layout) -> bool:
    """Whether the boxes are a chain: no layer holds more than two, counting the edges that pass through it."""
    return all(len(layer) <= 2 for layer in arranged.layers)


def box_height(box: Box) -> float:
    return HEIGHT


def draw(graph: Graph) -> str:
    """The whole picture."""
    naming = graph.naming
    panels, notes = make_panels(graph, naming)
    canvas = Canvas(f"computation graph of {graph.title}")
    right, bottom = draw_panels(canvas, panels, graph.direction == "down")
    width = max(right + MARGIN, 420.0)
    end = draw_legend(canvas, panels, bottom + 34, width)
    for note in notes:
        end += 18
        canvas.text(MARGIN, end, note, 11, QUIET, "start")
    return canvas.svg(width, end + MARGIN - 6)


def draw_panels(canvas: Canvas, panels: Sequence[Panel], beside: bool) -> tuple[float, float]:
    """The panels beside each other, or one below the other; returns the right and the lower end."""
    left, top = MARGIN, MARGIN + 24
    right = bottom = 0.0
    for panel in panels:
        canvas.text(left, top - 20, panel.heading, 12.5, QUIET, "start", bold=True)
        draw_panel(canvas, panel, left, top)
        right, bottom = max(right, left + panel.width), max(bottom, top + panel.height)
        left, top = (left + panel.width + PANEL_GAP, top) if beside else (left, top + panel.height + PANEL_GAP)
    return right, bottom


def make_panels(graph: Graph, naming: Naming) -> tuple[list[Panel], list[str]]:
    """The panels of the forward and, if there is one, of the backward pass, and what must be said below."""
    backward, more = fit_backward(graph, naming) if graph.gradients else (Boxes(), [])
    forward, notes = fit(graph.outputs, naming, {}, graph)
    for box in forward.boxes:
        if not box.is_region and box.nodes[0].args:
            box.name = naming.name(box.nodes[0])
    panels = [Panel(f"{graph.title}: forward" if graph.gradients else graph.title, forward, False, graph.direction)]
    if backward.boxes:
        start = "the bottom up" if graph.direction == "down" else "right to left"
        panels.append(Panel(f"backward, from {start}", backward, True, graph.direction))
        stretch_shorter(panels)
    return panels, list(dict.fromkeys(notes + more))


def stretch_shorter(panels: list[Panel]) -> None:
    """Widen the gaps of the shorter pass, so that both begin and end at the same height."""
    short, long = sorted(panels, key=lambda panel: panel.layout.length)
    layers = len(short.layout.layers)
    if layers > 1:
        gap = short.gap + (long.layout.length - short.layout.length) / (layers - 1)
        panels[panels.index(short)] = Panel(short.heading, short.boxes, short.backwards, "down" if short.down else "right", gap)


def fit_backward(graph: Graph, naming: Naming) -> tuple[Boxes, list[str]]:
    """The boxes of the backward pass; values of the forward pass appear by name inside them."""
    known = dict.fromkeys(topological(graph.outputs))
    names = dict(naming.names)
    for name, node in graph.gradients.items():
        names[node] = f"∂/∂{name}" if node not in names else names[node] + f", ∂/∂{name}"
    roles = naming.roles | dict.fromkeys(graph.gradients.values(), "gradient")
    roots = [node for node in graph.gradients.values() if node not in known]
    return fit(roots, Naming(naming.labels, names, roles, naming.mentioned), known, graph)


def fit(roots: Sequence[Node], naming: Naming, known: Mapping[Node, object], graph: Graph) -> tuple[Boxes, list[str]]:
    """The boxes, by region when they are many; only those nearest to the outputs when they are too many even so."""
    boxes = make_boxes(roots, naming, known, {})
    notes = []
    chains = visible_chains(graph.recording.regions)
    deepest = max(map(len, chains.values()), default=0)
    for depth in range(deepest, min(deepest, 2) - 1, -1) if chains else ():
        if len(boxes.boxes) > graph.limit:
            boxes = make_boxes(roots, naming, known, {node: chain[:depth][-1] for node, chain in chains.items()})
            notes = ["The operations of one layer or function are one box here; the text of the graph lists them all."]
    if boxes.left_out:
        notes.append("Broadcasting (expand, and reshape by axes of size 1) is not drawn; the text of the graph lists it.")
    for box in boxes.boxes:
        if box.kind == "layer":
            box.title = graph.recording.descriptions.get(box.title, box.title)
    if len(boxes.boxes) > MOST:
        notes.append(f"{len(boxes.boxes) - MOST} more boxes, further from the output, are not drawn; the text lists them all.")
        kept = set(boxes.boxes[-MOST:])
        boxes.boxes = boxes.boxes[-MOST:]
        boxes.edges = [edge for edge in boxes.edges if edge[0] in kept and edge[1] in kept]
    return boxes, notes


def visible_chains(regions: Mapping[Node, Region]) -> dict[Node, tuple[Region, ...]]:
    """The regions of each node that may be its box, outermost first: layers, and the functions that a network calls by itself.

    What a layer without layers inside calls is its own business, as is what a function calls; an outermost layer shows its functions.
    """
    every = {region for innermost in regions.values() for region in innermost.chain}
    containers = {region.parent for region in every if region.is_layer} | {region for region in every if region.parent is None}
    return {node: visible(region, containers) for node, region in regions.items()}


def visible(region: Region, containers: Collection[Region | None]) -> tuple[Region, ...]:
    chain: list[Region] = []
    for part in region.chain:
        if chain and not part.is_layer and chain[-1] not in containers:
            break
        chain.append(part)
        if not part.is_layer:
            break
    return tuple(chain)


def box_title(box: Box) -> str:
    return f"{box.name} = {box.title}" if box.name else box.title


def box_detail(box: Box) -> str:
    return box.detail


def box_width(box: Box) -> float:
    return max(64.0, text_width(box_title(box), TITLE, bold=True), text_width(box_detail(box), DETAIL, mono=True)) + 22


def draw_panel(canvas: Canvas, panel: Panel, left: float, top: float) -> None:
    """Edges first, so that boxes lie on top of them."""
    for route, (start, end) in zip(panel.layout.routes, ports(panel)):
        points = [panel.at(*point, left, top) for point in panel.layout.points(route)]
        points[0] = panel.port(route[0], start, True, left, top)
        points[-1] = panel.port(route[-1], end, False, left, top)
        canvas.path(points, EDGE, 1.3, arrow=True, down=panel.down)
    for box in panel.boxes.boxes:
        draw_box(canvas, box, *panel.centre(box, left, top))


def ports(panel: Panel) -> list[tuple[float, float]]:
    """For every edge, how far from the centre it leaves and enters: side by side, in the order of what they lead to."""
    routes, across = panel.layout.routes, panel.layout.across
    leaving: dict[Any, list[int]] = {}
    entering: dict[Any, list[int]] = {}
    for i, route in enumerate(routes):
        leaving.setdefault(route[0], []).append(i)
        entering.setdefault(route[-1], []).append(i)
    shift = [[0.0, 0.0] for _ in routes]
    for side, groups, step in ((0, leaving, 1), (1, entering, -2)):
        for box, indices in groups.items():
            indices.sort(key=lambda i: across[routes[i][step]])
            space = min(22.0, 0.6 * (box_width(box) if panel.down else HEIGHT) / len(indices))
            for order, i in enumerate(indices):
                shift[i][side] = (order - (len(indices) - 1) / 2) * space
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
    boxes = [box for panel in panels for box in panel.boxes.boxes]
    kinds = dict.fromkeys("gradient" if "gradient" in (box.role, MEANING.get(box.kind)) else box.kind for box in boxes)
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
