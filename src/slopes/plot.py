"""Pictures of a run through matplotlib: loss and metrics over time, and single predictions."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .errors import ArgumentError, missing_method
from .extras import installed, require
from .files.atomic import write_bytes

TRAIN, VALIDATION, MUTED = "#2b6cb0", "#c05621", "#9db4cc"
FORMATS = (".png", ".svg")
SHEET = 24  # images on the sheet of mistakes


class Picture:
    """A drawn figure: shows itself in a notebook (SVG) and saves itself as .png or .svg; `figure` is matplotlib's."""

    def __init__(self, figure: Any) -> None:
        self.figure = figure

    def data(self, kind: str) -> bytes:
        """The file's bytes; kind is "png" or "svg". The same figure gives the same bytes."""
        stream = io.BytesIO()
        with require("matplotlib", "plot", "a picture").rc_context({"svg.hashsalt": "slopes"}):
            self.figure.savefig(stream, format=kind, dpi=144, metadata={"Date": None} if kind == "svg" else {"Software": None})
        return stream.getvalue()

    def save(self, path: str | Path) -> None:
        """Write the picture; the ending of the name chooses PNG or SVG."""
        ending = Path(path).suffix.lower()
        if ending not in FORMATS:
            raise ArgumentError(f"a picture is saved as .png or .svg, not as {Path(path).name!r}",
                                repair=f"name it {Path(path).stem}.png")
        write_bytes(path, self.data(ending[1:]))

    def _repr_svg_(self) -> str:
        return self.data("svg").decode()


class View:
    """Data that draw themselves: `plot(path)` makes the picture and, with a path, writes it (.png or .svg).

    In a notebook they show the picture, where matplotlib is installed.
    """

    def _repr_svg_(self) -> str | None:
        return self.draw()._repr_svg_() if installed("matplotlib") else None

    def draw(self) -> Picture:
        """The picture; needs matplotlib, else MissingExtraError."""
        raise missing_method(self, "draw")

    def plot(self, path: str | Path | None = None) -> Picture:
        """Draw it; with `path` also write the picture. It shows itself in a notebook. Needs matplotlib: slopes[plot]."""
        picture = self.draw()
        if path is not None:
            picture.save(path)
        return picture


def new_figure(width: float, height: float) -> Any:
    """An empty figure that belongs to no window and no global state."""
    return require("matplotlib.figure", "plot", "a picture").Figure(figsize=(width, height), layout="constrained")


def curves(losses: Sequence[float], epochs: Sequence[dict[str, Any]], shares: bool = False) -> Picture:
    """The loss of every step with each epoch's validation loss, and beside it the metrics per epoch; `shares`: they are per cent."""
    names = list(epochs[0]["metrics"]) if epochs else []
    figure = new_figure(5 + 4 * bool(names), 3.4)
    axes = figure.subplots(1, 1 + bool(names), squeeze=False)[0]
    draw_losses(axes[0], np.asarray(losses, float), epochs)
    if names:
        draw_metrics(axes[1], names, epochs, shares)
    return Picture(figure)


def range_curve(rates: np.ndarray, losses: np.ndarray, smoothed: np.ndarray, suggestion: float | None) -> Picture:
    """The loss over the rate of a range test, as measured and smoothed; a line where it fell fastest."""
    figure = new_figure(5, 3.4)
    axes = figure.subplots()
    axes.plot(rates, losses, color=MUTED, linewidth=0.6, label="each step")
    axes.plot(rates, smoothed, color=TRAIN, label="smoothed")
    if suggestion is not None:
        axes.axvline(suggestion, color=VALIDATION, linestyle="--", label=f"falls fastest: {suggestion:.2g}")
    axes.set_xscale("log")
    axes.set_ylim(*limits(losses))
    finish(axes, "rate", "loss")
    return Picture(figure)


