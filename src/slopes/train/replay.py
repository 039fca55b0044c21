"""Snapshots of the state of a training: put back after a measurement, and where the loss stops being finite."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..agreement import agree
from ..errors import GradientError, NonFiniteError
from ..nn.module import Module
from ..random import Generator, current
from ..tensor import Tensor
from .history import Run
from .runner import CallBatches

PAUSE_SECONDS = 1.0  # at least this long between two snapshots
KEPT = "the net is back at its last sound step and error.run holds the history"
PAUSE_SHARE = 50  # and this many times as long as the snapshot took: under 2% of the time goes into snapshots


class DivergedError(NonFiniteError):
    """A loss that is no longer finite; `run` is the Run until then."""

    run: Run


class Snapshot:
    """Copies of the values of named tensors, of one moment."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self.tensors = tensors
        self.values = {name: np.array(tensor.detach().numpy()) for name, tensor in tensors.items()}

    def restore(self) -> None:
        """Put the copied values back."""
        for name, tensor in self.tensors.items():
            tensor.assign(self.values[name])


def state_tensors(net: Module, generator: Generator, **owners: Any) -> dict[str, Tensor]:
    """Every tensor that a step changes, by name: net.PATH, generator.key, and those that the owners name, after the owner's name.

    An owner is an optimizer, an average or a carried state; None has no state.
    """
    named = {"net": net, **owners}
    tensors = {f"{prefix}.{name}": tensor for prefix, owner in named.items() if owner is not None for name, tensor in owner.named_state()}
    for name, drawn in {"generator": generator, **generators_in(net)}.items():
        tensors |= {f"{name}.key": drawn.key, f"{name}.counter": drawn.counter}
    return tensors


@contextmanager
def restore_after(net: Module) -> Iterator[None]:
    """Begin without gradients; afterwards gradients, modes and all state are what they were."""
    gradients, snapshot = [(parameter, held_gradient(parameter)) for parameter in net.parameters()], Snapshot(state_tensors(net, current()))
    modes = [(module, module.training, module.left_in_use) for _, module in net.named_modules()]
    net.zero_grad()
    try:
        yield
    finally:
        snapshot.restore()
        for parameter, gradient in gradients:
            parameter.grad = gradient
        for module, training, left_in_use in modes:
            if module.training != training:
                module.training = training
            object.__setattr__(module, "left_in_use", left_in_use)


def held_gradient(parameter: Tensor) -> Tensor | None:
    """The gradient that can be read; one that stayed inside of a compiled function cannot, and is as good as none."""
    try:
        return parameter.grad
    except GradientError:
        return None


def generators_in(net: Module) -> dict[str, Generator]:
    """The generators that layers hold themselves, by their paths after "net"."""
    return {".".join(part for part in ("net", path, name) if part): value
            for path, module in net.named_modules() for name, value in vars(module).items() if isinstance(value, Generator)}


class StepReplay:
    """Snapshots now and then, and the batches of the steps since: enough to repeat the training up to any recent step.

    Two snapshots are kept, because the newest one may already hold the update that ruined the net.
    """

    def __init__(self, tensors: Mapping[str, Tensor], run: Callable[[CallBatches, np.ndarray | None], Any]) -> None:
        self.tensors, self.run = tensors, run
        self.snapshots: list[tuple[int, Snapshot]] = []
        self.log: list[tuple[int, CallBatches, np.ndarray | None]] = []  # (index of the first step, batches, rates)
        self.due = 0.0

    def before(self, step: int, check: Callable[[], None]) -> None:
        """Take a snapshot before step `step` when the last one is old enough, and `check` raises nothing: a snapshot is finite."""
        started = time.monotonic()
        if agree(started < self.due):
            return
        check()
        self.snapshots = [*self.snapshots[-1:], (step, Snapshot(self.tensors))]
        oldest = self.snapshots[0][0]
        self.log = [entry for entry in self.log if entry[0] + len(entry[1]) > oldest]
        finished = time.monotonic()
        self.due = finished + max(PAUSE_SECONDS, PAUSE_SHARE * (finished - started))

    def after(self, first: int, batches: CallBatches, rates: np.ndarray | None) -> None:
        """Remember the batches and rates of the steps `first`, `first` + 1, ..."""
        self.log.append((first, batches, rates))

    def restart(self) -> None:
        """Take a snapshot before the next step: something was changed between two steps."""
        self.due = 0.0

    def rewind(self, target: int) -> None:
        """Bring the net to where it was before step `target`: restore a snapshot, repeat the steps after it (bit-identical)."""
        start, snapshot = next((entry for entry in reversed(self.snapshots) if entry[0] <= target), self.snapshots[0])
        snapshot.restore()
        for first, batches, rates in self.log:
            low, high = max(start - first, 0), min(target - first, len(batches))
            if low < high:
                self.run(batches[low:high], None if rates is None else rates[low:high])

    def first_broken(self, steps: int, broken: Callable[[], list[str]]) -> tuple[int, list[str]]:
        """The first of the `steps` done so far that left something broken, and what; the net is then where it was before that step."""
        low, high = self.snapshots[-1][0], steps
        while high - low > 1:
            middle = (low + high) // 2
            self.rewind(middle)
            low, high = (low, middle) if broken() else (middle, high)
        self.rewind(high)
        names = broken()
        self.rewind(low)
        return low, names


def is_finite(array: np.ndarray) -> bool:
    """Whether no element is nan or infinite; the sum of squares is a fast test, unless it overflows."""
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
    last = ", ".join(f"{loss:.4g}" for loss in losses[-6:-1])
    more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
    after = f", after the step before made {broken[-1]}{more} so" if broken else ""
    return DivergedError(f"the loss became {losses[-1]} {at_step(len(losses) - 1, steps_per_epoch)}{after}",
                         why=reason(losses, rate, last), repair=remedy(losses, rate))


def grew(losses: Sequence[float]) -> bool:
    """Whether the loss was far above its best just before it broke."""
    before = [loss for loss in losses[:-1] if math.isfinite(loss)]
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
