"""The native way into a program: the function that Python calls, and the waiting of the threads that help.

All of it is native code, because a thread that waits in Python has to be woken twice, by the system and by the interpreter: 90
microseconds, more than a small network takes. A helper looks for work for a moment, then sleeps until the next call wakes it.

A call is a block of memory with everything that a program needs to run (CALL). The caller offers it to the helpers and waits for
them as long as their help is worth; those that did not come (the system has given their processor to others) are left out, so
that they hold nobody up. Results do not depend on who comes. A helper that joined gets the word to begin once it is known how
many are in.

There are two entries. That of CPython is a function of its C API. The portable one uses nothing of any interpreter: `run` is called
through ctypes, and helpers that sleep look for work again and again (POLL). It is for other interpreters, and for CPython without the
global lock, which has no stable interface yet; SLOPES_ENTRY=portable asks for it. Programs and results are the same.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Any

from ..costs import POLL
from ..loops.atomics import (
    atomic_load,
    atomic_store,
    compare_exchange,
    exchange,
    fetch_add,
    field,
    load,
    pause,
    spin_then_sleep,
    store,
)
from ..loops.builder import Builder
from ..loops.module import Module, Passes
from ..loops.target import Target
from ..loops.values import BOOL, INT32, INT64, Value
from ..settings import portable_entry
from .translate import Loaded, host, host_target, object_codes

WAITING, ASLEEP, POSTED, ACCEPTED, GO = range(5)  # what a helper is doing: the first word of its slot

# A call: what to run, on what, by how many threads; the error that it reported, 0 for none; the call that follows it, 0 for none; the
# index of its first step
CALL = ("function", "context", "arguments", "strides", "arena", "threads", "steps", "pool", "spin_limit", "joined", "error", "next",
        "first")
POINTERS = ("function", "context", "arguments", "strides", "arena", "pool")
CALL_BYTES = 8 * len(CALL)

# A pool: how many helpers are still at work, the call, how long to look for work, and the helpers' slots
PENDING, CURRENT, SPIN_LIMIT, SLOTS = 0, 64, 128, 192
SLOT, LOCK = 128, 8  # a slot's size (two cache lines: processors fetch them in pairs), and where in it the lock is


def entry_text(target: Target, portable: bool) -> str:
    """LLVM code of everything here."""
    text = [*target.declared, *SYSTEM, rest_text(), pauses_text(target), run_text()]
    if portable:
        return "\n".join([*text, poll_text(), dispatch_text(target, lambda b, slot: None), serve_text(target, sleep_and_poll), ""])
    return "\n".join([*text, *CPYTHON, dispatch_text(target, wake), serve_text(target, sleep_on_lock), enter_text(), ""])


SYSTEM = ["declare void @SwitchToThread()", "declare void @Sleep(i32)"] if os.name == "nt" else ["declare i32 @usleep(i32)"]
CPYTHON = ["declare i32 @PyThread_acquire_lock(ptr, i32)", "declare void @PyThread_release_lock(ptr)", "declare ptr @PyLong_AsVoidPtr(ptr)",
           "declare ptr @PyEval_SaveThread()", "declare void @PyEval_RestoreThread(ptr)", "declare ptr @PyLong_FromLongLong(i64)"]


# ---------------------------------------------------------------------- the caller
def call_field(b: Builder, call: str, name: str) -> Value:
    """The value of one field of a call."""
    address = field(b, call, 8 * CALL.index(name))
    return load(b, address, "ptr" if name in POINTERS else "i64")


def invoke(b: Builder, call: str, thread: Value, threads: Value) -> None:
    """Run the call's function as one of its threads."""
    function, *pointers = (call_field(b, call, name).ref for name in ("function", "context", "arguments", "strides", "arena"))
    b.line(f"call void {function}({', '.join(f'ptr {pointer}' for pointer in pointers)}, i64 {thread.ref}, i64 {threads.ref}, "
           f"i64 {call_field(b, call, 'steps').ref}, i64 {call_field(b, call, 'first').ref})")


def sleep(b: Builder) -> None:
    b.line("call void @rest()")


def rest_text() -> str:
    """The shortest sleep that the system knows."""
    b = Builder(1)
    b.line("call void @SwitchToThread()" if os.name == "nt" else "call i32 @usleep(i32 1)")
    return b.function("define void @rest() nounwind")


