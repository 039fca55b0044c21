"""Find the values that a function's bytecode reads: chains such as `config.optimizer["rate"]`."""

from __future__ import annotations

import dis
from functools import lru_cache
from types import CodeType
from typing import Any, NamedTuple

GLOBAL, CELL, LOCAL, MODULE, COMPUTED = "global", "cell", "local", "module", "computed"
ATTRIBUTE, ITEM = "attribute", "item"
ROOTS = {"LOAD_GLOBAL": GLOBAL, "LOAD_NAME": GLOBAL, "LOAD_FROM_DICT_OR_GLOBALS": GLOBAL,
         "LOAD_DEREF": CELL, "LOAD_CLASSDEREF": CELL, "LOAD_FROM_DICT_OR_DEREF": CELL}
STORES = {"STORE_GLOBAL": GLOBAL, "STORE_DEREF": CELL, "STORE_ATTR": ATTRIBUTE}
SKIPPED = {"CACHE", "PRECALL", "PUSH_NULL", "NOP", "EXTENDED_ARG", "RESUME", "NOT_TAKEN"}
NEAR = 4  # instructions between `+=` and the end of its statement, at most


class Chain(NamedTuple):
    """A value that code reads: a name, then attributes and items of constant keys; `target` is the local variable that keeps it."""

    kind: str  # of the root: GLOBAL, CELL, LOCAL, MODULE (imported in the code), or COMPUTED for a value that has no name
    root: str
    links: tuple[tuple[str, Any], ...] = ()  # (ATTRIBUTE, name) or (ITEM, key)
    target: str | None = None


class Reads(NamedTuple):
    """What code reads, in its order, the names that it only counts up (`calls += 1`), and the code inside of it."""

    chains: tuple[Chain, ...]
    counted: frozenset[tuple[str, str]]
    inner: tuple[CodeType, ...]


@lru_cache(maxsize=4096)
def find_reads(code: CodeType) -> Reads:
    """What this code reads.

    >>> def f(x):
    ...     return x * settings["scale"] + config.shift
    >>> [(chain.root, chain.links) for chain in find_reads(f.__code__).chains if chain.kind == GLOBAL]
    [('settings', (('item', 'scale'),)), ('config', (('attribute', 'shift'),))]
    """
    steps = [step for step in dis.get_instructions(code) if step.opname not in SKIPPED]
    once = assigned_once(steps)
    chains: list[Chain] = []
    current: Chain | None = None
    imported = ""
    index = 0
    while index < len(steps):
        step, after = steps[index], steps[index + 1] if index + 1 < len(steps) else None
        index += 1
        longer = extend(current, step, after)
        if longer is not None:
            current = longer
            index += longer.links[-1][0] == ITEM
            continue
        if current is not None:
            target = stored_local(step)
            chains.append(current._replace(target=target if target in once else None))
        if step.opname == "MATCH_CLASS":
            chains.append(Chain(COMPUTED, "", ((ATTRIBUTE, "__dict__"),)))  # a pattern reads attributes that only its class names
        imported = step.argval if step.opname == "IMPORT_NAME" else imported
        current = Chain(MODULE, imported, ((ATTRIBUTE, step.argval),)) if step.opname == "IMPORT_FROM" else chain_root(step)
    counted = frozenset((STORES[step.opname], step.argval) for i, step in enumerate(steps)
                        if step.opname in STORES and any(map(is_in_place, steps[max(0, i - NEAR):i])))
    return Reads(tuple(chains), counted, tuple(inner for inner in code.co_consts if isinstance(inner, CodeType)))


def extend(current: Chain | None, step: dis.Instruction, after: dis.Instruction | None) -> Chain | None:
    """The chain with one link more, if the instruction is one."""
    if step.opname in ("LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR"):
        base = current or Chain(COMPUTED, "")
        return base._replace(links=(*base.links, (ATTRIBUTE, step.argval)))
    if current is not None and step.opname in ("LOAD_CONST", "LOAD_SMALL_INT") and after is not None and is_subscript(after):
        return current._replace(links=(*current.links, (ITEM, step.argval)))
    return None


def chain_root(step: dis.Instruction) -> Chain | None:
    """The beginning of a chain; where an instruction loads two variables, the second is on top."""
    if step.opname in ROOTS:
        return Chain(ROOTS[step.opname], step.argval)
    if step.opname == "IMPORT_NAME":
        return Chain(MODULE, step.argval.partition(".")[0])
    if step.opname.startswith("LOAD_FAST") or step.opname == "STORE_FAST_LOAD_FAST":
        return Chain(LOCAL, step.argval[-1] if isinstance(step.argval, tuple) else step.argval)
    return None


def is_subscript(step: dis.Instruction) -> bool:
    return step.opname == "BINARY_SUBSCR" or (step.opname == "BINARY_OP" and step.argrepr == "[]")


def is_in_place(step: dis.Instruction) -> bool:
    return step.opname == "BINARY_OP" and step.argrepr.endswith("=")


def stored_local(step: dis.Instruction) -> str | None:
    """The local variable that takes what is on top of the stack."""
    if not step.opname.startswith("STORE_FAST"):
        return None
    return step.argval[0] if isinstance(step.argval, tuple) else step.argval


def assigned_once(steps: list[dis.Instruction]) -> set[str]:
    """The local variables that one instruction alone assigns."""
    count: dict[str, int] = {}
    for step in steps:
        if step.opname.startswith(("STORE_FAST", "DELETE_FAST")):
            names = step.argval if isinstance(step.argval, tuple) else (step.argval,)
            for name in names[:1] if step.opname == "STORE_FAST_LOAD_FAST" else names:
                count[name] = count.get(name, 0) + 1
    return {name for name, times in count.items() if times == 1}
