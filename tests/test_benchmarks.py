"""The benchmarks: every workload builds and steps in slopes, the arithmetic counted is the network's, names choose."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
if not (ROOT / "benchmarks").is_dir():
    pytest.skip("a copy without the benchmarks", allow_module_level=True)
sys.path.insert(0, str(ROOT))

from benchmarks import engine_slopes, layers_slopes, measure, networks, report  # noqa: E402
from benchmarks.workloads import WORKLOADS, chosen, weights  # noqa: E402

SMALL = {"alexnet": {"net": partial(networks.alexnet, features=256, hidden=8, classes=5), "sample": (3, 63, 63), "classes": 5}}
PARAMETERS = {"tiny": 114, "mlp-sgd": 101_770, "mlp-wide": 669_706, "lenet-sgd": 431_080, "resnet20": 269_722,
              "autoencoder": 210_369, "gpt": 804_096}


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_workload_builds_and_steps(name):
    workload = replace(WORKLOADS[name], batch=2, steps_per_call=min(WORKLOADS[name].steps_per_call, 8), **SMALL.get(name, {}))
    small = name.startswith(("tiny", "mlp", "infer-mlp"))  # the others take seconds to compile: their step as it is
    engine = engine_slopes.build(workload, 1, "compiled" if small else "eager")
    result = engine.run(workload.steps_per_call)
    assert result.shape == (() if workload.optimizer else (2, workload.classes)) and np.isfinite(result).all()


@pytest.mark.parametrize("name", PARAMETERS)
def test_networks_have_the_parameters_that_they_say(name):
    assert sum(each.size for each in WORKLOADS[name].net(layers_slopes).parameters()) == PARAMETERS[name]


def test_the_arithmetic_is_counted():
    mlp = WORKLOADS["mlp-sgd"]
    assert mlp.flops == 2 * 64 * (2 * 784 * 128 + 3 * 128 * 10)
    assert replace(mlp, optimizer=None).flops == 2 * 64 * (784 * 128 + 128 * 10)
    assert sum(networks.RESNET20) == 40_551_040 and sum(networks.ALEXNET) == 1_135_256_096


def test_first_weights_depend_on_nothing_but_their_name():
    assert np.array_equal(weights("0.weight", (3, 4)), weights("0.weight", (3, 4)))
    assert not np.array_equal(weights("0.weight", (3, 4)), weights("1.weight", (3, 4)))
    assert np.all(weights("1.running_var", (100,)) > 0.8)


def test_names_choose_workloads_by_their_beginning():
    assert [each.name for each in chosen(["lenet", "gpt"])] == ["lenet-sgd", "lenet-adam", "gpt"]
    with pytest.raises(SystemExit, match="no workload is called lstm"):
        chosen(["lstm"])


def test_the_table_shows_the_fastest_peer():
    found = measure.summary({"slopes": [1.0, 1.0], "PyTorch": [3.0, 3.0], "JAX": [2.0, 2.0]})
    assert (found["peer"], found["ratio"], found["spread"]) == ("JAX", 2.0, (2.0, 2.0))
    cells = report.row({"workload": "tiny", "flops": 10**9, "starts": {}, **found}, peak=10.0)
    assert cells[:5] == ["tiny", "1 s", "2 s", "JAX", "[bold]2.00"]


@pytest.mark.parametrize("other", [[1.0, 2.1], [1.0, np.nan]])
def test_systems_that_disagree_are_not_compared(other):
    measure.check_results(WORKLOADS["tiny"], {"slopes": [1.0, 2.0], "PyTorch": [1.0, 2.001]})
    with pytest.raises(SystemExit, match="after the same first steps"):
        measure.check_results(WORKLOADS["tiny"], {"slopes": [1.0, 2.0], "PyTorch": other})
