"""Folders of published networks: a configuration, weights under a usual name; local ones, or from the Hugging Face hub."""

from __future__ import annotations

import os
import re
from typing import Any

from ..errors import ArgumentError, DownloadError, SlopesError
from ..extras import require
from ..files.jsonfile import parse_object
from ..files.reading import Path, inside, read_whole, refused
from ..settings import cache_folder
from .checkpoint import Checkpoint
from .read import read_checkpoint

MOST_CONFIG = 2**24  # bytes
MOST_SIZE = 2**24  # of a layer: far above any network, far below what overflows
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
FILES = ("*.json", "*.txt", "*.safetensors")  # of a repository that are fetched: no pickles
WITH_PICKLES = (*FILES, "pytorch_model*.bin")


class Config:
    """The settings in a JSON file of a folder; getters validate them and name file and field in their errors.

    >>> from slopes import files
    >>> files.write_bytes("config.json", b'{"hidden_size": 384, "hidden_act": "gelu"}')
    >>> config = Config(".")
    >>> config.count("hidden_size"), config.count("layers", 12), config.choice("hidden_act", {"gelu": "gelu"})
    (384, 12, 'gelu')
    """

    def __init__(self, folder: Path, name: str = "config.json") -> None:
        self.path: Path = inside(folder, name)
        self.content = parse_object(read_whole(self.path, MOST_CONFIG), self.path, "contents", foreign=True)

    def count(self, key: str, default: int | None = None, most: int = MOST_SIZE) -> int:
        """A whole number from 1 to `most`."""
        value = self.content.get(key, default)
        if type(value) is not int or not 1 <= value <= most:
            raise refused(self.path, key, f"{value!r:.80} is not a whole number from 1 to {most}")
        return value

    def index(self, key: str) -> int:
        """The index of a token; 0 where there is none."""
        value = self.content.get(key)
        if value is not None and (type(value) is not int or not 0 <= value <= MOST_SIZE):
            raise refused(self.path, key, f"{value!r:.80} is not an index")
        return value or 0

    def real(self, key: str, default: float) -> float:
        """A number from 0 to below 1."""
        value = self.content.get(key, default)
        if type(value) not in (int, float) or not 0 <= value < 1:
            raise refused(self.path, key, f"{value!r:.80} is not a number from 0 to below 1")
        return float(value)

    def flag(self, key: str, default: bool) -> bool:
        value = self.content.get(key, default)
        if type(value) is not bool:
            raise refused(self.path, key, f"{value!r:.80} is neither true nor false")
        return value

    def choice(self, key: str, known: dict[Any, Any], default: Any = None) -> Any:
        """What `known` has for a text."""
        value = self.content.get(key, default)
        if not isinstance(value, (str, bool, type(None))) or value not in known:
            raise refused(self.path, key, f"{value!r:.80} is not supported", f"known are {', '.join(map(repr, known))}")
        return known[value]


def pretrained_folder(name: Path) -> Path:
    """The local folder or file `name`, or that of a repository "owner/name" of the Hugging Face hub, fetched into the cache.

    Fetching needs the extra `hub`; files of safetensors are preferred to pickles. Raises ArgumentError for anything else,
    DownloadError when it cannot be fetched.
    """
    if os.path.exists(name):
        return name
    text = os.fspath(name)
    if not HUB_NAME.fullmatch(text):
        raise ArgumentError(f"there is no folder {text!r}", why="nor is it the name of a repository, owner/name",
                            repair="give a folder with config.json and weights, or a name such as openai-community/gpt2")
    return fetch(text)


def read_pretrained(path: Path) -> Checkpoint:
    """The checkpoint of a file or folder, without the prefix that parallel training leaves before names."""
    return read_checkpoint(path).rename({r"^module\.": ""})


def fetch(name: str) -> str:
    """Fetch a repository: real files below the cache, no links."""
    library = require("huggingface_hub", extra="hub", purpose=f"fetching {name}")
    folder = cache_folder() / "hub" / name.replace("/", "--")
    try:
        library.snapshot_download(name, local_dir=folder, allow_patterns=list(FILES))
        if not list(folder.glob("*.safetensors")):
            library.snapshot_download(name, local_dir=folder, allow_patterns=list(WITH_PICKLES))
    except SlopesError:
        raise
    except Exception as error:  # the library has many of its own
        raise DownloadError(f"{name} could not be fetched", why=f"{type(error).__name__}: {error}"[:500],
                            repair=f"check the name and the connection, or put its files into {folder}") from error
    return os.fspath(folder)
