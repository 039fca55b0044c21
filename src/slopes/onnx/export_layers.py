"""Recognises the functions and layers that are ONNX operators.

Graphs are interned: equal expressions are one object. So a call of a known function is recognised by calling it again, with the
values that the nodes of its region read: if the result is the very node that the network has, the operator of this meaning may stand
for it. Whatever comes out otherwise, for another formula or another order of operations, is translated operation by operation.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from ..capture import Captured
from ..errors import SlopesError
from ..graph.body import with_bodies
from ..graph.build import build
from ..graph.dtype import float32
from ..graph.node import Node
from ..graph.scopes import Region
from ..graph.walk import topological
from ..nn.layer_norm import affine as scaled_and_moved
from ..nn.layer_norm import standardize
from ..nn.normalization import normalize
from ..ops.elementwise import Add
from ..ops.move import Reshape
from .export_builder import Builder, Match, unexpanded
from .export_functions import FUNCTIONS, Function
from .export_values import Value

SHARED = 4  # nodes at the beginning of a function, one after the other, that its calls may share: padding, groups, windows
MANY = 8  # values that a region may read, for its operands to be sought among them


class Recognizer:
    """The regions of a captured function, and what their nodes read from outside."""

    def __init__(self, captured: Captured) -> None:
        self.layers = captured.layers
        self.state = {value.tensor: value.node for value in captured.state}
        self.members: dict[Region, dict[Node, None]] = {}
        order = with_bodies(topological(captured.roots))
        for node in order:
            for region in chain(node):
                self.members.setdefault(region, {})[node] = None

    def operands(self, region: Region) -> list[Node]:
        """What the nodes of a region read from outside, constants left out.

        Where another call of the function made it, also what that call read: calls share the first nodes that they have in common.
        """
        members, read = self.members[region], dict[Node, None]()
        front = list(members)
        for _ in range(SHARED):
            front = [arg for arg in dict.fromkeys(unexpanded(arg) for node in front for arg in node.args) if arg not in members]
            read.update((node, None) for node in front if node.varies)
            front = [node for node in front if is_call_of(node, region)]
        return list(read)

    def function(self, b: Builder, node: Node) -> Value | None:
        """A node that is the result of a known function."""
        for region in chain(node):
            known = FUNCTIONS.get(region.name) if not region.is_layer and region.forward is None else None
            if known is not None and node.dtype in known.types:
                for operands in self.calls(region, known, node):
                    value = known.operator(b, region.arguments, list(operands), node)
                    if value is not None:
                        return value
        return None

    def calls(self, region: Region, known: Function, node: Node) -> Iterator[tuple[Node, ...]]:
        """The operands with which the function gives this node."""
        read = self.operands(region)
        if known.operands <= len(read) <= MANY and set(region.arguments) <= set(known.arguments):
            for operands in itertools.permutations(read, known.operands):
                if operands[0].dtype == node.dtype and rebuilt(known.make, *operands, **region.arguments) is node:
                    yield operands

    # ------------------------------------------------------------------ layers
    def layer(self, b: Builder, node: Node) -> Value | None:
        """A node that is the output of a known layer."""
        for region in chain(node):
            known = LAYERS.get(region.kind) if region.is_layer and region.forward is None else None
            if known is not None and node.dtype == float32:
                for x in self.operands(region)[:MANY]:
                    value = known(self, b, self.layers[region.name], x, node)
                    if value is not None:
                        return value
        return None

    def node(self, tensor: Any) -> Node | None:
        """The node of a tensor of a layer."""
        return None if tensor is None else self.state.get(tensor)

    def layer_norm(self, b: Builder, layer: Any, x: Node, y: Node) -> Value | None:
        rank, weight, bias = len(layer.normalized_shape), self.node(layer.weight), self.node(layer.bias)
        axes = tuple(range(x.ndim - rank, x.ndim))
        if rebuilt(lambda x: scaled_and_moved(standardize(x, axes, layer.eps), weight, bias), x) is not y:
            return None
        scale = b.constant(np.ones(layer.normalized_shape, y.dtype)) if weight is None else b.value(weight)
        return b.call("LayerNormalization", b.value(x), scale, *([] if bias is None else [b.value(bias)]), shape=b.shape(y), axis=-rank,
                      epsilon=layer.eps)

    def batch_norm(self, b: Builder, layer: Any, x: Node, y: Node) -> Value | None:
        weight, bias, mean_, var = (self.node(getattr(layer, name)) for name in ("weight", "bias", "running_mean", "running_var"))
        if mean_ is None or var is None:
            return None

        def formula(x: Any) -> Any:
            normal = normalize(x, per_channel(mean_, x), per_channel(var, x), layer.eps)
            return normal if weight is None or bias is None else normal * per_channel(weight, x) + per_channel(bias, x)

        if rebuilt(formula, x) is not y:
            return None
        scale, moved = (b.constant(np.full(mean_.shape, default, y.dtype)) if node is None else b.value(node)
                        for node, default in ((weight, 1), (bias, 0)))
        return b.call("BatchNormalization", b.value(x), scale, moved, b.value(mean_), b.value(var), shape=b.shape(y), epsilon=layer.eps)


LAYERS: Mapping[str, Callable[[Recognizer, Builder, Any, Node, Node], Value | None]] = {
    "LayerNorm": Recognizer.layer_norm,
    **dict.fromkeys(("BatchNorm1d", "BatchNorm2d", "BatchNorm3d"), Recognizer.batch_norm),
}


def chain(node: Node) -> tuple[Region, ...]:
    """The regions that a node lies in, the outermost first."""
    return () if node.region is None else node.region.chain


def is_call_of(node: Node, region: Region) -> bool:
    """Whether a node was made by a call of the same function."""
    return node.region is not None and (node.region.name, node.region.kind) == (region.name, region.kind)


def rebuilt(make: Callable[..., Any], *operands: Node, **arguments: Any) -> Any:
    """What a function makes of nodes; None where it refuses them."""
    try:
        return make(*operands, **arguments)
    except SlopesError:
        return None


def per_channel(values: Node, x: Node) -> Any:
    """One value for each channel, as a layer reshapes it to broadcast along axis 1."""
    return build("reshape", values, shape=(1, values.size) + (1,) * (x.ndim - 2))


def with_bias(b: Builder, node: Node) -> Value | None:
    """A bias for each channel that is added to a convolution: Conv adds it itself."""
    if node.op is not Add:
        return None
    for x, bias in (node.args, node.args[::-1]):
        call, bias = b.values[x].call if x in b.values else None, unexpanded(bias)
        if call is not None and call.operator in ("Conv", "ConvTranspose") and len(call.inputs) == 2 and is_per_channel(bias, node):
            return b.call(call.operator, *call.inputs, b.value(bias.args[0]), shape=b.shape(node), **call.attributes)
    return None


def is_per_channel(bias: Node, y: Node) -> bool:
    """Whether this is one value for each channel, reshaped to broadcast along axis 1."""
    wide = (1,) * (y.ndim - bias.ndim) + bias.shape
    return bias.op is Reshape and bias.args[0].ndim == 1 and wide == (1, y.shape[1], *(1,) * (y.ndim - 2))


def matches(captured: Captured) -> tuple[Match, ...]:
    """The ways to recognise functions and layers in a captured function."""
    known = Recognizer(captured)
    return known.layer, known.function, with_bias
