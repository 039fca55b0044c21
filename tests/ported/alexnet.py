"""AlexNet with few channels: large kernels first, overlapping pooling, dropout between linear layers."""

import torch
from torch import nn

SIZE, LR = 63, 0.05


def build():
    return nn.Sequential(
        nn.Conv2d(1, 6, kernel_size=11, stride=4, padding=1), nn.ReLU(),
        nn.MaxPool2d(kernel_size=3, stride=2),
        nn.Conv2d(6, 8, kernel_size=5, padding=2), nn.ReLU(),
        nn.MaxPool2d(kernel_size=3, stride=2),
        nn.Conv2d(8, 8, kernel_size=3, padding=1), nn.ReLU(),
        nn.Conv2d(8, 8, kernel_size=3, padding=1), nn.ReLU(),
        nn.Conv2d(8, 6, kernel_size=3, padding=1), nn.ReLU(),
        nn.Flatten(),
        nn.Linear(6 * 2 * 2, 32), nn.ReLU(), nn.Dropout(p=0.0),
        nn.Linear(32, 32), nn.ReLU(), nn.Dropout(p=0.0),
        nn.Linear(32, 10))


def make_data(rng):
    return {"images": rng.standard_normal((8, 1, SIZE, SIZE), dtype="float32"), "labels": rng.integers(0, 10, 8)}


def train(net, data, steps, wrap):
    loss = nn.CrossEntropyLoss(reduction="none")
    trainer = torch.optim.SGD(net.parameters(), lr=LR)

    @wrap
    def step(X, y):
        trainer.zero_grad()
        l = loss(net(X), y).mean()
        l.backward()
        trainer.step()
        return l

    X, y = torch.tensor(data["images"]), torch.tensor(data["labels"])
    return [step(X, y).item() for _ in range(steps)]
