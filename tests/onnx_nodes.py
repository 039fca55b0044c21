"""Run the node tests of the onnx package through `sl.load_onnx`: `python -m tests.onnx_nodes [--filter NAME] [--compiled]`.

Counted are the tests whose inputs and outputs are tensors of the types that slopes has: floats of 32 and 64 bits, integers, truth values.
Those that do not pass are listed in NOT_PASSING, with the reason.
"""

from __future__ import annotations

import argparse
import collections
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

import slopes as sl
from slopes.errors import TraceError
from slopes.onnx.element_types import BFLOAT16, DTYPES, FLOAT16
from slopes.onnx.operators import operator_for

TYPES = frozenset(DTYPES) - {FLOAT16, BFLOAT16}
LISTED_FOR = (1, 23)  # the version of the package whose tests NOT_PASSING names
NOT_PASSING = {
    "test_bernoulli": "the result is random",
    "test_bernoulli_expanded": "the result is random",
    "test_bernoulli_double": "the result is random",
    "test_bernoulli_double_expanded": "the result is random",
    "test_bernoulli_seed": "the result is random",
    "test_bernoulli_seed_expanded": "the result is random",
    "test_dft_inverse_opset19": "the expected value has a rounding error of 2e-7, where the exact one is 0, and the tolerance is 1e-7",
    "test_dft_inverse": "the expected value has a rounding error of 2e-7, where the exact one is 0, and the tolerance is 1e-7",
    "test_training_dropout_default": "the result is random: the expected one is of NumPy's generator",
    "test_training_dropout_default_mask": "the result is random: the expected one is of NumPy's generator",
    "test_training_dropout": "the result is random: the expected one is of NumPy's generator",
    "test_training_dropout_mask": "the result is random: the expected one is of NumPy's generator",
    "test_image_decoder_decode_jpeg_rgb": "ImageDecoder is refused: images are read by slopes.files before they come to a network",
    "test_image_decoder_decode_jpeg_grayscale": "ImageDecoder is refused: images are read by slopes.files before they come to a network",
    "test_image_decoder_decode_jpeg_bgr": "ImageDecoder is refused: images are read by slopes.files before they come to a network",
    "test_image_decoder_decode_jpeg2k_rgb": "ImageDecoder is refused: images are read by slopes.files before they come to a network",
    "test_image_decoder_decode_bmp_rgb": "ImageDecoder is refused: images are read by slopes.files before they come to a network",
    "test_image_decoder_decode_png_rgb": "ImageDecoder is refused: images are read by slopes.files before they come to a network",
    "test_image_decoder_decode_tiff_rgb": "ImageDecoder is refused: images are read by slopes.files before they come to a network",
    "test_image_decoder_decode_webp_rgb": "ImageDecoder is refused: images are read by slopes.files before they come to a network",
    "test_image_decoder_decode_pnm_rgb": "ImageDecoder is refused: images are read by slopes.files before they come to a network",
}


def installed() -> tuple[int, ...]:
    """The version of the onnx package, without its last number."""
    return tuple(map(int, onnx.__version__.split(".")[:2]))


def node_tests() -> list[Any]:
    """The node tests that count, in the order of the package."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.loader import load_model_tests
        return [test for test in load_model_tests(kind="node") if counts(test.model)]


def counts(model: Any) -> bool:
    """Whether a model has tensors of countable types only, and operators of the default domain."""
    values = [*model.graph.input, *model.graph.output]
    types = all(value.type.WhichOneof("value") == "tensor_type" and value.type.tensor_type.elem_type in TYPES for value in values)
    return types and all(node.domain in ("", "ai.onnx") for node in model.graph.node)


def run(test: Any, folder: Path, compiled: bool = False) -> None:
    """Compare the results of every data set. Raises an exception where they differ."""
    for inputs, expected in test.data_sets:
        outputs = run_compiled(test.model, inputs, folder) if compiled else load(test.model, folder)(*map(as_array, inputs))
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        assert len(outputs) == len(expected), f"{len(outputs)} outputs, not {len(expected)}"
        for output, value in zip(outputs, expected):
            compare(output, as_array(value), test)


def load(model: Any, folder: Path) -> Any:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return sl.load_onnx(path)


def run_compiled(model: Any, inputs: Any, folder: Path) -> Any:
    """The outputs in a compiled function; where shapes or conditions depend on inputs, these are made constants of the model."""
    arrays = list(map(as_array, inputs))
    try:
        return sl.compile(load(model, folder))(*arrays)
    except TraceError:
        names = [value.name for value in model.graph.input][:len(arrays)]
        fixed = type(model)()
        fixed.CopyFrom(model)
        constants = [is_fixed(model, name, array) for name, array in zip(names, arrays)]
        fixed.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array, flag in zip(names, arrays, constants) if flag)
        return sl.compile(load(fixed, folder))(*(array for array, flag in zip(arrays, constants) if not flag))


def is_fixed(model: Any, name: str, array: np.ndarray) -> bool:
    """Whether an input becomes a constant: what is no float, and what operators need to know."""
    known = {input for node in model.graph.node if (entry := operator_for("", node.op_type, 10**6))
             for i, input in enumerate(node.input) if i in entry.known}
    return array.dtype.kind != "f" or name in known


def as_array(value: Any) -> Any:
    return numpy_helper.to_array(value) if hasattr(value, "dims") else np.asarray(value)


def compare(output: Any, expected: np.ndarray, test: Any) -> None:
    result = output.numpy() if isinstance(output, sl.Tensor) else np.asarray(output)
    assert result.dtype == expected.dtype, f"type {result.dtype}, not {expected.dtype}"
    assert result.shape == expected.shape, f"shape {result.shape}, not {expected.shape}"
    np.testing.assert_allclose(result, expected, rtol=max(test.rtol, 1e-3), atol=max(test.atol, 1e-7))


def failures(tests: list[Any], compiled: bool, verbose: bool) -> Iterator[tuple[str, str]]:
    """(name, first line of the reason) of the tests that do not pass."""
    with tempfile.TemporaryDirectory() as folder:
        for test in tests:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    run(test, Path(folder), compiled)
            except Exception as error:
                if verbose:
                    traceback.print_exc()
                yield test.name, f"{type(error).__name__}: {error}".strip().replace("\n", " ")[:300]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--filter", default="", help="only tests whose name has this in it")
    parser.add_argument("--compiled", action="store_true", help="inside sl.compile")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    tests = [test for test in node_tests() if options.filter in test.name]
    failed = dict(failures(tests, options.compiled, options.verbose))
    for name, reason in failed.items():
        print(f"{name}: {reason[:160]}")
    causes = collections.Counter(reason[:80] for reason in failed.values())
    print("\n".join(f"{count:5d}  {cause}" for cause, count in causes.most_common(30)))
    listed = {test.name for test in tests} & set(NOT_PASSING)
    print(f"passing, although listed: {sorted(listed - set(failed))}; failing, but not listed: {sorted(set(failed) - set(NOT_PASSING))}")
    print(f"{len(tests) - len(failed)} of {len(tests)} pass")


if __name__ == "__main__":
    sys.exit(main())
