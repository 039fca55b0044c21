"""Decides which values get memory of their own, and which of them share one loop nest; all others are computed where they are read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..costs import CHEAP, LOOK_BACK, MAXIMUM_COST, MAXIMUM_DEPTH, MAXIMUM_HEIGHT, MAXIMUM_NODES, MAXIMUM_STORES, SCALAR
from ..graph.node import Node
from ..graph.operation import Constant, Variable
from ..graph.shape import size
from ..graph.walk import topological, users
from .observers import observers


@dataclass
class Group:
    """Nodes computed in one loop nest: at most one reduction or contraction (`root`), and elementwise nodes of the same shape."""

    nodes: list[Node]
    root: Node | None = None
    stored: list[Node] = field(default_factory=list)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.nodes[0].shape


def is_leaf(node: Node) -> bool:
    return node.op in (Variable, Constant)


def has_own_kernel(node: Node) -> bool:
    """Whether the node cannot be computed element by element inside another kernel."""
    return node.op.kernel is not None and not node.op.disjoint(node)


def shares_loops(node: Node) -> bool:
    """Whether elementwise nodes may join this root's loop nest as its epilogue."""
    return node.op.epilogue


def materialize(roots: Iterable[Node]) -> dict[Node, None]:
    """The nodes that get a buffer, arguments before users."""
    roots = list(roots)
    order = topological(roots)
    uses = uses_of(order, observers(roots))
    wanted = BufferSelection()
    wanted.nodes.update((root, None) for root in roots if not is_leaf(root))
    for node in order:
        if is_leaf(node):
            continue
        wanted.consider_arguments(node)
        if has_own_kernel(node) or narrows(node, uses) or node.op.buffered:
            wanted.nodes[node] = None
        elif node not in wanted.nodes:
            wanted.measure(node, len(set(uses[node])))
    for node in [each for each in wanted.nodes if each.op.joins]:  # its parts are computed where they belong
        wanted.nodes.update((arg, None) for arg in node.args if arg.op.kind == "elementwise" and set(uses[arg]) == {node})
    return {node: None for node in order if node in wanted.nodes}


def uses_of(order: list[Node], observing: set[Node]) -> dict[Node, list[Node]]:
    """For each node those that read it; observers are readers of each other only."""
    uses = users(node for node in order if node not in observing)
    return {**uses, **{node: readers for node, readers in users(order).items() if node in observing}} if observing else uses


def narrows(node: Node, uses: dict[Node, list[Node]]) -> bool:
    """Whether a reduction's result is only read in this type, of fewer bytes: then it is stored so."""
    if not node.op.converts or node.dtype.itemsize >= node.args[0].dtype.itemsize:
        return False
    return has_own_kernel(node.args[0]) and shares_loops(node.args[0]) and set(uses[node.args[0]]) == {node}


class BufferSelection:
    """The nodes chosen so far, and what it costs to compute each of the others where it is read."""

    def __init__(self) -> None:
        self.nodes: dict[Node, None] = {}
        self.cost: dict[Node, int] = {}
        self.depth: dict[Node, int] = {}

    def inlined(self, node: Node) -> bool:
        return not is_leaf(node) and node not in self.nodes

    def measure(self, node: Node, use_count: int) -> None:
        """Keep the cost of a node in view; give it memory when computing it again and again would cost more."""
        cost, depth = self._inline_cost(node)
        if use_count > 1 and cost > CHEAP and node.op.kind == "move":
            self._settle(node, CHEAP, windowed=False)  # what the view shows gets the memory: the view itself stays free
            cost, depth = self._inline_cost(node)
        if depth > MAXIMUM_DEPTH or cost > MAXIMUM_COST or (use_count > 1 and cost > CHEAP):
            self.nodes[node] = None
        else:
            self.cost[node], self.depth[node] = cost, depth

    def _inline_cost(self, node: Node) -> tuple[int, int]:
        """(instructions, nesting) of computing a node in place."""
        inner = [arg for arg in node.args if self.inlined(arg)]
        return node.op.inline_cost(node) + sum(self.cost[arg] for arg in inner), 1 + max((self.depth[arg] for arg in inner), default=0)

    def consider_arguments(self, node: Node) -> None:
        """Give memory to arguments that this node would compute more than once per element."""
        limit = node.op.inline_limit
        if limit is not None:
            for arg in node.args:
                shown = self._settle(arg, limit, windowed=False)
                if node.op.kind == "contract" and self.inlined(shown) and self._finishes(shown):
                    self.nodes[shown] = None
        elif node.op.repeats(node):
            for arg in node.args:
                self._settle(arg, CHEAP if size(arg.shape) > 1 else SCALAR, windowed=node.op.overlaps)

    def _settle(self, node: Node, limit: int, windowed: bool) -> Node:
        """Follow a view down to what it shows, and give that memory when it costs more than the limit; returns it."""
        while self.inlined(node) and node.op.shows_argument(node):
            if node.op.buffered_if_reread and windowed:
                break
            windowed = windowed or node.op.overlaps
            limit = min(limit, 0) if node.op.repeats(node) else limit
            node = node.args[0]
        if not self.inlined(node):
            return node
        if (node.op.buffered_if_reread and limit < CHEAP) or self.cost.get(node, 0) > limit:
            self.nodes[node] = None
        return node

    def _finishes(self, node: Node) -> bool:
        """Whether an elementwise value is computed from a reduction or contraction of its own shape: it is that one's epilogue."""
        stack = [node]
        while stack:
            each = stack.pop()
            if each in self.nodes:
                if has_own_kernel(each) and shares_loops(each):
                    return True
            elif each.op.kind == "elementwise":
                stack.extend(each.args)
        return False


