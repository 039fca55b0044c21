"""Discrete Fourier transforms: the extension of this name of the Python array API, computed eagerly, with derivatives of any order.

    forward:  X[k] = sum over n of x[n] exp(-2 pi i k n / N)        inverse:  x[n] = 1/N sum over k of X[k] exp(2 pi i k n / N)

`norm` says where the factor 1/N stands: in the inverse ("backward"), in the forward transform ("forward"), or its root in both
("ortho"). `n` cuts the axis, or fills it with zeros, to that size before the transform.

>>> from slopes import fft
>>> fft.fft([1., 0., 0., 0.])
tensor([1.+0.j, 1.+0.j, 1.+0.j, 1.+0.j], dtype=complex64)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .errors import ArgumentError, DTypeError, ShapeError
from .functions.creation import arange
from .functions.elementwise import conj, real
from .functions.manipulation import pad
from .graph.dtype import complex64, complex128, default_float, float64, is_complex
from .graph.shape import normalize_axis
from .ops import composite
from .standard import check_device
from .tensor import Tensor, asarray, perform

__all__ = ["fft", "fftfreq", "fftn", "fftshift", "hfft", "ifft", "ifftn", "ifftshift", "ihfft", "irfft", "irfftn", "rfft", "rfftfreq",
           "rfftn"]

FORWARD = {"backward": 0.0, "ortho": -0.5, "forward": -1.0}
"""The power of N that scales the forward transform; the inverse has the rest of -1."""
SWAPPED = {"backward": "forward", "ortho": "ortho", "forward": "backward"}


def fft(x: Any, n: int | None = None, axis: int = -1, norm: str = "backward") -> Tensor:
    """The discrete Fourier transform of x along an axis: complex, n values.

    >>> sl.fft.fft([0., 1.])
    tensor([ 1.+0.j, -1.+0.j], dtype=complex64)
    """
    return transform(as_complex(x), n, axis, norm, inverse=False)


def ifft(x: Any, n: int | None = None, axis: int = -1, norm: str = "backward") -> Tensor:
    """The inverse of `fft`.

    >>> sl.fft.ifft(sl.fft.fft([1., 2.]))
    tensor([1.+0.j, 2.+0.j], dtype=complex64)
    """
    return transform(as_complex(x), n, axis, norm, inverse=True)


def fftn(x: Any, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str = "backward") -> Tensor:
    """`fft` along several axes (default: all, or the last len(s)), to the sizes `s`.

    >>> sl.fft.fftn([[1., 0.], [0., 0.]])
    tensor([[1.+0.j, 1.+0.j],
            [1.+0.j, 1.+0.j]], dtype=complex64)
    """
    x = as_complex(x)
    for n, axis in sizes_and_axes(x, s, axes):
        x = fft(x, n, axis, norm)
    return x


def ifftn(x: Any, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str = "backward") -> Tensor:
    """The inverse of `fftn`.

    >>> sl.fft.ifftn([[4., 0.], [0., 0.]])
    tensor([[1.+0.j, 1.+0.j],
            [1.+0.j, 1.+0.j]], dtype=complex64)
    """
    x = as_complex(x)
    for n, axis in sizes_and_axes(x, s, axes):
        x = ifft(x, n, axis, norm)
    return x


def rfft(x: Any, n: int | None = None, axis: int = -1, norm: str = "backward") -> Tensor:
    """The first n // 2 + 1 values of the transform of a real x; the others are their conjugates. Raises DTypeError for a complex x.

    >>> sl.fft.rfft([1., 2., 1., 0.])
    tensor([4.+0.j, 0.-2.j, 0.+0.j], dtype=complex64)
    """
    x = asarray(x)
    if is_complex(x.dtype):
        raise DTypeError(f"rfft has no meaning for {x.dtype}", why="it is the transform of real numbers", repair="use sl.fft.fft")
    full = fft(x, n, axis, norm)
    axis = normalize_axis(axis, full.ndim, "rfft")
    return composite.part(full, axis, 0, full.shape[axis] // 2 + 1)


def irfft(x: Any, n: int | None = None, axis: int = -1, norm: str = "backward") -> Tensor:
    """The inverse of `rfft`: n real values (default: 2 (m - 1) for m values of x).

    >>> sl.fft.irfft([4., -2j, 0.])
    tensor([1., 2., 1., 0.])
    """
    x = as_complex(x)
    axis = normalize_axis(axis, x.ndim, "irfft")
    n = 2 * (x.shape[axis] - 1) if n is None else n
    check_size(n, "irfft")
    half = resize(x, n // 2 + 1, axis)
    others = conj(composite.flip(composite.part(half, axis, 1, n - n // 2), axis))
    return real(transform(composite.concat([half, others], axis), None, axis, norm, inverse=True))


def rfftn(x: Any, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str = "backward") -> Tensor:
    """`rfft` along the last of several axes, `fft` along the others.

    >>> sl.fft.rfftn([[1., 0.], [0., 0.]])
    tensor([[1.+0.j, 1.+0.j],
            [1.+0.j, 1.+0.j]], dtype=complex64)
    """
    x = asarray(x)
    *others, (n, axis) = sizes_and_axes(x, s, axes)
    x = rfft(x, n, axis, norm)
    for size, along in others:
        x = fft(x, size, along, norm)
    return x


def irfftn(x: Any, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str = "backward") -> Tensor:
    """The inverse of `rfftn`.

    >>> sl.fft.irfftn(sl.fft.rfftn([[1., 2.], [3., 4.]]))
    tensor([[1., 2.],
            [3., 4.]])
    """
    x = as_complex(x)
    *others, (n, axis) = sizes_and_axes(x, s, axes)
    for size, along in others:
        x = ifft(x, size, along, norm)
    return irfft(x, n if s is not None else None, axis, norm)


def hfft(x: Any, n: int | None = None, axis: int = -1, norm: str = "backward") -> Tensor:
    """The real transform of a signal with x[-k] = conj(x[k]), of which x is the first half: n values (default: 2 (m - 1)).

    >>> sl.fft.hfft([1., 2., 1.])
    tensor([ 6.,  0., -2.,  0.])
    """
    return irfft(conj(as_complex(x)), n, axis, SWAPPED[check_norm(norm)])


def ihfft(x: Any, n: int | None = None, axis: int = -1, norm: str = "backward") -> Tensor:
    """The inverse of `hfft`: n // 2 + 1 complex values of a real x.

    >>> sl.fft.ihfft([6., 0., -2., 0.])
    tensor([1.-0.j, 2.-0.j, 1.-0.j], dtype=complex64)
    """
    return conj(rfft(x, n, axis, SWAPPED[check_norm(norm)]))


def fftfreq(n: int, d: float = 1.0, dtype: Any = None, device: str | None = None) -> Tensor:
    """The frequencies of the values of `fft`, in cycles per unit of the sample spacing d: 0, 1, ..., -2, -1, divided by n d.

    >>> sl.fft.fftfreq(4)
    tensor([ 0.  ,  0.25, -0.5 , -0.25])
    """
    check_device("fftfreq", device)
    check_size(n, "fftfreq")
    counts = composite.concat([arange((n + 1) // 2), arange(-(n // 2), 0)])
    return counts.astype(dtype or default_float) / (n * d)


def rfftfreq(n: int, d: float = 1.0, dtype: Any = None, device: str | None = None) -> Tensor:
    """The frequencies of the values of `rfft`: 0, 1, ..., n // 2, divided by n d.

    >>> sl.fft.rfftfreq(4)
    tensor([0.  , 0.25, 0.5 ])
    """
    check_device("rfftfreq", device)
    check_size(n, "rfftfreq")
    return arange(n // 2 + 1).astype(dtype or default_float) / (n * d)


def fftshift(x: Any, axes: int | Sequence[int] | None = None) -> Tensor:
    """The frequency 0 moved to the middle of each axis (default: of all).

    >>> sl.fft.fftshift([0, 1, 2, -2, -1])
    tensor([-2, -1,  0,  1,  2])
    """
    x = asarray(x)
    chosen = shifted_axes(x, axes)
    return composite.roll(x, [x.shape[axis] // 2 for axis in chosen], chosen)


def ifftshift(x: Any, axes: int | Sequence[int] | None = None) -> Tensor:
    """The inverse of `fftshift`.

    >>> sl.fft.ifftshift([-2, -1, 0, 1, 2])
    tensor([ 0,  1,  2, -2, -1])
    """
    x = asarray(x)
    chosen = shifted_axes(x, axes)
    return composite.roll(x, [-(x.shape[axis] // 2) for axis in chosen], chosen)


def shifted_axes(x: Tensor, axes: int | Sequence[int] | None) -> list[int]:
    """The axes, each once, counted from the front."""
    named = range(x.ndim) if axes is None else [axes] if isinstance(axes, int) else axes
    return [normalize_axis(axis, x.ndim, "fftshift") for axis in named]


def as_complex(x: Any) -> Tensor:
    """x in the complex type of its precision."""
    x = asarray(x)
    return x if is_complex(x.dtype) else x.astype(complex128 if x.dtype == float64 else complex64)


def transform(x: Tensor, n: int | None, axis: int, norm: str, inverse: bool) -> Tensor:
    """The scaled transform of n elements along an axis."""
    check_norm(norm)
    axis = normalize_axis(axis, x.ndim, "fft")
    x = x if n is None else resize(x, n, axis)
    size = x.shape[axis]
    check_size(size, "fft")
    power = -1.0 - FORWARD[norm] if inverse else FORWARD[norm]
    result = perform("dft", (x,), {"axis": axis, "inverse": inverse})
    return result * size ** power if power else result


def resize(x: Tensor, n: int, axis: int) -> Tensor:
    """The first n elements along an axis, with zeros behind the end."""
    check_size(n, "fft")
    size = x.shape[axis]
    if n <= size:
        return composite.part(x, axis, 0, n)
    return pad(x, [(0, n - size if i == axis else 0) for i in range(x.ndim)])


def check_size(n: Any, name: str) -> None:
    """A transform has at least one element."""
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ShapeError(f"{name}: a transform of {n} elements", why="it takes one or more", repair="check the axis, or n")


def check_norm(norm: str) -> str:
    """One of the three places of the factor 1/N."""
    if norm not in FORWARD:
        raise ArgumentError(f"fft: norm={norm!r} is none", repair="choose 'backward', 'ortho' or 'forward'")
    return norm


def sizes_and_axes(x: Tensor, s: Sequence[int] | None, axes: Sequence[int] | None) -> list[tuple[int | None, int]]:
    """The size (None: as it is) and the axis of each transform."""
    if axes is None:
        axes = range(x.ndim) if s is None else range(x.ndim - len(s), x.ndim)
    sizes: Sequence[int | None] = [None] * len(axes) if s is None else s
    if len(sizes) != len(axes) or not axes:
        raise ArgumentError(f"fft: {len(sizes)} sizes for {len(axes)} axes", repair="give a size for each axis, and at least one axis")
    return [(n, normalize_axis(axis, x.ndim, "fft")) for n, axis in zip(sizes, axes)]
