"""Receptive fields: the part of the input that a unit depends on, computed layer by layer or measured by gradients."""

from __future__ import annotations

import copy
import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import nn
from ..errors import ArgumentError
from ..nn.adaptive_pooling import GlobalAvgPool, GlobalMaxPool
from ..nn.convolution import Convolution, TransposedConvolution
from ..nn.module import entries
from ..nn.pooling import AvgPool1d, AvgPool2d, AvgPool3d, LPPool1d, LPPool2d, MaxPool1d, MaxPool2d, MaxPool3d
from ..parameter import Parameter
from ..plot import Picture, View, new_figure
from ..tensor import Tensor
from .draw import as_picture
from .watch import Layer, evaluate_once, find_layer, output_at, slope

Box = tuple[tuple[int, int], ...]  # (first, last) along every axis in space, both included
Seen = tuple[np.ndarray, ...] | None  # the visible indices along every axis; None: all
Shape = tuple[int, ...]
POOLS = (MaxPool1d, MaxPool2d, MaxPool3d, AvgPool1d, AvgPool2d, AvgPool3d, LPPool1d, LPPool2d, nn.LPPool3d)
ADAPTIVE = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d,
            nn.AdaptiveMaxPool3d)
WHOLE = (nn.Flatten, nn.Linear, GlobalAvgPool, GlobalMaxPool)  # after these a unit depends on everything
POINTWISE = (nn.Identity, nn.Heaviside, nn.Threshold, nn.Sigmoid, nn.LogSigmoid, nn.Hardsigmoid, nn.Tanh, nn.Hardtanh, nn.Tanhshrink,
             nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.RReLU, nn.Softplus, nn.Softsign, nn.Softshrink, nn.Hardshrink, nn.ELU,
             nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Hardswish, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.Dropout,
             nn.Dropout2d, nn.AlphaDropout, nn.GaussianNoise, nn.MaskingNoise)


@dataclass
class ReceptiveField(View):
    """What a unit sees: its layer's path, its position in the layer, `size` along each axis (what padding stands for counts), the `box`
    ((first, last) along each axis, within the picture), the picture's sides, and the picture to draw it on, if one was given."""

    path: str
    position: Shape
    size: Shape
    box: Box
    sides: Shape
    image: np.ndarray | None = None

    def draw(self) -> Picture:
        """The box on the picture, or on an empty one."""
        figure = new_figure(3.6, 3.8)
        axes = figure.subplots()
        height, width = (*self.sides, 1)[:2] if len(self.sides) > 1 else (1, self.sides[0])
        canvas = np.zeros((height, width)) if self.image is None else as_picture(self.image)
        axes.imshow(canvas, cmap="gray", vmin=0, vmax=None if canvas.any() else 1)
        (top, bottom), (left, right) = self.box[:2] if len(self.box) > 1 else ((0, 0), self.box[0])
        corners = [(left - 0.5, top - 0.5), (right + 0.5, top - 0.5), (right + 0.5, bottom + 0.5), (left - 0.5, bottom + 0.5)]
        axes.plot(*zip(*corners, corners[0]), color="#e53e3e", linewidth=2)
        unit = ", ".join(map(str, self.position)) or "-"
        axes.set_title(f"{self.path}, unit {unit}: {' x '.join(map(str, self.size))}", fontsize="small")
        return Picture(figure)


