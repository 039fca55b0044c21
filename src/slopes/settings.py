"""Settings: all environment variables that slopes reads, with meanings and defaults."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from functools import lru_cache
from pathlib import Path

from .errors import ArgumentError, SaveError, say_once

VERSION = "0.1.0"  # the same as in pyproject.toml

VARIABLES = {
    "SLOPES_DATA": "folder with local copies of the data sets (default: none; they are downloaded to the cache)",
    "SLOPES_CACHE": "folder for downloads and compiled programs (default: the user's cache folder; without one, a temporary one)",
    "SLOPES_THREADS": "number of threads (default: what the affinity mask, the container and OMP_NUM_THREADS allow)",
    "SLOPES_CPU": "what to compile for on x86: avx512, avx2, sse, a level (v4, v3, v2), or a processor such as haswell (default: host)",
    "SLOPES_ENTRY": "portable: call programs through ctypes, as where CPython's C API is missing (default: by that API)",
    "SLOPES_CHECK": "1: each call of a compiled function verifies who holds the arrays that it writes into (slow)",
    "SLOPES_COORDINATOR": "HOST:PORT where the first of several processes that train together is met (default: one process)",
    "SLOPES_PROCESSES": "how many processes train together (default: as Slurm or Open MPI say)",
    "SLOPES_RANK": "which of them this one is, from 0 (default: as Slurm, Open MPI or Kubernetes say)",
    "SLOPES_HANG_SECONDS": "after so many silent seconds a process is lost, and the others end (default: 45)",
    "SLOPES_CONNECT_SECONDS": "how long the first process is looked for (default: 60)",
    "SLOPES_DEBUG": "1: kernels and times; 2: also passes; 3: also loops; 4: also LLVM code and assembly",
}

MOST_THREADS = 1024
INSTRUCTION_SETS = "avx512", "avx2", "sse"  # of x86, each a part of the one before
LEVELS = {"x86-64-v4": "avx512", "x86-64-v3": "avx2", "x86-64-v2": "sse",  # the names that x86's psABI has for them, and short ones
          "v4": "avx512", "v3": "avx2", "v2": "sse"}
PROCESSORS = {  # LLVM's names of processors, and their instruction set
    "nehalem": "sse", "sandybridge": "sse",
    "haswell": "avx2", "skylake": "avx2", "alderlake": "avx2", "znver1": "avx2", "znver2": "avx2", "znver3": "avx2",
    "skylake-avx512": "avx512", "icelake-server": "avx512", "sapphirerapids": "avx512", "znver4": "avx512", "znver5": "avx512"}


def data_folder() -> Path | None:
    """The folder named by SLOPES_DATA, or None."""
    named = os.environ.get("SLOPES_DATA")
    return expand_home(named, "SLOPES_DATA") if named else None


def cache_folder() -> Path:
    """The folder for downloads and compiled programs; not created here, unless it is temporary.

    It is what SLOPES_CACHE names, else the user's cache folder (XDG_CACHE_HOME/slopes, or ~/.cache/slopes), else, where a user has
    no home or may not write there, a folder of the user's own among the temporary files.
    """
    named = os.environ.get("SLOPES_CACHE")
    if named:
        return expand_home(named, "SLOPES_CACHE")
    usual = user_cache_folder()
    return usual if usual is not None and is_writable(usual) else temporary_cache_folder(usual)


def user_cache_folder() -> Path | None:
    """The system's cache folder of the user; None for a user without a home folder."""
    home = os.path.expanduser("~")
    if os.name == "nt":
        local = os.environ.get("LOCALAPPDATA") or home
        return Path(local) / "slopes" if os.path.isabs(local) else None
    configured = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(configured):  # the standard says to ignore relative paths
        return Path(configured) / "slopes"
    return Path(home) / ".cache" / "slopes" if home not in ("/", "//") and os.path.isdir(home) and os.path.isabs(home) else None


def is_writable(folder: Path) -> bool:
    """Whether the folder exists, or this process may create it."""
    there = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    return os.path.isdir(there) and (there == folder or os.access(there, os.W_OK | os.X_OK))


