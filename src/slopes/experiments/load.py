"""`sl.load`: a run folder of any kind as an object that predicts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .. import nn
from ..tables.folder import KIND as TABLE
from ..tables.folder import models_of
from ..tables.frames import frame_like, is_frame
from ..tables.model import TableModel
from ..tables.predictions import Account, predict_columns
from ..train.runs import STUDY_SCHEMA, SavedRun, load_run
from .catalog import OWN_DATA, RECIPES
from .experiment import LoadedRun
from .loaded import Loaded, NetRun, with_nets
from .run import rebuild


@dataclass(repr=False)
class TableRun(Loaded):
    """A run of `slopes train table`: `models` has the model of each target, whose networks are an ensemble."""

    models: list[TableModel]

    def predict(self, source: Any, account: Account | None = None) -> Any:
        """Predictions for each row of a data frame, as a frame of the same library, or of a CSV, Parquet or Arrow file, as a dict of
        columns: the class with its probability and those of all classes, or the number with its 90% interval.

        What is noticed in the rows is added to `account`. Raises DataError for a file that is damaged or of another table.
        """
        columns = predict_columns(self.models, source, Account() if account is None else account)
        return frame_like(source, columns) if is_frame(source) else columns


def load(run: str | os.PathLike[str], net: nn.Module | Mapping[str, nn.Module] | None = None
         ) -> LoadedRun | TableRun | NetRun:
    """A run folder of any kind, of this or an older version, with its trained networks: an object with `predict`.

    The object has

        predict     of a recipe: predict(item, top=1), with an item as `slopes predict` takes it: the path of a file, or a text.
                    Of `slopes train table`: predict(file or data frame). Of a plain fit: predict(inputs), the net's outputs
        figures     by name; of a run that has none its lowest validation loss
        settings    the hyper-parameters by name; `seed`
        history     losses and epochs, of several trainings `histories` by name
        net         the trained network in eval mode, of several `networks` by name
        record      everything else that the folder holds: weights, layers, versions, the description of the data

    net: what `fit(net, ..., run=folder)` leaves cannot be built again by slopes, as the code of the net is yours. Make the net as for
    the training, and `load(run, net)` gives it the weights; without it, `predict` is an error, all else is there. Of a run with
    several networks a dict of nets by name.

    Raises DataError for a damaged folder, and ArgumentError for a net of other layers.

    >>> import numpy as np, slopes as sl
    >>> x = np.linspace(-1, 1, 64, dtype=np.float32).reshape(64, 1)
    >>> trained = sl.nn.Linear(1, 1)
    >>> result = sl.fit(trained, x, 3 * x, loss=sl.nn.mse_loss, epochs=2, progress=False, run="runs/line")
    >>> run = sl.load("runs/line", sl.nn.Linear(1, 1))
    >>> run.settings["epochs"], run.history.losses == result.losses
    (2, True)
    >>> bool((run.predict(x) == trained(sl.tensor(x)).numpy()).all())
    True
    """
    return load_saved(load_run(run), net)


def load_saved(saved: SavedRun, net: nn.Module | Mapping[str, nn.Module] | None = None) -> LoadedRun | TableRun | NetRun:
    """The same of a record that is read."""
    if net is None and saved.recipe == TABLE:
        models = models_of(saved)
        networks = [forward.net for model in models for _, forward in model.nets]
        return TableRun(saved, dict(zip(saved.networks, networks)), models)
    if net is None and saved.recipe in {**RECIPES, **OWN_DATA} and saved.schema != STUDY_SCHEMA:
        return rebuild(saved)
    return with_nets(saved, net)
