"""Which thread computes which blocks of a phase: the same ones in each step, and those of others when they are late.

A core keeps in its own cache what it has read and written: weights and optimizer state come from there if the same thread updates
them again. So each thread has a queue of neighbouring blocks, and takes from those of others when it is empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..costs import LINE, QUEUES
from .atomics import atomic_load, fetch_add, store
from .builder import Builder
from .target import TAKEN
from .values import INT64, Value

CONTEXT, THREAD, THREADS = "%context", Value("%thread", INT64), Value("%threads", INT64)


def queue_count(b: Builder, threads: Value) -> Value:
    """One queue for each thread, as far as there are that many."""
    return b.min(threads, b.whole(QUEUES))


def taken_address(b: Builder, queue: Value) -> str:
    """Where it is counted how many blocks of a queue have been taken."""
    offset = b.add(b.mul(queue, b.whole(LINE)), b.whole(TAKEN))
    return b.new(f"getelementptr inbounds i8, ptr {CONTEXT}, i64 {offset.ref}", INT64).ref


def refill_queues(b: Builder, threads: Value) -> None:
    """No block has been taken; the caller is the only thread that is at work."""
    with b.loop(b.whole(0), queue_count(b, threads)) as queue:
        store(b, taken_address(b, queue), b.whole(0))


@contextmanager
def next_blocks(b: Builder, total: int) -> Iterator[Value]:
    """Take one block after another, of the thread's own queue first, until threads have taken all `total` of them."""
    count = queue_count(b, THREADS)
    own = b.new(f"urem i64 {THREAD.ref}, {count.ref}", INT64)
    with b.loop(own, b.add(own, count)) as i:
        queue = b.select(b.compare("<", i, count), i, b.sub(i, count))
        start, stop = (b.new(f"udiv i64 {b.mul(edge, b.whole(total)).ref}, {count.ref}", INT64)
                       for edge in (queue, b.add(queue, b.whole(1))))
        address, size = taken_address(b, queue), b.sub(stop, start)
        taken = b.variable(atomic_load(b, address, "monotonic"))  # an empty queue is not written to
        with b.when(b.compare("<", taken.get(), size)):
            taken.set(fetch_add(b, address, 1, "monotonic"))
            with b.loop_while(lambda: b.compare("<", taken.get(), size)):
                yield b.add(start, taken.get())
                taken.set(fetch_add(b, address, 1, "monotonic"))
