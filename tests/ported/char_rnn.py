"""Names to languages, letter by letter: a recurrent cell written by hand, plain gradient descent on `p.data`."""

import torch
import torch.nn as nn

LETTERS = "abcdefghijklmnopqrstuvwxyz"
NAMES = [("satoshi", 0), ("keiko", 0), ("ivanov", 1), ("petrov", 1), ("rossi", 2), ("bianchi", 2)]


class RNN(nn.Module):
    def __init__(self, input_size, hidden_size, output_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.i2h = nn.Linear(input_size + hidden_size, hidden_size)
        self.h2o = nn.Linear(hidden_size, output_size)
        self.softmax = nn.LogSoftmax(dim=1)

    def forward(self, x, hidden):
        hidden = torch.tanh(self.i2h(torch.cat((x, hidden), 1)))
        return self.softmax(self.h2o(hidden)), hidden

    def init_hidden(self):
        return torch.zeros(1, self.hidden_size)


def line_to_tensor(line):
    tensor = torch.zeros(len(line), 1, len(LETTERS))
    for i, letter in enumerate(line):
        tensor[i][0][LETTERS.find(letter)] = 1
    return tensor


def make_data(rng):
    return {"order": rng.integers(0, len(NAMES), 20)}


def build():
    return RNN(len(LETTERS), 16, 3)


def train(net, data, steps, wrap):
    criterion = nn.NLLLoss()

    @wrap
    def step(line, category):
        hidden = net.init_hidden()
        net.zero_grad()
        for i in range(line.size()[0]):
            output, hidden = net(line[i], hidden)
        loss = criterion(output, category)
        loss.backward()
        with torch.no_grad():
            for p in net.parameters():
                p -= 0.05 * p.grad
        return loss

    losses = []
    for i in data["order"].tolist()[:steps]:
        name, category = NAMES[i]
        losses.append(step(line_to_tensor(name), torch.tensor([category], dtype=torch.long)).item())
    return losses
