"""tabular: who earns much, how a wine tastes, what a house costs; a network of dense layers beside scikit-learn's on the same rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ... import data, nn, optim
from ...data.sets.tabular import TableCode, TableSplits
from ...errors import DataError, MissingExtraError
from ...extras import require
from ...files.csvfile import load_csv
from ...files.table import Table
from ...inside.confusion import Confusion
from ...inside.draw import colour
from ...nn.features import bin_edges
from ...plot import Picture, View, new_figure
from ...train.stopping import EarlyStopping
from ..answers import likeliest, outputs, probabilities
from ..experiment import Config, Experiment, Facts, Fit, LoadedRun, Prediction, Report, Result, Setting

TABLES: dict[str, Callable[[], TableSplits]] = {
    "adult": data.adult, "wine-quality": data.wine_quality, "california-housing": data.california_housing}


@dataclass
class Answer(View):
    """The network's predictions of the test rows of a table; its score and those of scikit-learn's: accuracies, or errors of numbers."""

    name: str
    targets: np.ndarray
    predicted: np.ndarray
    classes: tuple[str, ...] | None
    beside: dict[str, float] = field(default_factory=dict)

    @property
    def measure(self) -> str:
        """What the scores measure."""
        return "error" if self.classes is None else "accuracy"

    def score(self, predicted: np.ndarray) -> float:
        """The share that is right; of numbers, the root of the mean square of what they are off by."""
        return float(np.sqrt(np.mean((predicted - self.targets) ** 2)) if self.classes is None else np.mean(predicted == self.targets))

    def ratio(self) -> float:
        """The network's error (of classes, the share that is wrong) over the smallest of scikit-learn's."""
        wrong = [value if self.classes is None else 1 - value for value in (self.score(self.predicted), *self.beside.values())]
        return wrong[0] / min(wrong[1:])

    def draw(self) -> Picture:
        """The confusion of classes; or predicted numbers over true ones."""
        if self.classes is not None:
            return Confusion.counted(self.targets, self.predicted, self.classes).draw()
        figure = new_figure(4.2, 4)
        axes = figure.subplots()
        axes.scatter(self.targets, self.predicted, s=3, alpha=0.25, color=colour(0), linewidths=0)
        axes.axline((self.targets.mean(),) * 2, slope=1, color="black", linewidth=0.8)
        axes.set_xlabel("true")
        axes.set_ylabel("predicted")
        axes.set_title(f"{self.name}: error {self.score(self.predicted):.3f}", fontsize="medium")
        return Picture(figure)


def names(config: Config) -> tuple[str, ...]:
    """A network for each table asked for."""
    return tuple(TABLES) if config["table"] == "all" else (config["table"],)


def splits_of(config: Config) -> dict[str, TableSplits]:
    """The coded rows of each table."""
    return {name: TABLES[name]() for name in names(config)}


def describe(config: Config, tables: dict[str, TableSplits]) -> Facts:
    """Of each table: how rows are coded, the edges of the bins, its classes or the scale of its targets."""
    return {name: {"code": splits.code.facts(), "classes": list(splits.classes or ()), **scale_of(splits),
                   "edges": [bin_edges(column, config["bins"]).tolist() for column in splits.train.inputs.T]}
            for name, splits in tables.items()}


def scale_of(splits: TableSplits) -> dict[str, float]:
    """Mean and deviation of numeric targets, which are learned on this scale."""
    targets = splits.train.targets
    return {"mean": 0.0, "std": 1.0} if splits.classes else {"mean": float(targets.mean()), "std": float(targets.std())}


def network(config: Config, facts: Facts, name: str) -> nn.Module:
    """Bins of the numbers, then dense layers with dropout."""
    bins = nn.Bins.from_edges(facts[name]["edges"])
    layers: list[nn.Module] = [bins]
    for width in (bins.outputs, *[config["width"]] * (config["layers"] - 1)):
        layers += [nn.Linear(width, config["width"]), nn.ReLU(), nn.Dropout(config["dropout"])]
    return nn.Sequential(*layers, nn.Linear(config["width"], max(1, len(facts[name]["classes"]))))


def training(config: Config, tables: dict[str, TableSplits], name: str, net: nn.Module) -> Fit:
    """The training; the weights of the epoch with the lowest validation loss are kept."""
    splits, scale = tables[name], scale_of(tables[name])
    assert splits.validation is not None

    def scaled(part: data.Dataset) -> data.Dataset:
        return part if splits.classes else data.Dataset(part.inputs, ((part.targets - scale["mean"]) / scale["std"])[:, None])

    epochs = max(1, round(config["steps"] * config["batch"] / len(splits.train)))
    return Fit(scaled(splits.train), scaled(splits.validation), loss=nn.cross_entropy if splits.classes else nn.mse_loss,
               optimizer=optim.AdamW(lr=config["rate"]), schedule="cosine", epochs=epochs, batch_size=config["batch"],
               callbacks=[EarlyStopping(epochs)])


def answer_of(name: str, splits: TableSplits, net: nn.Module, config: Config) -> Answer:
    """The network's predictions of the test rows, beside the scores of scikit-learn's networks."""
    test, scale = splits.test, scale_of(splits)
    assert test is not None
    y = outputs(net, test.inputs)
    answer = Answer(name, test.targets, y.argmax(axis=1) if splits.classes else y[:, 0] * scale["std"] + scale["mean"], splits.classes)
    for label, model in peers(bool(splits.classes), config).items():
        answer.beside[label] = answer.score(fitted(model, splits).predict(test.inputs))
        config.log(f"{name}: scikit-learn {label}: {answer.measure} {answer.beside[label]:.4f}")
    return answer


def peers(classify: bool, config: Config) -> dict[str, Any]:
    """scikit-learn's networks: with their defaults, and with the layers of ours and early stopping; none without scikit-learn."""
    try:
        models = require("sklearn.neural_network", extra="sklearn", purpose="the comparison")
    except MissingExtraError:
        return {}
    make = models.MLPClassifier if classify else models.MLPRegressor
    same = (config["width"],) * config["layers"]
    return {"defaults": make(random_state=config.seed),
            "stopped early": make(hidden_layer_sizes=same, early_stopping=True, random_state=config.seed)}


