"""Drawing in SVG: escaped text, measured boxes, curves and arrows, without any library."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from xml.sax.saxutils import escape, quoteattr

Point = tuple[float, float]

SANS = "ui-sans-serif, 'Segoe UI', Helvetica, Arial, 'DejaVu Sans', sans-serif"
MONO = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
NARROW, WIDE = set("fijlrtI.,:;|!'()[]{} "), set("mwMW@%—→∂")


HEAD = ('<marker id="{name}" viewBox="0 0 8 8" refX="7.2" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0.6,0.8 L7.4,4 L0.6,7.2 L2.2,4 Z" fill="{colour}"/></marker>')


def text_width(text: str, size: float, mono: bool = False, bold: bool = False) -> float:
    """A width that no common font exceeds by much: boxes are made this wide, whatever font the viewer has."""
    if mono:
        return 0.61 * size * len(text)
    units = sum(0.42 if c in NARROW else 0.98 if c in WIDE else 0.72 if c.isupper() else 0.63 for c in text)
    return units * size * (1.06 if bold else 1.0)


def attributes(**values: object) -> str:
    """XML attributes; `_` in a name stands for `-`, None leaves one out, numbers are rounded."""
    return "".join(f" {name.replace('_', '-')}={quoteattr(number(value))}" for name, value in values.items() if value is not None)


def number(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


class Canvas:
    """A picture that grows by calls and is written as one self-contained SVG."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.parts: list[str] = []
        self.arrows: dict[str, str] = {}

    def add(self, tag: str, content: str | None = None, **values: object) -> None:
        inside = f">{content}</{tag}>" if content is not None else "/>"
        self.parts.append(f"<{tag}{attributes(**values)}{inside}")

    def box(self, x: float, y: float, width: float, height: float, fill: str, stroke: str | None = None, radius: float = 7.0,
            tip: str = "", **more: object) -> None:
        content = f"<title>{escape(tip)}</title>" if tip else None
        self.add("rect", content, x=x, y=y, width=width, height=height, rx=radius, fill=fill, stroke=stroke, **more)

    def text(self, x: float, y: float, words: str, size: float = 12.0, fill: str = "#1f2933", anchor: str = "middle",
             bold: bool = False, mono: bool = False) -> None:
        self.add("text", escape(words.replace("  ", "\u00a0 ")), x=x, y=y, font_size=size, fill=fill, text_anchor=anchor,
                 font_weight="600" if bold else None, font_family=MONO if mono else SANS)

    def path(self, points: Sequence[Point], stroke: str, width: float = 1.4, dash: str | None = None, arrow: bool = False,
             down: bool = True) -> None:
        """A smooth curve through the points; `down` says that layers follow each other from top to bottom."""
        marker = self.arrow(stroke) if arrow else None
        self.add("path", d=curve(points, down), fill="none", stroke=stroke, stroke_width=width, stroke_dasharray=dash,
                 marker_end=marker)

    def arrow(self, colour: str) -> str:
        name = "arrow" + "".join(c for c in colour if c.isalnum())
        self.arrows[name] = colour
        return f"url(#{name})"

    def svg(self, width: float, height: float, background: str | None = "#ffffff") -> str:
        heads = "".join(HEAD.format(name=name, colour=colour) for name, colour in self.arrows.items())
        ground = f'<rect width="100%" height="100%" fill="{background}"/>' if background else ""
        size = attributes(width=float(round(width)), height=float(round(height)), viewBox=f"0 0 {round(width)} {round(height)}")
        return (f'<svg xmlns="http://www.w3.org/2000/svg"{size} role="img"><title>{escape(self.title)}</title>'
                f"<defs>{heads}</defs>{ground}\n" + "\n".join(self.parts) + "\n</svg>\n")


def curve(points: Sequence[Point], down: bool) -> str:
    """The path of a curve that leaves and enters every point along the direction of the layers."""
    steps = [f"M{number(float(points[0][0]))},{number(float(points[0][1]))}"]
    for (x0, y0), (x1, y1) in pairwise(points):
        if down:
            reach = (y1 - y0) * 0.5
            steps.append("C" + join((x0, y0 + reach, x1, y1 - reach, x1, y1)))
        else:
            reach = (x1 - x0) * 0.5
            steps.append("C" + join((x0 + reach, y0, x1 - reach, y1, x1, y1)))
    return " ".join(steps)


def join(values: Iterable[float]) -> str:
    return ",".join(number(float(value)) for value in values)
