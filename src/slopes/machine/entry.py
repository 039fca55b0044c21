"""The native way into a program: the function that Python calls, and the waiting of the threads that help.

All of it is native code, because a thread that waits in Python has to be woken twice, by the system and by the interpreter: 90
microseconds, more than a small network takes. A helper looks for work for a moment, then sleeps until the next call wakes it.

A call is a block of memory with everything that a program needs to run (CALL). The caller offers it to the helpers and waits for
them as long as their help is worth; those that did not come (the system has given their processor to others) are left out, so
that they hold nobody up. Results do not depend on who comes. A helper that joined gets the word to begin once it is known how
many are in.
"""

from __future__ import annotations

import ctypes
import os
import time
from functools import lru_cache
from typing import Any

import llvmlite.binding as llvm

from ..loops.target import SPINS, Target
from .translate import Loaded, host, host_target, object_codes

AWAKE = 60e-6  # seconds that a helper looks for work before it sleeps
NAP = 2000  # rounds of a waiting loop in the shortest sleep
WAITING, ASLEEP, OFFERED, JOINED, BEGIN = range(5)  # what a helper is doing: the first word of its slot

# A call: what to run, on what, by how many threads
CALL = ("function", "context", "arguments", "strides", "arena", "threads", "steps", "crew", "patience", "joined")
CALL_BYTES = 8 * len(CALL)

# A crew: how many helpers are still at work, the call, how long to look for work, and the helpers' slots
PENDING, CURRENT, ROUNDS, SLOTS = 0, 64, 128, 192
SLOT, LOCK = 128, 8  # a slot's size (two cache lines: processors fetch them in pairs), and where in it the lock is


def entry_text(target: Target) -> str:
    """LLVM code of everything here."""
    return "\n".join([declarations(target), linger_text(target), slot_text(), offer_text(), gather_text(), begin_text(),
                      dispatch_text(), serve_text(), run_text(), enter_text(), measure_text(target)])


def declarations(target: Target) -> str:
    rest = "declare void @SwitchToThread()" if os.name == "nt" else "declare i32 @usleep(i32)"
    return "\n".join([*target.declared, rest, "declare i32 @PyThread_acquire_lock(ptr, i32)", "declare void @PyThread_release_lock(ptr)",
                      "declare ptr @PyLong_AsVoidPtr(ptr)", "declare ptr @PyEval_SaveThread()", "declare void @PyEval_RestoreThread(ptr)",
                      "declare ptr @PyLong_FromLongLong(i64)"])


def loads(*names: str) -> str:
    """Read fields of the call %call into values of their names."""
    lines = []
    for name in names:
        kind = "i64" if name in ("threads", "steps", "patience", "joined") else "ptr"
        lines += [f"%{name}.at = getelementptr i8, ptr %call, i64 {8 * CALL.index(name)}", f"%{name} = load {kind}, ptr %{name}.at"]
    return "\n  ".join(lines)


def invoke(number: str, count: str) -> str:
    return f"call void %function(ptr %context, ptr %arguments, ptr %strides, ptr %arena, i64 {number}, i64 {count}, i64 %steps)"


def linger_text(target: Target) -> str:
    """A short pause in a waiting loop that has gone round so many times; returns how many short rounds it stands for.

    Who has waited for long sleeps for the shortest time that the system knows. To yield instead would cost far more where another
    program wants this processor: it gets a whole slice of time, some milliseconds, and that at every meeting of two threads.
    """
    give_way = f"call void @{rest_function()[0]}()" if os.name == "nt" else "call i32 @usleep(i32 1)"
    return f"""
define void @rest() nounwind {{
  {give_way}
  ret void
}}
define internal i64 @linger(i64 %spins) nounwind {{
  {target.pause}
  %tired = icmp sgt i64 %spins, {SPINS}
  br i1 %tired, label %sleep, label %done
sleep:
  call void @rest()
  ret i64 {NAP}
done:
  ret i64 1
}}"""


