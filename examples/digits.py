"""Handwritten digits: data, network, training, test, and a drawing of the computation graph, from Python."""

from __future__ import annotations

import slopes as sl
from slopes import data, nn, optim

digits = data.digits()
sl.seed(0)
net = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(128, 10))
run = sl.fit(net, digits.train, optimizer=optim.Adam(lr=3e-3), epochs=10, batch_size=32, validation=digits.validation, seed=0)
print(f"test accuracy {sl.evaluate(net, digits.test)['accuracy']:.2%}")


def loss(images, labels):
    """What is minimised."""
    return nn.cross_entropy(net(images), labels)


graph = sl.graph(loss, digits.test.inputs[:32], digits.test.targets[:32])
print("wrote", graph.save("digits-graph.svg"))
