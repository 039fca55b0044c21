"""Pictures of any size and mode: what their headers say, the size and the colours in which a network sees them, and reading them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...data.loaders.dataset import Dataset
from ...data.loaders.folder import SUFFIXES, ImageFolder, Pictures
from ...data.transforms.conditioning import Standardize
from ...errors import ArgumentError, DataError
from ...files.images import ImageHeader, image_header, load_image, resize
from ...tables.report import shorten
from ..experiment import Config
from .classifier import BATCH, Inputs, OwnFiles, file_lines, folder_name
from .division import Division, divide
from .labelled_files import FileKind, Labelled, labelled_files, read_each, readable_files, without_broken

KIND = FileKind("picture", SUFFIXES)
SIZES = (8, 16, 24, 32, 48, 64, 96)
LEAST, EXACT, MOST = 4, 64, 2048  # the smallest size; the largest that is kept as it is where all pictures have it; the largest of all
GREY_MODES = ("1", "L", "LA", "L;16", "I", "I;16", "I;16B", "I;16L")
LOOKED_AT, SAMPLE = 64, 2048  # pictures: to see whether they have colour; for mean and deviation
COLOURLESS = 0.02  # difference of channels, of JPEG's rounding
IN_MEMORY = 2**30  # bytes of pixels: more are read from the disk in each epoch
BASELINE_SIDE = 12
MODE_NAMES = {"1": "black and white", "L": "grey", "LA": "grey with alpha", "P": "palette", "RGB": "colour", "RGBA": "colour with alpha",
              "CMYK": "CMYK", "I": "16-bit grey", "L;16": "16-bit grey", "I;16": "16-bit grey", "I;16B": "16-bit grey",
              "RGB;16": "16-bit colour"}


@dataclass(frozen=True)
class Sight:
    """How the network sees pictures: height and width, channels, and why."""

    size: int
    channels: int
    size_reason: str
    channels_reason: str

    def read(self, path: str) -> np.ndarray:
        """A picture (channels, size, size) float32 from 0 to 1; its proportions are not kept."""
        return load_image(path, self.channels, (self.size, self.size))


def choose_sight(config: Config, labelled: Labelled, headers: Sequence[ImageHeader | None]) -> Sight:
    """The size and the channels asked for, or those that suit the pictures."""
    size, size_reason = choose_size([header for header in headers if header is not None], config["size"])
    channels, channels_reason = choose_channels(labelled, headers, config["colour"])
    return Sight(size, channels, size_reason, channels_reason)


def choose_size(headers: Sequence[ImageHeader], size: int) -> tuple[int, str]:
    """The size asked for, else that of all pictures, else the largest of some that most of them fill."""
    if size:
        if not LEAST <= size <= MOST:
            raise ArgumentError(f"--size {size}", why="the network halves pictures, twice, and has to hold them in memory",
                                repair=f"use {LEAST} to {MOST}, such as 32")
        return size, "as asked for"
    sides = {(header.width, header.height) for header in headers}
    first = next(iter(sides))
    if len(sides) == 1 and first[0] == first[1] and LEAST <= first[0] <= EXACT:
        return first[0], "the size of all of them"
    median = float(np.median([min(header.width, header.height) for header in headers]))
    fitting = [side for side in SIZES if side <= median] or [SIZES[0]]
    return fitting[-1], f"of {', '.join(map(str, SIZES))} the largest that is not above the median of the shorter sides, {median:g}"


def choose_channels(labelled: Labelled, headers: Sequence[ImageHeader | None], colour: str) -> tuple[int, str]:
    """1 for grey, 3 for colour: as asked for, else colour if one of the pictures that are looked at has any."""
    if colour != "auto":
        return (1 if colour == "grey" else 3), "as asked for"
    doubtful = [i for i, header in enumerate(headers) if header is not None and header.mode not in GREY_MODES]
    if not doubtful:
        return 1, "all are stored so"
    looked_at = [doubtful[i] for i in np.unique(np.linspace(0, len(doubtful) - 1, LOOKED_AT).astype(np.int64))]
    coloured = sum(has_colour(labelled.paths[i]) for i in looked_at)
    if coloured:
        return 3, f"{coloured:,} of {len(looked_at):,} that were looked at have colour"
    return 1, f"none of the {len(looked_at):,} that were looked at has colour, though {len(doubtful):,} are not stored as grey"


def has_colour(path: str) -> bool:
    """Whether a picture has a pixel with colour; False for a broken one."""
    try:
        picture = load_image(path, 3, (32, 32))
    except DataError:
        return False
    return bool(np.ptp(picture, axis=0).max() > COLOURLESS)


def read_pictures(config: Config) -> OwnFiles:
    """All pictures of the user, divided; every one is read once now, so that none is broken later."""
    labelled = labelled_files(config, KIND)
    config.log(f"reading {KIND.count(len(labelled))} ...")
    headers, broken = read_each(labelled, lambda i: image_header(labelled.paths[i]), config["skip_broken"])
    readable_files(labelled, broken, KIND)
    sight = choose_sight(config, labelled, headers)
    pixels = memory_for(len(labelled), sight)

    def read(i: int) -> None:
        if i in broken:
            raise broken[i]
        picture = sight.read(labelled.paths[i])
        if pixels is not None:
            pixels[i] = picture

    _, broken = read_each(labelled, read, config["skip_broken"])
    kept, indices, names = without_broken(labelled, broken, KIND)
    division = divide(kept, KIND, config.seed)
    known = [header for i in indices.tolist() if (header := headers[i]) is not None]
    return as_files(config, kept, division, sight, known, names, None if pixels is None else pixels[indices])


def memory_for(count: int, sight: Sight) -> np.ndarray | None:
    """An array for the pixels of so many pictures; None where they are too many for the memory."""
    shape = (count, sight.channels, sight.size, sight.size)
    return np.empty(shape, np.float32) if 4 * np.prod(shape, dtype=np.float64) <= IN_MEMORY else None


def as_files(config: Config, labelled: Labelled, division: Division, sight: Sight, headers: Sequence[ImageHeader],
             broken: list[str], pixels: np.ndarray | None) -> OwnFiles:
    """The sides, with mean and deviation of the training pictures, and what was understood."""
    name = folder_name(labelled.root)

    def side(indices: np.ndarray, part: str) -> Inputs:
        targets = labelled.targets[indices]
        if pixels is not None:
            return Dataset(pixels[indices], targets, labelled.classes, f"{name}.{part}")
        paths = [labelled.paths[i] for i in indices]
        return ImageFolder(Pictures(paths, (sight.size, sight.size), sight.channels), targets, labelled.classes, f"{name}.{part}")

    train = side(division.train, "train")
    sample = np.unique(np.linspace(0, len(train) - 1, SAMPLE).astype(np.int64))
    scale = Standardize(np.asarray(train.inputs[sample]), per="channel")
    facts = {"classes": list(labelled.classes), "size": sight.size, "channels": sight.channels, "mean": scale.mean.ravel().tolist(),
             "std": scale.std.ravel().tolist(), "broken": broken}
    rows = [*header_rows(headers), ("scaled to", f"{sight.size} x {sight.size}, whatever their proportions: {sight.size_reason}"),
            ("read as", f"{'grey' if sight.channels == 1 else 'colour'}: {sight.channels_reason}"),
            ("kept", "in memory" if pixels is not None else "on the disk: they are read in each epoch")]
    return OwnFiles(train, side(division.validation, "validation"), side(division.test, "test"),
                    [labelled.name(i) for i in division.test], facts,
                    file_lines(labelled, division, KIND, config, rows, header_notes(headers)))


def header_rows(headers: Sequence[ImageHeader]) -> list[tuple[str, str]]:
    """Sizes and modes, in words."""
    widths, heights = ([getattr(header, side) for header in headers] for side in ("width", "height"))
    one = len(set(zip(widths, heights))) == 1
    sizes = f"{widths[0]} x {heights[0]} pixels (width x height)" if one else (
        f"{min(widths)} to {max(widths)} pixels wide, {min(heights)} to {max(heights)} high, "
        f"median {np.median(widths):g} x {np.median(heights):g}")
    modes = Counter(MODE_NAMES.get(header.mode, header.mode) for header in headers)
    return [("sizes", sizes), ("modes", shorten(", ".join(f"{mode} {count:,}" for mode, count in modes.most_common()), 120))]


def header_notes(headers: Sequence[ImageHeader]) -> list[str]:
    """What is to be said of animations, rotations, transparency and colours that are converted."""
    counts = (("animated", sum(header.animated for header in headers), "the first frame is read", "the first frame is read"),
              ("rotated by EXIF", sum(header.rotated for header in headers), "it is turned upright", "they are turned upright"),
              ("with transparency", sum(header.mode in ("LA", "PA", "RGBA") for header in headers), "white is put behind it",
               "white is put behind them"),
              ("in CMYK", sum(header.mode == "CMYK" for header in headers), "it is converted to RGB", "they are converted to RGB"))
    return [f"{KIND.count(count)} {name}: {one if count == 1 else many}" for name, count, one, many in counts if count]


def pixel_features(inputs: Inputs) -> np.ndarray:
    """Small pictures as rows (N, D), at most 12 x 12, for models of rows."""
    side = min(BASELINE_SIDE, inputs.inputs.shape[2])
    parts = (np.asarray(inputs.inputs[i : i + BATCH]) for i in range(0, len(inputs), BATCH))
    return np.concatenate([resize(part, (side, side)).reshape(len(part), -1) for part in parts])
