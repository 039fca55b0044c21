"""Pictures from files, as arrays that networks take: PNG and JPEG through Pillow, PGM and PPM by our own reader."""

from __future__ import annotations

import functools
import math
import os
import threading
import warnings
from typing import Any

import numpy as np

from ..errors import ArgumentError, DataError
from ..extras import require
from .netpbm import check_pixels, load_netpbm
from .reading import Path, opened, refused, unpacked

MOST_PIXELS = 100_000_000
ALWAYS_PIXELS = 2**21  # that any file may have
USUAL_RATIO = 256  # pixels for each byte of a file: pictures of something have fewer
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601: how bright the eye finds red, green and blue
WIDE_MODES = ("I", "I;16", "I;16B", "I;16L")  # Pillow's names of grey with 16 bits


def load_image(path: Path, channels: int = 1, size: tuple[int, int] | None = None,
               most_pixels: int | None = None) -> np.ndarray:
    """The picture as (channels, H, W) float32 from 0 (black) to 1 (white).

    channels: 1 for grey (0.299 R + 0.587 G + 0.114 B), 3 for colour. size: (H, W) to scale to. PNG and JPEG need Pillow (extra
    `plot`); binary PGM and PPM, gzip-compressed or not, need nothing. Transparent parts become white, a camera's rotation is
    undone, of an animation the first picture is taken. Raises DataError for damaged files, other formats, and more than
    `most_pixels` pixels (by default 256 for each byte of the file, but at least 2^21 and at most 100 million) or 65,535 on a side;
    MissingExtraError without Pillow.

    >>> with open("two.pgm", "wb") as file:
    ...     _ = file.write(b"P5 2 1 255 " + bytes([0, 255]))
    >>> load_image("two.pgm")
    array([[[0., 1.]]], dtype=float32)
    """
    if channels not in (1, 3):
        raise ArgumentError(f"channels is {channels!r}", why="a picture is read as grey (1) or colour (3)")
    is_netpbm, usual = looked_at(path)
    most = usual if most_pixels is None else most_pixels
    pixels = load_netpbm(path, most) if is_netpbm else load_by_pillow(path, most)
    picture = np.moveaxis(with_channels(pixels, channels), -1, 0)  # (C, H, W)
    return np.ascontiguousarray(picture if size is None else resized(picture, size))


def looked_at(path: Path) -> tuple[bool, int]:
    """Whether a file begins as those of netpbm, and how many pixels a file of its size usually has at most."""
    with unpacked(path) as source:
        if not source.size:
            raise refused(path, "contents", "the file is empty")
        return source.stream.read(1) == b"P", min(MOST_PIXELS, max(ALWAYS_PIXELS, USUAL_RATIO * source.size))


def with_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """(H, W, 1 or 3) as (H, W, channels)."""
    if pixels.shape[-1] == channels:
        return pixels
    if channels == 3:
        return np.repeat(pixels, 3, axis=-1)
    return sum(pixels[..., channel, None] * share for channel, share in enumerate(LUMA))  # type: ignore[return-value]


class Quiet:
    """While any thread is in it, warnings of Pillow are not shown: it warns of large pictures, but most_pixels decides.

    Python's own way to silence them for a while is for one thread at a time.
    """

    def __init__(self) -> None:
        self.lock, self.inside = threading.RLock(), 0  # a signal handler may read a picture too

    def __enter__(self) -> None:
        with self.lock:
            self.inside += 1
            if self.inside == 1:
                self.saved = warnings.catch_warnings()
                self.saved.__enter__()
                warnings.filterwarnings("ignore", module="PIL")

    def __exit__(self, *error: object) -> None:
        with self.lock:
            self.inside -= 1
            if not self.inside:
                self.saved.__exit__(None, None, None)


QUIET = Quiet()


def renew_after_fork() -> None:
    """A child process has none of its parent's threads: none of them is in it."""
    QUIET.lock, QUIET.inside = threading.RLock(), 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=renew_after_fork)


