"""compare: logistic regression, a decision tree and a network on the same data, with pictures of the boundaries."""

from __future__ import annotations

from ... import data, optim
from ...inside import boundary
from ...zoo.classifiers import Classifier, DecisionTree, Network, SoftmaxRegression
from ...zoo.networks import mlp
from ..experiment import Config, Experiment, Learn, Report, Result, Setting
from ..points import KINDS
from .features import Gallery, Points, plane_network, points_of

MODELS = "regression", "tree", "network"


def sets_of(config: Config) -> dict[str, tuple[Points, Points]]:
    """The sets of points, and the digits: examples to learn from, and new ones."""
    digits = data.digits()
    assert digits.test is not None
    return {**points_of(config), "digits": ((digits.train.inputs, digits.train.targets), (digits.test.inputs, digits.test.targets))}


def model(config: Config, name: str, plane: bool) -> Classifier:
    """The model of this name, for points of the plane or for digits, where the network has one wide layer."""
    if name == "tree":
        return DecisionTree(seed=config.seed)
    if name == "regression":
        return SoftmaxRegression(penalty=1e-4 if plane else 1e-3)
    return plane_network(config) if plane else Network(
        lambda shape, classes: mlp(shape, classes, 64), lambda: optim.Adam(lr=3e-3), seed=config.seed, epochs=30, batch_size=32)


def parts(config: Config) -> list[str]:
    """Every model on every set."""
    return [f"{kind}, {name}" for kind in (*KINDS, "digits") for name in MODELS]


def training(config: Config, data: dict[str, tuple[Points, Points]], name: str, net: None) -> Learn:
    """One model learns one set."""
    kind, model_name = name.split(", ")
    return Learn(lambda: model(config, model_name, kind in KINDS).fit(*data[kind][0]))


def report(result: Result[dict[str, tuple[Points, Points]]]) -> Report:
    """Accuracy on new examples, seconds to learn, and the boundaries on the plane."""
    figures, lines, gallery = {}, [], []
    for kind, ((x, y), new) in result.data.items():
        parts_of = {name: f"{kind}, {name}" for name in MODELS}
        scores = {part: result.learned(part).score(*new) for part in parts_of.values()}
        figures.update(scores)
        lines.append(f"{kind:8} " + "   ".join(f"{name} {scores[part]:6.1%} in {result.runs[part].history.seconds:5.2f} s"
                                               for name, part in parts_of.items()))
        if kind in KINDS:
            gallery.append([boundary(result.learned(part), x, y, points=150, title=f"{part}: {score:.0%}")
                            for part, score in scores.items()])
    worst = {name: min(value for key, value in figures.items() if key.endswith(name)) for name in ("network", "tree", "regression")}
    return Report({**{f"{name}, worst set": value for name, value in worst.items()}, **figures}, lines,
                  {"boundaries.png": Gallery(gallery).draw})


recipe = Experiment(
    name="compare",
    caption="logistic regression, decision tree and network on the same data, with their boundaries",
    expected="the network 95% or more everywhere and best on digits; the tree close to it on the plane, in steps; regression only where "
             "a straight line separates the classes",
    data=sets_of, parts=parts, training=training, report=report,
    datasets=("digits",),
    settings={"examples": Setting(400, "as in the recipe features"),
              "noise": Setting(0.15, "more than there: a fully grown tree overfits it"),
              "hidden": Setting(16, "as in the recipe features"), "rate": Setting(0.01, "as in the recipe features"),
              "epochs": Setting(300, "as in the recipe features")},
)
