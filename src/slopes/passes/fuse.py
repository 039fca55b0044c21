"""Fusion: which values get buffers, and which of these share a loop nest; all others are computed where they are read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..costs import CHEAP, LOOK_BACK, MAXIMUM_COST, MAXIMUM_DEPTH, MAXIMUM_HEIGHT, MAXIMUM_NODES, MAXIMUM_STORES, SCALAR
from ..graph.build import Constant, Variable
from ..graph.node import Node
from ..graph.shape import size
from ..graph.walk import topological, users
from .observers import observers

Inputs = dict[Node, tuple[set[Node], set[Node]]]
"""For each node with memory, the others that it reads: at the element being computed alone, and elsewhere too."""


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
    selection = BufferSelection()
    selection.nodes.update((root, None) for root in roots if not is_leaf(root))
    for node in order:
        if is_leaf(node):
            continue
        selection.consider_arguments(node)
        if has_own_kernel(node) or narrows(node, uses) or node.op.buffered:
            selection.nodes[node] = None
        elif node not in selection.nodes:
            selection.measure(node, len(set(uses[node])))
    for node in [joined for joined in selection.nodes if joined.op.joins]:  # its parts are computed where they belong
        selection.nodes.update((arg, None) for arg in node.args if arg.op.kind == "elementwise" and set(uses[arg]) == {node})
    return {node: None for node in order if node in selection.nodes}


def uses_of(order: list[Node], observing: set[Node]) -> dict[Node, list[Node]]:
    """For each node those that read it; observers are readers of each other only."""
    uses = users(node for node in order if node not in observing)
    return {**uses, **{node: readers for node, readers in users(order).items() if node in observing}} if observing else uses


def narrows(node: Node, uses: dict[Node, list[Node]]) -> bool:
    """Whether a reduction's result is read only after this conversion to a smaller type: then it is stored in that type."""
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
        """Record the cost of a node; give it a buffer when computing it for every reader would cost more."""
        cost, depth = self._inline_cost(node)
        if use_count > 1 and cost > CHEAP and node.op.kind == "move":
            self._settle(node, CHEAP, windowed=False)  # the source gets the buffer; the view itself costs nothing
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
        """Give buffers to arguments that this node would otherwise compute more than once per element."""
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
        """Follow views down to their source, and give it a buffer when it costs more than the limit; returns the source."""
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
            current = stack.pop()
            if current in self.nodes:
                if has_own_kernel(current) and shares_loops(current):
                    return True
            elif current.op.kind == "elementwise":
                stack.extend(current.args)
        return False


def direct_inputs(node: Node, stored: dict[Node, None]) -> tuple[set[Node], set[Node]]:
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
        if arg in stored or is_leaf(arg):
            (here if same else elsewhere).add(arg)
        else:
            stack.extend((inner, same and arg.op.kind == "elementwise") for inner in arg.args)
    return here - elsewhere, elsewhere


def group(roots: Iterable[Node]) -> list[Group]:
    """All kernels in an order in which each finds what it reads; those of observers come last, and compute nothing else."""
    roots = list(roots)
    stored, observing = materialize(roots), observers(roots)
    inputs = {node: direct_inputs(node, stored) for node in stored}
    own = own_heights(roots, stored)
    rest = [node for node in stored if node not in observing]
    groups = fuse(rest, roots, inputs, own) + fuse([node for node in stored if node in observing], roots, inputs, own)
    _choose_stores(groups, roots, inputs, {node: i for i, fused in enumerate(groups) for node in fused.nodes})
    return groups


def fuse(nodes: list[Node], roots: list[Node], inputs: Inputs, own: dict[Node, int]) -> list[Group]:
    """Some of the nodes with memory in groups that share loops."""
    heights: dict[Node, int] = {}
    groups: list[Group] = []
    group_of: dict[Node, int] = {}
    for node in nodes:
        chosen = _join(node, inputs, groups, group_of)
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
        group_of[node] = chosen
    return ElementwiseFusion(roots, {node: inputs[node] for node in nodes}, own).joined(groups)


