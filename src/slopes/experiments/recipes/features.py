"""features: where a linear model fails, given features help if one guesses them, and a network finds its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ... import nn, optim
from ...inside import Boundary, boundary
from ...plot import Picture, View, new_figure
from ...zoo.classifiers import Classifier, LogisticRegression, Network
from ..experiment import Config, Experiment, Learn, Report, Result, Setting
from ..points import KINDS, points


@dataclass
class Gallery(View):
    """Boundaries in rows (data sets) and columns (models)."""

    rows: list[list[Boundary]]

    def draw(self) -> Picture:
        """All of them in one picture."""
        figure = new_figure(2.3 * len(self.rows[0]), 2.4 * len(self.rows))
        for line, row in zip(figure.subplots(len(self.rows), len(self.rows[0]), squeeze=False), self.rows):
            for axes, view in zip(line, row):
                view.draw_on(axes)
                axes.set_xticks([])
                axes.set_yticks([])
        return Picture(figure)


Points = tuple[np.ndarray, np.ndarray]
MODELS = "linear", "squares", "crosses", "polar", "network"


def points_of(config: Config) -> dict[str, tuple[Points, Points]]:
    """Every set of points: examples to learn from, and 1,000 new ones."""
    return {kind: (points(kind, config["examples"], config["noise"], config.seed), points(kind, 1000, config["noise"], config.seed + 1000))
            for kind in KINDS}


def plane_network(config: Config) -> Network:
    """Two hidden layers whose inputs are the coordinates alone."""
    width = config["hidden"]
    return Network(lambda shape, classes: nn.Sequential(nn.Linear(2, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(),
                                                        nn.Linear(width, classes)),
                   lambda: optim.Adam(lr=config["rate"]), seed=config.seed, epochs=config["epochs"], batch_size=32)


def model(config: Config, name: str) -> Classifier:
    """The model of this name."""
    maps = {"linear": None, "squares": nn.Squares(), "crosses": nn.Crosses(), "polar": nn.Polar()}
    return plane_network(config) if name == "network" else LogisticRegression(features=maps[name])


def parts(config: Config) -> list[str]:
    """Every model on every set of points."""
    return [f"{kind}, {name}" for kind in KINDS for name in MODELS]


def training(config: Config, data: dict[str, tuple[Points, Points]], name: str, net: None) -> Learn:
    """One model learns one set."""
    kind, model_name = name.split(", ")
    return Learn(lambda: model(config, model_name).fit(*data[kind][0]))


def report(result: Result[dict[str, tuple[Points, Points]]]) -> Report:
    """The accuracy on new points, and all boundaries."""
    scores: dict[tuple[str, str], float] = {}
    gallery: list[list[Boundary]] = []
    for kind, ((x, y), new) in result.data.items():
        gallery.append([])
        for name in MODELS:
            fitted = result.learned(f"{kind}, {name}")
            scores[kind, name] = fitted.score(*new)
            gallery[-1].append(boundary(fitted, x, y, points=150, title=f"{kind}, {name}: {scores[kind, name]:.0%}"))
    table = [f"{'':8}" + "".join(f"{name:>10}" for name in MODELS),
             *(f"{kind:8}" + "".join(f"{scores[kind, name]:10.1%}" for name in MODELS) for kind in result.data)]
    curved = [kind for kind in result.data if kind != "heaps"]
    return Report({"network, worst set": min(scores[kind, "network"] for kind in result.data),
                   "linear, best of circle, xor, spirals": max(scores[kind, "linear"] for kind in curved),
                   "circle in polar coordinates": scores["circle", "polar"], "xor with crosses": scores["xor", "crosses"]},
                  table, {"boundaries.png": Gallery(gallery).draw})


recipe = Experiment(
    name="features",
    caption="heaps, circle, XOR and spirals: linear models, given features, and features that a network learns",
    expected="the network 97% or more on every set; linear at most 70% on circle, XOR and spirals; polar solves the circle, crosses XOR",
    data=points_of, parts=parts, training=training, report=report,
    settings={"examples": Setting(400, "enough to show the shapes; playgrounds have 200 to 500"),
              "noise": Setting(0.05, "a little, so that boundaries are not perfect"),
              "hidden": Setting(16, "two layers of 16 follow the spirals, two of 8 do not always"),
              "rate": Setting(0.01, "ten times the usual learning rate, for so small a network"),
              "epochs": Setting(300, "the spirals are learned last")},
)
