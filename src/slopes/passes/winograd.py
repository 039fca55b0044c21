"""Convolutions with fewer multiplications, after Winograd: in other coordinates a tile of windows is a product element by element.

A filter of r and m neighbouring results are polynomials whose product has n = m + r - 1 coefficients; it is known from its values at
n points (one of them "at infinity", the leading coefficient). Transposed, that is a correlation, here along rows and columns:

    y = A^T [ (G w) * (B^T x) ]    with A (n, m) and G (n, r) the powers of the points, G divided by products of their differences,
                                   and B^T (n, n) the coefficients of the polynomials that vanish at all points but one.

With n = 6, 36 products give 4 x 4 results of 3 x 3 filters (144 products else); with n = 8, 64 give 4 x 4 of 5 x 5 (400 else). With
n = 4, 16 give 2 x 2 of 3 x 3 (36 else): more products than with n = 6, but transformed filters less than half as large, which matters
where few tiles share them. Summed over channels these products are n * n matrix products. The derivative with respect to the weights
is a correlation, too, of the input with tiles of the gradient, in the same coordinates of the input: y = A_r^T [ (G_m g) * (B^T x) ].

Sources: Winograd, "Arithmetic complexity of computations", 1980; Lavin and Gray, "Fast algorithms for convolutional neural networks",
2016. The points are those of several tried whose rounding errors were least: with n = 6 about three times those of the plain sum (the
usual 0, 1, -1, 2, -2: ten times), with n = 8 ten times; see also Barabasz et al., "Error analysis and improving the accuracy of
Winograd convolution", 2020.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import prod

from ..costs import CACHED_TILES, ENOUGH_BLOCKS, FILTER_READ, TILE_BYTES, TRANSFORM, WORTH_ROUNDING
from ..graph.body import Body
from ..graph.build import build_node, variable
from ..graph.dtype import float32
from ..graph.node import Node
from ..graph.walk import performs, rebuild_all, topological
from ..lazy import lazy
from ..ops.contract import Contract
from ..ops.fill import full
from ..ops.move import Pad
from ..ops.scan import Scan
from ..ops.window import Window
from .hoist_frozen import depends_only_on

Labels = tuple[int, ...]
Matrix = tuple[tuple[float, ...], ...]
Widths = tuple[tuple[int, int], ...]
POINTS = {  # by n, the elements of a tile along an axis
    4: (0.0, 1.0, -1.0),
    6: (0.0, 0.75, -0.75, 1.5, -1.5),
    8: (0.0, 0.5, -0.5, 1.0, -1.0, 1.75, -1.75)}
FILTERS = range(2, 6)  # sizes of filters, along an axis


def winograd(roots: Sequence[Node], fixed: Collection[Node] = ()) -> list[Node]:
    """Every large enough convolution, and derivative of one with respect to its weights, in coordinates where it takes fewer products.

    Filters that are made of `fixed` variables alone change their coordinates at no cost.
    """
    order = topological(roots)
    if not performs(order, Window):
        return list(roots)
    steady = depends_only_on(order, fixed)

    def make(node: Node, args: tuple[Node, ...]) -> Node:
        new = node.op.make(*args, **node.params)
        if node in steady:
            steady.add(new)
        convolution = correlation(new) if new.op is Contract else None
        if convolution is None:
            return new
        convolution = replace(convolution, steady=convolution.filters and convolution.other in steady)
        if not convolution.pays:
            return new
        return convolution.in_parts() if convolution.parts > 1 else convolution.at_once()

    return rebuild_all(order, roots, make)


@dataclass(frozen=True)
class Correlation:
    """A contraction of the windows of an image with filters (`filters`), or with a gradient that has an entry per window.

    Labels: `counts` name the windows, `inside` the positions in one; `apart` axes of both operands and the result, `mine` those of the
    windows and the result, `others` those of the other operand and the result, `summed` those of both operands.
    """

    node: Node
    windows: Node
    other: Node
    window_axes: Labels
    other_axes: Labels
    counts: Labels
    inside: Labels
    filters: bool
    apart: Labels
    mine: Labels
    others: Labels
    summed: Labels
    steady: bool = False  # whether the other operand is known before the call
    transformed_filters: Node | None = None  # the other operand, transformed, where that was done outside of a loop
    n_of_whole: int = 0  # of a part of the images: the elements of a tile, as they were chosen for all of them

    @property
    def size(self) -> int:
        return int(self.windows.params["size"][0])

    @lazy
    def n(self) -> int:
        """The elements of a tile along an axis: those with which products take the least time, reading the filters included."""
        if self.n_of_whole:
            return self.n_of_whole
        *few, many = POINTS
        best = min((n for n in few if n > self.size), key=self.product_time)
        return many if self.product_time(many) * WORTH_ROUNDING <= self.product_time(best) else best

    def product_time(self, n: int) -> int:
        """The multiplications for each of the other operand's elements, or what takes as long."""
        return n ** 2 * (prod(self.tiles_of(n)) * self.extent(self.mine) + (FILTER_READ if self.filters else 0))

    @property
    def step(self) -> int:
        """The windows of a tile along an axis."""
        return self.n + 1 - self.size

    @property
    def tiles(self) -> tuple[int, ...]:
        return self.tiles_of(self.n)

    def tiles_of(self, n: int) -> tuple[int, ...]:
        return tuple(-(-self.sizes[label] // (n + 1 - self.size)) for label in self.counts)

    @property
    def sizes(self) -> dict[int, int]:
        return dict(zip(self.window_axes, self.windows.shape)) | dict(zip(self.other_axes, self.other.shape))

    def extent(self, labels: Labels) -> int:
        return prod(self.sizes[label] for label in labels)

    @property
    def pays(self) -> bool:
        """Whether the products that are saved take longer than changing coordinates."""
        return self.cost < self.extent(self.apart + self.mine + self.others + self.summed + self.counts + self.inside)

    @property
    def cost(self) -> float:
        """The time of the products, and of changing coordinates, in that of one multiplication."""
        tiles = prod(self.tiles) * self.extent(self.apart)
        indirect = self.n ** 2 * tiles * self.extent(self.mine + self.others + self.summed)
        filters = 0 if self.steady else self.n ** 2 * self.extent(self.apart + self.others + self.summed)
        return indirect + TRANSFORM * (self.transformed_elements + filters)

    @property
    def transformed_elements(self) -> int:
        """The elements of all tiles that are transformed: the image's, and the result's or the gradient's."""
        rows = self.extent(self.mine + self.summed) + self.extent(self.others + (self.mine if self.filters else self.summed))
        return self.n ** 2 * prod(self.tiles) * self.extent(self.apart) * rows

    # ------------------------------------------------------------------ all images at once, or part by part
    @property
    def parts(self) -> int:
        """The number of parts of the images, so that a part's tiles stay in a cache; 1 unless images are the first axis everywhere."""
        images, out = self.window_axes[0], self.node.params["out_axes"]
        if images not in (self.mine[:1] if self.filters else self.summed) or images != (out if self.filters else self.other_axes)[0]:
            return 1
        count = self.sizes[images]
        nbytes, divisors = 4 * self.transformed_elements, [part for part in range(1, count + 1) if count % part == 0]
        if self.filters and nbytes > CACHED_TILES:  # parts need nothing of each other: threads share them
            small = [part for part in divisors if part >= ENOUGH_BLOCKS and nbytes <= part * CACHED_TILES]
            if small:
                return small[0]
        return next(part for part in divisors if nbytes <= part * TILE_BYTES or part == count)

    def at_once(self) -> Node:
        return self.assemble(self.products())

    def in_parts(self) -> Node:
        """The same in a loop over parts of the images: results of filters one after another, products of gradients added up."""
        (image, widths), count = unpadded(self.windows.args[0]), self.parts
        some, other = variable((image.shape[0] // count, *image.shape[1:]), float32), variable(self.other.shape, float32)
        if not self.filters:
            other = variable((other.shape[0] // count, *other.shape[1:]), float32)
        windows = build_node("window", (pad(some, widths),), self.windows.params)
        operands = (windows, other) if self.node.args[0] is self.windows else (other, windows)
        part = replace(self, node=build_node("contract", operands, self.node.params), windows=windows, other=other, n_of_whole=self.n)
        moving = tuple(build_node("reshape", (whole,), {"shape": (count, *step.shape)})
                       for whole, step in ((image, some), (self.other, other)) if whole.shape != step.shape)
        if self.filters:
            filters = self.transform_filters()
            transformed = variable(filters.shape, float32)
            body = Body([some, transformed], [replace(part, transformed_filters=transformed).at_once()])
            row = loop(body, (*moving, filters), carries=0, moving=1, length=count)
            return build_node("reshape", (row,), {"shape": self.node.shape})
        products = part.products()
        total = variable(products.shape, float32)
        body = Body([total, some, other], [build_node("add", (total, products), {})])
        row = loop(body, (full(products.shape, 0, float32), *moving), carries=1, moving=2, length=count)
        return self.assemble(build_node("reshape", (row,), {"shape": products.shape}))

    def products(self) -> Node:
        """The summed products: (n, n, `apart`, `others`, `mine`), with filters followed by the tiles."""
        return self.with_filters() if self.filters else self.with_gradients()

    def assemble(self, products: Node) -> Node:
        """The result, from the products that are its coordinates."""
        labels, out = self.apart + self.others + self.mine, self.node.params["out_axes"]
        if not self.filters:
            order = self.inside + labels
            return mix_back(products, evaluation(self.n, self.size), tuple(order.index(label) for label in out))
        tiles = mix_back(products, evaluation(self.n, self.step), self.tile_order(labels))
        shape = [self.tiles[self.counts.index(label)] * self.step if label in self.counts else self.sizes[label] for label in out]
        whole = build_node("reshape", (tiles,), {"shape": tuple(shape)})
        stop = tuple(self.sizes[label] for label in out)
        return build_node("slice", (whole,), {"start": (0,) * whole.ndim, "stop": stop, "step": (1,) * whole.ndim})

    def with_filters(self) -> Node:
        """Windows with filters: a product for each tile."""
        filters = self.transform_filters() if self.transformed_filters is None else self.transformed_filters
        return self.contract_tiles(filters, self.apart + self.summed + self.others)

    def transform_filters(self) -> Node:
        """G w for all filters: (n, n, `apart`, `summed`, `others`)."""
        order = self.apart + self.summed + self.others + self.inside
        last = build_node("permute", (self.other,), {"axes": tuple(map(self.other_axes.index, order))})
        return mix(last, evaluation(self.n, self.size, scaled=True))

    def with_gradients(self) -> Node:
        """Windows with an entry for each, tile by tile: summed over the tiles."""
        rows = self.apart + self.others + self.summed
        tiles = self.cut(self.other, tuple(map(self.other_axes.index, self.counts)), self.step,
                         tuple(map(self.other_axes.index, rows + self.counts)))
        return self.contract_tiles(mix(tiles, evaluation(self.n, self.step, scaled=True)), rows + self.counts)

    def contract_tiles(self, other: Node, rows: Labels) -> Node:
        near = -1, -2
        columns = self.apart + (self.summed + self.mine if self.filters else self.mine + self.summed)
        return build_node("contract", (other, self.transform_input(columns)), {
            "a_axes": near + rows, "b_axes": near + columns + self.counts,
            "out_axes": near + self.apart + self.others + self.mine + (self.counts if self.filters else ())})

    def transform_input(self, columns: Labels) -> Node:
        """B^T x for all tiles of the image: (n, n, `columns`, tiles)."""
        tiles = self.cut(self.windows.args[0], self.windows.params["axes"], self.n,
                         tuple(map(self.window_axes.index, columns + self.counts)))
        return mix(tiles, interpolation(self.n))

    def cut(self, x: Node, axes: Labels, size: int, order: Labels) -> Node:
        """Tiles of `size` by `size`, `step` apart on two axes of x, filled up with zeros; axes in this order, those in a tile last."""
        widths = [(0, 0)] * x.ndim
        for axis, n in zip(axes, self.tiles):
            widths[axis] = (0, (n - 1) * self.step + size - x.shape[axis])
        x, before = unpadded(x)
        whole = pad(x, tuple((low + more, high + further) for (low, high), (more, further) in zip(widths, before)))
        tiles = build_node("window", (whole,), {"axes": axes, "size": (size,) * 2, "stride": (self.step,) * 2, "dilation": (1, 1)})
        return build_node("permute", (tiles,), {"axes": (*order, x.ndim, x.ndim + 1)})

    def tile_order(self, labels: Labels) -> tuple[int, ...]:
        """The order that puts (rows, columns, `labels`, tiles) as the result's axes, the positions in a tile behind the tiles."""
        order: list[int] = []
        for label in self.node.params["out_axes"]:
            axis = self.counts.index(label) if label in self.counts else -1
            order += [2 + labels.index(label)] if axis < 0 else [2 + len(labels) + axis, axis]
        return tuple(order)


def unpadded(x: Node) -> tuple[Node, Widths]:
    """(what is padded with zeros, by how much), where that is not along the first axis."""
    if x.op is Pad and x.params["value"] == 0 and x.params["widths"][0] == (0, 0):
        return x.args[0], x.params["widths"]
    return x, ((0, 0),) * x.ndim


def pad(x: Node, widths: Widths) -> Node:
    """Zeros around a value."""
    return build_node("pad", (x,), {"widths": widths, "value": 0})


def loop(body: Body, args: tuple[Node, ...], carries: int, moving: int, length: int) -> Node:
    """The last states, and the outputs of all steps, of a body."""
    return Scan.make(*args, body=body, carries=carries, moving=moving, length=length, reverse=False, kept=(False,) * carries, dtype=float32)


def correlation(node: Node) -> Correlation | None:
    """A contraction as a correlation, if one of its operands is the windows of an image, without stride and of a size that fits; else None.

    Only in float32: whoever chooses float64 needs its accuracy.
    """
    p = node.params
    for which in (0, 1) if node.dtype == float32 else ():
        windows, other = node.args[which], node.args[1 - which]
        if windows.op is not Window or not fits(windows):
            continue
        mine, its = (p["a_axes"], p["b_axes"])[::1 - 2 * which]
        counts, inside = tuple(mine[axis] for axis in windows.params["axes"]), tuple(mine[-2:])
        out = p["out_axes"]
        filters = set(inside) <= set(its) and not set(inside) & set(out) and set(counts) <= set(out) and not set(counts) & set(its)
        gradients = set(counts) <= set(its) and not set(counts) & set(out) and set(inside) <= set(out) and not set(inside) & set(its)
        if not filters and not gradients:
            continue
        near = set(counts + inside)
        free = [label for label in mine if label not in near]
        return Correlation(node, windows, other, mine, its, counts, inside, filters,
                           tuple(label for label in free if label in its and label in out),
                           tuple(label for label in free if label not in its),
                           tuple(label for label in its if label not in mine),
                           tuple(label for label in free if label in its and label not in out))
    return None


def fits(windows: Node) -> bool:
    """Whether windows are squares of a supported size, at every position of an image."""
    p = windows.params
    return len(p["size"]) == 2 and len(set(p["size"])) == 1 and p["size"][0] in FILTERS and set(p["stride"] + p["dilation"]) == {1}


def mix(x: Node, matrix: Matrix) -> Node:
    """The matrix applied along the last two axes, which come first in the result."""
    axes = x.ndim - 2, x.ndim - 1
    return build_node("mix", (x,), {"matrix": matrix, "axes": axes, "order": (*axes, *range(x.ndim - 2))})


def mix_back(x: Node, matrix: Matrix, order: tuple[int, ...]) -> Node:
    """The transposed matrix applied along the first two axes."""
    return build_node("mix", (x,), {"matrix": tuple(zip(*matrix)), "axes": (0, 1), "order": order})


# ---------------------------------------------------------------------- the coordinates
@cache
def evaluation(n: int, size: int, scaled: bool = False) -> Matrix:
    """A (or, scaled, G): a polynomial of `size` coefficients at each point, the last of them for the point at infinity."""
    rows = []
    for i, p in enumerate(POINTS[n]):
        divisor = prod(p - q for j, q in enumerate(POINTS[n]) if j != i) if scaled else 1.0
        rows.append(tuple(p ** power / divisor for power in range(size)))
    return (*rows, tuple(float(power == size - 1) for power in range(size)))


@cache
def interpolation(n: int) -> Matrix:
    """B^T: the coefficients of the polynomials that vanish at all points but one, and of the one that vanishes at all."""
    rows = [vanishing([q for j, q in enumerate(POINTS[n]) if j != i]) for i in range(n - 1)]
    return tuple((*row, *[0.0] * (n - len(row))) for row in [*rows, vanishing(POINTS[n])])


def vanishing(zeros: Sequence[float]) -> list[float]:
    """The coefficients, lowest first, of the product of x - p: exact, as the points are quarters."""
    coefficients = [1.0]
    for p in zeros:
        coefficients = [low - p * same for low, same in zip([0.0, *coefficients], [*coefficients, 0.0])]
    return coefficients
