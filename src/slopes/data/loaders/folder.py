"""Pictures in a folder, one subfolder for each class: found at once, read when they are needed, by several threads."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path as FilePath
from typing import Any

import numpy as np

from ...errors import ArgumentError, DataError, ShapeError
from ...files.arrays import checked_index
from ...files.images import load_image
from ...files.reading import Path, inside, reading, refused
from ...workers import Workers
from .dataset import Dataset
from .loader import ArrayLoader

SUFFIXES = (".png", ".jpg", ".jpeg", ".pgm", ".ppm", ".pgm.gz", ".ppm.gz")
MOST_READERS = 8


class Pictures:
    """Stands for the array of inputs (N, channels, H, W) float32 of pictures on the disk; indexing reads them.

    >>> with open("a.pgm", "wb") as file:
    ...     _ = file.write(b"P5 2 1 255 " + bytes([0, 255]))
    >>> Pictures(["a.pgm"], size=(4, 4), channels=1)[:1].shape
    (1, 1, 4, 4)
    """

    __slots__ = ("channels", "most_pixels", "paths", "readers", "size")
    dtype = np.dtype(np.float32)

    def __init__(self, paths: Sequence[Path], size: tuple[int, int], channels: int, readers: int = 0,
                 most_pixels: int | None = None) -> None:
        self.paths, self.size, self.channels, self.most_pixels = tuple(paths), size, channels, most_pixels
        self.readers = readers or min(MOST_READERS, os.cpu_count() or 1)

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, channels, H, W)."""
        return (len(self.paths), self.channels, *self.size)

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, index: int) -> np.ndarray:
        """One picture (channels, H, W); DataError naming its file when it is damaged."""
        return load_image(self.paths[index], self.channels, self.size, self.most_pixels)

    def gather(self, indices: np.ndarray) -> np.ndarray:
        """The pictures of these numbers, in their order, read by `readers` threads."""
        made = np.empty((len(indices), *self.shape[1:]), np.float32)

        def fill(i: int) -> None:
            made[i] = self.read(int(indices[i]))

        with Workers(self.readers, thread_name_prefix="slopes-read") as pool:
            for _ in pool.map(fill, range(len(indices))):  # raises what a reader raised, the first in order
                pass
        return made

    def __getitem__(self, index: Any) -> np.ndarray:
        """Picture of a number; pictures of a slice or of an array of numbers or booleans."""
        if isinstance(index, (int, np.integer)):
            return self.read(range(len(self))[index])
        indices = np.arange(len(self))[index] if isinstance(index, slice) else checked_index(index, len(self))
        return self.gather(indices % max(1, len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:].astype(dtype or self.dtype, copy=False)


class ImageFolder(ArrayLoader):
    """A data set of pictures on the disk. inputs: `Pictures`; targets: (N,) int64; skipped: the damaged files and why.

    `sl.fit` and `sl.evaluate` read ahead in other threads while they compute; `data.split` divides it as any data set.
    """

    def __init__(self, inputs: Pictures, targets: np.ndarray, classes: tuple[str, ...], name: str,
                 skipped: tuple[tuple[str, str], ...] = ()) -> None:
        self.inputs, self.targets, self.classes, self.name, self.skipped = inputs, targets, classes, name, skipped
        self.targets.flags.writeable = False

    def __len__(self) -> int:
        return len(self.inputs)

    def __repr__(self) -> str:
        skipped = f", {len(self.skipped)} skipped" if self.skipped else ""
        return f"ImageFolder({self.name}: {len(self)} pictures {self.inputs.shape[1:]}, {len(self.classes)} classes{skipped})"

    def __getitem__(self, index: Any) -> tuple[np.ndarray, Any]:
        """(pictures, targets) of one example, a slice, or an array of numbers."""
        return self.inputs[index], self.targets[index]

    def subset(self, index: Any, name: str | None = None) -> ImageFolder:
        """The pictures that a slice, an array of numbers, or an array of booleans selects."""
        indices = np.arange(len(self))[index] if isinstance(index, slice) else checked_index(index, len(self))
        if not len(indices):
            raise ShapeError(f"the subset of {self.name} has no example", repair="select at least one")
        own = self.inputs
        chosen = Pictures([own.paths[i] for i in indices], own.size, own.channels, own.readers, own.most_pixels)
        return ImageFolder(chosen, self.targets[indices], self.classes, self.name if name is None else name)

    def load(self) -> Dataset:
        """All pictures in memory, for a set that fits."""
        return Dataset(self.inputs[:], self.targets, self.classes, self.name)


def image_folder(folder: Path, size: int | tuple[int, int], channels: int = 3, *, skip_damaged: bool = False, readers: int = 0,
                 most_pixels: int | None = None) -> ImageFolder:
    """The pictures FOLDER/CLASS/*.png (.jpg, .jpeg, .pgm, .ppm, the last two also .gz): a data set that is read as it is used.

    size: to which height and width each is scaled (`load_image`, which says how); channels: 1 for grey, 3 for colour. Classes are
    the subfolders in the order of the alphabet, files too; names that begin with a dot, and other endings, are left out.
    Only names are looked at now. A damaged file is a DataError that names it, when it is read; with `skip_damaged` every file is
    read once now, and `skipped` lists the damaged ones with their reasons. readers: threads that decode, by default one for each
    processor up to 8. PNG and JPEG need Pillow (extra `plot`).
    Raises DataError for a folder without subfolders, a class without a picture, links that lead out of the folder.
    """
    both = (size, size) if isinstance(size, (int, np.integer)) else tuple(size)
    if len(both) != 2 or min(both) < 1 or channels not in (1, 3) or readers < 0:
        raise ArgumentError(f"image_folder: size={size!r}, channels={channels!r}, readers={readers!r}",
                            why="pictures are scaled to (height, width), both at least 1; channels are 1 or 3")
    root = FilePath(folder)
    if not root.is_dir():
        raise refused(root, "folder", "there is no such folder" if not root.exists() else "it is a file", repair="check the path")
    classes = sorted(entry.name for entry in entries_of(root) if entry.is_dir())
    if not classes:
        raise refused(root, "folder", "it has no subfolders", "each class is a subfolder with its pictures", "move them into some")
    examples = [(path, label) for label, name in enumerate(classes) for path in pictures_of(root, name)]
    whole = ImageFolder(Pictures([path for path, _ in examples], (int(both[0]), int(both[1])), channels, readers, most_pixels),
                        np.array([label for _, label in examples], np.int64), tuple(classes), root.name or "pictures")
    return without_damaged(whole) if skip_damaged else whole


def entries_of(folder: Path) -> list[os.DirEntry[str]]:
    """What is in a folder, but for names that begin with a dot."""
    with reading(folder), os.scandir(folder) as entries:
        return [entry for entry in entries if not entry.name.startswith(".")]


def pictures_of(root: FilePath, name: str) -> Iterator[str]:
    """The files of one class. Only links are resolved: it takes longer than all the rest, and nothing else can lead out."""
    files = sorted((entry.name, entry.is_symlink()) for entry in entries_of(root / name) if entry.name.lower().endswith(SUFFIXES))
    if not files:
        raise refused(root / name, "folder", "there is no picture in it",
                      f"every subfolder is a class; pictures end in {', '.join(SUFFIXES)}", "remove it, or put pictures there")
    home = inside(root, name)
    yield from (inside(root, os.path.join(name, file)) if is_link else os.path.join(home, file) for file, is_link in files)


def without_damaged(whole: ImageFolder) -> ImageFolder:
    """The pictures that can be read; an error when a class is left without one."""
    def problem(index: int) -> str:
        try:
            whole.inputs.read(index)
        except DataError as error:
            return str(error.what)
        return ""

    with Workers(whole.inputs.readers) as pool:
        problems = list(pool.map(problem, range(len(whole))))
    readable = np.array([not reason for reason in problems])
    skipped = tuple((os.fspath(path), reason) for path, reason in zip(whole.inputs.paths, problems) if reason)
    empty = set(range(len(whole.classes))) - set(whole.targets[readable].tolist())
    if empty:
        name = whole.classes[min(empty)]
        raise DataError(f"{whole.name}: every picture of class {name!r} is damaged", why=skipped[0][1],
                        repair="replace some, or remove the class")
    kept = whole.subset(readable)
    kept.skipped = skipped
    return kept
