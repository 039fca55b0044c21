"""The bytes of an ONNX model: protocol buffers made of named values and calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..extras import require
from ..files.atomic import flush, replacing, write_bytes
from ..graph.dtype import DType
from ..settings import VERSION
from .export_sizes import Dim
from .export_values import Call, Subgraph, Value

OPSET, IR_VERSION = 20, 9  # the oldest with Gelu: files that onnxruntime reads from version 1.17 on
LARGEST = (1 << 31) - (1 << 24)  # bytes of weights: a protocol buffer has 2 GiB at most, with the nodes
ALIGNMENT = 4096  # bytes: a page, so that runtimes can map weights into memory


def onnx() -> Any:
    """The library onnx; MissingExtraError where it is not installed."""
    return require("onnx", "onnx", "an ONNX model")


def element_type(dtype: DType | str) -> int:
    """The number of a data type in ONNX."""
    if isinstance(dtype, str):
        return onnx().TensorProto.DataType.Value(dtype.upper())
    return onnx().helper.np_dtype_to_tensor_dtype(np.dtype(dtype))


class ArrayFile:
    """The file beside a large model that holds the bytes of its weights, from multiples of `ALIGNMENT` on."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self.stream, self.name, self.end = stream, name, 0

    def write(self, proto: Any, array: np.ndarray) -> None:
        """Write an array, and where it is into its TensorProto."""
        begin = -(-self.end // ALIGNMENT) * ALIGNMENT
        self.stream.write(b"\0" * (begin - self.end))
        self.stream.write(array.reshape(-1).view(np.uint8).data)
        self.end = begin + array.nbytes
        proto.data_location = onnx().TensorProto.EXTERNAL
        for key, value in (("location", self.name), ("offset", begin), ("length", array.nbytes)):
            proto.external_data.add(key=key, value=str(value))


def write_model(path: Path, graph: Subgraph, name: str) -> None:
    """Write the model: the same bytes for the same graph. Weights of more than `LARGEST` bytes are in a second file, PATH.data."""
    if sum(value.array.nbytes for value in graph.arrays() if value.array is not None) <= LARGEST:
        write_bytes(path, model_bytes(graph, name))
        return
    beside = path.with_name(f"{path.name}.data")
    with replacing(path) as file, replacing(beside) as stream:  # both are complete before the first replaces anything
        file.write(model_bytes(graph, name, ArrayFile(stream, beside.name)))
        flush(file)


def model_bytes(graph: Subgraph, name: str, beside: ArrayFile | None = None) -> bytes:
    """The model as a protocol buffer; `beside`: the file for its weights, by default they are in the model."""
    library = onnx()
    proto = graph_proto(graph, name)
    for value in graph.arrays():
        if value.is_constant:
            proto.node.append(constant_proto(value))
        else:
            proto.initializer.append(tensor_proto(value, beside))
    proto.node.extend(map(node_proto, graph.calls))
    model = library.ModelProto(ir_version=IR_VERSION, producer_name="slopes", producer_version=VERSION, graph=proto)
    model.opset_import.add(domain="", version=OPSET)
    return model.SerializeToString(deterministic=True)


def graph_proto(graph: Subgraph, name: str, nested: bool = False) -> Any:
    """A graph with its inputs and outputs, not yet with arrays and nodes; the arrays of the whole model are in the outermost one."""
    proto = onnx().GraphProto(name=name)
    proto.input.extend(value_info(value, nested) for value in graph.inputs)
    proto.output.extend(value_info(value, nested) for value in graph.outputs)
    return proto


def tensor_proto(value: Value, beside: ArrayFile | None = None) -> Any:
    """An array as a TensorProto, whose bytes are in the file beside the model if there is one."""
    assert value.array is not None
    array = np.ascontiguousarray(value.array)
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    proto = onnx().TensorProto(name=value.name, data_type=element_type(value.dtype), dims=value.array.shape)
    if beside is None:
        proto.raw_data = little.tobytes()
    else:
        beside.write(proto, little)
    return proto


def constant_proto(value: Value) -> Any:
    """A node without inputs whose output is an array."""
    tensor = onnx().helper.make_attribute("value", tensor_proto(value))
    return onnx().NodeProto(op_type="Constant", name=value.name, output=[value.name], attribute=[tensor])


def value_info(value: Value, nested: bool) -> Any:
    """The name, type and shape of an input or output; axes that depend on the batch are named `batch`, those in loops are left open."""
    shape = [None if nested and isinstance(size, Dim) else size if isinstance(size, int) else str(size) for size in value.shape]
    return onnx().helper.make_tensor_value_info(value.name, element_type(value.dtype), shape)


def node_proto(call: Call) -> Any:
    library = onnx()
    proto = library.NodeProto(op_type=call.operator, name=call.name, input=["" if value is None else value.name for value in call.inputs],
                              output=[value.name for value in call.outputs])
    for name, value in sorted(call.attributes.items()):
        proto.attribute.append(library.helper.make_attribute(name, element_type(value) if name == "to" else value))
    for name, body in call.bodies.items():
        proto.attribute.append(library.helper.make_attribute(name, body_proto(body, f"{call.name}/{name}")))
    return proto


def body_proto(body: Subgraph, name: str) -> Any:
    """The body of a loop."""
    proto = graph_proto(body, name, nested=True)
    proto.node.extend(map(node_proto, body.calls))
    return proto
