"""Digits with two convolutions, Adadelta and a step schedule; the log-softmax is in the network, and the loss is nll_loss."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, 1)
        self.conv2 = nn.Conv2d(8, 8, 3, 1)
        self.dropout1 = nn.Dropout(0.0)
        self.fc1 = nn.Linear(8 * 4 * 4, 32)
        self.fc2 = nn.Linear(32, 10)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = F.max_pool2d(x, 2)
        x = self.dropout1(x)
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        x = F.dropout(x, p=0.0, training=self.training)
        return F.log_softmax(self.fc2(x), dim=1)


def make_data(rng):
    return {"images": rng.standard_normal((24, 1, 12, 12)).astype("float32"), "labels": rng.integers(0, 10, 24)}


def build():
    return Net()


def train(net, data, steps, wrap):
    optimizer = optim.Adadelta(net.parameters(), lr=1.0)
    scheduler = StepLR(optimizer, step_size=1, gamma=0.7)
    loader = DataLoader(TensorDataset(torch.tensor(data["images"]), torch.tensor(data["labels"])), batch_size=8)

    @wrap
    def step(x, target):
        optimizer.zero_grad()
        loss = F.nll_loss(net(x), target)
        loss.backward()
        optimizer.step()
        return loss

    losses = []
    net.train()
    while len(losses) < steps:
        for x, target in loader:
            losses.append(step(x, target).item())
        scheduler.step()
    net.eval()
    with torch.no_grad():
        prediction = net(torch.tensor(data["images"])).argmax(dim=1, keepdim=True)
        correct = prediction.eq(torch.tensor(data["labels"]).view_as(prediction)).sum().item()
    return losses[:steps] + [float(correct)]
