"""compare: logistic regression, a decision tree and a network on the same data, with pictures of the boundaries."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ... import data, optim
from ...inside import Boundary, boundary
from ...zoo.classifiers import Classifier, DecisionTree, Network, SoftmaxRegression
from ...zoo.networks import mlp
from ..experiment import Setting
from ..points import KINDS, points
from ..study import Findings, Study
from .features import Gallery, network


def models(values: dict[str, Any], seed: int, plane: bool) -> dict[str, Classifier]:
    """The three; for pictures of digits the network has one wide layer."""
    wide = Network(lambda shape, classes: mlp(shape, classes, 64), lambda: optim.Adam(lr=3e-3), seed=seed, epochs=30, batch_size=32)
    return {"regression": SoftmaxRegression(penalty=1e-4 if plane else 1e-3), "tree": DecisionTree(seed=seed),
            "network": network(values, seed) if plane else wide}


def investigate(values: dict[str, Any], seed: int, tell: Callable[[str], None]) -> Findings:
    """Each model on each data set: test accuracy, and seconds to learn."""
    sets: dict[str, tuple[np.ndarray, ...]] = {
        kind: (*points(kind, values["examples"], values["noise"], seed), *points(kind, 1000, values["noise"], seed + 1000))
        for kind in KINDS}
    digits = data.digits()
    sets["digits"] = (digits.train.inputs, digits.train.targets, digits.test.inputs, digits.test.targets)  # type: ignore[union-attr]
    figures, lines, rows = {}, [], []
    for kind, (x, y, new_x, new_y) in sets.items():
        row: list[Boundary] = []
        cells = []
        for name, model in models(values, seed, kind in KINDS).items():
            started = time.perf_counter()
            score = model.fit(x, y).score(new_x, new_y)
            cells.append(f"{name} {score:6.1%} in {time.perf_counter() - started:5.2f} s")
            figures[f"{kind}, {name}"] = score
            if kind in KINDS:
                row.append(boundary(model, x, y, points=150, title=f"{kind}, {name}: {score:.0%}"))
        rows += [row] if row else []
        lines.append(f"{kind:8} " + "   ".join(cells))
        tell(lines[-1])
    worst = {name: min(value for key, value in figures.items() if key.endswith(name)) for name in ("network", "tree", "regression")}
    return Findings({**{f"{name}, worst set": value for name, value in worst.items()}, **figures}, lines,
                    {"boundaries.png": Gallery(rows).draw})


recipe = Study(
    name="compare",
    caption="logistic regression, decision tree and network on the same data, with their boundaries",
    expected="the network 95% or more everywhere and best on digits; the tree near it on the plane, in steps; regression only where a "
             "straight line will do",
    investigate=investigate,
    datasets=("digits",),
    sizes={"examples": Setting(400, "as in the recipe features"), "noise": Setting(0.15, "more than there: a tree that is grown to its end "
                                                                                   "learns it by heart"),
           "hidden": Setting(16, "as in the recipe features"), "rate": Setting(0.01, "as in the recipe features"),
           "epochs": Setting(300, "as in the recipe features")},
)
