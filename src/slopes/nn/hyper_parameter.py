"""Hyper-parameters that can change without recompilation (0-d tensors behind attributes), and notification of other changes."""

from __future__ import annotations

import inspect
from functools import wraps
from typing import Any, Self

import numpy as np

from ..constraint import Constraint, as_python, check
from ..tensor import Tensor
from ..versions import versions


class HyperParameter:
    """An attribute such as a learning rate or a probability, stored as a 0-d float64 tensor: assigning to it sets its value.

    A compiled function reads the tensor as state, so its next call uses a new value without recompilation. It is float64, like
    a Python number, because 1 - 0.999 in float32 has only four correct digits; users of the value cast it.

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
        tensor = vars(instance).get(self.name)
        if isinstance(value, Tensor) and isinstance(tensor, Tensor):  # a computed value, possibly inside a compiled function
            tensor.assign(value.reshape(()).astype(np.float64))
            return
        check(type(instance).__name__, {self.name: self.constraint}, {self.name: value})
        if value is not None and tensor is not None:
            tensor.assign(np.asarray(as_python(value), np.float64))
        else:
            versions.change_structure(instance)
            vars(instance)[self.name] = None if value is None else Tensor(float(as_python(value)), np.float64)


def format_value(tensor: Tensor | None) -> str:
    """The value as text, also while a function is traced.

    >>> import slopes as sl
    >>> format_value(sl.tensor(0.001, dtype="float64"))
    '0.001'
    """
    value = None if tensor is None else tensor.peek()
    return "None" if value is None else f"{float(value):g}"


def notify_on(kind: type, changes: tuple[str, ...]) -> None:
    """Make these methods of a container notify compiled functions of changes."""

    def notifying(name: str) -> Any:
        change = getattr(kind.__base__, name)

        @wraps(change)
        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            versions.structure += 1
            return change(self, *args, **kwargs)

        return method

    for name in changes:
        setattr(kind, name, notifying(name))


class LayerList(list):
    """A list that is an attribute of a module."""

    tracks_changes = True


class LayerDict(dict):
    """A dictionary that is an attribute of a module."""

    tracks_changes = True


notify_on(LayerList, ("append", "extend", "insert", "remove", "pop", "clear", "sort", "reverse", "__setitem__", "__delitem__", "__iadd__",
                 "__imul__"))
notify_on(LayerDict, ("pop", "popitem", "clear", "update", "setdefault", "__setitem__", "__delitem__", "__ior__"))
TRACKED_TYPES: dict[type, type] = {list: LayerList, dict: LayerDict}


class InitSignature:
    """The signature of a class as `inspect` asks for it: that of its __init__, although the class has a __new__."""

    def __get__(self, instance: Any, owner: type) -> inspect.Signature:
        if instance is not None:
            raise AttributeError("__signature__")  # that of an object is its __call__'s
        own = inspect.signature(owner.__init__)  # type: ignore[misc]
        return own.replace(parameters=list(own.parameters.values())[1:])


class TracksChanges:
    """An object whose attributes decide what is traced: changing one, other than a HyperParameter, invalidates compiled functions.

    Lists and dicts assigned to attributes become LayerList and LayerDict, whose changes do so too.
    """

    tracks_changes = True  # in `versions.structure`: compiled functions need not compare the attributes
    __signature__ = InitSignature()

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        if (args or kwargs) and cls.__init__ is object.__init__:
            raise TypeError(f"{cls.__name__}() takes no arguments")  # as Python does where there is no __new__
        made = super().__new__(cls)
        versions.add_unseen(made)
        return made

    def __setattr__(self, name: str, value: Any) -> None:
        if type(value) in TRACKED_TYPES:
            value = TRACKED_TYPES[type(value)](value)
        changed = name not in vars(self) or vars(self)[name] is not value
        if changed and not isinstance(getattr(type(self), name, None), HyperParameter):
            versions.change_structure(self)
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        versions.change_structure(self)
        object.__delattr__(self, name)
