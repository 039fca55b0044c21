"""The quickest way to call a native executable again: with arguments like those of the call before."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from .arrays import Shelf
from .bound import MISS, Bound
from .modes import mode
from .native_backend import NativeExecutable
from .owned import find_address
from .tensor import Tensor, from_array
from .versions import versions


def fast_call(bound: Bound, leaves: tuple) -> Callable[[tuple], Any] | None:
    """A function that calls a bound native executable again, or None where the results need more than to become tensors.

    For arguments unlike these leaves it returns MISS. A small network runs in a microsecond: this does no more than has to be done
    at every call, on local names.
    """
    executable, captured = bound.executable, bound.captured
    if not isinstance(executable, NativeExecutable):
        return None
    program, table, addresses, prologue = executable.program, executable.table_view, executable.addresses, executable.prologue
    accepted, pools, recording = accepted_arguments(executable, leaves), result_pools(executable), bound.recording
    acquire, release, entered, enter = program.lock.acquire, program.lock.release, program.entered, program.enter
    count, writes, hold = len(accepted), bool(bound.writes), bound.guards.hold
    single = captured.returns.steps == (0,) and captured.is_python == (False,) and not captured.gradients

    def call_again(args: tuple) -> Any:
        if bound.structure_version != versions.structure or len(args) != count or mode.recording is not recording or not hold():
            return MISS
        keep, results, mine = [], [], False
        try:
            acquire()  # the table of addresses is one for all threads of Python
            if entered[0]:
                release()
                return MISS  # this interrupts a call of the same program
            entered[0] = mine = True
            for arg, (slot, shape, dtype, requires_grad) in zip(args, accepted):
                if not isinstance(arg, Tensor) or arg._requires_grad is not requires_grad or arg._owned:
                    return MISS
                if requires_grad and not arg.is_leaf:
                    return MISS
                array = arg._value
                if array is None or array.shape != shape or array.dtype is not dtype:
                    return MISS
                address = arg._address or find_address(arg)
                if not address:
                    return MISS
                table[slot] = address
                keep.append(array)
            if bound.bound_state != versions.state:
                bound.bind()
            if prologue is not None:
                prologue.refresh(versions.written)
            for slot, free, pool in pools:
                result = free.pop() if free else pool.fresh()
                table[slot] = result[1]
                results.append(result)
            if program.prepared is not addresses:
                program.prepare(addresses)
            failed = enter()
        except BaseException:
            if not mine and not entered[0]:  # Ctrl-C in the moment after the lock was taken, or while waiting for it
                with suppress(RuntimeError):
                    release()
            raise
        finally:
            if mine:
                versions.written += writes
                entered[0] = False
                release()
        if failed or not single or bound.bound_gradients != versions.gradients:
            return bound.finish(args, [array for array, _ in results], failed)[0]
        return from_array(*results[0])

    return None if captured.taps else call_again


def accepted_arguments(executable: NativeExecutable, leaves: tuple) -> list[tuple]:
    """(slot, shape, dtype, requires_grad) of each argument; what the program does not read goes to the last slot."""
    slots = {executable.captured.inputs[i].leaf: slot for slot, i in executable.input_slots}
    unread = len(executable.table) - 1
    return [(slots.get(i, unread), leaf.shape, leaf.dtype, leaf._requires_grad)
            for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]


def result_pools(executable: NativeExecutable) -> list[tuple]:
    """(slot, free arrays, pool) of each result."""
    pools = [Shelf(shape, dtype) for shape, dtype in executable.results]
    return [(slot, pool.ready, pool) for slot, pool in enumerate(pools, executable.first_result)]
