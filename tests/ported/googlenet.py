"""One inception block of GoogLeNet: four paths side by side, joined along the channels."""

import torch
from torch import nn
from torch.nn import functional as F

SIZE, LR = 12, 0.1


class Inception(nn.Module):
    def __init__(self, in_channels, c1, c2, c3, c4, **kwargs):
        super(Inception, self).__init__(**kwargs)
        self.p1_1 = nn.Conv2d(in_channels, c1, kernel_size=1)
        self.p2_1 = nn.Conv2d(in_channels, c2[0], kernel_size=1)
        self.p2_2 = nn.Conv2d(c2[0], c2[1], kernel_size=3, padding=1)
        self.p3_1 = nn.Conv2d(in_channels, c3[0], kernel_size=1)
        self.p3_2 = nn.Conv2d(c3[0], c3[1], kernel_size=5, padding=2)
        self.p4_1 = nn.MaxPool2d(kernel_size=3, stride=1, padding=1)
        self.p4_2 = nn.Conv2d(in_channels, c4, kernel_size=1)

    def forward(self, x):
        p1 = F.relu(self.p1_1(x))
        p2 = F.relu(self.p2_2(F.relu(self.p2_1(x))))
        p3 = F.relu(self.p3_2(F.relu(self.p3_1(x))))
        p4 = F.relu(self.p4_2(self.p4_1(x)))
        return torch.cat((p1, p2, p3, p4), dim=1)


def build():
    return nn.Sequential(nn.Conv2d(1, 6, kernel_size=3, stride=2, padding=1), nn.ReLU(), Inception(6, 4, (3, 6), (2, 3), 3),
                         nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Linear(16, 10))


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
