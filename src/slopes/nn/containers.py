"""Containers: Residual (a skip connection), Parallel (branches), Repeat (shared weights), and tied weights."""

from __future__ import annotations

from typing import Any

from ..constraint import COUNT, WHOLE, Constraint, check, one_of
from ..errors import ArgumentError, ShapeError
from ..ops.composite import concat
from ..tensor import Tensor
from .module import Module
from .sequential import Sequential, check_modules
from .where import layer_and_location

OPTIONAL_MODULE = Constraint("a module or None", lambda value: value is None or isinstance(value, Module), (3, Sequential))
MODULE = Constraint("a module", lambda value: isinstance(value, Module), (3, None, Sequential))


class Residual(Sequential):
    """y = x + f(x), where f is the sequence of layers; with a shortcut s, y = s(x) + f(x).

    x: input of the layers; f(x) must have the shape of x, or of s(x). Paths are those of a Sequential ("0.weight"), and
    "shortcut.weight". Raises ShapeError if the two shapes differ.
    Source: He et al., "Deep residual learning for image recognition", 2016.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.Residual(nn.Linear(4, 4), nn.ReLU())(sl.ones((7, 4))).shape
    (7, 4)
    >>> nn.Residual(nn.Linear(4, 3), shortcut=nn.Linear(4, 3, bias=False))(sl.ones((7, 4))).shape
    (7, 3)
    """

    constraints = {"shortcut": OPTIONAL_MODULE}

    def __init__(self, *layers: Module, shortcut: Module | None = None) -> None:
        check("Residual", self.constraints, {"shortcut": shortcut})
        super().__init__(*layers)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        straight = x if self.shortcut is None else self.shortcut(x)
        if y.shape != straight.shape:
            what, where = layer_and_location(self, x)
            raise ShapeError(f"{what} cannot add its layers' output {tuple(y.shape)} to {tuple(straight.shape)}",
                             why="x itself is added" if self.shortcut is None else "the output of its shortcut",
                             repair="pass a shortcut that maps x to this shape, such as nn.Conv2d(channels, new, 1, stride)"
                             if self.shortcut is None else "", where=where)
        return straight + y

    def describe(self) -> str:
        return "Residual()"


class Parallel(Module):
    """Apply every layer to the same x, and concatenate the results along `axis`, or add them.

    x: input of every layer; y: with join="concat" (the default) the sizes along `axis` (1: channels) add up; with "sum" all
    results must have one shape. Paths omit the name of the list: "0.weight". Raises ShapeError if the results do not match.
    Source: Szegedy et al., "Going deeper with convolutions", 2015 (the inception block).

    >>> import slopes as sl
    >>> from slopes import nn
    >>> block = nn.Parallel(nn.Conv2d(3, 4, 1), nn.Conv2d(3, 8, 3, padding=1))
    >>> block(sl.ones((2, 3, 6, 6))).shape
    (2, 12, 6, 6)
    >>> nn.Parallel(nn.Linear(4, 3), nn.Linear(4, 3), join="sum")(sl.ones((2, 4))).shape
    (2, 3)
    """

    layers: list[Module]
    unnamed = "layers"
    constraints = {"join": one_of("concat", "sum"), "axis": WHOLE}

    def __init__(self, *layers: Module, join: str = "concat", axis: int = 1) -> None:
        check("Parallel", self.constraints, {"join": join, "axis": axis})
        check_modules("Parallel", layers)
        if not layers:
            raise ArgumentError("Parallel: there are no layers", repair="pass at least one")
        self.layers, self.join, self.axis = list(layers), join, int(axis)

    def forward(self, x: Any) -> Tensor:
        results = [layer(x) for layer in self.layers]
        if self.join == "concat":
            return concat(results, self.axis)
        if any(result.shape != results[0].shape for result in results):
            what, where = layer_and_location(self, x)
            raise ShapeError(f"{what} cannot add results of the shapes {', '.join(str(tuple(result.shape)) for result in results)}",
                             repair="join='concat' concatenates them", where=where)
        total = results[0]
        for result in results[1:]:
            total = total + result
        return total

    def describe(self) -> str:
        return f"Parallel({self.details()})"

    def details(self) -> str:
        return f"join={self.join!r}" + (f", axis={self.axis}" if self.join == "concat" else "")


class Repeat(Module):
    """y = f(f(... f(x))): one layer applied several times with the same weights, which are stored and counted once.

    x and y: input and output of the layer. Gradients of the weights are summed over all applications.
    Source: Lan et al., "ALBERT: a lite BERT", 2020 (sharing across layers).

    >>> import slopes as sl
    >>> from slopes import nn
    >>> net = nn.Repeat(nn.Linear(4, 4), 3)
    >>> net(sl.ones((7, 4))).shape, net.summary((7, 4)).parameters
    ((7, 4), 20)
    """

    constraints = {"layer": MODULE, "times": COUNT}

    def __init__(self, layer: Module, times: int) -> None:
        check("Repeat", self.constraints, {"layer": layer, "times": times})
        self.layer, self.times = layer, int(times)

    def forward(self, x: Any) -> Any:
        for _ in range(self.times):
            x = self.layer(x)
        return x

    def details(self) -> str:
        return f"{self.times} times"


def tie(first: Module, *others: Module, name: str = "weight") -> None:
    """Tie a parameter: the other layers share the first one's, which is stored, trained, counted and saved once.

    Its gradient is the sum over all uses. `name` is the parameter's name in every layer. Raises ShapeError unless all have one shape,
    ArgumentError if a layer has no such parameter. Source: Press and Wolf, "Using the output embedding to improve
    language models", 2017.

    >>> from slopes import nn
    >>> words, scores = nn.Embedding(1000, 64), nn.Linear(64, 1000, bias=False)
    >>> nn.tie(words, scores)
    >>> len(nn.Sequential(words, scores).parameters())
    1
    """
    shared = get_parameter(first, name)
    for other in others:
        own = get_parameter(other, name)
        if own.shape != shared.shape:
            raise ShapeError(f"tie: {name} of {other.describe()} is {tuple(own.shape)}, that of {first.describe()} "
                             f"{tuple(shared.shape)}", why="a tied weight is one array")
    for other in others:
        setattr(other, name, shared)


def get_parameter(layer: Module, name: str) -> Tensor:
    parameter = getattr(layer, name, None)
    if not isinstance(parameter, Tensor):
        raise ArgumentError(f"tie: {layer.describe()} has no parameter {name!r}",
                            repair=f"it has {', '.join(layer.parameters().names) or 'none'}")
    return parameter
