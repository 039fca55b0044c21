"""Names in the source are the field's nouns: words that say nothing of what they name are counted, and their number only falls."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "slopes"

BANNED = frozenset({"found", "each", "place", "places", "told", "tell", "judge", "stretch", "crew", "pace"})
AS_INDEX = frozenset({"number", "numbers"})  # as the target of a loop: say i, index or indices

CLEAN = frozenset({
    "__main__.py", "arrays.py", "autodiff", "backward.py", "bound.py", "bytecode.py", "calls.py", "capture.py", "capture_code.py",
    "capture_links.py", "capture_owners.py", "capture_values.py", "captures.py", "checked.py", "cli.py", "compile.py",
    "constraint.py", "conversions.py", "costs.py", "data", "derivatives", "eager.py", "errors.py", "experiments", "extras.py",
    "fast_call.py", "files", "foreign_random.py", "functions", "gradcheck.py", "graph", "guarded.py", "guards.py", "indexing.py",
    "interrupts.py", "levels.py", "loops", "machine", "methods.py", "modes.py", "nn", "numpy_calls.py", "ops", "optim",
    "owned.py", "parameter.py", "passes", "plot.py", "random.py", "settings.py", "state_names.py", "streams.py", "taps.py",
    "tensor.py", "tensor_errors.py", "tensor_fields.py", "text", "trace.py", "trace_call.py", "tree.py", "versions.py", "view",
    "workers.py", "zoo",
})  # folders and files without one
LEFT = 0  # how many such names all others still have: lower it when it falls


def bindings(tree: ast.AST) -> Iterator[str]:
    """Every name that a file gives to something: variables, parameters, functions, classes, attributes of self."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name.lower()
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def loop_targets(tree: ast.AST) -> Iterator[str]:
    """The names that loops and comprehensions run through."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
            yield from (inner.id for inner in ast.walk(node.target) if isinstance(inner, ast.Name))


def banned_names(text: str) -> int:
    tree = ast.parse(text)
    return sum(name in BANNED for name in bindings(tree)) + sum(name in AS_INDEX for name in loop_targets(tree))


def counts() -> Counter[str]:
    """The number of banned names in each folder that has one."""
    total: Counter[str] = Counter()
    for file in SOURCE.rglob("*.py"):
        total[file.relative_to(SOURCE).parts[0]] += banned_names(file.read_text(encoding="utf-8"))
    return +total


@pytest.mark.parametrize("text, count", [
    ("found = 1", 1), ("def f(each): pass", 1), ("for number, x in y: pass", 1), ("number = 1", 0), ("[a for place in b]", 1),
    ("class Crew: pass", 1), ("self.told = 1", 1), ("x.found", 0), ("def g(number): return [number for i in x]", 0)])
def test_banned_names_are_counted(text, count):
    assert banned_names(text) == count


def test_names_say_what_they_name():
    now = counts()
    assert not now.keys() & CLEAN, f"names of {sorted(BANNED | AS_INDEX)} in clean folders: {now}"
    assert now.total() <= LEFT, f"{now.total()} names of {sorted(BANNED | AS_INDEX)}, more than the {LEFT} of before: {now}"
