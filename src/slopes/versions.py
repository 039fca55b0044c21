"""Counters by which a compiled function sees cheaply that something which it depends on has changed.

Each counter has one rule; whoever writes a new object that changes must count in the right one:

    state       another array is bound to some tensor, or an owned array was handed out (owned.py, optimizers through `assign`)
    written     a compiled function wrote into arrays of tensors, in place (bound.py, fast_call.py)
    structure   what is traced has changed: a layer replaced, a parameter frozen, a setting of a layer or an optimizer (nn, optim)
    gradients   some `.grad` was set or cleared outside of compiled functions (tensor.py)

`Bound` alone reads all four. A call compares `structure` (is the program still the right one?), `state` (are the addresses still
right?), `written` (is what was computed from parameters alone still right?) and `gradients` (has somebody else set a gradient?).

A layer that is made, attribute by attribute, is no change of what was traced before it: see `observe_structure`.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol

UNSEEN_KEPT = 10_000  # objects; changes of those that are made beyond it count at once


class Writer(Protocol):
    """What writes into arrays of tensors."""

    def wait_for(self, arrays: set[int]) -> None:
        """Wait until a call that is writing into one of these arrays, given by id, is over."""


class Versions:
    """The counters; see the head of this file.

    `gate` is held while values are handed out to others, and by a compiled function that looks which arrays it may write into;
    `writers` are the compiled functions that write into arrays of tensors.
    """

    def __init__(self) -> None:
        self.state = self.written = self.structure = self.gradients = 0
        self.writers: weakref.WeakSet[Writer] = weakref.WeakSet()
        self.unseen: set[int] = set()
        self.new_gate()

    def observe_structure(self) -> int:
        """The version of the structure, for whoever has looked at it: from now on a change of any object counts."""
        self.unseen.clear()
        return self.structure

    def add_unseen(self, instance: object) -> None:
        """A new object, at which nobody has looked: nothing depends on its attributes yet."""
        if len(self.unseen) < UNSEEN_KEPT:
            self.unseen.add(id(instance))

    def change_structure(self, instance: object) -> None:
        """Count a change of an object, unless it was made after everybody looked."""
        if id(instance) not in self.unseen:
            self.structure += 1

    def new_gate(self) -> None:
        """A gate that nobody holds: a child process has none of its parent's threads."""
        self.gate = threading.RLock()


versions = Versions()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=versions.new_gate)
