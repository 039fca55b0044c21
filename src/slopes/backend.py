"""Backends: what makes an executable of a captured function. The protocol is two methods; native code and the reference implement it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

import numpy as np

from .capture import Captured
from .errors import ArgumentError, SlopesError, line_text
from .extras import on_demand
from .graph.node import Node

T = TypeVar("T")
Pair = tuple[T, T]
Segment = tuple[int, int, int]


class Turns:
    """One thread at a time: `lock` is held during a call, `turn` tells whether it interrupts one of the same thread.

    binding    whether the thread that has the lock is binding arrays, and may wait for the gate of `versions`
    """

    def __init__(self) -> None:
        self.lock, self.entered, self.binding = threading.RLock(), False, False

    @contextmanager
    def turn(self) -> Iterator[bool]:
        """Have the executable for this thread alone. Gives whether this interrupts a turn of the same thread (a signal handler)."""
        with self.lock:
            nested, self.entered = self.entered, True
            try:
                yield nested
            finally:
                self.entered = nested


class Executable:
    """A captured function, ready to run. A backend's own class derives from it and defines `bind` and `run`.

    reads    indices of the captured state that `run` reads or updates
    keeps    indices of the state of which `run` keeps something that it computed, for later calls: others may read their arrays
    sites    nodes on whose behalf `run` may report an error
    memory   bytes of its intermediate values
    """

    has_fast_call = False  # whether fast_call.py knows a quicker way to call it again

    def __init__(self, captured: Captured) -> None:
        self.captured = captured
        self.reads: list[int] = list(range(len(captured.state)))
        self.keeps: set[int] = set()
        self.sites: Sequence[Node] = ()
        self.memory = 0
        self._turns = Turns()

    @property
    def turns(self) -> Turns:
        """Who has it for themselves."""
        return self._turns

    def bind(self, arrays: Sequence[np.ndarray | None]) -> None:
        """Take the arrays of the state, in the order of `captured.state`; None for those not in `reads`. They stay bound."""
        raise NotImplementedError

    def holding(self) -> Sequence[np.ndarray] | None:
        """Which bound arrays it holds, once for each reference; None: unknown. For SLOPES_CHECK, which counts who else does."""
        return None

    def refresh(self, version: int) -> None:
        """Bound arrays may have new values when `version` is another number than before: recompute what was kept of them."""

    def written(self) -> None:
        """Another executable has written into the bound arrays within the same call: what was kept of them is old."""

    def run(self, arguments: Sequence[np.ndarray], results: Sequence[np.ndarray], steps: int) -> int:
        """Run `steps` steps: write `captured.computed` into `results` and new values into the bound arrays of updated state.

        arguments are C-contiguous arrays in the order of `captured.inputs`; step i reads element i of those whose leaf is in
        `captured.stepped`. With `captured.stepped` or steps > 1, results have a first axis of `steps` elements: see `Bound`.
        Returns 0, or i + 1 when `sites[i]` fails; the step that fails changes no state. It may also raise that error itself.
        """
        raise NotImplementedError

    def failed_step(self) -> int:
        """The step at which the last run failed."""
        return 0

    def profile(self, runs: int) -> Any:
        """Where the time of a run goes, on the arrays of the last run."""
        raise ArgumentError("profile: this backend does not say where the time of a call goes", why="only native programs are timed",
                            repair='profile the function compiled with backend="native"')

    def alternate(self, other: Executable) -> Alternation:
        """Take turns with another one in each call."""
        return Alternation((self, other))

    def same_as(self, other: Executable) -> bool:
        """Whether two executables are the same program."""
        return self is other

    def save(self) -> Any:
        """What `run` has prepared, for `restore` after a call that interrupted it."""
        return None

    def restore(self, saved: Any) -> None:
        """Go back to what `save` gave."""


class Alternation:
    """Two executables that take turns: `run` does the steps of one call, those of each segment by the first or the second.

    A segment is (first step, the one after its last, which of the two). Arguments and results are those of each, for all steps of the
    call. This is any backend's; a backend may know a quicker one for two of its executables (`Executable.alternate`).
    """

    def __init__(self, pair: tuple[Executable, Executable]) -> None:
        self.pair = pair

    def run(self, arguments: Pair[Sequence[np.ndarray]], results: Pair[Sequence[np.ndarray]], segments: Sequence[Segment]
            ) -> tuple[int, int, int]:
        """(0 or what `Executable.run` returns, which of the two failed, at which step of the call)."""
        for start, stop, which in segments:
            executable = self.pair[which]
            stepped, inputs = executable.captured.stepped, executable.captured.inputs
            own = [array[start:stop] if value.leaf in stepped else array for value, array in zip(inputs, arguments[which])]
            failed = executable.run(own, [array[start:stop] for array in results[which]], stop - start)
            self.pair[1 - which].written()
            if failed:
                return failed, which, start + executable.failed_step()
        return 0, 0, 0


class Backend(Protocol):
    """Makes executables. `name` is what `sl.compile(f, backend=name)` calls it."""

    name: str

    def prepare(self) -> None:
        """Raise an error where no program could run here. The backends of slopes have this, others may."""
        return

    def compile(self, captured: Captured) -> Executable:
        """An executable of the captured function."""


BACKENDS = {"native": "slopes.native_backend", "reference": "slopes.reference_backend",  # loaded when they are first used
            "xla": "slopes.xla.backend"}


def find_backend(backend: str | Backend) -> Backend:
    """The backend of this name, or the one that is given. Raises ArgumentError for an unknown name."""
    if not isinstance(backend, str):
        if callable(getattr(backend, "compile", None)):
            return backend
        raise ArgumentError(f"compile: backend={backend!r} is no backend", why="a backend has compile(captured) -> Executable",
                            repair=f"use one of {', '.join(BACKENDS)}, or an object with this method")
    if backend not in BACKENDS:
        raise ArgumentError(f"compile: no backend is called {backend!r}", repair=f"use one of {', '.join(BACKENDS)}, or a Backend object")
    return on_demand(BACKENDS[backend]).BACKEND


MESH_BACKEND = "slopes.xla.mesh_backend"


def on_mesh(backend: str | Backend, mesh: Any) -> str | Backend:
    """The backend that runs on the devices of a mesh; the backend itself where there is none."""
    if mesh is None:
        return backend
    if getattr(backend, "name", backend) != "xla":
        raise ArgumentError(f"mesh={mesh!r} with backend={backend!r}", why="several devices are those of XLA", repair='add backend="xla"')
    return on_demand(MESH_BACKEND).MeshBackend(mesh)


def site_error(node: Node) -> SlopesError:
    """The error that an executable reported on behalf of a node."""
    return node.op.trap_error(node, f"built at {line_text(node.location)}" + (f", in {node.layer}" if node.layer else ""))
