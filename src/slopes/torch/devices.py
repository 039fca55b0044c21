"""The one device: `torch.device("cpu")`, and answers about the others."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from ..errors import ArgumentError
from ..standard import CPU


class Device(str):
    """torch.device("cpu"). Raises ArgumentError for any other device.

    >>> import slopes.torch as torch
    >>> torch.device("cuda" if torch.cuda.is_available() else "cpu").type
    'cpu'
    """

    type = CPU

    def __new__(cls, name: Any = CPU, index: int | None = None) -> Device:
        if str(name) not in (CPU, "cpu:0"):
            raise no_device(str(name))
        return super().__new__(cls, CPU)


def no_device(name: str) -> ArgumentError:
    return ArgumentError(f"the device {name!r} is not there", why="slopes computes on the CPU, in the main memory",
                         repair='write torch.device("cuda" if torch.cuda.is_available() else "cpu"), or "cpu"')


class Unavailable:
    """An accelerator such as `torch.cuda`: it is not there, and a seed for it has no effect."""

    def __init__(self, name: str) -> None:
        self.name = name

    def is_available(self) -> bool:
        return False

    def device_count(self) -> int:
        return 0

    def manual_seed(self, seed: int) -> None:
        """Nothing: there is no generator on this device."""

    manual_seed_all = manual_seed

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"torch.{self.name}.{name} is not in slopes.torch: slopes computes on the CPU; "
                             f"ask torch.{self.name}.is_available() first, which is False")


cuda, mps = Unavailable("cuda"), Unavailable("mps")
backends = SimpleNamespace(mps=mps, cudnn=SimpleNamespace(enabled=False, benchmark=False, deterministic=True))
