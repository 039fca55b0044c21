"""torch.optim.LBFGS: a quasi-Newton method on all parameters at once, whose step calls a closure several times."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ...errors import ArgumentError
from ..sides import on_side


class LBFGS:
    """x <- x - t H g, where H is the inverse Hessian that the last steps y = g' - g of s = x' - x tell of.

    step(closure) does up to max_iter iterations; closure computes the gradients and returns the loss. The first t is
    min(1, 1 / |g|_1) lr, later lr. There is no line search: `line_search_fn` other than None is an error.
    Source: Nocedal, "Updating quasi-Newton matrices with limited storage", 1980.

    >>> import slopes.torch as torch
    >>> x = torch.nn.Parameter(torch.tensor([3.0, -2.0]))
    >>> optimizer = torch.optim.LBFGS([x], lr=0.5)
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = ((x - 1) ** 2 * torch.tensor([1.0, 10.0])).sum()
    ...     loss.backward()
    ...     return loss
    >>> for _ in range(5):
    ...     loss = optimizer.step(closure)
    >>> round(x.sum().item(), 4)
    2.0
    """

    def __init__(self, params: Iterable[Any], lr: float = 1.0, max_iter: int = 20, max_eval: int | None = None,
                 tolerance_grad: float = 1e-7, tolerance_change: float = 1e-9, history_size: int = 100,
                 line_search_fn: str | None = None) -> None:
        if line_search_fn is not None:
            raise ArgumentError(f"LBFGS: line_search_fn={line_search_fn!r}", why="this optimizer has no line search",
                                repair="leave it out and pass a smaller lr, or minimize a function with sl.optim.minimize")
        self.params, self.lr, self.max_iter = list(params), lr, max_iter
        self.max_eval = max_iter * 5 // 4 if max_eval is None else max_eval
        self.tolerance_grad, self.tolerance_change = tolerance_grad, tolerance_change
        self.pairs: deque[tuple[np.ndarray, np.ndarray]] = deque(maxlen=history_size)  # of s and y
        self.previous: tuple[np.ndarray, np.ndarray] | None = None  # the gradient and the change of x of the last iteration

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        for parameter in self.params:
            parameter.grad = None

    def gradient(self) -> np.ndarray:
        """All gradients as one vector, zeros where there is none."""
        return np.concatenate([np.zeros(p.numel(), np.float64) if p.grad is None else p.grad.detach().numpy().astype(np.float64).reshape(-1)
                               for p in self.params])

    def move(self, change: np.ndarray) -> None:
        """Add a vector to all parameters."""
        start = 0
        with on_side(core=True):
            for p in self.params:
                stop = start + int(np.prod(p.shape))
                p.assign(p.detach().numpy() + change[start:stop].reshape(p.shape).astype(p.dtype))
                start = stop

    def direction(self, gradient: np.ndarray) -> np.ndarray:
        """-H g, by the two loops over the pairs."""
        if self.previous is not None:
            y, s = gradient - self.previous[0], self.previous[1]
            if y @ s > 1e-10:
                self.pairs.append((s, y))
        return -two_loops(self.pairs, gradient)

    def step(self, closure: Callable[[], Any]) -> Any:
        """Iterate until the gradient or the change is small, or max_iter or max_eval is reached; returns the first loss."""
        first = closure()
        loss, gradient, evaluations = float(first), self.gradient(), 1
        for i in range(self.max_iter):
            if np.abs(gradient).max(initial=0) <= self.tolerance_grad:
                break
            direction = self.direction(gradient)
            rate = self.lr if self.pairs or self.previous is not None else self.lr * min(1.0, 1.0 / np.abs(gradient).sum())
            self.previous = gradient, rate * direction
            if gradient @ direction > -self.tolerance_change:
                break
            self.move(self.previous[1])
            if i == self.max_iter - 1 or evaluations >= self.max_eval:
                break
            before, loss = loss, float(closure())
            gradient, evaluations = self.gradient(), evaluations + 1
            if np.abs(self.previous[1]).max() <= self.tolerance_change or abs(loss - before) < self.tolerance_change:
                break
        return first


def two_loops(pairs: Sequence[tuple[np.ndarray, np.ndarray]], gradient: np.ndarray) -> np.ndarray:
    """H g for the pairs (s, y), the latest last; H starts with s y / y y of the latest times the identity."""
    q, shares = gradient.copy(), []
    for s, y in reversed(pairs):
        shares.append((s @ q) / (y @ s))
        q -= shares[-1] * y
    if pairs:
        s, y = pairs[-1]
        q *= (y @ s) / (y @ y)
    for (s, y), share in zip(pairs, reversed(shares)):
        q += s * (share - (y @ q) / (y @ s))
    return q
