"""`torch.save` and `torch.load`: state_dicts as safetensors files. PyTorch's own files are read too, and nothing in them is executed."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any

from ..checkpoints import read_checkpoint
from ..errors import ArgumentError
from ..files import save_safetensors
from ..tensor import Tensor as CoreTensor
from .devices import Device
from .tensor import new


def save(obj: Any, f: str | PathLike[str]) -> None:
    """Save a state_dict, a flat dictionary of tensors, as a safetensors file. Raises ArgumentError for anything else."""
    if not isinstance(obj, Mapping) or not all(isinstance(value, CoreTensor) for value in obj.values()):
        raise ArgumentError(f"torch.save: a {type(obj).__name__} is no state_dict", why="files hold named tensors only, and no code",
                            repair="save net.state_dict() and optimizer.state_dict() in files of their own, numbers as torch.tensor(3)")
    save_safetensors(f, {name: value.numpy() for name, value in obj.items()})


def load(f: str | PathLike[str], map_location: Any = None, *, weights_only: bool = True) -> dict[str, Any]:
    """The tensors of a file of `save`, or of PyTorch's, by name: names of nested dictionaries are joined by dots."""
    if isinstance(map_location, str):
        Device(map_location)
    checkpoint = read_checkpoint(f)
    return {name: new(checkpoint[name]) for name in checkpoint}