def direct_inputs(node: Node, wanted: dict[Node, None]) -> tuple[set[Node], set[Node]]:
    """The nodes with memory that `node` reads: those read only at the element being computed, and those read elsewhere too."""
    here: set[Node] = set()
    elsewhere: set[Node] = set()
    seen: set[tuple[Node, bool]] = set()
    stack = [(arg, node.op.kind == "elementwise") for arg in node.args]
    while stack:
        arg, same = stack.pop()
        if (arg, same) in seen:
            continue
        seen.add((arg, same))
        if arg in wanted or is_leaf(arg):
            (here if same else elsewhere).add(arg)
        else:
            stack.extend((each, same and arg.op.kind == "elementwise") for each in arg.args)
    return here - elsewhere, elsewhere


def group(roots: Iterable[Node]) -> list[Group]:
    """All kernels in an order in which each finds what it reads; those of observers come last, and compute nothing else."""
    roots = list(roots)
    wanted, observing = materialize(roots), observers(roots)
    inputs = {node: direct_inputs(node, wanted) for node in wanted}
    own = own_heights(roots, wanted)
    rest = [node for node in wanted if node not in observing]
    groups = fuse(rest, roots, inputs, own) + fuse([node for node in wanted if node in observing], roots, inputs, own)
    _choose_stores(groups, roots, inputs, {node: i for i, fused in enumerate(groups) for node in fused.nodes})
    return groups


def fuse(nodes: list[Node], roots: list[Node], inputs: dict[Node, tuple[set[Node], set[Node]]], own: dict[Node, int]) -> list[Group]:
    """Some of the nodes with memory in groups that share loops."""
    heights: dict[Node, int] = {}
    groups: list[Group] = []
    place: dict[Node, int] = {}
    for node in nodes:
        chosen = _join(node, inputs, groups, place)
        if chosen is not None:
            members = set(groups[chosen].nodes)
            heights[node] = own[node] + max((heights[arg] for arg in inputs[node][0] if arg in members), default=0)
        if chosen is None or heights[node] > MAXIMUM_HEIGHT:
            chosen, heights[node] = None, own[node]
        if chosen is None:
            groups.append(Group([node], node if has_own_kernel(node) else None))
            chosen = len(groups) - 1
        else:
            groups[chosen].nodes.append(node)
        place[node] = chosen
    return ElementwiseFusion(roots, {node: inputs[node] for node in nodes}, own).joined(groups)


