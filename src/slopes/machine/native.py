"""From a graph to a native program: passes, plan, LLVM, and the caches in between."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from .. import settings
from ..extras import on_demand
from ..graph.body import Body, with_bodies
from ..graph.build import Constant, Frozen, Variable
from ..graph.node import Node
from ..graph.text import text as graph_text
from ..graph.walk import topological
from ..passes.hoist_frozen import hoist_frozen
from ..passes.pipeline import optimize
from . import cache, engine
from .notice import noticed

BUILDER = "slopes.machine.build"  # loaded for the first program that is not in the cache
_programs: WeakValueDictionary[str, engine.Program] = WeakValueDictionary()


class Observers(threading.local):
    """Where the programs that this thread asks for are noted."""

    def __init__(self) -> None:
        self.notes: list[dict[str, bool]] = []


_observers = Observers()


@contextlib.contextmanager
def observe_programs(note: dict[str, bool]) -> Iterator[None]:
    """Note the programs that this thread asks for in the block: by key, whether it was compiled then, and not kept from before."""
    _observers.notes.append(note)
    try:
        yield
    finally:
        _observers.notes.pop()


@dataclass
class Native:
    """A program, its arguments (leaves of the graph, then results) and the nodes on whose behalf it reports errors."""

    program: engine.Program
    inputs: list[Node]
    roots: list[Node]
    destinations: list[int]
    sites: list[Node]
    from_cache: bool
    prologue: Native | None = None  # what is computed once for many calls, from fixed values alone
    prepared: list[Node] = field(default_factory=list)  # inputs of the program that are the results of the prologue


def compile_graph(roots: Sequence[Node], updates: Sequence[Node | None], keep: Sequence[Node] = (),
                  fixed: Collection[Node] = ()) -> Native:
    """Compile a graph. roots[k] becomes result k, or the new value of the variable updates[k].

    Variables in `keep` are arguments even when the optimised graph no longer reads them. Work on `fixed` variables alone, which
    have the same values in many calls, is not done in each of them but in a program before, the `prologue`.
    """
    watch = show_pass if settings.debug_level() >= 2 else None
    with noticed():
        optimized, prepared = hoist_frozen(optimize(roots, watch, fixed), fixed)
        native = compile_optimized(optimized, updates, keep)
        if prepared:
            native.prologue = compile_optimized(list(prepared.values()), [None] * len(prepared))
            native.prepared = list(prepared)
    return native


def compile_optimized(optimized: list[Node], updates: Sequence[Node | None], keep: Sequence[Node] = ()) -> Native:
    """Compile a graph without optimizing it."""
    order = topological(optimized)
    leaves = [node for node in order if node.op is Variable or (node.op is Constant and node.shape != ())]
    inputs = list(dict.fromkeys([*keep, *[node for node in updates if node is not None], *leaves]))
    numbers = {node: i for i, node in enumerate(inputs)}
    destinations, fresh = [], len(inputs)
    for update in updates:
        destinations.append(numbers[update] if update is not None else fresh)
        fresh += update is None
    key = cache.cache_key(describe(order, inputs, optimized, destinations))
    program = _programs.get(key)
    kept = program is not None
    if program is None:
        program, kept = load_or_build(key, optimized, order, inputs, destinations)
        _programs[key] = program
    for note in _observers.notes:
        note[key] = note.get(key, False) or not kept
    nodes = with_bodies(order)
    return Native(program, inputs, optimized, destinations, [nodes[i] for i in program.manifest.sites], kept)


def load_or_build(key: str, roots: list[Node], order: list[Node], inputs: list[Node],
                  destinations: list[int]) -> tuple[engine.Program, bool]:
    """The program from the cache on disk, or built now and kept there."""
    program = cache.load_cached(key)
    if program is not None:
        return engine.Program(*program), True
    return on_demand(BUILDER).build(key, roots, order, inputs, destinations), False


def describe(order: list[Node], inputs: list[Node], roots: list[Node], destinations: list[int]) -> str:
    """The graph as text in which equal computations are equal: no names, no numbers of variables, no lines of source."""
    numbers = {node: i for i, node in enumerate([*inputs, *(node for node in order if node not in set(inputs))])}
    lines = []
    for node, i in numbers.items():
        params = "" if node.op is Variable or (node.op is Constant and node.shape) else params_text(node)
        lines.append(f"{i} {node.op.name} {[numbers[arg] for arg in node.args]} {params} {node.dtype} {node.shape}")
    lines.append(f"{[numbers[root] for root in roots]} {destinations}")
    return "\n".join(lines)


def params_text(node: Node) -> str:
    return repr([(name, value.key if isinstance(value, Frozen) else body_text(value) if isinstance(value, Body) else value)
                 for name, value in sorted(node.params.items())])


def body_text(body: Body) -> str:
    return graph_text([*body.inputs, *body.outputs], locations=False)


def show_pass(name: str, roots: Sequence[Node]) -> None:
    print(f"--- after {name}\n{graph_text(roots)}", file=sys.stderr)
