"""A workload in slopes: one compiled function, called once per step or for many steps at once; or the same function as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import slopes as sl
from slopes import nn, optim

from . import layers_slopes
from .engine import Engine
from .workloads import Workload, weights


def build(workload: Workload, threads: int, mode: str) -> Engine:
    """The engine of a workload; the number of threads is SLOPES_THREADS'."""
    net = workload.net(layers_slopes)
    net.load_state_dict({name: weights(name, array.shape).astype(array.dtype) for name, array in net.state_dict().items()})
    step = training(workload, net) if workload.optimizer else inference(net)
    data = workload.data()
    batches = [tuple(map(sl.tensor, batch)) for batch in zip(*data)]
    step = sl.compile(step) if mode == "compiled" else step
    if workload.steps_per_call == 1:
        return Engine(step, batches, sl.Tensor.numpy)
    copies = max(1, workload.steps_per_call // workload.batches)
    return Many(step, batches, sl.Tensor.numpy, workload.steps_per_call, [sl.tensor(np.concatenate([each] * copies)) for each in data])


def training(workload: Workload, net: Any) -> Callable[..., Any]:
    """Forward, loss, gradients, optimizer."""
    assert workload.optimizer is not None
    optimizer, loss_of = workload.optimizer(optim, net.parameters()), getattr(nn, workload.loss)

    def step(inputs: Any, targets: Any) -> Any:
        loss = loss_of(net(inputs), targets)
        net.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


def inference(net: Any) -> Callable[..., Any]:
    """Forward in the mode of use."""
    net.eval()
    return lambda inputs: net(inputs)


@dataclass
class Many(Engine):
    """An engine that takes `size` steps in each call; fewer steps than that are taken one by one."""

    size: int
    stacks: list[Any]  # inputs and targets of `size` steps

    def run(self, steps: int) -> np.ndarray:
        if steps < self.size:
            return super().run(steps)
        for _ in range(steps // self.size):
            losses = self.step.many(self.size, *self.stacks, stepped=range(len(self.stacks)))
        return self.read(losses)[-1]