def measure_text(target: Target) -> str:
    return f"""
define void @pauses(i64 %count) nounwind {{
entry:
  br label %again
again:
  %done = phi i64 [ 0, %entry ], [ %more, %again ]
  {target.pause}
  fence seq_cst
  %more = add i64 %done, 1
  %on = icmp slt i64 %more, %count
  br i1 %on, label %again, label %end
end:
  ret void
}}"""


def enter_text() -> str:
    """What Python calls: a method without arguments of an int, the address of a call; returns the error as an int."""
    return """
define ptr @enter(ptr %self, ptr %nothing) nounwind {
  %call = call ptr @PyLong_AsVoidPtr(ptr %self)
  %state = call ptr @PyEval_SaveThread()
  %error = call i64 @run(ptr %call)
  call void @PyEval_RestoreThread(ptr %state)
  %result = call ptr @PyLong_FromLongLong(i64 %error)
  ret ptr %result
}"""


def run_text() -> str:
    """Run a call on as many threads as it asks for; returns the error that it reported, or 0."""
    return f"""
define i64 @run(ptr %call) nounwind {{
  {loads("function", "context", "arguments", "strides", "arena", "threads", "steps")}
  store i32 0, ptr %context
  %alone = icmp eq i64 %threads, 1
  br i1 %alone, label %single, label %several
single:
  {invoke("0", "1")}
  br label %done
several:
  call void @dispatch(ptr %call)
  br label %done
done:
  %reported = load i32, ptr %context
  %error = sext i32 %reported to i64
  ret i64 %error
}}"""


def dispatch_text() -> str:
    """Offer the call to the helpers, begin with those who come in time, and wait until all have finished."""
    return f"""
define internal void @dispatch(ptr %call) nounwind {{
entry:
  {loads("function", "context", "arguments", "strides", "arena", "threads", "steps", "crew", "patience")}
  %current = getelementptr i8, ptr %crew, i64 {CURRENT}
  store ptr %call, ptr %current
  call void @offer(ptr %crew, i64 %threads)
  %count = call i64 @gather(ptr %crew, i64 %threads, i64 %patience)
  %joined = getelementptr i8, ptr %call, i64 {8 * CALL.index("joined")}
  store i64 %count, ptr %joined
  %helpers = sub i64 %count, 1
  store atomic i64 %helpers, ptr %crew release, align 8
  call void @begin(ptr %crew, i64 %threads)
  {invoke("0", "%count")}
  br label %look
look:
  %spins = phi i64 [ 0, %entry ], [ %more, %wait ]
  %left = load atomic i64, ptr %crew acquire, align 8
  %finished = icmp eq i64 %left, 0
  br i1 %finished, label %done, label %wait
wait:
  %round = call i64 @linger(i64 %spins)
  %more = add i64 %spins, %round
  br label %look
done:
  ret void
}}"""


def slot_text() -> str:
    return f"""
define internal ptr @slot(ptr %crew, i64 %number) nounwind {{
  %far = mul i64 %number, {SLOT}
  %place = add i64 %far, {SLOTS}
  %slot = getelementptr i8, ptr %crew, i64 %place
  ret ptr %slot
}}"""


def offer_text() -> str:
    """Offer the call to the helpers 1 to %threads - 1; wake those who sleep."""
    return f"""
define internal void @offer(ptr %crew, i64 %threads) nounwind {{
entry:
  br label %each
each:
  %number = phi i64 [ 1, %entry ], [ %next, %offered ]
  %slot = call ptr @slot(ptr %crew, i64 %number)
  %before = atomicrmw xchg ptr %slot, i64 {OFFERED} seq_cst
  %slept = icmp eq i64 %before, {ASLEEP}
  br i1 %slept, label %wake, label %offered
wake:
  %lock.at = getelementptr i8, ptr %slot, i64 {LOCK}
  %lock = load ptr, ptr %lock.at
  call void @PyThread_release_lock(ptr %lock)
  br label %offered
offered:
  %next = add i64 %number, 1
  %on = icmp slt i64 %next, %threads
  br i1 %on, label %each, label %done
done:
  ret void
}}"""


