"""Tensors as sets of elements: which are distinct, how often each occurs, which are members of others."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..ops import composite
from ..tensor import Tensor, asarray, from_array, perform
from .creation import zeros
from .manipulation import concat
from .searching import beside, searchsorted, take

__all__ = ["isin", "unique", "unique_all", "unique_counts", "unique_inverse", "unique_values"]


class UniqueAll(NamedTuple):
    """The distinct elements, the index of the first of each, each element's index among them, and how often each occurs."""

    values: Tensor
    indices: Tensor
    inverse_indices: Tensor
    counts: Tensor


class UniqueCounts(NamedTuple):
    """The distinct elements, and how often each occurs."""

    values: Tensor
    counts: Tensor


class UniqueInverse(NamedTuple):
    """The distinct elements, and each element's index among them."""

    values: Tensor
    inverse_indices: Tensor


def unique(x: Any) -> Tensor:
    """The distinct elements in ascending order; the gradient goes to the first of equal elements. Each NaN is distinct.

    Raises TraceError while compiling, because the size depends on values.

    >>> sl.unique([3, 1, 3])
    tensor([1, 3])
    """
    return unique_all(x).values


def unique_values(x: Any) -> Tensor:
    """`unique` under its name in the Python array API.

    >>> sl.unique_values([3, 1, 3])
    tensor([1, 3])
    """
    return unique_all(x).values


def unique_all(x: Any) -> UniqueAll:
    """(values, indices, inverse_indices, counts): the distinct elements in ascending order, the index of the first of each in the
    flattened x, for each element of x its index among the values, in the shape of x, and how often each value occurs.

    Raises TraceError while compiling, because the sizes depend on values.

    >>> sl.unique_all([3, 1, 3]).counts
    tensor([1, 2])
    """
    x = asarray(x)
    array = x._known("nonzero")
    _, indices, inverse, counts = np.unique(array, return_index=True, return_inverse=True, return_counts=True, equal_nan=False)
    first, index, count = (from_array(part.astype(np.int64)) for part in (indices, inverse.reshape(array.shape), counts))
    return UniqueAll(perform("take", (x.flatten(), first), {"axis": 0}), first, index, count)


def unique_counts(x: Any) -> UniqueCounts:
    """(values, counts) of `unique_all`.

    >>> sl.unique_counts([3, 1, 3])
    UniqueCounts(values=tensor([1, 3]), counts=tensor([1, 2]))
    """
    result = unique_all(x)
    return UniqueCounts(result.values, result.counts)


def unique_inverse(x: Any) -> UniqueInverse:
    """(values, inverse_indices) of `unique_all`: values[inverse_indices] is x.

    >>> sl.unique_inverse([3, 1, 3]).inverse_indices
    tensor([1, 0, 1])
    """
    result = unique_all(x)
    return UniqueInverse(result.values, result.inverse_indices)


def isin(x: Any, elements: Any, invert: bool = False) -> Tensor:
    """Whether each element of x occurs among `elements`; with `invert` whether it does not. NaN equals nothing.

    >>> sl.isin([1, 2, 3], [3, 1])
    tensor([ True, False,  True])
    """
    x, elements = beside(elements, x), beside(x, elements).flatten()
    if not elements.size:
        members = zeros(x.shape, "bool")
    else:
        x, ordered = match(x, elements)
        ordered = composite.sort(ordered, -1, False)
        index = searchsorted(ordered, x)
        members = take(ordered, composite.where(index < ordered.shape[0], index, 0), 0) == x
    return ~members if invert else members


def match(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Both in their common type."""
    dtype = concat([x.flatten()[:0], y[:0]]).dtype
    return x.astype(dtype), y.astype(dtype)
