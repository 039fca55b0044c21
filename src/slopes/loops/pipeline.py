"""The loop compiler's table of contents: from a graph to kernels in phases, with all memory assigned, in this order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ..graph.node import Node
from ..passes.fuse import is_leaf
from ..passes.observers import observers
from ..passes.storage import Life, aligned, assign_offsets
from .choose import schedule_map
from .index import Index, linear
from .kernels import Kernel, Loop, MapKernel, Phases, buffers_read, buffers_written, leaves
from .lower import Reader
from .nest import Buffer, BufferMap, Expr, Load, Store, expressions, memory, root_of
from .order import last_failing, place_observers, place_updates
from .plan_nest import axes_for
from .region import Grouped, group_nodes, phases_of, plan_groups, write_kernel
from .siblings import join_siblings as joined_siblings
from .target import Target

PAGE = 4096  # bytes


@dataclass
class LoopProgram:
    """What the passes turn from a graph into kernels: each fills in or replaces some of the fields.

    roots, inputs, destinations  as `plan_program` takes them: roots[k] is written to argument destinations[k]
    poison        whether every buffer is overwritten when it is dead: a test of the memory plan
    arguments     the buffers of the arguments, by their index
    buffers       the buffer of each value
    groups        the nodes that are computed together
    kernels       in the order in which they run
    observers     kernels that only look at what the others compute, until they are put among them
    updates       kernels that write the new values of the program's state, until they are put among the others
    phases        runs of kernels that do not touch each other's results
    commit_point  the phase that first writes state: an error must have stopped the program before it; None without such a phase
    offsets       bytes from the start of the arena, for each buffer in it
    arena         bytes that all threads share
    scratch       bytes of each thread's own, behind the arena
    """

    roots: list[Node]
    inputs: list[Node]
    destinations: list[int]
    target: Target
    poison: bool = False
    arguments: dict[int, Buffer] = field(init=False)
    buffers: BufferMap = field(init=False)
    groups: Grouped = field(default_factory=Grouped)
    kernels: list[Kernel | Loop] = field(default_factory=list)
    observers: list[Kernel | Loop] = field(default_factory=list)
    updates: list[Kernel | Loop] = field(default_factory=list)
    phases: Phases = field(default_factory=list)
    commit_point: int | None = None
    offsets: dict[Buffer, int] = field(default_factory=dict)
    arena: int = 0
    scratch: int = 0

    def __post_init__(self) -> None:
        self.arguments = {i: Buffer("argument", node.size, node.dtype, node, i) for i, node in enumerate(self.inputs)}
        self.buffers = BufferMap({node: self.arguments[i] for i, node in enumerate(self.inputs)})

    @cached_property
    def updated(self) -> set[int]:
        """The arguments that are state: read and written."""
        return {d for d in self.destinations if d < len(self.inputs)}

    @property
    def old_buffers(self) -> dict[Buffer, Buffer]:
        """The buffer of each state's old value, by that of the new one."""
        return {self.buffers[root]: self.arguments[d] for root, d in zip(self.roots, self.destinations)
                if d in self.updated and not is_leaf(root)}

    @property
    def work(self) -> int:
        """The work of all kernels but observers."""
        observing = {id(kernel) for kernel in self.observers}
        return sum(kernel.work for kernel in self.kernels if id(kernel) not in observing)

    def __str__(self) -> str:
        runs = self.phases or [self.updates + self.kernels]
        lines = [f"{len(self.groups.groups)} groups, {len(leaves(self.kernels))} kernels, {len(leaves(self.updates))} updates, "
                 f"{len(self.phases)} phases, {self.arena} bytes arena, {self.scratch} bytes scratch"]
        return "\n".join([*lines, *(f"  {kernel.kind} {[axis.extent for axis in kernel.axes]} over "
                                    f"{[axis.extent for axis in kernel.inner]}: {kernel.schedule}"
                                    for phase in runs for kernel in leaves(phase))])


# ---------------------------------------------------------------------- kernels
def group(program: LoopProgram) -> None:
    """Decide which values get memory, and which of them share a loop nest.

    First: all that follows works on groups.
    """
    program.groups = group_nodes(program.roots, program.buffers)


def plan(program: LoopProgram) -> None:
    """Turn each group into kernels with schedules, and each scan into a loop of kernels; those of observers are kept apart.

    Reads which values have buffers, as grouping has decided.
    """
    observing = observers(program.roots)
    for kernel in plan_groups(program.groups, program.buffers, program.target):
        observes = any(root_of(buffer).node in observing for buffer in buffers_written(kernel))
        (program.observers if observes else program.kernels).append(kernel)


