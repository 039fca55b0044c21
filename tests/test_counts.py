"""How many kernels and compilations known models need: a number that grew is a fusion that was lost.

These are golden numbers. When a change makes one smaller, or larger for a good reason (say it in the commit), run this file with
`pytest tests/test_counts.py -k kernels`, look at the numbers that the failures show, and write them here.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from native_graphs import kinds, plan
from training import training_step

import slopes as sl
from slopes import nn, optim
from slopes.loops.target import TARGETS
from slopes.trace import Trace, tracing
from slopes.zoo import networks

KERNELS: dict[str, dict[str, int]] = {
    "tiny, sgd": {"map": 3, "reduce": 15},
    "mlp, sgd": {"contract": 5, "map": 3, "reduce": 7},
    "mlp, adam": {"contract": 5, "map": 4, "reduce": 7},
    "lenet, sgd": {"contract": 11, "map": 7, "mix": 9, "reduce": 15},
    "lenet, adam": {"contract": 11, "map": 8, "mix": 9, "reduce": 15},
}

MODELS: dict[str, tuple[Callable, tuple[int, ...], Callable]] = {
    "tiny, sgd": (lambda: nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 2)), (32, 2),
                  lambda p: optim.SGD(p, lr=0.1)),
    "mlp, sgd": (lambda: networks.mlp((1, 28, 28), 10), (64, 1, 28, 28), lambda p: optim.SGD(p, lr=0.1)),
    "mlp, adam": (lambda: networks.mlp((1, 28, 28), 10), (64, 1, 28, 28), lambda p: optim.Adam(p)),
    "lenet, sgd": (lambda: networks.lenet((1, 28, 28), 10), (64, 1, 28, 28), lambda p: optim.SGD(p, lr=0.1)),
    "lenet, adam": (lambda: networks.lenet((1, 28, 28), 10), (64, 1, 28, 28), lambda p: optim.Adam(p)),
}


def training(name: str) -> tuple[Callable, sl.Tensor, sl.Tensor, optim.Optimizer]:
    """The uncompiled step of a model, its inputs and its optimizer."""
    build, shape, make = MODELS[name]
    net = build()
    optimizer = make(net.parameters())
    return training_step(net, optimizer), sl.ones(shape), sl.zeros((shape[0],), dtype="int64"), optimizer


@pytest.mark.parametrize("name", MODELS)
def test_a_step_has_as_many_kernels_as_it_should(name):
    """Counted for one target on every machine: which schedule is cheapest depends on the width of vectors."""
    step, x, y, _ = training(name)
    with tracing(Trace()) as trace:
        arguments = [trace.argument(each.shape, each.dtype) for each in (x, y)]
        roots = [step(*arguments)._node_in(trace), *trace.writes.values()]
    updates = [None, *(trace.reads[each] for each in trace.writes)]
    assert kinds(plan(roots, updates, target=TARGETS["avx2"])[0]) == KERNELS[name]


@pytest.mark.parametrize("name", ["tiny, sgd", "mlp, adam"])
def test_a_rate_that_changes_compiles_nothing(name):
    step, x, y, optimizer = training(name)
    compiled = sl.compile(step)
    for number in range(3):
        optimizer.lr = 0.001 * (number + 1)
        compiled(x, y)
    assert compiled.compilations == 1


def test_a_net_in_training_and_in_use_is_compiled_twice_and_no_more():
    net = networks.small_convolution((1, 8, 8), 10)
    predict = sl.compile(lambda x: net(x))
    for batch in (4, 4, 4):
        net.train()
        predict(sl.ones((batch, 1, 8, 8)))
        net.eval()
        predict(sl.ones((batch, 1, 8, 8)))
    assert predict.compilations == 2
