"""The modules of a program as they are translated: large kernels alone, small ones together."""

from __future__ import annotations

from collections.abc import Sequence

from ..costs import KEPT_CODE, LARGE_KERNEL, PART
from ..loops.module import Module, Passes, join_modules


def is_kept(part: Module) -> bool:
    """Whether a part is only kernels, and worth keeping for other programs."""
    return bool(part.name) and len(part.functions) >= KEPT_CODE


def join_small(modules: Sequence[Module]) -> list[Module]:
    """The modules, small kernels joined to runs: each translation has costs of its own.

    The last module calls the others. It is the last one again, since the addresses of functions loaded before are written into its
    code, and has the remaining small kernels with it unless it is not optimized.
    """
    *kernels, program = modules
    large = [kernel for kernel in kernels if len(kernel.functions) >= LARGE_KERNEL]
    small = sorted((kernel for kernel in kernels if len(kernel.functions) < LARGE_KERNEL), key=lambda kernel: kernel.name)
    runs = cut_into_runs(small)
    if program.passes is Passes.NONE:
        return [*large, *map(join_modules, runs), program]
    last = runs.pop() if runs and sum(len(kernel.functions) for kernel in runs[-1]) < KEPT_CODE else []
    return [*large, *map(join_modules, runs), join_modules([*last, program])]


def cut_into_runs(kernels: Sequence[Module]) -> list[list[Module]]:
    """Kernels, sorted by name, in runs that end at a full part, or after a name that says so.

    Names are digests of the code: with another kernel more or less, all runs but one are what they were, and found in the cache.
    """
    runs: list[list[Module]] = [[]]
    for kernel in kernels:
        runs[-1].append(kernel)
        size = sum(len(kernel.functions) for kernel in runs[-1])
        if size >= PART or (size >= KEPT_CODE and int(kernel.name[-1], 16) < 4):
            runs.append([])
    return runs if runs[-1] else runs[:-1]