def separate_updates(program: LoopProgram) -> None:
    """Take out the kernels that write state and that no other kernel needs, so that they can run later.

    Before siblings are joined: a kernel that computes an update together with another value could not be moved.
    """
    olds = program.old_buffers
    needed: set[object] = set()
    first: list[Kernel | Loop] = []
    last: list[Kernel | Loop] = []
    for kernel in reversed(program.kernels):
        written = buffers_written(kernel)
        if any(root_of(buffer) in olds for buffer in written) and not needed & memory(written):
            last.append(kernel)
        else:
            first.append(kernel)
            needed |= memory(buffers_read(kernel))
    program.kernels, program.updates = first[::-1], last[::-1]


def join_siblings(program: LoopProgram) -> None:
    """Make one kernel of reductions over the same loops that read the same memory.

    Before the order is changed: the search looks back a few kernels only, and siblings are planned close to each other.
    """
    program.kernels, program.observers = (
        joined_siblings(kernels, program.target.lanes) for kernels in (program.kernels, program.observers))


def order_updates(program: LoopProgram) -> None:
    """Put each update behind all that it needs, while what it reads is still in the cache; then each observer likewise.

    Before outputs are written: only here is it known whether anything reads the old value later.
    """
    results = {program.buffers[root] for root in program.roots if not is_leaf(root)}
    program.kernels = place_updates(program.kernels, program.updates, program.old_buffers, results)
    program.kernels = place_observers(program.kernels, program.observers)
    program.updates = []


# ---------------------------------------------------------------------- outputs
def write_outputs(program: LoopProgram) -> None:
    """Give every root its destination: write there at once where that is safe, else copy at the end.

    After the order is final: whether a new value may replace the old one at once depends on who reads the old one later.
    """
    touches = Touches(program.kernels)
    copies: list[tuple[Buffer | None, Node, Buffer]] = []
    written: set[Node] = set()
    staged: list[Kernel] = []
    updated = program.updated
    for root, d in zip(program.roots, program.destinations):
        destination = program.arguments.get(d) or Buffer("argument", root.size, root.dtype, root, d)
        if is_leaf(root):
            source = program.buffers.get(root)  # a 0-d constant has none: it is written into the code
            if d < len(program.inputs) and root is program.inputs[d]:
                continue
            if source is not None and root.size and source.number in updated:  # about to be overwritten: the old value is kept
                aside = Buffer("arena", root.size, root.dtype, root)
                staged.append(copy_value(source, aside, root, program.target))
                source = aside
            copies.append((source, root, destination))
        elif root not in written and program.buffers[root].base is None and may_write(program, touches, root, d):
            written.add(root)
            buffer = program.buffers[root]
            buffer.kind, buffer.number = "argument", d
        else:
            copies.append((program.buffers[root], root, destination))
    kernels = staged + program.kernels + [
        copy_value(source, destination, root, program.target) for source, root, destination in copies if root.size]
    program.kernels = [kernel for kernel in kernels if kernel.elements]


class Touches:
    """Which kernels read and write each buffer, and the last one that may be the first to report an error."""

    def __init__(self, kernels: Sequence[Kernel | Loop]) -> None:
        self.readers: dict[Buffer, list[int]] = {}
        self.writers: dict[Buffer, list[int]] = {}
        self.last_failing = last_failing(kernels)
        for i, kernel in enumerate(kernels):
            for noted, buffers in ((self.readers, buffers_read(kernel)), (self.writers, buffers_written(kernel))):
                for buffer in dict.fromkeys(map(root_of, buffers)):
                    noted.setdefault(buffer, []).append(i)


def may_write(program: LoopProgram, touches: Touches, root: Node, d: int) -> bool:
    """Whether the new value may replace the old one at once: nobody reads the old one later, and no error can come any more."""
    if d not in program.updated:
        return True
    new, old = program.buffers[root], program.arguments[d]
    writers = touches.writers.get(new, [])
    if not writers:
        return True  # an empty value
    writer = writers[0]
    if len(writers) > 1 or touches.last_failing >= writer:
        return False
    return all(i < writer or (i == writer and reads_in_step(program.kernels[i], old, new)) for i in touches.readers.get(old, ()))


def reads_in_step(kernel: Kernel | Loop, old: Buffer, new: Buffer) -> bool:
    """Whether a kernel reads `old` only at the element of `new` that the same epilogue stores: not to combine, nor to find addresses.

    A sibling reduction that reads the element has an epilogue of its own, which may run after the new value was stored.
    """
    if isinstance(kernel, Loop) or loads_of(old, [*kernel.combined, *kernel.indirect]):
        return False
    return all(offset in [store.offset for store in stores if store.buffer is new]
               for stores in kernel.epilogues for offset in loads_of(old, [store.expr for store in stores]))


def loads_of(buffer: Buffer, roots: Sequence[Expr]) -> list[Index]:
    """Where the expressions read a buffer."""
    return [expr.offset for expr in expressions(roots) if isinstance(expr, Load) and expr.buffer is buffer]


