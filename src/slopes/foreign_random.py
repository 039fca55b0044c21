"""Random numbers of Python and NumPy, which a program cannot draw: refused where a function is captured, for compile and fit alike."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from .errors import TraceError

KINDS = {"random": ("Random",), "numpy.random": ("Generator", "RandomState")}
LEAST_SECONDS = 0.05  # for which a generator that has drawn is watched again: another thread may be drawing

class SharedDrawError(TraceError):
    """A generator of the modules `random` or `numpy.random` has drawn: for the function, or for another thread at that moment."""


Sources = Mapping[int, tuple[Any, str]]  # generators by address, and how the code calls them


@contextmanager
def refuse_draws(sources: Sources) -> Iterator[None]:
    """Raise TraceError when one of these generators, or those of the modules, draws in the block, in which a function is traced.

    Where only generators of the modules have drawn it is a SharedDrawError: a second trace tells whether the function draws.
    """
    shared = {id(source): (source, name) for source, name in shared_generators()}
    watched = shared | dict(sources)
    before, start = states(watched), time.perf_counter()
    yield
    drawn = [address for address, state in states(watched).items() if state != before[address]]
    others = drawing_elsewhere(drawn, watched, time.perf_counter() - start) if drawn else set()
    own = [address for address in drawn if address not in others]
    if own:
        names, kind = [watched[address][1] for address in own], SharedDrawError if shared.keys() >= {*own} else TraceError
        raise kind(f"a compiled function drew random numbers from {', '.join(names)}: they would be the same in each call, "
                   "as in every step of fit", why="numbers of Python and NumPy become part of the program when it is recorded",
                   repair="draw them with slopes, which goes on at each call (sl.uniform, sl.normal, sl.permutation, "
                          "data.augment), or draw them outside and pass them as arguments")


def drawing_elsewhere(drawn: list[int], watched: Sources, seconds: float) -> set[int]:
    """Those that go on drawing while this thread does nothing for as long: they are another thread's."""
    before = states(watched)
    time.sleep(max(LEAST_SECONDS, seconds))
    after = states(watched)
    return {address for address in drawn if after[address] != before[address]}


def states(watched: Sources) -> dict[int, Any]:
    return {address: state_of(source) for address, (source, _) in watched.items()}


def shared_generators() -> Iterator[tuple[Any, str]]:
    """The generators that the functions of `random` and `numpy.random` draw from: any code may use them."""
    if "random" in sys.modules:
        yield sys.modules["random"]._inst, "Python's module random"
    yield np.random.mtrand._rand, "numpy.random"  # type: ignore[attr-defined]


def is_generator(value: Any) -> bool:
    """Whether this is a generator of random numbers of Python or NumPy that has a state; the system's has none."""
    for module, names in KINDS.items():
        loaded = sys.modules.get(module)  # by another thread perhaps not to its end
        if isinstance(value, tuple([vars(loaded)[name] for name in names if loaded is not None and name in vars(loaded)])):
            return type(value).__name__ != "SystemRandom"
    return False


def state_of(generator: Any) -> Any:
    """The state of a generator, as something to compare."""
    if hasattr(generator, "getstate"):
        return generator.getstate()
    bits = generator.bit_generator if hasattr(generator, "bit_generator") else generator._bit_generator
    return repr({name: value.tobytes() if isinstance(value, np.ndarray) else value for name, value in flat_items(bits.state)})


def flat_items(state: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The entries of nested dictionaries, so that arrays are compared by all their elements."""
    for name, value in state.items():
        if isinstance(value, dict):
            yield from ((f"{name}.{key}", item) for key, item in flat_items(value))
        else:
            yield name, value
