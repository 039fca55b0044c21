"""Read image files into arrays: PNG and JPEG through Pillow, PGM and PPM with our own reader."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import threading
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..errors import ArgumentError, DataError
from ..extras import require
from .netpbm import check_pixels, load_netpbm, read_header
from .reading import Path, opened, refused, unpacked

MOST_PIXELS = 100_000_000
ALWAYS_PIXELS = 2**21  # allowed for any file
USUAL_RATIO = 256  # pixels per byte of file: ordinary images have fewer
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601 luma weights of red, green and blue
ORIENTATION, TURNED, SIDEWAYS = 274, range(2, 9), range(5, 9)  # the EXIF tag; values other than upright; with width and height exchanged
WIDE_MODES = ("I", "I;16", "I;16B", "I;16L")  # Pillow's modes for 16-bit grey


def load_image(path: Path, channels: int = 1, size: tuple[int, int] | None = None,
               most_pixels: int | None = None) -> np.ndarray:
    """Read an image file as (channels, H, W) float32 from 0 (black) to 1 (white).

    channels: 1 for grey (0.299 R + 0.587 G + 0.114 B), 3 for colour. size: (H, W) to scale to. PNG and JPEG need Pillow (extra
    `plot`); binary PGM and PPM, plain or gzip-compressed, need no extra. Transparent pixels become white, the EXIF rotation is
    applied, and only the first frame of an animation is read. Raises DataError for damaged files, other formats, and more than
    `most_pixels` pixels (by default 256 per byte of the file, but at least 2^21 and at most 100 million) or 65,535 on a side;
    MissingExtraError without Pillow.

    >>> with open("two.pgm", "wb") as file:
    ...     _ = file.write(b"P5 2 1 255 " + bytes([0, 255]))
    >>> load_image("two.pgm")
    array([[[0., 1.]]], dtype=float32)
    """
    if channels not in (1, 3):
        raise ArgumentError(f"channels is {channels!r}", why="an image is read as grey (1) or colour (3)")
    is_netpbm, usual = inspect(path)
    most = usual if most_pixels is None else most_pixels
    pixels = load_netpbm(path, most) if is_netpbm else load_by_pillow(path, most)
    picture = np.moveaxis(convert_channels(pixels, channels), -1, 0)  # (C, H, W)
    return np.ascontiguousarray(picture if size is None else resize(picture, size))


def inspect(path: Path) -> tuple[bool, int]:
    """(whether the file looks like netpbm, the default pixel limit for a file of its size)."""
    with unpacked(path) as source:
        if not source.size:
            raise refused(path, "contents", "the file is empty")
        return source.stream.read(1) == b"P", min(MOST_PIXELS, max(ALWAYS_PIXELS, USUAL_RATIO * source.size))


def convert_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """Convert (H, W, 1 or 3) to (H, W, channels)."""
    if pixels.shape[-1] == channels:
        return pixels
    if channels == 3:
        return np.repeat(pixels, 3, axis=-1)
    return sum(pixels[..., channel, None] * share for channel, share in enumerate(LUMA))  # type: ignore[return-value]


class Quiet:
    """A context that silences Pillow's warnings about large images (most_pixels decides) while any thread is inside.

    warnings.catch_warnings alone is not safe with several threads.
    """

    def __init__(self) -> None:
        self.lock, self.inside = threading.RLock(), 0  # reentrant: a signal handler may read an image too

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
    """Reset the state in a child process, which has none of its parent's threads."""
    QUIET.lock, QUIET.inside = threading.RLock(), 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=renew_after_fork)


class ImageHeader(NamedTuple):
    """What an image file says of itself: width and height as it is seen, after the EXIF rotation; its mode in Pillow's words ("L" is
    grey, "P" a palette, "I;16" grey of 16 bits); whether it is an animation, of which the first frame is read; whether it is rotated."""

    width: int
    height: int
    mode: str
    animated: bool = False
    rotated: bool = False


def image_header(path: Path, most_pixels: int | None = None) -> ImageHeader:
    """The header of an image file, without its pixels. Raises as `load_image` does, but not for damaged pixels.

    >>> with open("two.pgm", "wb") as file:
    ...     _ = file.write(b"P5 2 1 255 " + bytes([0, 255]))
    >>> image_header("two.pgm")
    ImageHeader(width=2, height=1, mode='L', animated=False, rotated=False)
    """
    is_netpbm, usual = inspect(path)
    most = usual if most_pixels is None else most_pixels
    if is_netpbm:
        with unpacked(path) as source:
            header = read_header(source, path, most)
        height, width, channels = header.shape
        return ImageHeader(width, height, ("L" if channels == 1 else "RGB") + ("" if header.top < 256 else ";16"))
    with pillow_image(path, most) as picture:
        orientation = picture.getexif().get(ORIENTATION, 1)
        width, height = picture.size[::-1] if orientation in SIDEWAYS else picture.size
        return ImageHeader(width, height, picture.mode, bool(getattr(picture, "is_animated", False)), orientation in TURNED)


