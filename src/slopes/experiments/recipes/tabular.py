"""tabular: who earns much, how a wine tastes, what a house costs; a network of dense layers beside scikit-learn's on the same rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ... import data, nn, optim, random
from ...data.sets.tabular import TableSplits
from ...errors import MissingExtraError
from ...extras import require
from ...inside.confusion import Confusion
from ...inside.draw import colour
from ...plot import Picture, View, new_figure
from ...tensor import asarray, no_grad
from ...train.fit import fit
from ...train.history import Run
from ...train.mode import Mode
from ...train.progress import Told
from ...train.stopping import EarlyStopping
from ..experiment import Setting
from ..study import Findings, Study

TABLES: dict[str, Callable[[], TableSplits]] = {
    "adult": data.adult, "wine-quality": data.wine_quality, "california-housing": data.california_housing}


@dataclass
class Answer(View):
    """What the network says of the test rows of a table; its score and those of scikit-learn's: accuracies, or errors of numbers."""

    name: str
    targets: np.ndarray
    predicted: np.ndarray
    classes: tuple[str, ...] | None
    beside: dict[str, float] = field(default_factory=dict)

    @property
    def measure(self) -> str:
        """What the scores are."""
        return "error" if self.classes is None else "accuracy"

    def score(self, predicted: np.ndarray) -> float:
        """The share that is right; of numbers, the root of the mean square of what they are off by."""
        return float(np.sqrt(np.mean((predicted - self.targets) ** 2)) if self.classes is None else np.mean(predicted == self.targets))

    def ratio(self) -> float:
        """The network's error (of classes, the share that is wrong) over the smallest of scikit-learn's."""
        wrong = [each if self.classes is None else 1 - each for each in (self.score(self.predicted), *self.beside.values())]
        return wrong[0] / min(wrong[1:])

    def draw(self) -> Picture:
        """The classes that were confused; or numbers, told over true."""
        if self.classes is not None:
            return Confusion.counted(self.targets, self.predicted, self.classes).draw()
        figure = new_figure(4.2, 4)
        axes = figure.subplots()
        axes.scatter(self.targets, self.predicted, s=3, alpha=0.25, color=colour(0), linewidths=0)
        axes.axline((self.targets.mean(),) * 2, slope=1, color="black", linewidth=0.8)
        axes.set_xlabel("true")
        axes.set_ylabel("told")
        axes.set_title(f"{self.name}: error {self.score(self.predicted):.3f}", fontsize="medium")
        return Picture(figure)


def network(inputs: np.ndarray, outputs: int, values: dict[str, Any]) -> nn.Module:
    """Bins of the numbers, then dense layers with dropout."""
    bins = nn.Bins(inputs, values["bins"])
    parts: list[nn.Module] = [bins]
    for width in (bins.outputs, *[values["width"]] * (values["layers"] - 1)):
        parts += [nn.Linear(width, values["width"]), nn.ReLU(), nn.Dropout(values["dropout"])]
    return nn.Sequential(*parts, nn.Linear(values["width"], outputs))


def learned(name: str, values: dict[str, Any], seed: int, tell: Callable[[str], None]) -> tuple[nn.Module, Run, Answer]:
    """The network that learned a table, its run, and what it says of the test rows; numbers are learned on the scale of the training."""
    splits = TABLES[name]()
    train, test, classes = splits.train, splits.test, splits.classes
    assert test is not None and splits.validation is not None
    mean, std = (0.0, 1.0) if classes else (train.targets.mean(), train.targets.std())

    def scaled(part: data.Dataset) -> data.Dataset:
        return part if classes else data.Dataset(part.inputs, ((part.targets - mean) / std)[:, None])

    random.seed(seed)
    net = network(train.inputs, len(classes) if classes else 1, values)
    epochs = max(1, round(values["steps"] * values["batch"] / len(train)))
    run = fit(net, scaled(train), loss=nn.cross_entropy if classes else nn.mse_loss, optimizer=optim.AdamW(lr=values["rate"]),
              schedule="cosine", epochs=epochs, batch_size=values["batch"], validation=scaled(splits.validation), seed=seed,
              callbacks=[EarlyStopping(epochs)], progress=Told(tell, f"{name}: "))
    with Mode(net, training=False), no_grad():
        outputs = net(asarray(test.inputs)).numpy()
    answer = Answer(name, test.targets, outputs.argmax(axis=1) if classes else outputs[:, 0] * std + mean, classes)
    for label, model in peers(bool(classes), values, seed).items():
        answer.beside[label] = answer.score(taught(model, splits).predict(test.inputs))
        tell(f"{name}: scikit-learn {label}: {answer.measure} {answer.beside[label]:.4f}")
    return net, run, answer


