"""torch.optim.LBFGS: a quasi-Newton method on all parameters at once, whose step calls a closure several times."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ...errors import ArgumentError
from ...optim.search import Trial, strong_wolfe
from ..sides import on_side


class LBFGS:
    """x <- x - t H g, where H is the inverse Hessian that the last steps y = g' - g of s = x' - x tell of.

    step(closure) does up to max_iter iterations; closure computes the gradients and returns the loss. The first t is
    min(1, 1 / |g|_1) lr, later lr; line_search_fn="strong_wolfe" searches from there for a t that satisfies the strong Wolfe
    conditions. One step evaluates the closure max_eval times at most, by default 1.25 max_iter; a search may exceed that by one.
    All sums are in float64, so float32 iterates differ from PyTorch's in the last digits. Errors: ArgumentError for another
    line_search_fn. Source: Nocedal, "Updating quasi-Newton matrices with limited storage", 1980.

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
        if line_search_fn not in (None, "strong_wolfe"):
            raise ArgumentError(f"LBFGS: line_search_fn={line_search_fn!r}", why="the only line search is \"strong_wolfe\"",
                                repair="pass \"strong_wolfe\", or None to take steps of a fixed size")
        self.params, self.lr, self.max_iter = list(params), lr, max_iter
        self.max_eval = max_iter * 5 // 4 if max_eval is None else max_eval
        self.tolerance_grad, self.tolerance_change, self.line_search_fn = tolerance_grad, tolerance_change, line_search_fn
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

    def point(self) -> list[np.ndarray]:
        """The values of all parameters."""
        return [p.detach().numpy().copy() for p in self.params]

    def move(self, point: list[np.ndarray], change: np.ndarray) -> None:
        """Set all parameters to `point` + `change`, which is one vector."""
        start = 0
        with on_side(core=True):
            for p, value in zip(self.params, point):
                stop = start + value.size
                p.assign(value + change[start:stop].reshape(p.shape).astype(p.dtype))
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
        self.evaluations, last = 1, float(first)
        here = Trial(0.0, last, 0.0, self.gradient())
        for i in range(self.max_iter):
            if np.abs(here.gradient).max(initial=0) <= self.tolerance_grad:
                break
            direction = self.direction(here.gradient)
            rate = self.lr if self.pairs or self.previous is not None else self.lr * min(1.0, 1.0 / np.abs(here.gradient).sum())
            start = Trial(0.0, here.value, float(here.gradient @ direction), here.gradient)
            self.previous = start.gradient, rate * direction
            if start.slope > -self.tolerance_change:
                break
            here = self.go(closure, start, direction, rate, i == self.max_iter - 1)
            self.previous = start.gradient, here.step * direction
            if self.evaluations >= self.max_eval or np.abs(self.previous[1]).max() <= self.tolerance_change \
                    or abs(here.value - start.value) < self.tolerance_change:
                break
        return first

    def go(self, closure: Callable[[], Any], start: Trial, direction: np.ndarray, rate: float, last: bool) -> Trial:
        """Move the parameters along the direction, by `rate` or as far as the line search says.

        Without a search, the last move of a step needs no evaluation: the next step begins with one.
        """
        point = self.point()

        def along(step: float) -> Trial:
            self.move(point, step * direction)
            value, gradient = float(closure()), self.gradient()
            self.evaluations += 1
            return Trial(step, value, float(gradient @ direction), gradient)

        if self.line_search_fn is not None:
            end = strong_wolfe(along, start, rate, float(np.abs(direction).max()), self.max_eval - self.evaluations)
            self.move(point, end.step * direction)
            return end
        if last:
            self.move(point, rate * direction)
            return Trial(rate, start.value, start.slope, start.gradient)
        return along(rate)


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
