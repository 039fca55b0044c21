"""approximate: one hidden layer fits a function of x given as text; the theorem of universal approximation, seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ... import nn, optim, random
from ...errors import ArgumentError, DataError
from ...inside.draw import colour
from ...plot import Picture, View, new_figure
from ...tensor import asarray
from ..answers import outputs
from ..experiment import Config, Experiment, Facts, Learn, LoadedRun, Prediction, Report, Result, Setting
from ..formula import formula

WIDTHS = (2, 4, 8)  # shown beside the width asked for
POINTS = 400  # to fit to; the error is measured at ten times as many


class Curve(nn.Module):
    """MLP1 for one number: y = sum over j of v_j tanh(w_j x + b_j) + c, with x and y brought to -1..1 and back; in float64.

    At first the bends of the units lie evenly on the interval, steeper where there are more of them.

    >>> import slopes as sl
    >>> Curve(8, (0.0, 2.0), (-3.0, 3.0))(sl.ones((5,))).shape
    (5,)
    """

    def __init__(self, width: int, across: tuple[float, float], up: tuple[float, float]) -> None:
        steep = max(2.0, width / 4) * np.sign(random.uniform(width, -1.0, 1.0, dtype=np.float64).numpy())
        bends = np.linspace(-1, 1, width + 2)[1:-1]
        self.w, self.b = nn.Parameter(steep), nn.Parameter(-steep * bends)
        self.v = nn.Parameter(random.normal(width, std=1 / np.sqrt(width), dtype=np.float64).numpy())
        self.c = nn.Parameter(np.zeros(()))
        self.across, self.up = across, up

    def forward(self, x: Any) -> Any:
        middle, half = (self.across[0] + self.across[1]) / 2, (self.across[1] - self.across[0]) / 2
        hidden = ((x[:, None] - middle) / half * self.w + self.b).tanh()  # (N, width)
        return (hidden @ self.v + self.c) * ((self.up[1] - self.up[0]) / 2) + (self.up[0] + self.up[1]) / 2


@dataclass
class Fits(View):
    """The function at x, and for each width what its network gives there."""

    x: np.ndarray
    y: np.ndarray
    fits: dict[int, np.ndarray]
    text: str

    def draw(self) -> Picture:
        """The curves, and the errors below."""
        figure = new_figure(6, 5)
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
        above.plot(self.x, self.y, color="black", linewidth=3, alpha=0.3, label=self.text)
        for i, (width, fit) in enumerate(self.fits.items()):
            above.plot(self.x, fit, color=colour(i), linewidth=1, label=f"{width} units")
            below.plot(self.x, np.abs(fit - self.y), color=colour(i), linewidth=1)
        below.set_yscale("log")
        below.set_ylabel("|error|")
        below.set_xlabel("x")
        above.legend(frameon=False, fontsize="small")
        return Picture(figure)


def nodes(low: float, high: float) -> np.ndarray:
    """The points to fit to: Chebyshev's, denser near both ends, where a curve that is fitted to even ones swings."""
    return (low + high) / 2 - (high - low) / 2 * np.cos(np.pi * (np.arange(POINTS) + 0.5) / POINTS)


def span(config: Config) -> tuple[float, float]:
    """The least and the largest value of the function at the points; they differ also for a constant."""
    y = formula(config["function"])(nodes(config["low"], config["high"]))
    low = float(y.min())
    return low, float(y.max()) if y.max() > low else low + 1


def values_of(config: Config) -> tuple[np.ndarray, np.ndarray]:
    """Points of the interval, close to each other, and the function's values there; ArgumentError where it has none."""
    low, high = config["low"], config["high"]
    x = np.linspace(low, high, 10 * POINTS)
    y = formula(config["function"])(x) if high > low else np.array([np.nan])
    if not np.isfinite(y).all():
        raise ArgumentError(f"{config['function']} from {low:g} to {high:g} is not a finite function of an interval",
                            repair="choose low below high, and an interval on which the function has a value everywhere")
    return x, y


def widths(config: Config) -> tuple[str, ...]:
    """A network for each width, the one asked for last."""
    return (*(str(width) for width in WIDTHS if width < config["hidden"]), str(config["hidden"]))


def network(config: Config, facts: Facts, name: str) -> Curve:
    """The network with `name` hidden units."""
    return Curve(config["hidden"] if name == str(config["hidden"]) else int(name), (config["low"], config["high"]), span(config))


def training(config: Config, data: tuple[np.ndarray, np.ndarray], name: str, net: Curve) -> Learn:
    """The least squared error, by L-BFGS."""
    x, (low, high) = nodes(config["low"], config["high"]), span(config)
    inputs, targets = asarray(x), asarray(formula(config["function"])(x))
    return Learn(lambda: optim.minimize(lambda: nn.mse_loss(net(inputs), targets) / (high - low) ** 2, net, steps=config["steps"],
                                        tolerance=1e-9, change=1e-13))


def report(result: Result[tuple[np.ndarray, np.ndarray]]) -> Report:
    """The largest error of each width."""
    config, (x, y) = result.config, result.data
    fits = {int(name): outputs(net, x) for name, net in result.networks.items()}
    errors = {width: float(np.abs(fit - y).max()) for width, fit in fits.items()}
    return Report({"largest error": errors[config["hidden"]], **{f"with {width} units": error for width, error in errors.items()}},
                  [f"{config['function']} on {config['low']:g}..{config['high']:g}",
                   *(f"{width:4} units: largest error {error:.2e}" for width, error in errors.items())],
                  {"fits.png": Fits(x, y, fits, config["function"]).draw})


def predict(run: LoadedRun, item: str, top: int) -> Prediction:
    """The value of the widest network at x."""
    try:
        x = float(item)
    except ValueError:
        raise DataError(f"{item!r:.80} is not a number", why="the network is a function of one number", repair="give x, such as 0.5",
                        where="") from None
    low, high = run.config["low"], run.config["high"]
    if not low <= x <= high:
        raise DataError(f"x = {item} is outside the interval", why=f"the function was fitted from {low:g} to {high:g}",
                        repair="choose x in it", where="")
    return Prediction(f"{outputs(run.networks[str(run.config['hidden'])], np.array([x]))[0]:.6g}")


recipe = Experiment(
    name="approximate",
    caption="one hidden layer fits a function given as text on an interval",
    expected="largest error below 0.01 for the default function",
    data=values_of, parts=widths, network=network, training=training, report=report, predict=predict, takes="X",
    settings={"function": Setting("sin(3 x) + x^2 / 4", "bends up and down, and grows: neither a line nor a parabola fits it"),
              "low": Setting(-3.0, "where the interval begins", least=-1e6), "high": Setting(3.0, "where it ends", least=-1e6),
              "hidden": Setting(32, "twice what the default function needs for 1% error"),
              "steps": Setting(1500, "L-BFGS gains nothing visible after that")},
)