def peers(classify: bool, values: dict[str, Any], seed: int) -> dict[str, Any]:
    """scikit-learn's networks: as they come, and with the layers of ours, stopped early; none without scikit-learn."""
    try:
        models = require("sklearn.neural_network", extra="sklearn", purpose="the comparison")
    except MissingExtraError:
        return {}
    make = models.MLPClassifier if classify else models.MLPRegressor
    same = (values["width"],) * values["layers"]
    return {"as it comes": make(random_state=seed),
            "stopped early": make(hidden_layer_sizes=same, early_stopping=True, random_state=seed)}


def taught(model: Any, splits: TableSplits) -> Any:
    """A model of scikit-learn that learned from the rows of training and validation; it holds some out by itself to stop early."""
    parts = [part for part in (splits.train, splits.validation) if part is not None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 200 passes are scikit-learn's own limit, of which it warns
        return model.fit(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("inputs", "targets")))


def investigate(values: dict[str, Any], seed: int, tell: Callable[[str], None]) -> Findings:
    """A network for each table, beside scikit-learn's if it is there."""
    names = tuple(TABLES) if values["table"] == "all" else (values["table"],)
    found = {name: learned(name, values, seed, tell) for name in names}
    answers = [answer for _, _, answer in found.values()]
    lines = [f"{each.name:20}{each.measure:10}{each.score(each.predicted):7.4f}" + "".join(
        f"   scikit-learn {label} {score:.4f}" for label, score in each.beside.items()) for each in answers]
    compared = all(each.beside for each in answers)
    return Findings(
        {**({"error / scikit-learn's, worst table": max(each.ratio() for each in answers)} if compared else {}),
         **{f"{each.name} {each.measure}": each.score(each.predicted) for each in answers},
         **{f"{each.name} {each.measure}, scikit-learn {label}": score for each in answers for label, score in each.beside.items()}},
        lines + ([] if compared else ["not compared with scikit-learn, which is not installed: pip install 'slopes[sklearn]'"]),
        {**{f"{name}.png": answer.draw for name, (_, _, answer) in found.items()},
         **{f"curve-{name}.png": run.plot for name, (_, run, _) in found.items()}},
        {f"{name}.{path}": array for name, (net, _, _) in found.items() for path, array in net.state_dict().items()})


recipe = Study(
    name="tabular",
    caption="adult, wine quality, California housing: dense layers over binned numbers and coded words, beside scikit-learn's MLP",
    expected="a smaller error than scikit-learn's MLP on the same rows for each table, both as it comes and with these layers",
    investigate=investigate,
    datasets=tuple(TABLES),
    sizes={"table": Setting("all", "one network for each", ("all", *TABLES)),
           "bins": Setting(24, "at most, of each column of numbers: 86.1 instead of 85.3% of census rows are right in validation"),
           "layers": Setting(3, "for wine better than two in validation, for the others as good"),
           "width": Setting(256, "units of each layer; dropout asks for more of them than one would need without"),
           "dropout": Setting(0.4, "census rows ask for 0.5, wines for 0.1: a middle that costs each a little"),
           "steps": Setting(3000, "for each table; the weights of the epoch with the lowest validation loss are kept"),
           "batch": Setting(256, "rows: 117 steps are a pass over the census, 18 one over the wines"),
           "rate": Setting(2e-3, "twice the usual, with a cosine down to 0")},
)
