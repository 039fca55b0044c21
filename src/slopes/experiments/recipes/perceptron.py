"""perceptron: Rosenblatt's learning rule on 0 against 1, which a plane separates, and on XOR, which none does."""

from __future__ import annotations

import numpy as np

from ... import data, nn, optim
from ...data.loaders.dataset import Dataset
from ...data.loaders.order import order
from ...inside import boundary, filters
from ...train.evaluate import evaluate
from ...zoo.classifiers import Perceptron
from ...zoo.networks import mlp
from ..answers import outputs
from ..experiment import Config, Experiment, Facts, Fit, Learn, LoadedRun, Part, Prediction, Report, Result, Setting
from ..image import read_image

CORNERS, EXCLUSIVE = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32), np.array([0, 1, 1, 0])


DIGITS, XOR, XOR_NETWORK = "digits", "xor", "xor-network"


def zeros_and_ones(config: Config) -> tuple[Dataset, Dataset]:
    """MNIST's images of 0 and 1 to learn from, in the order of the seed, which the rule depends on; and those to test with."""
    digits = data.mnist()
    assert digits.test is not None
    train, test = (part.subset(part.targets <= 1) for part in (digits.train, digits.test))
    return train.subset(order(config.seed, 0, len(train))), test


def network(config: Config, facts: Facts, name: str) -> nn.Module:
    """A perceptron is one dense layer: its output is at least 0 for class 1; a hidden layer solves XOR."""
    if name == XOR_NETWORK:
        return mlp((2,), 2, config["hidden"])
    return nn.Sequential(nn.Flatten(), nn.Linear(facts["pixels"] if name == DIGITS else 2, 1))


def training(config: Config, data: tuple[Dataset, Dataset], name: str, net: nn.Sequential) -> Part:
    """Rosenblatt's rule; the hidden layer is trained by gradients."""
    if name == XOR_NETWORK:
        return Fit(Dataset(CORNERS, EXCLUSIVE), optimizer=optim.Adam(lr=0.03), epochs=200)
    x, y = (data[0].inputs, data[0].targets) if name == DIGITS else (CORNERS, EXCLUSIVE)

    def learn() -> Perceptron:
        model = Perceptron(config["passes"]).fit(x, y)
        net[1].weight.assign(model.weights[None].astype(np.float32))
        net[1].bias.assign(np.array([model.bias], np.float32))
        return model

    return Learn(learn)


def report(result: Result[tuple[Dataset, Dataset]]) -> Report:
    """The accuracy on test images; XOR, which the perceptron cannot learn and a hidden layer can."""
    test, model, alone, layered = result.data[1], result.learned(DIGITS), result.learned(XOR), result.networks[XOR_NETWORK]
    accuracy, solved = model.score(test.inputs, test.targets), evaluate(layered, Dataset(CORNERS, EXCLUSIVE))["accuracy"]
    net = result.networks[DIGITS]
    return Report(
        {"test accuracy, 0 against 1": accuracy, "XOR converged": float(alone.converged), "XOR right with a hidden layer": solved},
        [f"MNIST, 0 against 1: {model.report}", f"test accuracy {accuracy:.2%} of {len(test)} images", f"XOR, perceptron: {alone.report}",
         f"XOR, hidden layer of {result.config['hidden']}: {solved:.0%} of the corners right"],
        {"weights.png": filters(net, net[1], test.inputs.shape[1:]).draw,
         "xor-perceptron.png": boundary(alone, CORNERS, EXCLUSIVE, margin=0.5, title="XOR, perceptron").draw,
         "xor-network.png": boundary(layered, CORNERS, EXCLUSIVE, margin=0.5, title="XOR, one hidden layer").draw})


def predict(run: LoadedRun, item: str, top: int) -> Prediction:
    """0 or 1, by the side of the plane that an image lies on."""
    return Prediction("1" if outputs(run.networks[DIGITS], read_image(item, "mnist")[None])[0, 0] >= 0 else "0")


recipe = Experiment(
    name="perceptron",
    caption="Rosenblatt's learning rule: MNIST's 0 against 1, and XOR, which it reports that it cannot learn",
    expected="at least 99.5% on the test set's 0 and 1; XOR: did not converge; with a hidden layer all four corners",
    data=zeros_and_ones, describe=lambda config, data: {"pixels": data[0].inputs[0].size}, parts=lambda config: (DIGITS, XOR, XOR_NETWORK),
    network=network, training=training, report=report, predict=predict,
    datasets=("mnist",),
    settings={"passes": Setting(200, "0 against 1 needs 10 to 20 passes; what has not converged after 200 rarely does"),
              "hidden": Setting(16, "XOR needs 2 units, with which some initial weights fail; with 16 none did")},
)
