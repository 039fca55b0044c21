"""Memory that threads share: fields at fixed offsets, atomic accesses, and one loop that waits for them to change."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..costs import NAP, SPINS
from .builder import Builder
from .function_writer import Variable
from .target import Target
from .values import INT64, Value, type_text


def field(b: Builder, pointer: str, offset: int) -> str:
    """The address of the field at an offset in bytes."""
    if not offset:
        return pointer
    return b.new(f"getelementptr inbounds i8, ptr {pointer}, i64 {offset}", INT64).ref


def load(b: Builder, address: str, kind: str = "i64") -> Value:
    """An ordinary load of one i64, i32 or ptr; a pointer is a Value whose `ref` alone is used."""
    return b.new(f"load {kind}, ptr {address}", np.dtype("int32") if kind == "i32" else INT64)


def store(b: Builder, address: str, value: Value) -> None:
    """An ordinary store."""
    b.line(f"store {type_text(value.dtype)} {value.ref}, ptr {address}")


def atomic_load(b: Builder, address: str, order: str, dtype: np.dtype = INT64) -> Value:
    return b.new(f"load atomic {type_text(dtype)}, ptr {address} {order}, align {dtype.itemsize}", dtype)


def atomic_store(b: Builder, address: str, value: Value, order: str) -> None:
    b.line(f"store atomic {type_text(value.dtype)} {value.ref}, ptr {address} {order}, align {value.dtype.itemsize}")


def exchange(b: Builder, address: str, value: int, order: str) -> Value:
    """Store a value; returns the one before."""
    return b.new(f"atomicrmw xchg ptr {address}, i64 {value} {order}", INT64)


def fetch_add(b: Builder, address: str, value: int, order: str) -> Value:
    """Add to the field; returns its value before."""
    return b.new(f"atomicrmw add ptr {address}, i64 {value} {order}", INT64)


def compare_exchange(b: Builder, address: str, expected: int, value: int) -> Value:
    """Store a value where the expected one is; returns whether it was."""
    pair = b.new(f"cmpxchg ptr {address}, i64 {expected}, i64 {value} seq_cst seq_cst", INT64)
    return b.new(f"extractvalue {{ i64, i1 }} {pair.ref}, 1", np.dtype("bool"))


def pause(b: Builder, target: Target) -> None:
    """The processor's instruction for waiting loops, where it has one."""
    if target.pause:
        b.line(target.pause)


def spin_then_sleep(b: Builder, target: Target, waiting: Callable[[], Value], sleep: Callable[[], None], spins: Variable) -> None:
    """Wait while the condition holds: SPINS short rounds, then a short sleep in each round.

    To yield instead of sleeping would cost far more where another program wants this processor: it gets a whole slice of time, some
    milliseconds, and that at every meeting of two threads. `spins` counts the rounds; a sleep counts as NAP of them.
    """
    with b.loop_while(waiting):
        pause(b, target)
        long = b.compare(">", spins.get(), b.whole(SPINS))
        with b.when(long):
            sleep()
        spins.set(b.add(spins.get(), b.select(long, b.whole(NAP), b.whole(1))))