def fitted(model: Any, splits: TableSplits) -> Any:
    """A model of scikit-learn, fitted to the rows of training and validation; it holds some out itself to stop early."""
    parts = [part for part in (splits.train, splits.validation) if part is not None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 200 epochs are scikit-learn's own limit, of which it warns
        return model.fit(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("inputs", "targets")))


def report(result: Result[dict[str, TableSplits]]) -> Report:
    """The scores on the test rows of each table, beside scikit-learn's if it is installed."""
    answers = [answer_of(name, splits, result.networks[name], result.config) for name, splits in result.data.items()]
    lines = [f"{answer.name:20}{answer.measure:10}{answer.score(answer.predicted):7.4f}" + "".join(
        f"   scikit-learn {label} {score:.4f}" for label, score in answer.beside.items()) for answer in answers]
    compared = all(answer.beside for answer in answers)
    return Report(
        {**({"error / scikit-learn's, worst table": max(answer.ratio() for answer in answers)} if compared else {}),
         **{f"{answer.name} {answer.measure}": answer.score(answer.predicted) for answer in answers},
         **{f"{answer.name} {answer.measure}, scikit-learn {label}": score
            for answer in answers for label, score in answer.beside.items()}},
        lines + ([] if compared else ["not compared with scikit-learn, which is not installed: pip install 'slopes[sklearn]'"]),
        {**{f"{answer.name}.png": answer.draw for answer in answers}, **result.curves})


def predict(run: LoadedRun, item: str, top: int) -> Prediction:
    """The class or number of each row of a CSV file, by the network of the table that has its columns."""
    codes = {name: TableCode.from_facts(run.facts[name]["code"]) for name in run.networks}
    name = table_of(item, codes)
    facts, code = run.facts[name], codes[name]
    words = [column for column in code.names if column not in code.numbers]
    y = outputs(run.networks[name], code(load_csv(item, words=words, numbers=code.numbers)))
    rows = [likeliest(facts["classes"], shares, top) for shares in probabilities(y)] if facts["classes"] else [
        f"{value:.4g}" for value in y[:, 0] * facts["std"] + facts["mean"]]
    return Prediction(f"{name}\n" + "\n".join(f"  row {i}: {row}" for i, row in enumerate(rows, 1)))


def table_of(path: str, codes: dict[str, TableCode]) -> str:
    """The table whose columns a CSV file has."""
    table: Table = load_csv(path)
    for name, code in codes.items():
        if set(code.names) <= set(table.names):
            return name
    name, code = next(iter(codes.items()))
    lacking = [column for column in code.names if column not in table.names]
    raise DataError(f"{path}: its columns are those of no table of this run", why=f"for {name} it lacks {', '.join(lacking)}",
                    repair="name the columns in the file's first line", where="")


recipe = Experiment(
    name="tabular",
    caption="adult, wine quality, California housing: dense layers over binned numbers and coded words, beside scikit-learn's MLP",
    expected="a smaller error than scikit-learn's MLP on the same rows for each table, both with its defaults and with these layers",
    data=splits_of, describe=describe, parts=names, network=network, training=training, report=report, predict=predict,
    takes="ROWS.csv",
    datasets=tuple(TABLES),
    settings={"table": Setting("all", "one network for each", ("all", *TABLES)),
              "bins": Setting(24, "at most, of each column of numbers: validation accuracy 86.1 instead of 85.3% on the census"),
              "layers": Setting(3, "better than two on the wines' validation data, as good on the others", search=(2, 3, 4)),
              "width": Setting(256, "units of each layer; with dropout more of them are needed than without", search=(128, 256, 512)),
              "dropout": Setting(0.4, "the census is best with 0.5, the wines with 0.1: a compromise that costs each a little"),
              "steps": Setting(3000, "for each table; the weights of the epoch with the lowest validation loss are kept"),
              "batch": Setting(256, "rows: an epoch is 117 steps for the census, 18 for the wines"),
              "rate": Setting(2e-3, "twice the usual learning rate, with a cosine down to 0")},
)
