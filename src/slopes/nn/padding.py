"""Layers that pad the spatial axes: with a constant, or with the values at the edges."""

from __future__ import annotations

from typing import Any

from ..constraint import REAL, SIDES, check
from ..errors import ArgumentError, ShapeError
from ..graph.build import build
from ..ops import composite
from ..tensor import Tensor
from .module import Module
from .where import layer_and_location


class Padding(Module):
    """The base class of padding layers, which define the number of spatial axes and the values of the padding."""

    axes: int
    mode: str
    constraints = {"padding": SIDES}

    def __init__(self, padding: Any) -> None:
        owner = type(self).__name__
        check(owner, self.constraints, {"padding": padding})
        self.padding = sides(owner, padding, self.axes)

    def forward(self, x: Tensor) -> Tensor:
        check_rank(self, x)
        return composite.pad_edges(x, pairs(self.padding), self.mode)

    def details(self) -> str:
        return str(self.padding[0] if len(set(self.padding)) == 1 else self.padding)


class ConstantPadding(Padding):
    """The base class of ConstantPad1d, ConstantPad2d and ConstantPad3d, and with the value 0 of ZeroPad1d, ZeroPad2d and ZeroPad3d."""

    value = 0.0

    def forward(self, x: Tensor) -> Tensor:
        check_rank(self, x)
        widths = pairs(self.padding)
        cut = composite.crop(x, tuple((min(0, low), min(0, high)) for low, high in widths))
        added = tuple((max(0, low), max(0, high)) for low, high in widths)
        return build("pad", cut, widths=(*((0, 0),) * (x.ndim - self.axes), *added), value=self.value)


class ValuePadding(ConstantPadding):
    """A constant padding whose value is an argument."""

    constraints = {"padding": SIDES, "value": REAL}

    def __init__(self, padding: Any, value: float) -> None:
        check(type(self).__name__, self.constraints, {"padding": padding, "value": value})
        super().__init__(padding)
        self.value = float(value)

    def details(self) -> str:
        return f"{super().details()}, {self.value:g}"


class ConstantPad1d(ValuePadding):
    """y = x with `value` before and after its last axis.

    x: (..., L), y: (..., left + L + right) with padding = (left, right), or one number for both; negative numbers cut values off.
    Raises ShapeError unless x has 2 or 3 axes.

    >>> import slopes as sl
    >>> sl.nn.ConstantPad1d((1, 2), 7.0)(sl.tensor([[1.0, 2.0]])).tolist()
    [[7.0, 1.0, 2.0, 7.0, 7.0]]
    """

    axes = 1


class ConstantPad2d(ValuePadding):
    """ConstantPad1d over two axes: x: (..., H, W), padding = (left, right, top, bottom): the last axis first.

    >>> import slopes as sl
    >>> sl.nn.ConstantPad2d((1, 2, 3, 0), 7.0)(sl.ones((1, 1, 4, 4))).shape
    (1, 1, 7, 7)
    """

    axes = 2


class ConstantPad3d(ValuePadding):
    """ConstantPad1d over three axes: x: (..., D, H, W), padding = (left, right, top, bottom, front, back).

    >>> import slopes as sl
    >>> sl.nn.ConstantPad3d(1, 7.0)(sl.ones((1, 1, 2, 3, 4))).shape
    (1, 1, 4, 5, 6)
    """

    axes = 3


class ZeroPad1d(ConstantPadding):
    """ConstantPad1d with zeros: x: (..., L), y: (..., left + L + right).

    >>> import slopes as sl
    >>> sl.nn.ZeroPad1d((1, 2))(sl.tensor([[1.0, 2.0]])).tolist()
    [[0.0, 1.0, 2.0, 0.0, 0.0]]
    """

    axes = 1


class ZeroPad2d(ConstantPadding):
    """ConstantPad2d with zeros: x: (..., H, W), padding = (left, right, top, bottom).

    >>> import slopes as sl
    >>> sl.nn.ZeroPad2d(1)(sl.ones((1, 1, 4, 4))).shape
    (1, 1, 6, 6)
    """

    axes = 2


class ZeroPad3d(ConstantPadding):
    """ConstantPad3d with zeros: x: (..., D, H, W), padding = (left, right, top, bottom, front, back).

    >>> import slopes as sl
    >>> sl.nn.ZeroPad3d(1)(sl.ones((1, 1, 2, 3, 4))).shape
    (1, 1, 4, 5, 6)
    """

    axes = 3


class ReflectionPad1d(Padding):
    """y = x with its values mirrored at both ends; the end itself is not repeated.

    x: (..., L), y: (..., left + L + right) with padding = (left, right), both below L, or one number; negative numbers cut values
    off. Raises ShapeError unless x has 2 or 3 axes, and for a padding that x is too short for.

    >>> import slopes as sl
    >>> sl.nn.ReflectionPad1d(2)(sl.tensor([[1.0, 2.0, 3.0]])).tolist()
    [[3.0, 2.0, 1.0, 2.0, 3.0, 2.0, 1.0]]
    """

    axes, mode = 1, "reflect"


