"""A captured function on a backend, with its state bound: checks, arrays, calls, and what a call leaves in tensors.

This is the only part of compiled functions that knows the counters of `versions`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np

from . import tree
from .arrays import aligned_empty
from .backend import Backend, Executable, site_error
from .capture import Captured
from .errors import SlopesError
from .graph.dtype import plain
from .modes import mode, no_grad
from .owned import own_array, read_array
from .tensor import Tensor, accumulate, from_array
from .versions import versions

GLANCE = 5e-5  # seconds between two looks whether a call is over
NOTHING = nullcontext()
MISS = object()  # what a fast call returns for arguments that need a closer look


class Bound:
    """An executable and the tensors that it reads and assigns; one for each combination of arguments of a compiled function."""

    def __init__(self, function: Callable[..., Any], captured: Captured, backend: Backend) -> None:
        self.function, self.captured = function, captured
        self.executable: Executable = backend.compile(captured)
        self.guards, self.structure_version = captured.guards, versions.observe_structure()
        self.state = [value.tensor for value in captured.state]
        self.writes = [value.tensor for value in captured.updates if value.tensor is not None]
        self.overwritten = set(self.writes)
        self.kept: dict[int, np.ndarray] = {}  # the arrays from which the executable keeps results
        self.results = [(value.node.shape, value.node.dtype) for value in captured.computed]
        self.recording = mode.recording
        self.bound_state = self.bound_gradients = -1
        self.held: list[np.ndarray] = []  # the arrays that are bound now, one for each of `executable.reads`
        if self.writes:
            with versions.gate:
                versions.writers.add(self)

    def is_current(self) -> bool:
        """Whether everything that the function read while it was traced is as it was."""
        return self.structure_version == versions.structure and (self.guards.hold() or not self.guards.changed())

    def same_as(self, other: Bound) -> bool:
        """Whether another one runs the same program on the very same tensors and returns the same structure."""
        mine, theirs = self.captured, other.captured
        return (self.executable.same_as(other.executable) and mine.returns == theirs.returns and mine.is_python == theirs.is_python
                and equal_values(mine.results, theirs.results) and list(map(id, self.state)) == list(map(id, other.state))
                and list(map(id, self.writes)) == list(map(id, other.writes)))

    @property
    def has_fast_call(self) -> bool:
        """Whether fast_call.py knows a quicker way to call it again."""
        return self.executable.has_fast_call

    # ------------------------------------------------------------------ state
    def bind(self) -> None:
        """Bind the arrays of all state; tensors that the executable writes must own theirs."""
        self.held = []  # before the gate: who holds it waits only for calls that write
        turns = self.executable.turns
        before, turns.binding = turns.binding, True
        try:
            with versions.gate:
                while self.bound_state != versions.state:  # a signal handler may hand out what is bound already
                    self.bound_state = self.bind_state(versions.state)
        finally:
            turns.binding = before

    def bind_state(self, version: int) -> int:
        """Bind the arrays; returns the version of the state that this leaves, unless someone else changes it too."""
        self.held = []
        arrays: list[np.ndarray | None] = [None] * len(self.state)
        for i in self.executable.reads:
            tensor = self.state[i]
            assert tensor is not None
            before = tensor._value
            arrays[i] = array = self.state_array(i, tensor)
            version += array is not before
            self.held.append(array)
        self.executable.bind(arrays)
        return version

    def state_array(self, i: int, tensor: Tensor) -> np.ndarray:
        """The array of a tensor of the state, as the executable uses it."""
        if tensor in self.overwritten:
            return own_array(tensor)
        if i not in self.executable.keeps:
            return read_array(tensor)
        if tensor._value is not self.kept.get(i):
            self.kept[i] = own_array(tensor)  # memory that only compiled functions write to
        return self.kept[i]

    def wait_for(self, arrays: set[int]) -> None:
        """Wait until a call that is writing into one of these arrays, given by id, is over.

        Another captured function may run the same program, and the call that has it be one of that: if it stops at the gate, which
        whoever waits here holds, nobody writes.
        """
        while not arrays.isdisjoint(map(id, self.held)) and not self.executable.turns.binding:
            if self.executable.turns.lock.acquire(blocking=False):
                self.executable.turns.lock.release()
                return
            time.sleep(GLANCE)

    # ------------------------------------------------------------------ calls
    def call(self, leaves: Sequence[Any], steps: int, stacked: bool) -> tuple[Any, list[Tensor]]:
        """Run with these leaves of the arguments; returns what the function returns, and the tapped values."""
        with self.turn():
            arguments, results = self.ready(leaves, steps, stacked)
            with self.running():
                failed = self.executable.run(arguments, results, steps)
        return self.finish(leaves, results, failed, self.executable.failed_step() if failed else 0)

    @contextmanager
    def turn(self, beside: bool = False) -> Iterator[None]:
        """Have the executable for this thread alone: what is bound is one for all threads of Python. `beside` another one in one call."""
        executable = self.executable
        with executable.turns.turn() as nested:
            saved = (executable.save(), self.held) if nested else None
            try:
                yield
            finally:
                versions.written += bool(self.writes)  # also when Ctrl-C comes right after the program
                if saved is not None:
                    self.restore(*saved)

    def running(self) -> AbstractContextManager[None]:
        """What goes on around a run, which is on what is bound."""
        return NOTHING

    def ready(self, leaves: Sequence[Any], steps: int, stacked: bool) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Bind what has changed; returns the arrays of the arguments and fresh ones for the results."""
        if self.bound_state != versions.state:
            self.bind()
        self.executable.refresh(versions.written)
        return self.arguments(leaves), [aligned_empty((steps, *shape) if stacked else shape, dtype) for shape, dtype in self.results]

    def arguments(self, leaves: Sequence[Any]) -> list[np.ndarray]:
        """The arrays of the arguments that the function reads."""
        return [self.argument(leaves[value.leaf]) for value in self.captured.inputs]

    def restore(self, saved: Any, held: list[np.ndarray]) -> None:
        """Leave everything prepared as the call had it that this one interrupted, and alive what it reads."""
        self.executable.restore(saved)
        self.held, self.bound_state = held, -1

    def argument(self, leaf: Any) -> np.ndarray:
        """The array of an argument, as an executable reads it."""
        array: np.ndarray = leaf._value_now() if isinstance(leaf, Tensor) else leaf
        if isinstance(leaf, Tensor) and leaf._owned and leaf in self.overwritten:
            array = array.copy()  # its own state too: the argument keeps the value from before the call
        if not (array.flags.c_contiguous and array.flags.aligned and array.dtype.isnative):
            array = np.array(plain(array), order="C")
        return array

    def profile(self, leaves: Sequence[Any], runs: int) -> Any:
        """Where the time of a call goes; state is put back as it was."""
        with self.executable.turns.turn():
            before = [np.array(tensor._value) for tensor in self.writes]
            arguments, results = self.ready(leaves, 1, False)
            with self.running():
                self.executable.run(arguments, results, 1)
            profile = self.executable.profile(runs)
        for tensor, array in zip(self.writes, before):
            tensor.assign(array)
        return profile

    # ------------------------------------------------------------------ results
    def finish(self, leaves: Sequence[Any], results: Sequence[np.ndarray], failed: int, step: int = 0) -> tuple[Any, list[Tensor]]:
        """What a call returns, and the tapped values; raises the error of a call that failed at this step."""
        if failed:
            raise self.replayed_error(leaves, step) or site_error(self.executable.sites[failed - 1])
        captured, tensors = self.captured, [from_array(array) for array in results]
        self.mark_gradients()
        outputs, taps = len(captured.outputs), len(captured.taps)
        if captured.gradients:
            with no_grad():
                for value, gradient in zip(captured.gradients, tensors[outputs + taps:]):
                    accumulate(leaves[value.leaf], gradient)
        return self.returned(tensors), tensors[outputs:outputs + taps]

    def returned(self, computed: Sequence[Any]) -> Any:
        """What the function returns, with these computed values."""
        values, captured = iter(computed), self.captured
        return tree.unflatten(captured.returns, [fixed if is_python else next(values)
                                                 for fixed, is_python in zip(captured.results, captured.is_python)])

    def mark_gradients(self) -> None:
        """Let parameters know that the last gradient stayed inside of the program."""
        if self.bound_gradients != versions.gradients:
            self.put_gradients_back()
            self.bound_gradients = versions.gradients

    def put_gradients_back(self) -> None:
        for tensor, inside in self.captured.gradient_owners:
            tensor._grad, tensor._grad_inside = None, inside

    def replayed_error(self, leaves: Sequence[Any], step: int) -> SlopesError | None:
        """What the failed step raises when it runs eagerly: that error knows the values and the user's line. State stays as it is."""
        before = [(tensor, np.array(tensor._value)) for tensor in self.writes]
        copies = [copied(leaf, step if i in self.captured.stepped else None) for i, leaf in enumerate(leaves)]
        args, kwargs = tree.unflatten(self.captured.arguments, copies)
        try:
            self.function(*args, **kwargs)
        except SlopesError as error:
            return error
        except Exception:
            return None
        finally:
            for tensor, array in before:
                tensor.assign(array)
            self.put_gradients_back()
        return None


def copied(leaf: Any, step: int | None) -> Any:
    """A copy of an argument, or of its element at a step."""
    if not isinstance(leaf, (Tensor, np.ndarray)):
        return leaf
    array = np.array(leaf._value_now() if isinstance(leaf, Tensor) else plain(leaf))
    copy = from_array(array if step is None else array[step])
    copy.requires_grad = isinstance(leaf, Tensor) and leaf._requires_grad
    return copy


def equal_values(values: Sequence[Any], others: Sequence[Any]) -> bool:
    """Whether Python values and arrays are the same ones."""
    return len(values) == len(others) and all(
        x is y or (type(x) is type(y) and not isinstance(x, np.ndarray) and x == y) for x, y in zip(values, others))
