"""Save and load named arrays: everything is checked, and all problems are reported at once, before anything changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np

from ..conversions import shared
from ..errors import StateError
from ..tensor import Tensor

MAX_LISTED = 20  # names listed per kind of problem; the others are counted


def copy_state(named: Sequence[tuple[str, Tensor]]) -> dict[str, np.ndarray]:
    """Copies of the values of named tensors, as one consistent snapshot.

    >>> import slopes as sl
    >>> copy_state([("rate", sl.tensor(0.5))])
    {'rate': array(0.5, dtype=float32)}
    """
    return {name: np.array(array) for (name, _), array in zip(named, shared([held for _, held in named]))}


def load_arrays(owner: str, held: Mapping[str, Tensor], state: Mapping[str, Any], strict: bool = True) -> None:
    """Assign each array to the tensor of its name, or raise one StateError that lists all mismatches."""
    if not isinstance(state, Mapping):
        raise StateError(f"load_state_dict: a state is a mapping from names to arrays, not a {type(state).__name__}",
                         why="it is what net.state_dict() returns",
                         repair="from a file: net.load_state_dict(data.load_safetensors(path))")
    arrays = {name: np.asarray(array.detach() if isinstance(array, Tensor) else array) for name, array in state.items()}
    missing = [name for name in held if name not in arrays] if strict else []
    unknown = [name for name in arrays if name not in held] if strict else []
    unfit = [name for name, array in arrays.items() if name in held and not fits(array, held[name])]
    if missing or unknown or unfit:
        raise state_error(owner, held, arrays, missing, unknown, unfit)
    for name, array in arrays.items():
        if name in held:
            held[name].assign(array.astype(held[name].dtype))


def fits(array: np.ndarray, held: Any) -> bool:
    return array.shape == held.shape and np.can_cast(array.dtype, held.dtype, casting="same_kind")


def state_error(owner: str, held: Mapping[str, Tensor], arrays: Mapping[str, np.ndarray], missing: list[str], unknown: list[str],
                unfit: list[str], use: str = "load_state_dict", advice: str = "") -> StateError:
    """The error of `use` that lists the names that do not fit; `advice` replaces the usual repair."""
    counts = [count_text(missing, "missing"), count_text(unknown, "unknown"), count_text(unfit, "unfit")]
    lines = [f"missing: {name} {held[name].shape}" for name in first_names(missing)]
    lines += [f"unknown: {name} {arrays[name].shape}{suggestion(name, missing or held)}" for name in first_names(unknown)]
    lines += [f"unfit: {name} is {type_text(held[name])} here, but {type_text(arrays[name])} in the state" for name in first_names(unfit)]
    return StateError(f"{use}: the state does not match {owner}: " + ", ".join(text for text in counts if text),
                      why="\n  ".join(lines), repair=advice or repair(missing, unknown, unfit))


def count_text(names: list[str], word: str) -> str:
    return f"{len(names)} {'name' if len(names) == 1 else 'names'} {word}" if names else ""


def first_names(names: list[str]) -> list[str]:
    return names[:MAX_LISTED]


def type_text(array: Any) -> str:
    return f"{np.dtype(array.dtype).name} {tuple(array.shape)}"


def suggestion(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


def repair(missing: list[str], unknown: list[str], unfit: list[str]) -> str:
    if unfit:
        return "build the module with the sizes that the state was saved with"
    if missing and unknown:
        return "rename the entries of the state, or load what fits with strict=False"
    return "load what fits with strict=False"