def limits(losses: np.ndarray) -> tuple[float, float]:
    """From the lowest loss to somewhat above the first: the end, where it explodes, would hide the rest."""
    low, start = float(losses.min()), float(np.median(losses[: max(1, len(losses) // 5)]))
    margin = 0.1 * (start - low) or 1.0
    return low - margin, start + 5 * margin


def draw_losses(axes: Any, losses: np.ndarray, epochs: Sequence[dict[str, Any]]) -> None:
    """Every step's loss, faint; its running mean, strong; the validation loss at the end of each epoch."""
    ends = np.cumsum([epoch["steps"] for epoch in epochs])
    positions = np.arange(1, len(losses) + 1)
    axes.plot(positions, losses, color=MUTED, linewidth=0.6, label="each step")
    means = running_mean(losses, max(1, len(losses) // 50))
    validation = [epoch["validation"]["loss"] for epoch in epochs] if epochs and epochs[0]["validation"] else []
    axes.plot(positions, means, color=TRAIN, label="running mean")
    if validation:
        axes.plot(ends, validation, "o-", color=VALIDATION, markersize=4, label="validation")
    finite = losses[np.isfinite(losses)]
    if finite.size and finite.min() > 0 and finite.max() > 20 * finite.min():
        axes.set_yscale("log")
        lines = np.array([*means, *validation, np.quantile(finite, 0.05)])
        axes.set_ylim(bottom=0.7 * lines[np.isfinite(lines)].min())  # single steps far below do not set the axis
    axes.xaxis.set_major_locator(whole_numbers(6))
    finish(axes, "step", "loss")


def draw_metrics(axes: Any, names: Sequence[str], epochs: Sequence[dict[str, Any]], shares: bool) -> None:
    """Each metric per epoch: in training, and on the validation data."""
    positions = np.arange(1, len(epochs) + 1)
    for i, name in enumerate(names):
        style = ("-", "--", ":", "-.")[i % 4]
        values = [epoch["metrics"][name] for epoch in epochs]
        axes.plot(positions, values, "o" + style, color=TRAIN, markersize=4, label="training")
        if epochs[0]["validation"]:
            values = [epoch["validation"][name] for epoch in epochs]
            axes.plot(positions, values, "o" + style, color=VALIDATION, markersize=4, label="validation")
    axes.xaxis.set_major_locator(whole_numbers(9))
    if shares:
        axes.yaxis.set_major_formatter(require("matplotlib.ticker", "plot", "a picture").PercentFormatter(1))
    finish(axes, "epoch", ", ".join(names).replace("_", " "))


def whole_numbers(most: int) -> Any:
    """Places for ticks: few enough that numbers of five digits stay apart."""
    return require("matplotlib.ticker", "plot", "a picture").MaxNLocator(nbins=most, integer=True, min_n_ticks=1)


def finish(axes: Any, x: str, y: str) -> None:
    """Labels, light grid, no box, a legend."""
    tidy(axes, x, y)
    axes.legend(frameon=False, fontsize="small")


def tidy(axes: Any, x: str, y: str) -> None:
    """Labels, light grid, no box."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def running_mean(values: np.ndarray, width: int) -> np.ndarray:
    """The mean of each value and up to width - 1 before it."""
    sums = np.cumsum(np.concatenate([[0.0], values]))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - width)
    return (sums[ends] - sums[starts]) / (ends - starts)


def bare_grid(figure: Any, count: int, columns: int) -> Any:
    """Places for so many images, row by row, without ticks and frames."""
    grid = figure.subplots(max(1, -(-count // columns)), columns, squeeze=False).reshape(-1)
    for axes in grid:
        axes.axis("off")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_visible(False)  # or the layout would measure ticks and labels that nobody sees
    return grid


def samples(images: np.ndarray, titles: Sequence[str], good: Sequence[bool] | None = None) -> Picture:
    """A sheet of images (N, H, W), (N, 1, H, W) or (N, 3, H, W) with a title each: green where `good`, red elsewhere."""
    images = np.asarray(images)
    coloured = images.ndim == 4 and images.shape[1] == 3
    images = np.moveaxis(images, 1, -1) if coloured else images.reshape(len(images), *images.shape[-2:])
    columns = min(8, max(1, len(images)))
    rows = max(1, -(-len(images) // columns))
    figure = new_figure(1.15 * columns + 0.3, 1.4 * rows + 0.2)
    grid = bare_grid(figure, len(images), columns)
    for i, (axes, image, title) in enumerate(zip(grid, images, titles)):
        axes.imshow(image, cmap="gray", interpolation="nearest")
        axes.set_title(title, fontsize="x-small", color="#22543d" if good is None or good[i] else "#9b2c2c")
    return Picture(figure)


def mistakes(test: Any, dataset: Any) -> Picture:
    """A sheet of images of the data set that an Evaluation took for another class: of many, some from everywhere; of few, right
    ones besides."""
    wrong = test.predicted != test.targets
    spread = np.arange(SHEET) * max(SHEET, int(wrong.sum())) // SHEET
    shown = np.argsort(~wrong, kind="stable")[spread[spread < len(wrong)]]
    titles = [title(dataset.classes[test.targets[i]], dataset.classes[test.predicted[i]]) for i in shown]
    return samples(np.asarray(dataset.inputs[shown]), titles, (~wrong[shown]).tolist())


def title(true: str, predicted: str) -> str:
    """`7 as 1`, on two lines when long; only the class when it was recognised."""
    if true == predicted:
        return str(true)
    return f"{true} as {predicted}" if len(str(true)) + len(str(predicted)) <= 8 else f"{true}\nas {predicted}"
