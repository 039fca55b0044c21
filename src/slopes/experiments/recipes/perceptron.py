"""perceptron: Rosenblatt's learning rule on 0 against 1, which a plane separates, and on XOR, which none does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ... import data, optim
from ...data.loaders.order import order
from ...inside import boundary, filters
from ...nn import Linear
from ...zoo.classifiers import Network, Perceptron
from ...zoo.networks import mlp
from ..experiment import Setting
from ..study import Findings, Study

CORNERS, EXCLUSIVE = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32), np.array([0, 1, 1, 0])


def investigate(values: dict[str, Any], seed: int, tell: Callable[[str], None]) -> Findings:
    """Learn both; show that a hidden layer solves what the perceptron cannot."""
    digits = data.mnist()
    train, test = (each.subset(each.targets <= 1) for each in (digits.train, digits.test))  # type: ignore[union-attr]
    mixed = order(seed, 0, len(train))  # the rule depends on the order of examples: the seed decides it
    model = Perceptron(values["passes"]).fit(train.inputs[mixed], train.targets[mixed])
    accuracy = model.score(test.inputs, test.targets)
    tell(f"0 against 1: {model.report}")
    alone = Perceptron(values["passes"]).fit(CORNERS, EXCLUSIVE)
    tell(f"XOR: {alone.report}")
    layered = Network(lambda shape, classes: mlp(shape, classes, values["hidden"]), lambda: optim.Adam(lr=0.03), seed=seed, epochs=200)
    solved = layered.fit(CORNERS, EXCLUSIVE).score(CORNERS, EXCLUSIVE)
    shown = Linear(784, 1)
    shown.weight.assign(model.weights[None].astype(np.float32))
    return Findings(
        {"test accuracy, 0 against 1": accuracy, "XOR converged": float(alone.converged), "XOR right with a hidden layer": solved},
        [f"MNIST, 0 against 1: {model.report}", f"test accuracy {accuracy:.2%} of {len(test)} images",
         f"XOR, perceptron: {alone.report}", f"XOR, hidden layer of {values['hidden']}: {solved:.0%} of the corners right"],
        {"weights.png": filters(shown, shown, (1, 28, 28)).draw,
         "xor-perceptron.png": boundary(alone, CORNERS, EXCLUSIVE, margin=0.5, title="XOR, perceptron").draw,
         "xor-network.png": boundary(layered, CORNERS, EXCLUSIVE, margin=0.5, title="XOR, one hidden layer").draw})


recipe = Study(
    name="perceptron",
    caption="Rosenblatt's learning rule: MNIST's 0 against 1, and XOR, where it says that it cannot",
    expected="at least 99.5% on the test set's 0 and 1; XOR: did not converge; with a hidden layer all four corners",
    investigate=investigate,
    datasets=("mnist",),
    sizes={"passes": Setting(200, "0 against 1 needs 10 to 20 passes; what has not converged after 200 hardly will"),
           "hidden": Setting(16, "XOR needs 2 units, with which some starts fail; from 16 all do not")},
)