def gather_text() -> str:
    """Wait for the helpers, %patience rounds in all, and take the offer back from those who did not come; returns who is in."""
    return f"""
define internal i64 @gather(ptr %crew, i64 %threads, i64 %patience) nounwind {{
entry:
  br label %each
each:
  %number = phi i64 [ 1, %entry ], [ %next, %answered ]
  %count = phi i64 [ 1, %entry ], [ %counted, %answered ]
  %before = phi i64 [ 0, %entry ], [ %spins, %answered ]
  %slot = call ptr @slot(ptr %crew, i64 %number)
  br label %look
look:
  %spins = phi i64 [ %before, %each ], [ %more, %wait ]
  %answer = load atomic i64, ptr %slot acquire, align 8
  %joined = icmp eq i64 %answer, {JOINED}
  br i1 %joined, label %answered, label %absent
absent:
  %late = icmp sge i64 %spins, %patience
  br i1 %late, label %withdraw, label %wait
wait:
  %round = call i64 @linger(i64 %spins)
  %more = add i64 %spins, %round
  br label %look
withdraw:
  %pair = cmpxchg ptr %slot, i64 {OFFERED}, i64 {WAITING} seq_cst seq_cst
  %withdrawn = extractvalue {{ i64, i1 }} %pair, 1
  %came = xor i1 %withdrawn, true
  br label %answered
answered:
  %in = phi i1 [ true, %look ], [ %came, %withdraw ]
  %one = zext i1 %in to i64
  %counted = add i64 %count, %one
  %next = add i64 %number, 1
  %on = icmp slt i64 %next, %threads
  br i1 %on, label %each, label %done
done:
  ret i64 %counted
}}"""


def begin_text() -> str:
    """Give all who have joined the word to begin."""
    return f"""
define internal void @begin(ptr %crew, i64 %threads) nounwind {{
entry:
  br label %each
each:
  %number = phi i64 [ 1, %entry ], [ %next, %told ]
  %slot = call ptr @slot(ptr %crew, i64 %number)
  %state = load atomic i64, ptr %slot monotonic, align 8
  %joined = icmp eq i64 %state, {JOINED}
  br i1 %joined, label %tell, label %told
tell:
  store atomic i64 {BEGIN}, ptr %slot release, align 8
  br label %told
told:
  %next = add i64 %number, 1
  %on = icmp slt i64 %next, %threads
  br i1 %on, label %each, label %done
done:
  ret void
}}"""


def serve_text() -> str:
    """The life of a helper: look for an offer, sleep when none comes, join, wait for the word, work. It never returns.

    Between joining and finishing the call stays where it is: whoever offered it waits.
    """
    return f"""
define void @serve(ptr %crew, i64 %number) nounwind {{
entry:
  %slot = call ptr @slot(ptr %crew, i64 %number)
  %lock.at = getelementptr i8, ptr %slot, i64 {LOCK}
  %lock = load ptr, ptr %lock.at
  %rounds.at = getelementptr i8, ptr %crew, i64 {ROUNDS}
  %rounds = load i64, ptr %rounds.at
  %current = getelementptr i8, ptr %crew, i64 {CURRENT}
  br label %awake
awake:
  br label %look
look:
  %spins = phi i64 [ 0, %awake ], [ %more, %idle ]
  %state = load atomic i64, ptr %slot acquire, align 8
  %offered = icmp eq i64 %state, {OFFERED}
  br i1 %offered, label %join, label %bored
bored:
  %tired = icmp sge i64 %spins, %rounds
  br i1 %tired, label %retire, label %idle
idle:
  call i64 @linger(i64 0)
  %more = add i64 %spins, 1
  br label %look
retire:
  %retired = cmpxchg ptr %slot, i64 {WAITING}, i64 {ASLEEP} seq_cst seq_cst
  %asleep = extractvalue {{ i64, i1 }} %retired, 1
  br i1 %asleep, label %sleep, label %awake
sleep:
  call i32 @PyThread_acquire_lock(ptr %lock, i32 1)
  %called = load atomic i64, ptr %slot acquire, align 8
  %dreaming = icmp eq i64 %called, {ASLEEP}
  br i1 %dreaming, label %sleep, label %awake
join:
  %joining = cmpxchg ptr %slot, i64 {OFFERED}, i64 {JOINED} seq_cst seq_cst
  %in = extractvalue {{ i64, i1 }} %joining, 1
  br i1 %in, label %ready, label %awake
ready:
  %waited = phi i64 [ 0, %join ], [ %longer, %not_yet ]
  %word = load atomic i64, ptr %slot acquire, align 8
  %begin = icmp eq i64 %word, {BEGIN}
  br i1 %begin, label %work, label %not_yet
not_yet:
  %round = call i64 @linger(i64 %waited)
  %longer = add i64 %waited, %round
  br label %ready
work:
  %call = load ptr, ptr %current
  {loads("function", "context", "arguments", "strides", "arena", "steps", "joined")}
  {invoke("%number", "%joined")}
  store atomic i64 {WAITING}, ptr %slot release, align 8
  %left = atomicrmw sub ptr %crew, i64 1 acq_rel
  br label %awake
}}"""


