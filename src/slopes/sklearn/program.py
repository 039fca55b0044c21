"""The training step of an estimator as a program that fits share: a network, an optimizer and one compiled function."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import functions as F
from .. import nn, random
from ..compile import compile
from ..nn.means import weigh_examples
from ..parameter import Parameter
from ..tensor import Tensor, asarray, tensor
from ..train.mode import Mode, put_in_use
from .architectures import Architecture
from .objectives import Loss
from .pool import Pool
from .solvers import SOLVERS

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Plan:
    """What a program is made of; hyper-parameters that are numbers are its state, and may differ from fit to fit.

    solver      a key of `solvers.SOLVERS`
    compiled    whether the step is compiled; otherwise it runs eagerly
    dtype       the type that is computed with
    """

    architecture: Architecture
    loss: Loss
    solver: str
    compiled: bool
    dtype: np.dtype


class Program:
    """A network, its optimizer, and the step that both take part in."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.generator = plan, random.Generator(0)
        with random.using(self.generator):
            self.net = plan.architecture.build()
        convert(self.net, plan.dtype)
        put_in_use(self.net)  # steps put it into train mode quietly; a change that is noticed would trace them again
        self.optimizer = SOLVERS[plan.solver]()
        self.optimizer.bind(self.net.parameters())
        self.weights = [parameter for parameter in self.net.parameters() if parameter.ndim > 1]
        self.alpha = tensor(0.0, dtype=plan.dtype)
        self.compiled, self.compiled_gradient = compile(self.step), compile(self.gradient)

    def step(self, inputs: Tensor, targets: Tensor, weights: Tensor, rate: Tensor) -> Tensor:
        """One update; returns the loss of the batch with its penalty."""
        self.optimizer.lr = rate
        value = self.backward(inputs, targets, weights)
        self.optimizer.step()
        return value

    def gradient(self, inputs: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The loss of all examples with its penalty, and its gradients."""
        value = self.backward(inputs, targets, weights)
        return value, [gradient for gradient in self.optimizer.gradients() if gradient is not None]

    def backward(self, inputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """The weighted mean of the loss + alpha / 2 |w|^2 / total weight, with gradients; without penalty where no example counts."""
        self.net.zero_grad()
        with weigh_examples(weights):
            value = self.plan.loss(self.net(inputs), targets)
        total = F.sum(weights)
        share = F.where(total > 0, self.alpha / F.where(total > 0, total, 1.0), 0.0)
        squares = [F.sum(weight * weight) for weight in self.weights]
        value = F.where(total > 0, value, 0.0) + 0.5 * share * sum(squares[1:], squares[0]) if squares else value
        value.backward()
        return value.detach()

    def run(self, inputs: np.ndarray, targets: np.ndarray, weights: np.ndarray, rates: np.ndarray) -> np.ndarray:
        """Steps on batches, the first axis of all arrays; returns their losses."""
        steps = len(rates)
        with self.training():
            if self.plan.compiled:
                losses = self.compiled.many(steps, *map(asarray, (inputs, targets, weights, rates)), stepped=(0, 1, 2, 3))
                return np.array(losses.numpy(), np.float64)
            return np.array([float(self.step(*map(asarray, batch))) for batch in zip(inputs, targets, weights, rates)])

    def measure(self, inputs: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> tuple[float, list[np.ndarray]]:
        """Loss and gradients of all examples at once."""
        with self.training():
            function = self.compiled_gradient if self.plan.compiled else self.gradient
            value, gradients = function(*map(asarray, (inputs, targets, weights)))
        return float(value), [gradient.numpy().astype(np.float64) for gradient in gradients]

    @contextmanager
    def training(self) -> Iterator[None]:
        """The net in train mode, and the program's random numbers."""
        with Mode(self.net, training=True, quiet=True), random.using(self.generator):
            yield

    # What changes from fit to fit

    def start(self, seed: int) -> None:
        """Random numbers and optimizer as at the beginning of a fit."""
        self.generator.seed(seed)
        for _, state in self.optimizer_state():
            state.assign(np.zeros(state.shape, state.dtype))

    def optimizer_state(self) -> list[tuple[str, Tensor]]:
        """What the optimizer remembers of earlier steps."""
        hyper_parameters = self.optimizer.hyper_parameters()
        return [(name, state) for name, state in self.optimizer.named_state() if name not in hyper_parameters]

    def set(self, alpha: float, values: Mapping[str, Any]) -> None:
        """The penalty and the hyper-parameters of the optimizer, by their names there."""
        self.alpha.assign(np.asarray(alpha, self.plan.dtype))
        for name, value in values.items():
            setattr(self.optimizer, name, value)

    def state(self) -> Arrays:
        """Weights, buffers and optimizer state, as copies by name: net.NAME, optimizer.NAME, and the random numbers."""
        return {**{f"net.{name}": array for name, array in self.net.state_dict().items()},
                **{f"optimizer.{name}": np.array(state.numpy()) for name, state in self.optimizer_state()},
                **{f"generator.{name}": np.array(getattr(self.generator, name).numpy()) for name in ("key", "counter")}}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from the arrays that `state` returned, converted to the type of this program."""
        self.load_net({name.removeprefix("net."): array for name, array in state.items() if name.startswith("net.")})
        for name, value in self.optimizer_state():
            if f"optimizer.{name}" in state:
                value.assign(state[f"optimizer.{name}"].astype(value.dtype))
        for name in ("key", "counter"):
            getattr(self.generator, name).assign(state[f"generator.{name}"])

    def load_net(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Load weights and buffers."""
        own = dict(self.net.named_state())
        self.net.load_state_dict({name: array.astype(own[name].dtype) if name in own else array for name, array in arrays.items()})


def convert(net: nn.Module, dtype: np.dtype) -> None:
    """Replace the floating-point parameters and buffers of a net by such of another type; shared ones stay shared."""
    converted: dict[int, Tensor] = {}
    for _, module in net.named_modules():
        for name, value in list(vars(module).items()):
            if isinstance(value, (Parameter, nn.Buffer)) and np.issubdtype(value.dtype, np.floating) and value.dtype != dtype:
                converted.setdefault(id(value), with_dtype(value, dtype))
                setattr(module, name, converted[id(value)])


def with_dtype(value: Tensor, dtype: np.dtype) -> Tensor:
    """A parameter or buffer of another type."""
    if isinstance(value, Parameter):
        return Parameter(value.numpy(), dtype=dtype, requires_grad=value.requires_grad)
    return nn.Buffer(value.numpy(), dtype=dtype)


programs = Pool(Program)
