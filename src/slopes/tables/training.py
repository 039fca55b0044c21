"""Train the members of an ensemble, each without the rows that choose its epoch, and predict those rows with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .. import nn, optim, random
from ..constraint import COUNT, NOT_NEGATIVE, POSITIVE, SHARE, check
from ..data.loaders.dataset import Dataset
from ..train.fit import fit
from ..train.history import Run
from ..train.stopping import EarlyStopping
from ..train.training import Callback
from ..train.weighting import balanced_weights
from .encoding import Widths
from .forward import Forward
from .network import Architecture, TableNetwork
from .splits import ALL

RATE_BATCH = 256


@dataclass(frozen=True)
class Settings:
    """The hyper-parameters of a training; the defaults are those of the published comparison (docs/tables.md).

    folds       each network learns from the rows of all folds but one, which chooses its epoch
    variants    the networks that are trained for each fold: one or two
    rate        the learning rate of batches of 256 rows; it is multiplied by sqrt(batch / 256)
    batch       rows in a step, at most; of few rows there are fewer, at least 16
    epochs      passes over the rows, within least_steps and most_steps
    smoothing   of labels, for classes
    balanced    classes weigh as if all had equally many rows
    """

    folds: int = 4
    variants: tuple[Architecture, ...] = (Architecture(bins=48), Architecture())
    rate: float = 8e-3
    decay: float = 0.02
    smoothing: float = 0.1
    batch: int = 256
    epochs: int = 60
    least_steps: int = 1000
    most_steps: int = 2500
    balanced: bool = False

    def __post_init__(self) -> None:
        check("Settings", {"folds": COUNT, "rate": POSITIVE, "decay": NOT_NEGATIVE, "smoothing": SHARE, "batch": COUNT, "epochs": COUNT,
                           "least_steps": COUNT, "most_steps": COUNT}, vars(self))

    def to_fields(self) -> dict[str, Any]:
        """The settings as JSON holds them."""
        return asdict(self)

    def batch_size(self, rows: int) -> int:
        """A power of two, such that an epoch has about 16 steps or more."""
        return int(min(self.batch, max(16, 2 ** int(np.log2(max(1, rows / 16))))))

    def rate_for(self, rows: int) -> float:
        """The learning rate for so many rows."""
        return self.rate * float(np.sqrt(self.batch_size(rows) / RATE_BATCH))

    def epochs_for(self, rows: int) -> int:
        """The number of epochs for so many rows."""
        steps = -(-rows // self.batch_size(rows))
        return max(3, round(min(max(self.epochs, self.least_steps / steps), self.most_steps / steps)))


DEFAULTS = Settings()


@dataclass(frozen=True)
class Examples:
    """Encoded rows: features, codes, and targets: labels (N,) int64 for classes, else standardized numbers (N, 1) float32."""

    features: np.ndarray
    codes: np.ndarray
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, rows: np.ndarray) -> Dataset:
        """Some of the rows, as a data set."""
        inputs = (self.features[rows], self.codes[rows]) if self.codes.shape[1] else self.features[rows]
        return Dataset(inputs, self.targets[rows], name="table")


@dataclass
class Member:
    """A trained network of the ensemble: its variant, its run, the edges of its bins and its best epoch, from 1."""

    variant: int
    run: Run
    edges: list[list[float]]
    best_epoch: int


@dataclass
class Trained:
    """The members, and for each variant the outputs for the rows that chose epochs, by networks that did not learn from them:
    (variants, N, outputs), nan for rows of which there are none."""

    members: list[Member]
    held_out: np.ndarray

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended it."""
        return any(member.run.interrupted for member in self.members)


def train_members(examples: Examples, fold: np.ndarray, widths: Widths, outputs: int, settings: Settings, seed: int,
                  log: Callable[[str], None] = lambda line: None, progress: bool | Callback | None = False,
                  folder: Path | None = None, report: Callable[[float], bool] = lambda loss: False) -> Trained:
    """Train a network of each variant for each fold; `fold` are the folds of the rows `examples` (see `splits.Split`).

    `report` takes the validation loss of each network, and answers whether that is enough.
    Each network has a run in a subfolder of `folder`, if there is one: what an earlier process has trained there is not trained again.
    """
    trained = Trained([], np.full((len(settings.variants), len(examples), outputs), np.nan))
    folds = settings.folds if (fold == ALL).any() else min(settings.folds, int(fold.max()) + 1)
    edges = [variant.edges(examples.features[:, : widths.numbers]) for variant in settings.variants]
    for variant, architecture in enumerate(settings.variants):
        counts = np.zeros(len(examples))
        for i in range(folds):
            held = (fold == i) | (fold == ALL)
            generator_seed = seed * 1000 + len(trained.members)
            with random.using(random.Generator(generator_seed)):
                net = TableNetwork(widths, edges[variant], outputs, architecture)
            run, stop = train_network(net, examples, np.flatnonzero(~held), np.flatnonzero(held), settings, generator_seed, progress,
                                      None if folder is None else folder / str(len(trained.members) + 1))
            trained.members.append(Member(variant, run, edges[variant], stop.epoch + 1))
            add_outputs(trained.held_out[variant], counts, net, examples, np.flatnonzero(held))
            log(f"network {len(trained.members)} of {folds * len(settings.variants)}: epoch {stop.epoch + 1} of {len(run.epochs)} is "
                f"its best, validation loss {stop.best:.4f}, {run.history.seconds:.1f} s")
            if run.interrupted or report(stop.best):
                return trained
        trained.held_out[variant] /= np.maximum(counts, 1)[:, None]
    return trained


def train_network(net: nn.Module, examples: Examples, learned: np.ndarray, held: np.ndarray, settings: Settings, seed: int,
                  progress: bool | Callback | None, folder: Path | None = None) -> tuple[Run, EarlyStopping]:
    """Train one network on some rows, and give it the weights of the epoch that is best on the others."""
    epochs = settings.epochs_for(len(learned))
    stop = EarlyStopping(epochs)
    optimizer = optim.AdamW(lr=settings.rate_for(len(learned)), betas=(0.9, 0.95), weight_decay=settings.decay)
    run = fit(net, examples.take(learned), validation=examples.take(held), loss=loss_for(examples.targets[learned], settings),
              optimizer=optimizer, schedule="cosine", epochs=epochs, batch_size=settings.batch_size(len(learned)), metrics=[],
              callbacks=[stop], seed=seed, progress=progress, run=folder)
    return run, stop


def loss_for(targets: np.ndarray, settings: Settings) -> Callable[..., Any]:
    """Cross-entropy for labels, squared error for numbers."""
    if targets.ndim == 2:
        return nn.mse_loss
    weight = balanced_weights(targets) if settings.balanced else None
    return partial(nn.cross_entropy, label_smoothing=settings.smoothing, weight=weight)


def add_outputs(total: np.ndarray, counts: np.ndarray, net: nn.Module, examples: Examples, rows: np.ndarray) -> None:
    """Add the net's outputs for some rows to a total that begins as nan."""
    total[rows] = np.where(np.isnan(total[rows]), 0.0, total[rows]) + Forward(net)(examples.features[rows], examples.codes[rows])
    counts[rows] += 1
