"""The state of a training as arrays by name: collected for a file, compared with what a training holds, and put back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from ..errors import StateError
from ..nn.state import copy_state, fits, state_error
from ..tensor import Tensor

GROWING = "history", "epoch", "callbacks"  # groups whose arrays may have other shapes


class Group(Protocol):
    """A part of a training with state that is not held in tensors."""

    def named_state(self) -> Mapping[str, Any]: ...
    def load_named_state(self, state: Mapping[str, Any]) -> None: ...


def collect_state(tensors: Mapping[str, Tensor], groups: Mapping[str, Group]) -> dict[str, np.ndarray]:
    """Copies of the tensors, all of one moment, and the state of each group under its prefix."""
    state = copy_state(list(tensors.items()))
    for prefix, group in groups.items():
        state |= {f"{prefix}.{name}": np.array(value) for name, value in group.named_state().items()}
    return state


def restore_state(tensors: Mapping[str, Tensor], groups: Mapping[str, Group], state: Mapping[str, Any]) -> None:
    """Put a collected state back; one StateError lists everything that does not fit, and then nothing is changed."""
    if not isinstance(state, Mapping):
        raise StateError(f"load_named_state: a state of type {type(state).__name__} instead of arrays by name",
                         why="a state is what training.named_state() gives",
                         repair="from a file: training.load_named_state(sl.files.load_safetensors(path))")
    arrays = {name: np.asarray(value) for name, value in state.items()}
    held = {**tensors, **{f"{prefix}.{name}": np.asarray(value)
                          for prefix, group in groups.items() for name, value in group.named_state().items()}}
    check_state(held, arrays, tuple(groups))
    for name, tensor in tensors.items():
        tensor.assign(arrays[name])
    for prefix, group in groups.items():
        group.load_named_state({name.removeprefix(f"{prefix}."): array for name, array in arrays.items() if name.startswith(f"{prefix}.")})


def check_state(held: Mapping[str, Any], arrays: Mapping[str, np.ndarray], groups: tuple[str, ...]) -> None:
    """All names are there and no others, shapes and types are equal, and so are the settings that decide the order of examples."""
    missing = [name for name in held if name not in arrays and not is_optional(name, groups)]
    unknown = [name for name in arrays if name not in held and not is_optional(name, groups)]
    unfit = [name for name, array in arrays.items()
             if name in held and not name.startswith(GROWING) and not fits(array, held[name])]
    if missing or unknown or unfit:
        raise state_error("this training", held, arrays, missing, unknown, unfit, "load_named_state",
                          "make the training as the saved one was made: the same net, optimizer, settings and callbacks")
    other = [name for name in held if name.startswith("spec.") and int(arrays[name]) != int(held[name])]
    if other:
        differences = ", ".join(f"{name.removeprefix('spec.')} is {int(held[name])} here, {int(arrays[name])} there" for name in other)
        raise StateError(f"load_named_state: the state is of another training: {differences}",
                         why="the steps that are left would not be the same",
                         repair="make the training with the data and settings of the saved one")


def is_optional(name: str, groups: tuple[str, ...]) -> bool:
    """Whether a name may come and go: one with a dot inside a group, such as history.metrics.accuracy, which is there after an epoch."""
    return any(name.startswith(f"{group}.") and "." in name.removeprefix(f"{group}.") for group in groups)
