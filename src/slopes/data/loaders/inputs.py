"""Several inputs of a net: a tuple of arrays, one argument of the net for each; what is done to one input is done to each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def inputs_of(inputs: Any) -> tuple[Any, ...]:
    """The inputs one by one: those of a tuple, or the only one.

    >>> inputs_of("one"), inputs_of(("one", "two"))
    (('one',), ('one', 'two'))
    """
    return inputs if isinstance(inputs, tuple) else (inputs,)


def each_input(function: Callable[[Any], Any], inputs: Any) -> Any:
    """The function of the only input, or a tuple with its results for several.

    >>> each_input(len, [1, 2, 3]), each_input(len, ([1, 2, 3], [4]))
    (3, (3, 1))
    """
    return tuple(map(function, inputs)) if isinstance(inputs, tuple) else function(inputs)


def called(net: Callable[..., Any], inputs: Any) -> Any:
    """What the net makes of its input, or of several.

    >>> called(max, (3, 7))
    7
    """
    return net(*inputs_of(inputs))


def input_names(inputs: Any) -> tuple[str, ...]:
    """What messages call them.

    >>> input_names("one"), input_names(("one", "two"))
    (('inputs',), ('inputs[0]', 'inputs[1]'))
    """
    return tuple(f"inputs[{number}]" for number in range(len(inputs))) if isinstance(inputs, tuple) else ("inputs",)
