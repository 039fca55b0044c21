"""How long it takes from the start of a process to 99% of MNIST's test images, with slopes and with PyTorch.

Both train the benchmarks' LeNet from the same weights on the same 60,000 images in the same order: batches of 64, Adam from 1e-3
along half a cosine over three epochs, the test set after each of them. slopes does it with `fit` and compiles from an empty cache.

    python -m benchmarks.accuracy SYSTEM SEED THREADS     trains, and answers one line of JSON when 99% are reached
"""

from __future__ import annotations

import importlib
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from slopes.data import load_idx
from slopes.data.loaders.order import order

from .figures import Figure, fresh, quicker, torch_installed
from .workloads import weights

GOAL, EPOCHS, BATCH, RATE = 0.99, 3, 64, 1e-3


def files() -> dict[str, Path]:
    """MNIST's four, by the beginnings of their names."""
    folder = Path(os.environ.get("SLOPES_DATA", "")) / "mnist"
    names = [f"{part}-{kind}" for part in ("train", "t10k") for kind in ("images", "labels")]
    found = {name: path for name in names for path in sorted(folder.glob(f"{name}*"))[:1]}
    if len(found) < len(names):
        raise SystemExit(f"no MNIST in {folder}: set SLOPES_DATA to a folder with mnist/train-images-idx3-ubyte.gz and the three others")
    return found


def images(part: str) -> tuple[np.ndarray, np.ndarray]:
    """Pixels from 0 to 1, and labels: of "train" or "t10k"."""
    pixels, labels = (load_idx(files()[f"{part}-{kind}"]) for kind in ("images", "labels"))
    return (pixels / np.float32(255))[:, None], labels.astype(np.int64)


def batches(seed: int, epoch: int, count: int) -> Iterator[np.ndarray]:
    """The numbers of the examples of each batch."""
    numbers = order(seed, epoch, count)
    return (numbers[start : start + BATCH] for start in range(0, count, BATCH))


def first(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """The first value of a parameter."""
    return weights(f"{seed} {name}", shape)


def measure(seeds: Sequence[int], threads: int) -> Iterator[tuple[str, Figure]]:
    """Medians over the seeds."""
    files()  # before anything is started
    slopes, other = [], []
    for seed in seeds:
        with tempfile.TemporaryDirectory(prefix="slopes-bench-") as cache:
            slopes.append(seconds("slopes", seed, threads, cache))
        if torch_installed():
            other.append(seconds("torch", seed, threads, None))
    yield "LeNet: start to 99% on MNIST's test set", quicker(2, statistics.median(slopes), statistics.median(other) if other else None)


def seconds(system: str, seed: int, threads: int, cache: str | None) -> float:
    took, said = fresh("accuracy", system, seed, threads, threads=threads, cache=cache)
    shares = ", ".join(f"{each:.2%}" for each in said["accuracies"])
    print(f"    {system}, seed {seed}: {shares} after each epoch, {took:.1f} s", file=sys.stderr, flush=True)
    if said["accuracies"][-1] < GOAL:
        raise SystemExit(f"{system} did not reach {GOAL:.0%} with seed {seed} in {EPOCHS} epochs: there is no time to compare")
    return took


if __name__ == "__main__":
    trained = importlib.import_module(f"benchmarks.accuracy_{sys.argv[1]}").train(int(sys.argv[2]), int(sys.argv[3]))
    print(json.dumps({"accuracies": trained}), flush=True)
