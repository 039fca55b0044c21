"""Changing tensors in place: as in PyTorch, whoever shares the memory sees the change, and recorded graphs do not.

Tensors that share memory (`x[0]`, `x.view(...)`, `x.data`, `x.detach()`) are linked when the second one is made. A change of one
is written into the memory of all. If a recorded graph or a compiled function may hold the memory, all linked tensors move to a copy
first, at the same offsets: `backward` still computes with the values of the forward pass.
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from ..arrays import memory_of
from ..errors import ArgumentError, GradientError, ShapeError
from ..modes import mode
from ..owned import disown, rebind
from ..tensor import Tensor
from ..versions import versions


class Memory:
    """The tensors, by id, that share one piece of memory, which only they hold."""

    def __init__(self, array: np.ndarray) -> None:
        self.owner = weakref.ref(memory_of(array))
        self.members: dict[int, weakref.ref[Tensor]] = {}

    @property
    def tensors(self) -> list[Tensor]:
        """Those that still hold it: a tensor that was bound to another array since then has left."""
        alive = [tensor for member in list(self.members.values()) if (tensor := member()) is not None]
        return [tensor for tensor in alive if self.holds(tensor)]

    def holds(self, x: Tensor) -> bool:
        return self.owner() is memory_of(x._value)  # type: ignore[arg-type]

    def add(self, x: Tensor) -> None:
        key = id(x)
        forget(key)
        self.members[key] = weakref.ref(x, lambda _: forget(key))
        memories[key] = self


memories: dict[int, Memory] = {}  # by the id of a tensor


def forget(key: int) -> None:
    """A tensor shares the memory no longer that it was known to share."""
    memory = memories.pop(key, None)
    if memory is not None:
        memory.members.pop(key, None)


def memory_shared_by(x: Tensor) -> Memory | None:
    """The memory of x, if it is known who shares it."""
    memory = memories.get(id(x))
    return memory if memory is not None and memory.holds(x) else None


def link(x: Tensor, view: Tensor) -> Tensor:
    """Remember that a view shares the memory of x; returns the view."""
    if view is not x and x._value is not None and view._value is not None and memory_of(x._value) is memory_of(view._value):
        share(x).add(view)
    return view


def share(x: Tensor) -> Memory:
    """Let changes of x be written into the memory that it holds now."""
    memory = memory_shared_by(x)
    if memory is None:
        memory = Memory(x._value)  # type: ignore[arg-type]
        memory.add(x)
    return memory


def check_change(x: Tensor, use: str, value: Any = None) -> None:
    """Raise GradientError or ArgumentError where a change in place would be part of a recorded graph."""
    if mode.trace is not None and x._value is None:
        raise ArgumentError(f"{use}: a tensor that a compiled function computes does not change in place",
                            why="a program is made of new tensors", repair=repair_of(use))
    if mode.recording and x._requires_grad:
        what = "a leaf that requires a gradient" if x.is_leaf else "a tensor that was computed from one that requires a gradient"
        raise GradientError(f"{use}: {what} does not change in place", why="its derivative would no longer be that of its value",
                            repair=f"write it under `with torch.no_grad():`, or {repair_of(use)}")
    if mode.recording and isinstance(value, Tensor) and value._requires_grad:
        raise GradientError(f"{use}: the new value requires a gradient, which would be lost", why="slopes records new tensors only",
                            repair=f"detach it, or {repair_of(use)}")


def repair_of(use: str) -> str:
    if use == "x[...] = value":
        return "make a new one: torch.where(mask, value, x), or collect the parts in a list for torch.stack or torch.cat"
    return f"make a new one with {use.removesuffix('_')}, and give it the name"


def change(x: Tensor, use: str, value: Any, index: Any = ...) -> Any:
    """Write a value (a tensor, array or number) into the elements of x at an index; returns x."""
    check_change(x, use, value)
    if mode.trace is not None:
        if index is not ...:
            raise ArgumentError(f"{use}: a part of a tensor does not change inside of a compiled function", repair=repair_of(use))
        x.assign(value if isinstance(value, Tensor) else np.full(x.shape, value, x.dtype))
        return x
    make_writable(x)
    array = value._known("numpy") if isinstance(value, Tensor) else value
    try:
        x._value[index] = array  # type: ignore[index]
    except (ValueError, TypeError, IndexError) as error:
        raise ShapeError(f"{use}: a value of shape {np.shape(array)} does not fit into a tensor of shape {x.shape}",
                         why=str(error)) from error
    versions.state += 1
    return x


def make_writable(x: Tensor) -> None:
    """Let x, and all tensors linked to it, hold memory that no recorded graph and no one else holds."""
    disown(x)
    memory = memory_shared_by(x)
    if memory is None:  # whoever computed it may hold the array
        rebind(x, x._value.copy())  # type: ignore[union-attr]
        share(x)
        return
    tensors = memory.tensors
    if any(tensor._node is not None for tensor in tensors) or not x._value.flags.writeable:  # type: ignore[union-attr]
        move(tensors)


def move(tensors: list[Tensor]) -> None:
    """Bind tensors that share memory to a copy of it, at the same offsets."""
    arrays: list[Any] = [tensor._value for tensor in tensors]
    bounds = [np.lib.array_utils.byte_bounds(array) for array in arrays]
    start, stop = min(low for low, _ in bounds), max(high for _, high in bounds)
    owner = np.empty(stop - start, np.uint8)
    memory = Memory(owner)
    for array, tensor in zip(arrays, tensors):
        copy: np.ndarray = np.ndarray(array.shape, array.dtype, owner, array.__array_interface__["data"][0] - start, array.strides)
        copy[...] = array
        rebind(tensor, copy)
        memory.add(tensor)
