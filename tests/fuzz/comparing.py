"""Running a program eagerly and compiled, and what counts as a difference.

Shapes and types, whole numbers and truth values are equal; the results of one thread and of two have the same bits. Floats agree up
to rounding: at first by a tolerance of their type; where that fails, by how far the eager results themselves move when the inputs
move by a few units in the last place, or when all is computed in float64. What is ill-conditioned is thereby no difference, and what
is wrong still is.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import numpy as np
from guards import SIDES, guards
from native_graphs import processors, thread_count

import slopes as sl
from slopes.loops import program as programs
from slopes.machine import translate

from .drawing import Program

PROCESSORS = list(processors().values())
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}
MOVED = {"float32": 1e-6, "float64": 4e-15}  # how far inputs are moved: some units in the last place
ROUNDS, FACTOR = 8, 30  # how often they are moved, and how much further than the farthest result a right one may lie
HALF = 0.05  # of what is kept in 16 bits


@dataclass
class Outcome:
    """What became of a program: "equal", "different" or "refused" by eager code (an error that compiled code must raise too)."""

    status: str
    detail: str = ""


def made(program: Program, real: str | None = None) -> tuple[Any, list[np.ndarray], list[Any]]:
    names: dict[str, Any] = {}
    exec(program.text(), names)
    return names["make"](real or program.real)


def run(program: Program, real: str | None = None, moved: int = 0) -> list[np.ndarray]:
    """All results of all calls of eager code, then the state of the layers."""
    function, inputs, nets = made(program, real)
    inputs = [nudged(array, moved + number) for number, array in enumerate(inputs)] if moved else inputs
    return results(program, function, inputs, nets)


def results(program: Program, function: Any, inputs: Sequence[np.ndarray], nets: Sequence[Any]) -> list[np.ndarray]:
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(program.calls):
            found += [each.numpy().copy() for each in flat(function(*map(sl.asarray, inputs)))]
    return found + [np.array(value) for net in nets for value in net.state_dict().values()]


def run_compiled(program: Program, threads: Sequence[int] = (1, 2)) -> list[list[np.ndarray]]:
    """The results of compiled code for each number of threads, which starts from the same state."""
    found, kept = [], []
    for count in threads:
        if not kept or kept[0][2]:
            function, inputs, nets = made(program)
            kept.append((sl.compile(function, storage=program.storage), inputs, nets))  # kept, so that its program is found again
        else:
            sl.seed(0)  # as when it was made
        with thread_count(count):
            found.append(results(program, *kept[-1]))
    return found


def flat(results: Any) -> list[sl.Tensor]:
    if isinstance(results, sl.Tensor):
        return [results]
    return [tensor for each in results for tensor in flat(each)]


def nudged(array: np.ndarray, seed: int) -> np.ndarray:
    """Floats moved by some units in the last place."""
    if array.dtype.kind != "f":
        return array
    moves = np.random.default_rng(seed).normal(size=array.shape) * MOVED[array.dtype.name]
    with np.errstate(all="ignore"):
        return (array * (1 + moves)).astype(array.dtype)


def check(program: Program, index: int) -> Outcome:
    """Compare. The index says on which side of buffers the guards are, and which processor the code is for."""
    sl.seed(0)
    try:
        with np.errstate(all="ignore"):
            expected = run(program)
    except sl.SlopesError as error:
        return refused(program, error)
    with parallel(SIDES[index % 2], index // 2):
        try:
            found, again = run_compiled(program)
        except Exception as error:  # whatever it is, eager code has a result
            return Outcome("different", f"compiled: {type(error).__name__}: {error}")
    if problem := difference(program, found, expected):
        return Outcome("different", problem)
    if any(x.tobytes() != y.tobytes() for x, y in zip(found, again)):
        return Outcome("different", "other bits with two threads")
    return Outcome("equal")


def parallel(side: str, number: int) -> ExitStack:
    """Guards around all memory, several threads also for small work, and one of the processors that this one can stand for."""
    stack = ExitStack()
    stack.enter_context(guards(side))
    stack.enter_context(patch.object(programs, "THREAD_WORK", 0))
    processor = PROCESSORS[number % len(PROCESSORS)]
    stack.enter_context(patch.object(translate, "host", lambda: (processor.triple, processor.name, processor.features)))
    stack.enter_context(patch.object(translate, "host_target", lambda: processor.target))
    return stack


def refused(program: Program, error: sl.SlopesError) -> Outcome:
    """Compiled code refuses it too."""
    try:
        run_compiled(program, (1,))
    except sl.SlopesError:
        return Outcome("refused", type(error).__name__)
    return Outcome("different", f"eager: {type(error).__name__}: {error}; compiled: none")


def difference(program: Program, found: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> str:
    """What is different in words; "" when nothing is."""
    if len(found) != len(expected):
        return f"{len(found)} results, not {len(expected)}"
    suspects = [number for number, (x, y) in enumerate(zip(found, expected)) if not close(x, y, base(program, y))]
    if not suspects:
        return ""
    spread = spreads(program, expected)
    for number in suspects:
        x, y = found[number], expected[number]
        if (x.shape, x.dtype) != (y.shape, y.dtype):
            return f"result {number} is {x.dtype}{x.shape}, not {y.dtype}{y.shape}"
        if y.dtype.kind != "f" or not close(x, y, base(program, y) + FACTOR * spread[number]):
            return f"result {number}: {shown(x, y)}"
    return ""


def base(program: Program, expected: np.ndarray) -> np.ndarray:
    """The tolerance of each element: relative to itself and to the largest one."""
    size = np.abs(np.where(np.isfinite(expected), expected, 0)) if expected.dtype.kind == "f" else np.zeros(expected.shape)
    share = HALF if program.storage != "float32" else TOLERANCE["float32" if rounds(program) else program.real]
    share = max(share, TOLERANCE.get(expected.dtype.name, 0))
    return share * (size + np.max(size, initial=1))


def rounds(program: Program) -> bool:
    """Whether something in a program is float32: by a cast, or as functions of whole numbers are."""
    whole = any("int" in text or "bool" in text for text in program.inputs.values())
    return whole or any("float32" in each.text for each in program.statements)


def close(found: np.ndarray, expected: np.ndarray, tolerance: np.ndarray) -> bool:
    if (found.shape, found.dtype) != (expected.shape, expected.dtype):
        return False
    if expected.dtype.kind != "f":
        return bool((found == expected).all())
    with np.errstate(all="ignore"):
        return bool(((found == expected) | (np.isnan(found) & np.isnan(expected)) | (np.abs(found - expected) <= tolerance)).all())


def spreads(program: Program, expected: Sequence[np.ndarray]) -> list[np.ndarray]:
    """How far each element of the results moves when rounding does."""
    runs = [run(program, real="float64")] if program.real == "float32" else []
    runs += [run(program, moved=1000 * number) for number in range(1, ROUNDS + 1)]
    found = []
    for number, array in enumerate(expected):
        with np.errstate(all="ignore"):
            moves = [np.abs(each[number] - array) if array.dtype.kind == "f" else np.zeros(array.shape) for each in runs]
            found.append(np.max(np.nan_to_num(moves, nan=np.inf), axis=0))
    return found


def shown(found: np.ndarray, expected: np.ndarray) -> str:
    """The worst element."""
    with np.errstate(all="ignore"):
        apart = np.abs(found.astype(float) - expected.astype(float))
    apart = np.where(found == expected, 0, np.where(np.isnan(apart), np.where(np.isnan(found) & np.isnan(expected), 0, np.inf), apart))
    at = np.unravel_index(np.argmax(apart), apart.shape) if apart.size else ()
    return f"{expected.dtype}{expected.shape} at {tuple(map(int, at))}: compiled {found[at]!r}, eager {expected[at]!r}"