@lru_cache(maxsize=4)
def temporary_cache_folder(instead_of: Path | None) -> Path:
    """A private folder among the temporary files; the same one in the next process, unless its name is taken."""
    try:
        folder = Path(tempfile.gettempdir()) / f"slopes-{os.getuid() if hasattr(os, 'getuid') else os.environ.get('USERNAME', '')}"
        if not is_private(folder):
            folder = Path(tempfile.mkdtemp(prefix="slopes-"))
    except OSError as error:
        raise SaveError(f"there is no folder for a cache: {error.strerror or error}", repair="set SLOPES_CACHE to one", where="") from error
    why = "this user has no home folder" if instead_of is None else f"{instead_of} cannot be written"
    say_once(f"slopes: {why}: downloads and compiled programs are kept in {folder}; SLOPES_CACHE names another folder")
    return folder


def is_private(folder: Path) -> bool:
    """Whether the folder, created if missing, belongs to this user and is inaccessible to others."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder, 0o700)
    status = os.lstat(folder)
    own = not hasattr(os, "geteuid") or (status.st_uid == os.geteuid() and not status.st_mode & 0o077)
    return stat.S_ISDIR(status.st_mode) and own


def expand_home(folder: str | os.PathLike[str], said: str) -> Path:
    """The folder with `~` and `~user` expanded; ArgumentError, naming the setting `said`, if there is no such home."""
    path = os.path.expanduser(folder)
    if os.fspath(folder).startswith("~") and path.startswith("~"):
        raise ArgumentError(f"{said} is {os.fspath(folder)!r}, and there is no such home", why="~ is a user's home folder",
                            repair="write the whole path")
    return Path(path)


def debug_level() -> int:
    """The level named by SLOPES_DEBUG, 0 when unset or not a number."""
    text = os.environ.get("SLOPES_DEBUG", "0")
    return int(text) if text.isdigit() else 0


def portable_entry() -> bool:
    """Whether SLOPES_ENTRY asks for calls that use nothing of the interpreter; ArgumentError for another word."""
    name = os.environ.get("SLOPES_ENTRY", "").strip().lower()
    if name not in ("", "portable"):
        raise ArgumentError(f"SLOPES_ENTRY is {name!r:.40}", why="it is the way in which Python calls compiled programs",
                            repair="set it to portable, or unset it to use the quickest one", where="")
    return name == "portable"


def checks_ownership() -> bool:
    """Whether SLOPES_CHECK asks for checks of who holds and changes the arrays of compiled functions."""
    return os.environ.get("SLOPES_CHECK", "") not in ("", "0")


def named_threads() -> int | None:
    """The number of threads named by SLOPES_THREADS, or None when unset; ArgumentError for anything but a number of threads."""
    text = os.environ.get("SLOPES_THREADS", "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MOST_THREADS):
        raise ArgumentError(f"SLOPES_THREADS is {text!r:.40}", why="it is the number of threads to compute with",
                            repair=f"set it to a whole number from 1 to {MOST_THREADS}, or unset it to use all processors", where="")
    return int(text)


def openmp_threads() -> int | None:
    """The number of threads that OMP_NUM_THREADS allows (its first, of several levels), or None when unset or not a number.

    joblib sets it in its worker processes, so that all of them together use each processor once.
    """
    first = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(first) if first.isascii() and first.isdigit() and len(first) <= 4 and int(first) else None


def named_cpu() -> tuple[str, str | None] | None:
    """The instruction set named by SLOPES_CPU, and the processor if it names one; None when unset or "host".

    ArgumentError for an unknown name.
    """
    text = os.environ.get("SLOPES_CPU", "").strip().lower()
    if text in ("", "host"):
        return None
    if text in PROCESSORS:
        return PROCESSORS[text], text
    name = LEVELS.get(text, text)
    if name not in INSTRUCTION_SETS:
        raise ArgumentError(f"SLOPES_CPU is {text!r:.40}", why="it is the instruction set, or the processor, to compile for",
                            repair=f"set it to {', '.join(INSTRUCTION_SETS)}, {', '.join(LEVELS)}, to a processor "
                                   f"({', '.join(PROCESSORS)}), or to host, the best one here", where="")
    return name, None
