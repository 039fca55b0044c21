"""A dense block and a transition of DenseNet: each convolution sees the outputs of all before it."""

import torch
from torch import nn

SIZE, LR = 12, 0.1


def conv_block(input_channels, num_channels):
    return nn.Sequential(nn.BatchNorm2d(input_channels), nn.ReLU(), nn.Conv2d(input_channels, num_channels, kernel_size=3, padding=1))


class DenseBlock(nn.Module):
    def __init__(self, num_convs, input_channels, num_channels):
        super(DenseBlock, self).__init__()
        layer = []
        for i in range(num_convs):
            layer.append(conv_block(num_channels * i + input_channels, num_channels))
        self.net = nn.Sequential(*layer)

    def forward(self, X):
        for blk in self.net:
            Y = blk(X)
            X = torch.cat((X, Y), dim=1)
        return X


def transition_block(input_channels, num_channels):
    return nn.Sequential(nn.BatchNorm2d(input_channels), nn.ReLU(), nn.Conv2d(input_channels, num_channels, kernel_size=1),
                         nn.AvgPool2d(kernel_size=2, stride=2))


def build():
    return nn.Sequential(nn.Conv2d(1, 4, kernel_size=3, padding=1), DenseBlock(2, 4, 4), transition_block(12, 6),
                         DenseBlock(1, 6, 4), nn.BatchNorm2d(10), nn.ReLU(), nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Linear(10, 10))


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
