"""Groups of parameters with options of their own: an optimizer of each group, and the one that consists of them."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from ..constraint import NOT_NEGATIVE
from ..errors import ArgumentError, missing_method
from ..nn.hyper_parameter import HyperParameter, TracksChanges
from ..tensor import Tensor
from .parameters import GROUP_KEY

State = dict[str, Tensor]


class Grouped(TracksChanges):
    """The base of optimizers, as far as it deals with groups: an optimizer of several groups is the whole, those of the groups its members.

    A member has its options and `lr`; the steps of members take `rate`, which is `lr`, scaled as that of the whole was since its
    construction.
    """

    lr = HyperParameter(NOT_NEGATIVE)
    initial_options: dict[str, Any]  # of the constructor, without defaults

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Remembers the options of the constructor, which are the defaults of groups."""
        optimizer = super().__new__(cls)
        vars(optimizer)["initial_options"] = constructor_options(cls, args, kwargs)
        return optimizer

    def __init__(self) -> None:
        self.members: list[Grouped] = []
        self.whole: Grouped | None = None
        self.base_lr = 0.0
        self.names: list[str] = []
        self.parameters: list[Tensor] = []
        self.states: list[State] = []

    def group(self, i: int, options: Mapping[str, Any]) -> Self:
        """The optimizer of a group: options that it does not have are those of this one."""
        own, known = {name: value for name, value in options.items() if name != GROUP_KEY}, option_names(type(self))
        for name in own:
            if name not in known:
                raise ArgumentError(f"{type(self).__name__}: group {i} has {name!r}, which is not an option of {type(self).__name__}",
                                    repair=f"its options are {', '.join(known)}")
        make: Callable[..., Self] = type(self)
        return make(options[GROUP_KEY], **{**self.initial_options, **own})

    def join(self, members: Sequence[Grouped]) -> None:
        """Become the optimizer that consists of these, each with its parameters and rate."""
        owner, tensors = type(self).__name__, [parameter for member in members for parameter in member.parameters]
        if len({id(tensor) for tensor in tensors}) < len(tensors):
            raise ArgumentError(f"{owner}: a parameter is in two groups", why="it would be changed twice in each step",
                                repair="select the parameters of each group so that no other group has them")
        if not float(self.lr):
            raise ArgumentError(f"{owner}: lr is 0, and there are groups", why="setting it scales the rates of all groups in proportion",
                                repair="pass an lr above 0, and to groups that shall rest lr 0")
        self.names = [f"groups.{i}.{name}" for i, member in enumerate(members) for name in member.names]
        self.parameters, self.states = tensors, [state for member in members for state in member.states]
        self.base_lr = float(self.lr)
        for member in members:
            member.whole = self
        self.members = list(members)

    @property
    def groups(self) -> list[Grouped]:
        """The optimizers of the groups of parameters; this one where there are none."""
        return list(self.members) or [self]

    @property
    def rate(self) -> Tensor:
        """The learning rate of the next step: `lr`, in a group scaled as that of the whole optimizer was since its construction."""
        return self.lr if self.whole is None else self.lr * (self.whole.rate / self.whole.base_lr)

    def __setattr__(self, name: str, value: Any) -> None:
        if vars(self).get("members") and name != "lr" and is_option(type(self), name):
            raise ArgumentError(f"{type(self).__name__}: {name} cannot be set for all groups at once", why="each group has its own",
                                repair=f"set it for the groups: for group in opt.groups: group.{name} = {value!r}")
        super().__setattr__(name, value)

    def update_all(self, gradients: Sequence[Tensor | None]) -> None:
        """Update every parameter that has a gradient, group by group."""
        if not self.members:
            self.update_group(gradients)
        for member, part in zip(self.members, split(gradients, [len(member.parameters) for member in self.members])):
            member.update_all(part)

    def named_state(self) -> list[tuple[str, Tensor]]:
        """(name, tensor) of all state of a step, other than parameters and gradients; of groups as "groups.0.lr"."""
        if not self.members:
            return self.group_state()
        return [("lr", self.lr), *((f"groups.{i}.{name}", tensor) for i, member in enumerate(self.members)
                                   for name, tensor in member.named_state())]

    # What an optimizer without groups does

    def update_group(self, gradients: Sequence[Tensor | None]) -> None:
        """Update every parameter that has a gradient."""
        raise missing_method(self, "update_group")

    def group_state(self) -> list[tuple[str, Tensor]]:
        """(name, tensor) of all state of a step."""
        raise missing_method(self, "group_state")


def option_names(kind: type) -> list[str]:
    """The arguments of a constructor after the first, which are the optimized parameters."""
    return list(inspect.signature(kind).parameters)[1:]


def constructor_options(kind: type, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The options in the arguments of a constructor, by name."""
    names = option_names(kind)
    return {**dict(zip(names, args[1:])), **{name: value for name, value in kwargs.items() if name in names}}


def is_option(kind: type, name: str) -> bool:
    """Whether an attribute is an option of optimizers of this class."""
    return isinstance(getattr(kind, name, None), HyperParameter) or name in option_names(kind)


def split(values: Sequence[Any], sizes: Sequence[int]) -> list[Sequence[Any]]:
    """Consecutive parts of these sizes."""
    ends = list(itertools.accumulate(sizes))
    return [values[end - size : end] for end, size in zip(ends, sizes)]
