"""A generator of pictures and its critic, trained in turns; labels are filled in place."""

import torch
import torch.nn as nn
import torch.optim as optim


def weights_init(m):
    classname = m.__class__.__name__
    if classname.find("Conv") != -1:
        nn.init.normal_(m.weight.data, 0.0, 0.02)
    elif classname.find("BatchNorm") != -1:
        nn.init.normal_(m.weight.data, 1.0, 0.02)
        nn.init.constant_(m.bias.data, 0)


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(
            nn.ConvTranspose2d(6, 8, 4, 1, 0, bias=False), nn.BatchNorm2d(8), nn.ReLU(True),
            nn.ConvTranspose2d(8, 4, 4, 2, 1, bias=False), nn.BatchNorm2d(4), nn.ReLU(True),
            nn.ConvTranspose2d(4, 1, 4, 2, 1, bias=False), nn.Tanh())

    def forward(self, input):
        return self.main(input)


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(1, 4, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(4, 8, 4, 2, 1, bias=False), nn.BatchNorm2d(8), nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(8, 1, 4, 1, 0, bias=False), nn.Sigmoid())

    def forward(self, input):
        return self.main(input)


def make_data(rng):
    return {"images": rng.standard_normal((8, 1, 16, 16), dtype="float32"), "noise": rng.standard_normal((20, 8, 6, 1, 1), dtype="float32")}


def build():
    return nn.ModuleDict({"G": Generator().apply(weights_init), "D": Discriminator().apply(weights_init)})


def train(net, data, steps, wrap):
    netG, netD = net["G"], net["D"]
    criterion = nn.BCELoss()
    optimizerD = optim.Adam(netD.parameters(), lr=0.002, betas=(0.5, 0.999))
    optimizerG = optim.Adam(netG.parameters(), lr=0.002, betas=(0.5, 0.999))

    @wrap
    def step(real, noise, ones, zeros):
        netD.zero_grad()
        errD_real = criterion(netD(real).view(-1), ones)
        errD_real.backward()
        fake = netG(noise)
        errD_fake = criterion(netD(fake.detach()).view(-1), zeros)
        errD_fake.backward()
        optimizerD.step()
        netG.zero_grad()
        errG = criterion(netD(fake).view(-1), ones)
        errG.backward()
        optimizerG.step()
        return errD_real + errD_fake, errG

    real, noise = torch.tensor(data["images"]), torch.tensor(data["noise"])
    label = torch.full((real.size(0),), 1.0, dtype=torch.float)
    other = torch.empty_like(label).fill_(0.0)
    losses = []
    for i in range(steps):
        errD, errG = step(real, noise[i], label, other)
        losses += [errD.item(), errG.item()]
    return losses
