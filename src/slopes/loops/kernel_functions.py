"""The functions of a program's kernels: one for each distinct text, and which buffers each kernel passes to it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

from ..graph.node import Node
from .emit_contract import emit_contract, is_plain
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
from .module import Module, Passes
from .nest import Buffer
from .scope import Scope
from .signature import signature_of
from .special import emit_cumulate, emit_scatter, emit_sort
from .target import Target
from .values import INT64, Value

EMITTERS: dict[type[Kernel], Callable[..., None]] = {
    MapKernel: emit_map, MixKernel: emit_mix, ReduceKernel: emit_reduce, ContractKernel: emit_contract, CumulateKernel: emit_cumulate,
    ScatterKernel: emit_scatter, ScatterLinesKernel: emit_scatter, SortKernel: emit_sort}


@dataclass(frozen=True)
class KernelCall:
    """How the program calls a kernel: its function, the buffers whose addresses it gets, and the codes of the errors it may report."""

    function: Module
    buffers: list[Buffer]
    sites: list[int]


class KernelFunctions:
    """Writes kernels as functions. A kernel's text depends on nothing around it, so that equal ones share a function.

    modules  the functions, by their texts
    known    by the signature of a kernel: its function, and which of its nodes that reports errors of
    calls    by a kernel's id: how it is called
    around   by a kernel's id: the loops that the kernel is in
    sites    error code n is reported on behalf of sites[n - 1]
    """

    def __init__(self, target: Target, origin: Mapping[Node, Node], scalarize_budget: int) -> None:
        self.target, self.origin, self.scalarize_budget = target, origin, scalarize_budget
        self.modules: dict[str, Module] = {}
        self.known: dict[Hashable, tuple[Module, list[int]]] = {}
        self.calls: dict[int, KernelCall] = {}
        self.around: dict[int, tuple[Axis, ...]] = {}
        self.sites: list[Node] = []
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
        """Write a kernel's function, unless that of an equal kernel is there."""
        names: dict[object, str] = {}
        pointers: dict[Buffer, str] = {}
        owners: list[Buffer] = []
        for buffer in (*buffers_read(kernel), *buffers_written(kernel)):
            key = ("argument", buffer.number) if buffer.kind == "argument" else buffer
            if key not in names:
                names[key] = f"%b{len(names)}"
                owners.append(buffer)
            pointers[buffer] = names[key]
        around = self.around[id(kernel)]
        signature, nodes = signature_of(kernel, around, pointers, self.origin)
        if signature not in self.known:
            module, sites = self.write(kernel, around, pointers)
            self.known[signature] = module, [nodes.index(site) for site in sites]
        module, positions = self.known[signature]
        self.calls[id(kernel)] = KernelCall(module, owners, [self.site(nodes[i]) for i in positions])

    def write(self, kernel: Kernel, around: tuple[Axis, ...], pointers: dict[Buffer, str]) -> tuple[Module, list[Node]]:
        """The function of a kernel, and the nodes on whose behalf it may report errors."""
        b = self.target.builder(self.scalarize_budget)
        sites: dict[Node, str] = {}
        scope = Scope(b, pointers, lambda node: sites.setdefault(self.origin.get(node, node), f"%site{len(sites)}"))
        scope.at = {axis: Value(f"%time{i}", INT64) for i, axis in enumerate(around)}
        EMITTERS[type(kernel)](scope, kernel)
        parameters = [*(f"ptr noalias {name}" for name in dict.fromkeys(pointers.values())), *(f"i64 %time{i}" for i in range(len(around))),
                      *(f"i32 {name}" for name in sites.values()), "ptr noalias %scratch", "ptr %error", "i64 %block"]
        text = b.function(f"({', '.join(parameters)}) #0")
        if text not in self.modules:
            self.modules[text] = kernel_module(kernel, parameters, text, b.declarations)
        return self.modules[text], list(sites)


def kernel_module(kernel: Kernel, parameters: Sequence[str], text: str, declarations: set[str]) -> Module:
    """The module of a function, whose name is a digest of its text: equal functions of different programs are equal modules."""
    name = f"{kernel.kind}_{hashlib.sha256(text.encode()).hexdigest()[:20]}"
    types = ", ".join(parameter.split()[0] for parameter in parameters)
    return Module(tuple(sorted(declarations)), f"define void @{name}{text}", name, f"declare void @{name}({types})",
                  Passes.FEW if isinstance(kernel, ContractKernel) and is_plain(kernel) else Passes.ALL)
