"""A variational autoencoder of digits; the noise is an argument, as random numbers differ between libraries."""

import torch
from torch import nn, optim
from torch.nn import functional as F


class VAE(nn.Module):
    def __init__(self):
        super(VAE, self).__init__()
        self.fc1 = nn.Linear(64, 32)
        self.fc21 = nn.Linear(32, 4)
        self.fc22 = nn.Linear(32, 4)
        self.fc3 = nn.Linear(4, 32)
        self.fc4 = nn.Linear(32, 64)

    def encode(self, x):
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar, eps):
        std = torch.exp(0.5 * logvar)
        return mu + eps * std

    def decode(self, z):
        return torch.sigmoid(self.fc4(F.relu(self.fc3(z))))

    def forward(self, x, eps):
        mu, logvar = self.encode(x.view(-1, 64))
        return self.decode(self.reparameterize(mu, logvar, eps)), mu, logvar


def loss_function(recon_x, x, mu, logvar):
    BCE = F.binary_cross_entropy(recon_x, x.view(-1, 64), reduction="sum")
    KLD = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return BCE + KLD


def make_data(rng):
    return {"images": rng.random((16, 1, 8, 8), dtype="float32"), "noise": rng.standard_normal((20, 16, 4), dtype="float32")}


def build():
    return VAE()


def train(net, data, steps, wrap):
    optimizer = optim.Adam(net.parameters(), lr=1e-3)

    @wrap
    def step(x, eps):
        optimizer.zero_grad()
        recon_batch, mu, logvar = net(x, eps)
        loss = loss_function(recon_batch, x, mu, logvar)
        loss.backward()
        optimizer.step()
        return loss

    x, noise = torch.tensor(data["images"]), torch.tensor(data["noise"])
    return [step(x, noise[i]).item() / len(x) for i in range(steps)]