def receptive_field(net: nn.Module, shape: Shape, layer: Layer = None, position: Shape | None = None, image: Any = None,
                    measured: bool = False) -> ReceptiveField:
    """The part of the input that a unit of `layer` (default: the last that has positions) depends on, for inputs of `shape` (C, H, W).

    position: the unit's in its layer, by default the middle. In a layer with kernel k, stride s, padding p and dilation d, output a
    sees the inputs a s - p + d u, 0 <= u < k; and so on from layer to layer down to the input. This works for Sequential, Residual
    and Parallel of the usual layers. measured=True takes any network: a copy of it gets equal positive weights, and the gradient
    says what counts. Raises ArgumentError for a layer or a position that there is not, or a structure that must be measured.
    Source: Araujo, Norris, Sim, "Computing receptive fields of convolutional neural networks", Distill 2019.

    >>> import slopes as sl
    >>> from slopes.zoo.networks import lenet
    >>> net = lenet((1, 28, 28), 10)
    >>> [sl.inside.receptive_field(net, (1, 28, 28), layer).size for layer in (0, 2, 3, 5)]
    [(5, 5), (6, 6), (14, 14), (16, 16)]
    >>> sl.inside.receptive_field(net, (1, 28, 28), 3, position=(0, 0)).box
    ((0, 13), (0, 13))
    """
    shapes = {row.path: row.output for row in net.summary((1, *shape)).rows}
    path, module = last_spatial_layer(net, shapes, shape) if layer is None else find_layer(net, layer)
    output = shapes.get(path)
    if output is None:
        raise ArgumentError(f"receptive_field: {path} is not used for inputs of {shape}", repair="name another layer")
    sides = tuple(output[2:])
    chosen = tuple(side // 2 for side in sides) if position is None else tuple(position)
    if len(chosen) != len(sides) or any(not 0 <= at < side for at, side in zip(chosen, sides)):
        raise ArgumentError(f"receptive_field: {path} has no unit at {chosen}",
                            why=f"its positions are {' x '.join(map(str, sides)) or 'none'}")
    if measured:
        box = wide = measure(net, shape, path, chosen)
    else:
        box, wide = (follow(net, shape, module, shapes, chosen, within) for within in (True, False))
    size = tuple(last - first + 1 for first, last in wide)
    return ReceptiveField(path, chosen, size, box, tuple(shape[1:]), None if image is None else np.asarray(image))


def last_spatial_layer(net: nn.Module, shapes: dict[str, Shape | None], shape: Shape) -> tuple[str, nn.Module]:
    """The last layer whose output has as many spatial axes as the input."""
    layers = [entry for entry in entries(net) if isinstance(entry.value, nn.Module) and not entry.value.children()
             and len(shapes.get(entry.display) or ()) == len(shape) + 1]
    if not layers:
        raise ArgumentError("receptive_field: no layer has positions", repair="name a layer: every unit of a dense one sees everything")
    return layers[-1].display, layers[-1].value


# Computed


def follow(net: nn.Module, shape: Shape, target: nn.Module, shapes: dict[str, Shape | None], position: Shape, within: bool) -> Box:
    """The box around what the unit at `position` of `target` sees: within the picture, or with what lies in the padding."""
    chain = chain_to(net, target)
    if chain is None:
        raise ArgumentError(f"receptive_field: how {target.describe()} hangs in this network cannot be read off its structure",
                            why="that takes Sequential, Residual and Parallel", repair="measure it: measured=True")
    paths = {id(entry.value): entry.display for entry in entries(net)}
    before: list[Shape] = [(1, *shape), *(tuple(shapes[paths[id(layer)]] or ()) for layer in chain)]
    visible: Seen = tuple(np.array([at]) for at in position) if len(before[-1]) > 2 else None
    for layer, input_shape in zip(chain[::-1], before[-2::-1]):
        visible = visible_inputs(layer, visible, input_shape, within)
    if visible is None:
        return tuple((0, side - 1) for side in shape[1:])
    return tuple((int(indices.min()), int(indices.max())) for indices in visible)


def chain_to(net: nn.Module, target: nn.Module) -> list[nn.Module] | None:
    """The layers that run one after another from the input to the target, both included."""
    if net is target:
        return [net]
    if isinstance(net, nn.Sequential) and type(net) in (nn.Sequential, nn.Residual):
        done: list[nn.Module] = []
        for layer in net:
            chain = chain_to(layer, target)
            if chain is not None:
                return done + chain
            done.append(layer)
    if isinstance(net, nn.Parallel):
        return next((chain for layer in net.layers if (chain := chain_to(layer, target)) is not None), None)
    return None


def visible_inputs(layer: nn.Module, visible: Seen, input_shape: Shape, within: bool) -> Seen:
    """What of its input (of shape `input_shape`) these outputs of a layer depend on."""
    if isinstance(layer, nn.Residual):
        straight = visible if layer.shortcut is None else visible_inputs(layer.shortcut, visible, input_shape, within)
        return union(straight, visible_through(list(layer), visible, input_shape, within))
    if isinstance(layer, nn.Sequential):
        return visible_through(list(layer), visible, input_shape, within)
    if isinstance(layer, nn.Parallel):
        return functools.reduce(union, [visible_inputs(branch, visible, input_shape, within) for branch in layer.layers])
    if visible is None or isinstance(layer, WHOLE):
        return None
    if isinstance(layer, POINTWISE):
        return visible
    result = [window(layer, axis, indices, input_shape[2 + axis]) for axis, indices in enumerate(visible)]
    return tuple(indices[(indices >= 0) & (indices < side)] if within else indices for indices, side in zip(result, input_shape[2:]))


def visible_through(layers: list[nn.Module], visible: Seen, input_shape: Shape, within: bool) -> Seen:
    """Layers one after another."""
    before = [input_shape]
    for layer in layers:
        before.append(tuple(layer.summary(before[-1]).rows[0].output or ()))
    for layer, shape in zip(layers[::-1], before[-2::-1]):
        visible = visible_inputs(layer, visible, shape, within)
    return visible


def window(layer: nn.Module, axis: int, indices: np.ndarray, side: int) -> np.ndarray:
    """The inputs that outputs at `indices` of a layer with a window see along an axis; those in the padding too."""
    if isinstance(layer, ADAPTIVE):
        sizes = layer.output_size
        count = (sizes[axis] if isinstance(sizes, tuple) else sizes) or side
        return np.unique(np.concatenate([np.arange(at * side // count, -(-(at + 1) * side // count)) for at in indices.tolist()]))
    if not isinstance(layer, (Convolution, TransposedConvolution, *POOLS)):
        raise ArgumentError(f"receptive_field: what {layer.describe()} sees is not known", repair="measure it: measured=True")
    known: Any = layer
    stride, dilation = known.stride[axis], at_axis(getattr(known, "dilation", 1), axis)
    taps = dilation * np.arange(known.kernel_size[axis])
    padding = getattr(known, "padding", 0)
    margin = taps[-1] // 2 if padding == "same" else 0 if padding == "valid" else at_axis(padding, axis)
    if isinstance(layer, TransposedConvolution):
        reached = (indices[:, None] + margin - taps).reshape(-1)
        reached = reached[reached % stride == 0] // stride
        return np.unique(reached[(reached >= 0) & (reached < side)])
    return np.unique(indices[:, None] * stride - margin + taps)


def at_axis(value: Any, axis: int) -> int:
    """The entry for an axis, of one number for all or one for each."""
    return value[axis] if isinstance(value, (tuple, list)) else value


def union(one: Seen, other: Seen) -> Seen:
    """What is seen by either way."""
    if one is None or other is None:
        return None
    return tuple(np.union1d(a, b) for a, b in zip(one, other))


# Measured


def measure(net: nn.Module, shape: Shape, path: str, position: Shape) -> Box:
    """Where the gradient of the unit is not 0, for a copy of the network with equal positive weights.

    With such weights outputs rise where inputs rise, so of two inputs, one that rises along all axes and one that falls, maximum pooling
    lets the gradient pass to the last position of a window in the one and to the first in the other.
    """
    twin = copy.deepcopy(net)
    for _, module in twin.named_modules():
        for name, held in vars(module).items():
            if isinstance(held, Parameter):  # weights share a sum of 1, scales are 1, biases 0
                level = 1.0 / max(1, math.prod(held.shape[1:])) if held.ndim > 1 else float(name == "weight")
                held.assign(np.full(held.shape, level, held.dtype))
    rising = np.broadcast_to(np.indices(shape[1:]).sum(axis=0) + 1.0, (1, *shape)) / sum(shape[1:])
    layer = find_layer(twin, path)[1]
    marked = sum(np.abs(gradient(twin, image, layer, position)) for image in (rising, np.flip(rising, tuple(range(2, rising.ndim)))))
    visible = np.argwhere(np.asarray(marked).reshape(shape).any(axis=0))
    return tuple((int(low), int(high)) for low, high in zip(visible.min(axis=0), visible.max(axis=0)))


def gradient(net: nn.Module, array: np.ndarray, layer: nn.Module, position: Shape) -> np.ndarray:
    """The gradient of all channels at a position, with respect to the input."""
    def function(x: Tensor) -> Tensor:
        return slope(output_at(net, layer, x)[(slice(None), slice(None), *position)].sum(), x)

    return np.array(evaluate_once(net, function, array.astype(np.float32)).numpy())
