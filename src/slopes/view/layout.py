"""Where the boxes of a graph go: layers by longest path, an order with few crossings, positions with straight edges.

The method is that of K. Sugiyama, S. Tagawa and M. Toda, "Methods for visual understanding of hierarchical system structures"
(1981): a long edge passes through a dummy in each layer on its way. Positions within a layer are the exact least-squares answer
(pool adjacent violators) to "as near to your neighbours as order and width allow", asked downwards and upwards in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

Key = Any  # whatever is hashable: a node, a box, a Dummy
Edge = tuple[Key, Key]
SWEEPS = 12
LIGHT = 0.1


@dataclass(frozen=True)
class Dummy:
    """A point where a long edge passes through a layer."""

    edge: int
    layer: int


@dataclass
class Layout:
    """The centre of every box along the layers' direction and across it, how thick each layer is, and the route of every edge."""

    layers: list[list[Key]]
    across: dict[Key, float]
    along: dict[Key, float]
    thickness: list[float]
    routes: list[list[Key]]
    breadth: float
    length: float

    def points(self, route: Sequence[Key]) -> list[tuple[float, float]]:
        """(across, along) of an edge's points: it passes straight through the layers between its ends, beside their boxes."""
        points = []
        for key in route:
            half = self.thickness[key.layer] / 2 if isinstance(key, Dummy) else 0.0
            points += [(self.across[key], self.along[key] + shift) for shift in ((-half, half) if half else (0.0,))]
        return points


def arrange(keys: Sequence[Key], edges: Sequence[Edge], breadth: Callable[[Key], float], length: Callable[[Key], float],
            gap: float = 26.0, layer_gap: float = 38.0) -> Layout:
    """Lay out boxes: `breadth` is a box's size across the layers, `length` its size along them. Edges must not form a cycle."""
    rank = ranks(keys, edges)
    layers, routes = fill_layers(keys, edges, rank)
    above, below = neighbours(routes)
    order(layers, above, below)
    wide = {key: 4.0 if isinstance(key, Dummy) else breadth(key) for layer in layers for key in layer}
    across = Placing(layers, above, below, wide, gap).run()
    thickness = [max((length(key) for key in layer if not isinstance(key, Dummy)), default=0.0) for layer in layers]
    along, total = stack(layers, thickness, layer_gap)
    left = min((across[key] - wide[key] / 2 for key in across), default=0.0)
    right = max((across[key] + wide[key] / 2 for key in across), default=0.0)
    return Layout(layers, {key: value - left for key, value in across.items()}, along, thickness, routes, right - left, total)


def ranks(keys: Sequence[Key], edges: Sequence[Edge]) -> dict[Key, int]:
    """Longest path from the sources; then whatever has no more arguments than users comes down to just above its first user."""
    into: dict[Key, list[Key]] = {key: [] for key in keys}
    out: dict[Key, list[Key]] = {key: [] for key in keys}
    for source, target in edges:
        into[target].append(source)
        out[source].append(target)
    rank: dict[Key, int] = {}
    ordered = sorted_keys(keys, into, out)
    for key in ordered:
        rank[key] = 1 + max((rank[source] for source in into[key]), default=-1)
    for key in reversed(ordered):
        if out[key] and len(set(into[key])) <= len(set(out[key])):
            rank[key] = min(rank[target] for target in out[key]) - 1
    lowest = min(rank.values(), default=0)
    return {key: value - lowest for key, value in rank.items()}


def sorted_keys(keys: Sequence[Key], into: dict[Key, list[Key]], out: dict[Key, list[Key]]) -> list[Key]:
    """Every key after those it depends on."""
    waiting = {key: len(into[key]) for key in keys}
    ready = [key for key in keys if not waiting[key]]
    for key in ready:
        for target in out[key]:
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    return ready


def fill_layers(keys: Sequence[Key], edges: Sequence[Edge], rank: dict[Key, int]) -> tuple[list[list[Key]], list[list[Key]]]:
    """The layers with their boxes and the dummies of long edges, and the route of every edge through them."""
    layers: list[list[Key]] = [[] for _ in range(max(rank.values(), default=-1) + 1)]
    for key in keys:
        layers[rank[key]].append(key)
    routes = []
    for i, (source, target) in enumerate(edges):
        dummies = [Dummy(i, layer) for layer in range(rank[source] + 1, rank[target])]
        for dummy in dummies:
            layers[dummy.layer].append(dummy)
        routes.append([source, *dummies, target])
    return layers, routes


def neighbours(routes: list[list[Key]]) -> tuple[dict[Key, list[Key]], dict[Key, list[Key]]]:
    """For every key, what it is joined to in the layer above and in the layer below."""
    above: dict[Key, list[Key]] = {}
    below: dict[Key, list[Key]] = {}
    for route in routes:
        for upper, lower in pairwise(route):
            below.setdefault(upper, []).append(lower)
            above.setdefault(lower, []).append(upper)
    return above, below


def order(layers: list[list[Key]], above: dict[Key, list[Key]], below: dict[Key, list[Key]]) -> None:
    """Reorder each layer by the mean position of its neighbours, down and up in turn; keep the order with fewest crossings."""
    best, fewest = [list(layer) for layer in layers], crossings(layers, below)
    for sweep in range(SWEEPS):
        downward = sweep % 2 == 0
        todo = layers[1:] if downward else layers[-2::-1]
        for layer in todo:
            sort_layer(layer, above if downward else below, positions(layers))
        count = crossings(layers, below)
        if count < fewest:
            best, fewest = [list(layer) for layer in layers], count
    for layer, chosen in zip(layers, best):
        layer[:] = chosen


