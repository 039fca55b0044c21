"""approximate: one hidden layer fits a function of x given as text; the theorem of universal approximation, seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ... import nn, optim, random
from ...errors import ArgumentError
from ...inside.draw import colour
from ...plot import Picture, View, new_figure
from ...tensor import asarray, no_grad
from ..experiment import Setting
from ..formula import formula
from ..study import Findings, Study

WIDTHS = (2, 4, 8)  # shown beside the wanted width
PLACES = 400  # between which the error is looked for at ten times as many


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
        for number, (width, fit) in enumerate(self.fits.items()):
            above.plot(self.x, fit, color=colour(number), linewidth=1, label=f"{width} units")
            below.plot(self.x, np.abs(fit - self.y), color=colour(number), linewidth=1)
        below.set_yscale("log")
        below.set_ylabel("|error|")
        below.set_xlabel("x")
        above.legend(frameon=False, fontsize="small")
        return Picture(figure)


def fitted(function: Callable[[np.ndarray], np.ndarray], width: int, low: float, high: float, steps: int, seed: int) -> Curve:
    """The network with so many units that comes nearest to the function, by L-BFGS on the squared error.

    The places are Chebyshev's, closer to each other near both ends, where a curve that is fitted to even ones goes astray.
    """
    x = (low + high) / 2 - (high - low) / 2 * np.cos(np.pi * (np.arange(PLACES) + 0.5) / PLACES)
    y = function(x)
    spread = (float(y.min()), float(y.max()) if y.max() > y.min() else float(y.min()) + 1)
    random.seed(seed)
    net = Curve(width, (low, high), spread)
    inputs, targets = asarray(x), asarray(y)
    optim.minimize(lambda: nn.mse_loss(net(inputs), targets) / (spread[1] - spread[0]) ** 2, net, steps=steps, tolerance=1e-9, change=1e-13)
    return net


def investigate(values: dict[str, Any], seed: int, tell: Callable[[str], None]) -> Findings:
    """Fit with a few widths, and measure the largest error."""
    low, high, function = values["low"], values["high"], formula(values["function"])
    x = np.linspace(low, high, 10 * PLACES)
    y = function(x) if high > low else np.array([np.nan])
    if not np.isfinite(y).all():
        raise ArgumentError(f"{values['function']} from {low:g} to {high:g} is not a finite function of an interval",
                            repair="choose low below high, and no place where it has no value")
    fits: dict[int, np.ndarray] = {}
    for width in sorted({*(each for each in WIDTHS if each < values["hidden"]), values["hidden"]}):
        net = fitted(function, width, low, high, values["steps"], seed)
        with no_grad():
            fits[width] = net(asarray(x)).numpy()
        tell(f"{width} units: largest error {np.abs(fits[width] - y).max():.2g}")
    errors = {width: float(np.abs(fit - y).max()) for width, fit in fits.items()}
    return Findings({"largest error": errors[values["hidden"]], **{f"with {width} units": error for width, error in errors.items()}},
                    [f"{values['function']} on {low:g}..{high:g}", *(f"{w:4} units: largest error {e:.2e}" for w, e in errors.items())],
                    {"fits.png": Fits(x, y, fits, values["function"]).draw}, net.state_dict())


recipe = Study(
    name="approximate",
    caption="one hidden layer fits a function given as text on an interval",
    expected="largest error below 0.01 for the default function",
    investigate=investigate,
    sizes={"function": Setting("sin(3 x) + x^2 / 4", "bends up and down, and grows: no line or parabola will do"),
           "low": Setting(-3.0, "where the interval begins", least=-1e6), "high": Setting(3.0, "where it ends", least=-1e6),
           "hidden": Setting(32, "twice what the default function needs for 1% error"),
           "steps": Setting(1500, "L-BFGS gains nothing that can be seen after that")},
)
