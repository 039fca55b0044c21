"""JAX, the library through which slopes uses XLA: its version, its device, and where it keeps compiled programs."""

from __future__ import annotations

import contextlib
import os
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import DeviceError, MissingExtraError, SlopesError
from ..extras import installed, require
from ..machine.cache import private_folder
from .hosts import connect

OLDEST, BELOW = (0, 9), (0, 11)  # versions of JAX: tested at both ends
SECONDS = 0.2  # programs that took longer to compile are kept on the disk
MOST = 1 << 30  # bytes of all that are kept; those that were not used for longest are removed first


def load_jax() -> Any:
    """The module jax, ready for use.

    Raises MissingExtraError where it is not installed, or in another version; DeviceError where it has no device.
    """
    jax = known_jax()
    set_up(jax)
    return jax


def known_jax() -> Any:
    """The module jax, in a version that slopes knows."""
    jax = require("jax", extra="xla", purpose='backend="xla"')
    check_version(jax.__version__)
    return jax


@cache
def set_up(jax: Any) -> None:
    """Join other processes, if there are any, look for a device and the folder of compiled programs, once per process."""
    connect()
    first_device(jax)
    keep_programs(jax)


def check_version(version: str) -> None:
    """Raise MissingExtraError for a version of JAX that this one of slopes was not tested with.

    >>> check_version("0.10.2")
    """
    known = tuple(map(int, re.findall(r"\d+", version)[:2]))
    if not OLDEST <= known < BELOW:
        oldest, below = (".".join(map(str, bound)) for bound in (OLDEST, BELOW))
        raise MissingExtraError(f'backend="xla" does not know jax {version}', why=f"it was tested with jax from {oldest} to below {below}",
                                repair="pip install 'slopes[xla]'")


def first_device(jax: Any) -> Any:
    """The device that programs run on: JAX's first."""
    try:
        return jax.devices()[0]
    except RuntimeError as error:
        platforms = os.environ.get("JAX_PLATFORMS") or jax.config.jax_platforms
        raise DeviceError(f"JAX has no device to run on{f' with JAX_PLATFORMS={platforms}' if platforms else ''}", why=str(error),
                          repair="unset JAX_PLATFORMS, or install JAX's build for that device: pip install 'jax[cuda13]' for NVIDIA GPUs"
                          ) from error


def describe() -> str:
    """JAX and its devices in a line, for `slopes info`."""
    if not installed("jax"):
        return "not installed: pip install 'slopes[xla]'"
    try:
        jax = known_jax()
        first_device(jax)
    except SlopesError as error:
        return f"{error.what}: {error.why}"
    kinds = Counter(f"{device.platform} ({device.device_kind})" for device in jax.devices())
    return f"jax {jax.__version__} on " + ", ".join(f"{count} {kind}" for kind, count in kinds.items())


@contextlib.contextmanager
def modes(jax: Any) -> Iterator[None]:
    """Types of 64 bits stay, and products of float32 are those of float32 on every device."""
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        yield


def keep_programs(jax: Any) -> None:
    """Let JAX keep compiled programs in slopes' cache folder, unless the user has set another one, or none."""
    if jax.config.jax_compilation_cache_dir is not None or not jax.config.jax_enable_compilation_cache:
        return
    folder = private_folder("xla")
    if folder is not None:
        tidy(folder)
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", SECONDS)


def tidy(folder: Path) -> None:
    """Remove the files that were not used for longest, where all together are too large."""
    total = 0
    with contextlib.suppress(OSError):  # another process tidies, too
        states = [(path, path.stat()) for path in folder.iterdir()]
        for path, status in sorted(states, key=lambda item: max(item[1].st_atime, item[1].st_mtime), reverse=True):
            total += status.st_size
            if total > MOST:
                path.unlink(missing_ok=True)
