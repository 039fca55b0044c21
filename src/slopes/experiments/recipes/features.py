"""features: where a linear model fails, given features help if one guesses them, and a network finds its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ... import nn, optim
from ...inside import Boundary, boundary
from ...plot import Picture, View, new_figure
from ...zoo.classifiers import Classifier, LogisticRegression, Network
from ..experiment import Setting
from ..points import KINDS, points
from ..study import Findings, Study


@dataclass
class Gallery(View):
    """Boundaries in rows (data sets) and columns (models)."""

    rows: list[list[Boundary]]

    def draw(self) -> Picture:
        """All of them in one picture."""
        figure = new_figure(2.3 * len(self.rows[0]), 2.4 * len(self.rows))
        for line, row in zip(figure.subplots(len(self.rows), len(self.rows[0]), squeeze=False), self.rows):
            for axes, each in zip(line, row):
                each.draw_on(axes)
                axes.set_xticks([])
                axes.set_yticks([])
        return Picture(figure)


def network(values: dict[str, Any], seed: int) -> Network:
    """Two hidden layers that get nothing but the coordinates."""
    width = values["hidden"]
    return Network(lambda shape, classes: nn.Sequential(nn.Linear(2, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(),
                                                        nn.Linear(width, classes)),
                   lambda: optim.Adam(lr=values["rate"]), seed=seed, epochs=values["epochs"], batch_size=32)


def models(values: dict[str, Any], seed: int) -> dict[str, Classifier]:
    """The models to compare."""
    return {"linear": LogisticRegression(), "squares": LogisticRegression(features=nn.Squares()),
            "crosses": LogisticRegression(features=nn.Crosses()), "polar": LogisticRegression(features=nn.Polar()),
            "network": network(values, seed)}


def investigate(values: dict[str, Any], seed: int, tell: Callable[[str], None]) -> Findings:
    """Every model on every set of points; accuracy on new points."""
    scores: dict[tuple[str, str], float] = {}
    rows: list[list[Boundary]] = []
    for kind in KINDS:
        x, y = points(kind, values["examples"], values["noise"], seed)
        new = points(kind, 1000, values["noise"], seed + 1000)
        rows.append([])
        for name, model in models(values, seed).items():
            scores[kind, name] = model.fit(x, y).score(*new)
            rows[-1].append(boundary(model, x, y, points=150, title=f"{kind}, {name}: {scores[kind, name]:.0%}"))
        tell(f"{kind}: " + ", ".join(f"{name} {scores[kind, name]:.1%}" for name in models(values, seed)))
    names = list(models(values, seed))
    table = [f"{'':8}" + "".join(f"{name:>10}" for name in names),
             *(f"{kind:8}" + "".join(f"{scores[kind, name]:10.1%}" for name in names) for kind in KINDS)]
    curved = [kind for kind in KINDS if kind != "heaps"]
    return Findings({"network, worst set": min(scores[kind, "network"] for kind in KINDS),
                     "linear, best of circle, xor, spirals": max(scores[kind, "linear"] for kind in curved),
                     "circle in polar coordinates": scores["circle", "polar"], "xor with crosses": scores["xor", "crosses"]},
                    table, {"boundaries.png": Gallery(rows).draw})


recipe = Study(
    name="features",
    caption="heaps, circle, XOR and spirals: linear models, given features, and features that a network learns",
    expected="the network 97% or more on every set; linear at most 70% on circle, XOR and spirals; polar solves the circle, crosses XOR",
    investigate=investigate,
    sizes={"examples": Setting(400, "enough to see the shapes; a playground has 200 to 500"),
           "noise": Setting(0.05, "a little, so that borders are not perfect"),
           "hidden": Setting(16, "two layers of 16 wind around the spirals, of 8 not always"),
           "rate": Setting(0.01, "ten times the usual for so small a net"),
           "epochs": Setting(300, "the spirals are the last to be learned")},
)
