"""Layers that the core does not have."""

from __future__ import annotations

from typing import Any

from . import functional
from .modules import Module


class PixelShuffle(Module):
    """(N, C r^2, H, W) to (N, C, H r, W r), r = upscale_factor. Source: Shi et al., 2016."""

    def __init__(self, upscale_factor: int) -> None:
        self.upscale_factor = upscale_factor

    def forward(self, x: Any) -> Any:
        return functional.pixel_shuffle(x, self.upscale_factor)


class Upsample(Module):
    """Repeat rows and columns by whole factors: mode "nearest"."""

    def __init__(self, size: Any = None, scale_factor: Any = None, mode: str = "nearest") -> None:
        self.size, self.scale_factor, self.mode = size, scale_factor, mode

    def forward(self, x: Any) -> Any:
        return functional.interpolate(x, self.size, self.scale_factor, self.mode)
