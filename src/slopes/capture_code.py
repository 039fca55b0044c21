"""Follow the code of a function: each chain that it reads, from its root in a variable, a cell or a global."""

from __future__ import annotations

import builtins
import sys
from types import CellType, CodeType, FunctionType
from typing import Any, NamedTuple

from .bytecode import ATTRIBUTE, CELL, GLOBAL, LOCAL, MODULE, Chain, Reads, find_reads
from .capture_links import ANY_NAME, Walk, attribute, item
from .capture_values import UNKNOWN, arguments_of, contents
from .errors import is_internal


class Scope(NamedTuple):
    """Where the names of running code are looked up."""

    namespace: dict[str, Any]
    cells: dict[str, CellType]
    known: dict[str, Any]  # local variables whose values are known
    guarded: bool  # whether its names are remembered: those of slopes' own code and of installed packages do not change


def read_function(walk: Walk, function: FunctionType, known: dict[str, Any]) -> None:
    """What a function reads, when these of its parameters are known."""
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or ()))
    if not walk.is_own(function.__code__):
        walk.waiting.append(lambda: reach_cells(walk, cells))
        return
    defaults = dict(zip(reversed(arguments_of(function)), reversed(function.__defaults__ or ())))
    known = {**defaults, **(function.__kwdefaults__ or {}), **known}
    for name, value in known.items():
        walk.reach(value, name)
    guarded = not is_internal(function.__code__.co_filename)
    read_code(walk, function.__code__, Scope(function.__globals__, cells, known, guarded))


def reach_cells(walk: Walk, cells: dict[str, CellType]) -> None:
    """Look for the user's functions behind a wrapper that is not the user's code."""
    for name, cell in cells.items():
        walk.reach(contents(cell), name)


def read_code(walk: Walk, code: CodeType, scope: Scope) -> None:
    reads = find_reads(code)
    for chain in reads.chains:
        read_chain(walk, chain, reads, scope)
    for inner in reads.inner:
        read_code(walk, inner, scope._replace(known={name: scope.known[name] for name in inner.co_freevars if name in scope.known}))


def read_chain(walk: Walk, chain: Chain, reads: Reads, scope: Scope) -> None:
    """Follow a chain to its end, and remember each slot on the way."""
    value = root(walk, chain, reads, scope)
    shown = chain.root
    for kind, name in chain.links:
        if kind == ATTRIBUTE:
            shown += f".{name}"
            value = attribute(walk, value, name, shown, (ATTRIBUTE, name) not in reads.counted)
        else:
            shown += f"[{name!r}]"
            value = item(walk, value, name, shown)
    if value is not UNKNOWN:
        walk.reach(value, shown)
        if chain.target is not None:
            scope.known[chain.target] = value


def root(walk: Walk, chain: Chain, reads: Reads, scope: Scope) -> Any:
    name = chain.root
    if name in ANY_NAME:
        walk.names.add(name)
    guarded = scope.guarded and (chain.kind, name) not in reads.counted
    if chain.kind == LOCAL or (chain.kind == CELL and name not in scope.cells):
        return scope.known.get(name, UNKNOWN)
    if chain.kind == CELL:
        return walk.remember(CELL, scope.cells[name], name, name, contents(scope.cells[name]), guarded)
    if chain.kind == MODULE:
        return sys.modules.get(name, UNKNOWN)
    if chain.kind == GLOBAL and name in scope.namespace:
        return walk.remember(GLOBAL, scope.namespace, name, name, scope.namespace[name], guarded)
    return getattr(builtins, name, UNKNOWN) if chain.kind == GLOBAL else UNKNOWN
