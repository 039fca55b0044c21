"""What networks.py builds from, as ONNX: each layer adds its nodes and weights to a graph; for use only, not for training."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from .workloads import weights

OPSET, IR = 18, 8  # what onnxruntime reads since its version 1.14

Layer = Callable[["Graph", str, str], str]  # (graph, path, name of x) -> name of y


class Graph:
    """The nodes and constants of a model that is being built."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self.numbers = count()

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """A node; returns the name of its first output."""
        name = f"{kind}_{next(self.numbers)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, array: np.ndarray) -> str:
        name = f"constant_{next(self.numbers)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def weight(self, path: str, *shape: int) -> str:
        """The parameter at this path."""
        return self.constant(weights(path, shape))


def model(net: Layer, batch: np.ndarray) -> bytes:
    """The network for batches of this shape and type, from "x" to "y"."""
    graph = Graph()
    last = net(graph, "", "x")
    graph.nodes.append(helper.make_node("Identity", [last], ["y"]))
    kind = helper.np_dtype_to_tensor_dtype(batch.dtype)
    made = helper.make_graph(graph.nodes, "net", [helper.make_tensor_value_info("x", kind, batch.shape)],
                             [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], graph.constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR).SerializeToString()


def Sequential(*layers: Layer) -> Layer:
    def emit(graph: Graph, path: str, x: str) -> str:
        for number, layer in enumerate(layers):
            x = layer(graph, f"{path}{number}.", x)
        return x

    return emit


def Residual(*layers: Layer, shortcut: Layer | None = None) -> Layer:
    body = Sequential(*layers)
    return lambda graph, path, x: graph.add("Add", shortcut(graph, path, x) if shortcut else x, body(graph, path, x))


def Skip(channels: int) -> Layer:
    """Every other place; `channels` is twice as many as there are."""
    def emit(graph: Graph, path: str, x: str) -> str:
        start, stop, axes, step = (graph.constant(np.array(each)) for each in ((0, 0), (2**31, 2**31), (2, 3), (2, 2)))
        halved = graph.add("Slice", x, start, stop, axes, step)
        return graph.add("Pad", halved, graph.constant(np.array((0, 0, 0, 0, 0, channels // 2, 0, 0))))

    return emit


def Linear(before: int, after: int) -> Layer:
    return lambda graph, path, x: graph.add("Gemm", x, graph.weight(f"{path}weight", after, before), graph.weight(f"{path}bias", after),
                                            transB=1)


def Embedding(words: int, width: int) -> Layer:
    return lambda graph, path, x: graph.add("Gather", graph.weight(f"{path}weight", words, width), x)


def Conv2d(before: int, after: int, size: int, stride: int = 1, padding: int = 0, bias: bool = True) -> Layer:
    def emit(graph: Graph, path: str, x: str) -> str:
        more = [graph.weight(f"{path}bias", after)] if bias else []
        return graph.add("Conv", x, graph.weight(f"{path}weight", after, before, size, size), *more, kernel_shape=(size, size),
                         strides=(stride, stride), pads=(padding,) * 4)

    return emit


def BatchNorm2d(channels: int) -> Layer:
    names = ("weight", "bias", "running_mean", "running_var")
    return lambda graph, path, x: graph.add("BatchNormalization", x, *(graph.weight(path + name, channels) for name in names))


def MaxPool2d(size: int, stride: int | None = None) -> Layer:
    return lambda graph, path, x: graph.add("MaxPool", x, kernel_shape=(size, size), strides=(stride or size,) * 2)


def GlobalAvgPool() -> Layer:
    return lambda graph, path, x: graph.add("Flatten", graph.add("GlobalAveragePool", x))


def Flatten(first: int = 1, last: int = -1) -> Layer:
    """All axes but the first, or the first two of three into one."""
    if (first, last) == (1, -1):
        return lambda graph, path, x: graph.add("Flatten", x)
    return lambda graph, path, x: graph.add("Flatten", x, axis=last + 1)


def ReLU() -> Layer:
    return lambda graph, path, x: graph.add("Relu", x)


def Tanh() -> Layer:
    return lambda graph, path, x: graph.add("Tanh", x)


def LSTM(before: int, hidden: int) -> Layer:
    """ONNX has its gates in the order input, output, forget, cell, the others have input, forget, cell, output."""
    def emit(graph: Graph, path: str, x: str) -> str:
        def ordered(name: str, *shape: int) -> np.ndarray:
            i, f, g, o = np.split(weights(f"{path}{name}_l0", (4 * hidden, *shape)), 4)
            return np.concatenate([i, o, f, g])[None]

        bias = np.concatenate([ordered("bias_ih"), ordered("bias_hh")], 1)
        w, r, b = map(graph.constant, (ordered("weight_ih", before), ordered("weight_hh", hidden), bias))
        y = graph.add("LSTM", graph.add("Transpose", x, perm=(1, 0, 2)), w, r, b, hidden_size=hidden)  # (time, 1, batch, hidden)
        return graph.add("Transpose", graph.add("Squeeze", y, graph.constant(np.array([1]))), perm=(1, 0, 2))

    return emit


def Outputs(layer: Layer) -> Layer:
    """A recurrent layer's outputs without its last state."""
    return lambda graph, path, x: layer(graph, f"{path}layer.", x)
