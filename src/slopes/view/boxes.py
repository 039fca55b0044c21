"""What a picture of a graph shows: nodes as boxes with small constants inside, without broadcasting, and layers as one box."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..errors import line_text
from ..graph.node import Node
from ..graph.operation import Constant, Variable
from ..graph.text import line, type_text
from ..graph.walk import topological

LETTERS = "ijklmnopqrstuvwxyzabcdefgh"
MARK = "·"


@dataclass
class Box:
    """One box: a node, or all nodes of a layer."""

    title: str
    detail: str
    kind: str
    name: str = ""
    tip: str = ""
    nodes: list[Node] = field(default_factory=list)
    role: str = ""  # input, parameter, state, output, gradient or nothing

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


@dataclass
class Boxes:
    """The boxes of one panel, the edges between them, and the box of every node."""

    boxes: list[Box] = field(default_factory=list)
    edges: list[tuple[Box, Box]] = field(default_factory=list)
    box_of: dict[Node, Box] = field(default_factory=dict)
    left_out: bool = False  # whether broadcasting was left out


@dataclass
class Naming:
    """What the nodes of a graph are called: `numbers` as in its text, `names` the user's, `roles` of inputs and outputs."""

    numbers: dict[Node, str]
    names: dict[Node, str] = field(default_factory=dict)
    roles: dict[Node, str] = field(default_factory=dict)
    mentioned: set[Node] = field(default_factory=set)  # nodes that a box calls by their number: their own box must show it

    def call(self, node: Node) -> str:
        if node not in self.names:
            self.mentioned.add(node)
        return self.names.get(node) or self.numbers.get(node, "")

    def name(self, node: Node) -> str:
        """What stands before the equals sign in a node's box."""
        return self.names.get(node) or (self.numbers[node] if node in self.mentioned else "")


def make_boxes(roots: Sequence[Node], naming: Naming, given: Mapping[Node, object],
               layers: Mapping[Node, str] | None = None) -> Boxes:
    """The boxes that the roots need. Nodes in `given` are drawn elsewhere: they appear by name inside the boxes that use them.

    With `layers` (node -> path, "" for none), the nodes of one layer become one box.
    """
    order = [node for node in topological(roots, stop=lambda node: node in given) if node not in given]
    shown = {node: [behind(arg, naming) for arg in node.args] for node in order if is_shown(node, roots, naming)}
    groups = group(shown, layers) if layers is not None else {node: node for node in shown}
    members: dict[Node | Call, list[Node]] = {}
    hidden = inner(shown, groups, roots, naming)
    for node in shown:
        if node not in hidden:
            members.setdefault(groups[node], []).append(node)
    found = Boxes(left_out=any(is_quiet(node, naming) for node in order))
    for key, inside in members.items():
        box = layer_box(key, inside, naming) if isinstance(key, Call) else node_box(key, shown[key], naming, given)
        found.boxes.append(box)
        found.box_of.update(dict.fromkeys(inside, box))
    found.edges = edges(shown, found.box_of)
    return found


Shown = Mapping[Node, Sequence[Node]]  # each node that is drawn, with the arguments that its edges come from


def is_shown(node: Node, roots: Sequence[Node], naming: Naming) -> bool:
    return node in roots or (inline(node) is None and not is_quiet(node, naming))


def is_quiet(node: Node, naming: Naming) -> bool:
    """Whether a node only lines axes up for broadcasting: it adds or removes axes of size 1, or repeats along them."""
    if node in naming.names or node in naming.roles or inline(node) is not None:
        return False
    ones = node.op.keeps_order and [n for n in node.shape if n != 1] == [n for n in node.args[0].shape if n != 1]
    return ones or node.op.broadcasts


def behind(node: Node, naming: Naming) -> Node:
    """The node itself, or what it lines up."""
    while is_quiet(node, naming):
        node = node.args[0]
    return node


def edges(shown: Shown, box_of: Mapping[Node, Box]) -> list[tuple[Box, Box]]:
    """One edge per use; several uses between two layers' boxes are one."""
    found: dict[tuple[Box, Box, int], None] = {}
    for node, args in shown.items():
        for number, arg in enumerate(args):
            if arg in box_of and box_of[arg] is not box_of[node]:
                found[(box_of[arg], box_of[node], -1 if box_of[node].kind == "layer" else number)] = None
    return [(source, target) for source, target, _ in found]


def inline(node: Node) -> str | None:
    """The text of a constant that is one number, seen through expansions and casts; None for everything else."""
    while node.op.same_numbers:
        node = node.args[0]
    if node.op is not Constant or node.value is None:
        return None
    if node.value.size == 1:
        return short_number(node.value.reshape(-1)[0].item())
    first = node.value.reshape(-1)[:1]
    return short_number(first[0].item()) if node.value.size and np.all(node.value == first) else None


def short_number(value: float | int | bool | complex) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def node_box(node: Node, args: Sequence[Node], naming: Naming, given: Mapping[Node, object]) -> Box:
    """The box of one node whose edges come from `args`."""
    role = naming.roles.get(node, "")
    kind = role if role in ("input", "parameter", "state", "seed") else node.op.kind
    kind = "constant" if node.op is Constant else kind
    name = naming.names.get(node, "")
    title = (name or role or "variable") if node.op is Variable else title_of(node, args, naming, given)
    tip = tip_line(node, naming) + (f"\n{node.layer}, " if node.layer else "\n") + line_text(node.location)
    return Box(title, type_text(node.dtype, node.shape), kind, "" if node.op is Variable else name, tip, [node], role)


