"""Weight averaging during training: running (exponential) or plain means of the parameters."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..constraint import SHARE, Constraint
from ..errors import ArgumentError
from ..graph.build import build
from ..modes import no_grad
from ..nn.hyper_parameter import HyperParameter, TracksChanges, format_value
from ..nn.state import copy_state, load_arrays
from ..tensor import Tensor
from .parameters import named_parameters


class Average(TracksChanges):
    """A running average of parameters: a <- a + (1 - decay) (w - a) after each step; the first a is w itself.

    decay      weight of the previous average, 0 <= decay < 1; None: the plain mean of all w so far (a <- a + (w - a) / n)
    update()   call it after each opt.step(), also inside a compiled function, where the averages are state
    swapped()  a with-block in which the parameters have their averaged values; afterwards they are restored exactly
    take()     copy the averages into the parameters permanently

    `fit(average=optim.Average(0.999))` binds it, updates it in every step and evaluates validation data with it. Buffers, such as
    the running statistics of BatchNorm, are not averaged. Sources: Polyak and Juditsky, "Acceleration of stochastic approximation by
    averaging", 1992 (the plain mean); Tarvainen and Valpola, "Mean teachers are better role models", 2017.

    >>> import slopes as sl
    >>> from slopes import optim
    >>> w = sl.Parameter([0.0])
    >>> average = optim.Average(0.75, [w])
    >>> for value in (0.0, 4.0):
    ...     _ = w.assign(sl.tensor([value]))
    ...     average.update()
    >>> with average.swapped():
    ...     print(w)
    [1.]
    >>> w
    Parameter([4.], requires_grad=True)
    """

    decay = HyperParameter(SHARE)
    constraints: Mapping[str, Constraint] = {"decay": SHARE}

    def __init__(self, decay: float | None = 0.999, params: Any = None) -> None:
        self.plain = decay is None
        self.decay = 0.0 if decay is None else decay
        self.names: list[str] = []
        self.parameters: list[Tensor] = []
        self.averages: list[Tensor] = []
        self.steps = Tensor(0, np.int64)
        if params is not None:
            self.bind(params)

    def bind(self, parameters: Any) -> Average:
        """Average these parameters: a module, a mapping or a list. Binding to the same ones again keeps the averages."""
        names, tensors = named_parameters("Average", parameters)
        if len(tensors) != len(self.parameters) or any(a is not b for a, b in zip(tensors, self.parameters)):
            self.names, self.parameters = names, tensors
            self.averages = [Tensor(tensor.detach().numpy()) for tensor in tensors]
            self.steps.assign(0)
        return self

    @no_grad()
    def update(self) -> None:
        """Update the averages with the current parameters."""
        self.check_bound("update")
        self.steps.assign(self.steps + 1)
        weight = 1 / self.steps.astype(np.float64) if self.plain else 1 - self.decay
        for parameter, average in zip(self.parameters, self.averages):
            current = parameter.detach()
            updated = average + weight.astype(current.dtype) * (current - average)
            average.assign(build("where", self.steps == 1, current, updated))

    @contextlib.contextmanager
    def swapped(self) -> Iterator[Average]:
        """Within the block, the parameters have their averaged values; afterwards they are restored exactly."""
        self.check_bound("swapped")
        before = [parameter.detach().numpy() for parameter in self.parameters]
        try:
            self.take()
            yield self
        finally:
            for parameter, array in zip(self.parameters, before):
                parameter.assign(array)

    def take(self) -> None:
        """Copy the averages into the parameters."""
        self.check_bound("take")
        for parameter, average in zip(self.parameters, self.averages):
            parameter.assign(average.numpy())

    def check_bound(self, use: str) -> None:
        if not self.parameters:
            raise ArgumentError(f"Average.{use}: it has no parameters yet", repair="bind it first: average.bind(net.parameters())")

    # State

    def named_state(self) -> list[tuple[str, Tensor]]:
        """(name, tensor) of all state of an update, other than the parameters."""
        return [("decay", self.decay), ("steps", self.steps), *zip(self.names, self.averages)]

    def state_dict(self) -> dict[str, np.ndarray]:
        """Copies of the decay, the number of steps, and each parameter's average under its name."""
        return copy_state(self.named_state())

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> None:
        """Load what `state_dict` returned. Raises one StateError that lists all mismatches, and then changes nothing."""
        self.check_bound("load_state_dict")
        load_arrays("Average", dict(self.named_state()), state, strict)

    def __repr__(self) -> str:
        return f"Average(decay={None if self.plain else format_value(self.decay)}, steps={self.steps.peek()})"
