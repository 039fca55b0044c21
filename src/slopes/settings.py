"""The one table of settings: every environment variable that slopes reads, with its meaning and default."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import ArgumentError

VERSION = "0.1.0"  # the same as in pyproject.toml

VARIABLES = {
    "SLOPES_DATA": "folder with local copies of the data sets (default: none; they are downloaded to the cache)",
    "SLOPES_CACHE": "folder for downloads and compiled programs (default: the user's cache folder)",
    "SLOPES_THREADS": "number of threads (default: what the affinity mask and the container allow)",
    "SLOPES_CPU": "instruction set to compile for: avx512, avx2 or sse, on x86 (default: the best that the processor has)",
    "SLOPES_DEBUG": "1: kernels and times; 2: also passes; 3: also loops; 4: also LLVM code and assembly",
}

MOST_THREADS = 1024
INSTRUCTION_SETS = "avx512", "avx2", "sse"  # of x86, each a part of the one before


def data_folder() -> Path | None:
    """The folder named by SLOPES_DATA, or None."""
    named = os.environ.get("SLOPES_DATA")
    return Path(named).expanduser() if named else None


def cache_folder() -> Path:
    """The folder for downloads and compiled programs; not created here."""
    named = os.environ.get("SLOPES_CACHE")
    if named:
        return Path(named).expanduser()
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA", "~")).expanduser() / "slopes"
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "slopes"


def debug_level() -> int:
    """The level named by SLOPES_DEBUG, 0 when unset or not a number."""
    text = os.environ.get("SLOPES_DEBUG", "0")
    return int(text) if text.isdigit() else 0


def named_threads() -> int | None:
    """The number of threads named by SLOPES_THREADS, or None when unset; ArgumentError for anything but a number of threads."""
    text = os.environ.get("SLOPES_THREADS", "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MOST_THREADS):
        raise ArgumentError(f"SLOPES_THREADS is {text!r:.40}", why="it is the number of threads to compute with",
                            repair=f"set it to a whole number from 1 to {MOST_THREADS}, or unset it to use all processors", where="")
    return int(text)


def named_instruction_set() -> str | None:
    """The instruction set named by SLOPES_CPU, or None when unset; ArgumentError for a name that is none."""
    name = os.environ.get("SLOPES_CPU", "").strip().lower()
    if name and name not in INSTRUCTION_SETS:
        raise ArgumentError(f"SLOPES_CPU is {name!r:.40}", why="it is the instruction set to compile for",
                            repair="set it to avx512, avx2 or sse, or unset it to use the best one", where="")
    return name or None