# ---------------------------------------------------------------------- in this process
@lru_cache(maxsize=1)
def rest_function() -> tuple[str, int]:
    """Name and address of the system's function that lets other programs run for a moment."""
    if os.name == "nt":
        return "SwitchToThread", ctypes.cast(ctypes.windll.kernel32.SwitchToThread, ctypes.c_void_p).value or 0  # type: ignore[attr-defined]
    return "usleep", ctypes.cast(ctypes.CDLL(None).usleep, ctypes.c_void_p).value or 0


class Method(ctypes.Structure):
    """Python's description of a native function."""

    _fields_ = [("name", ctypes.c_char_p), ("function", ctypes.c_void_p), ("flags", ctypes.c_int), ("text", ctypes.c_char_p)]


NO_ARGUMENTS = 4  # METH_NOARGS


class Entry:
    """The functions of this file, loaded. It is never let go: helpers wait in it until the process ends."""

    def __init__(self) -> None:
        names = ("PyThread_acquire_lock", "PyThread_release_lock", "PyLong_AsVoidPtr", "PyEval_SaveThread", "PyEval_RestoreThread",
                 "PyLong_FromLongLong")
        for name in names:
            llvm.add_symbol(name, ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value)
        llvm.add_symbol(*rest_function())
        self._loaded = Loaded(object_codes(entry_text(host_target()), *host()))
        self.serve = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(self._loaded.address("serve"))
        self._method = Method(b"enter", self._loaded.address("enter"), NO_ARGUMENTS, b"Run a native program.")
        self.rest = self._loaded.address("rest")
        self.pause = self._pause()
        keep_forever(self)

    def _pause(self) -> float:
        """Seconds that one round of a waiting loop takes."""
        pauses = ctypes.CFUNCTYPE(None, ctypes.c_int64)(self._loaded.address("pauses"))
        found = []
        for _ in range(4):
            start = time.perf_counter()
            pauses(500)
            found.append((time.perf_counter() - start) / 500)
        return max(min(found), 1e-9)

    def bound(self, call: int) -> Any:
        """A Python function without arguments that runs the call at this address and returns the error that it reports, or 0."""
        make = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)
        return make(("PyCFunction_NewEx", ctypes.pythonapi))(ctypes.addressof(self._method), call, None)


@lru_cache(maxsize=1)
def entry() -> Entry:
    return Entry()


def keep_forever(thing: object) -> None:
    """Not to be freed even when the interpreter ends: threads that it does not know of may still look at it."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def closed_lock() -> int:
    """A new lock of the interpreter, which can be used without it: whoever wants it next waits until it is released once."""
    make = ctypes.PYFUNCTYPE(ctypes.c_void_p)(("PyThread_allocate_lock", ctypes.pythonapi))
    take = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)(("PyThread_acquire_lock", ctypes.pythonapi))
    lock = make()
    if not lock:
        raise RuntimeError("the system gives no more locks")
    take(lock, 1)
    return lock
