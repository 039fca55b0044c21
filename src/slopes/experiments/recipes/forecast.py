"""forecast: the next year of sunspots and the next days' temperatures, by a GRU; beside the two forecasts that anyone can make."""

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
from ...train.progress import Told
from ...train.stopping import EarlyStopping
from ...zoo.recurrent_forecaster import Forecaster
from ..experiment import Setting
from ..study import Findings, Study

SERIES = {"sunspots": data.sunspots, "temperatures": data.temperatures}
NET, PERSISTENCE, SEASONAL = "network", "nothing changes", "one period ago"
SHOWN = 240  # values of the test part in the picture


@dataclass
class Outlook(View):
    """Values of the test part, (N, horizon) in the series' units, what each way to forecast said of them, and when the first was."""

    name: str
    times: tuple[str, ...]
    truth: np.ndarray
    forecasts: dict[str, np.ndarray]

    def errors(self) -> dict[str, float]:
        """Each forecast's mean absolute error over all windows and steps."""
        return {name: float(np.abs(each - self.truth).mean()) for name, each in self.forecasts.items()}

    def ratio(self) -> float:
        """The network's error as a share of that of the better plain forecast."""
        errors = self.errors()
        return errors[NET] / min(errors[PERSISTENCE], errors[SEASONAL])

    def draw_on(self, left: Any, right: Any) -> None:
        """Truth with the network's forecasts, one after the other as they were made; and errors by how far ahead they look."""
        windows, horizon = self.truth.shape
        firsts = range(0, min(windows, SHOWN), horizon)
        left.plot(np.concatenate([self.truth[first] for first in firsts]), color="black", linewidth=1, alpha=0.5, label="truth")
        for number, (name, each) in enumerate(self.forecasts.items()):
            for first in firsts if name != PERSISTENCE else ():
                left.plot(np.arange(first, first + horizon), each[first], color=colour(number), linewidth=1.4 if name == NET else 0.8,
                          alpha=1 if name == NET else 0.5, label=name if first == 0 else None)
            right.plot(np.arange(1, horizon + 1), np.abs(each - self.truth).mean(axis=0), ".-", color=colour(number), label=name)
        left.set_title(f"{self.name}: forecasts of {horizon} steps, one after the other", fontsize="medium")
        marked = range(0, firsts[-1] + horizon, max(1, -(-(firsts[-1] + horizon) // 6)))
        left.set_xticks(marked, [self.times[place] for place in marked])
        right.set_title("mean absolute error", fontsize="medium")
        right.xaxis.get_major_locator().set_params(integer=True)
        right.set_ylim(bottom=0)
        finish(left, "", "")
        finish(right, "steps ahead", "")


@dataclass
class Outlooks(View):
    """One row for each series."""

    rows: list[Outlook]

    def draw(self) -> Picture:
        """All of them in one picture."""
        figure = new_figure(10, 3.2 * len(self.rows))
        for (left, right), each in zip(figure.subplots(len(self.rows), 2, squeeze=False, width_ratios=(3, 1)), self.rows):
            each.draw_on(left, right)
        return Picture(figure)


def learned(name: str, values: dict[str, Any], seed: int, tell: Callable[[str], None]) -> tuple[Forecaster, Run, Outlook]:
    """The network that learned a series, its run, and how it does on the test part, which nothing before has seen."""
    splits = data.split_series(SERIES[name](), values["past"], values["horizon"])
    random.seed(seed)
    net = Forecaster(values["horizon"], values["hidden"], values["kind"])
    run = fit(net, splits.train, loss=nn.l1_loss, optimizer=optim.Adam(lr=values["rate"]), schedule="cosine", clip=1.0,
              epochs=values["epochs"], batch_size=values["batch"], validation=splits.validation, seed=seed,
              callbacks=[EarlyStopping(max(1, values["epochs"]))], progress=Told(tell, f"{name}: "))
    test = splits.test
    assert test is not None
    with no_grad():
        scaled = {NET: net(asarray(test.inputs)).numpy(), PERSISTENCE: splits.persistence(), SEASONAL: splits.seasonal()}
    times = splits.series.times[splits.firsts("test")[0, 0]:]
    return net, run, Outlook(name, times, splits.unscaled(test.targets), {each: splits.unscaled(found) for each, found in scaled.items()})


def investigate(values: dict[str, Any], seed: int, tell: Callable[[str], None]) -> Findings:
    """A network for each series; mean absolute errors on the test part."""
    names = tuple(SERIES) if values["series"] == "both" else (values["series"],)
    found = {name: learned(name, values, seed, tell) for name in names}
    views = [view for _, _, view in found.values()]
    lines = [f"{'mean absolute error':22}" + "".join(f"{each:>16}" for each in views[0].forecasts),
             *(f"{view.name:22}" + "".join(f"{error:16.2f}" for error in view.errors().values()) for view in views)]
    return Findings(
        {"error / plain forecast, worst series": max(view.ratio() for view in views),
         **{f"{view.name} error": view.errors()[NET] for view in views},
         **{f"{view.name} error, {each}": view.errors()[each] for view in views for each in (PERSISTENCE, SEASONAL)}},
        lines, {"forecast.png": Outlooks(views).draw, **{f"curve-{name}.png": run.plot for name, (_, run, _) in found.items()}},
        {f"{name}.{path}": array for name, (net, _, _) in found.items() for path, array in net.state_dict().items()})


recipe = Study(
    name="forecast",
    caption="sunspots of the next year, temperatures of the next days: a GRU beside the forecasts that need no learning",
    expected="on the test part, a smaller mean absolute error than \"nothing changes\" and \"as one period ago\", for both series",
    investigate=investigate,
    datasets=tuple(SERIES),
    sizes={"series": Setting("both", "one network for each", ("both", *SERIES)),
           "past": Setting(60, "months or days that are seen; with 36 the errors of validation are 2% larger"),
           "horizon": Setting(12, "a year of months, or 12 days: far enough that \"nothing changes\" is a poor forecast"),
           "kind": Setting("gru", "for sunspots better than an LSTM in validation, for temperatures as good", ("gru", "lstm", "rnn")),
           "hidden": Setting(32, "2,000 windows that overlap are few: 64 units bring nothing in validation"),
           "epochs": Setting(40, "the weights of the epoch with the lowest validation loss are kept, which comes before"),
           "batch": Setting(64, "30 steps an epoch"),
           "rate": Setting(1e-3, "the usual first choice, with a cosine down to 0")},
)
