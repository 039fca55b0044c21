"""Jacobians, by batching forward or reverse mode over unit vectors, and Hessians, as Jacobians of gradients."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..autodiff.batching import batch
from ..autodiff.pushforward import push_forward
from ..graph.build import build_node, variable
from ..graph.dtype import is_float
from ..graph.node import Node
from ..graph.shape import Shape
from ..guarded import check_function
from ..ops.fill import zeros_like
from ..tree import unflatten
from .follow import Function, Inputs, Outputs, finish, gradients_or_zeros, stable_outputs
from .modes import grad


def identity(n: int, dtype: np.dtype) -> Node:
    """The n x n identity matrix, from two counters."""
    counter = build_node("iota", (), {"size": n, "dtype": np.dtype("int64")})
    column = build_node("reshape", (counter,), {"shape": (n, 1)})
    return build_node("cast", (build_node("equal", (column, counter), {}),), {"dtype": dtype})


def jacobian(f: Function, argnums: int | Sequence[int] = 0) -> Function:
    """The function that computes the Jacobian J[i, j] = d output[i] / d argument[j], of shape output.shape + argument.shape.

    For trees, the result is a tree like the output of trees like the argument. Uses reverse mode, batched over all outputs, or
    forward mode if there are fewer inputs than outputs.

    >>> import slopes as sl
    >>> sl.jacobian(lambda x: x * x)(sl.tensor([1., 2.]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    check_function("jacobian", f)

    @functools.wraps(f, updated=())
    def matrix(*args: Any, **kwargs: Any) -> Any:
        inputs = Inputs("jacobian", args, argnums)
        outputs = Outputs("jacobian", inputs.call(f, kwargs))
        rows = [jacobian_blocks(output, inputs.nodes) for output in outputs.nodes]
        flat = finish([block for row in rows for block in row])
        width = len(inputs.nodes)
        return unflatten(outputs.structure, [inputs.pack(flat[i * width:(i + 1) * width]) for i in range(len(rows))])

    return matrix


def jacobian_blocks(output: Node, inputs: Sequence[Node]) -> list[Node]:
    """The Jacobian of one output with respect to each input."""
    if not is_float(output.dtype):
        return [zeros_like(variable(output.shape + node.shape, node.dtype)) for node in inputs]
    few = sum(node.size for node in inputs) < output.size
    return [forward_block(output, node) for node in inputs] if few else reverse_blocks(output, inputs)


def reverse_blocks(output: Node, inputs: Sequence[Node]) -> list[Node]:
    """One pullback per element of the output, as one batch."""
    seed = variable(output.shape, output.dtype, "seed")
    gradients = gradients_or_zeros([output], [seed], inputs)
    rows = batch(gradients, [seed], [basis(output)])  # (output.size, *input.shape)
    return [reshape(row, output.shape + node.shape) for row, node in zip(rows, inputs)]


def forward_block(output: Node, node: Node) -> Node:
    """One pushforward per element of the input, as one batch."""
    tangent = variable(node.shape, node.dtype, "tangent")
    column, = batch(push_forward(stable_outputs([output]), [node], [tangent]), [tangent], [basis(node)])  # (input.size, *output.shape)
    turned = build_node("permute", (column,), {"axes": (*range(1, column.ndim), 0)})
    return reshape(turned, output.shape + node.shape)


def basis(node: Node) -> Node:
    """All unit vectors of a node's shape, along a leading axis."""
    return reshape(identity(node.size, node.dtype), (node.size, *node.shape))


def reshape(node: Node, shape: Shape) -> Node:
    return build_node("reshape", (node,), {"shape": shape})


def hessian(f: Function, argnums: int | Sequence[int] = 0) -> Function:
    """The function that computes the Hessian of a scalar function, H[i, j] = d^2 f / d x[i] d x[j].

    The Hessian has shape x.shape + x.shape; for trees, it is a tree like the argument of such trees.

    >>> import slopes as sl
    >>> sl.hessian(lambda x: (x * x * x).sum())(sl.tensor([1., 2.]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    check_function("hessian", f)
    return jacobian(grad(f, argnums), argnums)
