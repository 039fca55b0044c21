"""Random numbers that do not belong into a step: those of NumPy and Python would be drawn once, when it is traced, and never again."""

from __future__ import annotations

import functools
import json
import random
import time
import types
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..errors import TraceError
from .mistakes import of_slopes

KINDS = (np.random.Generator, np.random.RandomState, random.Random)
SHARED = {"Python's module random": random._inst, "numpy.random": np.random.mtrand._rand}  # type: ignore[attr-defined]
LEAST_SECONDS = 0.05  # for which a generator that seems to have drawn is watched again: another thread may be drawing
MOST = 10_000  # objects that are looked at


@contextmanager
def none_frozen(*code: Any) -> Iterator[None]:
    """Raise TraceError when this code draws random numbers of NumPy or Python in the block, in which a step is traced."""
    sources, started = generators(code), time.perf_counter()
    before = [position(each) for each in sources]
    yield
    drawn = moved(sources, before)
    others = drawing_elsewhere(drawn, time.perf_counter() - started) if drawn else []
    if own := [each for each in drawn if each not in others]:
        name = next((name for name, each in SHARED.items() if each is own[0]), f"a generator of type {type(own[0]).__name__}")
        raise TraceError(f"random numbers of {name} were drawn while the step was traced",
                         why="they would be part of the program: the same numbers in every step of every epoch",
                         repair="draw with slopes (sl.uniform, sl.normal, sl.bernoulli, data.augment), or prepare the numbers as inputs")


def generators(code: Iterable[Any]) -> list[Any]:
    """The modules' own generators, and those that the code refers to: in closures, globals, default arguments and attributes."""
    stack, found = list(code), list(SHARED.values())
    seen: set[int] = set()
    while stack and len(seen) < MOST:
        each = stack.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, KINDS):
            found += [] if isinstance(each, random.SystemRandom) or each in found else [each]
        else:
            stack.extend(referred(each))
    return found


def referred(thing: Any) -> Iterable[Any]:
    """What a function, a container or an object of one's own refers to."""
    if isinstance(thing, types.MethodType):
        return thing.__self__, thing.__func__
    if isinstance(thing, functools.partial):
        return thing.func, *thing.args, *thing.keywords.values()
    if isinstance(thing, types.FunctionType):
        return () if of_slopes(thing) else used_by(thing)
    if isinstance(thing, (list, tuple, set, dict)):
        return () if len(thing) > MOST else list(thing.values()) if isinstance(thing, dict) else list(thing)
    if isinstance(thing, (type, types.ModuleType, np.ndarray)) or not hasattr(thing, "__dict__"):
        return ()
    methods = () if of_slopes(type(thing)) else [each for each in vars(type(thing)).values() if isinstance(each, types.FunctionType)]
    return *vars(thing).values(), *methods


def used_by(function: types.FunctionType) -> Iterator[Any]:
    """Its default arguments, what its closure holds, and the globals that it names, also as `module.name`."""
    yield from (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
    yield from (cell.cell_contents for cell in function.__closure__ or () if cell != types.CellType())
    names = names_in(function.__code__)
    for found in (function.__globals__[name] for name in names if name in function.__globals__):
        yield found
        if isinstance(found, types.ModuleType) and not of_slopes(found) and found is not np:
            yield from (vars(found)[name] for name in names if name in vars(found))


def names_in(code: types.CodeType) -> set[str]:
    """The names that code uses, and functions written inside of it."""
    return set(code.co_names).union(*(names_in(each) for each in code.co_consts if isinstance(each, types.CodeType)))


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
