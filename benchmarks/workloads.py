"""What is measured: each network once, in the names that slopes and PyTorch share, with its data and its arithmetic."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

BATCHES = 8  # different batches, taken in turn


def tiny(nn: Any) -> Any:
    """2-8-8-2: all cost is overhead."""
    return nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 2))


def mlp(nn: Any) -> Any:
    """784-128-10: a matrix product of middle size, and memory traffic for the weights."""
    return nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))


def lenet(nn: Any) -> Any:
    """Two convolutions of 5 x 5 with pooling, 500 hidden units: 431,080 parameters."""
    return nn.Sequential(
        nn.Conv2d(1, 20, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(20, 50, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(800, 500), nn.ReLU(), nn.Linear(500, 10))


def sgd(optim: Any, parameters: Any) -> Any:
    return optim.SGD(parameters, lr=0.01)


def adam(optim: Any, parameters: Any) -> Any:
    return optim.Adam(parameters, lr=1e-3)


@dataclass(frozen=True)
class Workload:
    """One training step: what is trained, how, on what, and how many multiplications and additions that takes."""

    name: str
    net: Callable[[Any], Any]
    optimizer: Callable[[Any, Any], Any]
    sample: tuple[int, ...]
    classes: int
    batch: int
    products: tuple[int, ...]  # multiply-adds of each layer for one example, first layer first
    steps_per_call: int = 1  # slopes can run many steps in one native call, as its fit does

    @property
    def flops(self) -> int:
        """Forward, weight gradient and input gradient of every layer; the first needs no input gradient."""
        return 2 * self.batch * (3 * sum(self.products) - self.products[0])

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """BATCHES batches of images and labels, always the same."""
        rng = np.random.default_rng(0)
        images = rng.standard_normal((BATCHES, self.batch, *self.sample), dtype=np.float32)
        return images, rng.integers(0, self.classes, (BATCHES, self.batch))


def weights(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The first value of the parameter of this name: uniform within 1 / sqrt(inputs), the same in every system."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    bound = 1.0 / np.sqrt(max(1, np.prod(shape[1:])))
    return rng.uniform(-bound, bound, shape).astype(np.float32)


TINY = (2 * 8, 8 * 8, 8 * 2)
MLP = (784 * 128, 128 * 10)
LENET = (20 * 25 * 24 * 24, 50 * 500 * 8 * 8, 800 * 500, 500 * 10)

WORKLOADS = {workload.name: workload for workload in (
    Workload("tiny", tiny, sgd, (2,), 2, 32, TINY),
    Workload("tiny-many", tiny, sgd, (2,), 2, 32, TINY, steps_per_call=256),
    Workload("mlp-sgd", mlp, sgd, (784,), 10, 64, MLP),
    Workload("mlp-adam", mlp, adam, (784,), 10, 64, MLP),
    Workload("lenet-sgd", lenet, sgd, (1, 28, 28), 10, 64, LENET),
    Workload("lenet-adam", lenet, adam, (1, 28, 28), 10, 64, LENET),
)}


def chosen(names: list[str]) -> list[Workload]:
    """The workloads of these names; "lenet" means all that begin so; none means all."""
    wanted = names or list(WORKLOADS)
    unknown = [name for name in wanted if not any(f"{known}-".startswith(f"{name}-") for known in WORKLOADS)]
    if unknown:
        raise SystemExit(f"no workload is called {', '.join(unknown)}; there are {', '.join(WORKLOADS)}")
    return [workload for workload in WORKLOADS.values() if any(f"{workload.name}-".startswith(f"{name}-") for name in wanted)]