def tip_line(node: Node, naming: Naming) -> str:
    """A node as in the graph's text, without the running numbers that tell variables apart: drawn again, the picture is the same."""
    return line(node, Everything(naming), without=("serial", "tag"))


class Everything(dict):
    """Names for any node: its number, or ? for one outside the graph."""

    def __init__(self, naming: Naming) -> None:
        self.naming = naming

    def __getitem__(self, node: Node) -> str:
        return self.naming.numbers.get(node, "?")


def title_of(node: Node, args: Sequence[Node], naming: Naming, given: Mapping[Node, object]) -> str:
    """The operation's name, with the arguments that are not drawn as edges: `add(·, 1)`, `multiply(·, h)`."""
    words = [inline(arg) or (naming.call(arg) if arg in given else MARK) for arg in args]
    if node.op is Constant:
        return "constant"
    inside = f"({', '.join(words)})" if set(words) - {MARK} else ""
    return node.op.name + inside + parameters(node)


def parameters(node: Node) -> str:
    """The parameters that the shape alone does not tell."""
    if node.op.name == "contract":
        return " " + contract_text(node)
    chosen = {key: node.params[key] for key in ("axes", "axis", "size", "stride", "descending", "step") if key in node.params}
    if node.op.name == "window":
        chosen.pop("axes")
    if node.op.kind == "reduce" and len(chosen.get("axes", ())) == len(node.args[0].shape):
        chosen.pop("axes")
    return "".join(f" {key} {compact(value)}" for key, value in chosen.items() if not trivial(key, value))


def trivial(key: str, value: object) -> bool:
    return (key in ("stride", "step") and isinstance(value, tuple) and set(value) <= {1}) or value is False or value == ()


def compact(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def contract_text(node: Node) -> str:
    """`ij,kj→ik`: the axes of both operands and of the result."""
    sides = [node.params[key] for key in ("a_axes", "b_axes", "out_axes")]
    letters = {label: LETTERS[number % len(LETTERS)] for number, label in enumerate(dict.fromkeys(sides[0] + sides[1]))}
    a, b, out = ("".join(letters[label] for label in side) for side in sides)
    return f"{a},{b}→{out}"


@dataclass(frozen=True)
class Call:
    """One passage through a layer: its path, and which passage it is (a tied layer runs more than once)."""

    layer: str
    number: int


def group(shown: Shown, layers: Mapping[Node, str]) -> dict[Node, Node | Call]:
    """For every node its Call, or itself. Boxes never form a cycle: a node that would close one starts a new Call."""
    found: dict[Node, Node | Call] = {}
    sources: dict[Node | Call, set[Node | Call]] = {}
    latest: dict[str, Call] = {}
    for node, args in shown.items():
        layer = layers.get(node, "")
        key: Node | Call = node
        if layer and node.args:
            key = latest.get(layer) or Call(layer, 0)
            outside = {found[arg] for arg in args if arg in found} - {key}
            if isinstance(key, Call) and reaches(outside, key, sources):
                key = Call(layer, key.number + 1)
            latest[layer] = key
        found[node] = key
        sources.setdefault(key, set()).update(found[arg] for arg in args if arg in found and found[arg] != key)
    return found


def inner(shown: Shown, groups: Mapping[Node, Node | Call], roots: Sequence[Node], naming: Naming) -> set[Node]:
    """Constants and counts that nothing but layers uses: they stay inside, as whatever else a layer is made of."""
    used = {arg for node, args in shown.items() if not isinstance(groups[node], Call) for arg in args}
    seen = used | set(roots) | set(naming.names) | set(naming.roles)
    return {node for node in shown if not node.args and node.op is not Variable and node not in seen}


def reaches(start: set[Node | Call], target: Node | Call, sources: Mapping[Node | Call, set[Node | Call]]) -> bool:
    """Whether any of `start` is computed from `target`."""
    stack, seen = list(start), set(start)
    while stack:
        key = stack.pop()
        if key == target:
            return True
        fresh = sources.get(key, set()) - seen
        seen |= fresh
        stack.extend(fresh)
    return False


def layer_box(call: Call, members: Sequence[Node], naming: Naming) -> Box:
    """One box for all nodes of a layer: its path, and what leaves it."""
    inside = set(members)
    used = {arg for node in members for arg in node.args if arg in inside}
    results = [node for node in members if node not in used] or [members[-1]]
    count = f"{len(members)} operations" if len(members) > 1 else "1 operation"
    tip = "\n".join(tip_line(node, naming) for node in members[:40]) + ("\n..." if len(members) > 40 else "")
    role = next((naming.roles[node] for node in members if node in naming.roles), "")
    names = [naming.names[node] for node in members if node in naming.names]
    if role == "gradient":
        return Box(call.layer, ", ".join(names), "layer", "", tip, list(members), role)
    detail = f"{type_text(results[-1].dtype, results[-1].shape)}  {count}"
    return Box(call.layer, detail, "layer", names[-1] if names else "", tip, list(members), role)