def poll_text() -> str:
    """The sleep of a helper that nobody wakes."""
    b = Builder(1)
    b.line("call void @Sleep(i32 1)" if os.name == "nt" else f"call i32 @usleep(i32 {POLL})")
    return b.function("define void @poll() nounwind")


def pauses_text(target: Target) -> str:
    """A loop of pauses alone, to measure how long one takes."""
    b = Builder(1)
    with b.loop(b.whole(0), Value("%count", INT64)):
        pause(b, target)
        b.line("fence seq_cst")
    return b.function("define void @pauses(i64 %count) nounwind")


def enter_text() -> str:
    """What Python calls: a method without arguments of an int, the address of a call; returns the error as an int."""
    b = Builder(1)
    b.line("%call = call ptr @PyLong_AsVoidPtr(ptr %self)")
    b.line("%state = call ptr @PyEval_SaveThread()")
    b.line("%error = call i64 @run(ptr %call)")
    b.line("call void @PyEval_RestoreThread(ptr %state)")
    b.line("%result = call ptr @PyLong_FromLongLong(i64 %error)")
    return b.function("define ptr @enter(ptr %self, ptr %nothing) nounwind", "ret ptr %result")


def run_text() -> str:
    """Run a call on as many threads as it asks for, then those that follow it; returns the error of the first that reports one, or 0."""
    b = Builder(1)
    context = call_field(b, "%call", "context").ref
    store(b, context, b.const(0, dtype=INT32))
    alone = b.compare("==", call_field(b, "%call", "threads"), b.whole(1))
    with b.when(alone):
        invoke(b, "%call", b.whole(0), b.whole(1))
    with b.when(b.bit_not(alone)):
        b.line("call void @dispatch(ptr %call)")
    error = b.variable(b.cast(load(b, context, "i32"), INT64))
    store(b, field(b, "%call", 8 * CALL.index("error")), error.get())
    following = call_field(b, "%call", "next")
    with b.when(b.bit_and(b.compare("==", error.get(), b.whole(0)), b.compare("!=", following, b.whole(0)))):
        pointer = b.new(f"inttoptr i64 {following.ref} to ptr", INT64)
        error.set(b.new(f"call i64 @run(ptr {pointer.ref})", INT64))
    return b.function("define i64 @run(ptr %call) nounwind", f"ret i64 {error.get().ref}")


def dispatch_text(target: Target, rouse: Callable[[Builder, str], None]) -> str:
    """Post the call to the helpers, begin with those who accept in time, and wait until all have finished."""
    b = Builder(1)
    pool, threads = call_field(b, "%call", "pool").ref, call_field(b, "%call", "threads")
    b.line(f"store ptr %call, ptr {field(b, pool, CURRENT)}")
    with each_slot(b, pool, threads) as slot:
        before = exchange(b, slot, POSTED, "seq_cst")
        with b.when(b.compare("==", before, b.whole(ASLEEP))):
            rouse(b, slot)
    joined = gather(b, target, pool, threads, call_field(b, "%call", "spin_limit"))
    store(b, field(b, "%call", 8 * CALL.index("joined")), joined)
    pending = field(b, pool, PENDING)
    atomic_store(b, pending, b.sub(joined, b.whole(1)), "release")
    with each_slot(b, pool, threads) as slot, b.when(b.compare("==", atomic_load(b, slot, "monotonic"), b.whole(ACCEPTED))):
        atomic_store(b, slot, b.whole(GO), "release")
    invoke(b, "%call", b.whole(0), joined)
    spin_then_sleep(b, target, lambda: b.compare("!=", atomic_load(b, pending, "acquire"), b.whole(0)), lambda: sleep(b),
                    b.variable(b.whole(0)))
    return b.function("define internal void @dispatch(ptr %call) nounwind")


def slot_address(b: Builder, pool: str, index: Value) -> str:
    offset = b.add(b.mul(index, b.whole(SLOT)), b.whole(SLOTS))
    return b.new(f"getelementptr i8, ptr {pool}, i64 {offset.ref}", INT64).ref


@contextmanager
def each_slot(b: Builder, pool: str, threads: Value) -> Iterator[str]:
    """A loop over the slots of the helpers 1 to threads - 1."""
    with b.loop(b.whole(1), threads) as index:
        yield slot_address(b, pool, index)


