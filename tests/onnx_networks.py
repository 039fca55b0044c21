"""Compare the nine networks of the onnx package with onnxruntime: `python -m tests.onnx_networks [--compiled] [NAME ...]`.

The package has them without weights: here they get random ones, scaled so that values keep their size from layer to layer.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

import slopes as sl

FOLDER = Path(onnx.__file__).parent / "backend/test/data/light"
POSITIVE = ("riv", "var", "scale", "_s_")  # parts of names of variances and scales


def with_weights(model: Any) -> Any:
    """The model with random arrays instead of the constants that stand for them, and of inputs that declare them."""
    random = np.random.default_rng(0)
    shapes = {array.name: numpy_helper.to_array(array) for array in model.graph.initializer}
    filled = [node for node in model.graph.node if node.op_type == "ConstantOfShape"]
    for node in filled:
        array = numpy_helper.from_array(weights(random, node.output[0], shapes[node.input[0]].tolist()), node.output[0])
        model.graph.initializer.append(array)
        model.graph.node.remove(node)
    for array in model.graph.initializer:
        if array.data_type == onnx.TensorProto.FLOAT and not any(array.name == node.output[0] for node in filled):
            array.CopyFrom(numpy_helper.from_array(weights(random, array.name, list(array.dims)), array.name))
    used = {name for node in model.graph.node for name in node.input}
    kept = [array for array in model.graph.initializer if array.name in used]
    inputs = [value for value in model.graph.input if value.name in used and value.name not in {array.name for array in kept}]
    graph = helper.make_graph(model.graph.node, "net", inputs, model.graph.output, kept)
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=4)


def weights(random: np.random.Generator, name: str, shape: list[int]) -> np.ndarray:
    """Matrices and kernels by He's rule, vectors around 0 or, for scales and variances, around 1."""
    if len(shape) > 1:
        return (random.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))).astype(np.float32)
    vector = random.uniform(-0.1, 0.1, shape).astype(np.float32)
    return vector + 1 if any(part in name for part in POSITIVE) else vector


def compare(path: Path, compiled: bool) -> str:
    """One line: the largest difference, relative to the largest output before the softmax."""
    model = with_weights(onnx.load(path))
    last = model.graph.node[-1]
    if last.op_type == "Softmax":  # which would make all differences small
        model.graph.output[0].name = last.input[0]
        model.graph.node.remove(last)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / path.name
        onnx.save(model, file)
        (value,) = model.graph.input
        shape = [size.dim_value for size in value.type.tensor_type.shape.dim]
        x = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
        expected = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"]).run(None, {value.name: x})[0]
        net = sl.load_onnx(file)
    del model
    start = time.process_time()
    with sl.no_grad():
        result = (sl.compile(net) if compiled else net)(x).numpy()
    error = np.abs(result - expected).max() / np.abs(expected).max()
    return f"{path.stem:22s} {error:.1e}  {time.process_time() - start:6.1f} CPU s  outputs up to {np.abs(expected).max():.3g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--compiled", action="store_true", help="inside sl.compile")
    options = parser.parse_args()
    for path in sorted(FOLDER.glob("*.onnx")):
        if not options.names or any(name in path.stem for name in options.names):
            print(compare(path, options.compiled), flush=True)


if __name__ == "__main__":
    main()
