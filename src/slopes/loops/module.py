"""LLVM modules: what is translated on its own, and finds the functions of others when all are loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ATTRIBUTES = 'attributes #0 = { noinline nounwind "no-builtins" }'


@dataclass(frozen=True)
class Module:
    """Functions in LLVM code, and what they need declared.

    name, declared  of a kernel: the function's name, and its declaration for modules that call it
    optimized       whether LLVM's passes run over it, and not only the translation itself
    """

    declarations: tuple[str, ...]
    functions: str
    name: str = ""
    declared: str = ""
    optimized: bool = True

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
                  optimized=all(module.optimized for module in modules))
