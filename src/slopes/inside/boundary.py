"""The decision boundary of a classifier in the plane."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import nn
from ..compile import compile
from ..constraint import COUNT, check
from ..errors import ArgumentError, ShapeError
from ..modes import no_grad
from ..plot import Picture, View, new_figure
from ..tensor import asarray
from ..train.mode import Mode
from .draw import colour


@dataclass
class Boundary(View):
    """across (W,) and up (H,): the coordinates; decided (H, W): the class number at each; x (N, 2), y (N,): the examples; classes."""

    across: np.ndarray
    up: np.ndarray
    decided: np.ndarray
    x: np.ndarray
    y: np.ndarray
    classes: np.ndarray
    title: str = ""

    def draw(self) -> Picture:
        """Regions in light colours, their borders, and the examples."""
        figure = new_figure(4, 4)
        self.draw_on(figure.subplots())
        return Picture(figure)

    def draw_on(self, axes: Any) -> None:
        """Draw on the axes of a larger figure."""
        count = len(self.classes)
        colours = [colour(i) for i in range(count)]
        levels = np.arange(count + 1) - 0.5
        axes.contourf(self.across, self.up, self.decided, levels=levels, colors=colours, alpha=0.25)
        if self.decided.min() < self.decided.max():
            axes.contour(self.across, self.up, self.decided, levels=levels[1:-1], colors="#444444", linewidths=0.8)
        size = min(60.0, max(9.0, 900 / max(1, len(self.x))))
        for i, name in enumerate(self.classes):
            chosen = self.y == name
            axes.scatter(*self.x[chosen].T, s=size, color=colours[i], edgecolors="white", linewidths=0.3, label=str(name))
        axes.set_xlim(self.across[0], self.across[-1])
        axes.set_ylim(self.up[0], self.up[-1])
        axes.set_title(self.title, fontsize="small")


def boundary(model: Any, x: Any, y: Any, points: int = 200, margin: float = 0.1, title: str = "") -> Boundary:
    """Predict the classes of a points x points grid over the rectangle around the examples.

    model: one with predict(x) -> labels (those of zoo.classifiers, scikit-learn's), a network whose outputs are (N, classes) logits
    (or (N, 1): positive means class 1), or a function (N, 2) -> labels. x: (N, 2), y: (N,) labels. `margin` is the share by which
    the rectangle is wider than the examples. Raises ShapeError unless x has two columns.

    >>> import numpy as np, slopes as sl
    >>> x, y = np.array([[0.0, 0.0], [1.0, 1.0]]), np.array([0, 1])
    >>> regions = sl.inside.boundary(lambda points: points[:, 0] > 0.5, x, y, points=50)
    >>> regions.decided.shape, float(regions.decided.mean())
    ((50, 50), 0.5)
    """
    check("boundary", {"points": COUNT}, {"points": points})
    x, y = np.asarray(x, np.float64), np.asarray(y)
    if x.ndim != 2 or x.shape[1] != 2 or y.shape != x.shape[:1]:
        raise ShapeError(f"boundary: x has shape {x.shape}, y {y.shape}", why="a picture shows the plane: x is (N, 2), y (N,)",
                         repair="choose two columns, or project x (inside.projection)")
    low, high = x.min(axis=0), x.max(axis=0)
    spread = margin * np.where(high > low, high - low, 1.0)
    across, up = (np.linspace(low[i] - spread[i], high[i] + spread[i], points) for i in (0, 1))
    grid = np.stack([coordinates.reshape(-1) for coordinates in np.meshgrid(across, up)], axis=1)
    labels = np.asarray(predictor(model)(grid))
    classes = np.unique(np.concatenate([np.unique(y), np.unique(labels).astype(y.dtype)]))
    decided = np.searchsorted(classes, labels.astype(classes.dtype)).reshape(points, points)
    return Boundary(across, up, decided, x, y, classes, title)


def predictor(model: Any) -> Callable[[np.ndarray], Any]:
    """The function (N, 2) -> labels of a model."""
    if isinstance(model, nn.Module):
        return lambda x: predict_classes(model, x)
    predict = getattr(model, "predict", model)
    if not callable(predict):
        raise ArgumentError(f"boundary: {type(model).__name__} cannot predict",
                            repair="pass a network, a model with predict(x), or a function")
    return predict


def predict_classes(net: nn.Module, points: np.ndarray) -> np.ndarray:
    """The classes that a network predicts."""
    with Mode(net, training=False), no_grad():
        outputs = compile(lambda x: net(x))(asarray(points.astype(np.float32))).numpy()
    return (outputs.reshape(-1) > 0).astype(int) if outputs.ndim == 1 or outputs.shape[1] == 1 else outputs.argmax(axis=1)
