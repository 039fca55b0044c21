"""From LLVM code to something callable, with compiled programs kept on disk."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import struct
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm
import numpy as np

from .. import settings
from ..errors import TooLargeError
from ..loops.target import CONTEXT_BYTES, STEP, YIELD
from . import crew as crews
from . import threads
from .buffer import aligned_bytes, available_memory, give_back_freed
from .entry import CALL, entry
from .translate import Loaded, host

MAGIC = b"slopes program 2\n"
LARGE = 1 << 25  # bytes from which on an arena is worth some milliseconds of tidying up
WAKING = 1e-4  # seconds in which the system wakes a thread if it has a processor for it
WORK_TIME = 3e-11  # seconds that a processor takes for an element step, at least
CROWDED, LOSS = 2, 5e-4  # a run that takes so many times as long as usual, and so many seconds more, was held up by other programs
SLOWER = 1.01  # how fast a program's usual time is forgotten
ARGUMENTS, STRIDES, ARENA, THREADS, STEPS, CREW, PATIENCE, JOINED = map(
    CALL.index, ("arguments", "strides", "arena", "threads", "steps", "crew", "patience", "joined"))


# ---------------------------------------------------------------------- programs
@dataclass(frozen=True)
class Manifest:
    """What is needed to run a compiled program besides its code; `sites` are numbers of nodes of the graph."""

    arena: int
    scratch: int
    parallel: bool
    sites: tuple[int, ...]
    kernels: tuple[tuple[str, int], ...]  # (kind, element steps), in order


class Program:
    """A compiled graph: call it with the addresses of its arguments."""

    def __init__(self, manifest: Manifest, codes: Sequence[bytes], clocks: int = 0) -> None:
        self.manifest, self._loaded = manifest, Loaded(codes)
        self._arena: np.ndarray | None = None
        self._room = 0
        self._context = aligned_bytes(CONTEXT_BYTES + 8 * clocks)
        self._context[:] = 0
        self.step = self._context[STEP:STEP + 8].view(np.int64)  # the number of the step that the last run came to
        self._context[YIELD:YIELD + 8].view(np.uint64)[0] = entry().rest
        self.clocks = self._context[CONTEXT_BYTES:].view(np.int64)  # ticks of each kernel, in a timed program
        self.lock = threading.Lock()  # held from preparing to the end of a run
        self.prepared: tuple[int, int] | None = None  # the very tables with which it can be entered again for one step
        self._call = np.zeros(len(CALL), np.int64)
        self._call[CALL.index("function")] = self._loaded.address("program")
        self._call[CALL.index("context")] = self._context.ctypes.data
        self.call = self._call.data  # as `entry.CALL` names its fields
        self._enter = entry().bound(self._call.ctypes.data)
        self.enter = self._enter_together if manifest.parallel else self._enter  # run; returns 0, or the number of the site that failed
        self._ready = 0  # the number of threads that the arena has room for
        self._usual: dict[int, float] = {}  # seconds of a step on so many threads
        self.loss = LOSS
        self.patience = patience(sum(work for _, work in manifest.kernels))

    def run(self, arguments: int, strides: int, steps: int = 1) -> int:
        """Run `steps` steps; `arguments` and `strides` are addresses of tables. Returns 0, or the number of the site that failed."""
        with self.lock:
            self.prepare((arguments, strides), steps)
            return self.enter()

    def prepare(self, tables: tuple[int, int], steps: int = 1) -> None:
        """Have everything ready to be entered, once or several times, with these tables; whoever calls holds the lock."""
        self.prepared = None
        self.call[ARGUMENTS], self.call[STRIDES] = tables
        self.call[STEPS] = steps
        if not self.manifest.parallel and self._ready != 1:
            self._make_room(1)
        self.prepared = tables if steps == 1 else None

    def _enter_together(self) -> int:
        """Enter with the crew."""
        call, crew = self.call, crews.crew
        count = crew.grow(crew.crowd.wanted(threads.thread_count()))
        if self._ready != count:
            self._make_room(count)
        steps = call[STEPS]
        call[CREW], call[PATIENCE] = crew.address, self.patience * steps
        with crew.busy:
            start = time.perf_counter()
            failed = self._enter()
            took = time.perf_counter() - start
        usual = self._usual[count] = min(took / steps, self._usual.get(count, took) * SLOWER)
        if took > CROWDED * usual * steps + self.loss:
            crew.crowd.lost(took - usual * steps)
        elif crew.crowd.caution and count > 1:
            crew.crowd.went_well()
        return failed

    @property
    def joined(self) -> int:
        """How many threads took part in the last run."""
        return self.call[JOINED] if self.call[THREADS] > 1 else 1

    def _make_room(self, count: int) -> None:
        """Have memory for so many threads."""
        self.call[ARENA], self.call[THREADS] = self._arena_for(count), count
        self._ready = count

    def _arena_for(self, count: int) -> int:
        room = self.manifest.arena + count * self.manifest.scratch
        if self._arena is None or self._room < room:
            self._arena, self._room = None, 0  # the old one makes room for the new
            if room >= LARGE:
                give_back_freed()
            free = available_memory()
            if free is not None and room > free:
                raise TooLargeError(f"a program needs {room / 2**30:,.1f} GiB for its intermediate values, "
                                    f"but {free / 2**30:,.1f} GiB are free", repair="take a smaller batch, or a smaller network")
            self._arena, self._room = aligned_bytes(max(room, 64)), room
        return self._arena.ctypes.data


def patience(work: int) -> int:
    """How many rounds of a waiting loop a helper is waited for: what it takes to wake one, or half of what there is to do."""
    return round(max(WAKING, work * WORK_TIME / 2) / entry().pause)


# ---------------------------------------------------------------------- the cache on disk
@lru_cache(maxsize=1)
def code_version() -> str:
    """A digest of slopes' own compiler: a program written by another version is never trusted."""
    folder = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for file in sorted(file for part in ("graph", "ops", "passes", "loops", "machine") for file in (folder / part).glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def cache_key(description: str) -> str:
    """The name under which a program is kept: graph, slopes, LLVM, and the processor."""
    parts = [description, code_version(), llvmlite.__version__, ".".join(map(str, llvm.llvm_version_info)), platform.system(), *host()]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def cache_folder() -> Path:
    return settings.cache_folder() / "programs"


def load_cached(key: str) -> tuple[Manifest, list[bytes]] | None:
    """The program kept under this key; None when there is none, or it is damaged."""
    try:
        data = (cache_folder() / f"{key}.bin").read_bytes()
    except OSError:
        return None
    return unpack(data, key)


def unpack(data: bytes, key: str) -> tuple[Manifest, list[bytes]] | None:
    """Read a cache entry: magic, digest of the rest, key, then manifest and parts of the code, each behind its length."""
    head = len(MAGIC)
    body = data[head + 32:]
    if data[:head] != MAGIC or hashlib.sha256(body).digest() != data[head:head + 32] or body[:64] != key.encode():
        return None
    pieces, place = [], 64
    while place < len(body):
        size, = struct.unpack("<Q", body[place:place + 8])
        pieces.append(body[place + 8:place + 8 + size])
        place += 8 + size
    fields = json.loads(pieces[0])
    fields["sites"] = tuple(fields["sites"])
    fields["kernels"] = tuple((kind, work) for kind, work in fields["kernels"])
    return Manifest(**fields), pieces[1:]


def store_cached(key: str, manifest: Manifest, codes: Sequence[bytes]) -> None:
    """Keep a program; a cache that cannot be written costs time, not results."""
    pieces = [json.dumps(vars(manifest)).encode(), *codes]
    body = key.encode() + b"".join(struct.pack("<Q", len(piece)) + piece for piece in pieces)
    data = MAGIC + hashlib.sha256(body).digest() + body
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder, suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.replace(name, folder / f"{key}.bin")
        except BaseException:
            os.unlink(name)
            raise
    except OSError:
        return


def addresses(arrays: Sequence[Any]) -> np.ndarray:
    """The arrays' addresses as a table for a program."""
    return np.array([array.ctypes.data for array in arrays], np.uint64)
