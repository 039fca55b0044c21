"""What tensors share with the arrays of other libraries by the Python array API: the name of the device, the version of the standard."""

from __future__ import annotations

from typing import Any

from .errors import ArgumentError

CPU = "cpu"
VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12", "2025.12")  # of the standard that this namespace follows, the latest last


def check_device(use: str, device: Any) -> None:
    """Raise ArgumentError unless a device is None or the CPU.

    >>> check_device("zeros", "cpu")
    """
    if device is not None and str(device) != CPU:
        raise ArgumentError(f"{use}: device={device!r:.60} is not there", why="tensors of slopes are in the main memory of this machine",
                            repair='leave the device out, or say device="cpu"')


def check_version(version: str | None) -> None:
    """Raise ArgumentError for a version of the standard that is not there; None is the latest.

    >>> check_version("2025.12")
    """
    if version is not None and version not in VERSIONS:
        raise ArgumentError(f"the array API of version {version!r} is not there", repair=f'ask for "{VERSIONS[-1]}"')
