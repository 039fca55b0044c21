"""LLVM modules: what is translated on its own, and finds the functions of others when all are loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

ATTRIBUTES = 'attributes #0 = { noinline nounwind "no-builtins" }'


class Passes(IntEnum):
    """Which of LLVM's passes run over a module before it is translated.

    NONE  for code that runs rarely
    FEW   variables become registers, constants are folded, and loops test at their end: all that the tiles of a product need
    ALL   also what moves computations out of loops
    """

    NONE = 0
    FEW = 1
    ALL = 2


@dataclass(frozen=True)
class Module:
    """Functions in LLVM code, and what they need declared.

    name, declared  of a kernel: the function's name, and its declaration for modules that call it
    passes          which of LLVM's passes run over it
    """

    declarations: tuple[str, ...]
    functions: str
    name: str = ""
    declared: str = ""
    passes: Passes = Passes.ALL

    @property
    def text(self) -> str:
        """The module as LLVM reads it."""
        return "\n".join([*self.declarations, self.functions, ATTRIBUTES, ""])


def join_modules(modules: Sequence[Module]) -> Module:
    """One module with the functions of several; it has a name if all of them have."""
    if len(modules) == 1:
        return modules[0]
    defined = {module.declared for module in modules}
    declarations = {line for module in modules for line in module.declarations} - defined
    name = "_and_".join(module.name for module in modules) if all(module.name for module in modules) else ""
    return Module(tuple(sorted(declarations)), "\n".join(module.functions for module in modules), name,
                  passes=max(module.passes for module in modules))
