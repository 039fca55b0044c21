"""Names in the source are the field's nouns: words that say nothing of what they name are not used."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "slopes"

BANNED = frozenset({"found", "each", "place", "places", "told", "tell", "judge", "stretch", "crew", "pace", "wanted", "given"})
AS_INDEX = frozenset({"number", "numbers"})  # as the target of a loop: say i, index or indices


def bindings(nodes: Sequence[ast.AST]) -> Iterator[str]:
    """Every name that a file gives to something: variables, parameters, functions, classes, attributes of self."""
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name.lower()
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def loop_targets(nodes: Sequence[ast.AST]) -> Iterator[str]:
    """The names that loops and comprehensions run through."""
    for node in nodes:
        if isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
            yield from (inner.id for inner in ast.walk(node.target) if isinstance(inner, ast.Name))


def banned_names(text: str) -> int:
    nodes = list(ast.walk(ast.parse(text)))
    return sum(name in BANNED for name in bindings(nodes)) + sum(name in AS_INDEX for name in loop_targets(nodes))


@pytest.mark.parametrize("text, count", [
    ("found = 1", 1), ("def f(each): pass", 1), ("for number, x in y: pass", 1), ("number = 1", 0), ("[a for place in b]", 1),
    ("class Crew: pass", 1), ("self.told = 1", 1), ("x.found", 0), ("def g(number): return [number for i in x]", 0)])
def test_banned_names_are_counted(text, count):
    assert banned_names(text) == count


def test_names_say_what_they_name():
    files = {file.relative_to(SOURCE).as_posix(): banned_names(file.read_text(encoding="utf-8")) for file in sorted(SOURCE.rglob("*.py"))}
    banned = {name: count for name, count in files.items() if count}
    assert files and not banned, f"banned names by file: {banned}; banned are {sorted(BANNED)}, and in loops {sorted(AS_INDEX)}"
