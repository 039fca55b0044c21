"""Small charts in SVG for reports: curves, bars and points, drawn without any library."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .svg import Canvas

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 420.0, 240.0, 62.0, 34.0, 14.0
COLOURS = ("#2563eb", "#d97706", "#059669", "#dc2626", "#7c3aed", "#0891b2", "#be185d", "#4d7c0f")
GRID, INK, MUTED = "#e5e7eb", "#374151", "#9ca3af"
MOST_POINTS = 400  # of a curve: more of them are not seen


class Axis(NamedTuple):
    """The range of an axis, and the pixels of its ends."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        return self.start + (self.end - self.start) * (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """Round values on the axis, four to nine of them."""
        step = 10 ** math.floor(math.log10((self.high - self.low) / 2))
        step *= next((factor for factor in (1, 2, 5) if (self.high - self.low) / (step * factor) <= 6), 10)
        return [i * step for i in range(math.ceil(self.low / step), math.floor(self.high / step) + 1)]


class Curve(NamedTuple):
    """A named curve of points; only finite ones are drawn."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


def axis(values: Sequence[float], start: float, end: float) -> Axis:
    """The axis for some finite values; of one value it is made wider."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    margin = 0.04 * (high - low) or max(abs(low), 1.0) * 0.5
    return Axis(low - margin, high + margin, start, end)


def finite_points(curve: Curve) -> list[tuple[float, float]]:
    """The points that can be drawn, thinned out evenly."""
    points = [(x, y) for x, y in zip(curve.x, curve.y) if math.isfinite(x) and math.isfinite(y)]
    step = max(1, math.ceil(len(points) / MOST_POINTS))
    return points[::step] + points[-1:] * bool(len(points) % step)


def frame(title: str, points: Sequence[tuple[float, float]], labels: tuple[str, str]) -> tuple[Canvas, Axis, Axis]:
    """A canvas with axes for these points."""
    canvas = Canvas(title)
    across = axis([x for x, _ in points], LEFT, WIDTH - 12)
    up = axis([y for _, y in points], HEIGHT - BOTTOM, TOP)
    for value in up.ticks():
        canvas.add("line", x1=LEFT, x2=WIDTH - 12, y1=up(value), y2=up(value), stroke=GRID)
        canvas.text(LEFT - 6, up(value) + 4, f"{value:.4g}", 11, INK, "end")
    for value in across.ticks():
        canvas.text(across(value), HEIGHT - BOTTOM + 15, f"{value:.6g}", 11, INK)
    canvas.text((LEFT + WIDTH) / 2, HEIGHT - 4, labels[0], 11, INK)
    canvas.text(LEFT + 4, TOP - 2, labels[1], 11, INK, "start")
    return canvas, across, up


def line_chart(title: str, curves: Sequence[Curve], labels: tuple[str, str]) -> str:
    """Curves over a common axis; `labels` are those of the axes. The legend is at the right, above or below where the curves end."""
    drawn = [(curve.name, points) for curve in curves if (points := finite_points(curve))]
    every = [point for _, points in drawn for point in points]
    canvas, across, up = frame(title, every, labels)
    last = [up(y) for x, y in every if across(x) > (across.start + across.end) / 2]
    legend = TOP if not last or sum(last) / len(last) > (up.start + up.end) / 2 else HEIGHT - BOTTOM - 14 * (len(drawn) + 1)
    for i, (name, points) in enumerate(drawn):
        colour = COLOURS[i % len(COLOURS)]
        path = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in points)
        canvas.add("polyline", points=path, fill="none", stroke=colour, stroke_width=1.4)
        canvas.text(WIDTH - 16, legend + 14 * (i + 1), name, 11, colour, "end")
    return canvas.svg(WIDTH, HEIGHT)


def point_chart(title: str, points: Sequence[tuple[float, float]], labels: tuple[str, str]) -> str:
    """Points, and the diagonal on which both numbers are equal."""
    shown = [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
    both = [value for point in shown for value in point]
    canvas, across, up = frame(title, [(min(both, default=0.0),) * 2, (max(both, default=1.0),) * 2], labels)
    canvas.add("line", x1=across(across.low), y1=up(across.low), x2=across(across.high), y2=up(across.high), stroke=MUTED)
    for x, y in shown:
        canvas.add("circle", cx=across(x), cy=up(y), r=2.2, fill=COLOURS[0], fill_opacity=0.5)
    return canvas.svg(WIDTH, HEIGHT)


def bar_chart(title: str, values: Mapping[str, float]) -> str:
    """A bar for each value, with its name and the number; below 0 to the left."""
    canvas, height = Canvas(title), 20.0
    across = axis([0.0, *values.values()], 170.0, WIDTH - 60)
    for i, (name, value) in enumerate(values.items()):
        ends = sorted((across(0.0), across(value)))
        canvas.text(160, height * i + 15, name if len(name) <= 26 else name[:25] + "\N{HORIZONTAL ELLIPSIS}", 11, INK, "end")
        canvas.box(ends[0], height * i + 4, ends[1] - ends[0], height - 7, COLOURS[0], radius=2)
        canvas.text(WIDTH - 54, height * i + 15, f"{value:.4g}", 11, INK, "start")
    return canvas.svg(WIDTH, height * len(values) + 6)
