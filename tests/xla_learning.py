"""Every layer, loss and optimizer of the tables, on XLA and eagerly: values, gradients and second derivatives agree.

    python -m tests.xla_learning [WORD...]     those whose text contains one of the words; by default all: about ten minutes

Results of a loss are its value, its gradient by the outputs, and the gradient of that one's
squared norm; those of a layer are the derivatives, by its parameters, of the squared norm of its gradient by inputs. Optimizers take four
steps.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")
sys.path.insert(0, str(Path(__file__).parent))

import learning_parts as parts

import slopes as sl
from slopes import nn, optim

Results = dict[str, Any]
Case = tuple[str, Callable[[], tuple[Callable[..., Results], tuple[Any, ...]]]]  # what it is, and what makes the function and its arguments
AT_ONCE = 6  # cases in one program
CLOSE = 2e-4  # relative, and absolute for values around 1: rounding of the second derivatives of float32
SATURATED = {"cross_entropy(x * 1000, t)": 8.0}  # absolute: there the second derivative is a difference of terms around 4e7, which is 0


def main() -> None:
    """Compare all cases; ends with the texts of those that differ."""
    words, different, total = sys.argv[1:], [], 0
    cases = [case for case in all_cases() if not words or any(word in case[0] for word in words)]
    for start in range(0, len(cases), AT_ONCE):
        group = cases[start:start + AT_ONCE]
        different += compare(group)
        total += len(group)
        print(f"{total} of {len(cases)}: {group[-1][0]}{f'; {len(different)} differ' if different else ''}", flush=True)
    sys.exit("differ: " + "; ".join(different) if different else 0)


def all_cases() -> Iterator[Case]:
    """All layers, losses and optimizers."""
    layers = {**parts.LAYERS, **parts.VARIANTS, **parts.OWN_LAYERS}
    yield from ((text, lambda text=text, shape=shape: layer(text, sl.tensor(parts.numbers(text, shape)))) for text, shape in layers.items())
    yield from ((text, lambda text=text, shape=shape, below=below: layer(text, sl.tensor(parts.indices(text, shape, below))))
                for text, (shape, below) in parts.INTEGER_LAYERS.items())
    losses = {**parts.LOSSES, **parts.OWN_LOSSES}
    yield from ((text, lambda text=text, shape=shape, kind=kind: loss(text, shape, kind)) for text, (shape, kind) in losses.items())
    yield from ((text, lambda text=text: optimizer(text)) for text in (*parts.OPTIMIZERS, *parts.OWN_OPTIMIZERS))


def compare(cases: list[Case]) -> list[str]:
    """The texts of the cases that differ; all are one program."""
    results = []
    for compiled in (True, False):
        sl.seed(7)
        made = [make() for _, make in cases]

        def run(args: Any, made: Any = made) -> list[Results]:
            return [function(*own) for (function, _), own in zip(made, args)]

        sl.seed(3)
        step = sl.compile(run, backend="xla") if compiled else run
        results.append(step([args for _, args in made]))
    return [f"{text} ({', '.join(names)})" for (text, _), ours, eager in zip(cases, *results)
            if (names := differing(ours, eager, SATURATED.get(text, CLOSE)))]


def differing(ours: Results, eager: Results, tolerance: float) -> list[str]:
    """The names of the values that are apart; the absolute tolerance is that of second derivatives of losses."""
    return [name for name, value in eager.items()
            if not np.allclose(ours[name].numpy(), value.detach().numpy(), rtol=CLOSE, atol=tolerance if name == "second" else CLOSE,
                               equal_nan=True)]


def layer(text: str, x: sl.Tensor) -> tuple[Callable[..., Results], tuple[Any, ...]]:
    """Outputs of a layer, its gradient by its input, and the gradients of both and of their squares by its parameters."""
    net = parts.make(nn, text)

    def weighted(y: Any) -> Any:
        return (y * sl.asarray(parts.numbers(text + "weights", y.shape))).sum()

    def function(x: Any) -> Results:
        net.zero_grad()
        y = net(x)
        results = {"output": y}
        total = weighted(y) if y.dtype.kind == "f" else None
        if x.dtype.kind == "f" and total is not None:
            results["by input"] = gradient = sl.grad(lambda v: weighted(net(v)))(x)
            total = total + (gradient * gradient).sum()
        if total is not None and total.requires_grad:
            total.backward()
        return results | {name: p.grad for name, p in net.named_parameters() if p.grad is not None}

    return function, (x,)


def loss(text: str, shape: tuple[int, ...], kind: str) -> tuple[Callable[..., Results], tuple[Any, ...]]:
    """A loss, its gradient by the outputs, and the gradient of that one's squared norm."""
    targets = sl.tensor(parts.targets(text, shape, kind))
    weights = {"w": sl.tensor(parts.weights(text, shape[1] if len(shape) > 1 else 1)), "w3": sl.tensor(parts.weights(text, 3))}

    def value(x: Any, t: Any) -> Any:
        return sl.sum(parts.call(nn, text, x=x, t=t, **weights))

    def function(x: Any, t: Any) -> Results:
        first = sl.grad(value)
        return {"loss": value(x, t), "gradient": first(x, t), "second": sl.grad(lambda x: (first(x, t) ** 2).sum())(x)}

    return function, (sl.tensor(parts.numbers(text, shape)), targets)


def optimizer(text: str) -> tuple[Callable[..., Results], tuple[Any, ...]]:
    """Parameters after four steps in one program."""
    named = {"w": sl.Parameter(parts.numbers("w", (5, 3))), "b": sl.Parameter(parts.numbers("b", (3,)))}
    rule = parts.optimizer(optim, text, named)

    def function(*batches: Any) -> Results:
        for x in batches:
            value = ((x @ named["w"]).tanh() + named["b"]).sum(axis=1)
            rule.zero_grad()
            (value * value).mean().backward()
            rule.step()
        return {name: p * 1 for name, p in named.items()}

    return function, tuple(sl.tensor(parts.numbers(f"x{i}", (7, 5))) for i in range(4))


if __name__ == "__main__":
    main()
