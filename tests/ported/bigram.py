"""Letters from the letter before: a table of logits, counted and then learned by hand, without a module for the layer."""

import torch
import torch.nn.functional as F
from torch import nn

WORDS = ["emma", "olivia", "ava", "isabella", "sophia", "mia"]


class Table(nn.Module):
    def __init__(self):
        super().__init__()
        self.W = nn.Parameter(torch.randn((27, 27)))


def make_data(rng):
    return {}


def build():
    return Table()


def train(net, data, steps, wrap):
    stoi = {s: i + 1 for i, s in enumerate("abcdefghijklmnopqrstuvwxyz")}
    stoi["."] = 0
    xs, ys = [], []
    N = torch.zeros((27, 27), dtype=torch.int32)
    for w in WORDS:
        chs = ["."] + list(w) + ["."]
        for ch1, ch2 in zip(chs, chs[1:]):
            xs.append(stoi[ch1])
            ys.append(stoi[ch2])
            N[stoi[ch1], stoi[ch2]] += 1
    P = (N + 1).float()
    P /= P.sum(1, keepdim=True)
    counted = -torch.log(P[xs, ys]).mean().item()

    W = net.W
    xs, ys = torch.tensor(xs), torch.tensor(ys)
    losses = [counted]
    for _ in range(steps - 1):
        xenc = F.one_hot(xs, num_classes=27).float()
        logits = xenc @ W
        counts = logits.exp()
        probs = counts / counts.sum(1, keepdims=True)
        loss = -probs[torch.arange(len(ys)), ys].log().mean() + 0.01 * (W**2).mean()
        W.grad = None
        loss.backward()
        W.data += -5 * W.grad
        losses.append(loss.item())
    return losses
