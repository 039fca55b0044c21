"""Averages of weights over the steps of a training: they are often better than the last weights, and never jump."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..constraint import SHARE, Constraint
from ..errors import ArgumentError
from ..graph.operation import build
from ..nn.number import Number, Structured, text
from ..nn.state import copied_state, load_arrays
from ..tensor import Tensor, no_grad
from .optimizer import named


class Average(Structured):
    """A running average of parameters: a <- a + (1 - decay) (w - a) after each step; the first a is w itself.

    decay      share of the old average that is kept, 0 <= decay < 1; None: the plain mean of all w so far (a <- a + (w - a) / n)
    update()   after each opt.step(), also inside of a compiled function, where the averages are state
    swapped()  a with-block in which the parameters hold their averages; afterwards they are what they were, to the bit
    take()     the parameters become their averages for good

    `fit(average=optim.Average(0.999))` binds it, updates it in every step and measures validation data with it. Buffers, such as
    the running moments of BatchNorm, are not averaged. Sources: Polyak and Juditsky, "Acceleration of stochastic approximation by
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

    decay = Number(SHARE)
    constraints: Mapping[str, Constraint] = {"decay": SHARE}

    def __init__(self, decay: float | None = 0.999, parameters: Any = None) -> None:
        self.plain = decay is None
        self.decay = 0.0 if decay is None else decay
        self.names: list[str] = []
        self.parameters: list[Tensor] = []
        self.averages: list[Tensor] = []
        self.steps = Tensor(0, np.int64)
        if parameters is not None:
            self.bind(parameters)

    def bind(self, parameters: Any) -> Average:
        """Average these parameters: a module's, named ones, or a list. Binding to the same ones again keeps the averages."""
        names, found = named("Average", parameters)
        if len(found) != len(self.parameters) or any(a is not b for a, b in zip(found, self.parameters)):
            self.names, self.parameters = names, found
            self.averages = [Tensor(each.detach().numpy()) for each in found]
            self.steps.assign(0)
        return self

    @no_grad()
    def update(self) -> None:
        """Take the present parameters into the average."""
        self.check_bound("update")
        self.steps.assign(self.steps + 1)
        new = 1 / self.steps.astype(np.float64) if self.plain else 1 - self.decay
        for parameter, average in zip(self.parameters, self.averages):
            now = parameter.detach()
            moved = average + new.astype(now.dtype) * (now - average)
            average.assign(build("where", self.steps == 1, now, moved))

    @contextlib.contextmanager
    def swapped(self) -> Iterator[Average]:
        """While entered, the parameters hold their averages; afterwards they are what they were, to the bit."""
        self.check_bound("swapped")
        before = [each.detach().numpy() for each in self.parameters]
        try:
            self.take()
            yield self
        finally:
            for parameter, array in zip(self.parameters, before):
                parameter.assign(array)

    def take(self) -> None:
        """Let the parameters become their averages."""
        self.check_bound("take")
        for parameter, average in zip(self.parameters, self.averages):
            parameter.assign(average.numpy())

    def check_bound(self, use: str) -> None:
        if not self.parameters:
            raise ArgumentError(f"Average.{use}: it has no parameters yet", repair="bind it first: average.bind(net.parameters())")

    # State

    def named_state(self) -> list[tuple[str, Tensor]]:
        """(name, tensor) of everything that an update reads and writes besides parameters."""
        return [("decay", self.decay), ("steps", self.steps), *zip(self.names, self.averages)]

    def state_dict(self) -> dict[str, np.ndarray]:
        """Copies of the decay, the number of steps, and each parameter's average under its name."""
        return copied_state(self.named_state())

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> None:
        """Take over what `state_dict` gave; raises one StateError that lists all that does not fit, and then changes nothing."""
        self.check_bound("load_state_dict")
        load_arrays("Average", dict(self.named_state()), state, strict)

    def __repr__(self) -> str:
        return f"Average(decay={None if self.plain else text(self.decay)}, steps={self.steps.peek()})"
