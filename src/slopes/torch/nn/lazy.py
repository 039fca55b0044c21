"""`torch.nn.LazyLinear` and others: layers that learn the size of their input from the first one."""

from __future__ import annotations

from inspect import signature
from typing import Any

from ...constraint import check
from ...errors import ShapeError, SlopesError, StateError, line_text, user_location
from ...modes import mode
from .modules import Module

RANKS: dict[str, tuple[int, ...]] = {  # of inputs, where the size is axis 1; any rank for Linear, where it is the last axis
    "Linear": (), "Conv1d": (3,), "Conv2d": (4,), "Conv3d": (5,), "BatchNorm1d": (2, 3), "BatchNorm2d": (4,), "BatchNorm3d": (5,)}


class LazyLayer(Module):
    """A layer without parameters, which its first call turns into one of `kind`, with PyTorch's initial values for that size."""

    lacks_sizes = True
    kind: type[Any]  # the class of the layer after the first call
    input_ranks: tuple[int, ...]

    def __init__(self, *args: Any, **options: Any) -> None:
        core: Any = self.kind.__bases__[-1]
        values = signature(core).bind(1, *args, **options).arguments
        check(type(self).__name__, core.constraints, {name: value for name, value in list(values.items())[1:] if name in core.constraints})
        self.arguments = args, options

    def __call__(self, x: Any, *args: Any, **options: Any) -> Any:
        if mode.trace is not None:
            raise self.without_sizes(type(self).__name__)
        size, arguments, training = self.input_size(x), self.arguments, self.training
        del self.arguments
        object.__setattr__(self, "__class__", self.kind)
        self.__init__(size, *arguments[0], **arguments[1])  # type: ignore[misc]
        self.train(training)
        return self(x, *args, **options)

    def input_size(self, x: Any) -> int:
        """The features of x: its last axis for Linear, its second one for others."""
        if x.ndim in self.input_ranks or (x.ndim and not self.input_ranks):
            return x.shape[1 if self.input_ranks else -1]
        axes = " or ".join(map(str, self.input_ranks)) if self.input_ranks else "at least 1"
        raise ShapeError(f"{type(self).__name__} needs x of {axes} axes, but x is {tuple(x.shape)}",
                         where=f"layer called at {line_text(user_location())}",
                         why="the first input decides the size of the parameters",
                         repair="add the batch axis of a single example: x[None]")

    def without_sizes(self, path: str) -> SlopesError:
        return StateError(f"{type(self).__name__} at {path} has no parameters yet", where=line_text(user_location()),
                          why="their sizes are those of the first input", repair="call the network once on a batch before: net(x)")

    def details(self) -> str:
        args, options = self.arguments
        return ", ".join([*map(repr, args), *(f"{name}={value!r}" for name, value in options.items())])


def lazy_class(kind: type[Any]) -> type:
    """The lazy class of a layer of the window: its arguments without the first one."""
    name = f"Lazy{kind.__name__}"
    text = f"torch.nn.{kind.__name__}, whose first argument is known from the first input; parameters asked for before are a StateError."
    return type(name, (LazyLayer, kind), {"__doc__": text, "__module__": __package__,
                                          "kind": kind, "input_ranks": RANKS[kind.__name__]})
