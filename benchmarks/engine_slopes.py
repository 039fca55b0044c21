"""A workload's step in slopes: one compiled function, called once per step or for many steps at once."""

from __future__ import annotations

import numpy as np

import slopes as sl
from slopes import nn, optim

from .workloads import BATCHES, Workload, weights


class Engine:
    """The network, its optimizer and its batches; `run(steps)` trains and returns the last loss."""

    def __init__(self, workload: Workload, threads: int, mode: str) -> None:
        self.workload = workload
        images, labels = workload.data()
        net = workload.net(nn)
        net.load_state_dict({name: weights(name, array.shape) for name, array in net.state_dict().items()})
        optimizer = workload.optimizer(optim, net.parameters())

        def step(images, labels):
            loss = nn.cross_entropy(net(images), labels)
            net.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        self.step = sl.compile(step) if mode == "compiled" else step
        self.batches = [(sl.tensor(x), sl.tensor(y)) for x, y in zip(images, labels)]
        copies = max(1, workload.steps_per_call // BATCHES)
        self.many = tuple(sl.tensor(np.concatenate([each] * copies)) for each in (images, labels))

    def run(self, steps: int) -> float:
        if self.workload.steps_per_call > 1:
            return self.run_many(steps)
        for number in range(steps):
            loss = self.step(*self.batches[number % BATCHES])
        return float(loss)

    def run_many(self, steps: int) -> float:
        """Whole calls of steps_per_call steps; fewer steps than that are taken one by one."""
        size = self.workload.steps_per_call
        if steps < size:
            for number in range(steps):
                loss = self.step(*self.batches[number % BATCHES])
            return float(loss)
        for _ in range(steps // size):
            losses = self.step.many(size, *self.many, stepped=(0, 1))
        return float(losses[-1])
