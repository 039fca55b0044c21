"""From LLVM code to something callable, with compiled programs kept on disk."""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import platform
import struct
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm
import numpy as np

from .. import settings
from ..errors import CompileError, TooLargeError
from ..loops.program import CONTEXT_BYTES, ERROR, STEP, TARGETS, YIELD, Target
from . import threads
from .buffer import aligned_bytes, available_memory

MAGIC = b"slopes program 1\n"
_lock = threading.RLock()  # LLVM is entered by one thread at a time


# ---------------------------------------------------------------------- this machine
@lru_cache(maxsize=1)
def host() -> tuple[str, str, str]:
    """(triple, processor, features) as LLVM names them."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features()
    return llvm.get_process_triple(), llvm.get_host_cpu_name(), ",".join(
        f"{'+' if on else '-'}{name}" for name, on in sorted(features.items()))


def target_for(triple: str, features: str) -> Target:
    """What generated code may use on a processor with these features."""
    on = {each[1:] for each in features.split(",") if each.startswith("+")}
    if triple.startswith(("aarch64", "arm64")):
        return TARGETS["neon"]
    if not triple.startswith(("x86_64", "amd64")):
        return TARGETS["plain"]
    if {"avx512f", "avx512dq", "avx512vl", "avx512bw"} <= on:
        return TARGETS["avx512"]
    return TARGETS["avx2"] if {"avx2", "fma"} <= on else TARGETS["sse"]


@lru_cache(maxsize=1)
def host_target() -> Target:
    triple, _, features = host()
    return target_for(triple, features)


# ---------------------------------------------------------------------- compiling
def object_code(text: str, triple: str, processor: str, features: str, assembly: bool = False) -> bytes | str:
    """LLVM code, verified, optimised and translated for one processor."""
    with _lock:
        host()
        try:
            module = llvm.parse_assembly(text)
            module.triple = triple
            module.verify()
            machine = llvm.Target.from_triple(triple).create_target_machine(
                cpu=processor, features=features, opt=2, reloc="pic", codemodel="default")
        except RuntimeError as error:
            raise CompileError(f"LLVM refused a program that slopes wrote: {error}", where="",
                               repair="this is a defect of slopes: please report it with the program (SLOPES_DEBUG=4 prints it)") from None
        options = llvm.create_pipeline_tuning_options(speed_level=2)
        options.loop_vectorization = options.slp_vectorization = False  # vectors are explicit already
        options.loop_unrolling = False
        passes = llvm.create_pass_builder(machine, options)
        manager = passes.getModulePassManager()
        manager.run(module, passes)
        return machine.emit_assembly(module) if assembly else machine.emit_object(module)


class Loaded:
    """Object code in memory, ready to be called."""

    def __init__(self, code: bytes) -> None:
        with _lock:
            triple, processor, features = host()
            machine = llvm.Target.from_triple(triple).create_target_machine(cpu=processor, features=features, reloc="pic")
            empty = llvm.parse_assembly("")
            empty.triple = triple
            self._engine = llvm.create_mcjit_compiler(empty, machine)
            self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
            self._engine.finalize_object()
            address = self._engine.get_function_address("program")
        self.call = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4, *[ctypes.c_int64] * 3)(address)


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

    def __init__(self, manifest: Manifest, code: bytes, clocks: int = 0) -> None:
        self.manifest, self._loaded = manifest, Loaded(code)
        self._arena: np.ndarray | None = None
        self._context = aligned_bytes(CONTEXT_BYTES + 8 * clocks)
        self._context[:] = 0
        self._error = self._context[ERROR:ERROR + 4].view(np.int32)
        self.step = self._context[STEP:STEP + 8].view(np.int64)  # the number of the step that the last run came to
        self._context[YIELD:YIELD + 8].view(np.uint64)[0] = yield_address()
        self.clocks = self._context[CONTEXT_BYTES:].view(np.int64)  # ticks of each kernel, in a timed program
        self._running = threading.Lock()
        self._room = self._arena_address = 0
        self._ready = 0  # the number of threads that the arena has room for
        self._context_address = self._context.ctypes.data

    def run(self, arguments: int, strides: int, steps: int = 1) -> int:
        """Run `steps` steps; `arguments` and `strides` are addresses of tables. Returns 0, or the number of the site that failed."""
        with self._running:
            count = threads.crew.grow(threads.thread_count()) if self.manifest.parallel else 1
            arena = self._arena_for(count) if self._ready != count else self._arena_address
            context = self._context_address
            self._error[0] = 0
            if count == 1:
                self._loaded.call(context, arguments, strides, arena, 0, 1, steps)
            else:
                call = self._loaded.call
                threads.crew.run(lambda number: call(context, arguments, strides, arena, number, count, steps), count)
            return int(self._error[0])

    def _arena_for(self, count: int) -> int:
        room = self.manifest.arena + count * self.manifest.scratch
        if self._arena is None or self._room < room:
            self._arena, self._room = None, 0  # the old one makes room for the new
            free = available_memory()
            if free is not None and room > free:
                raise TooLargeError(f"a program needs {room / 2**30:,.1f} GiB for its intermediate values, "
                                    f"but {free / 2**30:,.1f} GiB are free", repair="take a smaller batch, or a smaller network")
            self._arena, self._room = aligned_bytes(max(room, 64)), room
        self._ready, self._arena_address = count, self._arena.ctypes.data
        return self._arena_address


@lru_cache(maxsize=1)
def yield_address() -> int:
    """The address of the system's function that lets other programs run."""
    if os.name == "nt":
        return ctypes.cast(ctypes.windll.kernel32.SwitchToThread, ctypes.c_void_p).value or 0  # type: ignore[attr-defined]
    return ctypes.cast(ctypes.CDLL(None).sched_yield, ctypes.c_void_p).value or 0


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


def load_cached(key: str) -> tuple[Manifest, bytes] | None:
    """The program kept under this key; None when there is none, or it is damaged."""
    try:
        data = (cache_folder() / f"{key}.bin").read_bytes()
    except OSError:
        return None
    return unpack(data, key)


def unpack(data: bytes, key: str) -> tuple[Manifest, bytes] | None:
    """Read a cache entry: magic, digest of the rest, key, length of the manifest, manifest, code."""
    head = len(MAGIC)
    body = data[head + 32:]
    if data[:head] != MAGIC or hashlib.sha256(body).digest() != data[head:head + 32] or body[:64] != key.encode():
        return None
    size, = struct.unpack("<Q", body[64:72])
    fields = json.loads(body[72:72 + size])
    fields["sites"] = tuple(fields["sites"])
    fields["kernels"] = tuple((kind, work) for kind, work in fields["kernels"])
    return Manifest(**fields), body[72 + size:]


def store_cached(key: str, manifest: Manifest, code: bytes) -> None:
    """Keep a program; a cache that cannot be written costs time, not results."""
    text = json.dumps(vars(manifest)).encode()
    body = key.encode() + struct.pack("<Q", len(text)) + text + code
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
