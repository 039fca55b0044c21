"""What fits share: programs at rest, of which a fit takes one and puts it back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, Protocol, TypeVar

from .. import nn
from .architectures import Architecture, parameter_count

KEPT = 16  # programs that nobody uses at the moment
KEPT_NUMBERS = 1 << 25  # and the parameters of all of them


class Planned(Protocol):
    """What a program is made of."""

    @property
    def architecture(self) -> Architecture: ...


class Made(Protocol):
    """A program that knows what it is made of, and has a network."""

    net: nn.Module

    @property
    def plan(self) -> Any: ...


P = TypeVar("P", bound=Planned)
M = TypeVar("M", bound=Made)


class Pool(Generic[P, M]):
    """Programs at rest, made by a function of their plan. Two threads never have the same one."""

    def __init__(self, make: Callable[[P], M]) -> None:
        self.make, self.lock = make, threading.Lock()
        self.idle: list[M] = []

    @contextmanager
    def program(self, plan: P, own: M | None, load: Callable[[M], Any]) -> Iterator[M]:
        """A program of this plan for a with-block, after `load`: the caller's own if it fits; after an error it is not used again."""
        program = own if own is not None and own.plan == plan else self.take(plan)
        load(program)
        yield program
        if plan.architecture.shared:
            self.keep(program)

    def keep(self, program: M) -> None:
        """Put a program to rest; the programs that were used last are kept, as far as their parameters are small enough together."""
        with self.lock:
            self.idle = [*self.idle, program][-KEPT:]
            while self.idle and sum(parameter_count(kept.net) for kept in self.idle) > KEPT_NUMBERS:
                del self.idle[0]

    def take(self, plan: P) -> M:
        """The program of this plan that was used last, or a new one."""
        with self.lock:
            for i in reversed(range(len(self.idle))):
                if self.idle[i].plan == plan:
                    return self.idle.pop(i)
        return self.make(plan)
