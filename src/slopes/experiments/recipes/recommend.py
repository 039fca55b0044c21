"""recommend: what a user would think of a thing, from the ratings of others; what tables and a network find beyond biases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ... import data, nn, optim
from ...errors import DataError
from ...inside.draw import colour
from ...plot import Picture, View, finish, new_figure
from ...zoo.factorization import Recommender
from ..answers import outputs
from ..experiment import Config, Experiment, Facts, Fit, LoadedRun, Prediction, Report, Result, Setting

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
        for i, (name, errors) in enumerate(self.learning.items()):
            learning.plot(range(1, 1 + len(errors)), errors, color=colour(i), label=name)
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
    validation = made.validation
    assert validation is not None
    strength = min(STRENGTHS, key=lambda penalty: rmse(data.bias_only(made.train, validation.inputs, penalty), validation.targets))
    return lambda pairs: data.bias_only(made.train, pairs, strength)


def ratings_of(config: Config) -> data.RatingSplits:
    """The ratings, which are a function of the seed."""
    return data.ratings(rank=config["rank"], noise=config["noise"], seed=config.seed)


def describe(config: Config, made: data.RatingSplits) -> Facts:
    """How many users and things there are, and the mean rating."""
    return {"users": made.users, "items": made.items, "mean": float(made.train.targets.mean())}


def network(config: Config, facts: Facts, name: str) -> Recommender:
    """Factors alone, a network alone, or both."""
    hidden = () if name == "factors" else (config["hidden"], max(1, config["hidden"] // 2))
    return Recommender(facts["users"], facts["items"], 0 if name == "MLP" else config["factors"], hidden, mean=facts["mean"])


def training(config: Config, made: data.RatingSplits, name: str, net: Recommender) -> Fit:
    """The squared error, with decay of the weights."""
    return Fit(made.train, made.validation, loss=nn.mse_loss, optimizer=optim.AdamW(lr=config["rate"], weight_decay=config["decay"]),
               schedule="cosine", epochs=config["epochs"], batch_size=config["batch"])


def grid(made: data.RatingSplits) -> np.ndarray:
    """All pairs of a user and a thing, (users * items, 2)."""
    return np.stack(np.meshgrid(np.arange(made.users), np.arange(made.items), indexing="ij"), axis=-1).reshape(-1, 2)


def ranked(made: data.RatingSplits, ask: Callable[[np.ndarray], np.ndarray], count: int) -> tuple[np.ndarray, np.ndarray]:
    """The `count` things that a model puts first for each user among those not rated yet, (users, count), and all its ratings."""
    table = ask(grid(made)).reshape(made.users, made.items).copy()
    table[tuple(made.train.inputs.T)] = -np.inf
    return np.argsort(-table, axis=1, kind="stable")[:, :count], table


def recommended(made: data.RatingSplits, ask: Callable[[np.ndarray], np.ndarray]) -> float:
    """The mean true rating, without noise, of the few things that a model puts first for each user among those not rated yet."""
    return float(np.take_along_axis(made.clear, ranked(made, ask, BEST)[0], axis=1).mean())


def report(result: Result[data.RatingSplits]) -> Report:
    """Test the model that is best on the validation data, beside the baseline."""
    made = result.data
    assert made.validation is not None and made.test is not None
    errors = {kind: rmse(outputs(net, made.validation.inputs), made.validation.targets) for kind, net in result.networks.items()}
    best = min(errors, key=errors.__getitem__)
    models = {"biases only": baseline(made), best: lambda pairs: outputs(result.networks[best], pairs)}
    forecasts = {name: ask(made.test.inputs) for name, ask in models.items()}
    lists = {name: recommended(made, ask) for name, ask in (*models.items(), ("knowing all", lambda pairs: made.clear[tuple(pairs.T)]))}
    tested = {name: rmse(forecast, made.test.targets) for name, forecast in forecasts.items()}
    learning = {kind: [float(np.sqrt(epoch.validation["loss"])) for epoch in run.epochs] for kind, run in result.runs.items()}
    level = rmse(models["biases only"](made.validation.inputs), made.validation.targets)
    view = Forecasts(made.test.targets, forecasts, learning, {"biases only": level, "noise": made.noise})
    return Report({"test RMSE": tested[best], "biases only": tested["biases only"], "noise": made.noise,
                   **{f"validation RMSE, {kind}": error for kind, error in errors.items()}},
                  [f"test RMSE {tested[best]:.3f} ({best}), biases only {tested['biases only']:.3f}, no model below {made.noise:g}",
                   "validation RMSE: " + ", ".join(f"{kind} {error:.3f}" for kind, error in errors.items()),
                   f"true mean rating of {BEST} things recommended to each user: "
                   + ", ".join(f"{name} {value:.2f}" for name, value in lists.items())],
                  {"ratings.png": view.draw, "curve.png": result.runs[best].plot})


def predict(run: LoadedRun, item: str, top: int) -> Prediction:
    """The things to recommend to a user, by the network that was best in validation; of each the rating it expects."""
    users = run.facts["users"]
    if not item.isdecimal() or int(item) >= users:
        raise DataError(f"{item!r:.80} is no user", why=f"users are numbered from 0 to {users - 1}", repair="give the number of one",
                        where="")
    best = min(run.networks, key=lambda kind: run.record.figures[f"validation RMSE, {kind}"])
    first, table = ranked(ratings_of(run.config), lambda pairs: outputs(run.networks[best], pairs), max(top, BEST))
    user = int(item)
    return Prediction(", ".join(f"thing {thing} ({table[user, thing]:.2f})" for thing in first[user]))


recipe = Experiment(
    name="recommend",
    caption="ratings of users and things, made by a known rule: factors, a network, and both, beside biases only",
    expected="test RMSE below 0.36, where biases only leave more than 1 and the noise is 0.3",
    data=ratings_of, describe=describe, parts=lambda config: ("factors", "MLP", "both"), network=network, training=training,
    report=report, predict=predict, takes="USER",
    settings={"epochs": Setting(15, "the validation error is flat from about the tenth on"),
              "batch": Setting(64, "300 steps an epoch"),
              "factors": Setting(3, "the rule has three; eight fit some of the noise, too: 0.35 instead of 0.33"),
              "hidden": Setting(32, "units of the network's first layer, half as many in the second"),
              "decay": Setting(0.02, "of the weights, times the learning rate; with 0.1 and more the tables stay too small"),
              "rate": Setting(1e-2, "ten times the usual learning rate: a row of a table learns only when its user or thing occurs"),
              "rank": Setting(3, "how many tastes there are in the ratings that are generated"),
              "noise": Setting(0.3, "standard deviation of the part of a rating that no model can predict")},
)
