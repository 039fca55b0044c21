"""Random numbers that do not belong into a step: those of NumPy and Python would be drawn once, when it is traced, and never again."""

from __future__ import annotations

import gc
import json
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..errors import TraceError

KINDS = (np.random.Generator, np.random.RandomState, random.Random)
LEAST_SECONDS = 0.05  # for which a generator that seems to have drawn is watched again: another thread may be drawing


@contextmanager
def none_frozen() -> Iterator[None]:
    """Raise TraceError when random numbers of NumPy or Python are drawn in this block, in which a step is traced."""
    sources, started = generators(), time.perf_counter()
    before = [position(each) for each in sources]
    yield
    drawn = moved(sources, before)
    if drawn and drawn != (still := drawing_elsewhere(drawn, time.perf_counter() - started)):
        name = described(next(each for each in drawn if each not in still))
        raise TraceError(f"random numbers of {name} were drawn while the step was traced",
                         why="they would be part of the program: the same numbers in every step of every epoch",
                         repair="draw with slopes (sl.uniform, sl.normal, sl.bernoulli, data.augment), or prepare the numbers as inputs")


def generators() -> list[Any]:
    """Every generator of NumPy and Python that there is and has a state, the modules' own ones too."""
    return [each for each in gc.get_objects() if isinstance(each, KINDS) and not isinstance(each, random.SystemRandom)]


def position(generator: Any) -> Any:
    """Where a generator stands in its sequence."""
    if isinstance(generator, random.Random):
        return generator.getstate()
    state = generator.bit_generator.state if isinstance(generator, np.random.Generator) else generator.get_state(legacy=False)
    return json.dumps(state, default=lambda array: array.tolist())


def moved(sources: list[Any], before: list[Any]) -> list[Any]:
    """Those that have drawn since."""
    return [each for each, then in zip(sources, before) if position(each) != then]


def drawing_elsewhere(sources: list[Any], seconds: float) -> list[Any]:
    """Those that go on drawing while this thread does nothing for as long: they are another's."""
    before = [position(each) for each in sources]
    time.sleep(max(LEAST_SECONDS, seconds))
    return moved(sources, before)


def described(generator: Any) -> str:
    """`numpy.random.Generator`, or the module whose functions draw from it."""
    if generator is random._inst:  # type: ignore[attr-defined]
        return "Python's module random"
    if generator is np.random.mtrand._rand:
        return "numpy.random"
    return f"a generator of type {type(generator).__name__}"
