"""Locate the files of a data set: in the given folder, in that of SLOPES_DATA, or in the cache."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ...errors import DataError
from ...extras import on_demand
from ...files.reading import refused
from ...settings import cache_folder, data_folder, expand_home
from .sources import SOURCES

Folder = str | os.PathLike[str] | None


def located(name: str, file: str, folder: Folder) -> Path:
    """The path of one file: in the named folder, else in that of SLOPES_DATA, else in the cache, downloaded if need be.

    In a folder it may lie in the data set's subfolder or directly, with or without `.gz`.
    """
    home = expand_home(folder, "folder") if folder is not None else data_folder()
    if home is None:
        return on_demand("slopes.data.sets.download").fetch(name, file)
    for candidate in candidates(home, name, file):
        if candidate.is_file():
            return not_another(candidate, name, file)
    said = "folder" if folder is not None else "SLOPES_DATA"
    raise DataError(f"{home / subfolder(name) / file}: file: there is no such file, nor {home / file}",
                    why=f"{said} names {home} as the place of local copies",
                    repair="put the files of the data set there, or name no folder, so that they are downloaded")


def subfolder(name: str) -> str:
    """The subfolder of a data set among local copies."""
    return SOURCES[name].folder or name


def candidates(home: Path, name: str, file: str) -> Iterator[Path]:
    """All places where a local copy may lie, the likeliest first."""
    bare = file.removesuffix(".gz")
    for folder in (home / subfolder(name), home / name, home):
        yield from (folder / variant for variant in (file, bare if bare != file else f"{file}.gz"))


def not_another(path: Path, name: str, file: str) -> Path:
    """The path, unless the file is by its size that of another data set whose files have the same names."""
    size = path.stat().st_size
    for other, source in SOURCES.items():
        if other != name and file in source.files and size == source.files[file].size:
            raise refused(path, "size", f"{size} bytes, which is {other}'s file of this name, not {name}'s",
                          repair=f"ask for {other}, or name the folder of {name}")
    return path


def found_sets() -> list[str]:
    """The data sets whose files are all here: in the local copy or in the cache."""
    homes = [home for home in (data_folder(), cache_folder() / "data") if home is not None]
    return [name for name, source in SOURCES.items()
            if any(all(any(path.is_file() for path in candidates(home, name, file)) for file in source.files) for home in homes)]
