"""Experiments that train one network to classify images of a known data set, and recognise images of files with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .. import data, nn, optim
from ..inside.confusion import Confusion
from ..plot import mistakes
from ..train.evaluate import evaluate
from ..train.schedule import SCHEDULES
from .answers import likeliest, outputs, probabilities
from .experiment import Config, Experiment, Facts, Fit, LoadedRun, Prediction, Report, Result, Setting
from .image import FRAMES, read_image

DATASETS: dict[str, Callable[[], data.Splits]] = {"digits": data.digits, "mnist": data.mnist, "fashion": data.fashion_mnist}
OPTIMIZERS: dict[str, Callable[[float], Any]] = {
    "sgd": lambda rate: optim.SGD(lr=rate),
    "momentum": lambda rate: optim.SGD(lr=rate, momentum=0.9),
    "adam": lambda rate: optim.Adam(lr=rate),
    "adamw": lambda rate: optim.AdamW(lr=rate),
}
RATES = {"sgd": 0.1, "momentum": 0.02, "adam": 1e-3, "adamw": 1e-3}


@dataclass(frozen=True, kw_only=True)
class Classifier:
    """The parts in which image classifiers differ.

    network(shape, classes, **sizes) -> Module; `sizes` are those of its hyper-parameters; `options` are hyper-parameters from which
    `training` makes further arguments of fit.
    """

    network: Callable[..., nn.Module]
    datasets: tuple[str, ...]
    epochs: Setting
    batch: Setting
    optimizer: Setting
    schedule: Setting
    rates: Mapping[str, float]
    rate_reason: str
    dataset_reason: str
    sizes: Mapping[str, Setting]
    options: Mapping[str, Setting]
    training: Callable[[Config], dict[str, Any]]

    def settings(self) -> dict[str, Setting]:
        """All hyper-parameters by name, in the order in which they are listed."""
        default = self.optimizer.default
        others = ", ".join(f"{rate:g} with {name}" for name, rate in self.rates.items() if name != default)
        return {"dataset": Setting(self.datasets[0], self.dataset_reason, self.datasets), "epochs": self.epochs, "batch": self.batch,
                "optimizer": Setting(default, self.optimizer.reason, tuple(OPTIMIZERS)),
                "rate": Setting(self.rates[default], f"{self.rate_reason}; {others}"),
                "schedule": Setting(self.schedule.default, self.schedule.reason, tuple(SCHEDULES)), **self.sizes, **self.options}

    def build(self, config: Config, facts: Facts, name: str) -> nn.Module:
        """The untrained network for images of a data set."""
        frame = FRAMES[facts["name"]]
        if list(facts["shape"]) != [1, frame.size, frame.size] or not all(isinstance(label, str) for label in facts["classes"]):
            raise ValueError(f"shape {facts['shape']!r:.40}, classes {facts['classes']!r:.40}")
        return self.network(tuple(facts["shape"]), len(facts["classes"]), **{size: config[size] for size in self.sizes})

    def fit(self, config: Config, splits: data.Splits, name: str, net: nn.Module) -> Fit:
        """The training."""
        return Fit(splits.train, splits.validation, optimizer=OPTIMIZERS[config["optimizer"]](config["rate"]), epochs=config["epochs"],
                   batch_size=config["batch"], schedule=config["schedule"], **self.training(config))


def image_classifier(name: str, caption: str, expected: str, *, network: Callable[..., nn.Module], datasets: tuple[str, ...],
                     epochs: Setting, batch: Setting, optimizer: Setting, schedule: Setting, rates: Mapping[str, float] = RATES,
                     rate_reason: str = "the usual first choice for this optimizer",
                     dataset_reason: str = "the data that this network is known for", sizes: Mapping[str, Setting] | None = None,
                     options: Mapping[str, Setting] | None = None,
                     training: Callable[[Config], dict[str, Any]] = lambda config: {}) -> Experiment[data.Splits]:
    """The experiment of an image classifier; the arguments are those of Classifier."""
    parts = Classifier(network=network, datasets=datasets, epochs=epochs, batch=batch, optimizer=optimizer, schedule=schedule,
                       rates=rates, rate_reason=rate_reason, dataset_reason=dataset_reason, sizes=sizes or {}, options=options or {},
                       training=training)
    return Experiment(name=name, caption=caption, expected=expected, settings=parts.settings(), datasets=datasets,
                      dependent={"rate": lambda values: rates[values["optimizer"]]}, data=lambda config: DATASETS[config["dataset"]](),
                      describe=describe, network=parts.build, training=parts.fit, report=report, predict=predict)


def describe(config: Config, splits: data.Splits) -> Facts:
    """Which data set, the shape of its images, and the names of its classes."""
    return {"name": config["dataset"], "shape": list(splits.train.inputs.shape[1:]), "classes": list(splits.train.classes or ())}


def report(result: Result[data.Splits]) -> Report:
    """Accuracy and loss on the test set, the learning curve, and which classes are mistaken for which."""
    test_set = result.data.test
    assert test_set is not None
    test = evaluate(result.run.net, test_set)
    right = int((test.predicted == test.targets).sum())
    return Report({"test accuracy": test["accuracy"], "test loss": test["loss"]},
                  [f"test accuracy {test['accuracy']:.2%} ({right:,} of {len(test.targets):,})"],
                  {**result.curves, "confusion.png": Confusion.counted(test.targets, test.predicted, test_set.classes).draw,
                   "mistakes.png": lambda: mistakes(test, test_set)})


def predict(run: LoadedRun, item: str, top: int) -> Prediction:
    """The likeliest classes of an image file."""
    image = read_image(item, run.facts["name"])
    return Prediction(likeliest(run.facts["classes"], probabilities(outputs(run.net, image[None]))[0], top))
