"""LeNet: two convolutions with sigmoids and average pooling, three linear layers."""

import torch
from torch import nn

SIZE, LR = 16, 0.9


def init_weights(m):
    if type(m) == nn.Linear or type(m) == nn.Conv2d:
        nn.init.xavier_uniform_(m.weight)


def build():
    net = nn.Sequential(
        nn.Conv2d(1, 6, kernel_size=5, padding=2), nn.Sigmoid(),
        nn.AvgPool2d(kernel_size=2, stride=2),
        nn.Conv2d(6, 8, kernel_size=5), nn.Sigmoid(),
        nn.AvgPool2d(kernel_size=2, stride=2),
        nn.Flatten(),
        nn.Linear(8 * 2 * 2, 24), nn.Sigmoid(),
        nn.Linear(24, 16), nn.Sigmoid(),
        nn.Linear(16, 10))
    net.apply(init_weights)
    return net


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
