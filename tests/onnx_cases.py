"""What every export must pass: onnx's check and reference evaluator, onnxruntime with optimisations off and on, and `sl.load_onnx`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.reference
import onnxruntime

import slopes as sl
from slopes import nn, tree
from slopes.tensor import Tensor

onnxruntime.set_default_logger_severity(4)
LEVELS = (onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL, onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL)


def runtime(model: bytes, level: Any = LEVELS[1]) -> onnxruntime.InferenceSession:
    """A session of onnxruntime in one thread."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level, options.intra_op_num_threads, options.inter_op_num_threads = level, 1, 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def exported(net: nn.Module, path: Path, *examples: Any, **options: Any) -> onnx.ModelProto:
    """The model of a network, after onnx's full check."""
    sl.save_onnx(net, path, *examples, **options)
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    return model


def operators(model: onnx.ModelProto) -> list[str]:
    """The operators of a model, in order, without its constants."""
    return [node.op_type for node in model.graph.node if node.op_type != "Constant"]


def arrays(value: Any) -> list[np.ndarray]:
    """The arrays among arguments or results."""
    return [np.asarray(leaf.numpy() if isinstance(leaf, Tensor) else leaf) for leaf in tree.flatten(value)[0]
            if isinstance(leaf, (Tensor, np.ndarray))]


@contextlib.contextmanager
def in_use(net: nn.Module) -> Iterator[None]:
    """The net in eval mode for a while."""
    before = net.training
    net.eval()
    yield
    net.train(before)


def check_runs(model: onnx.ModelProto, net: nn.Module, *args: Any, reference: bool = True, tolerance: float = 1e-5) -> float:
    """The largest difference between the results of the network and those of the model in all evaluators.

    It is in units of the largest element, if that is above 1, and may be `tolerance`.
    """
    with in_use(net), sl.no_grad():
        targets = arrays(net(*args))
    feed = dict(zip((value.name for value in model.graph.input), arrays(args)))
    data = model.SerializeToString()
    answers = {"onnxruntime": runtime(data).run(None, feed), "onnxruntime, optimisations off": runtime(data, LEVELS[0]).run(None, feed)}
    if reference:
        answers["onnx's reference"] = onnx.reference.ReferenceEvaluator(model).run(None, feed)
    worst = 0.0
    for who, results in answers.items():
        assert len(results) == len(targets), who
        for result, target in zip(results, targets):
            assert result.shape == target.shape and result.dtype == target.dtype, f"{who}: {result.dtype}{result.shape}"
            finite = np.isfinite(target)
            scale = float(np.abs(target, where=finite, out=np.zeros_like(target)).max(initial=1)) if target.dtype.kind == "f" else 1.0
            np.testing.assert_allclose(result, target, rtol=tolerance, atol=tolerance * scale, err_msg=who)
            if target.dtype.kind == "f":
                worst = max(worst, float(np.abs(result - target)[finite].max(initial=0)) / scale)
    return worst


def check_comes_back(path: Path, net: nn.Module, *args: Any, gradients: bool = True, tolerance: float = 1e-4) -> None:
    """The module that load_onnx makes of the file gives the same results, and the same gradients of all float inputs."""
    loaded = sl.load_onnx(path)
    targets, results = (results_and_gradients(*pair, gradients) for pair in ((net, args), (loaded, tuple(arrays(args)))))
    assert len(targets) == len(results)
    for target, result in zip(targets, results):
        scale = float(np.abs(target[np.isfinite(target)]).max(initial=1)) if target.dtype.kind == "f" else 1.0
        np.testing.assert_allclose(result, target, rtol=tolerance, atol=tolerance * scale)


def results_and_gradients(net: nn.Module, args: tuple, gradients: bool) -> list[np.ndarray]:
    """The results of a network in eval mode, and the gradients of the sum of their squares with respect to the inputs."""
    leaves, structure = tree.flatten(args)
    inputs = [sl.tensor(leaf, requires_grad=gradients) if isinstance(leaf, (np.ndarray, Tensor)) and leaf.dtype.kind == "f" else leaf
              for leaf in leaves]
    with in_use(net):
        results = [leaf for leaf in tree.flatten(net(*tree.unflatten(structure, inputs)))[0] if isinstance(leaf, Tensor)]
    followed = [result for result in results if result.requires_grad and gradients]
    if followed:
        sum((result * result).sum() for result in followed).backward()
    return [*arrays(results), *(leaf.grad.numpy() for leaf in inputs if isinstance(leaf, Tensor) and leaf.grad is not None)]
