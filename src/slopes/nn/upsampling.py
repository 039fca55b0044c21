"""Layers that make signals, images and volumes larger or smaller by interpolation."""

from __future__ import annotations

from typing import Any

from ..constraint import Constraint, check, is_count, is_real, one_of
from ..errors import ArgumentError
from ..functions import interpolate
from ..tensor import Tensor
from .module import Module


def listed(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


LENGTHS = Constraint("a whole number of at least 1, one per axis, or None",
                     lambda value: value is None or (bool(listed(value)) and all(map(is_count, listed(value)))), (0, 1.5, (3, 0), (), "3"))
FACTORS = Constraint("a number greater than 0, one per axis, or None",
                     lambda value: value is None or (bool(listed(value)) and all(is_real(n) and n > 0 for n in listed(value))),
                     (0, -1.0, (2, 0), (), "2"))
OPTIONAL_FLAG = Constraint("True, False or None", lambda value: value is None or isinstance(value, bool), ("yes", 1))
MODES = one_of("nearest", "nearest-exact", "linear", "bilinear", "bicubic", "trilinear")


class Upsample(Module):
    """y = slopes.interpolate(x, size, scale_factor, mode, align_corners): x with longer (or shorter) spatial axes.

    x: (N, C, ...) with one axis for mode="linear", two for "bilinear" and "bicubic", three for "trilinear", and any of these numbers
    for "nearest" and "nearest-exact"; y: (N, C, *size), or floor(length scale_factor).
    Raises ArgumentError unless one of size and scale_factor is given, ShapeError for another number of axes.

    >>> import slopes as sl
    >>> sl.nn.Upsample(scale_factor=2)(sl.tensor([[[1.0, 2.0]]])).tolist()
    [[[1.0, 1.0, 2.0, 2.0]]]
    >>> sl.nn.Upsample(size=(4, 6), mode="bilinear")(sl.ones((1, 3, 2, 2))).shape
    (1, 3, 4, 6)
    """

    constraints = {"size": LENGTHS, "scale_factor": FACTORS, "mode": MODES, "align_corners": OPTIONAL_FLAG,
                   "recompute_scale_factor": OPTIONAL_FLAG}

    def __init__(self, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None,
                 recompute_scale_factor: bool | None = None) -> None:
        owner = type(self).__name__
        check(owner, self.constraints, {"size": size, "scale_factor": scale_factor, "mode": mode, "align_corners": align_corners,
                                        "recompute_scale_factor": recompute_scale_factor})
        if (size is None) == (scale_factor is None):
            raise ArgumentError(f"{owner}: give either size or scale_factor", why="each of them decides the new lengths")
        self.size = tuple(size) if isinstance(size, list) else size
        self.scale_factor = tuple(scale_factor) if isinstance(scale_factor, list) else scale_factor
        self.mode, self.align_corners, self.recompute_scale_factor = mode, align_corners, recompute_scale_factor

    def forward(self, x: Tensor) -> Tensor:
        return interpolate(x, self.size, self.scale_factor, self.mode, self.align_corners, self.recompute_scale_factor)

    def details(self) -> str:
        size = f"size={self.size}" if self.size is not None else f"scale_factor={self.scale_factor}"
        return f"{size}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """Upsample of images (N, C, H, W) with mode="nearest".

    >>> import slopes as sl
    >>> sl.nn.UpsamplingNearest2d(scale_factor=2)(sl.ones((1, 1, 2, 3))).shape
    (1, 1, 4, 6)
    """

    constraints = {"size": LENGTHS, "scale_factor": FACTORS}

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor)


class UpsamplingBilinear2d(Upsample):
    """Upsample of images (N, C, H, W) with mode="bilinear" and align_corners=True.

    >>> import slopes as sl
    >>> sl.nn.UpsamplingBilinear2d(size=(2, 3))(sl.ones((1, 1, 2, 2))).shape
    (1, 1, 2, 3)
    """

    constraints = {"size": LENGTHS, "scale_factor": FACTORS}

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, "bilinear", True)
