"""`torch.fft`: slopes' Fourier transforms with PyTorch's arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import fft as core
from .functions import function
from .sides import lifted

LINES, SEVERAL = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft"), ("fftn", "ifftn", "rfftn", "irfftn")


def along_line(name: str) -> Callable[..., Any]:
    """A transform along one axis."""
    own = getattr(core, name)

    @function
    def transform(input: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Any:
        return own(input, n=n, axis=dim, norm=norm or "backward")

    transform.__name__, transform.__doc__ = name, own.__doc__
    return transform


def along_axes(name: str, axes: tuple[int, ...] | None = None) -> Callable[..., Any]:
    """A transform along several axes, by default along all, or these."""
    own = getattr(core, name)

    @function
    def transform(input: Any, s: Any = None, dim: Any = axes, norm: str | None = None) -> Any:
        return own(input, s=s, axes=dim, norm=norm or "backward")

    transform.__name__, transform.__doc__ = name, own.__doc__
    return transform


fft, ifft, rfft, irfft, hfft, ihfft = map(along_line, LINES)
fftn, ifftn, rfftn, irfftn = map(along_axes, SEVERAL)
fft2, ifft2, rfft2, irfft2 = (along_axes(name, (-2, -1)) for name in SEVERAL)
fftfreq, rfftfreq = lifted(core.fftfreq), lifted(core.rfftfreq)


@function
def fftshift(input: Any, dim: Any = None) -> Any:
    """The frequency 0 in the middle; in slopes: sl.fft.fftshift."""
    return core.fftshift(input, axes=dim)


@function
def ifftshift(input: Any, dim: Any = None) -> Any:
    """The frequency 0 first; in slopes: sl.fft.ifftshift."""
    return core.ifftshift(input, axes=dim)


NAMES = (*LINES, *SEVERAL, "fft2", "ifft2", "rfft2", "irfft2", "fftfreq", "rfftfreq", "fftshift", "ifftshift")


def __getattr__(name: str) -> Any:
    raise AttributeError(f"torch.fft.{name} is not in slopes.torch; in slopes: sl.fft has {', '.join(core.__all__)}")
