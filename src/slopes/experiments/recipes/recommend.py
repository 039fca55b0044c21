"""recommend: what a user would think of a thing, from the ratings of others; what tables and a network find beyond biases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ... import data, nn, optim, random
from ...inside.draw import colour
from ...plot import Picture, View, finish, new_figure
from ...tensor import asarray, no_grad
from ...train.fit import fit
from ...train.history import Run
from ...train.mode import Mode
from ...train.progress import Told
from ...zoo.factorization import Recommender
from ..experiment import Setting
from ..study import Findings, Study

STRENGTHS = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0)  # of the baseline's penalty, tried on validation data
BEST = 5  # things recommended to each user


@dataclass
class Forecasts(View):
    """Ratings (N,) with the forecasts of some models, and each trained model's validation error by epoch between two levels."""

    ratings: np.ndarray
    forecasts: dict[str, np.ndarray]
    learning: dict[str, list[float]]
    levels: dict[str, float]

    def draw(self) -> Picture:
        """Forecast over rating for each model, a perfect one on the line; the learning beside them."""
        figure = new_figure(3.4 * (1 + len(self.forecasts)), 3.4)
        *panels, learning = figure.subplots(1, 1 + len(self.forecasts))
        ends = [float(self.ratings.min()), float(self.ratings.max())]
        for axes, (name, forecast) in zip(panels, self.forecasts.items()):
            axes.scatter(self.ratings, forecast, s=3, alpha=0.3, color=colour(0), linewidths=0)
            axes.plot(ends, ends, color="black", linewidth=0.8)
            axes.set(xlim=ends, ylim=ends, xlabel="rating", ylabel="forecast", title=f"{name}: RMSE {rmse(forecast, self.ratings):.3f}")
        for number, (name, errors) in enumerate(self.learning.items()):
            learning.plot(range(1, 1 + len(errors)), errors, color=colour(number), label=name)
        for style, (name, level) in zip(("--", ":"), self.levels.items()):
            learning.axhline(level, color="black", linestyle=style, linewidth=0.8, label=name)
        learning.set_ylim(bottom=0)
        finish(learning, "epoch", "validation RMSE")
        return Picture(figure)


def rmse(forecast: np.ndarray, ratings: np.ndarray) -> float:
    """The root of the mean squared error."""
    return float(np.sqrt(np.mean((forecast.astype(np.float64) - ratings) ** 2)))


def baseline(made: data.RatingSplits) -> Callable[[np.ndarray], np.ndarray]:
    """The model of mean and biases, with the strength of its penalty that suits the validation data best."""
    wanted = made.validation
    assert wanted is not None
    strength = min(STRENGTHS, key=lambda each: rmse(data.bias_only(made.train, wanted.inputs, each), wanted.targets))
    return lambda pairs: data.bias_only(made.train, pairs, strength)


def learned(made: data.RatingSplits, parts: dict[str, Any], values: dict[str, Any], seed: int, tell: Told) -> tuple[Recommender, Run]:
    """A model with these parts (factors, hidden), after its training on squared error."""
    random.seed(seed)
    net = Recommender(made.users, made.items, **parts, mean=float(made.train.targets.mean()))
    return net, fit(net, made.train, loss=nn.mse_loss, optimizer=optim.AdamW(lr=values["rate"], weight_decay=values["decay"]),
                    schedule="cosine", epochs=values["epochs"], batch_size=values["batch"], validation=made.validation, seed=seed,
                    progress=tell)


def forecast(net: Recommender, pairs: np.ndarray) -> np.ndarray:
    """What the net says of pairs (N, 2)."""
    with Mode(net, training=False), no_grad():
        return net(asarray(pairs)).numpy()


def recommended(made: data.RatingSplits, ask: Callable[[np.ndarray], np.ndarray]) -> float:
    """The mean true rating, without noise, of the few things that a model puts first for each user among those not rated yet."""
    pairs = np.stack(np.meshgrid(np.arange(made.users), np.arange(made.items), indexing="ij"), axis=-1).reshape(-1, 2)
    table = ask(pairs).reshape(made.users, made.items).copy()
    table[tuple(made.train.inputs.T)] = -np.inf
    best = np.argsort(-table, axis=1, kind="stable")[:, :BEST]
    return float(np.take_along_axis(made.clear, best, axis=1).mean())


def investigate(values: dict[str, Any], seed: int, tell: Callable[[str], None]) -> Findings:
    """Train tables alone, a network alone, and both; test the one that is best on the validation data, beside the baseline."""
    made = data.ratings(rank=values["rank"], noise=values["noise"], seed=seed)
    assert made.validation is not None and made.test is not None
    hidden = (values["hidden"], max(1, values["hidden"] // 2))
    kinds = {"factors": {"factors": values["factors"], "hidden": ()}, "MLP": {"factors": 0, "hidden": hidden},
             "both": {"factors": values["factors"], "hidden": hidden}}
    models = {kind: learned(made, parts, values, seed, Told(tell, f"{kind}: ")) for kind, parts in kinds.items()}
    errors = {kind: rmse(forecast(net, made.validation.inputs), made.validation.targets) for kind, (net, _) in models.items()}
    chosen = min(errors, key=errors.__getitem__)
    net, run = models[chosen]
    asked = {"biases only": baseline(made), chosen: lambda pairs: forecast(net, pairs)}
    forecasts = {name: ask(made.test.inputs) for name, ask in asked.items()}
    lists = {name: recommended(made, ask) for name, ask in (*asked.items(), ("knowing all", lambda pairs: made.clear[tuple(pairs.T)]))}
    tested = {name: rmse(each, made.test.targets) for name, each in forecasts.items()}
    learning = {kind: [float(np.sqrt(epoch.validation["loss"])) for epoch in each.epochs] for kind, (_, each) in models.items()}
    known = rmse(asked["biases only"](made.validation.inputs), made.validation.targets)
    view = Forecasts(made.test.targets, forecasts, learning, {"biases only": known, "noise": made.noise})
    return Findings({"test RMSE": tested[chosen], "biases only": tested["biases only"], "noise": made.noise,
                     **{f"validation RMSE, {kind}": error for kind, error in errors.items()}},
                    [f"test RMSE {tested[chosen]:.3f} ({chosen}), biases only {tested['biases only']:.3f}, no model below {made.noise:g}",
                     "validation RMSE: " + ", ".join(f"{kind} {error:.3f}" for kind, error in errors.items()),
                     f"true mean rating of {BEST} things recommended to each user: "
                     + ", ".join(f"{name} {value:.2f}" for name, value in lists.items())],
                    {"ratings.png": view.draw, "curve.png": run.plot}, net.state_dict())


recipe = Study(
    name="recommend",
    caption="ratings of users and things, made by a known rule: factors, a network, and both, beside biases only",
    expected="test RMSE below 0.36, where biases only leave more than 1 and the noise is 0.3",
    investigate=investigate,
    sizes={"epochs": Setting(15, "the validation error stays from about the tenth on"),
           "batch": Setting(64, "300 steps an epoch"),
           "factors": Setting(3, "the rule has three; eight learn some of the noise too: 0.35 instead of 0.33"),
           "hidden": Setting(32, "units of the network's first layer, half as many in the second"),
           "decay": Setting(0.02, "of the weights, times the rate; with 0.1 and more the tables stay too small"),
           "rate": Setting(1e-2, "tables bear ten times the usual: a row learns only when its user or thing is seen"),
           "rank": Setting(3, "how many tastes there are in the ratings that are made"),
           "noise": Setting(0.3, "the deviation of what no model can know")},
)
