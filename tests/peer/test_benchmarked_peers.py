"""The benchmarks' systems compute the same: PyTorch, and JAX and onnxruntime where they are installed."""

from __future__ import annotations

import importlib
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
ROOT = Path(__file__).resolve().parents[2]
if not (ROOT / "benchmarks").is_dir():
    pytest.skip("a copy without the benchmarks", allow_module_level=True)
sys.path.insert(0, str(ROOT))

from benchmarks import engine_slopes, engine_torch, measure, networks  # noqa: E402
from benchmarks.workloads import WORKLOADS  # noqa: E402

ONCE = list({(each.net, each.optimizer is None): name for name, each in WORKLOADS.items() if each.compiled}.values())  # each network once
SMALL = {"alexnet": {"net": partial(networks.alexnet, features=256, hidden=8, classes=5), "sample": (3, 63, 63), "classes": 5},
         "gpt2": {"net": partial(networks.gpt2, vocabulary=50, width=16, depth=2, heads=2), "sample": (8,), "classes": 50}}
STEPS = 3


def result(workload, module, mode):
    return module.build(workload, 1, mode).run(STEPS)


@pytest.fixture(scope="module")
def expected():
    """PyTorch's results, each computed once."""
    found = {}

    def of(workload):
        if workload.name not in found:
            found[workload.name] = result(workload, engine_torch, "eager")
        return found[workload.name]

    return of


def small(name):
    return replace(WORKLOADS[name], batch=2 if WORKLOADS[name].optimizer else 1, steps_per_call=1, **SMALL.get(name, {}))


@pytest.mark.parametrize("name", [name for name in WORKLOADS if WORKLOADS[name].compiled])
def test_slopes_computes_what_pytorch_computes(name, expected):
    workload = small(name)
    np.testing.assert_allclose(result(workload, engine_slopes, "eager"), expected(workload), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ONCE)
def test_jax_computes_what_pytorch_computes(name, expected):
    jax = pytest.importorskip("jax")
    jax.config.update("jax_disable_most_optimizations", True)  # compiling takes longer than three steps
    workload = small(name)
    module = importlib.import_module("benchmarks.engine_jax")
    np.testing.assert_allclose(result(workload, module, "jax"), expected(workload), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in ONCE if not WORKLOADS[name].optimizer])
def test_onnxruntime_computes_what_pytorch_computes(name, expected):
    if not measure.PEERS["onnx"].installed:
        pytest.skip("onnxruntime or onnx is not installed")
    workload = small(name)
    module = importlib.import_module("benchmarks.engine_onnxruntime")
    np.testing.assert_allclose(result(workload, module, "onnx"), expected(workload), rtol=1e-4, atol=1e-5)
