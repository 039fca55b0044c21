"""What a picture of a graph shows: nodes as boxes with small constants inside, without broadcasting, and regions as one box."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..errors import line_text
from ..graph.build import Constant, Variable
from ..graph.node import Node
from ..graph.scopes import Region
from ..graph.text import line, type_text
from ..graph.walk import topological
from ..ops.contract import Contract
from ..ops.window import Window

LETTERS = "ijklmnopqrstuvwxyzabcdefgh"
MARK = "·"
REGIONS = ("layer", "function")
LISTED = 40  # nodes of a region that its tip lists


@dataclass
class Box:
    """One box: a node, or all nodes of a region, whose kind is "layer" or "function"."""

    title: str
    detail: str
    kind: str
    name: str = ""
    tip: str = ""
    nodes: list[Node] = field(default_factory=list)
    role: str = ""  # input, parameter, state, output, gradient or nothing

    @property
    def is_region(self) -> bool:
        """Whether it is the box of a layer or a function."""
        return self.kind in REGIONS

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
    """What the nodes of a graph are called: `labels` as in its text, `names` the user's, `roles` of inputs and outputs."""

    labels: dict[Node, str]
    names: dict[Node, str] = field(default_factory=dict)
    roles: dict[Node, str] = field(default_factory=dict)
    mentioned: set[Node] = field(default_factory=set)  # nodes that a box calls by their label: their own box must show it

    def call(self, node: Node) -> str:
        if node not in self.names:
            self.mentioned.add(node)
        return self.names.get(node) or self.labels.get(node, "")

    def name(self, node: Node) -> str:
        """What stands before the equals sign in a node's box."""
        return self.names.get(node) or (self.labels[node] if node in self.mentioned else "")


def make_boxes(roots: Sequence[Node], naming: Naming, known: Mapping[Node, object], regions: Mapping[Node, Region]) -> Boxes:
    """The boxes that the roots need. Nodes in `known` are drawn elsewhere: they appear by name inside the boxes that use them.

    The nodes of one of the `regions` become one box; a function that shows one node is that node's box.
    """
    order = [node for node in topological(roots, stop=lambda node: node in known) if node not in known]
    shown = {node: [behind(arg, naming) for arg in node.args] for node in order if is_shown(node, roots, naming)}
    groups = group(shown, regions)
    members: dict[Key, list[Node]] = {}
    hidden = inner(shown, groups, roots, naming)
    for node in shown:
        if node not in hidden:
            members.setdefault(groups[node], []).append(node)
    result = Boxes(left_out=any(is_quiet(node, naming) for node in order))
    for key, inside in members.items():
        single = inside[0] if not isinstance(key, Part) or (len(inside) == 1 and not key.region.is_layer) else None
        box = region_box(key, inside, naming) if single is None else node_box(single, shown[single], naming, known)  # type: ignore[arg-type]
        result.boxes.append(box)
        result.box_of.update(dict.fromkeys(inside, box))
    result.edges = edges(shown, result.box_of)
    return result


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
    """One edge per use; several uses between two regions' boxes are one."""
    uses: dict[tuple[Box, Box, int], None] = {}
    for node, args in shown.items():
        for i, arg in enumerate(args):
            if arg in box_of and box_of[arg] is not box_of[node]:
                uses[(box_of[arg], box_of[node], -1 if box_of[node].is_region else i)] = None
    return [(source, target) for source, target, _ in uses]


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


def node_box(node: Node, args: Sequence[Node], naming: Naming, known: Mapping[Node, object]) -> Box:
    """The box of one node whose edges come from `args`."""
    role = naming.roles.get(node, "")
    kind = role if role in ("input", "parameter", "state", "seed") else node.op.kind
    kind = "constant" if node.op is Constant else kind
    name = naming.names.get(node, "")
    title = (name or role or "variable") if node.op is Variable else title_of(node, args, naming, known)
    tip = tip_line(node, naming) + (f"\n{node.layer}, " if node.layer else "\n") + line_text(node.location)
    return Box(title, type_text(node.dtype, node.shape), kind, "" if node.op is Variable else name, tip, [node], role)


def tip_line(node: Node, naming: Naming) -> str:
    """A node as in the graph's text, without the running numbers that tell variables apart: drawn again, the picture is the same."""
    return line(node, Everything(naming), without=("serial", "tag"))


class Everything(dict):
    """Names for any node: its label, or ? for one outside the graph."""

    def __init__(self, naming: Naming) -> None:
        self.naming = naming

    def __getitem__(self, node: Node) -> str:
        return self.naming.labels.get(node, "?")


