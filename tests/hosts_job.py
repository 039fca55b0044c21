"""A small training on a mesh, which tests start in several processes: `hosts_job.py FOLDER DEVICES EPOCHS SECONDS`."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np

import slopes as sl
from slopes import nn, optim


class Slow(sl.train.Callback):
    """Waits after each call, and notes how many steps are done."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self.file, self.seconds = folder / f"steps-{os.environ.get('SLOPES_RANK', 0)}", seconds

    def chunk_done(self, training, chunk):
        """Note the steps."""
        self.file.write_text(f"{os.getpid()} {training.history.steps}")
        time.sleep(self.seconds)


def train(folder: str | Path, devices: int, epochs: int, seconds: float = 0.0, seed: int = 0):
    """The run of a net with batch norm, dropout and Adam, in batches of 10 of 50 examples."""
    mesh = sl.mesh(data=devices, zero=True) if devices > 1 else None
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 8)).astype(np.float32)
    sl.seed(0)
    net = nn.Sequential(nn.Linear(8, 16, bias=False), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2))
    return sl.fit(net, x, (x[:, 0] > x[:, 1]).astype(np.int64), optimizer=optim.Adam(lr=0.01), epochs=epochs, batch_size=10, seed=seed,
                  progress=False, backend="xla", mesh=mesh, run=sl.train.RunFolder(Path(folder) / "run", every=0.2),
                  callbacks=[Slow(Path(folder), seconds)])


if __name__ == "__main__":
    train(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), int(os.environ.get("JOB_SEED", 0)))
