"""State kept and put back: after a measurement, and where the loss stops being finite, to the last step that was sound."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from .. import random
from ..errors import GradientError, NonFiniteError
from ..nn.module import Module
from ..random import Generator
from ..tensor import Tensor
from .history import Run
from .stepper import Stack

PAUSE_SECONDS = 1.0  # at least this long between two copies of the state
KEPT = "the net is back at its last sound step and error.run holds the history"
PAUSE_SHARE = 50  # and this many times what the copy took: under 2% of the time goes into copies


class DivergedError(NonFiniteError):
    """A loss that is no longer finite; `run` is the Run until then."""

    run: Run


class State:
    """A copy of everything that a step changes: what the owners (net, optimizer, average, memory) name as their state, and positions
    of random numbers."""

    def __init__(self, *owners: Any) -> None:
        tensors = [held for owner in owners for _, held in owner.named_state()]
        for generator in (random.current(), *(each for owner in owners if isinstance(owner, Module) for each in generators_in(owner))):
            tensors += [generator.key, generator.counter]
        self.values = [(held, np.array(held.detach().numpy())) for held in tensors]

    def restore(self) -> None:
        """Put the copied values back."""
        for held, value in self.values:
            held.assign(value)


@contextmanager
def untouched(net: Module) -> Iterator[None]:
    """Begin without gradients; afterwards they, and all state, are what they were."""
    gradients, state = [(each, held_gradient(each)) for each in net.parameters()], State(net)
    net.zero_grad()
    try:
        yield
    finally:
        state.restore()
        for each, gradient in gradients:
            each.grad = gradient


def held_gradient(parameter: Tensor) -> Tensor | None:
    """The gradient that can be read; one that stayed inside of a compiled function cannot, and is as good as none."""
    try:
        return parameter.grad
    except GradientError:
        return None


def generators_in(net: Module) -> list[Generator]:
    """The generators that layers hold themselves."""
    return [each for _, module in net.named_modules() for each in vars(module).values() if isinstance(each, Generator)]


class Guard:
    """Copies of the state now and then, and the rows of the steps since: enough to repeat the run up to any recent step.

    Two copies are kept, because the newest one may already hold the update that ruined the net.
    """

    def __init__(self, *owners: Any) -> None:
        self.owners = owners
        self.marks: list[tuple[int, State]] = []
        self.taken: list[tuple[int, np.ndarray | Stack, np.ndarray | None]] = []  # (number of the first step, rows, numbers)
        self.due = 0.0

    def before(self, step: int, check: Callable[[], None]) -> None:
        """Copy the state before step number `step` when the last copy is old enough, and `check` raises nothing: copies are sound."""
        started = time.monotonic()
        if started < self.due:
            return
        check()
        self.marks = [*self.marks[-1:], (step, State(*self.owners))]
        oldest = self.marks[0][0]
        self.taken = [each for each in self.taken if each[0] + len(each[1]) > oldest]
        finished = time.monotonic()
        self.due = finished + max(PAUSE_SECONDS, PAUSE_SHARE * (finished - started))

    def after(self, first: int, rows: np.ndarray | Stack, numbers: np.ndarray | None) -> None:
        """Remember the rows of the steps `first`, `first` + 1, ..."""
        self.taken.append((first, rows, numbers))

    def rewind(self, stepper: Any, target: int) -> None:
        """Bring the net to where it was before step `target`: restore a copy, repeat the steps after it (bit-identical)."""
        start, state = next((each for each in reversed(self.marks) if each[0] <= target), self.marks[0])
        state.restore()
        for first, rows, numbers in self.taken:
            low, high = max(start - first, 0), min(target - first, len(rows))
            if low < high:
                stepper.run(rows[low:high], None if numbers is None else numbers[low:high])


    def first_broken(self, stepper: Any, steps: int, broken: Callable[[], list[str]]) -> tuple[int, list[str]]:
        """The first of the `steps` done so far that left something broken, and what; the net is then where it was before that step."""
        low, high = self.marks[-1][0], steps
        while high - low > 1:
            middle = (low + high) // 2
            self.rewind(stepper, middle)
            low, high = (low, middle) if broken() else (middle, high)
        self.rewind(stepper, high)
        names = broken()
        self.rewind(stepper, low)
        return low, names


def is_finite(array: np.ndarray) -> bool:
    """Whether no element is nan or infinite; the sum of squares tells it quickly, unless it overflows."""
    if array.dtype.kind not in "fc":
        return True
    flat = array.reshape(-1)
    with np.errstate(all="ignore"):
        return bool(np.isfinite(flat @ flat)) or bool(np.isfinite(flat).all())


def broken_weights(names: Sequence[str], losses: Sequence[float], steps_per_epoch: int) -> DivergedError:
    """The error for weights that a step with this last loss has made nan or infinite."""
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return DivergedError(
        f"{names[-1]}{more} became nan or infinite {at_step(len(losses) - 1, steps_per_epoch)}, while the loss was {losses[-1]:.4g}",
        why="the gradient or the update was not finite: a slope that is infinite there (sqrt or a norm of 0, log near 0), a number "
            "that overflowed, or a rate that is far too high",
        repair=f"look at what the layer feeds (a small number added under the root), or lower the rate; {KEPT}")


def at_step(step: int, steps_per_epoch: int) -> str:
    """`in epoch 2, step 7 of 20`, counted from 1."""
    return f"in epoch {step // steps_per_epoch + 1}, step {step % steps_per_epoch + 1} of {steps_per_epoch}"


def non_finite(losses: Sequence[float], steps_per_epoch: int, rate: float | None, broken: Sequence[str]) -> DivergedError:
    """The error for a run whose last loss is not finite; `broken` are the weights that the step before has made so."""
    last = ", ".join(f"{each:.4g}" for each in losses[-6:-1])
    more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
    after = f", after the step before made {broken[-1]}{more} so" if broken else ""
    return DivergedError(f"the loss became {losses[-1]} {at_step(len(losses) - 1, steps_per_epoch)}{after}",
                         why=reason(losses, rate, last), repair=remedy(losses, rate))


def grew(losses: Sequence[float]) -> bool:
    """Whether the loss was far above its best just before it broke."""
    before = [each for each in losses[:-1] if math.isfinite(each)]
    return bool(before) and before[-1] > 3 * min(before[0], abs(min(before))) + 1e-12


def reason(losses: Sequence[float], rate: float | None, last: str) -> str:
    """Why it probably happened, with the numbers seen."""
    named = "" if rate is None else f" {rate:.3g}"
    if len(losses) == 1:
        return "it was so at the very first step: weights or inputs are too large, or the loss takes log(0) or divides by 0"
    if grew(losses) or len(losses) <= 10:
        return f"the losses before it were {last}: steps of rate{named} probably overshoot"
    return f"the losses before it were {last} and did not grow: perhaps log(0), a division by 0 or an overflow in net or loss"


def remedy(losses: Sequence[float], rate: float | None) -> str:
    """What to try, the likeliest first."""
    if len(losses) == 1:
        return f"scale the inputs (mean 0, deviation 1), give the loss logits instead of probabilities; {KEPT}"
    lower = "a lower rate" if rate is None else f"a lower rate, such as lr={rate / 10:.1g}"
    return f"try {lower}, or scale the inputs; {KEPT}"
