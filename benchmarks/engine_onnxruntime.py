"""A workload in onnxruntime: a session that runs the network's ONNX model; inference only."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime

from . import layers_onnx
from .engine import Engine
from .workloads import Workload


def build(workload: Workload, threads: int, mode: str) -> Engine:
    """The engine of a workload."""
    batches = list(zip(*workload.data()))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(layers_onnx.model(workload.net(layers_onnx), batches[0][0]), options,
                                           providers=["CPUExecutionProvider"])

    def step(inputs: np.ndarray) -> Any:
        return session.run(["y"], {"x": inputs})[0]

    return Engine(step, batches, np.asarray)
