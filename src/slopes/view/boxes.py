"""What a picture of a graph shows: nodes as boxes with small constants inside, without broadcasting, and layers as one box."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..errors import line_text
from ..graph.node import Node
from ..graph.operation import Constant, Variable
from ..graph.text import line, type_text
from ..graph.walk import topological
from ..ops.contract import Contract
from ..ops.window import Window

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
               layers: Mapping[Node, Passage] | None = None) -> Boxes:
    """The boxes that the roots need. Nodes in `given` are drawn elsewhere: they appear by name inside the boxes that use them.

    With `layers`, the nodes of one passage become one box.
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


Passage = tuple[str, int]  # the path of a layer, or the text of a line; and the line of the traced function that called it, or 0
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
    letters = {label: LETTERS[number % len(LETTERS)] for number, label in enumerate(dict.fromkeys(sides[0] + sides[1]))}
    return ["".join(letters[label] for label in side) for side in sides]


def matmul_sides(node: Node) -> tuple[bool, str, str] | None:
    """A product of two matrices: whether the second operand comes first, and "" or "ᵀ" for each; None for other contractions."""
    a, b, out = contract_letters(node)
    if (len(a), len(b), len(out)) != (2, 2, 2) or len({*a, *b}) != 3 or set(out) != set(a) ^ set(b):
        return None
    return out[0] in b, "" if a[out[0] in b] in out else "ᵀ", "" if b[out[0] in a] in out else "ᵀ"


@dataclass(frozen=True)
class Call:
    """One passage through a layer: its path, and which passage it is (a tied layer runs more than once)."""

    layer: str
    number: int


def group(shown: Shown, layers: Mapping[Node, Passage]) -> dict[Node, Node | Call]:
    """For every node its Call, or itself. Boxes never form a cycle: a node that would close one starts a new Call."""
    group_of: dict[Node, Node | Call] = {}
    sources: dict[Node | Call, set[Node | Call]] = {}
    latest: dict[Passage, Call] = {}
    counts: Counter[str] = Counter()

    def new_call(passage: Passage) -> Call:
        counts[passage[0]] += 1
        return Call(passage[0], counts[passage[0]])

    for node, args in shown.items():
        key: Node | Call = node
        if node in layers and node.args:
            passage = layers[node]
            key = latest.get(passage) or new_call(passage)
            outside = {group_of[arg] for arg in args if arg in group_of} - {key}
            if reaches(outside, key, sources):
                key = new_call(passage)
            latest[passage] = key
        group_of[node] = key
        sources.setdefault(key, set()).update(group_of[arg] for arg in args if arg in group_of and group_of[arg] != key)
    return group_of


def inner(shown: Shown, groups: Mapping[Node, Node | Call], roots: Sequence[Node], naming: Naming) -> set[Node]:
    """What nothing but layers uses stays inside of their boxes: constants and counts, the parameters of one layer, and what several
    calls of a layer share because it is computed from parameters alone."""
    users: dict[Node, list[Node | Call]] = {}
    for node, args in shown.items():
        for arg in args:
            users.setdefault(arg, []).append(groups[node])
    own: set[Node] = set()  # parameters, and what is computed from them alone
    inside = set()
    for node, args in shown.items():
        if naming.roles.get(node) in ("parameter", "state") or (args and own.issuperset(args)):
            own.add(node)
        calls = {user for user in users.get(node, ()) if isinstance(user, Call)}
        if node in roots or len(calls) < len(set(users.get(node, ()))):
            continue
        nameless = node not in naming.names and node not in naming.roles
        constant = nameless and not args and node.op is not Variable
        shared = node in own and len({call.layer for call in calls}) == 1 and (not args or (nameless and len(calls) > 1))
        if constant or shared:
            inside.add(node)
    return inside


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
