"""Operators that ONNX itself defines by a graph of simpler ones, and the functions that a model defines."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Tensor
from .element_types import CODES, STRING
from .values import Value


def has_body(schema: Any) -> bool:
    """Whether the standard defines the operator by a graph."""
    return bool(schema.has_function or schema.has_context_dependent_function)


def standard_body(onnx: Any, schema: Any, node: Any, types: list[bytes], version: int) -> Any:
    """The FunctionProto of an operator for inputs of these types, in operators of `version`; None where there is none."""
    fixed = schema.has_function
    versions = [since for since in (schema.function_opset_versions if fixed else schema.context_dependent_function_opset_versions)
                if since <= version]
    if not versions:
        return None
    raw = (schema.get_function_with_opset_version(max(versions)) if fixed else
           schema.get_context_dependent_function_with_opset_version(max(versions), node.SerializeToString(), types))
    body = onnx.FunctionProto()
    body.ParseFromString(raw)
    return body


def type_of(onnx: Any, value: Value) -> bytes:
    """The type and shape of a value as the bytes of a TypeProto, empty for an input that is left out."""
    if isinstance(value, (np.ndarray, Tensor)):
        return onnx.helper.make_tensor_type_proto(CODES.get(value.dtype, STRING), value.shape).SerializeToString()
    if isinstance(value, list):
        element = onnx.TypeProto()
        element.ParseFromString(type_of(onnx, value[0]) if value else onnx.helper.make_tensor_type_proto(1, None).SerializeToString())
        return onnx.helper.make_sequence_type_proto(element).SerializeToString()
    return b""


def key_of(values: tuple[Value, ...]) -> tuple[Any, ...]:
    """What a body depends on: the types and shapes of the inputs."""
    return tuple((value.dtype, tuple(value.shape)) if isinstance(value, (np.ndarray, Tensor)) else
                 len(value) if isinstance(value, list) else None for value in values)
