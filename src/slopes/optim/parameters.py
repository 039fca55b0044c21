"""The parameters that an optimizer changes, with their names, and groups of them with options of their own."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import ArgumentError
from ..nn.module import Module, Parameters
from ..tensor import Tensor

GROUP_KEY = "params"


def named_parameters(owner: str, parameters: Any) -> tuple[list[str], list[Tensor]]:
    """The names and the parameters, without duplicates."""
    iterable = parameters.parameters() if isinstance(parameters, Module) else parameters
    if isinstance(iterable, Tensor):
        raise ArgumentError(f"{owner}: parameters must be a list of tensors, not one tensor",
                            repair="put it into a list: [weight]")
    pairs = named_pairs(iterable)
    if not pairs:
        raise ArgumentError(f"{owner}: there are no parameters to optimize",
                            why="the module has none, or a generator was already exhausted",
                            repair="pass net.parameters()")
    for name, parameter in pairs:
        if not isinstance(parameter, Tensor):
            raise ArgumentError(f"{owner}: parameter {name} is {parameter!r} of type {type(parameter).__name__}, not a tensor",
                                repair="pass net.parameters(), or a list of parameters")
    unique = {id(parameter): (name, parameter) for name, parameter in reversed(pairs)}
    first = list(reversed(unique.values()))
    return [name for name, _ in first], [parameter for _, parameter in first]


def named_pairs(parameters: Any) -> list[tuple[str, Any]]:
    """(name, parameter): the name is its path if known, otherwise its index."""
    if isinstance(parameters, Mapping):
        return list(parameters.items())
    if not isinstance(parameters, Iterable):
        raise ArgumentError(f"the parameters are {parameters!r} of type {type(parameters).__name__}, not a list of tensors",
                            repair="pass net.parameters(), or a list of parameters")
    if isinstance(parameters, Parameters):
        return list(zip(parameters.names, parameters))
    listed = list(parameters)
    if all(isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str) for pair in listed):
        return listed  # of net.named_parameters(), perhaps selected by name
    return list(zip(map(str, itertools.count()), listed))


def parameter_groups(owner: str, parameters: Any) -> tuple[Any, list[Mapping[str, Any]]]:
    """The parameters, as a list where they are an iterator, and their groups; no groups where they are plain parameters."""
    if isinstance(parameters, (Module, Mapping, Tensor)) or not isinstance(parameters, Iterable):
        return parameters, []
    listed = parameters if isinstance(parameters, list) else list(parameters)
    if not any(isinstance(group, Mapping) for group in listed):
        return listed, []
    for i, group in enumerate(listed):
        if not isinstance(group, Mapping) or GROUP_KEY not in group:
            raise ArgumentError(f"{owner}: group {i} is of type {type(group).__name__}, not a dictionary with {GROUP_KEY!r}",
                                why="where one group of parameters has options of its own, all are dictionaries",
                                repair='for example [{"params": net[0].parameters(), "lr": 0.01}, {"params": net[2].parameters()}]')
    return listed, listed
