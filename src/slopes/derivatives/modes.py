"""Reverse mode (grad, value_and_grad, vjp) and forward mode (jvp) for functions of tensors."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from ..autodiff.pushforward import push_forward
from ..errors import ArgumentError, GradientError
from ..guarded import check_function, describe
from ..ops.fill import ones_like
from ..tensor import asarray
from ..tree import flatten, unflatten
from .follow import Function, Inputs, Outputs, finish, gradients_or_zeros, node_of, scalar_output, stable_outputs


def grad(f: Function, argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Function:
    """The function that computes the gradient of `f`, d f / d argument, in the shape of that argument.

    `f` returns a scalar; with `has_aux=True` it returns a pair (scalar, anything), and the result is (gradient, anything). The
    argument with index `argnums` may be a tree of float tensors; a tuple of indices gives a tuple of gradients. Raises
    GradientError if the output is not a scalar, or an argument is not float.

    Reverse mode: Griewank and Walther, Evaluating Derivatives (2008), chapter 3.

    >>> import slopes as sl
    >>> cube = lambda x: x * x * x
    >>> sl.grad(cube)(sl.tensor(2.))
    tensor(12.)
    >>> sl.grad(sl.grad(cube))(sl.tensor(2.))
    tensor(12.)
    >>> sl.grad(lambda p: (p["w"] * p["x"]).sum())({"w": sl.tensor([1., 2.]), "x": sl.tensor([3., 4.])})["w"]
    tensor([3., 4.])
    """
    both = value_and_grad(f, argnums, has_aux, name="grad")

    @functools.wraps(f, updated=())
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, result = both(*args, **kwargs)
        return (result, value[1]) if has_aux else result

    return gradient


def value_and_grad(f: Function, argnums: int | Sequence[int] = 0, has_aux: bool = False, *,
                   name: str = "value_and_grad") -> Function:
    """The function that computes (f, gradient of f) together; with `has_aux=True` ((f, anything), gradient). See `grad`.

    >>> import slopes as sl
    >>> sl.value_and_grad(lambda a, b: a * b, argnums=(0, 1))(sl.tensor(2.), sl.tensor(3.))
    (tensor(6.), (tensor(3.), tensor(2.)))
    """
    check_function(name, f)

    @functools.wraps(f, updated=())
    def both(*args: Any, **kwargs: Any) -> Any:
        inputs = Inputs(name, args, argnums)
        result = inputs.call(f, kwargs)
        value, aux = split_aux(name, result) if has_aux else (result, None)
        node = scalar_output(name, value)
        extra = Outputs(name, aux)
        tensors = finish([node, *gradients_or_zeros([node], [ones_like(node)], inputs.nodes), *extra.nodes])
        gradients, rest = tensors[1:len(inputs.nodes) + 1], tensors[len(inputs.nodes) + 1:]
        value = (tensors[0], unflatten(extra.structure, rest)) if has_aux else tensors[0]
        return value, inputs.pack(gradients)

    return both


def split_aux(name: str, result: Any) -> tuple[Any, Any]:
    if not (isinstance(result, tuple) and len(result) == 2):
        raise GradientError(f"{name}: with has_aux=True the function returns a pair (number, anything), "
                            f"not a {type(result).__name__}",
                            repair="return (loss, extra)")
    return result


def vjp(f: Function, *args: Any) -> tuple[Any, Function]:
    """(f(*args), pull): pull(g) is the vector-Jacobian product, g' J, one tree per argument, for g shaped like the output.

    >>> import slopes as sl
    >>> y, pull = sl.vjp(lambda x, w: x * w, sl.tensor([1., 2.]), sl.tensor([3., 4.]))
    >>> y
    tensor([3., 8.])
    >>> pull(sl.tensor([1., 10.]))
    (tensor([ 3., 40.]), tensor([ 1., 20.]))
    """
    check_function("vjp", f)
    inputs = Inputs("vjp", args, tuple(range(len(args))))
    outputs = Outputs("vjp", inputs.call(f, {}))

    def pull(gradient: Any) -> tuple:
        """The gradient with respect to each argument."""
        leaves, structure = flatten(gradient)
        if structure != outputs.structure:
            raise ArgumentError(f"vjp: the gradient is {structure}, the output {outputs.structure}",
                                repair="give one tensor per output, in the same containers")
        seeds = [node_of(asarray(leaf, dtype=node.dtype)) for leaf, node in zip(leaves, outputs.nodes)]
        return inputs.pack(finish(gradients_or_zeros(outputs.nodes, seeds, inputs.nodes)))

    return outputs.finish_all(), pull




def jvp(f: Function, args: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """(f(*args), J tangents): the directional derivative along `tangents`, which have the structure of the arguments.

    >>> import slopes as sl
    >>> sl.jvp(lambda x: x * x, (sl.tensor(3.),), (sl.tensor(1.),))
    (tensor(9.), tensor(6.))
    """
    check_function("jvp", f)
    if not (isinstance(args, (tuple, list)) and isinstance(tangents, (tuple, list))):
        raise ArgumentError(f"jvp: the arguments are {describe(args)}, the tangents {describe(tangents)}",
                            why="f may have several arguments: both are tuples", repair="for one argument sl.jvp(f, (x,), (v,))")
    if len(args) != len(tangents):
        raise ArgumentError(f"jvp: {len(args)} arguments and {len(tangents)} tangents", repair="give one tangent per argument")
    inputs = Inputs("jvp", tuple(args), tuple(range(len(args))))
    tangent_leaves = inputs.unpack(tuple(tangents))
    moves = [node_of(asarray(leaf, dtype=node.dtype)) for leaf, node in zip(tangent_leaves, inputs.nodes)]
    outputs = Outputs("jvp", inputs.call(f, {}))
    pushed = push_forward(stable_outputs(outputs.nodes), inputs.nodes, moves)
    results = finish([*outputs.nodes, *pushed])
    count = len(outputs.nodes)
    return unflatten(outputs.structure, results[:count]), unflatten(outputs.structure, results[count:])
