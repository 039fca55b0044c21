"""Equal layers are planned and written once, and the code is what it would be if each were planned and written on its own."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from native_graphs import Reported, compile_nodes, plan
from training import training_step

import slopes as sl
from slopes import native_backend, nn, optim
from slopes.graph.build import build, variable
from slopes.loops import kernel_functions, region
from slopes.loops.equal_groups import EqualGroups
from slopes.loops.kernel_functions import KernelFunctions
from slopes.zoo.gpt import GPT


def graph_of(net, inputs, targets, monkeypatch):
    """The graph of a training step: (roots, updates)."""
    captured = []
    compile_graph = native_backend.compile_graph
    monkeypatch.setattr(native_backend, "compile_graph",
                        lambda roots, updates, **rest: captured.append((roots, updates)) or compile_graph(roots, updates, **rest))
    optimizer = optim.Adam(net.parameters(), lr=0.01)
    step = sl.compile(training_step(net, optimizer))
    step(inputs, targets)
    return captured[0]


class Outputs(nn.Module):
    """A recurrent layer without its last state."""

    def __init__(self, layer):
        self.layer = layer

    def forward(self, x):
        return self.layer(x)[0]


def gpt():
    tokens = sl.tensor(np.arange(32).reshape(2, 16) % 65)
    return nn.Sequential(GPT(65, 16, 32, 4, 4), nn.Flatten(0, 1)), tokens, tokens.reshape((-1,))


def residual():
    def block():
        return nn.Residual(nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
                           nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8))
    net = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), *(block() for _ in range(4)), nn.GlobalAvgPool(), nn.Linear(8, 10))
    return net, sl.ones((4, 1, 12, 12)), sl.zeros((4,), dtype="int64")


def recurrent():
    layers = [Outputs(nn.LSTM(12, 24, batch_first=True)), *(Outputs(nn.LSTM(24, 24, batch_first=True)) for _ in range(2))]
    return nn.Sequential(*layers, nn.Flatten(0, 1), nn.Linear(24, 5)), sl.ones((6, 4, 12)), sl.zeros((24,), dtype="int64")


def one_by_one(monkeypatch):
    """Nothing is planned or written for several kernels at once."""
    numbers = itertools.count()
    signature_of = kernel_functions.signature_of
    monkeypatch.setattr(kernel_functions, "signature_of", lambda *args: (next(numbers), signature_of(*args)[1]))
    monkeypatch.setattr(EqualGroups, "kernels_of", lambda self, group: self.plan(group))


@pytest.mark.parametrize("network", [gpt, residual, recurrent])
def test_the_code_is_that_of_layers_planned_and_written_one_by_one(network, monkeypatch, tmp_path):
    monkeypatch.setenv("SLOPES_CACHE", str(tmp_path))
    roots, updates = graph_of(*network(), monkeypatch)
    made = plan(roots, updates)[0]
    poisoned = plan(roots, updates, poison=True)[0]
    one_by_one(monkeypatch)
    expected = plan(roots, updates)[0]
    assert made.text == expected.text and (made.arena, made.scratch, made.sites) == (expected.arena, expected.scratch, expected.sites)
    assert described(made) == described(expected)
    assert network is recurrent or [kernel.nodes for kernel in made.kernels] == [kernel.nodes for kernel in expected.kernels]
    assert poisoned.text == plan(roots, updates, poison=True)[0].text


def described(made) -> list[str]:
    """The kernels of a plan; nodes by what they compute, as the body of a loop is planned with nodes of its own."""
    return [f"{kernel.kind} {kernel.nodes} {kernel.schedule}" for kernel in made.kernels]


def counting(monkeypatch) -> dict[str, int]:
    """How many groups are planned and kernels written from now on."""
    counts = {"planned": 0, "written": 0}
    plan_group, write = region.plan_group, KernelFunctions.write

    def count(name, function):
        def counted(*args):
            counts[name] += 1
            return function(*args)
        return counted

    monkeypatch.setattr(region, "plan_group", count("planned", plan_group))
    monkeypatch.setattr(KernelFunctions, "write", count("written", write))
    return counts


def test_more_equal_layers_are_hardly_more_to_plan_and_to_write(monkeypatch, tmp_path):
    monkeypatch.setenv("SLOPES_CACHE", str(tmp_path))
    seen = []
    for depth in (3, 9):
        tokens = sl.tensor(np.arange(32).reshape(2, 16) % 65)
        graph = graph_of(nn.Sequential(GPT(65, 16, 32, depth, 4), nn.Flatten(0, 1)), tokens, tokens.reshape((-1,)), monkeypatch)
        with pytest.MonkeyPatch.context() as patch:
            counts = counting(patch)
            made = plan(*graph)[0]
        seen.append((len(made.kernels), counts["planned"], counts["written"]))
    few, many = seen
    assert many[0] > 2 * few[0] and many[1] < 1.3 * few[1] and many[2] < 1.3 * few[2]


def exp(x):
    return build("exp", x)


def rows(table, x):
    """Rows that an index picks, in two equal kernels whose errors belong to two nodes."""
    return exp(build("take", table, x, axis=0))


def test_an_error_belongs_to_the_layer_that_made_it():
    tables = [variable((20, 8), np.dtype("float32")) for _ in range(2)]
    indices = [variable((6,), np.dtype("int64")) for _ in range(2)]
    roots = [rows(table, x) for table, x in zip(tables, indices)]
    compiled = compile_nodes(roots, passes=False)
    assert len({module.name for module in compiled.plan.modules if module.name}) == 1 and len(compiled.plan.kernels) == 2
    env = {**{table: np.ones((20, 8), np.float32) for table in tables}, **{x: np.arange(6) for x in indices}}
    for x, root in zip(indices, roots):
        with pytest.raises(Reported) as caught:
            compiled.run({**env, x: np.full(6, 20)})
        assert caught.value.args[0] is root.args[0]


def functions(*roots) -> int:
    """How many functions the kernels of a graph have."""
    made = plan(roots, passes=False)[0]
    assert len(made.kernels) == len(roots)
    return len({module.name for module in made.modules if module.name})


def test_what_differs_in_a_number_or_a_type_is_not_equal():
    x, y, z, w = (variable((40, 30), np.dtype("float32")) for _ in range(4))
    whole = variable((40, 30), np.dtype("int32"))
    assert functions(exp(x * 2.0), exp(y * 2.0)) == 1
    assert functions(exp(x * 2.0), exp(y * 3.0)) == 2
    assert functions(exp(x + 0.0), exp(y + -0.0)) == 2
    assert functions(build("sum", x, axes=(0,)), build("sum", y, axes=(1,))) == 2
    assert functions(build("sum", x, axes=(0,)), build("sum", y, axes=(0,))) == 1
    assert functions(exp(x), whole + 1) == 2
    assert functions(x * y, z * z) == 2
    assert functions(x * y, z * w) == 1
