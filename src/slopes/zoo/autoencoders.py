"""Auto-encoders: networks that learn to say their input again, through a code that is narrow, sparse, robust, or random."""

from __future__ import annotations

import math
from itertools import pairwise

from .. import nn
from ..errors import ArgumentError
from ..tensor import Tensor
from .shapes import features

Shape = tuple[int, ...]


class AutoEncoder(nn.Module):
    """y = decoder(encoder(noise(x))); its loss is the mean squared error of y against the clean x.

    Train it with inputs as targets: `fit(net, Dataset(x, x), loss=net.loss)`. `encode(x)` gives the code, `decode(h)` what a code
    stands for. noise: a module that spoils inputs in training (None: none).
    Source: Goodfellow, Bengio, Courville, Deep Learning (2016), chapter 14.

    >>> import slopes as sl
    >>> net = AutoEncoder(sl.nn.Linear(8, 2), sl.nn.Linear(2, 8))
    >>> net(sl.ones((5, 8))).shape, net.encode(sl.ones((5, 8))).shape
    ((5, 8), (5, 2))
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, noise: nn.Module | None = None) -> None:
        self.encoder, self.decoder = encoder, decoder
        self.noise = nn.Identity() if noise is None else noise

    def encode(self, x: Tensor) -> Tensor:
        """The code of each example."""
        return self.encoder(x)

    def decode(self, code: Tensor) -> Tensor:
        """The example that a code stands for."""
        return self.decoder(code)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(self.noise(x)))

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The mean squared error; a subclass adds what it wants of its code."""
        return nn.mse_loss(outputs, targets)


class SparseAutoEncoder(AutoEncoder):
    """An auto-encoder whose code units, sigmoids, are to be active in a share `target` of the examples only:
    loss = squared error + weight KL(target || mean activity), summed over units.

    The code may then have more units than the input has numbers. Source: Ng, "Sparse autoencoder", CS294A lecture notes, 2011.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, target: float = 0.05, weight: float = 1e-3) -> None:
        super().__init__(encoder, decoder)
        self.target, self.weight = target, weight

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Squared error and the price of busy units."""
        return super().loss(outputs, targets) + self.weight * nn.kl_sparsity(self.encode(targets), self.target)


class ContractiveAutoEncoder(AutoEncoder):
    """An auto-encoder whose code shall hardly move when the input does: loss = squared error + weight mean |dh/dx|^2.

    The Jacobian's norm is estimated from `draws` random directions per example. Source: Rifai et al., "Contractive auto-encoders:
    explicit invariance during feature extraction", 2011.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, weight: float = 1e-3, draws: int | None = 1) -> None:
        super().__init__(encoder, decoder)
        self.weight, self.draws = weight, draws

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Squared error and the price of a sensitive code."""
        return super().loss(outputs, targets) + self.weight * nn.contractive_penalty(self.encode, targets, self.draws)


def linear(shape: Shape, code: int = 30) -> AutoEncoder:
    """One matrix to the code and one back, with biases: its best reconstruction is that of PCA with as many components.

    Source: Baldi and Hornik, "Neural networks and principal component analysis", 1989.
    """
    size = math.prod(shape)
    return AutoEncoder(nn.Sequential(nn.Flatten(), nn.Linear(size, code)), nn.Sequential(nn.Linear(code, size), nn.Unflatten(1, shape)))


def deep(shape: Shape, code: int = 30, hidden: tuple[int, ...] = (512, 256)) -> AutoEncoder:
    """Rectified hidden layers down to the code and, mirrored, up again: curved surfaces where PCA has planes.

    Source: Hinton and Salakhutdinov, "Reducing the dimensionality of data with neural networks", 2006.
    """
    return AutoEncoder(*halves(shape, code, hidden))


def sparse(shape: Shape, code: int = 1024, target: float = 0.05, weight: float = 1e-3) -> SparseAutoEncoder:
    """More units than inputs, kept meaningful by sparsity."""
    return SparseAutoEncoder(*shallow(shape, code), target, weight)


def contractive(shape: Shape, code: int = 256, weight: float = 1e-3, draws: int | None = 1) -> ContractiveAutoEncoder:
    """Sigmoid units whose sensitivity costs."""
    return ContractiveAutoEncoder(*shallow(shape, code), weight, draws)


def denoising(shape: Shape, code: int = 1024, noise: float = 0.3) -> AutoEncoder:
    """More units than inputs, kept meaningful by noise: a share of the pixels is masked, and the image is to be restored.

    Source: Vincent et al., "Extracting and composing robust features with denoising autoencoders", 2008.
    """
    return AutoEncoder(*shallow(shape, code), noise=nn.MaskingNoise(noise))


def convolutional(shape: Shape, channels: int = 16, code: int = 30) -> AutoEncoder:
    """Two convolutions with stride 2 and a dense layer to the code; transposed convolutions back. Sides must be multiples of 4.

    Source: Masci et al., "Stacked convolutional auto-encoders for hierarchical feature extraction", 2011.
    """
    depth, height, width = shape
    if height % 4 or width % 4:
        raise ArgumentError(f"convolutional auto-encoder: pictures of {height}x{width}", why="each of two layers halves them",
                            repair="pad them to sides that are multiples of 4")
    seen = nn.Sequential(nn.Conv2d(depth, channels, 3, 2, 1), nn.ReLU(), nn.Conv2d(channels, 2 * channels, 3, 2, 1), nn.ReLU(),
                         nn.Flatten())
    size = features(seen, shape)
    return AutoEncoder(
        nn.Sequential(*seen, nn.Linear(size, code)),
        nn.Sequential(nn.Linear(code, size), nn.ReLU(), nn.Unflatten(1, (2 * channels, height // 4, width // 4)),
                      nn.ConvTranspose2d(2 * channels, channels, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(channels, depth, 4, 2, 1)))


def halves(shape: Shape, code: int, hidden: tuple[int, ...]) -> tuple[nn.Module, nn.Module]:
    """Encoder and decoder with these hidden layers, mirrored."""
    sizes = (math.prod(shape), *hidden)
    down = [layer for before, after in pairwise(sizes) for layer in (nn.Linear(before, after), nn.ReLU())]
    up = [layer for before, after in zip(hidden[::-1], sizes[-2::-1]) for layer in (nn.ReLU(), nn.Linear(before, after))]
    return (nn.Sequential(nn.Flatten(), *down, nn.Linear(sizes[-1], code)),
            nn.Sequential(nn.Linear(code, sizes[-1]), *up, nn.Unflatten(1, shape)))


def shallow(shape: Shape, code: int) -> tuple[nn.Module, nn.Module]:
    """One layer of sigmoids, and one linear layer back."""
    size = math.prod(shape)
    return (nn.Sequential(nn.Flatten(), nn.Linear(size, code), nn.Sigmoid()), nn.Sequential(nn.Linear(code, size), nn.Unflatten(1, shape)))