def wake(b: Builder, slot: str) -> None:
    """Wake a helper that sleeps on its lock."""
    b.line(f"call void @PyThread_release_lock(ptr {load(b, field(b, slot, LOCK), 'ptr').ref})")


def gather(b: Builder, target: Target, pool: str, threads: Value, spin_limit: Value) -> Value:
    """Wait for the helpers, `spin_limit` rounds in all, then withdraw the call from those who did not come; returns who is in."""
    spins, joined = b.variable(b.whole(0)), b.variable(b.whole(1))
    with each_slot(b, pool, threads) as slot:
        def absent() -> Value:
            return b.compare("!=", atomic_load(b, slot, "acquire"), b.whole(ACCEPTED))

        spin_then_sleep(b, target, lambda: b.bit_and(absent(), b.compare("<", spins.get(), spin_limit)), lambda: sleep(b), spins)
        joined.set(b.add(joined.get(), b.whole(1)))
        with b.when(absent()), b.when(compare_exchange(b, slot, POSTED, WAITING)):
            joined.set(b.sub(joined.get(), b.whole(1)))
    return joined.get()


# ---------------------------------------------------------------------- the helpers
def serve_text(target: Target, rest: Callable[[Builder, str], None]) -> str:
    """The life of a helper: look for a call, sleep when none comes, accept it, wait for GO, work. It never returns."""
    b = Builder(1)
    slot = slot_address(b, "%pool", Value("%index", INT64))
    limit = load(b, field(b, "%pool", SPIN_LIMIT))
    with b.loop_while(lambda: b.const(True, dtype=BOOL)):
        spins = look(b, target, slot, limit)
        accepted = compare_exchange(b, slot, POSTED, ACCEPTED)
        with b.when(accepted):
            work(b, target, slot)
        idle = b.bit_and(b.bit_not(accepted), b.compare(">=", spins, limit))
        with b.when(idle), b.when(compare_exchange(b, slot, WAITING, ASLEEP)):  # unless a call was posted meanwhile
            rest(b, slot)
    return b.function("define void @serve(ptr %pool, i64 %index) nounwind", "unreachable")


def look(b: Builder, target: Target, slot: str, limit: Value) -> Value:
    """Wait for a call in short rounds; returns how many there were, at most the limit."""
    spins = b.variable(b.whole(0))

    def waiting() -> Value:
        absent = b.compare("!=", atomic_load(b, slot, "acquire"), b.whole(POSTED))
        return b.bit_and(absent, b.compare("<", spins.get(), limit))

    with b.loop_while(waiting):
        pause(b, target)
        spins.set(b.add(spins.get(), b.whole(1)))
    return spins.get()


def sleep_on_lock(b: Builder, slot: str) -> None:
    """Sleep on the slot's lock until a call is posted; the lock may also open without one."""
    lock = load(b, field(b, slot, LOCK), "ptr").ref
    b.line(f"call i32 @PyThread_acquire_lock(ptr {lock}, i32 1)")
    with b.loop_while(lambda: b.compare("==", atomic_load(b, slot, "acquire"), b.whole(ASLEEP))):
        b.line(f"call i32 @PyThread_acquire_lock(ptr {lock}, i32 1)")


def sleep_and_poll(b: Builder, slot: str) -> None:
    """Sleep for short times until a call is posted."""
    with b.loop_while(lambda: b.compare("==", atomic_load(b, slot, "acquire"), b.whole(ASLEEP))):
        b.line("call void @poll()")


def work(b: Builder, target: Target, slot: str) -> None:
    """Wait for GO, run, and report. From accepting to reporting the call stays where it is: the caller waits."""
    spins = b.variable(b.whole(0))
    spin_then_sleep(b, target, lambda: b.compare("!=", atomic_load(b, slot, "acquire"), b.whole(GO)), lambda: sleep(b), spins)
    call = load(b, field(b, "%pool", CURRENT), "ptr").ref
    invoke(b, call, Value("%index", INT64), call_field(b, call, "joined"))
    atomic_store(b, slot, b.whole(WAITING), "release")
    fetch_add(b, field(b, "%pool", PENDING), -1, "acq_rel")


