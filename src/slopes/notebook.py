"""What objects show of themselves in a notebook: tables in HTML, and arrays as small pictures of their values."""

from __future__ import annotations

import base64
import html
import struct
import zlib
from collections.abc import Sequence

import numpy as np

LOW, MIDDLE, HIGH = (192, 86, 33), (255, 255, 255), (43, 108, 176)  # colours of negative numbers, zero and positive ones
MOST = 64  # rows and columns of a picture: larger arrays are shown by every second, third, ... element
WIDTH = 192  # pixels of a picture in the page, at most


def table(head: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "") -> str:
    """A table; every text is escaped.

    >>> table(["layer"], [["a < b"]])
    '<table><thead><tr><th>layer</th></tr></thead><tbody><tr><td>a &lt; b</td></tr></tbody></table>'
    """
    def line(cells: Sequence[str], kind: str) -> str:
        return "<tr>" + "".join(f"<{kind}>{html.escape(cell)}</{kind}>" for cell in cells) + "</tr>"

    title = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    return f"<table>{title}<thead>{line(head, 'th')}</thead><tbody>{''.join(line(row, 'td') for row in rows)}</tbody></table>"


def array_html(text: str, array: np.ndarray) -> str:
    """The text of an array, and a picture of its last two axes (of the first matrix of a stack) where it has two or more."""
    written = f"<pre>{html.escape(text)}</pre>"
    if array.ndim < 2 or not array.size or array.dtype.kind == "c":
        return written
    matrix = array[(0,) * (array.ndim - 2)]
    rows, columns = (-(-n // MOST) for n in matrix.shape)
    shown = matrix[::rows, ::columns].astype(np.float64)
    scale = max(1, WIDTH // max(shown.shape))
    encoded = base64.b64encode(png(colours(shown))).decode()
    which = f"[{', '.join('0' * (array.ndim - 2))}] " if array.ndim > 2 else ""
    finite = shown[np.isfinite(shown)]
    limits = f", from {finite.min():.3g} to {finite.max():.3g}" if finite.size else ""
    label = html.escape(f"{which}{matrix.shape[0]} x {matrix.shape[1]}{limits}; blue: above 0, orange: below, grey: not finite")
    size = f'width="{shown.shape[1] * scale}" height="{shown.shape[0] * scale}"'
    return f'{written}<img alt="{label}" title="{label}" {size} style="image-rendering: pixelated" src="data:image/png;base64,{encoded}">'


def colours(values: np.ndarray) -> np.ndarray:
    """(rows, columns, 3) uint8: white at 0, to full colour at the largest absolute value; grey where it is not finite."""
    finite = np.isfinite(values)
    shares = np.where(finite, values, 0)
    shares = shares / (np.abs(shares).max() or 1.0)
    ends = np.where(shares[..., None] < 0, LOW, HIGH)
    mixed = MIDDLE + (ends - np.array(MIDDLE)) * np.abs(shares)[..., None]
    return np.where(finite[..., None], mixed, 128).round().astype(np.uint8)


def png(pixels: np.ndarray) -> bytes:
    """The PNG file of an image (rows, columns, 3) of uint8. Format: https://www.w3.org/TR/png-3/."""
    rows, columns, _ = pixels.shape
    lines = np.concatenate([np.zeros((rows, 1), np.uint8), pixels.reshape(rows, -1)], axis=1)  # each line begins with its filter: none
    header = struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines.tobytes(), 9)) + chunk(b"IEND", b"")


def chunk(kind: bytes, content: bytes) -> bytes:
    """A part of a PNG file: length, kind, content, checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
