"""A small classifier of colour pictures: two convolutions, three linear layers, SGD with momentum."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(6, 8, 3)
        self.fc1 = nn.Linear(8 * 2 * 2, 24)
        self.fc2 = nn.Linear(24, 16)
        self.fc3 = nn.Linear(16, 10)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return self.fc3(x)


def make_data(rng):
    return {"images": rng.standard_normal((12, 3, 16, 16)).astype("float32"), "labels": rng.integers(0, 10, 12)}


def build():
    return Net()


def train(net, data, steps, wrap):
    device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    net.to(device)
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(net.parameters(), lr=0.01, momentum=0.9)

    @wrap
    def step(inputs, labels):
        optimizer.zero_grad()
        loss = criterion(net(inputs), labels)
        loss.backward()
        optimizer.step()
        return loss

    images, labels = torch.from_numpy(data["images"]), torch.from_numpy(data["labels"])
    losses = []
    for i in range(steps):
        rows = slice(4 * (i % 3), 4 * (i % 3) + 4)
        losses.append(step(images[rows].to(device), labels[rows].to(device)).item())
    return losses
