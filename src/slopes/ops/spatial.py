"""Convolution and pooling over any number of spatial axes: window views, then a contraction or a reduction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ArgumentError, ShapeError
from ..graph.build import build, constant
from ..graph.composite import composed
from ..graph.shape import window_count
from .activations import where
from .arrange import part
from .reduce import lowest
from .statistics import as_float

X = Any  # a Node or a Tensor
Sizes = tuple[int, ...]
Pairs = tuple[tuple[int, int], ...]


def per_axis(value: int | Sequence[int], rank: int, what: str, least: int = 1) -> Sizes:
    """One whole number for each spatial axis."""
    values = (value,) * rank if isinstance(value, (int, np.integer)) else tuple(value)
    if len(values) != rank or any(int(n) != n or n < least for n in values):
        raise ArgumentError(f"{what} {value!r} does not fit {rank} spatial axes",
                            why=f"it takes one whole number, {least} or more, for all axes or one for each")
    return tuple(int(n) for n in values)


def padding_pairs(padding: Any, kernel: Sizes, stride: Sizes, dilation: Sizes, what: str) -> Pairs:
    """(before, after) for each spatial axis, from a number, one number or pair per axis, "valid" or "same"."""
    if padding == "valid":
        return ((0, 0),) * len(kernel)
    if padding == "same":
        if any(s != 1 for s in stride):
            raise ArgumentError(f"{what}: padding='same' with stride {stride}",
                                why="only with stride 1 can the size stay the same", repair="give the padding as numbers")
        totals = [d * (k - 1) for k, d in zip(kernel, dilation)]
        return tuple((total // 2, total - total // 2) for total in totals)
    if isinstance(padding, str):
        raise ArgumentError(f"{what}: padding={padding!r} is not known", repair='give numbers, "same" or "valid"')
    if not isinstance(padding, (int, np.integer)) and any(not isinstance(width, (int, np.integer)) for width in padding):
        pairs = [tuple(width) if isinstance(width, Sequence) else (width, width) for width in padding]
        flat = per_axis([n for pair in pairs for n in pair], 2 * len(kernel), f"{what}: padding", 0)
        return tuple(zip(flat[::2], flat[1::2]))
    return tuple((n, n) for n in per_axis(padding, len(kernel), f"{what}: padding", 0))


def pad_spatial(x: X, pairs: Pairs, value: float = 0) -> X:
    """x with its last axes padded."""
    return build("pad", x, widths=(*((0, 0),) * (x.ndim - len(pairs)), *pairs), value=value)


def windows(x: X, size: Sizes, stride: Sizes, dilation: Sizes) -> X:
    """All windows over the last axes of x; the axes inside a window follow at the end."""
    axes = tuple(range(x.ndim - len(size), x.ndim))
    return build("window", x, axes=axes, size=size, stride=stride, dilation=dilation)


def check_fit(what: str, x: X, kernel: Sizes, dilation: Sizes, pairs: Pairs) -> None:
    """At least one window fits into the padded spatial axes."""
    for offset, (k, d, (low, high)) in enumerate(zip(kernel, dilation, pairs)):
        n, reach = x.shape[x.ndim - len(kernel) + offset], d * (k - 1) + 1
        if n + low + high < reach:
            padded = f", padded to {n + low + high}," if low or high else ""
            raise ShapeError(f"{what}: spatial axis {offset} of x {x.shape} has size {n}{padded} but the window needs {reach}",
                             why="not one window fits", repair="take a smaller window, more padding, or larger inputs")


@composed(2)
def convolution(x: X, w: X, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1) -> X:
    """y[n, o, p] = sum over c, k of x[n, c, stride p + dilation k - padding] w[o, c, k], for any number of spatial axes.

    x (N, C, *spatial), w (O, C / groups, *kernel) -> (N, O, *out);
    out = floor((in + padding - dilation (k - 1) - 1) / stride) + 1, padding counted on both sides.
    """
    check_channels("convolution", x, w, groups, w.shape[1] * groups if w.ndim > 1 else 0)
    kernel, rank = w.shape[2:], w.ndim - 2
    stride, dilation = per_axis(stride, rank, "convolution: stride"), per_axis(dilation, rank, "convolution: dilation")
    pairs = padding_pairs(padding, kernel, stride, dilation, "convolution")
    check_fit("convolution", x, kernel, dilation, pairs)
    x = pad_spatial(x, pairs)
    counts, inner = tuple(range(4, 4 + rank)), tuple(range(4 + rank, 4 + 2 * rank))
    if groups == 1:
        return build("contract", windows(x, kernel, stride, dilation), w, a_axes=(0, 1, *counts, *inner), b_axes=(2, 1, *inner),
                     out_axes=(0, 2, *counts))
    view = windows(grouped(x, 1, groups), kernel, stride, dilation)  # (N, G, C/G, *out, *kernel)
    y = build("contract", view, grouped(w, 0, groups), a_axes=(0, 3, 1, *counts, *inner), b_axes=(3, 2, 1, *inner),
              out_axes=(0, 3, 2, *counts))
    return build("reshape", y, shape=(x.shape[0], w.shape[0], *y.shape[3:]))


def grouped(x: X, axis: int, groups: int) -> X:
    """One axis as (groups, members)."""
    return build("reshape", x, shape=(*x.shape[:axis], groups, x.shape[axis] // groups, *x.shape[axis + 1:]))


def check_channels(what: str, x: X, w: X, groups: int, channels: int) -> None:
    """x and w have the same spatial axes, and the channels of x are those that w takes."""
    if w.ndim < 3 or x.ndim != w.ndim:
        raise ShapeError(f"{what}: x {x.shape} and weights {w.shape} differ in their number of axes",
                         why=f"{w.ndim - 2} spatial axes need x as (batch, channels, *spatial) of {w.ndim} axes",
                         repair="a single example needs a batch axis: x[None]" if x.ndim == w.ndim - 1 else "")
    outputs = w.shape[0]
    if groups < 1 or (what == "convolution" and outputs % groups):
        raise ArgumentError(f"{what}: {outputs} output channels do not divide into {groups} groups")
    if x.shape[1] != channels:
        raise ShapeError(f"{what}: x {x.shape} has {x.shape[1]} channels, but weights {w.shape} take {channels}",
                         why="the channels of x are its axis 1" + (f"; there are {groups} groups" if groups > 1 else ""),
                         repair="move the channels to axis 1: permute_dims(x, (0, -1, ...))" if x.shape[-1] == channels else "")


@composed(2)
def transposed_convolution(x: X, w: X, stride: Any = 1, padding: Any = 0, output_padding: Any = 0, dilation: Any = 1,
                           groups: int = 1) -> X:
    """The adjoint of convolution: each element of x places a scaled copy of the kernel, overlaps add.

    x (N, C, *spatial), w (C, O / groups, *kernel) -> (N, O, *out);
    out = (in - 1) stride - 2 padding + dilation (k - 1) + output_padding + 1.
    """
    check_channels("transposed convolution", x, w, groups, w.shape[0])
    if x.shape[1] % groups:
        raise ArgumentError(f"transposed convolution: {x.shape[1]} channels do not divide into {groups} groups")
    kernel, rank = w.shape[2:], w.ndim - 2
    stride, dilation, extra = (per_axis(value, rank, f"transposed convolution: {what}", least) for value, what, least in
                               ((stride, "stride", 1), (dilation, "dilation", 1), (output_padding, "output_padding", 0)))
    pairs = padding_pairs(padding, kernel, (1,) * rank, dilation, "transposed convolution")
    if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation)):
        raise ArgumentError(f"transposed convolution: output_padding {extra} is not below stride {stride} or dilation {dilation}")
    counts, inner = tuple(range(4, 4 + rank)), tuple(range(4 + rank, 4 + 2 * rank))
    y = build("contract", grouped(x, 1, groups), grouped(w, 0, groups), a_axes=(0, 3, 1, *counts), b_axes=(3, 1, 2, *inner),
              out_axes=(0, 3, 2, *counts, *inner))
    y = build("reshape", y, shape=(x.shape[0], w.shape[1] * groups, *y.shape[3:]))
    lengths = tuple((n - 1) * s + d * (k - 1) + 1 for n, s, d, k in zip(x.shape[2:], stride, dilation, kernel))
    y = build("unwindow", y, axes=tuple(range(2, 2 + rank)), size=kernel, stride=stride, dilation=dilation, lengths=lengths)
    return cropped(pad_spatial(y, tuple((0, max(0, e - high)) for e, (_, high) in zip(extra, pairs))), pairs, extra)


def cropped(y: X, pairs: Pairs, extra: Sizes) -> X:
    """y without its padding; rows that output_padding adds at the end are kept."""
    for axis, ((low, high), e) in enumerate(zip(pairs, extra), start=2):
        stop = y.shape[axis] - max(0, high - e)
        if stop <= low:
            raise ShapeError(f"transposed convolution: padding {(low, high)} leaves nothing of spatial axis {axis - 2}",
                             why=f"its size is {y.shape[axis]} before the padding is cut off")
        y = part(y, axis, low, stop)
    return y


def pool_parameters(what: str, x: X, size: Any, stride: Any, padding: Any, dilation: Any) -> tuple[Sizes, Sizes, Pairs, Sizes]:
    """Window, stride (by default the window), padding and dilation per pooled axis: the last ones of x.

    A size per axis says how many axes are pooled; one number pools all after batch and channels.
    """
    rank = x.ndim - 2 if isinstance(size, (int, np.integer)) else len(size)
    if not 1 <= rank <= x.ndim:
        raise ShapeError(f"{what}: window {size!r} on x {x.shape}", why="x has (batch, channels, *spatial) axes for one number, "
                         "or at least as many axes as the window has sizes")
    kernel = per_axis(size, rank, f"{what}: window")
    strides = kernel if stride is None else per_axis(stride, rank, f"{what}: stride")
    dilations = per_axis(dilation, rank, f"{what}: dilation")
    pairs = padding_pairs(padding, kernel, strides, dilations, what)
    if any(max(pair) * 2 > d * (k - 1) + 1 for pair, k, d in zip(pairs, kernel, dilations)):
        raise ArgumentError(f"{what}: padding {pairs} is more than half of the window {kernel}",
                            why="a window could hold padding only")
    check_fit(what, x, kernel, dilations, pairs)
    return kernel, strides, pairs, dilations


def reach_end(x: X, kernel: Sizes, stride: Sizes, pairs: Pairs, dilation: Sizes) -> Pairs:
    """The padding of ceil_mode: enough after each axis for a last window that begins inside of x or of its padding."""
    longer = []
    for n, k, s, (low, high), d in zip(x.shape[x.ndim - len(kernel):], kernel, stride, pairs, dilation):
        reach = d * (k - 1) + 1
        count = -(-(n + low + high - reach) // s) + 1
        count -= (count - 1) * s >= n + low
        longer.append((low, max(high, (count - 1) * s + reach - n - low)))
    return tuple(longer)


@composed(1)
def max_pool(x: X, size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False) -> X:
    """The largest element of each window over the last axes; of equals, the first gets the gradient. Padding never wins.

    With ceil_mode a last window may reach beyond the end."""
    kernel, stride, pairs, dilation = pool_parameters("max_pool", x, size, stride, padding, dilation)
    pairs = reach_end(x, kernel, stride, pairs, dilation) if ceil_mode else pairs
    view = windows(pad_spatial(x, pairs, lowest(x.dtype).item()), kernel, stride, dilation)
    return build("max_first", view, axes=tuple(range(x.ndim, x.ndim + len(kernel))))


@composed(1)
def max_pool_indices(x: X, size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False) -> X:
    """The index of the largest element of each window, the first of equals, in the flattened last axes of x without padding; int64."""
    kernel, stride, pairs, dilation = pool_parameters("max_pool", x, size, stride, padding, dilation)
    pairs = reach_end(x, kernel, stride, pairs, dilation) if ceil_mode else pairs
    lengths, inner = x.shape[x.ndim - len(kernel):], tuple(range(x.ndim, x.ndim + len(kernel)))
    count = int(np.prod(lengths))
    view = windows(pad_spatial(x, pairs, lowest(x.dtype).item()), kernel, stride, dilation)
    largest = build("max_first", view, axes=inner)
    largest = build("reshape", largest, shape=(*largest.shape, *(1,) * len(kernel)))
    indices = windows(pad_spatial(constant(np.arange(count).reshape(lengths)), pairs, count), kernel, stride, dilation)
    wins = build("bitwise_or", build("equal", view, largest), build("not_equal", view, view))  # NaN is the largest element
    return build("min", where(wins, indices, count), axes=inner)


@composed(1)
def avg_pool(x: X, size: Any, stride: Any = None, padding: Any = 0, count_include_pad: bool = True, ceil_mode: bool = False,
             divisor_override: int | None = None) -> X:
    """The mean of each window over the last axes; padded zeros count as elements unless count_include_pad is False.

    With ceil_mode a last window may reach beyond the end, where nothing counts; divisor_override divides every sum by one number.
    """
    x = as_float(x)
    kernel, stride, pairs, dilation = pool_parameters("avg_pool", x, size, stride, padding, 1)
    padded = reach_end(x, kernel, stride, pairs, dilation) if ceil_mode else pairs
    view = windows(pad_spatial(x, padded), kernel, stride, dilation)
    total = build("sum", view, axes=tuple(range(x.ndim, x.ndim + len(kernel))))
    if divisor_override is not None:
        return total / float(divisor_override)
    if count_include_pad and padded == pairs:
        return total / float(np.prod(kernel))
    lengths = x.shape[x.ndim - len(kernel):]
    counted = pairs if count_include_pad else ((0, 0),) * len(kernel)
    return total / constant(counts_in_windows(lengths, kernel, stride, padded, counted).astype(x.dtype))


def counts_in_windows(lengths: Sizes, kernel: Sizes, stride: Sizes, padded: Pairs, counted: Pairs) -> np.ndarray:
    """How many elements of each window are values, or padding that counts."""
    counts = np.ones((), dtype=np.int64)
    for n, k, s, (low, high), (before, after) in zip(lengths, kernel, stride, padded, counted):
        begin = np.arange(window_count(n + low + high, k, s, 1)) * s - low
        counts = np.multiply.outer(counts, np.minimum(begin + k, n + after) - np.maximum(begin, -before))
    return counts
