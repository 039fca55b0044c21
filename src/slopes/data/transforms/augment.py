"""Data augmentation of image batches: shift, crop, flip, rotate, erase, noise, mixup.

Functions of a batch (N, C, H, W) of floats, on tensors, so that they run in eager mode and in compiled steps. Each example has its
own random numbers, from `generator` or from the default one, which `slopes.seed` and `fit` seed: results are reproducible.

>>> import slopes as sl
>>> from slopes.data import augment
>>> pictures = sl.uniform((8, 1, 28, 28))
>>> augment.flip(augment.shift(pictures, 2)).shape
(8, 1, 28, 28)
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import functions as F
from ...errors import ArgumentError, DTypeError, ShapeError
from ...random import Generator, bernoulli, integers, normal, permutation, uniform
from ...tensor import Tensor, asarray

Numbers = int | float


def shift(x: Any, by: int | tuple[int, int], fill: float | None = 0.0, generator: Generator | None = None) -> Tensor:
    """Shift each image by a random number of pixels, up to `by` (vertically and horizontally, or a pair) in both directions.

    y[n, c, i, j] = x[n, c, i - r_n, j - s_n], and `fill` where that lies outside (None: the nearest pixel of the edge); r_n from
    -by[0] to by[0], s_n from -by[1] to by[1]. x: (N, C, H, W) floats; y: the same. Raises ShapeError for other shapes,
    ArgumentError for negative distances.
    Source: Simard, Steinkraus, Platt, "Best practices for convolutional neural networks", 2003.

    >>> import slopes as sl
    >>> from slopes.data import augment
    >>> augment.shift(sl.ones((1, 1, 2, 3)), (0, 1), generator=sl.Generator(1)).shape
    (1, 1, 2, 3)
    """
    x = pictures("shift", x)
    down, right = pair("shift: by", by)
    height, width = x.shape[2:]
    rows = F.arange(height).reshape((1, height)) - whole(-down, down, x.shape[0], generator)  # (N, H)
    columns = F.arange(width).reshape((1, width)) - whole(-right, right, x.shape[0], generator)  # (N, W)
    return gather_pixels(x, rows, columns, fill)


def crop(x: Any, size: int | tuple[int, int], generator: Generator | None = None) -> Tensor:
    """Crop each image to `size` (height and width) at a random position.

    y[n, c, i, j] = x[n, c, i + r_n, j + s_n]; r_n from 0 to H - size[0], s_n from 0 to W - size[1]. x: (N, C, H, W) floats;
    y: (N, C, *size). With padding first, crop(sl.pad(x, ...), size) is `shift`. Raises
    ShapeError if size is larger than the image. Source: Krizhevsky, Sutskever, Hinton, "ImageNet classification", 2012.

    >>> import slopes as sl
    >>> from slopes.data import augment
    >>> augment.crop(sl.zeros((2, 3, 32, 32)), 28).shape
    (2, 3, 28, 28)
    """
    x = pictures("crop", x)
    (height, width), (tall, wide) = x.shape[2:], pair("crop: size", size, least=1)
    if tall > height or wide > width:
        raise ShapeError(f"crop: a part of {tall} x {wide} pixels is larger than pictures of {height} x {width}",
                         repair="use a smaller size, or pad first")
    rows = F.arange(tall).reshape((1, tall)) + whole(0, height - tall, x.shape[0], generator)
    columns = F.arange(wide).reshape((1, wide)) + whole(0, width - wide, x.shape[0], generator)
    return gather_pixels(x, rows, columns, None)


def flip(x: Any, p: float = 0.5, axis: int = 3, generator: Generator | None = None) -> Tensor:
    """Flip each image with probability p: horizontally (axis 3) or vertically (axis 2).

    x: (N, C, H, W); y: the same. Not for images whose mirror image has another meaning, such as digits.
    Raises ArgumentError for another axis or probability.

    >>> import slopes as sl
    >>> from slopes.data import augment
    >>> augment.flip(sl.tensor([[[[1., 2., 3.]]]]), p=1.0)
    tensor([[[[3., 2., 1.]]]])
    """
    x = pictures("flip", x)
    if axis not in (2, 3):
        raise ArgumentError(f"flip: axis is {axis!r}", repair="use 3 for left and right, 2 for top and bottom")
    return F.where(chance("flip", p, x.shape[0], generator), F.flip(x, axis=axis), x)


def rotate(x: Any, degrees: float, fill: float | None = 0.0, zoom: float = 0.0, generator: Generator | None = None) -> Tensor:
    """Rotate each image about its centre by a random angle up to `degrees`, and scale it by a random factor in 1 - zoom..1 + zoom.

    y at (u, v) is x at (u cos a - v sin a, u sin a + v cos a) / s, where u runs down and v to the right from the middle; between
    pixels x is interpolated linearly in both directions, outside it is `fill` (None: the nearest pixel of the edge). x: (N, C, H, W)
    floats; y: the same. Raises ArgumentError for negative degrees or a zoom outside [0, 1).
    Source: Simard, Steinkraus, Platt, "Best practices for convolutional neural networks", 2003.

    >>> import slopes as sl
    >>> from slopes.data import augment
    >>> augment.rotate(sl.ones((2, 1, 8, 8)), degrees=10, zoom=0.1).shape
    (2, 1, 8, 8)
    """
    x = pictures("rotate", x)
    if not degrees >= 0 or not 0 <= zoom < 1:
        raise ArgumentError(f"rotate: degrees={degrees}, zoom={zoom}", why="degrees are at least 0, zoom lies in [0, 1)")
    n, (height, width) = x.shape[0], x.shape[2:]
    angle = uniform((n, 1, 1), -math.radians(degrees), math.radians(degrees), dtype=x.dtype, generator=generator)
    scale = uniform((n, 1, 1), 1 - zoom, 1 + zoom, dtype=x.dtype, generator=generator) if zoom else 1.0
    down = (F.arange(height, dtype=x.dtype) - (height - 1) / 2).reshape((1, height, 1))
    right = (F.arange(width, dtype=x.dtype) - (width - 1) / 2).reshape((1, 1, width))
    rows = (down * F.cos(angle) - right * F.sin(angle)) / scale + (height - 1) / 2  # (N, H, W): where each pixel comes from
    columns = (down * F.sin(angle) + right * F.cos(angle)) / scale + (width - 1) / 2
    return interpolate(x, rows, columns, fill)


def erase(x: Any, size: int | tuple[int, int], p: float = 1.0, fill: float = 0.0, generator: Generator | None = None) -> Tensor:
    """With probability p, replace a random rectangle of height and width `size` of each image by `fill`.

    Its centre is uniform over the pixels, so it may extend over the edge. x: (N, C, H, W) floats; y: the same.
    Source: DeVries, Taylor, "Improved regularization of convolutional neural networks with cutout", 2017.

    >>> import slopes as sl
    >>> from slopes.data import augment
    >>> int(augment.erase(sl.ones((1, 1, 9, 9)), 3).sum()) in (81 - 9, 81 - 6, 81 - 4)
    True
    """
    x = pictures("erase", x)
    (height, width), (tall, wide) = x.shape[2:], pair("erase: size", size, least=1)
    n = x.shape[0]
    top, left = (whole(0, length - 1, n, generator) - extent // 2 for length, extent in ((height, tall), (width, wide)))
    rows, columns = F.arange(height).reshape((1, height)) - top, F.arange(width).reshape((1, width)) - left
    inside = within(rows, tall).reshape((n, 1, height, 1)) & within(columns, wide).reshape((n, 1, 1, width))
    if p < 1:
        inside = inside & chance("erase", p, n, generator)
    return F.where(inside, fill, x)


def noise(x: Any, std: float, generator: Generator | None = None) -> Tensor:
    """y = x + e, e normal with mean 0 and standard deviation std, drawn for every element. x: floats of any shape; y: the same.

    For small noise this is equivalent to adding std^2 / 2 times the squared gradient of the loss with respect to the inputs.
    Raises ArgumentError for a negative std. Source: Bishop, "Training with noise is equivalent to Tikhonov regularization", 1995.

    >>> import slopes as sl
    >>> from slopes.data import augment
    >>> augment.noise(sl.zeros((2, 3)), 0.1).shape
    (2, 3)
    """
    x = floats("noise", x)
    if not std >= 0:
        raise ArgumentError(f"noise: std is {std}", why="a deviation is at least 0")
    return x + normal(x.shape, std=std, dtype=x.dtype, generator=generator)


def mixup(x: Any, targets: Any, classes: int | None = None, alpha: float = 0.2,
          generator: Generator | None = None) -> tuple[Tensor, Tensor]:
    """Mix each example, and its target, with another example of the batch.

    y_n = w_n x_n + (1 - w_n) x_m(n), t_n likewise; m is a random permutation, w_n ~ Beta(alpha, alpha). Integer targets (N,) are
    first made one-hot, (N, classes); floats (N, ...), one-hot or numbers, are mixed as they are. `nn.cross_entropy` takes the
    mixed classes as probabilities. Raises ArgumentError without `classes` for integer targets, and for alpha not above 0.
    Source: Zhang, Cisse, Dauphin, Lopez-Paz, "mixup: beyond empirical risk minimization", 2018.

    >>> import slopes as sl
    >>> from slopes.data import augment
    >>> x, t = augment.mixup(sl.zeros((4, 1, 8, 8)), sl.tensor([0, 1, 2, 1]), classes=3)
    >>> t.shape, bool((abs(t.sum(axis=1) - 1) < 1e-6).all())
    ((4, 3), True)
    """
    x, targets = floats("mixup", x), asarray(targets)
    if not alpha > 0:
        raise ArgumentError(f"mixup: alpha is {alpha}", why="it is the parameter of a beta distribution, above 0")
    if targets.dtype.kind in "iu":
        if classes is None:
            raise ArgumentError("mixup: targets are integers", why="classes are mixed as probabilities",
                                repair="say how many there are: mixup(x, targets, classes=10)")
        targets = F.one_hot(targets, classes).astype(x.dtype)
    n = x.shape[0]
    share, other = beta(alpha, n, generator).astype(x.dtype), permutation(n, generator)

    def mixed(values: Tensor) -> Tensor:
        own = share.reshape((n,) + (1,) * (values.ndim - 1))
        return own * values + (1 - own) * F.take(values, other, axis=0)

    return mixed(x), mixed(targets.astype(x.dtype))


def beta(alpha: float, n: int, generator: Generator | None = None) -> Tensor:
    """n samples of Beta(alpha, alpha) without rejection, (n,) float32.

    1/2 + sign(c) / 2 sqrt((1 - s) c^2 / (s + (1 - s) c^2)), s = u^(1 / alpha), c = cos(2 pi v), u and v even in (0, 1): Bailey's
    polar method for Student's t distribution, carried over. Source: Devroye, "Random variate generation in one line of code", 1996.
    """
    u = uniform((n,), generator=generator) + 2.0**-25
    c = F.cos(2 * math.pi * uniform((n,), generator=generator))
    s = F.exp(F.log(u) * (1 / alpha))
    wide = (1 - s) * c * c
    return 0.5 + 0.5 * F.sign(c) * F.sqrt(wide / (s + wide))


# Common parts


def floats(name: str, x: Any) -> Tensor:
    """The batch, of floats."""
    x = asarray(x)
    if x.dtype.kind != "f" or not x.ndim:
        raise DTypeError(f"{name}: the batch is {x.dtype} of shape {x.shape}, not floats",
                         repair="of bytes make floats first: x.astype(slopes.float32) / 255")
    return x


def pictures(name: str, x: Any) -> Tensor:
    """The batch of pictures."""
    x = floats(name, x)
    if x.ndim != 4:
        raise ShapeError(f"{name}: the batch has shape {x.shape}", why="pictures are (N, C, H, W)",
                         repair="x.reshape((n, 1, height, width)) for grey ones without a channel axis")
    return x


def pair(name: str, value: int | tuple[int, int], least: int = 0) -> tuple[int, int]:
    """(down, right), both whole numbers."""
    both = (value, value) if isinstance(value, (int, np.integer)) else tuple(value)
    if len(both) != 2 or not all(isinstance(extent, (int, np.integer)) and extent >= least for extent in both):
        raise ArgumentError(f"{name} is {value!r}", why=f"it is one whole number of at least {least}, or two: (height, width)")
    return int(both[0]), int(both[1])


def whole(low: int, high: int, n: int, generator: Generator | None) -> Tensor:
    """A whole number from low to high for each example, (n, 1) int64."""
    return integers(low, high + 1, (n, 1), generator)


def chance(name: str, p: float, n: int, generator: Generator | None) -> Tensor:
    """True with probability p for each example, (n, 1, 1, 1)."""
    if not 0 <= p <= 1:
        raise ArgumentError(f"{name}: p is {p}", why="a probability lies between 0 and 1")
    return bernoulli(p, (n, 1, 1, 1), generator)


def within(indices: Tensor, length: int) -> Tensor:
    """Whether an index lies in 0..length - 1."""
    return (indices >= 0) & (indices < length)


def gather_pixels(x: Tensor, rows: Tensor, columns: Tensor, fill: float | None) -> Tensor:
    """y[n, c, i, j] = x[n, c, rows[n, i], columns[n, j]], and `fill` where that lies outside (None: the nearest pixel)."""
    n, _, height, width = x.shape
    indices = F.clip(rows, 0, height - 1).reshape((n, -1, 1)) * width + F.clip(columns, 0, width - 1).reshape((n, 1, -1))
    pixels = at(x, indices)
    if fill is None:
        return pixels
    known = within(rows, height).reshape((n, 1, -1, 1)) & within(columns, width).reshape((n, 1, 1, -1))
    return F.where(known, pixels, fill)


def at(x: Tensor, indices: Tensor) -> Tensor:
    """y[n, c, i, j] = x[n, c] at indices[n, i, j] of its pixels, counted row by row."""
    n, channels, height, width = x.shape
    _, tall, wide = indices.shape
    flat = indices.reshape((n, 1, tall * wide)) + (F.arange(n * channels) * (height * width)).reshape((n, channels, 1))
    return F.take(x.reshape((-1,)), flat, axis=0).reshape((n, channels, tall, wide))


def interpolate(x: Tensor, rows: Tensor, columns: Tensor, fill: float | None) -> Tensor:
    """Bilinear interpolation of the images at fractional rows and columns (N, H, W); `fill` outside (None: the nearest pixel)."""
    n, _, height, width = x.shape
    top, left = F.floor(rows), F.floor(columns)
    total: Any = 0.0
    for down in (0, 1):
        for right in (0, 1):
            row, column = (top + down).astype(np.int64), (left + right).astype(np.int64)
            weight = (1 - F.abs(rows - (top + down))) * (1 - F.abs(columns - (left + right)))
            pixel = at(x, F.clip(row, 0, height - 1) * width + F.clip(column, 0, width - 1))
            if fill is not None:
                pixel = F.where((within(row, height) & within(column, width)).reshape((n, 1, height, width)), pixel, fill)
            total = total + pixel * weight.reshape((n, 1, height, width))
    return total
