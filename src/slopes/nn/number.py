"""Numbers that may change while a compiled program runs: 0-d tensors behind plain attributes."""

from __future__ import annotations

from functools import wraps
from typing import Any

import numpy as np

from ..constraint import Constraint, as_python, check
from ..tensor import Tensor, versions


class Number:
    """An attribute such as a rate or a probability, held as a 0-d float64 tensor: assigning to it assigns that tensor's value.

    A compiled function reads the tensor as state, so the next call uses a new value without a new compilation. The type
    is float64, as a Python number is, because 1 - 0.999 in float32 is already wrong in its fifth digit; what uses it casts it.

    >>> import slopes as sl
    >>> layer = sl.nn.Dropout(0.5)
    >>> layer.p = 0.25
    >>> float(layer.p)
    0.25
    """

    def __init__(self, constraint: Constraint) -> None:
        self.constraint = constraint

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type) -> Any:
        return self if instance is None else vars(instance)[self.name]

    def __set__(self, instance: Any, value: Any) -> None:
        held = vars(instance).get(self.name)
        if isinstance(value, Tensor) and isinstance(held, Tensor):  # a computed value, perhaps inside of a compiled function
            held.assign(value.reshape(()).astype(np.float64))
            return
        check(type(instance).__name__, {self.name: self.constraint}, {self.name: value})
        if value is not None and held is not None:
            held.assign(np.asarray(as_python(value), np.float64))
        else:
            versions.structure += 1
            vars(instance)[self.name] = None if value is None else Tensor(float(as_python(value)), np.float64)


def text(number: Tensor | None) -> str:
    """The number as a person writes it, also while a function is traced.

    >>> import slopes as sl
    >>> text(sl.tensor(0.001, dtype="float64"))
    '0.001'
    """
    held = None if number is None else number.peek()
    return "None" if held is None else f"{float(held):g}"


def told(kind: type, changes: tuple[str, ...]) -> None:
    """Let a container tell compiled functions of each change."""

    def telling(name: str) -> Any:
        change = getattr(kind.__base__, name)

        @wraps(change)
        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            versions.structure += 1
            return change(self, *args, **kwargs)

        return method

    for name in changes:
        setattr(kind, name, telling(name))


class LayerList(list):
    """A list that is an attribute of a module."""

    tells_of_changes = True


class LayerDict(dict):
    """A dictionary that is an attribute of a module."""

    tells_of_changes = True


told(LayerList, ("append", "extend", "insert", "remove", "pop", "clear", "sort", "reverse", "__setitem__", "__delitem__", "__iadd__",
                 "__imul__"))
told(LayerDict, ("pop", "popitem", "clear", "update", "setdefault", "__setitem__", "__delitem__", "__ior__"))
KEPT_AS: dict[type, type] = {list: LayerList, dict: LayerDict}


class Structured:
    """An object whose attributes decide what is traced: compiled functions are told when one changes, except a Number.

    A list or dict becomes one that tells of its changes, too.
    """

    tells_of_changes = True  # by `versions.structure`, so that a compiled function need not compare the attributes

    def __setattr__(self, name: str, value: Any) -> None:
        if type(value) in KEPT_AS:
            value = KEPT_AS[type(value)](value)
        changed = name not in vars(self) or vars(self)[name] is not value
        if changed and not isinstance(getattr(type(self), name, None), Number):
            versions.structure += 1
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        versions.structure += 1
        object.__delattr__(self, name)