@contextlib.contextmanager
def pillow_image(path: Path, most_pixels: int) -> Iterator[Any]:
    """A PNG or JPEG file as Pillow's image, its pixels not read yet; whatever goes wrong with it in the block is a DataError."""
    image = require("PIL.Image", extra="plot", purpose="reading PNG and JPEG files")
    with opened(path) as source:
        try:
            with QUIET:
                picture = image.open(source.stream, formats=("PNG", "JPEG"))
                check_pixels(path, picture.width, picture.height, most_pixels)
                yield picture
        except DataError:
            raise
        except image.DecompressionBombError as error:
            raise refused(path, "width, height", str(error), "a small file that unpacks to a huge image may be an attack") from error
        except Exception as error:  # decoders may raise any exception on damaged bytes
            raise refused(path, "contents", f"it is not a readable image ({describe(error)})",
                          "supported are PNG, JPEG and binary PGM and PPM") from error


def load_by_pillow(path: Path, most_pixels: int) -> np.ndarray:
    """A PNG or JPEG file as (H, W, 1 or 3) float32 from 0 to 1."""
    image = require("PIL.Image", extra="plot", purpose="reading PNG and JPEG files")
    turn = require("PIL.ImageOps", extra="plot").exif_transpose
    with pillow_image(path, most_pixels) as picture:
        return to_pixels(turn(picture), image)


def describe(error: Exception) -> str:
    """Pillow's error message, without its names of Python objects."""
    name = type(error).__name__
    return "neither PNG nor JPEG" if name == "UnidentifiedImageError" else f"{str(error) or name:.200}"


def to_pixels(picture: Any, image: Any) -> np.ndarray:
    """The pixels of a Pillow image of any mode, as (H, W, 1 or 3)."""
    if picture.mode in WIDE_MODES:
        return np.asarray(picture).astype(np.float32)[..., None] / np.float32(65535)
    if picture.has_transparency_data:
        white = image.new("RGBA", picture.size, "white")
        picture = image.alpha_composite(white, picture.convert("RGBA"))
    grey = picture.mode in ("1", "L")
    pixels = np.array(picture.convert("L" if grey else "RGB"), np.float32)
    pixels /= np.float32(255)
    return pixels[..., None] if grey else pixels


def resize(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scale images (..., H, W) to `size`: bilinear interpolation, with antialiasing when shrinking.

    >>> resize(np.array([[0.0, 1.0, 1.0, 0.0]]), (1, 2)).round(3)
    array([[0.571, 0.571]])
    """
    if len(size) != 2 or min(size) < 1:
        raise ArgumentError(f"size is {size!r}", why="size is (height, width), both at least 1")
    (height, width), (rows, columns) = picture.shape[-2:], size
    return blend(blend(picture, *taps(height, rows), -2), *taps(width, columns), -1)


def blend(picture: np.ndarray, indices: np.ndarray, weights: np.ndarray, axis: int) -> np.ndarray:
    """sum_t weights[t] * picture[..., indices[t], ...] along the axis.

    Not a matrix product: the matrix is sparse, and a BLAS library would start threads of its own in each worker.
    """
    shape = list(picture.shape)
    shape[axis] = indices.shape[1]
    total, weights = np.zeros(shape, picture.dtype), weights.astype(picture.dtype)
    (add_taps if len(indices) <= indices.shape[1] else add_windows)(total, picture, indices, weights, axis)
    return total


def add_taps(total: np.ndarray, picture: np.ndarray, indices: np.ndarray, weights: np.ndarray, axis: int) -> None:
    """Add tap by tap, for all new pixels at once."""
    part = np.empty_like(total)
    for index, weight in zip(indices, weights):
        np.take(picture, index, axis, out=part, mode="clip")  # the default mode copies through a buffer
        part *= weight[:, None] if axis == -2 else weight
        total += part


def add_windows(total: np.ndarray, picture: np.ndarray, indices: np.ndarray, weights: np.ndarray, axis: int) -> None:
    """Add row by row (or column by column), all taps at once: fewer steps when an image shrinks a lot."""
    source, target = np.moveaxis(picture, axis, 0), np.moveaxis(total, axis, 0)
    for position, weight in enumerate(weights.T):
        inside = np.flatnonzero(weight)
        first, last = indices[inside[0], position], indices[inside[-1], position] + 1
        target[position] = np.einsum("t,t...->...", weight[inside[0] : inside[-1] + 1], source[first:last])


@functools.lru_cache(64)
def taps(old: int, new: int) -> tuple[np.ndarray, np.ndarray]:
    """(indices, weights), each (T, new), of the old pixels in each new one: a triangle filter as wide as the coarser grid's step."""
    scale = old / new
    wide = max(scale, 1)
    centres = (np.arange(new) + 0.5) * scale - 0.5
    indices = np.floor(centres - wide).astype(np.int64) + 1 + np.arange(math.ceil(2 * wide))[:, None]
    weights = np.maximum(0, 1 - np.abs(indices - centres) / wide) * ((indices >= 0) & (indices < old))
    return indices.clip(0, old - 1), weights / weights.sum(axis=0)