class ElementwiseFusion:
    """Elementwise groups that a later one continues, element by element, moved into it where nobody between them needs their results.

    What began in several places (the gates of a recurrent unit) becomes one kernel, which computes once what they share.
    """

    def __init__(self, roots: list[Node], inputs: dict[Node, tuple[set[Node], set[Node]]], own: dict[Node, int]) -> None:
        self.inputs, self.own = inputs, own
        self.readers: dict[Node, set[Node]] = {}
        for reader, kinds in inputs.items():
            for node in kinds[0] | kinds[1]:
                self.readers.setdefault(node, set()).add(reader)
        self.roots = set(roots)

    def joined(self, groups: list[Group]) -> list[Group]:
        """The groups, fewer and larger."""
        found = list(groups)
        for number, later in enumerate(groups):
            for before in range(number - 1, max(-1, number - LOOK_BACK), -1):
                between = {node for each in found[before + 1:number] for node in each.nodes}
                if found[before].nodes and self.continues(later, found[before]) and not self.read_by(between, found[before]):
                    later.nodes[:0] = found[before].nodes
                    found[before] = Group([])
        return [each for each in found if each.nodes]

    def continues(self, later: Group, earlier: Group) -> bool:
        """Whether both are elementwise over the same elements, and the later one reads of the earlier only the element that it computes."""
        if later.shape != earlier.shape or any(each.nodes[0].op.kind != "elementwise" or each.root for each in (later, earlier)):
            return False
        made, nodes = set(earlier.nodes), earlier.nodes + later.nodes
        here, elsewhere = (set().union(*(self.inputs[node][kind] for node in later.nodes)) for kind in (0, 1))
        return bool(made & here) and not made & elsewhere and len(nodes) <= MAXIMUM_NODES and (
            self.height(nodes) <= MAXIMUM_HEIGHT and self.stores(nodes) <= MAXIMUM_STORES)

    def read_by(self, readers: set[Node], made: Group) -> bool:
        return any(not self.readers.get(node, set()).isdisjoint(readers) for node in made.nodes)

    def height(self, nodes: list[Node]) -> int:
        """How many values of one kernel are computed from each other, at most."""
        heights: dict[Node, int] = {}
        for node in nodes:
            heights[node] = self.own[node] + max((heights[arg] for arg in self.inputs[node][0] if arg in heights), default=0)
        return max(heights.values())

    def stores(self, nodes: list[Node]) -> int:
        """How many of them others need."""
        inside = set(nodes)
        return sum(node in self.roots or not self.readers.get(node, set()) <= inside for node in nodes)


def own_heights(roots: list[Node], wanted: dict[Node, None]) -> dict[Node, int]:
    """For each node, how many values above memory it is computed from, one from the other."""
    height: dict[Node, int] = {}
    for node in topological(roots):
        inlined = (height[arg] for arg in node.args if arg not in wanted and not is_leaf(arg))
        height[node] = 0 if is_leaf(node) else 1 + max(inlined, default=0)
    return height


def _join(node: Node, inputs: dict[Node, tuple[set[Node], set[Node]]], groups: list[Group], place: dict[Node, int]) -> int | None:
    """The latest earlier group whose loops can compute this node too."""
    if node.op.kind != "elementwise":
        return None
    here, elsewhere = inputs[node]
    earliest = max((place[arg] for arg in here if arg in place), default=-1)
    barrier = max((place[arg] for arg in elsewhere if arg in place), default=-1)
    first = max(earliest, barrier + 1, len(groups) - LOOK_BACK, 0)
    for number in range(first, len(groups)):
        if _fits(node, here, groups[number], inputs):
            return number
    return None


def _fits(node: Node, here: set[Node], candidate: Group, inputs: dict[Node, tuple[set[Node], set[Node]]]) -> bool:
    if candidate.shape != node.shape or len(candidate.nodes) >= MAXIMUM_STORES:
        return False
    if candidate.root is not None and not shares_loops(candidate.root):
        return False
    if candidate.root is None and candidate.nodes[0].op.kind != "elementwise":
        return False
    members = set(candidate.nodes)
    if members & here:
        return True
    shared = {arg for arg in here if size(arg.shape) > 1}
    return candidate.root is None and any(shared & inputs[member][0] for member in members)


def _choose_stores(groups: list[Group], roots: list[Node], inputs: dict[Node, tuple[set[Node], set[Node]]], place: dict[Node, int]) -> None:
    """Within a group, only what others read is written to memory."""
    needed = set(roots)
    for node, (here, elsewhere) in inputs.items():
        needed |= {arg for arg in here | elsewhere if arg in place and place[arg] != place[node]}
    for each in groups:
        each.stored = [node for node in each.nodes if node in needed]
