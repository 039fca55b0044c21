"""Writes small ONNX models for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def model_of(nodes: Sequence[Any], inputs: Sequence[tuple], outputs: Sequence[str], arrays: Mapping[str, Any] | None = None,
             opset: int = 18, **options: Any) -> Any:
    """A model of these nodes; inputs are (name, element type, shape), arrays the initializers."""
    values = [helper.make_tensor_value_info(*value) for value in inputs]
    results = [helper.make_tensor_value_info(name, FLOAT, None) for name in outputs]
    initializers = [numpy_helper.from_array(np.asarray(array), name) for name, array in (arrays or {}).items()]
    graph = helper.make_graph(nodes, "net", values, results, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8, **options)


def write(folder: Path, model: Any) -> Path:
    """The path of a file with a model."""
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path
