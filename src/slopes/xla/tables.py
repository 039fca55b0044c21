"""Tables that say which axes of which parameters are split, and what they mean for the parameters of a network."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from ..errors import ArgumentError

Parts = tuple[Any, ...]  # for each axis of a parameter the axis of the mesh or None; ... at the end: the others are whole
Table = Mapping[str, Parts]
Shape = tuple[int, ...]


class ReadyTable(dict[str, Parts]):
    """A table for many networks: parameters whose axes do not fit or do not divide stay whole."""


# Krizhevsky's two GPUs: half of the units of each layer on each device.
TOWERS = ReadyTable({"*.weight": ("model", ...), "*.bias": ("model", ...)})
# Half of the output units of each dense layer.
WIDE = ReadyTable({"*.weight": ("model", None), "*.bias": ("model",)})
# Shoeybi et al., "Megatron-LM" (2019), section 3: attention by heads, the first layer of each MLP by outputs, the second by inputs.
MEGATRON = ReadyTable({"*.in_proj_weight": ("model", None), "*.in_proj_bias": ("model",), "*.?_proj_weight": ("model", None),
                       "*.out_proj.weight": (None, "model"), "*.linear1.weight": ("model", None), "*.linear1.bias": ("model",),
                       "*.linear2.weight": (None, "model")})
TABLES: dict[str, Table] = {"towers": TOWERS, "wide": WIDE, "megatron": MEGATRON}


def split_parameters(shapes: Mapping[str, Shape], table: Table, axes: Mapping[str, int]) -> dict[str, Parts]:
    """The axis of the mesh for each axis of the parameters that are split, by path.

    Raises ArgumentError for a pattern that matches no parameter, and one that fits a parameter badly.

    >>> split_parameters({"0.weight": (8, 3), "0.bias": (8,)}, {"*.weight": ("model", None)}, {"model": 2})
    {'0.weight': ('model', None)}
    """
    matched = {path: pattern for path in shapes if (pattern := first_match(path, table)) is not None}
    ready = isinstance(table, ReadyTable)
    result = {path: parts for path, pattern in matched.items() if (parts := fitted(path, shapes[path], pattern, table, axes)) is not None}
    for pattern in table:
        if not ready and not any(fnmatchcase(path, pattern) for path in shapes):
            raise no_match(pattern, shapes)
    if ready and not result:
        raise ArgumentError("mesh: no parameter is split by this table", why=f"none fits {', '.join(table)} and divides by "
                            f"{', '.join(f'{axis}={count}' for axis, count in axes.items())}", repair="give patterns of your own in split=")
    return result


def first_match(path: str, table: Table) -> str | None:
    """The first pattern that matches a path."""
    return next((pattern for pattern in table if fnmatchcase(path, pattern)), None)


def fitted(path: str, shape: Shape, pattern: str, table: Table, axes: Mapping[str, int]) -> Parts | None:
    """The parts of a parameter's axes; None where it stays whole. Raises ArgumentError where a table of the user's does not fit."""
    parts = full_length(table[pattern], len(shape))
    wrong = next((i for i, part in enumerate(parts or ()) if part is not None and shape[i] % axes[part]), None)
    if isinstance(table, ReadyTable):
        return parts if wrong is None else None
    if parts is not None and wrong is None:
        return parts
    if parts is None or wrong is None:
        raise ArgumentError(f"mesh: split[{pattern!r}] has {len(table[pattern])} axes, {path} has the shape {shape}",
                            repair='name an axis of the mesh or None for each axis; ("model", ...) leaves the others whole')
    raise ArgumentError(f"mesh: axis {wrong} of {path}, of size {shape[wrong]}, is not split into {axes[parts[wrong]]} equal parts",
                        why=f"split[{pattern!r}] is {parts}, and {parts[wrong]}={axes[parts[wrong]]}; its shape is {shape}",
                        repair="split another axis, change the size of the layer, or leave it whole: None")


def full_length(parts: Parts, ndim: int) -> Parts | None:
    """The parts of all axes; None if there are too many or too few."""
    parts = parts if isinstance(parts, tuple) else (parts,)
    if parts[-1:] == (...,) and len(parts) <= ndim + 1:
        parts = parts[:-1] + (None,) * (ndim + 1 - len(parts))
    return parts if len(parts) == ndim else None


def no_match(pattern: str, shapes: Mapping[str, Shape]) -> ArgumentError:
    """The error for a pattern without a parameter."""
    few = list(shapes)[:8]
    more = f" and {len(shapes) - len(few)} more" if len(shapes) > len(few) else ""
    return ArgumentError(f"mesh: {pattern!r} matches no parameter", why=f"there are {', '.join(few)}{more}",
                         repair='use * for any part of a path, such as "*.weight"')
