"""Image filtering with fixed kernels: smoothing, sharpening, edge detection."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ArgumentError, ShapeError
from ..ops import composite
from ..tensor import Tensor, asarray

__all__ = ["filter_image", "image_kernels"]

KERNELS: dict[str, list[list[float]]] = {
    "mean": [[1 / 9] * 3] * 3,
    "smooth": [[1 / 12, 1 / 12, 1 / 12], [1 / 12, 4 / 12, 1 / 12], [1 / 12, 1 / 12, 1 / 12]],
    "gauss": [[1 / 16, 2 / 16, 1 / 16], [2 / 16, 4 / 16, 2 / 16], [1 / 16, 2 / 16, 1 / 16]],
    "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    "vertical edges": [[1, 0, -1]] * 3,
    "horizontal edges": [[1, 1, 1], [0, 0, 0], [-1, -1, -1]],
    "sobel x": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    "sobel y": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
    "laplace": [[0, 1, 0], [1, -4, 1], [0, 1, 0]],
}


def image_kernels() -> dict[str, np.ndarray]:
    """The named kernels of filter_image, each (3, 3) float32: smoothing and sharpening kernels sum to 1, edge kernels to 0.

    >>> sl.image_kernels()["sharpen"].tolist()
    [[0.0, -1.0, 0.0], [-1.0, 5.0, -1.0], [0.0, -1.0, 0.0]]
    >>> ", ".join(sl.image_kernels())
    'mean, smooth, gauss, sharpen, vertical edges, horizontal edges, sobel x, sobel y, laplace'
    """
    return {name: np.array(rows, np.float32) for name, rows in KERNELS.items()}


def filter_image(image: Any, kernel: Any, padding: Any = 0) -> Tensor:
    """y[..., i, j] = sum over u, v of image[..., i + u, j + v] kernel[u, v], independently for every image (or channel).

    image (..., H, W), numbers; kernel (h, w), or a name of image_kernels() -> (..., H - h + 1, W - w + 1), floats; padding as in
    conv2d: "same" keeps the size, with zero padding. Raises ArgumentError for unknown names, ShapeError for other shapes.
    Source: Gonzalez and Woods, Digital Image Processing (2018), chapter 3.

    >>> image = sl.tensor([[255., 128, 128, 240], [255, 128, 245, 240], [245, 128, 245, 240]])
    >>> sl.filter_image(image, "vertical edges")
    tensor([[ 137., -336.]])
    >>> sl.filter_image(image, [[0., 1.], [0., 0.]], padding="same").shape
    (3, 4)
    """
    x = composite.as_float(asarray(image))
    if x.ndim < 2:
        raise ShapeError(f"filter_image: an image of shape {x.shape}", why="its last two axes are height and width")
    weight = asarray(get_kernel(kernel) if isinstance(kernel, str) else kernel).astype(x.dtype)
    if weight.ndim != 2:
        raise ShapeError(f"filter_image: a kernel of shape {weight.shape}", why="a kernel has two axes, height and width")
    planes = x.reshape((-1, 1, *x.shape[-2:]))
    y = composite.convolution(planes, weight.reshape((1, 1, *weight.shape)), 1, padding, 1, 1)
    return y.reshape((*x.shape[:-2], *y.shape[-2:]))


def get_kernel(name: str) -> np.ndarray:
    if name not in KERNELS:
        raise ArgumentError(f"filter_image: no kernel is called {name!r}", repair=f"known: {', '.join(KERNELS)}; or give a matrix")
    return image_kernels()[name]
