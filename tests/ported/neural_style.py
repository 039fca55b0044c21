"""The style of one picture and the content of another: Gram matrices of a fixed CNN; the picture itself is optimized."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim


def gram_matrix(input):
    a, b, c, d = input.size()
    features = input.view(a * b, c * d)
    G = torch.mm(features, features.t())
    return G.div(a * b * c * d)


class Features(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 3, padding=1)
        self.conv2 = nn.Conv2d(6, 8, 3, padding=1)
        self.pool = nn.AvgPool2d(2)
        self.image = nn.Parameter(torch.rand(1, 3, 12, 12))
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(-1, 1, 1))

    def forward(self, img):
        one = F.relu(self.conv1(img - self.mean))
        return one, F.relu(self.conv2(self.pool(one)))


def make_data(rng):
    return {"style": rng.random((1, 3, 12, 12), dtype="float32"), "content": rng.random((1, 3, 12, 12), dtype="float32")}


def build():
    return Features()


def train(net, data, steps, wrap):
    for p in (*net.conv1.parameters(), *net.conv2.parameters()):
        p.requires_grad_(False)
    net.eval()
    styles = [gram_matrix(f).detach() for f in net(torch.tensor(data["style"]))]
    content = net(torch.tensor(data["content"]))[1].detach()
    optimizer = optim.Adam([net.image], lr=0.05)

    @wrap
    def step():
        with torch.no_grad():
            net.image.clamp_(0, 1)
        optimizer.zero_grad()
        features = net(net.image)
        style = sum(F.mse_loss(gram_matrix(f), target) for f, target in zip(features, styles))
        loss = 1e4 * style + F.mse_loss(features[1], content)
        loss.backward()
        optimizer.step()
        return loss

    return [step().item() for _ in range(steps)]