class ReflectionPad2d(Padding):
    """ReflectionPad1d over two axes: x: (..., H, W), padding = (left, right, top, bottom).

    >>> import slopes as sl
    >>> sl.nn.ReflectionPad2d((1, 1, 2, 0))(sl.ones((1, 1, 4, 4))).shape
    (1, 1, 6, 6)
    """

    axes, mode = 2, "reflect"


class ReflectionPad3d(Padding):
    """ReflectionPad1d over three axes: x: (..., D, H, W), padding = (left, right, top, bottom, front, back).

    >>> import slopes as sl
    >>> sl.nn.ReflectionPad3d(1)(sl.ones((1, 1, 2, 3, 4))).shape
    (1, 1, 4, 5, 6)
    """

    axes, mode = 3, "reflect"


class ReplicationPad1d(Padding):
    """y = x with the values at its ends repeated.

    x: (..., L), y: (..., left + L + right) with padding = (left, right), or one number; negative numbers cut values off.
    Raises ShapeError unless x has 2 or 3 axes.

    >>> import slopes as sl
    >>> sl.nn.ReplicationPad1d(2)(sl.tensor([[1.0, 2.0]])).tolist()
    [[1.0, 1.0, 1.0, 2.0, 2.0, 2.0]]
    """

    axes, mode = 1, "replicate"


class ReplicationPad2d(Padding):
    """ReplicationPad1d over two axes: x: (..., H, W), padding = (left, right, top, bottom).

    >>> import slopes as sl
    >>> sl.nn.ReplicationPad2d(1)(sl.ones((1, 1, 4, 4))).shape
    (1, 1, 6, 6)
    """

    axes, mode = 2, "replicate"


class ReplicationPad3d(Padding):
    """ReplicationPad1d over three axes: x: (..., D, H, W), padding = (left, right, top, bottom, front, back).

    >>> import slopes as sl
    >>> sl.nn.ReplicationPad3d(1)(sl.ones((1, 1, 2, 3, 4))).shape
    (1, 1, 4, 5, 6)
    """

    axes, mode = 3, "replicate"


class CircularPad1d(Padding):
    """y = x with values from its other end, as if it were a ring.

    x: (..., L), y: (..., left + L + right) with padding = (left, right), both at most L, or one number; negative numbers cut values
    off. Raises ShapeError unless x has 2 or 3 axes, and for a padding that x is too short for.

    >>> import slopes as sl
    >>> sl.nn.CircularPad1d((1, 2))(sl.tensor([[1.0, 2.0, 3.0]])).tolist()
    [[3.0, 1.0, 2.0, 3.0, 1.0, 2.0]]
    """

    axes, mode = 1, "circular"


class CircularPad2d(Padding):
    """CircularPad1d over two axes: x: (..., H, W), padding = (left, right, top, bottom).

    >>> import slopes as sl
    >>> sl.nn.CircularPad2d(1)(sl.ones((1, 1, 4, 4))).shape
    (1, 1, 6, 6)
    """

    axes, mode = 2, "circular"


class CircularPad3d(Padding):
    """CircularPad1d over three axes: x: (..., D, H, W), padding = (left, right, top, bottom, front, back).

    >>> import slopes as sl
    >>> sl.nn.CircularPad3d(1)(sl.ones((1, 1, 2, 3, 4))).shape
    (1, 1, 4, 5, 6)
    """

    axes, mode = 3, "circular"


def sides(owner: str, padding: Any, axes: int) -> tuple[int, ...]:
    """Two numbers per axis, the last axis first; one number applies to all."""
    if not isinstance(padding, (tuple, list)):
        return (int(padding),) * (2 * axes)
    if len(padding) != 2 * axes:
        raise ArgumentError(f"{owner}: padding must be one number or {2 * axes} of them, not {tuple(padding)!r}",
                            why="there are two sides of each spatial axis, and the last axis comes first")
    return tuple(int(n) for n in padding)


def pairs(padding: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """(before, after) of each axis, the first axis first."""
    return tuple(zip(padding[-2::-2], padding[::-2]))


def check_rank(layer: Padding, x: Tensor) -> None:
    if x.ndim not in (layer.axes + 1, layer.axes + 2):
        what, where = layer_and_location(layer, x)
        count = "one spatial axis" if layer.axes == 1 else f"{layer.axes} spatial axes"
        raise ShapeError(f"{what} needs x of {layer.axes + 1} or {layer.axes + 2} axes, but x is {tuple(x.shape)}",
                         why=f"it pads {count}, after batch and channels", where=where)
