"""XOR: a straight line cannot separate it, two layers can. The network, its training step and its graph, in thirty lines."""

from __future__ import annotations

import slopes as sl
from slopes import nn, optim

inputs = sl.tensor([[0., 0.], [0., 1.], [1., 0.], [1., 1.]])
targets = sl.tensor([0, 1, 1, 0])

sl.seed(0)
net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))
optimizer = optim.Adam(net.parameters(), lr=0.05)


@sl.compile
def step(x, t):
    """One full-batch step; recorded once, then native."""
    loss = nn.cross_entropy(net(x), t)
    net.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


for number in range(200):
    loss = step(inputs, targets)
    if number % 50 == 0:
        print(f"step {number:3}  loss {loss.item():.4f}")
print("input -> answer:", [(row, answer) for row, answer in zip(inputs.tolist(), sl.argmax(net(inputs), axis=1).tolist())])
