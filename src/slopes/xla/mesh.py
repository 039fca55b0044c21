"""A mesh: devices in a grid whose axes have names, how batches, parameters and optimizer state are divided among them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import ArgumentError
from .library import load_jax
from .tables import TABLES, Table

DATA = "data"  # the axis along which batches are split


class Mesh:
    """Devices in a grid with named axes: see `mesh`.

    axes    the number of devices along each axis, by name
    split   which axes of which parameters are split along which axes of the mesh
    zero    whether optimizer state is split along `data`
    """

    def __init__(self, axes: Mapping[str, int], split: Table, zero: bool) -> None:
        self.axes, self.split, self.zero = dict(axes), split, zero

    @property
    def size(self) -> int:
        """The number of devices."""
        return math.prod(self.axes.values())

    @property
    def data(self) -> int:
        """The number of parts that a batch is split into."""
        return self.axes.get(DATA, 1)

    @cached_property
    def devices(self) -> Any:
        """The devices as JAX's mesh. Raises ArgumentError if there are too few."""
        jax = load_jax()
        devices = jax.devices()
        if len(devices) < self.size:
            raise too_few(self, devices)
        if unused := sorted({device.process_index for device in devices} - {device.process_index for device in devices[:self.size]}):
            raise ArgumentError(f"a mesh of {self.size} devices leaves process {unused[0]} without one",
                                why=f"the {jax.process_count()} processes have {len(devices)} devices together",
                                repair=f"make a mesh of {len(devices)} devices, or start fewer processes")
        kinds = (jax.sharding.AxisType.Auto,) * len(self.axes)
        return jax.make_mesh(tuple(self.axes.values()), tuple(self.axes), axis_types=kinds, devices=devices[:self.size])

    def sharding(self, parts: Sequence[str | None] = ()) -> Any:
        """JAX's sharding of an array whose axes are split along these axes of the mesh."""
        sharding = load_jax().sharding
        return sharding.NamedSharding(self.devices, sharding.PartitionSpec(*parts))

    def padded(self, batch: int) -> int:
        """The size of a batch that is filled up to whole parts."""
        return -(-batch // self.data) * self.data

    def rows(self, batch: int) -> np.ndarray:
        """Which rows of a batch the devices of this process compute with."""
        held = self.sharding((DATA,) if DATA in self.axes else ()).addressable_devices_indices_map((self.padded(batch),))
        rows = np.unique(np.concatenate([np.arange(self.padded(batch))[part] for part, in held.values()]))
        return rows[rows < batch]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mesh) and (self.axes, self.split, self.zero) == (other.axes, other.split, other.zero)

    def __hash__(self) -> int:
        return hash((tuple(self.axes.items()), self.zero))

    def __reduce__(self) -> tuple[Any, ...]:
        return Mesh, (self.axes, self.split, self.zero)

    def __repr__(self) -> str:
        more = [f"split={self.split}"] * bool(self.split) + ["zero=True"] * self.zero
        return f"mesh({', '.join([*(f'{name}={count}' for name, count in self.axes.items()), *more])})"


def mesh(*, split: str | Table | None = None, zero: bool = False, **axes: int) -> Mesh:
    """Devices in a grid with named axes, for `fit(..., backend="xla", mesh=mesh(data=4, model=2))`, `sl.compile` and `sl.evaluate`.

    axes    the number of devices along each axis; their product are the devices that are used, the first of `jax.devices()`.
            Batches are split along `data`. Other names are free, for use in `split`
    split   which parameters are split: path patterns as in fnmatch, with the axis of the mesh for each axis of the parameter, None for
            those that stay whole: {"classifier.*.weight": ("model", None)}. The first pattern that matches counts, parameters without
            one are whole, and optimizer state and averages are split as their parameters. Or the name of a ready table: "towers"
            (AlexNet's two towers), "wide" (MLPs), "megatron" (transformer blocks); all split along `model`
    zero    True: optimizer state is also split along `data`, on the first axis that divides (ZeRO-1); each device updates its part

    Losses and random numbers are those of one device, up to rounding: a batch norm is that of the whole batch, and a batch that does not
    divide is filled up with rows that no result depends on.

    Raises ArgumentError for axes that are no positive integers, an unknown table and a mesh of more devices than there are; at the first
    call for a pattern that matches no parameter and an axis that does not divide. MissingExtraError without jax.

    Source: Xu et al., "GSPMD: general and scalable parallelization for ML computation graphs" (2021); Rajbhandari et al., "ZeRO: memory
    optimizations toward training trillion parameter models" (2020).

    >>> import slopes as sl
    >>> step = sl.compile(lambda x: (x * 2).sum(), backend="xla", mesh=sl.mesh(data=1))  # doctest: +SKIP
    >>> step(sl.ones(8))  # doctest: +SKIP
    tensor(16.)
    """
    for name, count in axes.items():
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise ArgumentError(f"mesh: {name}={count!r}", why="an axis has a whole number of devices, at least 1",
                                repair="for example mesh(data=4, model=2)")
    if not axes:
        raise ArgumentError("mesh: it has no axis", repair="name one: mesh(data=4) splits batches among 4 devices")
    made = Mesh(axes, find_table(split, axes), zero)
    made.devices  # noqa: B018  (raises for devices that are not there)
    return made


def find_table(split: str | Table | None, axes: Mapping[str, int]) -> Table:
    """The table, or the ready one of this name; it may name axes of the mesh only."""
    if isinstance(split, str) and split not in TABLES:
        raise ArgumentError(f"mesh: no table is called {split!r}", why="ready tables are " + ", ".join(TABLES),
                            repair='name one of them, or give patterns: split={"classifier.*.weight": ("model", None)}')
    table = TABLES[split] if isinstance(split, str) else split or {}
    for pattern, parts in table.items():
        parts = parts if isinstance(parts, tuple) else (parts,)
        if unknown := [part for part in parts if part not in (None, ..., *axes)]:
            raise ArgumentError(f"mesh: split[{pattern!r}] is {parts}", why=f"{unknown[0]!r} is no axis of this mesh, which has "
                                f"{', '.join(axes)}", repair=f"add the axis: mesh({unknown[0]}=2, ...), or name another one")
    return table


def too_few(mesh: Mesh, devices: Sequence[Any]) -> ArgumentError:
    """The error for a mesh of more devices than there are."""
    kind = devices[0].platform
    more = ("for a trial, one processor can stand for several devices: set XLA_FLAGS=--xla_force_host_platform_device_count="
            f"{mesh.size} before Python starts" if kind == "cpu" else "use fewer devices, or start more processes: slopes launch")
    return ArgumentError(f"{mesh!r} needs {mesh.size} devices", why=f"JAX has {len(devices)}: {kind}", repair=more)


def parse_mesh(text: str, split: str | None = None, zero: bool = False) -> Mesh:
    """The mesh of a command line, `data=4,model=2`."""
    return mesh(split=split, zero=zero, **parse_axes(text))


def parse_axes(text: str) -> dict[str, int]:
    """The axes of a mesh on a command line.

    >>> parse_axes("data=4,model=2")
    {'data': 4, 'model': 2}
    """
    axes = {}
    for part in text.split(","):
        name, _, count = part.partition("=")
        if not name.isidentifier() or name in ("split", "zero") or not count.isdecimal():
            raise ArgumentError(f"--mesh {text}: {part!r} is no axis", why="an axis is NAME=DEVICES",
                                repair="such as --mesh data=4,model=2")
        axes[name] = int(count)
    return axes
