"""Queues of blocks: each block of a phase is computed once, by the thread that has it in every step, or by one that is early."""

from __future__ import annotations

import numpy as np
import pytest

from slopes.costs import LINE, QUEUES
from slopes.loops.barrier import barrier_text
from slopes.loops.module import Module
from slopes.loops.queues import next_blocks
from slopes.loops.target import CONTEXT_BYTES, TAKEN
from slopes.loops.values import INT64
from slopes.machine import translate

HEADER = ("define void @program(ptr noalias %context, ptr %arguments, ptr %strides, ptr %arena, i64 %thread, i64 %threads, i64 %steps, "
          "i64 %first)")


def order_of_blocks(total: int) -> translate.Loaded:
    """A program of one phase: a thread writes the numbers of its blocks one after another to `arguments`, -1 behind the last."""
    target = translate.host_target()
    b = target.builder()
    count = b.variable(b.whole(0))

    def write(value):
        slot = b.new(f"getelementptr inbounds i64, ptr %arguments, i64 {count.get().ref}", INT64)
        b.line(f"store i64 {value.ref}, ptr {slot.ref}")
        count.set(b.add(count.get(), b.whole(1)))

    with next_blocks(b, total) as block:
        write(block)
    write(b.whole(-1))
    with b.when(b.compare("==", b.whole(1), b.new("add i64 %steps, 0", INT64))):  # one step: the phase ends at the barrier
        b.new("call i1 @barrier(ptr %context, i64 %threads)", np.dtype("bool"))
    text = barrier_text(target, True) + "\n" + b.function(HEADER)
    return translate.Loaded(translate.object_codes([Module(tuple(target.declared), text)], *translate.host()))


@pytest.fixture(scope="module")
def phase():
    """What a thread computes of a phase of ten blocks: a function of the context, the thread, the threads and whether it ends."""
    loaded = order_of_blocks(10)
    program = loaded.program()

    def run(context, thread, threads, ends=False):
        blocks = np.full(12, -2, np.int64)
        program(context.ctypes.data, blocks.ctypes.data, 0, 0, thread, threads, int(ends))
        return blocks[:blocks.tolist().index(-1)].tolist()

    return run


def new_context() -> np.ndarray:
    return np.zeros(CONTEXT_BYTES // 8, np.int64)


@pytest.mark.parametrize(("thread", "expected"), [(0, range(10)), (1, [3, 4, 5, 6, 7, 8, 9, 0, 1, 2]), (2, [6, 7, 8, 9, 0, 1, 2, 3, 4, 5])])
def test_a_thread_takes_its_own_blocks_then_those_of_late_threads(phase, thread, expected):
    context = new_context()
    assert phase(context, thread, 3) == list(expected)
    assert phase(context, (thread + 1) % 3, 3) == []


def test_of_each_queue_the_blocks_that_are_left_are_taken(phase):
    context = new_context()
    context[[(TAKEN + LINE * queue) // 8 for queue in range(3)]] = 2, 3, 1
    assert phase(context, 1, 3) == [7, 8, 9, 2]


def test_threads_beyond_the_queues_share_one(phase):
    context = new_context()
    assert sorted(phase(context, QUEUES + 3, QUEUES + 5)) == list(range(10))
    assert phase(new_context(), QUEUES + 3, QUEUES + 5) == phase(new_context(), 3, QUEUES + 5)


def test_the_barrier_refills_the_queues(phase):
    context = new_context()
    assert [phase(context, 0, 1, ends=True) for _ in range(3)] == [list(range(10))] * 3
    assert not context[TAKEN // 8:].any()
