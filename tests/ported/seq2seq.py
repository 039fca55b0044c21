"""Translation with attention: a GRU encoder, and a decoder that attends to its outputs, with teacher forcing."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import optim

VOCABULARY, HIDDEN, LENGTH = 12, 16, 5


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, HIDDEN)
        self.gru = nn.GRU(HIDDEN, HIDDEN, batch_first=True)

    def forward(self, x):
        return self.gru(self.embedding(x))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.Wa = nn.Linear(HIDDEN, HIDDEN)
        self.Ua = nn.Linear(HIDDEN, HIDDEN)
        self.Va = nn.Linear(HIDDEN, 1)

    def forward(self, query, keys):
        scores = self.Va(torch.tanh(self.Wa(query) + self.Ua(keys)))
        weights = F.softmax(scores.squeeze(2).unsqueeze(1), dim=-1)
        return torch.bmm(weights, keys), weights


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, HIDDEN)
        self.attention = Attention()
        self.gru = nn.GRU(2 * HIDDEN, HIDDEN, batch_first=True)
        self.out = nn.Linear(HIDDEN, VOCABULARY)

    def forward(self, encoded, hidden, target):
        token = torch.zeros(encoded.size(0), 1, dtype=torch.long)
        outputs = []
        for i in range(LENGTH):
            context, _ = self.attention(hidden.permute(1, 0, 2), encoded)
            output, hidden = self.gru(torch.cat((self.embedding(token), context), dim=2), hidden)
            outputs.append(self.out(output))
            token = target[:, i].unsqueeze(1)
        return F.log_softmax(torch.cat(outputs, dim=1), dim=-1)


def make_data(rng):
    return {"source": rng.integers(1, VOCABULARY, (8, LENGTH)), "target": rng.integers(1, VOCABULARY, (8, LENGTH))}


def build():
    return nn.ModuleDict({"encoder": Encoder(), "decoder": Decoder()})


def train(net, data, steps, wrap):
    encoder, decoder = net["encoder"], net["decoder"]
    optimizers = [optim.Adam(encoder.parameters(), lr=0.01), optim.Adam(decoder.parameters(), lr=0.01)]
    criterion = nn.NLLLoss()

    @wrap
    def step(source, target):
        for optimizer in optimizers:
            optimizer.zero_grad()
        encoded, hidden = encoder(source)
        outputs = decoder(encoded, hidden, target)
        loss = criterion(outputs.view(-1, outputs.size(-1)), target.reshape(-1))
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
        return loss

    source, target = torch.tensor(data["source"]), torch.tensor(data["target"])
    return [step(source, target).item() for _ in range(steps)]
