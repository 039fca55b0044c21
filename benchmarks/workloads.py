"""What is measured: the table of workloads, their data, first weights and optimizers, and how fast slopes shall be."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import networks as net

Arrays = tuple[np.ndarray, ...]


def sgd(optim: Any, parameters: Any) -> Any:
    return optim.SGD(parameters, lr=0.01)


def adam(optim: Any, parameters: Any) -> Any:
    return optim.Adam(parameters, lr=1e-3)


def adamw(optim: Any, parameters: Any) -> Any:
    return optim.AdamW(parameters, lr=1e-3)


def labelled(rng: np.random.Generator, shape: tuple[int, ...], classes: int) -> Arrays:
    """Images of noise and their classes."""
    return rng.standard_normal(shape, dtype=np.float32), rng.integers(0, classes, shape[:2])


def itself(rng: np.random.Generator, shape: tuple[int, ...], _: int) -> Arrays:
    """Images from 0 to 1 that are their own targets."""
    images = rng.random(shape, dtype=np.float32)
    return images, images


def text(rng: np.random.Generator, shape: tuple[int, ...], vocabulary: int) -> Arrays:
    """Tokens, and for each the next one, all of a batch on one axis."""
    tokens = rng.integers(0, vocabulary, (*shape[:2], shape[2] + 1))
    return tokens[:, :, :-1].copy(), tokens[:, :, 1:].reshape(len(tokens), -1)


@dataclass(frozen=True)
class Bar:
    """How many times faster than the fastest of some peers slopes shall be."""

    times: float
    over: tuple[str, ...]


def faster(times: float) -> tuple[Bar, ...]:
    """Than everything that trains."""
    return (Bar(times, ("PyTorch", "torch.compile", "JAX")),)


SINGLE = (Bar(4, ("PyTorch",)), Bar(1.2, ("onnxruntime",)))  # inference, one example at a time


@dataclass(frozen=True)
class Workload:
    """A training step, or without optimizer a forward pass in the mode of use: of which network, on what, how."""

    name: str
    net: Callable[[Any], Any]
    products: tuple[int, ...]  # multiply-adds of each layer for one example, first layer first
    optimizer: Callable[[Any, Any], Any] | None
    sample: tuple[int, ...]
    classes: int
    batch: int
    bars: tuple[Bar, ...]
    source: Callable[[np.random.Generator, tuple[int, ...], int], Arrays] = labelled
    loss: str = "cross_entropy"
    steps_per_call: int = 1  # slopes can run many steps in one native call, as its fit does
    compiled: bool = True  # otherwise eager slopes beside eager PyTorch
    batches: int = 8  # different ones, taken in turn
    slow: bool = False  # takes minutes: measured only when it is named

    @property
    def flops(self) -> int:
        """Forward, weight gradient and input gradient of every layer; the first needs no input gradient, inference none at all."""
        return 2 * self.batch * (3 * sum(self.products) - self.products[0] if self.optimizer else sum(self.products))

    def data(self) -> Arrays:
        """The batches, always the same: (inputs, targets), inference needs no targets."""
        found = self.source(np.random.default_rng(0), (self.batches, self.batch, *self.sample), self.classes)
        return found if self.optimizer else found[:1]


def weights(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The first value of the parameter or buffer of this name, the same in every system.

    Matrices and kernels are uniform within 1 / sqrt(inputs), scales and variances around 1, biases and means around 0.
    """
    vector = len(shape) < 2
    bound = 0.1 if vector else 1 / np.sqrt(np.prod(shape[1:]))
    middle = 1.0 if vector and name.endswith(("weight", "running_var")) else 0.0
    return np.random.default_rng(zlib.crc32(name.encode())).uniform(middle - bound, middle + bound, shape).astype(np.float32)


WORKLOADS = {workload.name: workload for workload in (
    Workload("tiny", net.tiny, net.TINY, sgd, (2,), 2, 32, faster(8)),
    Workload("tiny-many", net.tiny, net.TINY, sgd, (2,), 2, 32, faster(30), steps_per_call=1024),
    Workload("mlp-sgd", net.mlp, net.MLP, sgd, (784,), 10, 64, faster(2)),
    Workload("mlp-adam", net.mlp, net.MLP, adam, (784,), 10, 64, faster(2)),
    Workload("mlp-wide", net.wide, net.WIDE, adam, (784,), 10, 128, faster(1.5)),
    Workload("lenet-sgd", net.lenet, net.LENET, sgd, (1, 28, 28), 10, 64, faster(2.2)),
    Workload("lenet-adam", net.lenet, net.LENET, adam, (1, 28, 28), 10, 64, faster(2.4)),
    Workload("rnn", net.elman, net.gated(1), adam, (net.CONTEXT,), net.VOCABULARY, 32, faster(2), text),
    Workload("lstm", net.lstm, net.gated(4), adam, (net.CONTEXT,), net.VOCABULARY, 32, faster(1.25), text),
    Workload("gru", net.gru, net.gated(3), adam, (net.CONTEXT,), net.VOCABULARY, 32, faster(2), text),
    Workload("gpt", net.gpt, net.transformer(net.CONTEXT), adamw, (net.CONTEXT,), net.VOCABULARY, 12, faster(1.5), text),
    Workload("gpt-long", net.long_gpt, net.transformer(net.LONG), adamw, (net.LONG,), net.VOCABULARY, 2, faster(1), text, batches=2),
    Workload("gpt2", net.gpt2, net.GPT2, adamw, (128,), 50_257, 2, faster(1.5), text, slow=True),
    Workload("resnet20", net.resnet20, net.RESNET20, sgd, (3, 32, 32), 10, 32, faster(1.5)),
    Workload("alexnet", net.alexnet, net.ALEXNET, sgd, (3, 224, 224), 1000, 16, faster(1.5)),
    Workload("autoencoder", net.autoencoder, net.AUTOENCODER, adam, (1, 28, 28), 0, 64, faster(1.5), itself, "mse_loss"),
    Workload("infer-mlp-1", net.mlp, net.MLP, None, (784,), 10, 1, SINGLE),
    Workload("infer-lenet-1", net.lenet, net.LENET, None, (1, 28, 28), 10, 1, SINGLE),
    Workload("infer-resnet20-1", net.resnet20, net.RESNET20, None, (3, 32, 32), 10, 1, SINGLE),
    Workload("infer-lstm-1", net.lstm, net.gated(4), None, (net.CONTEXT,), net.VOCABULARY, 1, SINGLE, text),
    Workload("infer-lenet-256", net.lenet, net.LENET, None, (1, 28, 28), 10, 256, (Bar(1.5, ("onnxruntime",)),)),
    Workload("eager-mlp", net.mlp, net.MLP, sgd, (784,), 10, 64, (Bar(0.5, ("PyTorch",)),), compiled=False),
    Workload("eager-lenet", net.lenet, net.LENET, sgd, (1, 28, 28), 10, 64, (Bar(0.25, ("PyTorch",)),), compiled=False),
)}


def chosen(names: list[str]) -> list[Workload]:
    """The workloads of these names; "lenet" means all that begin so; none means all but the slow ones."""
    wanted = names or [workload.name for workload in WORKLOADS.values() if not workload.slow]
    unknown = [name for name in wanted if not any(f"{known}-".startswith(f"{name}-") for known in WORKLOADS)]
    if unknown:
        raise SystemExit(f"no workload is called {', '.join(unknown)}; there are {', '.join(WORKLOADS)}")
    return [workload for workload in WORKLOADS.values() if any(f"{workload.name}-".startswith(f"{name}-") for name in wanted)]
