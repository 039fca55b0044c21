"""A program made anew: its loops planned, written as LLVM code, translated, and kept in the cache."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from .. import settings
from ..graph.body import with_bodies
from ..graph.node import Node
from ..loops.kernels import leaves
from ..loops.module import Module
from ..loops.pipeline import LoopProgram
from ..loops.program import Plan, plan_program
from . import cache, engine, translate
from .notice import counted, look
from .parts import is_kept, join_small


def build(key: str, roots: list[Node], order: list[Node], inputs: list[Node], destinations: list[int]) -> engine.Program:
    """The program of an optimised graph, which the cache keeps under the key."""
    start = time.perf_counter()
    look()
    watch = show_pass if settings.debug_level() >= 3 else None
    plan = plan_program(roots, inputs, destinations, translate.host_target(), watch=watch)
    numbers = {node: i for i, node in enumerate(with_bodies(order))}
    manifest = engine.Manifest(plan.arena, plan.scratch, plan.parallel, tuple(numbers[node] for node in plan.sites),
                               tuple((kernel.kind, kernel.work * kernel.steps) for kernel in plan.kernels))
    planned = time.perf_counter()
    look()
    codes, kernels = object_codes(plan.modules)
    report(plan, planned - start, time.perf_counter() - planned)
    cache.store_cached(key, manifest, codes, kernels)
    return engine.Program(manifest, codes)


def object_codes(modules: Sequence[Module]) -> tuple[list[bytes], dict[str, bytes]]:
    """The code of a program's modules, kernels that the cache has from there; and by their keys the kernels to be kept in it."""
    parts = join_small(modules)
    keys = {part: cache.cache_key(part.text) for part in parts if is_kept(part)}
    kept = cache.load_entries(keys.values(), cache.KERNEL)
    codes = {part: kept[key][0] for part, key in keys.items() if key in kept}
    new = [part for part in parts if part not in codes]
    with counted(len(new)) as done:
        codes.update(zip(new, translate.object_codes(new, *translate.host(), done=done)))
    return [codes[part] for part in parts], {keys[part]: codes[part] for part in new if part in keys}


def show_pass(name: str, program: LoopProgram) -> None:
    print(f"--- after {name}: {program}", file=sys.stderr)


def report(plan: Plan, planning: float, compiling: float) -> None:
    """SLOPES_DEBUG: 1 kernels and times, 3 their loops, 4 LLVM code and assembly."""
    level = settings.debug_level()
    if not level:
        return
    out = sys.stderr
    print(f"slopes: {len(plan.kernels)} kernels in {len(plan.phases)} phases, planned in {planning * 1e3:.0f} ms, compiled in "
          f"{compiling * 1e3:.0f} ms, {plan.arena / 2**20:.1f} MiB arena, {'all threads' if plan.parallel else 'one thread'}", file=out)
    for i, phase in enumerate(plan.phases):
        for kernel in leaves(phase):
            what = ", ".join(dict.fromkeys(node.op.name for node in kernel.nodes))
            loops = [axis.extent for axis in kernel.axes], [axis.extent for axis in kernel.inner]
            print(f"  phase {i}: {kernel.kind} {loops[0]} over {loops[1]}, {kernel.blocks} blocks: {what}", file=out)
            if level >= 3:
                print(f"    {kernel.schedule}", *(f"    {store.buffer}[{store.offset}]" for store in kernel.stores), sep="\n", file=out)
    if level >= 4:
        print(plan.text, file=out)
        print(translate.object_code(plan.text, *translate.host(), assembly=True), file=out)


