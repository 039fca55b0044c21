"""Common parts of this folder's figures: grids of small images, colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..plot import Picture, bare_grid, new_figure

CLASS_COLOURS = ("#2b6cb0", "#dd6b20", "#2f855a", "#b83280", "#6b46c1", "#975a16", "#0987a0", "#9b2c2c", "#4a5568", "#d69e2e")
COLUMNS = 8


def colour(index: int) -> str:
    """The colour of a class."""
    return CLASS_COLOURS[index % len(CLASS_COLOURS)]


def sheet(images: Sequence[np.ndarray], titles: Sequence[str] = (), columns: int = COLUMNS, signed: bool = False, size: float = 1.0,
          heading: str = "") -> Picture:
    """Images (H, W) or (H, W, 3) in rows; `signed` ones in blue (below 0), white (0) and red, on one scale for all."""
    columns = max(1, min(columns, len(images)))
    count = max(1, -(-len(images) // columns))
    figure = new_figure(size * columns + 0.2, (size + (0.22 if titles else 0)) * count + 0.2 + 0.3 * bool(heading))
    if heading:
        figure.suptitle(heading, fontsize="medium")
    grid = bare_grid(figure, len(images), columns)
    limit = max((float(np.abs(image).max()) for image in images if image.size), default=0.0) or 1.0
    for i, (axes, image) in enumerate(zip(grid, images)):
        show(axes, np.asarray(image), limit if signed else None)
        if i < len(titles):
            axes.set_title(titles[i], fontsize="x-small")
    return Picture(figure)


def show(axes: Any, image: np.ndarray, limit: float | None = None) -> None:
    """One image: colours as they are, shades from dark to light, or signed numbers within the limit."""
    if image.ndim == 3:
        axes.imshow(image, interpolation="nearest")
    elif limit is not None:
        axes.imshow(image, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
    else:
        axes.imshow(image, cmap="gray", interpolation="nearest")


def as_picture(image: np.ndarray) -> np.ndarray:
    """(C, H, W) or (H, W) as something to show: (H, W, 3) within 0..1 for three channels, otherwise the mean over channels."""
    image = np.asarray(image, np.float64)
    if image.ndim == 3 and image.shape[0] == 3:
        low, high = image.min(), image.max()
        return np.moveaxis((image - low) / ((high - low) or 1.0), 0, -1)
    return image.mean(axis=0) if image.ndim == 3 else image
