"""With SLOPES_CHECK=1, each call of a compiled function verifies the ownership rules of owned.py, in place of trusting them.

Checked before each run, for every tensor of the state, in this order:

    it still has the array that the program is bound to, unless `versions.state` counts a change
    the program writes only into arrays that are owned, and kept values come from nothing else
    nobody else holds an owned array or a view of it: reference counts, which CPython has
    the values are those that the last run left, by the hash of a sample; arrays that others may rightly write into are left out, as those
    that `sl.asarray` shares with NumPy

A call then takes the usual way, not the quickest one (fast_call.py).
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from .bound import Bound
from .errors import OwnershipError
from .tensor import Tensor
from .versions import versions

SAMPLE = 4096  # elements of an array whose values are compared
TRIES, PAUSE = 50, 1e-3  # another thread may hold an array for the moment in which it prints it


class Depth(threading.local):
    """How many calls of compiled functions this thread is in: more than one while a signal handler interrupts one."""

    calls = 0


depth = Depth()
_values: dict[int, tuple[weakref.ref[np.ndarray], int]] = {}  # by the id of an array: what the last run left in it
_runs = itertools.count()
_running: list[set[int]] = []  # the ids of the arrays that each run which is going on writes into
_checked: weakref.WeakSet[CheckedBound] = weakref.WeakSet()


class CheckedBound(Bound):
    """A bound program whose every run checks the ownership rules first."""

    has_fast_call = False

    def bind(self) -> None:
        """Bind, and be known to hold these arrays."""
        _checked.add(self)
        super().bind()

    @contextmanager
    def turn(self, beside: bool = False) -> Iterator[None]:
        """Have the executable, and know whether this interrupts another call."""
        depth.calls += not beside
        try:
            with super().turn(beside):
                yield
        finally:
            depth.calls -= not beside

    @contextmanager
    def running(self) -> Iterator[None]:
        """Check before the run, and remember the values after it."""
        tensors = [tensor for i in self.executable.reads if (tensor := self.state[i]) is not None]
        interrupting = depth.calls > 1  # a signal handler: what it interrupts holds arrays in passing
        for i, tensor, array in () if interrupting else zip(self.executable.reads, tensors, map(weakref.ref, self.held)):
            self.check(i, tensor, array)
        with writing({id(tensor._value) for tensor in tensors if tensor in self.overwritten}):
            yield
        for tensor in () if interrupting else tensors:
            if tensor._owned or is_private(tensor):
                remember(tensor)

    def check(self, i: int, tensor: Tensor, bound: weakref.ref[np.ndarray]) -> None:
        """The rules for one tensor of the state. No variable here holds the array: it would be one of those who are counted."""
        if self.bound_state == versions.state:  # else another thread has assigned or looked since: the next call binds anew
            if tensor._value is not bound():
                raise self.error(i, "is another one than the program is bound to", "a tensor gets another array by `rebind` alone")
            if tensor in self.overwritten and not tensor._owned:
                raise self.error(i, "is written by the program, but not owned", "an array is handed out by `disown` alone")
        if tensor._owned and (tensor in self.overwritten or i in self.executable.keeps) and is_held(tensor):
            raise self.error(i, "is held by somebody else, or a view of it is", "the program writes into this array: whoever holds it "
                                "sees the values change, or changes them")
        if (tensor._owned or is_private(tensor)) and is_changed(tensor):
            raise self.error(i, "has other values than the last call left", "somebody wrote into it without `assign`: programs that keep "
                                "what they computed from it do not know")

    def error(self, i: int, what: str, why: str) -> OwnershipError:
        path, name = self.captured.state[i].path, self.captured.name
        return OwnershipError(f"the array of {path} {what}", why=why, where=f"in a call of the compiled function {name}",
                              repair="read values by x.numpy() or np.asarray(x), change them by x.assign(...); code that shows or takes "
                                     "the array itself follows the rules of slopes/owned.py")


# ---------------------------------------------------------------------- who holds an array
def other_holders(x: Tensor) -> int | None:
    """How many references to the array of a tensor, or to its memory, are not those of the tensor and of bound programs; None: unknown."""
    known = bound_references(x)
    if known is None or not hasattr(sys, "getrefcount"):
        return None
    holders = sys.getrefcount(x._value) - 2 - known  # without the tensor's own, and the argument here
    return holders if x._value.base is None else holders + sys.getrefcount(x._value.base) - 2  # type: ignore[union-attr]


def bound_references(x: Tensor) -> int | None:
    """The references that bound programs have to the array of a tensor; None if a backend does not say."""
    total = 0
    for bound in list(_checked):
        holding = bound.executable.holding()
        if holding is None:
            return None
        total += sum(other is x._value for other in (*bound.held, *bound.kept.values(), *holding))
    return total


def is_held(x: Tensor) -> bool:
    """Whether somebody besides the tensor and bound programs holds the array, still so after a while."""
    for _ in range(TRIES):
        if not other_holders(x) or not versions.gate.acquire(blocking=False):
            return False  # who has the gate hands arrays out, and waits until this call is over
        versions.gate.release()
        time.sleep(PAUSE)
    return True


def is_private(x: Tensor) -> bool:
    """Whether nobody has the array of this tensor, or a view of its memory, through which it might rightly be written."""
    owner = x._value if x._value.base is None else x._value.base  # type: ignore[union-attr]
    private = isinstance(owner, np.ndarray) and owner.flags.owndata
    del owner
    return private and other_holders(x) == 0


# ---------------------------------------------------------------------- what is in an array
@contextmanager
def writing(arrays: set[int]) -> Iterator[None]:
    """A run that writes into these arrays: nobody compares or remembers their values meanwhile."""
    next(_runs)
    _running.append(arrays)
    for address in arrays:
        _values.pop(address, None)
    try:
        yield
    finally:
        _running.remove(arrays)


def remember(x: Tensor) -> None:
    """Remember the values that a run left."""
    array: np.ndarray = x._value  # type: ignore[assignment]
    address, runs = id(array), next(_runs)
    if not any(address in arrays for arrays in list(_running)):
        _values[address] = weakref.ref(array, lambda _: _values.pop(address, None)), sample(array)
    if next(_runs) != runs + 1:  # a run began meanwhile, perhaps of a signal handler, and may have written
        _values.pop(address, None)


def is_changed(x: Tensor) -> bool:
    """Whether the array of a tensor has other values than the last run left in it."""
    array: np.ndarray = x._value  # type: ignore[assignment]
    last = _values.get(id(array))
    if last is None or last[0]() is not array:
        return False
    return sample(array) != last[1] and _values.get(id(array)) is last  # else another run writes into it


def sample(array: np.ndarray) -> int:
    """A hash of some of the elements: of all where they are few."""
    flat = array.reshape(-1)
    return hash(flat[::max(1, flat.size // SAMPLE)].tobytes())


def renew_after_fork() -> None:
    """A child process has none of its parent's threads: nobody runs."""
    _running.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=renew_after_fork)