class ElementwiseFusion:
    """Merges an elementwise group into a later one that continues it, where no group between them reads its results.

    Groups that start apart (the gates of a recurrent unit) become one kernel, which computes common values once.
    """

    def __init__(self, roots: list[Node], inputs: Inputs, own: dict[Node, int]) -> None:
        self.inputs, self.own = inputs, own
        self.readers: dict[Node, set[Node]] = {}
        for reader, kinds in inputs.items():
            for node in kinds[0] | kinds[1]:
                self.readers.setdefault(node, set()).add(reader)
        self.roots = set(roots)

    def joined(self, groups: list[Group]) -> list[Group]:
        """The groups, fewer and larger."""
        result = list(groups)
        for i, later in enumerate(groups):
            for before in range(i - 1, max(-1, i - LOOK_BACK), -1):
                between = {node for group in result[before + 1:i] for node in group.nodes}
                if result[before].nodes and self.continues(later, result[before]) and not self.read_by(between, result[before]):
                    later.nodes[:0] = result[before].nodes
                    result[before] = Group([])
        return [group for group in result if group.nodes]

    def continues(self, later: Group, earlier: Group) -> bool:
        """Whether both are elementwise over the same elements, and the later one reads of the earlier only the element that it computes."""
        if later.shape != earlier.shape or any(group.nodes[0].op.kind != "elementwise" or group.root for group in (later, earlier)):
            return False
        made, nodes = set(earlier.nodes), earlier.nodes + later.nodes
        here, elsewhere = (set().union(*(self.inputs[node][kind] for node in later.nodes)) for kind in (0, 1))
        return bool(made & here) and not made & elsewhere and len(nodes) <= MAXIMUM_NODES and (
            self.height(nodes) <= MAXIMUM_HEIGHT and self.stores(nodes) <= MAXIMUM_STORES)

    def read_by(self, readers: set[Node], made: Group) -> bool:
        return any(not self.readers.get(node, set()).isdisjoint(readers) for node in made.nodes)

    def height(self, nodes: list[Node]) -> int:
        """The length of the longest chain of values in one kernel."""
        heights: dict[Node, int] = {}
        for node in nodes:
            heights[node] = self.own[node] + max((heights[arg] for arg in self.inputs[node][0] if arg in heights), default=0)
        return max(heights.values())

    def stores(self, nodes: list[Node]) -> int:
        """How many of them are read outside."""
        inside = set(nodes)
        return sum(node in self.roots or not self.readers.get(node, set()) <= inside for node in nodes)


def own_heights(roots: list[Node], stored: dict[Node, None]) -> dict[Node, int]:
    """For each node, the length of the longest chain of values without buffers from which it is computed."""
    height: dict[Node, int] = {}
    for node in topological(roots):
        inlined = (height[arg] for arg in node.args if arg not in stored and not is_leaf(arg))
        height[node] = 0 if is_leaf(node) else 1 + max(inlined, default=0)
    return height


def _join(node: Node, inputs: Inputs, groups: list[Group], group_of: dict[Node, int]) -> int | None:
    """The latest earlier group whose loops can compute this node too."""
    if node.op.kind != "elementwise":
        return None
    here, elsewhere = inputs[node]
    earliest = max((group_of[arg] for arg in here if arg in group_of), default=-1)
    barrier = max((group_of[arg] for arg in elsewhere if arg in group_of), default=-1)
    first = max(earliest, barrier + 1, len(groups) - LOOK_BACK, 0)
    for i in range(first, len(groups)):
        if _fits(node, here, groups[i], inputs):
            return i
    return None


def _fits(node: Node, here: set[Node], candidate: Group, inputs: Inputs) -> bool:
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


def _choose_stores(groups: list[Group], roots: list[Node], inputs: Inputs, group_of: dict[Node, int]) -> None:
    """Within a group, only what others read is written to memory."""
    needed = set(roots)
    for node, (here, elsewhere) in inputs.items():
        needed |= {arg for arg in here | elsewhere if arg in group_of and group_of[arg] != group_of[node]}
    for group in groups:
        group.stored = [node for node in group.nodes if node in needed]