# ---------------------------------------------------------------------- in this process
def system_functions() -> dict[str, int]:
    """Names and addresses of the system's functions by which a thread lets other programs run for a moment, or sleeps."""
    library = ctypes.windll.kernel32 if os.name == "nt" else ctypes.CDLL(None)  # type: ignore[attr-defined]
    return {name: address_of_function(getattr(library, name)) for name in (("SwitchToThread", "Sleep") if os.name == "nt" else ("usleep",))}


def address_of_function(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


class Method(ctypes.Structure):
    """Python's description of a native function."""

    _fields_ = [("name", ctypes.c_char_p), ("function", ctypes.c_void_p), ("flags", ctypes.c_int), ("text", ctypes.c_char_p)]


NO_ARGUMENTS = 4  # METH_NOARGS


class PortableEntry:
    """The functions of this file, loaded, without anything of the interpreter. It is never let go: helpers wait in it to the end."""

    name = "portable: through ctypes, helpers poll"
    functions: tuple[str, ...] = ("serve", "run", "rest", "pauses")
    symbols: tuple[str, ...] = ()  # of the interpreter

    def __init__(self) -> None:
        addresses = system_functions() | {name: address_of_function(getattr(ctypes.pythonapi, name)) for name in self.symbols}
        text = entry_text(host_target(), portable=not self.symbols)
        self._loaded = Loaded(object_codes([Module((), text, passes=Passes.NONE)], *host()), self.functions, addresses)
        self.serve = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(self._loaded.address("serve"))
        self.rest = self._loaded.address("rest")
        self.pause = self._pause()
        keep_forever(self)

    def _pause(self) -> float:
        """Seconds that one round of a waiting loop takes."""
        pauses = ctypes.CFUNCTYPE(None, ctypes.c_int64)(self._loaded.address("pauses"))
        times = []
        for _ in range(4):
            start = time.perf_counter()
            pauses(500)
            times.append((time.perf_counter() - start) / 500)
        return max(min(times), 1e-9)

    def bound(self, call: int) -> Callable[[], int]:
        """A function without arguments that runs the call at this address and returns the error that it reports, or 0."""
        return partial(ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(self._loaded.address("run")), call)

    def helper_lock(self) -> int:
        """The lock on which a new helper sleeps."""
        return 0


class Entry(PortableEntry):
    """The same by CPython's C API: a call takes a fraction of a microsecond less, and helpers sleep until they are woken."""

    name = "CPython's C API"
    functions = ("serve", "enter", "rest", "pauses")
    symbols = ("PyThread_acquire_lock", "PyThread_release_lock", "PyLong_AsVoidPtr", "PyEval_SaveThread", "PyEval_RestoreThread",
               "PyLong_FromLongLong")

    def __init__(self) -> None:
        super().__init__()
        self._method = Method(b"enter", self._loaded.address("enter"), NO_ARGUMENTS, b"Run a native program.")

    def bound(self, call: int) -> Callable[[], int]:
        """A built-in function that runs the call."""
        make = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)
        return make(("PyCFunction_NewEx", ctypes.pythonapi))(ctypes.addressof(self._method), call, None)

    def helper_lock(self) -> int:
        """A new lock of the interpreter, which can be used without it: whoever wants it next waits until it is released once."""
        make = ctypes.PYFUNCTYPE(ctypes.c_void_p)(("PyThread_allocate_lock", ctypes.pythonapi))
        take = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)(("PyThread_acquire_lock", ctypes.pythonapi))
        lock = make()
        if not lock:
            raise RuntimeError("the system gives no more locks")
        take(lock, 1)
        return lock


def entry_class() -> type[PortableEntry]:
    """CPython's entry where its C API is known to be there, unless SLOPES_ENTRY asks for the portable one.

    All functions that it uses belong to the stable ABI of CPython; builds without the global lock have none yet.
    """
    locked = getattr(sys, "_is_gil_enabled", lambda: True)()
    return Entry if platform.python_implementation() == "CPython" and locked and not portable_entry() else PortableEntry


@lru_cache(maxsize=1)
def entry() -> PortableEntry:
    """That of this process."""
    return entry_class()()


_kept: list[object] = []


def keep_forever(thing: object) -> None:
    """Not to be freed even when the interpreter ends: threads that it does not know of may still look at it."""
    if hasattr(ctypes, "pythonapi"):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))
    else:
        _kept.append(thing)  # other interpreters free nothing at their end