def positions(layers: list[list[Key]]) -> dict[Key, float]:
    return {key: (index + 0.5) / len(layer) for layer in layers for index, key in enumerate(layer)}


def sort_layer(layer: list[Key], joined: dict[Key, list[Key]], position: dict[Key, float]) -> None:
    def wish(key: Key) -> float:
        ends = [position[other] for other in joined.get(key, ())]
        return sum(ends) / len(ends) if ends else position[key]
    layer.sort(key=wish)


def crossings(layers: list[list[Key]], below: dict[Key, list[Key]]) -> int:
    """How often edges cross: inversions between neighbouring layers."""
    total = 0
    for upper, lower in pairwise(layers):
        place_of = {key: index for index, key in enumerate(lower)}
        ends = [end for key in upper for end in sorted(place_of[other] for other in below.get(key, ()))]
        total += inversions(ends)
    return total


def inversions(values: list[int]) -> int:
    """Pairs in the wrong order, by a merge sort from the bottom up."""
    total, width = 0, 1
    while width < len(values):
        merged = []
        for start in range(0, len(values), 2 * width):
            left, right = values[start:start + width], values[start + width:start + 2 * width]
            i = 0
            for value in right:
                while i < len(left) and left[i] <= value:
                    i += 1
                total += len(left) - i
            merged += sorted(left + right)
        values, width = merged, 2 * width
    return total


class Placing:
    """The centres of all keys across the layers while they are found."""

    def __init__(self, layers: list[list[Key]], above: dict[Key, list[Key]], below: dict[Key, list[Key]], wide: dict[Key, float],
                 gap: float) -> None:
        self.layers, self.above, self.below, self.wide, self.gap = layers, above, below, wide, gap
        self.light = side_chains(layers, above, below)
        self.across: dict[Key, float] = {}
        for layer in layers:
            self.settle(layer, [0.0] * len(layer), [1.0] * len(layer))

    def run(self) -> dict[Key, float]:
        """Downwards and upwards in turn, at first looking only at the side that is settled, then at both."""
        for sweep in range(6 * SWEEPS):
            downward, both = sweep % 2 == 0, sweep >= 3 * SWEEPS
            sides = (self.above, self.below) if downward else (self.below, self.above)
            for layer in self.layers if downward else self.layers[::-1]:
                self.settle(layer, [self.wish(key, *sides, both) for key in layer], [self.weight(key) for key in layer])
        self.straighten()
        return self.across

    def straighten(self) -> None:
        """Once more from the top, each key exactly below what it is computed from; then side chains move next to their user."""
        for layer in self.layers:
            self.settle(layer, [self.wish(key, self.above, {}, False) for key in layer], [self.weight(key) for key in layer])
        for layer in reversed(self.layers):
            wishes = [self.across[self.below[key][0]] if key in self.light else self.across[key] for key in layer]
            self.settle(layer, wishes, [1.0 if key in self.light else 1e6 for key in layer])

    def wish(self, key: Key, first: dict[Key, list[Key]], second: dict[Key, list[Key]], both: bool) -> float:
        """Where a key would like to be: near its neighbours on the first side, or on the second if there are none, or on both.

        Side chains follow their user and hardly count for it, so that the main line of a graph is straight.
        """
        if key in self.light:
            return self.across[self.below[key][0]]
        near = first.get(key, [])
        if both or not near:
            near = near + second.get(key, [])
        loads = [LIGHT if other in self.light else 1.0 for other in near]
        return sum(load * self.across[other] for load, other in zip(loads, near)) / sum(loads) if near else self.across[key]

    def weight(self, key: Key) -> float:
        """Long edges insist on being straight, well-connected boxes on their middle."""
        return 8.0 if isinstance(key, Dummy) else 1.0 + 0.25 * (len(self.above.get(key, ())) + len(self.below.get(key, ())))

    def settle(self, layer: list[Key], wishes: list[float], weights: list[float]) -> None:
        """The positions nearest to the wishes that keep the order and the gaps: least squares by pooling adjacent violators."""
        offsets = self.offsets(layer)
        blocks: list[list[float]] = []  # sum of weight * wish, weight, members
        for wished, load, offset in zip(wishes, weights, offsets):
            blocks.append([load * (wished - offset), load, 1])
            while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
                last = blocks.pop()
                blocks[-1] = [a + b for a, b in zip(blocks[-1], last)]
        starts = [total / load for total, load, members in blocks for _ in range(int(members))]
        self.across.update((key, start + offset) for key, start, offset in zip(layer, starts, offsets))

    def offsets(self, layer: list[Key]) -> list[float]:
        """The centres of a layer packed as tightly as the gap allows, the first at 0."""
        offsets = [0.0] * len(layer)
        for index, (left, right) in enumerate(pairwise(layer)):
            offsets[index + 1] = offsets[index] + (self.wide[left] + self.wide[right]) / 2 + self.gap
        return offsets


def side_chains(layers: list[list[Key]], above: dict[Key, list[Key]], below: dict[Key, list[Key]]) -> set[Key]:
    """Sources with one user, and what follows from one of these alone."""
    light: set[Key] = set()
    for layer in layers:
        light.update(key for key in layer if len(below.get(key, ())) == 1 and len(above.get(key, ())) <= 1
                     and light.issuperset(above.get(key, ())))
    return light


def stack(layers: list[list[Key]], thickness: list[float], gap: float) -> tuple[dict[Key, float], float]:
    """The centre of every key along the layers, and the length of the whole."""
    along, edge = {}, 0.0
    for layer, thick in zip(layers, thickness):
        along.update(dict.fromkeys(layer, edge + thick / 2))
        edge += thick + gap
    return along, max(0.0, edge - gap)