def load_by_pillow(path: Path, most_pixels: int) -> np.ndarray:
    """(H, W, 1 or 3) float32 from 0 to 1 of a PNG or JPEG file."""
    image = require("PIL.Image", extra="plot", purpose="reading PNG and JPEG files")
    turn = require("PIL.ImageOps", extra="plot").exif_transpose
    with opened(path) as source:
        try:
            with QUIET:
                found = image.open(source.stream, formats=("PNG", "JPEG"))
                check_pixels(path, found.width, found.height, most_pixels)
                return pixels_of(turn(found), image)
        except DataError:
            raise
        except image.DecompressionBombError as error:
            raise refused(path, "width, height", str(error), "a small file that unpacks to so much is an attack") from error
        except Exception as error:  # a decoder may raise anything at all on damaged bytes
            raise refused(path, "contents", f"it is no picture that can be read ({describe(error)})",
                          "read are PNG, JPEG and binary PGM and PPM") from error


def describe(error: Exception) -> str:
    """Pillow's reason, without its names of Python objects."""
    name = type(error).__name__
    return "neither PNG nor JPEG" if name == "UnidentifiedImageError" else f"{str(error) or name:.200}"


def pixels_of(picture: Any, image: Any) -> np.ndarray:
    """The pixels of a Pillow picture of any mode, (H, W, 1 or 3)."""
    if picture.mode in WIDE_MODES:
        return np.asarray(picture).astype(np.float32)[..., None] / np.float32(65535)
    if picture.has_transparency_data:
        white = image.new("RGBA", picture.size, "white")
        picture = image.alpha_composite(white, picture.convert("RGBA"))
    grey = picture.mode in ("1", "L")
    pixels = np.array(picture.convert("L" if grey else "RGB"), np.float32)
    pixels /= np.float32(255)
    return pixels[..., None] if grey else pixels


def resized(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The picture (..., H, W) scaled to `size`: bilinear, and averaging over the pixels that fall together when it shrinks.

    >>> resized(np.array([[0.0, 1.0, 1.0, 0.0]]), (1, 2)).round(3)
    array([[0.571, 0.571]])
    """
    if len(size) != 2 or min(size) < 1:
        raise ArgumentError(f"size is {size!r}", why="a picture is scaled to (height, width), both at least 1")
    (height, width), (rows, columns) = picture.shape[-2:], size
    return blended(blended(picture, *taps(height, rows), -2), *taps(width, columns), -1)


def blended(picture: np.ndarray, places: np.ndarray, shares: np.ndarray, axis: int) -> np.ndarray:
    """sum_t shares[t] * picture[..., places[t], ...] along the axis.

    Not a product with a matrix: few shares are not 0, and a library for products would start threads of its own in each reader.
    """
    shape = list(picture.shape)
    shape[axis] = places.shape[1]
    total, shares = np.zeros(shape, picture.dtype), shares.astype(picture.dtype)
    (add_taps if len(places) <= places.shape[1] else add_windows)(total, picture, places, shares, axis)
    return total


def add_taps(total: np.ndarray, picture: np.ndarray, places: np.ndarray, shares: np.ndarray, axis: int) -> None:
    """One tap of all new pixels after the other."""
    part = np.empty_like(total)
    for place, share in zip(places, shares):
        np.take(picture, place, axis, out=part, mode="clip")  # mode: the default one copies through a buffer
        part *= share[:, None] if axis == -2 else share
        total += part


def add_windows(total: np.ndarray, picture: np.ndarray, places: np.ndarray, shares: np.ndarray, axis: int) -> None:
    """All taps of one new row or column after the other: fewer steps where a picture shrinks very much."""
    source, target = np.moveaxis(picture, axis, 0), np.moveaxis(total, axis, 0)
    for number, share in enumerate(shares.T):
        inside = np.flatnonzero(share)
        first, last = places[inside[0], number], places[inside[-1], number] + 1
        target[number] = np.einsum("t,t...->...", share[inside[0] : inside[-1] + 1], source[first:last])


@functools.lru_cache(64)
def taps(old: int, new: int) -> tuple[np.ndarray, np.ndarray]:
    """Which old pixels are in each new one, and how much of each, (T, new): a triangle as wide as the coarser of the two grids."""
    scale = old / new
    wide = max(scale, 1)
    centres = (np.arange(new) + 0.5) * scale - 0.5
    places = np.floor(centres - wide).astype(np.int64) + 1 + np.arange(math.ceil(2 * wide))[:, None]
    shares = np.maximum(0, 1 - np.abs(places - centres) / wide) * ((places >= 0) & (places < old))
    return places.clip(0, old - 1), shares / shares.sum(axis=0)