def title_of(node: Node, args: Sequence[Node], naming: Naming, known: Mapping[Node, object]) -> str:
    """The operation's name, with the arguments that are not drawn as edges: `add(·, 1)`, `multiply(·, h)`."""
    words = [inline(arg) or (naming.call(arg) if arg in known else MARK) for arg in args]
    if node.op is Constant:
        return "constant"
    if node.op is Contract and (sides := matmul_sides(node)):
        exchanged, *turned = sides
        words = [word + mark for word, mark in zip(words, turned)][::-1 if exchanged else 1]
        return f"matmul({', '.join(words)})" if set(words) - {MARK} else "matmul"
    inside = f"({', '.join(words)})" if set(words) - {MARK} else ""
    return node.op.name + inside + parameters(node)


def parameters(node: Node) -> str:
    """The parameters that the shape alone does not tell."""
    if node.op is Contract:
        return " " + contract_text(node)
    chosen = {key: node.params[key] for key in ("axes", "axis", "size", "stride", "descending", "step") if key in node.params}
    if node.op is Window:
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
    a, b, out = contract_letters(node)
    return f"{a},{b}→{out}"


def contract_letters(node: Node) -> list[str]:
    """The axes of both operands and of the result, a letter each."""
    sides = [node.params[key] for key in ("a_axes", "b_axes", "out_axes")]
    letters = {label: LETTERS[i % len(LETTERS)] for i, label in enumerate(dict.fromkeys(sides[0] + sides[1]))}
    return ["".join(letters[label] for label in side) for side in sides]


def matmul_sides(node: Node) -> tuple[bool, str, str] | None:
    """A product of two matrices: whether the second operand comes first, and "" or "ᵀ" for each; None for other contractions."""
    a, b, out = contract_letters(node)
    if (len(a), len(b), len(out)) != (2, 2, 2) or len({*a, *b}) != 3 or set(out) != set(a) ^ set(b):
        return None
    return out[0] in b, "" if a[out[0] in b] in out else "ᵀ", "" if b[out[0] in a] in out else "ᵀ"


@dataclass(frozen=True)
class Part:
    """The nodes of a region that become one box: all of them, unless boxes would form a cycle."""

    region: Region
    index: int


Key = Node | Part


def group(shown: Shown, regions: Mapping[Node, Region]) -> dict[Node, Key]:
    """For every node the part of its region, or itself. Boxes never form a cycle: a node that would close one starts a new part."""
    key_of: dict[Node, Key] = {}
    sources: dict[Key, set[Key]] = {}
    latest: dict[Region, Part] = {}
    for node, args in shown.items():
        key: Key = node
        if node in regions and node.args:
            region = regions[node]
            part = latest.get(region) or Part(region, 0)
            outside = {key_of[arg] for arg in args if arg in key_of} - {part}
            key = latest[region] = Part(region, part.index + 1) if reaches(outside, part, sources) else part
        key_of[node] = key
        sources.setdefault(key, set()).update(key_of[arg] for arg in args if arg in key_of and key_of[arg] != key)
    return key_of


def inner(shown: Shown, groups: Mapping[Node, Key], roots: Sequence[Node], naming: Naming) -> set[Node]:
    """What nothing but regions uses stays inside of their boxes: constants and counts, the parameters of one layer, and what several
    calls of a layer share because it is computed from parameters alone."""
    users: dict[Node, list[Key]] = {}
    for node, args in shown.items():
        for arg in args:
            users.setdefault(arg, []).append(groups[node])
    own: set[Node] = set()  # parameters, and what is computed from them alone
    inside = set()
    for node, args in shown.items():
        if naming.roles.get(node) in ("parameter", "state") or (args and own.issuperset(args)):
            own.add(node)
        parts = {user for user in users.get(node, ()) if isinstance(user, Part)}
        if node in roots or len(parts) < len(set(users.get(node, ()))):
            continue
        nameless = node not in naming.names and node not in naming.roles
        constant = nameless and not args and node.op is not Variable
        one_layer = len({part.region.name for part in parts}) == 1 and all(part.region.is_layer for part in parts)
        if constant or (node in own and one_layer and (not args or (nameless and len(parts) > 1))):
            inside.add(node)
    return inside


def reaches(start: set[Key], target: Key, sources: Mapping[Key, set[Key]]) -> bool:
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


def region_box(part: Part, members: Sequence[Node], naming: Naming) -> Box:
    """One box for all nodes of a region: the path of the layer or the name of the function, and what leaves it."""
    region, inside = part.region, set(members)
    used = {arg for node in members for arg in node.args if arg in inside}
    results = [node for node in members if node not in used] or [members[-1]]
    count = f"{len(members)} {'gradient ' if region.forward is not None else ''}operation{'s' if len(members) > 1 else ''}"
    lines = [region.call, *(tip_line(node, naming) for node in members[:LISTED]), *["..."] * (len(members) > LISTED)]
    role = next((naming.roles[node] for node in members if node in naming.roles), "")
    names = [naming.names[node] for node in members if node in naming.names]
    detail, name = f"{type_text(results[-1].dtype, results[-1].shape)}  {count}", names[-1] if names else ""
    if role == "gradient":
        detail, name = ", ".join(names), ""
    return Box(region.name, detail, "layer" if region.is_layer else "function", name, "\n".join(lines), list(members), role)
