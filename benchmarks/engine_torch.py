"""A workload in PyTorch: eager, or compiled: network and loss by torch.compile, and the optimizer in its fused form."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch

from . import layers_torch
from .engine import Engine
from .workloads import Workload, weights

FUSED = SimpleNamespace(**{name: partial(getattr(torch.optim, name), fused=True) for name in ("SGD", "Adam", "AdamW")})


def build(workload: Workload, threads: int, mode: str) -> Engine:
    """The engine of a workload."""
    torch.set_num_threads(threads)
    net = workload.net(layers_torch)
    with torch.no_grad():
        for name, each in [*net.named_parameters(), *net.named_buffers()]:
            each.copy_(torch.from_numpy(weights(name, tuple(each.shape))))
    step = (training if workload.optimizer else inference)(workload, net, mode == "compile")
    batches = [tuple(map(torch.from_numpy, batch)) for batch in zip(*workload.data())]
    return Engine(step, batches, lambda result: result.detach().numpy())


def training(workload: Workload, net: Any, compiled: bool) -> Callable[..., Any]:
    """Forward, loss, gradients, optimizer."""
    assert workload.optimizer is not None
    optimizer = workload.optimizer(FUSED if compiled else torch.optim, net.parameters())
    loss_of = getattr(torch.nn.functional, workload.loss)

    def forward(inputs: Any, targets: Any) -> Any:
        return loss_of(net(inputs), targets)

    forward = torch.compile(forward) if compiled else forward

    def step(inputs: Any, targets: Any) -> Any:
        optimizer.zero_grad()
        loss = forward(inputs, targets)
        loss.backward()
        optimizer.step()
        return loss

    return step


def inference(workload: Workload, net: Any, compiled: bool) -> Callable[..., Any]:
    """Forward in the mode of use, nothing recorded."""
    net.eval()
    forward = torch.compile(net) if compiled else net
    return torch.inference_mode()(lambda inputs: forward(inputs))
