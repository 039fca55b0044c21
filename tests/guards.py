"""Guard pages around all memory that a compiled program touches: an access one byte too far ends the process (a segmentation fault).

A buffer cannot touch a page's edge at both of its ends: with side="behind" it ends where the page behind it begins, with
side="before" it begins where the page before it ends. The bytes that are left between a buffer and the other page have a pattern
that must not change, so that writing too far is found on both sides at once. Without `mprotect` (Windows) only the pattern guards.
"""

from __future__ import annotations

import ctypes
import math
import mmap
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from unittest.mock import patch

import numpy as np

from slopes.graph.node import Node
from slopes.loops import pipeline
from slopes.machine import arena, cache, engine, native
from slopes.passes.storage import Life, Name

PAGE = mmap.PAGESIZE
PATTERN = 0xA5
UNWRITTEN = 0xFF  # floats are NaN, integers -1, where a program reads what it never wrote
SIDES = "behind", "before"


def protect(address: int, count: int) -> None:
    """Nobody may read or write these pages any more."""
    if os.name != "nt" and ctypes.CDLL(None, use_errno=True).mprotect(ctypes.c_void_p(address), ctypes.c_size_t(count), 0):
        raise OSError(ctypes.get_errno(), "mprotect failed")


def whole_pages(count: int) -> int:
    """Bytes rounded up to pages."""
    return -(-count // PAGE) * PAGE


class Block:
    """Bytes between two guard pages; an empty block has nothing at all between them."""

    def __init__(self, count: int, side: str = "behind") -> None:
        room = whole_pages(count)
        self._memory = mmap.mmap(-1, room + 2 * PAGE)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        self._inside = np.frombuffer(self._memory, np.uint8, room, PAGE)
        self._inside[:] = PATTERN
        self._first = room - count if side == "behind" else 0
        self.count, self.address = count, start + PAGE + self._first
        protect(start, PAGE)
        protect(start + PAGE + room, PAGE)

    @property
    def bytes(self) -> np.ndarray:
        return self._inside[self._first:self._first + self.count]

    def array(self, shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
        """The block as an array, which keeps it alive."""
        return np.ndarray(shape, dtype, self._memory, PAGE + self._first)

    @property
    def unharmed(self) -> bool:
        rest = self._inside[:self._first], self._inside[self._first + self.count:]
        return all(bool((each == PATTERN).all()) for each in rest)


def guarded(array: np.ndarray, side: str = "behind") -> np.ndarray:
    """A copy between guard pages."""
    copy = Block(array.nbytes, side).array(array.shape, array.dtype)
    copy[...] = array
    return copy


class GuardedProgram(engine.Program):
    """A program that runs on guarded copies of its arguments, in a guarded arena, and that no helper misses however busy the machine.

    `walls` are the pages of the arena that stand between its buffers.
    """

    def __init__(self, manifest: engine.Manifest, codes: Sequence[bytes], clocks: int = 0) -> None:
        super().__init__(manifest, codes, clocks)
        self.spin_limit, self.stalls.stall = 1 << 40, math.inf
        self.side = SIDES[0]
        self.walls: tuple[int, ...] = ()
        self.sizes: list[int] = []  # the bytes of its arguments
        self.given = 0  # how many of them it reads
        self.written: set[int] = set()  # the numbers of those that it writes
        self._guarded: Block | None = None
        self.__dict__.pop("enter", None)  # for the method of this class

    def expect(self, inputs: Sequence[Node], roots: Sequence[Node], destinations: Sequence[int]) -> None:
        """Learn what its arguments are."""
        fresh = [root for root, destination in zip(roots, destinations) if destination >= len(inputs)]
        self.sizes = [node.size * node.dtype.itemsize for node in (*inputs, *fresh)]
        self.given, self.written = len(inputs), set(destinations)

    def reserve(self, count: int) -> arena.Block:
        size = self.manifest.arena + count * self.manifest.scratch
        if self._guarded is None or self._guarded.count < size:
            self._guarded = Block(size, "before")  # the arena's pages are pages of the memory
            for wall in self.walls:
                protect(self._guarded.address + wall, PAGE)
        self.call[engine.ARENA], self.call[engine.THREADS] = self._guarded.address, count
        return arena.Block(None, self._guarded.address, size)

    def _fill_arena(self) -> None:
        if self._guarded is None:
            return
        edges = [-PAGE, *self.walls, self._guarded.count]
        for start, end in pairwise(edges):
            self._guarded.bytes[start + PAGE:end] = UNWRITTEN

    def enter(self) -> int:
        """Run on guarded copies of the arguments."""
        table, steps = int(self.call[engine.ARGUMENTS]), int(self.call[engine.STEPS])
        addresses = (ctypes.c_uint64 * len(self.sizes)).from_address(table)
        strides = (ctypes.c_int64 * len(self.sizes)).from_address(int(self.call[engine.STRIDES]))
        blocks = [Block(size + (steps - 1) * stride, self.side) for size, stride in zip(self.sizes, strides)]
        own = Block(8 * len(blocks))
        own.array((len(blocks),), np.dtype(np.uint64))[:] = [block.address for block in blocks]
        for block, address in zip(blocks[:self.given], addresses):
            ctypes.memmove(block.address, address, block.count)
        for block in blocks[self.given:]:
            block.bytes[:] = UNWRITTEN
        self._fill_arena()
        self.call[engine.ARGUMENTS] = own.address
        try:
            failed = super().enter() if self.manifest.parallel else self._enter()
        finally:
            self.call[engine.ARGUMENTS] = table
        assert all(block.unharmed for block in blocks), "the program wrote outside of a result"
        assert self._guarded is None or self._guarded.unharmed, "the program wrote behind its arena"
        for number in self.written:
            ctypes.memmove(addresses[number], blocks[number].address, blocks[number].count)
        return failed


class Apart:
    """A memory plan in which nothing is used twice, and a wall (a guard page) stands behind each buffer."""

    def __init__(self, side: str) -> None:
        self.side = side
        self.walls: tuple[int, ...] = ()  # of the latest plan

    def place(self, lives: Mapping[Name, Life]) -> tuple[dict[Name, int], int]:
        offsets, walls, top = {}, [], 0
        for name, life in lives.items():
            room = whole_pages(life.nbytes)
            offsets[name] = top + (room - life.nbytes if self.side == "behind" else 0)
            walls.append(top + room)
            top += room + PAGE
        if all(name.kind == "arena" for name in lives):  # not the memory that each thread has of its own
            self.walls = tuple(walls)
        return offsets, top


@contextmanager
def guards(side: str = "behind") -> Iterator[None]:
    """All that is compiled and run inside is guarded, each buffer by itself. Nothing is taken from the cache, nor kept in it."""
    plan, compile_optimized = Apart(side), native.compile_optimized

    def made(manifest: engine.Manifest, codes: Sequence[bytes], clocks: int = 0) -> GuardedProgram:
        found = GuardedProgram(manifest, codes, clocks)
        found.side, found.walls = side, plan.walls
        return found

    def compiled(optimized: list[Node], updates: Sequence[Node | None], keep: Sequence[Node] = ()) -> native.Native:
        found = compile_optimized(optimized, updates, keep)
        found.program.expect(found.inputs, optimized, found.destinations)
        return found

    native._programs.clear()
    with (patch.object(pipeline, "assign_offsets", plan.place), patch.object(engine, "Program", made),
          patch.object(native, "compile_optimized", compiled), patch.object(cache, "load_cached", lambda key: None),
          patch.object(cache, "store_cached", lambda *_: None)):
        yield
    native._programs.clear()
