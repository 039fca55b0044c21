"""The engine of the runs page: a folder that is looked at twice a second, and the runs that are compared."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from ...errors import ArgumentError, DataError
from ...train.follow import FollowedRun
from ...train.records import figure_rows, setting_rows
from ..engine import Context, Frame
from ..messages import Attached, Message, Upload
from .curves import Curve, curves_of, figures_of
from .details import read_details, read_picture
from .folder import RunsFolder
from .messages import Look, Picture, Plot, Predict, Select
from .predict import Answer, Predictor, answer_fields

POLL_SECONDS = 0.5


class RunsEngine:
    """The listing of a folder, curves of the selected runs, and details of one."""

    def __init__(self, context: Context) -> None:
        self.folder = RunsFolder(context.folder if context.run is None else context.run)
        self.plot, self.predictor, self.looked = Plot(), Predictor(), ""
        self.followed: dict[str, FollowedRun] = {}
        self.shown: dict[str, tuple[Any, ...]] = {}  # the state of each of these that was shown
        self.series, self.top = "", 3
        self.changed, self.due = True, 0.0
        self.poll()
        if len(self.folder.records) == 1 or context.run is not None:
            self.select(list(self.folder.records)[:1])

    def handle(self, message: Message) -> Frame | None:
        """Do what the page asks."""
        match message:
            case Attached():
                self.changed = True
            case Select():
                self.select(message.runs)
            case Plot():
                self.plot, self.changed = message, True
            case Look():
                return self.look(message.run)
            case Picture():
                return self.picture(message)
            case Predict():
                return self.predict(message)
            case Upload():
                return self.predict_upload(message)
        return None

    def step(self, seconds: float) -> bool:
        """Look at the folder when it is time."""
        if time.monotonic() >= self.due:
            self.poll()
        return False

    def poll(self) -> None:
        """Read what changed in the folder, and what was appended to the histories of the selected runs."""
        self.due = time.monotonic() + POLL_SECONDS
        if self.folder.refresh():
            self.changed = True
        for name, run in list(self.followed.items()):
            if name not in self.folder.records:
                del self.followed[name]
                continue
            try:
                run.poll()
            except DataError:  # a run that is replaced at this moment: the listing shows the error if it lasts
                continue
            self.changed |= run.identity != self.shown.get(name)
            self.shown[name] = run.identity

    def select(self, names: Any) -> None:
        """Follow these runs; a name that is not listed is left out, as its run was removed."""
        present = [name for name in dict.fromkeys(names) if name in self.folder.records]
        self.followed = {name: self.folder.follow(name, self.folder.records[name].folder) for name in present}
        self.changed = True
        self.poll()

    def look(self, name: str) -> Frame:
        """Everything about one run."""
        record = self.folder.record(name)
        self.looked = name
        settings = {key: str(value) for key, value in record.hyperparameters.items()}
        return Frame({"kind": "run", "run": name, "settings": settings, "figures": texts(record.figures), **read_details(record.folder)})

    def picture(self, message: Picture) -> Frame:
        """One of a run's pictures."""
        data, kind = read_picture(self.folder.record(message.run).folder, message.name)
        return Frame({"kind": "picture", "run": message.run, "name": message.name, "type": kind}, {"data": np.frombuffer(data, np.uint8)})

    def predict(self, message: Predict) -> Frame | None:
        """A prediction for a text; the other fields are kept for an upload that follows."""
        self.top, self.series = message.top, message.series
        if not message.text:
            return None
        return answered(self.predictor.predict_text(self.looked_folder(), message.text, message.top))

    def predict_upload(self, message: Upload) -> Frame:
        """A prediction for a file."""
        return answered(self.predictor.predict_file(self.looked_folder(), message.name, message.data, self.top, self.series))

    def looked_folder(self) -> Any:
        """The folder of the run to predict with."""
        if not self.looked:
            raise ArgumentError("no run is chosen to predict with", where="", repair="choose one of the list first")
        return self.folder.record(self.looked).folder

    def frame(self) -> Frame | None:
        """The listing, the comparison, and the curves."""
        if not self.changed:
            return None
        self.changed = False
        curves = [curve for name, run in self.followed.items()
                  for curve in curves_of(name, run.histories, self.plot.figure, self.plot.axis, self.plot.smooth)]
        arrays = {f"{axis}{i}": getattr(curve, axis) for i, curve in enumerate(curves) for axis in ("x", "y")}
        return Frame({**self.listing(), **self.comparison(), "curves": [curve_fields(curve) for curve in curves]}, arrays)

    def listing(self) -> dict[str, Any]:
        """The rows of the runs."""
        rows = [{"run": name, "recipe": record.recipe or "fit", "state": self.folder.state(name), "figures": texts(record.figures),
                 "epochs": record.epochs, "seconds": record.seconds, "finished": record.finished, "seed": record.seed}
                for name, record in self.folder.records.items()]
        return {"kind": "runs", "folder": str(self.folder.root), "rows": rows, "unreadable": self.folder.unreadable,
                "left_out": self.folder.left_out}

    def comparison(self) -> dict[str, Any]:
        """Figures and settings of the selected runs side by side, and what there are curves of."""
        records = [self.folder.records[name] for name in self.followed]
        settings = [{"name": name, "values": values, "differs": len(set(values)) > 1} for name, *values in setting_rows(records)]
        histories = [history for run in self.followed.values() for history in run.histories.values()]
        return {"selected": list(self.followed), "figures": figure_rows(records), "settings": settings,
                "plot": {"figure": self.plot.figure, "axis": self.plot.axis, "smooth": self.plot.smooth, "figures": figures_of(histories)}}

    def close(self) -> None:
        """Nothing is held."""


def texts(figures: dict[str, float]) -> dict[str, str]:
    """Figures as text, as JSON has no nan."""
    return {name: f"{value:.6g}" for name, value in figures.items()}


def curve_fields(curve: Curve) -> dict[str, str]:
    """Whose curve it is."""
    return {"run": curve.run, "network": curve.network, "figure": curve.kind}


def answered(answer: Answer) -> Frame:
    """The reply with an answer."""
    arrays = {} if answer.picture is None else {"picture": answer.picture}
    if answer.csv:
        arrays["csv"] = np.frombuffer(answer.csv, np.uint8)
    return Frame(answer_fields(answer), arrays)
