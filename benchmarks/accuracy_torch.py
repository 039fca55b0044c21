"""LeNet on MNIST until 99% of the test images are right, with PyTorch."""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from . import layers_torch
from .accuracy import BATCH, EPOCHS, GOAL, RATE, batches, first, images
from .networks import lenet

TESTED = 512  # test images at a time, as slopes' fit takes them


def train(seed: int, threads: int) -> list[float]:
    """The share of right answers after each epoch."""
    torch.set_num_threads(threads)
    net = lenet(layers_torch)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            parameter.copy_(torch.from_numpy(first(name, tuple(parameter.shape), seed)))
    (inputs, targets), test = (tuple(map(torch.from_numpy, images(part))) for part in ("train", "t10k"))
    optimizer = torch.optim.Adam(net.parameters(), lr=RATE)
    steps = EPOCHS * math.ceil(len(targets) / BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: (1 + math.cos(math.pi * step / steps)) / 2)
    found: list[float] = []
    for epoch in range(EPOCHS):
        net.train()
        for numbers in map(torch.from_numpy, batches(seed, epoch, len(targets))):
            optimizer.zero_grad()
            functional.cross_entropy(net(inputs[numbers]), targets[numbers]).backward()
            optimizer.step()
            schedule.step()
        found.append(accuracy(net, *test))
        if found[-1] >= GOAL:
            break
    return found


@torch.inference_mode()
def accuracy(net: torch.nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> float:
    """The share of right answers."""
    net.eval()
    right = sum(int((net(x).argmax(1) == y).sum()) for x, y in zip(inputs.split(TESTED), targets.split(TESTED)))
    return right / len(targets)
