"""Several optimizers as one: different update rules for different parameters."""

from __future__ import annotations

from ..errors import ArgumentError
from .optimizer import Optimizer


class Combined(Optimizer):
    """Optimizers of different parameters, used as one: Combined(Muon(matrices), AdamW(others)) for sl.fit.

    Each keeps its update rule, options and learning rate; `opt.groups` are the optimizers. `lr` is the rate of the first; setting it,
    as a schedule does, scales the rates of the others in the same proportion. Raises ArgumentError for optimizers without parameters
    and for a parameter that two of them have.

    >>> import slopes as sl
    >>> from slopes import optim
    >>> w, b = sl.Parameter([[1.0]]), sl.Parameter([1.0])
    >>> opt = optim.Combined(optim.SGD([w], lr=0.5), optim.Adam([b], lr=0.25))
    >>> (w * b).sum().backward()
    >>> opt.step()
    >>> w.tolist(), b.tolist()
    ([[0.5]], [0.75])
    """

    def __init__(self, *optimizers: Optimizer) -> None:
        for i, optimizer in enumerate(optimizers):
            if not isinstance(optimizer, Optimizer) or not optimizer.parameters:
                raise ArgumentError(f"Combined: argument {i} is {optimizer!r}, not an optimizer that has parameters",
                                    repair="for example Combined(Muon(matrices, lr=0.02), AdamW(others, lr=1e-3))")
            if optimizer.whole is not None:
                raise ArgumentError(f"Combined: {optimizer!r} is part of another optimizer already", repair="make a new one")
        if not optimizers:
            raise ArgumentError("Combined: there are no optimizers")
        super().__init__(float(optimizers[0].lr))
        self.join(optimizers)
