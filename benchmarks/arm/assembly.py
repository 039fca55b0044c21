"""Inner loops in the assembly of 64-bit ARM, as LLVM writes it for Linux: what their instructions are, by what they occupy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

FUNCTION = re.compile(r"^([A-Za-z_]\w*):")
LABEL = re.compile(r"^(\.L\w+):")
BRANCH = re.compile(r"^(?:b|b\.\w+|cbn?z|tbn?z)\s.*?(\.L\w+)$")
VECTOR = re.compile(r"\b[vqds]\d+\b")


@dataclass(frozen=True)
class Loop:
    """The instructions of a loop that has no other loop inside."""

    function: str
    instructions: tuple[str, ...]

    def count(self, *names: str) -> int:
        """How many instructions have one of these names."""
        return sum(text.split()[0] in names for text in self.instructions)

    @cached_property
    def products(self) -> int:
        """Multiply-adds of vectors."""
        return self.count("fmla")

    @cached_property
    def loads(self) -> int:
        """Registers loaded from memory; a load that fills all lanes is one."""
        return sum(2 if text.startswith("ldp") else 1 for text in self.instructions if text.startswith("ld"))

    @cached_property
    def spills(self) -> int:
        """Loads and stores of vectors that found no register: they lie on the stack."""
        return sum("[sp" in text and VECTOR.search(text) is not None for text in self.instructions)

    @cached_property
    def vector_operations(self) -> int:
        """What occupies a vector pipe: all that computes with vectors, moves them, or fills all lanes from memory."""
        return sum(text.startswith("ld1r") or (not text.startswith(("ld", "st")) and VECTOR.search(text) is not None)
                   for text in self.instructions)

    @cached_property
    def is_product(self) -> bool:
        """Whether it runs over k: its vectors are loaded, moved and multiplied, nothing else."""
        others = [text for text in self.instructions if VECTOR.search(text) and not text.startswith(("fmla", "ld", "mov", "dup"))]
        return self.products > 0 and all("[sp" in text for text in others)


def inner_loops(assembly: str) -> Iterator[Loop]:
    """The loops of all functions that have no other loop inside."""
    for function, lines in functions(assembly):
        labels: dict[str, int] = {}
        instructions: list[str] = []
        for line in lines:
            label = LABEL.match(line)
            if label:
                labels[label[1]] = len(instructions)
            elif line.startswith(("\t", " ")) and not line.strip().startswith("."):
                instructions.append(" ".join(line.split()))
        spans = [(labels[branch[1]], i + 1) for i, text in enumerate(instructions)
                 if (branch := BRANCH.match(text)) and labels.get(branch[1], i + 1) <= i]
        for start, stop in spans:
            if not any(start <= first and last <= stop and (first, last) != (start, stop) for first, last in spans):
                yield Loop(function, tuple(instructions[start:stop]))


def functions(assembly: str) -> Iterator[tuple[str, list[str]]]:
    """The name and the lines of each function, without comments."""
    name, lines = "", list[str]()
    for line in assembly.splitlines():
        line = re.split(r"//|;", line)[0].rstrip()
        begin = FUNCTION.match(line)
        if begin:
            if name:
                yield name, lines
            name, lines = begin[1], []
        elif line:
            lines.append(line)
    if name:
        yield name, lines
