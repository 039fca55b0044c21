"""A language model of words: LSTM, hidden state carried from batch to batch, clipped gradients, an update by hand."""

import torch
import torch.nn as nn
import torch.nn.functional as F

TOKENS, WIDTH, HIDDEN, LAYERS, BPTT = 15, 12, 12, 2, 6


class RNNModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.drop = nn.Dropout(0.0)
        self.encoder = nn.Embedding(TOKENS, WIDTH)
        self.rnn = nn.LSTM(WIDTH, HIDDEN, LAYERS)
        self.decoder = nn.Linear(HIDDEN, TOKENS)
        self.init_weights()

    def init_weights(self):
        nn.init.uniform_(self.encoder.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)
        self.decoder.weight.data.uniform_(-0.1, 0.1)

    def forward(self, input, hidden):
        emb = self.drop(self.encoder(input))
        output, hidden = self.rnn(emb, hidden)
        decoded = self.decoder(self.drop(output)).view(-1, TOKENS)
        return F.log_softmax(decoded, dim=1), hidden

    def init_hidden(self, bsz):
        weight = next(self.parameters())
        return weight.new_zeros(LAYERS, bsz, HIDDEN), weight.new_zeros(LAYERS, bsz, HIDDEN)


def repackage_hidden(h):
    if isinstance(h, torch.Tensor):
        return h.detach()
    return tuple(repackage_hidden(v) for v in h)


def batchify(data, bsz):
    nbatch = data.size(0) // bsz
    return data.narrow(0, 0, nbatch * bsz).view(bsz, -1).t().contiguous()


def make_data(rng):
    return {"words": rng.integers(0, TOKENS, 500)}


def build():
    return RNNModel()


def train(net, data, steps, wrap):
    source, criterion = batchify(torch.tensor(data["words"]), 4), nn.NLLLoss()

    @wrap
    def step(x, targets, hidden):
        net.zero_grad()
        hidden = repackage_hidden(hidden)
        output, hidden = net(x, hidden)
        loss = criterion(output, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 0.25)
        with torch.no_grad():
            for p in net.parameters():
                p.add_(p.grad, alpha=-2.0)
        return loss, hidden

    hidden, losses = net.init_hidden(4), []
    for i in range(0, steps * BPTT, BPTT):
        x, targets = source[i:i + BPTT], source[i + 1:i + 1 + BPTT].view(-1)
        loss, hidden = step(x, targets, hidden)
        losses.append(loss.item())
    return losses
