"""VGG: blocks of convolutions that halve the picture."""

import torch
from torch import nn

SIZE, LR = 16, 0.05


def vgg_block(num_convs, in_channels, out_channels):
    layers = []
    for _ in range(num_convs):
        layers.append(nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1))
        layers.append(nn.ReLU())
        in_channels = out_channels
    layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
    return nn.Sequential(*layers)


def build():
    blocks, in_channels = [], 1
    for num_convs, out_channels in ((1, 4), (1, 8), (2, 8)):
        blocks.append(vgg_block(num_convs, in_channels, out_channels))
        in_channels = out_channels
    return nn.Sequential(*blocks, nn.Flatten(), nn.Linear(8 * 2 * 2, 32), nn.ReLU(), nn.Dropout(0.0), nn.Linear(32, 10))


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
