"""How long a training will take, and its memory: one line after the first second, where it takes more than a minute."""

from __future__ import annotations

import math

from .training import Training

MEASURED_SECONDS = 1.0  # of steps, without compiling, after which their time is known well enough
LONG_SECONDS = 60.0


class Estimate:
    """Made once for a training: `text` is the line when it is time for it, and None before and after, and for short trainings."""

    def __init__(self) -> None:
        self.made = False

    def text(self, training: Training) -> str | None:
        """`about 12 min for 20 epochs; 1.3 GiB of memory`; with epochs="auto", for one epoch."""
        history = training.history
        seconds = history.seconds - history.compile_seconds
        if self.made or seconds < MEASURED_SECONDS:
            return None
        self.made = True
        steps = training.steps_per_epoch if training.best is not None else training.epochs * training.steps_per_epoch - history.steps
        left = seconds / history.steps * steps
        if left <= LONG_SECONDS:
            return None
        epochs = math.ceil(steps / training.steps_per_epoch)
        return f"about {duration(left)} for {epochs} epoch{'s' if epochs > 1 else ''}; {size(memory_of(training))} of memory"


def memory_of(training: Training) -> int:
    """The bytes of everything that changes, and of the intermediate values of a step: not those of the data."""
    return training.runner.program.memory + sum(tensor.size * tensor.dtype.itemsize for tensor in training.tensors.values())


def duration(seconds: float) -> str:
    """`12 min`, `3.5 h` or `2.1 days`."""
    unit, name = (60, "min") if seconds < 7200 else (3600, "h") if seconds < 172_800 else (86_400, "days")
    return f"{seconds / unit:.{0 if seconds >= 10 * unit else 1}f} {name}"


def size(count: int) -> str:
    """`1.3 GiB` or `24 MiB` of so many bytes."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{max(1, round(count / 2**20))} MiB"
