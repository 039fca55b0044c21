"""Draw the pictures of the documents: `python docs/pictures/make.py` writes them beside this file.

`digits-curve.png` is what `slopes train digits` leaves as curve.png, `looks.png` what `slopes train caption` leaves,
and `features.png` what `slopes train features` leaves as boundaries.png.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import slopes as sl
from slopes import nn

HERE = Path(__file__).resolve().parent


def f(x, y, z):
    q = x + y
    return q * z


def loss_of(net):
    def loss(images, labels):
        scores = net(images)
        return nn.cross_entropy(scores, labels)
    return loss


def mse(x, W1, b1, W2, t):
    h = sl.tanh(x @ W1 + b1)
    y = h @ W2
    e = y - t
    return (e * e).mean()


def unrolled(x, h_0):
    h_1 = CELL(x[:, 0], h_0)
    h_2 = CELL(x[:, 1], h_1)
    h_3 = CELL(x[:, 2], h_2)
    return h_3


CELL = nn.RNNCell(3, 4)


def main() -> None:
    lenet = nn.Sequential(
        nn.Conv2d(1, 20, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(20, 50, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(800, 500), nn.ReLU(), nn.Linear(500, 10))
    sl.explain(f, -2, 5, -4).save(HERE / "circuit.svg")
    arrays = [np.ones(shape, np.float32) for shape in ((8, 4), (4, 5), (5,), (5, 3), (8, 3))]
    sl.graph(mse, *arrays, backward=True).save(HERE / "graph.svg")
    sl.graph(loss_of(lenet), sl.zeros((64, 1, 28, 28)), np.zeros(64, np.int64)).save(HERE / "lenet.svg")
    sl.graph(unrolled, sl.zeros((1, 3, 3)), sl.zeros((1, 4)), limit=10, direction="right").save(HERE / "unrolled.svg")


if __name__ == "__main__":
    main()
