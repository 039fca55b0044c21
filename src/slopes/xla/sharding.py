"""How the values of a captured function are divided among the devices of a mesh."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..capture import Captured, Value
from ..parameter import Parameter
from .mesh import DATA, Mesh
from .state import put
from .tables import Parts, split_parameters


class Sharding:
    """Which axes of the arguments and the state of a captured function are split along which axes of a mesh.

    Batches are split along `data`: of a call all arguments of at least one axis, of `many` those that move with the step. Padded rows
    at their end, which make the parts equal, are cut off in the program.

    inputs   for each input the parts of its axes, in one step
    padded   for each input the size of its first axis with the rows that are filled up; None where there are none
    state    for each tensor of the state the parts of its axes
    """

    def __init__(self, mesh: Mesh, captured: Captured) -> None:
        self.mesh, self.captured = mesh, captured
        self.inputs = [self.batch_parts(value) for value in captured.inputs]
        self.padded = [mesh.padded(value.node.shape[0]) if DATA in parts and value.node.shape[0] % mesh.data else None
                       for value, parts in zip(captured.inputs, self.inputs)]
        self.state = state_parts(mesh, captured.state)

    def batch_parts(self, value: Value) -> Parts:
        """The parts of an input's axes."""
        node, moves = value.node, not self.captured.stepped or value.leaf in self.captured.stepped
        is_batch = moves and node.ndim and node.shape[0] and DATA in self.mesh.axes
        return (DATA, *(None,) * (node.ndim - 1)) if is_batch else (None,) * node.ndim

    def step_shape(self, i: int) -> tuple[int, ...]:
        """The shape of an input in one step, filled up."""
        shape: tuple[int, ...] = self.captured.inputs[i].node.shape
        padded = self.padded[i]
        return shape if padded is None else (padded, *shape[1:])

    def put_input(self, i: int, array: np.ndarray, jax: Any, stepped: bool) -> Any:
        """An argument on the devices; `stepped` ones have the step as their first axis. Only rows of this process's devices are read."""
        padded = self.padded[i]
        if padded is not None:
            array = fill_up(array, int(stepped), padded)
        return put(jax, array, self.mesh.sharding((None,) * stepped + self.inputs[i]))

    def cut(self, i: int, x: Any) -> Any:
        """An argument of one step in the program, without the rows that were filled up."""
        return x if self.padded[i] is None else x[:self.captured.inputs[i].node.shape[0]]

    def same_as(self, other: Sharding) -> bool:
        """Whether both divide everything in the same way."""
        return self.mesh == other.mesh and self.inputs == other.inputs and self.padded == other.padded and self.state == other.state


def fill_up(array: np.ndarray, axis: int, size: int) -> np.ndarray:
    """The array with zeros behind, up to this size of an axis."""
    shape = list(array.shape)
    shape[axis] = size
    whole = np.zeros(shape, array.dtype)
    whole[(slice(None),) * axis + (slice(array.shape[axis]),)] = array
    return whole


def state_parts(mesh: Mesh, state: Sequence[Value]) -> list[Parts]:
    """The parts of each tensor of the state: of parameters by the table, of what belongs to a parameter as the parameter."""
    shapes = {relative(value.path): value.node.shape for value in state if isinstance(value.tensor, Parameter)}
    table = split_parameters(shapes, mesh.split, mesh.axes) if mesh.split and shapes else {}
    return [parts_of(mesh, value, shapes, table) for value in state]


def parts_of(mesh: Mesh, value: Value, shapes: dict[str, tuple[int, ...]], table: dict[str, Parts]) -> Parts:
    """The parts of one tensor of the state."""
    path, shape = relative(value.path), value.node.shape
    whole = (None,) * len(shape)
    if isinstance(value.tensor, Parameter):
        return table.get(path, whole)
    owner = next((name for name in (path, path.rpartition(".")[0]) if shapes.get(name) == shape), None)
    if owner is None:
        return whole
    parts = table.get(owner, whole)
    return zero_parts(parts, shape, mesh.data) if mesh.zero and mesh.data > 1 else parts


def zero_parts(parts: Parts, shape: tuple[int, ...], count: int) -> Parts:
    """The parts with the first axis that is whole and divides split along `data`, if there is one.

    >>> zero_parts((None, None), (3, 8), 4)
    (None, 'data')
    """
    i = next((i for i, (part, size) in enumerate(zip(parts, shape)) if part is None and size and size % count == 0), None)
    return parts if i is None else (*parts[:i], DATA, *parts[i + 1:])


def relative(path: str) -> str:
    """A path without the name of the object that it begins with.

    >>> relative("net.0.weight"), relative("optimizer.0.weight.exp_avg"), relative("weight")
    ('0.weight', '0.weight.exp_avg', 'weight')
    """
    return path.partition(".")[2] or path
