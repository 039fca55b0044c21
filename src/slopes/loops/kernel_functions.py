"""The functions of a program's kernels: one for each distinct text, and which buffers each kernel passes to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..graph.node import Node
from .emit_contract import emit_contract
from .emit_nest import emit_map
from .emit_reduce import emit_reduce
from .index import Axis
from .kernels import (
    ContractKernel,
    CumulateKernel,
    Kernel,
    Loop,
    MapKernel,
    MixKernel,
    ReduceKernel,
    ScatterKernel,
    ScatterLinesKernel,
    SortKernel,
    buffers_read,
    buffers_written,
)
from .mixing import emit_mix
from .nest import Buffer
from .scope import Scope
from .special import emit_cumulate, emit_scatter, emit_sort
from .target import Target
from .values import INT64, Value

EMITTERS: dict[type[Kernel], Callable[..., None]] = {
    MapKernel: emit_map, MixKernel: emit_mix, ReduceKernel: emit_reduce, ContractKernel: emit_contract, CumulateKernel: emit_cumulate,
    ScatterKernel: emit_scatter, ScatterLinesKernel: emit_scatter, SortKernel: emit_sort}


class KernelFunctions:
    """Writes kernels as functions. A kernel's text depends on nothing around it, so that equal ones share a function.

    functions     the texts without their names, and the names
    calls         by a kernel's id: the name of its function and the buffers that it gets
    around        by a kernel's id: the loops that the kernel is in
    sites         error code n is reported on behalf of sites[n - 1]
    declarations  what the functions need declared
    """

    def __init__(self, target: Target, origin: Mapping[Node, Node], scalarize_budget: int) -> None:
        self.target, self.origin, self.scalarize_budget = target, origin, scalarize_budget
        self.functions: dict[str, str] = {}
        self.calls: dict[int, tuple[str, list[Buffer]]] = {}
        self.around: dict[int, tuple[Axis, ...]] = {}
        self.sites: list[Node] = []
        self.declarations: set[str] = set()
        self._site_codes: dict[Node, int] = {}

    def site(self, node: Node) -> int:
        """The number under which generated code reports an error of this node; 0 means no error."""
        node = self.origin.get(node, node)
        if node not in self._site_codes:
            self.sites.append(node)
            self._site_codes[node] = len(self.sites)
        return self._site_codes[node]

    def add_all(self, kernels: Sequence[Kernel | Loop], around: tuple[Axis, ...]) -> None:
        """Write the functions of kernels inside of these loops."""
        for kernel in kernels:
            if isinstance(kernel, Loop):
                self.add_all(kernel.kernels, (*around, kernel.axis))
            else:
                self.around[id(kernel)] = around
                self.add(kernel)

    def add(self, kernel: Kernel) -> None:
        """Write a kernel's function, unless an identical one is there."""
        names: dict[object, str] = {}
        pointers: dict[Buffer, str] = {}
        owners: list[Buffer] = []
        for buffer in (*buffers_read(kernel), *buffers_written(kernel)):
            key = ("argument", buffer.number) if buffer.kind == "argument" else buffer
            if key not in names:
                names[key] = f"%b{len(names)}"
                owners.append(buffer)
            pointers[buffer] = names[key]
        b = self.target.builder(self.scalarize_budget)
        scope = Scope(b, pointers, self.site)
        scope.at = {axis: Value(f"%time{i}", INT64) for i, axis in enumerate(self.around[id(kernel)])}
        EMITTERS[type(kernel)](scope, kernel)
        parameters = "".join(f"ptr noalias {name}, " for name in names.values())
        parameters += "".join(f"i64 %time{i}, " for i in range(len(self.around[id(kernel)])))
        text = b.function(f"({parameters}ptr noalias %scratch, ptr %error, i64 %block) #0")
        self.declarations |= b.declarations
        name = self.functions.setdefault(text, f"k{len(self.functions)}_{kernel.kind}")
        self.calls[id(kernel)] = (name, owners)
