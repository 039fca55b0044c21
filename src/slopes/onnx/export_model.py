"""The bytes of an ONNX model: protocol buffers made of named values and calls."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import SaveError
from ..extras import require
from ..graph.dtype import DType
from ..settings import VERSION
from .export_sizes import Dim
from .export_values import Call, Subgraph, Value

OPSET, IR_VERSION = 20, 9  # the oldest with Gelu: files that onnxruntime reads from version 1.17 on
LARGEST = (1 << 31) - (1 << 24)  # bytes of weights: a protocol buffer has 2 GiB at most, with the nodes


def onnx() -> Any:
    """The library onnx; MissingExtraError where it is not installed."""
    return require("onnx", "onnx", "an ONNX model")


def element_type(dtype: DType | str) -> int:
    """The number of a data type in ONNX."""
    if isinstance(dtype, str):
        return onnx().TensorProto.DataType.Value(dtype.upper())
    return onnx().helper.np_dtype_to_tensor_dtype(np.dtype(dtype))


def model_bytes(graph: Subgraph, name: str) -> bytes:
    """The model as the bytes of its file: the same for the same graph."""
    library = onnx()
    size = sum(value.array.nbytes for value in graph.initializers() if value.array is not None)
    if size > LARGEST:
        raise SaveError(f"save_onnx: the weights take {size / 2 ** 30:.1f} GiB", why="a file of ONNX holds 2 GiB at most, weights included",
                        repair="save the weights as safetensors, or export parts of the network")
    model = library.ModelProto(ir_version=IR_VERSION, producer_name="slopes", producer_version=VERSION, graph=graph_proto(graph, name))
    model.opset_import.add(domain="", version=OPSET)
    return model.SerializeToString(deterministic=True)


def graph_proto(graph: Subgraph, name: str, nested: bool = False) -> Any:
    """A graph with its calls; the initializers of the whole model are in the outermost one."""
    library = onnx()
    proto = library.GraphProto(name=name)
    proto.input.extend(value_info(value, nested) for value in graph.inputs)
    proto.output.extend(value_info(value, nested) for value in graph.outputs)
    if not nested:
        proto.initializer.extend(map(tensor_proto, graph.initializers()))
    proto.node.extend(map(node_proto, graph.calls))
    return proto


def tensor_proto(value: Value) -> Any:
    assert value.array is not None
    array = np.ascontiguousarray(value.array)
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return onnx().TensorProto(name=value.name, data_type=element_type(value.dtype), dims=value.array.shape, raw_data=little.tobytes())


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
        proto.attribute.append(library.helper.make_attribute(name, graph_proto(body, f"{call.name}/{name}", nested=True)))
    return proto
