"""The netpbm image formats PGM (P5, grey) and PPM (P6, colour): binary, plain or gzip-compressed."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from .reading import Path, Source, read_claim, read_exactly, refused, unpacked

CHANNELS = {b"P5": 1, b"P6": 3}
MOST_SIDE = 65_535  # pixels, as in JPEG
MOST_HEADER = 4096  # bytes, comments included
NUMBER = re.compile(rb"\d{1,9}")


class Header(NamedTuple):
    """What the header says: the shape of the pixels (H, W, channels), their greatest value, and the bytes that were read."""

    shape: tuple[int, int, int]
    top: int
    size: int

    @property
    def dtype(self) -> np.dtype:
        """The type of a stored value."""
        return np.dtype("u1" if self.top < 256 else ">u2")


def load_netpbm(path: Path, most_pixels: int) -> np.ndarray:
    """Read the image as (H, W, channels) float32 from 0 to 1; DataError naming file and field if it is damaged."""
    with unpacked(path) as source:
        header = read_header(source, path, most_pixels)
        data = read_claim(source.stream, checked_claim(source, header, path), path, "pixels")
    pixels = np.ndarray(header.shape, header.dtype, buffer=data)
    if pixels.max() > header.top:
        raise refused(path, "pixels", f"a pixel is {pixels.max()}, above the greatest value {header.top}")
    shades = pixels.astype(np.float32)
    shades /= np.float32(header.top)
    return shades


def read_header(source: Source, path: Path, most_pixels: int) -> Header:
    """The header; DataError unless it is one, of a size that is plausible."""
    magic = read_exactly(source.stream, 2, path, "magic")
    if magic not in CHANNELS:
        raise refused(path, "magic", f"{magic!r} instead of P5 (grey) or P6 (colour)", "the text formats (P2, P3) are not supported")
    read = Words(source, path)
    width, height, top = (read.number(field) for field in ("width", "height", "greatest value"))
    check_pixels(path, width, height, most_pixels)
    if not 0 < top < 65536:
        raise refused(path, "greatest value", f"{top} is not from 1 to 65535")
    return Header((height, width, CHANNELS[magic]), top, read.count)


def check_pixels(path: Path, width: int, height: int, most_pixels: int) -> None:
    """DataError unless the size that a header claims is plausible."""
    if not 0 < width * height <= most_pixels or max(width, height) > MOST_SIDE:
        raise refused(path, "width, height", f"{width} x {height}",
                      f"an image has from 1 to {most_pixels} pixels, and at most {MOST_SIDE} on a side",
                      "scale it down first, or allow more pixels: most_pixels=...")


def checked_claim(source: Source, header: Header, path: Path) -> int:
    """The number of bytes of the pixels; DataError if the file is too short for them."""
    height, width, channels = header.shape
    claim = height * width * channels * header.dtype.itemsize
    if claim > source.bound - header.size:
        raise refused(path, "width, height", f"{width} x {height} needs {claim} bytes, but at most {source.bound - header.size} follow")
    return claim


class Words:
    """Reads the header's numbers, separated by whitespace and comments (# to the end of the line)."""

    def __init__(self, source: Source, path: Path) -> None:
        self.source, self.path, self.count = source, path, 2

    def byte(self, field: str) -> bytes:
        self.count += 1
        if self.count > MOST_HEADER:
            raise refused(self.path, field, f"the header is longer than {MOST_HEADER} bytes")
        return read_exactly(self.source.stream, 1, self.path, field)

    def number(self, field: str) -> int:
        """Read the next number and the one whitespace character after it."""
        byte = self.byte(field)
        while byte.isspace() or byte == b"#":
            if byte == b"#":
                self.skip_line(field)
            byte = self.byte(field)
        word = b""
        while not byte.isspace():
            word, byte = word + byte, self.byte(field)
        if not NUMBER.fullmatch(word):
            raise refused(self.path, field, f"{word!r:.40} is not a number")
        return int(word)

    def skip_line(self, field: str) -> None:
        while self.byte(field) != b"\n":
            pass
