"""Flatten nested dicts, lists, tuples and registered types into leaves and a structure, and rebuild them.

A structure is a flat postfix program (push these leaves, then pack the last three into a list, ...): comparing, hashing and
rebuilding it is not recursive, so depth is not limited.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, NamedTuple

from .errors import ArgumentError

Key = Hashable  # a str is an attribute or a dict key, an int an index


class Parts(NamedTuple):
    """The parts of a container: keys, children, and any other hashable data needed to rebuild it."""

    keys: tuple[Key, ...]
    children: Sequence[Any]
    static: Hashable = None


@dataclasses.dataclass(frozen=True)
class Kind:
    """How to take apart and rebuild one type of container."""

    type: type
    parts: Callable[[Any], Parts] = dataclasses.field(compare=False)
    rebuild: Callable[[Parts], Any] = dataclasses.field(compare=False)


class Pack(NamedTuple):
    """A step of a structure: the last len(keys) values become a container."""

    kind: Kind
    keys: tuple[Key, ...]
    static: Hashable


Step = Pack | int  # an int is the index of a leaf


@dataclasses.dataclass(frozen=True)
class Structure:
    """The shape of a tree without its leaves; equal structures are equal objects of the same kinds, keys and sharing."""

    steps: tuple[Step, ...]
    leaves: int

    def __str__(self) -> str:
        if len(self.steps) > 200:
            return f"a tree of {self.leaves} leaves in {len(self.steps)} parts"
        return str(unflatten(self, [Star()] * self.leaves))


class Star:
    """A leaf in the text of a structure."""

    def __repr__(self) -> str:
        return "*"


_kinds: dict[type, Kind] = {}
_resolved: dict[type, Kind | None] = {}


def register(type: type, children: Callable[[Any], Parts], rebuild: Callable[[Parts], Any]) -> None:
    """Let objects of `type` (and its subclasses) be containers: `children(x)` takes one apart, `rebuild(parts)` makes one."""
    _kinds[type] = Kind(type, children, rebuild)
    _resolved.clear()


def get_kind(value: Any) -> Kind | None:
    """The kind of container `value` is; None for a leaf."""
    cls = type(value)
    try:
        return _resolved[cls]
    except KeyError:
        return _resolved.setdefault(cls, resolve(cls))


def resolve(cls: type) -> Kind | None:
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        return Kind(cls, lambda value: Parts(cls._fields, value), lambda parts: cls(*parts.children))
    for base in cls.__mro__:
        if base in _kinds:
            return _kinds[base] if base is cls or base not in BUILTIN else None
    return dataclass_kind(cls) if dataclasses.is_dataclass(cls) else None


def dataclass_kind(cls: type) -> Kind:
    names = tuple(field.name for field in dataclasses.fields(cls))

    def rebuild(parts: Parts) -> Any:
        instance: Any = object.__new__(cls)
        for name, child in zip(names, parts.children):
            object.__setattr__(instance, name, child)  # frozen ones too
        return instance

    return Kind(cls, lambda value: Parts(names, [getattr(value, name) for name in names]), rebuild)


register(list, lambda value: Parts(tuple(range(len(value))), value), lambda parts: list(parts.children))
register(tuple, lambda value: Parts(tuple(range(len(value))), value), lambda parts: tuple(parts.children))
register(dict, lambda value: Parts(tuple(value), list(value.values())), lambda parts: dict(zip(parts.keys, parts.children)))
register(OrderedDict, lambda value: Parts(tuple(value), list(value.values())),
         lambda parts: OrderedDict(zip(parts.keys, parts.children)))
register(type(None), lambda value: Parts((), ()), lambda parts: None)
BUILTIN = (list, tuple, dict, OrderedDict)  # a subclass of these may hold more than its items: a leaf unless registered


def flatten(tree: Any, share: bool = False) -> tuple[list[Any], Structure]:
    """The leaves of `tree` from left to right, and its structure; None is a container without children.

    With `share=True` a leaf object met twice is one leaf, and `unflatten` puts the one new leaf in both places.
    """
    if get_kind(tree) is None:
        return [tree], Structure((0,), 1)
    leaves: list[Any] = []
    steps: list[Step] = []
    index_of: dict[int, int] = {}
    for value, pack in visit(tree):
        if pack is not None:
            steps.append(pack)
        elif share and id(value) in index_of:
            steps.append(index_of[id(value)])
        else:
            index_of[id(value)] = len(leaves)
            steps.append(len(leaves))
            leaves.append(value)
    return leaves, Structure(tuple(steps), len(leaves))


def visit(tree: Any) -> Iterator[tuple[Any, Pack | None]]:
    """Leaves as (leaf, None) and containers, after their children, as (container, pack)."""
    stack: list[tuple[Any, Pack | None]] = [(tree, None)]
    open_containers: set[int] = set()
    while stack:
        value, pack = stack.pop()
        kind = get_kind(value)
        if pack is not None:
            open_containers.discard(id(value))
            yield value, pack
        elif kind is None:
            yield value, None
        else:
            parts = kind.parts(value)
            enter(value, parts, open_containers)
            stack.append((value, Pack(kind, tuple(parts.keys), parts.static)))
            stack.extend((child, None) for child in reversed(parts.children))


def enter(value: Any, parts: Parts, open_containers: set[int]) -> None:
    """Mark `value` as being walked; ArgumentError if it contains itself."""
    if id(value) in open_containers:
        raise ArgumentError(f"tree: a {type(value).__name__} contains itself", repair="break the cycle: a tree has no way back")
    if len(parts.children):
        open_containers.add(id(value))


def unflatten(structure: Structure, leaves: Sequence[Any]) -> Any:
    """The tree of this structure with these leaves."""
    if len(leaves) != structure.leaves:
        raise ArgumentError(f"tree: {len(leaves)} leaves for a structure of {structure.leaves}")
    stack: list[Any] = []
    for step in structure.steps:
        if isinstance(step, int):
            stack.append(leaves[step])
        else:
            start = len(stack) - len(step.keys)
            stack[start:] = [step.kind.rebuild(Parts(step.keys, stack[start:], step.static))]
    return stack[0]


def map_tree(function: Callable[..., Any], tree: Any, *others: Any, share: bool = False) -> Any:
    """The tree of function(leaf, leaves of the others...); the others must have the structure of the first."""
    leaves, structure = flatten(tree, share)
    columns = [leaves]
    for i, other in enumerate(others, start=2):
        other_leaves, other_structure = flatten(other, share)
        if other_structure != structure:
            raise ArgumentError(f"map_tree: tree 1 and tree {i} differ: {structure} and {other_structure}",
                                repair="give trees of the same containers, with the same keys in the same order")
        columns.append(other_leaves)
    return unflatten(structure, [function(*row) for row in zip(*columns)])


def named_leaves(tree: Any, root: str = "", share: bool = False) -> list[tuple[str, Any]]:
    """(path, leaf) from left to right, such as ("net.layers[0].weight", leaf) for root "net".

    With `share=True` each leaf object is listed once, under its first path.
    """
    named: list[tuple[str, Any]] = []
    visited: set[int] = set()
    open_containers: set[int] = set()
    stack: list[tuple[Any, tuple | None, bool]] = [(tree, None, False)]
    while stack:
        value, trail, leaving = stack.pop()
        kind = get_kind(value)
        if leaving:
            open_containers.discard(id(value))
        elif kind is None:
            if not (share and id(value) in visited):
                visited.add(id(value))
                named.append((path_text(root, trail), value))
        else:
            parts = kind.parts(value)
            enter(value, parts, open_containers)
            stack.append((value, trail, True))
            stack.extend((child, (trail, key), False) for key, child in reversed(list(zip(parts.keys, parts.children))))
    return named


def path_text(root: str, trail: tuple | None) -> str:
    """The path of a leaf: attributes and dict keys with a dot, indices in brackets."""
    pieces = []
    while trail is not None:
        trail, key = trail
        pieces.append(key_text(key))
    return (root + "".join(reversed(pieces))).removeprefix(".")


def key_text(key: Key) -> str:
    return f".{key}" if isinstance(key, str) and key.isidentifier() else f"[{key!r}]"
