"""Kernels by kind: each is one loop nest, the unit that is scheduled, placed in memory and written as one function."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from ..graph.node import Node
from ..lazy import lazy
from .index import Axis, extent
from .nest import Buffer, Expr, Load, Store, axes_of, expressions, indirect_parts
from .schedule import ContractSchedule, NestSchedule, ReduceSchedule, Schedule


@dataclass(kw_only=True, eq=False)
class Kernel:
    """What all kernels have.

    axes      the parallel loops
    inner     the loops inside of them, whose steps are taken one after another
    stores    what is written, and where, for each element of the parallel loops
    nodes     the nodes of the graph that it computes
    schedule  how the loops are executed
    steps     how often the loops around it repeat it
    """

    kind: ClassVar[str]
    axes: list[Axis]
    inner: list[Axis] = field(default_factory=list)
    stores: list[Store] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    schedule: Schedule = field(default_factory=NestSchedule)
    steps: int = 1

    @property
    def loops(self) -> list[Axis]:
        """All loops, in the order in which schedules number them."""
        return [*self.axes, *self.inner]

    @property
    def blocks(self) -> int:
        """How many units of work threads may share."""
        return self.schedule.blocks

    @property
    def combined(self) -> list[Expr]:
        """The expressions that the inner loops compute."""
        return []

    @property
    def epilogues(self) -> list[list[Store]]:
        """The stores of one element in runs: a run computes all of its values before it writes the first, the next run starts after it."""
        return [self.stores]

    @property
    def results(self) -> list[Expr]:
        """The expressions that are stored."""
        return [store.expr for store in self.stores]

    @property
    def indirect(self) -> list[Expr]:
        """The expressions in the addresses of the stores, where these are read from data."""
        return [part for store in self.stores for part in indirect_parts(store.offset)]

    @lazy
    def computed(self) -> list[Expr]:
        """Every expression of the kernel, once; first asked for when the kernel is complete."""
        return expressions([*self.results, *self.combined, *self.indirect])

    @property
    def elements(self) -> int:
        return extent(self.axes)

    @property
    def work(self) -> int:
        """Steps of all loops together."""
        return self.elements * extent(self.inner)

    @property
    def scratch_bytes(self) -> int:
        """The private memory that each thread needs while it runs this kernel."""
        return 0


@dataclass(kw_only=True, eq=False)
class NestKernel(Kernel):
    """A kernel whose schedule is that of a plain loop nest."""

    schedule: NestSchedule = field(default_factory=NestSchedule)

    @property
    def vector(self) -> Axis | None:
        """The loop along the lanes."""
        return None if self.schedule.vector is None else self.loops[self.schedule.vector]


@dataclass(kw_only=True, eq=False)
class MapKernel(NestKernel):
    """for each element: store it."""

    kind = "map"


@dataclass(kw_only=True, eq=False)
class MixKernel(NestKernel):
    """for each vector of the loops: combine line by line, then across the lines what the first half carried over.

    inner    the loop over the lines and the loop over the results; none where only one axis is mixed
    carried  the expressions of one line that the second half reads as `Carried` values, by their index
    """

    kind = "mix"
    carried: list[Expr] = field(default_factory=list)

    @property
    def combined(self) -> list[Expr]:
        return self.carried

    @property
    def scratch_bytes(self) -> int:
        """Room for what is carried; up to eight bytes an element."""
        return 8 * extent(self.inner) * self.schedule.lanes if self.inner else 0


@dataclass(eq=False)
class Reduction:
    """One reduction of a kernel: the node that says how to combine, the expression it combines, and what is stored of the result."""

    node: Node
    body: Expr
    stores: list[Store]


@dataclass(kw_only=True, eq=False)
class ReduceKernel(NestKernel):
    """for each element: combine over the inner loops, store what the epilogue makes of the result.

    reductions  at least one; further ones are its siblings, which run over the same loops and read the same memory
    """

    kind = "reduce"
    stores: list[Store] = field(init=False)  # of all reductions
    reductions: list[Reduction]
    schedule: ReduceSchedule = field(default_factory=ReduceSchedule)

    def __post_init__(self) -> None:
        self.stores = [store for reduction in self.reductions for store in reduction.stores]

    @property
    def first(self) -> Reduction:
        return self.reductions[0]

    @property
    def combined(self) -> list[Expr]:
        return [reduction.body for reduction in self.reductions]

    @property
    def epilogues(self) -> list[list[Store]]:
        return [reduction.stores for reduction in self.reductions]

    @property
    def row_axis(self) -> Axis | None:
        """The short loop whose steps are taken at once."""
        return None if self.schedule.row_axis is None else self.loops[self.schedule.row_axis]


@dataclass(kw_only=True, eq=False)
class ContractKernel(Kernel):
    """A sum of products in tiles: C[m, n] = sum over k of A[m, k] B[k, n].

    axes  the loops of the batch, then those of n, then those of m; `inner` are those of k
    a, b  the factors: single elements of A meet vectors of B
    part  the loop over the parts of k, of one step where the sum is not divided
    """

    kind = "contract"
    node: Node
    a: Expr
    b: Expr
    part: Axis
    schedule: ContractSchedule = field(default_factory=ContractSchedule)

    @property
    def combined(self) -> list[Expr]:
        return [self.b, self.a]

    @property
    def outer(self) -> list[Axis]:
        return [self.axes[i] for i in self.schedule.outer]

    @property
    def panel(self) -> list[Axis]:
        return [self.axes[i] for i in self.schedule.panel]

    @property
    def rows(self) -> list[Axis]:
        return [self.axes[i] for i in self.schedule.rows]

    @property
    def panel_elements(self) -> int:
        """How many elements a packed panel holds at most."""
        k, parts = extent(self.inner), self.schedule.k_parts
        if parts > 1:
            first = self.inner[0].extent
            k = k // first * -(-first // parts)
        return k * self.schedule.nr * self.schedule.lanes

    @property
    def scratch_bytes(self) -> int:
        """A panel, and a tile behind it."""
        tile = self.schedule.mr * self.schedule.nr * self.schedule.lanes
        return (self.panel_elements + tile) * self.node.dtype.itemsize + 64


@dataclass(kw_only=True, eq=False)
class CumulateKernel(NestKernel):
    """for each element of the parallel loops, a running total along the inner one: every partial sum is stored."""

    kind = "cumulate"
    node: Node
    body: Expr

    @property
    def combined(self) -> list[Expr]:
        return [self.body]


@dataclass(kw_only=True, eq=False)
class ScatterKernel(NestKernel):
    """Elements are set to zero (the first store, along the first inner loop), then updates added where an index says (the second)."""

    kind = "scatter"


@dataclass(kw_only=True, eq=False)
class ScatterLinesKernel(ScatterKernel):
    """A scatter whose index differs from line to line."""

    kind = "scatter_lines"


@dataclass(kw_only=True, eq=False)
class SortKernel(NestKernel):
    """A stable sort of each line along the inner loop: the first store is the result, the second the workspace.

    body  the element that is compared
    """

    kind = "sort"
    descending: bool
    body: Expr

    @property
    def combined(self) -> list[Expr]:
        return [self.body]


@dataclass
class Loop:
    """Phases of kernels, repeated for each step of an axis that they all may refer to.

    runs  where no step needs another one's results: into how many runs of steps the loop is divided, which threads share; else 0
    """

    axis: Axis
    phases: list[list[Kernel | Loop]]
    nodes: list[Node] = field(default_factory=list)
    kind: str = "loop"
    elements: int = 1
    runs: int = 0

    @property
    def kernels(self) -> list[Kernel | Loop]:
        return [kernel for phase in self.phases for kernel in phase]

    @property
    def work(self) -> int:
        return self.axis.extent * sum(kernel.work for kernel in self.kernels)

    @property
    def blocks(self) -> int:
        """The runs of steps, or the blocks of the largest phase."""
        return self.runs or max(sum(kernel.blocks for kernel in phase) for phase in self.phases)

    def around(self, buffer: Buffer) -> Buffer:
        """What a buffer of the body is, seen from outside of the loop."""
        seen, inner = buffer, buffer
        while inner.base is not None:
            if self.axis in axes_of(inner.start):
                seen = inner.base
            inner = inner.base
        return seen


Phases = list[list[Kernel | Loop]]


def leaves(kernels: Iterable[Kernel | Loop]) -> list[Kernel]:
    """The kernels, those inside of loops included."""
    result: list[Kernel] = []
    for kernel in kernels:
        result += leaves(kernel.kernels) if isinstance(kernel, Loop) else [kernel]
    return result


def buffers_read(kernel: Kernel | Loop) -> list[Buffer]:
    """The buffers that a kernel loads from, in order of first use."""
    if isinstance(kernel, Loop):
        return list(dict.fromkeys(kernel.around(buffer) for inner in kernel.kernels for buffer in buffers_read(inner)))
    return list(dict.fromkeys(expr.buffer for expr in kernel.computed if isinstance(expr, Load)))


def buffers_written(kernel: Kernel | Loop) -> list[Buffer]:
    if isinstance(kernel, Loop):
        return list(dict.fromkeys(kernel.around(buffer) for inner in kernel.kernels for buffer in buffers_written(inner)))
    return list(dict.fromkeys(store.buffer for store in kernel.stores))
