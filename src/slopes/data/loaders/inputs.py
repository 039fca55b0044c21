"""Several inputs of a net: a tuple of arrays, one argument of the net for each; operations on inputs apply to each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def inputs_of(inputs: Any) -> tuple[Any, ...]:
    """The inputs one by one: those of a tuple, or the only one.

    >>> inputs_of("one"), inputs_of(("one", "two"))
    (('one',), ('one', 'two'))
    """
    return inputs if isinstance(inputs, tuple) else (inputs,)


def map_inputs(function: Callable[[Any], Any], inputs: Any) -> Any:
    """The result for the only input, or a tuple with the results for several.

    >>> map_inputs(len, [1, 2, 3]), map_inputs(len, ([1, 2, 3], [4]))
    (3, (3, 1))
    """
    return tuple(map(function, inputs)) if isinstance(inputs, tuple) else function(inputs)


def call_with(net: Callable[..., Any], inputs: Any) -> Any:
    """The result of the net for its input, or for several.

    >>> call_with(max, (3, 7))
    7
    """
    return net(*inputs_of(inputs))


def input_names(inputs: Any) -> tuple[str, ...]:
    """The names of the inputs in messages.

    >>> input_names("one"), input_names(("one", "two"))
    (('inputs',), ('inputs[0]', 'inputs[1]'))
    """
    return tuple(f"inputs[{i}]" for i in range(len(inputs))) if isinstance(inputs, tuple) else ("inputs",)
