"""The state of programs on the device: values that stay there between calls, and what a call leaves in tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from ..errors import DeviceError
from ..extras import require
from ..owned import copy_to_device, lend, move_to_device
from ..tensor import Tensor

Arrays = list[Any]  # of JAX


class OnDevice:
    """The value of a tensor on the device: a `tensor_fields.Remote`."""

    def __init__(self, array: Any) -> None:
        self.array, self.is_here = array, False
        self.shape, self.dtype = array.shape, array.dtype

    def fetch(self) -> np.ndarray:
        """A read-only copy. Raises DeviceError where an error of the device ended a call that was to replace the value."""
        settle()
        if self.array.is_deleted():
            raise DeviceError("the value of this tensor is lost", why="a call that replaces it gave its memory to the device, and then "
                              "failed, for example because the memory was full", repair="load a checkpoint, or make the network again")
        array = gather(self.array)
        array.flags.writeable = False
        return array


class Handover:
    """A call that replaces the values of tensors: their new values are the last of its results."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self.tensors, self.results = tensors, []  # type: ignore[var-annotated]

    def settle(self) -> None:
        """Let the tensors have their new values, if they are computed."""
        for x, array in zip(self.tensors, self.results[0][-1] if self.results else ()):
            replace(x, array)
        if self.results:
            self.tensors = ()


_handovers: list[Handover] = []  # calls that go on, of which one may interrupt another, or that were interrupted


def settle() -> None:
    """Let tensors have what the device has computed: signal handlers run between any two steps of Python, and may raise."""
    for handover in _handovers:
        handover.settle()
    _handovers[:] = [handover for handover in _handovers if handover.tensors]


def call(function: Callable[..., Any], args: Sequence[Any], tensors: Sequence[Tensor]) -> Any:
    """The results of a function of JAX, of which the last are new values for tensors. `versions.gate` is held.

    The old ones are gone when the function has run. So Ctrl-C must not come before the new ones are known: the function, which is not one
    of Python, is called and its results are kept in one step of Python.
    """
    handover = Handover(tensors)
    try:
        try:
            _handovers.append(handover)
            handover.results.extend(map(function, *[(arg,) for arg in args]))
        finally:
            settle()
    finally:  # once more: Ctrl-C may come at the beginning of the first time
        settle()
        if not handover.results:
            handover.tensors = ()  # it failed
    return handover.results[0]


def read(jax: Any, x: Tensor, division: Any = None, keep: bool = False) -> Any:
    """The value of a tensor on the device, or divided among several, or one that JAX copies there; `keep` it there for later calls,
    which only read it."""
    if isinstance(x._remote, OnDevice):
        if is_divided(x._remote.array, division):
            return x._remote.array
        return put(jax, x._remote.fetch().copy(), division)
    array = copy_to_device(x).copy()  # of its own: JAX may use the memory that it is given
    if division is not None or keep:
        array = put(jax, array, division)
    if keep:
        lend(x, OnDevice(array))
    return array


def is_divided(array: Any, division: Any) -> bool:
    """Whether an array lies on the devices as this sharding says; None: on one device."""
    if division is None:
        return len(array.sharding.device_set) == 1
    return array.sharding == division or bool(array.sharding.is_equivalent_to(division, array.ndim))


def put(jax: Any, array: np.ndarray, division: Any) -> Any:
    """An array on the device, or divided among several, of which each one gets its part only."""
    if division is None:
        return jax.device_put(array)
    return jax.make_array_from_callback(array.shape, division, lambda part: np.asarray(array[part], order="C"))


def gather(array: Any) -> np.ndarray:
    """The whole of an array. Parts on devices of other processes are gathered, which all processes have to do together."""
    if not array.is_fully_addressable and not array.is_fully_replicated:
        array = gatherer(array.sharding.mesh)(array)
    return np.array(array)


@cache
def gatherer(mesh: Any) -> Callable[[Any], Any]:
    """A program that puts the whole of an array on every device of a mesh."""
    jax = require("jax", extra="xla")
    whole = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    return jax.jit(lambda x: x, out_shardings=whole)  # type: ignore[no-any-return]


def replace(x: Tensor, array: Any) -> None:
    """Let an array on the device be the value of a tensor."""
    remote = x._remote if isinstance(x._remote, OnDevice) else OnDevice(array)
    remote.array = array
    move_to_device(x, remote)