def copy_value(source: Buffer | None, destination: Buffer, node: Node, target: Target) -> MapKernel:
    return write_kernel(Reader(BufferMap({} if source is None else {node: source})), node, destination, 0, target)


# ---------------------------------------------------------------------- phases and memory
def make_phases(program: LoopProgram) -> None:
    """Divide the kernels into phases, between which threads meet. State is first written after all that may report an error.

    After the last kernel is there: a phase ends where a kernel touches what another one of it writes.
    """
    def writes_state(kernel: Kernel | Loop) -> bool:
        roots = map(root_of, buffers_written(kernel))
        return any(buffer.kind == "argument" and buffer.number in updated for buffer in roots)

    updated = program.updated
    first = next((kernel for kernel in program.kernels if writes_state(kernel)), None)
    program.phases = phases_of(program.kernels, first)
    program.commit_point = next((i for i, phase in enumerate(program.phases) if phase[0] is first), None)


def poison_dead_buffers(program: LoopProgram) -> None:
    """In a test of the memory plan, overwrite each buffer after the last phase that touches it: a plan that reads it later is exposed.

    Before memory is assigned: the kernels that overwrite buffers make each of them live for one phase more.
    """
    if not program.poison:
        return
    lives, phases = lives_of(program.phases), program.phases
    commit = None if program.commit_point is None else phases[program.commit_point]
    program.phases = []
    for i, phase in enumerate(phases):
        program.phases.append(phase)
        poison: list[Kernel | Loop] = [poison_kernel(buffer, program.target.lanes) for buffer, life in lives.items() if life.last == i]
        if poison:
            program.phases.append(poison)
    program.commit_point = next((i for i, phase in enumerate(program.phases) if phase is commit), None)


def poison_kernel(buffer: Buffer, lanes: int) -> MapKernel:
    """The kernel that overwrites a buffer with values that no result should be made of."""
    axes, here = axes_for((max(1, buffer.size),), "i")
    bad = np.nan if buffer.dtype.kind == "f" else True if buffer.dtype.kind == "b" else 77
    store = Store(buffer, linear(here, (max(1, buffer.size),)), Reader(BufferMap()).constant(bad, buffer.dtype))
    return schedule_map(MapKernel(axes=axes, stores=[store]), lanes)


def assign_storage(program: LoopProgram) -> None:
    """Give each buffer its offset in the arena: memory is used again once a buffer is dead.

    Last: it needs the first and the last phase that touch each buffer.
    """
    program.offsets, arena = assign_offsets(lives_of(program.phases))
    program.arena = -(-arena // PAGE) * PAGE
    panels = aligned(max((kernel.scratch_bytes for kernel in leaves(program.kernels)), default=0))
    scratch = panels
    for loop in shared_loops(program.kernels):
        offsets, size = assign_offsets(lives_of(loop.phases, "thread"))
        program.offsets |= {buffer: panels + offset for buffer, offset in offsets.items()}
        scratch = max(scratch, panels + size)
    # whole pages plus one line, so that one element in the scratch memory of two threads is never in the same set of a cache
    program.scratch = -(-scratch // PAGE) * PAGE + 64 if scratch else 0


def shared_loops(kernels: Iterable[Kernel | Loop]) -> list[Loop]:
    """The loops whose steps threads share, those inside of other loops included."""
    loops = [kernel for kernel in kernels if isinstance(kernel, Loop)]
    return [inner for loop in loops for inner in ([loop] if loop.runs else shared_loops(loop.kernels))]


def lives_of(phases: Phases, kind: str = "arena") -> dict[Buffer, Life]:
    """The first and the last phase that touch each buffer of the arena, or of each thread's memory."""
    first: dict[Buffer, int] = {}
    last: dict[Buffer, int] = {}
    for i, phase in enumerate(phases):
        for kernel in phase:
            for buffer in map(root_of, (*buffers_read(kernel), *buffers_written(kernel))):
                if buffer.kind == kind:
                    first.setdefault(buffer, i)
                    last[buffer] = i
    return {buffer: Life(buffer.nbytes, first[buffer], last[buffer]) for buffer in first}


LoopPass = Callable[[LoopProgram], None]
LOOP_PASSES: tuple[LoopPass, ...] = (
    group, plan, separate_updates, join_siblings, order_updates, write_outputs, make_phases, poison_dead_buffers, assign_storage)


def run_passes(program: LoopProgram, watch: Callable[[str, LoopProgram], None] | None = None) -> LoopProgram:
    """The program after every pass; `watch(name, program)` sees each result."""
    for loop_pass in LOOP_PASSES:
        loop_pass(program)
        if watch is not None:
            watch(loop_pass.__name__, program)
    return program
