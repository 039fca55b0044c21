"""Projections of high-dimensional vectors to a plane: PCA and t-SNE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..constraint import COUNT, check, one_of
from ..errors import ArgumentError, ShapeError
from ..extras import require
from ..plot import Picture, View, new_figure
from .draw import colour

NAMED = 60  # most points to label with text instead of colours


@dataclass
class Projection(View):
    """points (N, k); labels (N,) or None; shares (k,): the part of the variance along each axis (of PCA; empty for t-SNE); method."""

    points: np.ndarray
    labels: np.ndarray | None
    shares: np.ndarray
    method: str

    def draw(self) -> Picture:
        """The first two axes; a colour per label, or, for few points that all differ, the labels themselves."""
        figure = new_figure(5, 4.4)
        axes = figure.subplots()
        kinds = [] if self.labels is None else list(dict.fromkeys(self.labels.tolist()))
        if kinds and len(kinds) == len(self.points) <= NAMED:
            axes.scatter(*self.points[:, :2].T, s=6, color=colour(0))
            for (x, y), label in zip(self.points[:, :2], kinds):
                axes.annotate(str(label), (x, y), fontsize=7, xytext=(2, 2), textcoords="offset points")
        else:
            for index, kind in enumerate(sorted(kinds, key=str) or [None]):
                chosen = self.points if kind is None else self.points[self.labels == kind]
                axes.scatter(*chosen[:, :2].T, s=6, color=colour(index), label=None if kind is None else str(kind), linewidths=0)
            if kinds:
                axes.legend(frameon=False, fontsize="small", markerscale=2, loc="center left", bbox_to_anchor=(1, 0.5))
        names = [f"component {i + 1} ({share:.0%})" for i, share in enumerate(self.shares[:2])] or ["", ""]
        axes.set_xlabel(names[0])
        axes.set_ylabel(names[1])
        axes.set_title(f"{self.method} of {len(self.points)} points", fontsize="small")
        return Picture(figure)


def projection(vectors: Any, labels: Any = None, method: str = "pca", count: int = 2, seed: int = 0) -> Projection:
    """Vectors (N, D), or of more axes, which are flattened, brought to `count` dimensions.

    "pca": y = (x - mean) V, V the directions of the largest variance (the first right singular vectors; each with its largest element
    positive). "tsne": neighbours stay neighbours, distances mean little (van der Maaten and Hinton, 2008); through scikit-learn, else
    MissingExtraError. Raises ShapeError for fewer than two vectors, or labels of another number. Source of PCA: Hotelling, 1933.

    >>> import slopes as sl
    >>> line = np.arange(10.0)[:, None] * [[3.0, 4.0, 0.0]]
    >>> sl.inside.projection(line).shares.round(3).tolist()
    [1.0, 0.0]
    """
    check("projection", {"method": one_of("pca", "tsne"), "count": COUNT}, {"method": method, "count": count})
    x = np.asarray(vectors, np.float64)
    x = x.reshape(len(x), -1) if x.ndim > 1 else x
    names = None if labels is None else np.asarray(labels)
    if x.ndim != 2 or len(x) < 2 or (names is not None and names.shape != (len(x),)):
        raise ShapeError(f"projection: vectors of shape {np.shape(vectors)}, labels {None if names is None else names.shape}",
                         why="it needs two vectors or more, (N, D), and one label for each")
    if count > x.shape[1]:
        raise ArgumentError(f"projection: {count} dimensions of vectors that have {x.shape[1]}", repair="ask for fewer")
    if method == "tsne":
        manifold = require("sklearn.manifold", extra="sklearn", purpose="t-SNE")
        near = min(30.0, (len(x) - 1) / 3)
        points = manifold.TSNE(count, perplexity=near, init="pca", random_state=seed).fit_transform(x)
        return Projection(points, names, np.zeros(0), "t-SNE")
    points, shares = principal(x, count)
    return Projection(points, names, shares, "PCA")


def principal(x: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates along the first principal components, and their shares of the variance."""
    centred = x - x.mean(axis=0)
    _, values, directions = np.linalg.svd(centred, full_matrices=False)
    rows = directions[:count]
    signs = np.sign(rows[np.arange(len(rows)), np.abs(rows).argmax(axis=1)])
    points = centred @ (rows * signs[:, None]).T
    shares = values[:count] ** 2 / max(float((values ** 2).sum()), 1e-300)
    missing = count - points.shape[1]
    return np.pad(points, ((0, 0), (0, missing))), np.pad(shares, (0, count - len(shares)))
