"""A workload's step in PyTorch: eager, or with the network compiled by torch.compile."""

from __future__ import annotations

import torch

from .workloads import BATCHES, Workload, weights


class Engine:
    """The network, its optimizer and its batches; `run(steps)` trains and returns the last loss."""

    def __init__(self, workload: Workload, threads: int, mode: str) -> None:
        torch.set_num_threads(threads)
        images, labels = workload.data()
        net = workload.net(torch.nn)
        net.load_state_dict({name: torch.from_numpy(weights(name, tuple(each.shape))) for name, each in net.state_dict().items()})
        self.optimizer = workload.optimizer(torch.optim, net.parameters())
        self.net = torch.compile(net) if mode == "compile" else net
        self.batches = [(torch.from_numpy(x), torch.from_numpy(y)) for x, y in zip(images, labels)]

    def run(self, steps: int) -> float:
        for number in range(steps):
            images, labels = self.batches[number % BATCHES]
            self.optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(self.net(images), labels)
            loss.backward()
            self.optimizer.step()
        return loss.item()
