"""Lists and dictionaries that are modules: of modules, and of parameters. They hold; they have no forward."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from typing import Any, Generic, Self, TypeVar

from ..errors import ArgumentError
from ..parameter import Parameter
from ..tensor import Tensor
from .hyper_parameter import LayerDict, LayerList
from .module import Module
from .sequential import check_key, check_modules

T = TypeVar("T")


class ListModule(Module, Generic[T]):
    """The base class of ModuleList and ParameterList, which check and convert what they hold."""

    entries: list[T]
    unnamed = "entries"

    def convert(self, value: Any) -> T:
        """What is held for a value; ArgumentError for a value of another type."""
        raise NotImplementedError

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        self.entries = LayerList()
        self.extend([] if values is None else values)

    def append(self, value: Any) -> Self:
        """Add an element at the end; returns the list itself."""
        self.entries.append(self.convert(value))
        return self

    def extend(self, values: Iterable[Any]) -> Self:
        """Add several elements at the end; returns the list itself."""
        if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
            raise ArgumentError(f"{type(self).__name__}: {values!r:.60} is no list of elements", repair="pass a list, or append one")
        self.entries.extend([self.convert(value) for value in values])
        return self

    def insert(self, index: int, value: Any) -> None:
        """Add an element before the one at this index."""
        self.entries.insert(index, self.convert(value))

    def pop(self, index: int = -1) -> T:
        """Remove an element, and return it."""
        return self.entries.pop(index)

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[T]:
        return iter(self.entries)

    def __getitem__(self, index: int | slice) -> Any:
        return type(self)(self.entries[index]) if isinstance(index, slice) else self.entries[index]

    def __setitem__(self, index: int, value: Any) -> None:
        self.entries[index] = self.convert(value)

    def __delitem__(self, index: int | slice) -> None:
        del self.entries[index]

    def __add__(self, others: Iterable[Any]) -> Self:
        return type(self)([*self.entries, *others])


class ModuleList(ListModule[Module]):
    """A list of modules whose parameters belong to the module that it is an attribute of; call its elements in `forward`.

    It has append, extend, insert, pop, len, indices, slices and +. Paths are those of its elements: "layers.0.weight". A plain list
    as an attribute serves as well. Raises ArgumentError for an element that is no module.

    >>> from slopes import nn
    >>> layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(2))
    >>> layers.append(nn.Linear(4, 1))
    ModuleList(
      [0] Linear(4 -> 4)
      [1] Linear(4 -> 4)
      [2] Linear(4 -> 1)
    )
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__(modules)

    def convert(self, value: Any) -> Module:
        check_modules("ModuleList", [value])
        return value


class ParameterList(ListModule[Parameter]):
    """A list of parameters that belong to the module that it is an attribute of. Other tensors and arrays become parameters.

    >>> from slopes import nn
    >>> weights = nn.ParameterList([[1.0, 2.0], [3.0]])
    >>> [(name, weight.shape) for name, weight in weights.named_parameters()]
    [('0', (2,)), ('1', (1,))]
    """

    def convert(self, value: Any) -> Parameter:
        return as_parameter(value)


class DictModule(Module, Generic[T]):
    """The base class of ModuleDict and ParameterDict, which check and convert what they hold."""

    entries: dict[str, T]
    unnamed = "entries"

    def convert(self, value: Any) -> T:
        """What is held for a value; ArgumentError for a value of another type."""
        raise NotImplementedError

    def __init__(self, values: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None) -> None:
        self.entries = LayerDict()
        self.update({} if values is None else values)

    def update(self, values: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> None:
        """Add or replace elements, from a mapping or from pairs."""
        try:
            pairs = dict(values)
        except (TypeError, ValueError):
            raise ArgumentError(f"{type(self).__name__}: {values!r:.60} is neither a dictionary nor pairs of a name and an element",
                                repair="pass a dictionary") from None
        for key, value in pairs.items():
            self[key] = value

    def keys(self) -> KeysView[str]:
        return self.entries.keys()

    def values(self) -> ValuesView[T]:
        return self.entries.values()

    def items(self) -> ItemsView[str, T]:
        return self.entries.items()

    def pop(self, key: str) -> T:
        """Remove an element, and return it."""
        return self.entries.pop(key)

    def clear(self) -> None:
        """Remove all elements."""
        self.entries.clear()

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __contains__(self, key: object) -> bool:
        return key in self.entries

    def __getitem__(self, key: str) -> T:
        return self.entries[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.entries[check_key(type(self).__name__, key)] = self.convert(value)

    def __delitem__(self, key: str) -> None:
        del self.entries[key]


class ModuleDict(DictModule[Module]):
    """A dictionary of modules whose parameters belong to the module that it is an attribute of; call its elements in `forward`.

    It has the methods of dictionaries. Paths are those of its elements: "heads.age.weight". A plain dict as an attribute serves as
    well. Raises ArgumentError for an element that is no module.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> heads = nn.ModuleDict({"age": nn.Linear(4, 1), "name": nn.Linear(4, 9)})
    >>> heads["age"](sl.ones((2, 4))).shape, list(heads)
    ((2, 1), ['age', 'name'])
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None) -> None:
        super().__init__(modules)

    def convert(self, value: Any) -> Module:
        check_modules("ModuleDict", [value])
        return value


class ParameterDict(DictModule[Parameter]):
    """A dictionary of parameters that belong to the module that it is an attribute of. Other tensors and arrays become parameters.

    >>> from slopes import nn
    >>> nn.ParameterDict({"scale": [1.0, 2.0]})["scale"]
    Parameter([1., 2.], requires_grad=True)
    """

    def __init__(self, parameters: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None) -> None:
        super().__init__(parameters)

    def convert(self, value: Any) -> Parameter:
        return as_parameter(value)


def as_parameter(value: Any) -> Parameter:
    if isinstance(value, Parameter):
        return value
    return Parameter(value.detach() if isinstance(value, Tensor) else value)
