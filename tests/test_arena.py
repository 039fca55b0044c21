"""Programs that run one after the other share the memory of their intermediate values."""

import gc

import numpy as np
import pytest

import slopes as sl
from slopes.machine.arena import NOTHING, Arena
from slopes.machine.pool import ThreadPool


class User:
    """What asks for memory."""


def test_a_block_is_as_large_as_the_largest_asked_for():
    arena, small, large = Arena(), User(), User()
    assert arena.grow(small, 1000).size == 1000
    assert arena.grow(large, 5000).size == 5000
    assert arena.grow(small, 1000).size == 5000
    assert arena.block.address % 64 == 0


def test_a_block_that_nobody_needs_is_let_go():
    arena, small, large = Arena(), User(), User()
    arena.grow(small, 1000)
    held = arena.grow(large, 5000)
    del large
    gc.collect()
    assert arena.block is NOTHING and held.memory is not None  # a program that runs just now keeps its memory
    assert arena.grow(small, 1000).size == 1000
    del small
    gc.collect()
    assert arena.block is NOTHING


def test_a_pool_has_one_arena_for_as_long_as_it_is_used():
    pool = ThreadPool()
    arena = pool.arena()
    assert pool.arena() is arena
    arena.grow(pool, 10)
    del arena
    gc.collect()
    assert pool.arena().block is NOTHING


def programs_of(width):
    square = sl.compile(lambda x: (sl.exp(x @ x) @ x).sum())
    sort = sl.compile(lambda x: (sl.sort(x @ x, axis=0) @ sl.cos(x @ x)).sum())
    x = sl.tensor(np.linspace(-0.1, 0.1, width * width, dtype=np.float32).reshape(width, width))
    return square, sort, x


def test_parallel_programs_share_memory_and_change_nothing_of_each_other():
    square, sort, x = programs_of(256)
    expected = square(x).numpy().tobytes(), sort(x).numpy().tobytes()
    (first,), (second,) = square.programs, sort.programs
    assert first.manifest.parallel and first.arena is second.arena
    for _ in range(3):
        assert (square(x).numpy().tobytes(), sort(x).numpy().tobytes()) == expected
    assert first.arena.block.size >= max(program.manifest.arena for program in (first, second))


def test_programs_of_one_thread_have_memory_of_their_own():
    square, sort, x = programs_of(8)
    square(x), sort(x)
    (first,), (second,) = square.programs, sort.programs
    assert not first.manifest.parallel and first.arena is not second.arena


@pytest.mark.parametrize("width", [8, 256])
def test_a_call_within_a_call_leaves_the_memory_of_the_first_as_it_was(width):
    square, _, x = programs_of(width)
    expected = square(x).numpy().tobytes()
    program, = square.programs
    with program.turn():
        program.prepare((program.call[0], program.call[1]))
        before = list(program.call)
        with program.turn() as nested:
            assert nested
            program.reserve(1)
            program.arena.block = NOTHING
            program.reserve(3)
        assert list(program.call) == before
    assert square(x).numpy().tobytes() == expected
