"""Drawings that slopes makes itself, as SVG: text, image, and a file of either."""

from __future__ import annotations

from pathlib import Path

from ..errors import ArgumentError, missing_method


class Drawing:
    """Prints as its text and shows itself as its picture in a notebook; `save(path)` writes either."""

    @property
    def text(self) -> str:
        raise missing_method(self, "text")

    @property
    def svg(self) -> str:
        raise missing_method(self, "svg")

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return self.text

    def save(self, path: str | Path) -> Path:
        """Write the picture or the text, as the ending of `path` says, and return the path."""
        path = Path(path)
        if path.suffix not in (".svg", ".txt"):
            raise ArgumentError(f"a picture cannot be saved as {path.name}", repair=f"name the file {path.stem}.svg",
                                why="only .svg (the picture) and .txt (the text) are known")
        path.write_text(self.svg if path.suffix == ".svg" else self.text + "\n", encoding="utf-8")
        return path
