"""Derivatives against central differences, (f(x + h v) - f(x - h v)) / 2h, along one random direction or every axis."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from ..errors import GradientError
from ..graph.build import constant
from ..graph.dtype import is_float
from ..graph.node import Node
from .pullback import pull_back
from .pushforward import push_forward

Arrays = list[np.ndarray]
Evaluate = Callable[[Sequence[Node], Mapping[Node, np.ndarray]], Arrays]

STEPS = {"float64": 1e-5, "float32": 1e-2}  # where rounding and curvature spoil a central difference about equally
TOLERANCES = {"float64": 1e-6, "float32": 2e-2}


def central_difference(function: Callable[[Arrays], Arrays], points: Arrays, directions: Arrays, step: float) -> Arrays:
    """How each output of `function` moves per unit along the directions, in float64."""
    above = function([point + point.dtype.type(step) * v for point, v in zip(points, directions)])
    below = function([point - point.dtype.type(step) * v for point, v in zip(points, directions)])
    return [(np.asarray(high, np.float64) - np.asarray(low, np.float64)) / (2 * step) for high, low in zip(above, below)]


def random_like(arrays: Arrays, seed: int) -> Arrays:
    """Arrays drawn from the standard normal distribution, of the same shapes and types."""
    generator = np.random.default_rng(seed)
    return [np.asarray(generator.standard_normal(array.shape), array.dtype) for array in arrays]


def directions(points: Arrays, names: Sequence[str], every: bool, seed: int) -> Iterator[tuple[str, Arrays]]:
    """(description, direction): one random direction, or the axis of every single element."""
    if not every:
        yield "a random direction", random_like(points, seed)
        return
    for i, (name, point) in enumerate(zip(names, points)):
        for index in np.ndindex(point.shape):
            axis = [np.zeros_like(array) for array in points]
            axis[i][index] = 1
            yield f"{name}[{', '.join(map(str, index))}]" if index else name, axis


def compare(along: str, derivatives: Arrays, expected: Arrays, tolerance: float) -> None:
    """Raise GradientError unless derivatives and differences agree, relative to max(1, |difference|)."""
    for i, (ours, theirs) in enumerate(zip(derivatives, expected)):
        error = np.abs(np.asarray(ours, np.float64) - theirs) / np.maximum(1, np.abs(theirs))
        if not np.all(error <= tolerance):
            index = np.unravel_index(np.argmax(np.where(np.isnan(error), np.inf, error)), error.shape)
            position = f" at {tuple(map(int, index))}" if index else ""
            raise GradientError(f"check_grads: output {i}{position} along {along}: "
                                f"the derivative is {float(ours[index]):.9g}, the central difference {float(theirs[index]):.9g}",
                                why=f"they differ by more than the tolerance {tolerance:g}",
                                repair="near a kink or jump no difference is right: try another point, step= or tolerance=")


def check_transposed(tangents: Arrays, seeds: Arrays, moves: Arrays, gradients: Arrays, tolerance: float) -> None:
    """Forward and reverse mode are transposes: seed . (J v) = (J' seed) . v."""
    forward, reverse = dot(seeds, tangents), dot(gradients, moves)
    if not abs(forward - reverse) <= tolerance * max(1.0, abs(forward)):
        raise GradientError(f"check_grads: for the same derivative, forward mode gives {forward:.9g}, reverse mode {reverse:.9g}",
                            why="they are transposes of each other; an operation's pullback is wrong")


def dot(a: Arrays, b: Arrays) -> float:
    return float(sum(np.sum(x.astype(np.float64) * y.astype(np.float64)) for x, y in zip(a, b)))


def check_graph(evaluate: Evaluate, outputs: Sequence[Node], env: Mapping[Node, np.ndarray], wrt: Sequence[Node] | None = None,
                every: bool = False, step: float | None = None, tolerance: float | None = None, seed: int = 0) -> None:
    """Check the derivatives of float outputs with respect to `wrt` (by default all float variables of `env`) at the point `env`.

    Raises GradientError when forward mode differs from central differences, or reverse mode from forward mode.
    """
    outputs = [node for node in outputs if is_float(node.dtype)]
    wrt = [node for node in env if is_float(node.dtype)] if wrt is None else list(wrt)
    precision = "float64" if all(node.dtype == np.float64 for node in [*outputs, *wrt]) else "float32"
    points = [np.asarray(env[node]) for node in wrt]
    names = [node.params.get("name") or f"input {i}" for i, node in enumerate(wrt)]

    def run(arrays: Arrays) -> Arrays:
        return evaluate(outputs, {**env, **dict(zip(wrt, arrays))})

    step, tolerance = step or STEPS[precision], tolerance or TOLERANCES[precision]
    for along, moves in directions(points, names, every, seed):
        tangents = evaluate(push_forward(outputs, wrt, [constant(move) for move in moves]), env)
        compare(along, tangents, central_difference(run, points, moves, step), tolerance)
        seeds = random_like([np.zeros(node.shape, node.dtype) for node in outputs], seed + 1)
        pulled = pull_back(outputs, [constant(array) for array in seeds], wrt)
        gradients = evaluate([node for node in pulled if node is not None], env)
        flowing = [move for move, node in zip(moves, pulled) if node is not None]
        check_transposed(tangents, seeds, flowing, gradients, tolerance)
