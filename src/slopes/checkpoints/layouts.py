"""How Keras stores the weights of a layer, and the steps that make them those of the layer here."""

from __future__ import annotations

from typing import Any, NamedTuple

from .. import nn
from ..nn.convolution import Convolution, TransposedConvolution

KINDS = {nn.Linear: "dense", nn.Embedding: "embedding", nn.LayerNorm: "layer_normalization", nn.LSTM: "lstm", nn.GRU: "gru",
         **{getattr(nn, f"Conv{i}d"): f"conv{i}d" for i in (1, 2, 3)},
         **{getattr(nn, f"ConvTranspose{i}d"): f"conv{i}d_transpose" for i in (1, 2, 3)},
         **{getattr(nn, f"BatchNorm{i}d"): "batch_normalization" for i in (1, 2, 3)}}
NAMES = {*KINDS.values(), "depthwise_conv1d", "depthwise_conv2d", "bidirectional"}  # of groups in files


class Layout(NamedTuple):
    """The shape that a source must have, and its steps; shape None: the weight is not in the file, but zeros."""

    shape: tuple[int, ...] | None
    steps: dict[str, Any]


def keras_kind(layer: nn.Module | None) -> str:
    """How Keras names the groups of such layers, "" where it has none.

    >>> from slopes import nn
    >>> keras_kind(nn.Linear(3, 2))
    'dense'
    """
    if isinstance(layer, (nn.LSTM, nn.GRU)) and layer.bidirectional:
        return "bidirectional"
    return ("depthwise_" if is_depthwise(layer) else "") + KINDS.get(type(layer), "")  # type: ignore[arg-type]


def group_kind(path: str) -> tuple[str, int]:
    """(kind, counter) of the layer whose array this is; ("", 0) where the path names none.

    >>> group_kind("layers/dense_2/vars/0")
    ('dense', 2)
    """
    for part in path.split("/"):
        name, _, count = part.rpartition("_")
        if part in NAMES:
            return part, 0
        if name in NAMES and count.isdecimal() and len(count) < 9:
            return name, int(count)
    return "", 0


def is_depthwise(layer: Any) -> bool:
    return isinstance(layer, Convolution) and layer.groups == layer.in_channels > 1


def same_layout(layer: nn.Module | None, name: str, shape: tuple[int, ...]) -> Layout:
    """PyTorch's layout, which is the one here."""
    return Layout(shape, {})


def keras_layout(layer: nn.Module | None, name: str, shape: tuple[int, ...]) -> Layout:
    """Kernels of Dense are (in, out); of convolutions (height, width, in, out), with (out, in) where they are transposed; of depthwise
    ones (height, width, in, multiplier). An LSTM has one bias, a GRU two rows of biases and the gates z, r, h.

    >>> from slopes import nn
    >>> keras_layout(nn.Linear(3, 2), "weight", (2, 3))
    Layout(shape=(3, 2), steps={'permute': (1, 0)})
    """
    if isinstance(layer, nn.Linear) and name == "weight":
        return Layout(shape[::-1], {"permute": (1, 0)})
    if isinstance(layer, (Convolution, TransposedConvolution)) and name == "weight":
        return kernel_layout(layer, shape)
    if isinstance(layer, (nn.LSTM, nn.GRU)):
        return recurrent_layout(layer, name, shape)
    return Layout(shape, {})


def kernel_layout(layer: Any, shape: tuple[int, ...]) -> Layout:
    """The kernel of a convolution: its axes (out, in, height, width) come last to first, but for the spatial ones."""
    spatial = tuple(range(2, len(shape)))
    if is_depthwise(layer):
        return Layout((*shape[2:], layer.groups, shape[0] // layer.groups),
                      {"permute": (len(spatial), len(spatial) + 1, *range(len(spatial))), "reshape": True})
    return Layout((*shape[2:], shape[1], shape[0]), {"permute": (len(spatial) + 1, len(spatial), *range(len(spatial)))})


def recurrent_layout(layer: nn.Module, name: str, shape: tuple[int, ...]) -> Layout:
    """Matrices are transposed. The gates of a GRU are z, r, h, here r, z, n; its biases are the two rows of one array."""
    blocks = {"blocks": (1, 0, 2)} if isinstance(layer, nn.GRU) else {}
    if name.startswith("weight"):
        return Layout(shape[::-1], {"permute": (1, 0), **blocks})
    if isinstance(layer, nn.GRU):
        return Layout((2, *shape), {"row": int(name.startswith("bias_hh")), **blocks})
    return Layout(None if name.startswith("bias_hh") else shape, {})
