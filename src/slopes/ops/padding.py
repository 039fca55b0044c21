"""Padding with the values at the edges: reflected, repeated or taken from the other side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..errors import ShapeError
from ..graph.build import build
from ..graph.composite import composed
from .arrange import concat, flip, part

X = Any  # a Node or a Tensor


def reflect(x: X, axis: int, low: int, high: int) -> list[X]:
    """The values next to the edges, mirrored; the edge itself is not repeated."""
    n = x.shape[axis]
    return [flip(part(x, axis, 1, low + 1), axis), x, flip(part(x, axis, n - 1 - high, n - 1), axis)]


def replicate(x: X, axis: int, low: int, high: int) -> list[X]:
    """The value at the edge, repeated."""
    n = x.shape[axis]

    def repeated(index: int, count: int) -> X:
        return build("expand", part(x, axis, index, index + 1), shape=(*x.shape[:axis], count, *x.shape[axis + 1:]))

    return [repeated(0, low), x, repeated(n - 1, high)]


def circular(x: X, axis: int, low: int, high: int) -> list[X]:
    """The values at the other edge, as if the axis were a ring."""
    n = x.shape[axis]
    return [part(x, axis, n - low, n), x, part(x, axis, 0, high)]


PIECES: dict[str, Callable[[X, int, int, int], list[X]]] = {"reflect": reflect, "replicate": replicate, "circular": circular}
PADDING_MODES = tuple(PIECES)
ROOM = {"reflect": 1, "circular": 0}  # how many values more than the padding an axis has to have


@composed(1)
def pad_edges(x: X, pairs: Sequence[tuple[int, int]], mode: str) -> X:
    """x with its last axes padded by (before, after) values; negative numbers cut values off."""
    x = crop(x, [(min(0, low), min(0, high)) for low, high in pairs])
    for axis, (low, high) in enumerate(pairs, start=x.ndim - len(pairs)):
        if low > 0 or high > 0:
            check_room(x, axis, max(low, high), mode)
            sides = PIECES[mode](x, axis, max(0, low), max(0, high))
            x = concat([side for side in sides if side.shape[axis]], axis)
    return x


def crop(x: X, pairs: Sequence[tuple[int, int]]) -> X:
    """x without the first -low and the last -high values of its last axes."""
    for axis, (low, high) in enumerate(pairs, start=x.ndim - len(pairs)):
        if low or high:
            if x.shape[axis] + low + high < 0:
                raise ShapeError(f"padding: {(low, high)} cuts off more than axis {axis} of x {x.shape} has", why="padding is negative")
            x = part(x, axis, -low, x.shape[axis] + high)
    return x


def check_room(x: X, axis: int, most: int, mode: str) -> None:
    least = most + ROOM[mode] if mode in ROOM else 1
    if x.shape[axis] < least:
        raise ShapeError(f"padding: axis {axis} of x {x.shape} is shorter than {least}",
                         why=f"padding of {most} in the mode {mode!r} takes its values from there", repair="pad less")
