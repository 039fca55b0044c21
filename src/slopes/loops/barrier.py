"""The barrier at which the threads of a program wait for each other."""

from __future__ import annotations

from .atomics import atomic_load, atomic_store, fetch_add, field, load, spin_then_sleep, store
from .builder import Builder
from .queues import CONTEXT, THREADS, refill_queues
from .target import COUNT, ERROR, GENERATION, STOP, YIELD, Target
from .values import INT32


def barrier_text(target: Target, parallel: bool) -> str:
    """A function that waits for all threads and returns whether a reported error stops the program.

    The last thread to arrive refills the queues and decides for all of them, so that all leave at the same barrier. A program that is
    not parallel has one thread, which waits for nobody: a third of the time to translate a small program was the barrier's.
    """
    b = Builder(target.lanes)
    if not parallel:
        failed = b.compare("!=", load(b, field(b, CONTEXT, ERROR), "i32"), b.const(0, dtype=INT32))
        return b.function("define internal i1 @barrier(ptr %context, i64 %threads) nounwind", f"ret i1 {failed.ref}")
    error = b.variable(atomic_load(b, field(b, CONTEXT, ERROR), "monotonic", INT32))
    alone = b.compare("==", THREADS, b.whole(1))
    with b.when(alone):
        refill_queues(b, THREADS)
    with b.when(b.bit_not(alone)):
        meet(b, target)
        error.set(load(b, field(b, CONTEXT, STOP), "i32"))
    stop = b.compare("!=", error.get(), b.const(0, dtype=INT32))
    return b.function("define internal i1 @barrier(ptr %context, i64 %threads) noinline nounwind", f"ret i1 {stop.ref}")


def meet(b: Builder, target: Target) -> None:
    """Count this thread; the last one starts the next generation, for which the others wait."""
    count, generation = field(b, CONTEXT, COUNT), field(b, CONTEXT, GENERATION)
    before = atomic_load(b, generation, "acquire")
    arrived = fetch_add(b, count, 1, "acq_rel")
    with b.when(b.compare("==", arrived, b.sub(THREADS, b.whole(1)))):
        store(b, field(b, CONTEXT, STOP), atomic_load(b, field(b, CONTEXT, ERROR), "monotonic", INT32))
        refill_queues(b, THREADS)
        store(b, count, b.whole(0))
        atomic_store(b, generation, b.add(before, b.whole(1)), "release")

    def sleep() -> None:
        function = load(b, field(b, CONTEXT, YIELD), "ptr")
        b.line(f"call void {function.ref}()")

    spin_then_sleep(b, target, lambda: b.compare("==", atomic_load(b, generation, "acquire"), before), sleep, b.variable(b.whole(0)))
