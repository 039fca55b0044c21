"""The networks that are measured, each once: `nn` is layers_slopes, layers_torch, layers_jax or layers_onnx, with common names.

Beside each stand the multiply-adds of its layers for one example, first layer first; the first needs no gradient of its input.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any


def tiny(nn: Any) -> Any:
    """2-8-8-2: all cost is overhead."""
    return nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 2))


TINY = (2 * 8, 8 * 8, 8 * 2)


def mlp(nn: Any) -> Any:
    """784-128-10: a matrix product of middle size, and memory traffic for the weights."""
    return nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))


MLP = (784 * 128, 128 * 10)


def wide(nn: Any) -> Any:
    """784-512-512-10: larger products, and six times the weights for the optimizer."""
    return nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))


WIDE = (784 * 512, 512 * 512, 512 * 10)


def lenet(nn: Any) -> Any:
    """Two convolutions of 5 x 5 with pooling, 500 hidden units: 431,080 parameters."""
    return nn.Sequential(
        nn.Conv2d(1, 20, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(20, 50, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(800, 500), nn.ReLU(), nn.Linear(500, 10))


LENET = (20 * 25 * 24 * 24, 50 * 500 * 8 * 8, 800 * 500, 500 * 10)


def alexnet(nn: Any, features: int = 9216, hidden: int = 4096, classes: int = 1000) -> Any:
    """One tower, 62,378,344 parameters: Krizhevsky's network without response normalization, and without dropout, because two
    systems never leave out the same units."""
    return nn.Sequential(
        nn.Conv2d(3, 96, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(96, 256, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(256, 384, 3, padding=1), nn.ReLU(),
        nn.Conv2d(384, 384, 3, padding=1), nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Flatten(), nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, classes))


ALEXNET = (96 * 363 * 55 * 55, 256 * 2400 * 27 * 27, 384 * 2304 * 13 * 13, 384 * 3456 * 13 * 13, 256 * 3456 * 13 * 13,
           9216 * 4096, 4096 * 4096, 4096 * 1000)


def resnet20(nn: Any) -> Any:
    """ResNet-20 for 32 x 32 x 3 with batch norm: 269,722 parameters, shortcuts without weights (the paper's option A)."""
    def convolution(before: int, after: int, stride: int = 1) -> list[Any]:
        return [nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(after)]

    def block(before: int, after: int) -> list[Any]:
        wider = after != before
        body = [*convolution(before, after, 2 if wider else 1), nn.ReLU(), *convolution(after, after)]
        return [nn.Residual(*body, shortcut=nn.Skip(after) if wider else None), nn.ReLU()]

    widths = (16, 16, 16, 16, 32, 32, 32, 64, 64, 64)
    blocks = [layer for before, after in pairwise(widths) for layer in block(before, after)]
    return nn.Sequential(*convolution(3, 16), nn.ReLU(), *blocks, nn.GlobalAvgPool(), nn.Linear(64, 10))


RESNET20 = (16 * 27 * 1024, *[16 * 144 * 1024] * 6, 32 * 144 * 256, *[32 * 288 * 256] * 5, 64 * 288 * 64, *[64 * 576 * 64] * 5, 64 * 10)


def resnet50(nn: Any) -> Any:
    """ResNet-50 for images, with shortcuts of 1 x 1 where the size changes: 25,557,032 parameters. The first pooling is 2 x 2."""
    def convolution(before: int, after: int, size: int, stride: int = 1) -> list[Any]:
        return [nn.Conv2d(before, after, size, stride=stride, padding=size // 2, bias=False), nn.BatchNorm2d(after)]

    def block(before: int, width: int, stride: int) -> list[Any]:
        body = [*convolution(before, width, 1), nn.ReLU(), *convolution(width, width, 3, stride), nn.ReLU(),
                *convolution(width, 4 * width, 1)]
        changes = stride > 1 or before != 4 * width
        return [nn.Residual(*body, shortcut=nn.Sequential(*convolution(before, 4 * width, 1, stride)) if changes else None), nn.ReLU()]

    layers, before = [*convolution(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(2)], 64
    for stage, (width, count) in enumerate(STAGES):
        for i in range(count):
            layers += block(before, width, 2 if stage and not i else 1)
            before = 4 * width
    return nn.Sequential(*layers, nn.GlobalAvgPool(), nn.Linear(2048, 1000))


STAGES = (64, 3), (128, 4), (256, 6), (512, 3)  # width and blocks


def resnet50_products() -> tuple[int, ...]:
    """Multiply-adds of the layers for an image of 224 x 224."""
    products, before, side = [64 * 147 * 112**2], 64, 56
    for stage, (width, count) in enumerate(STAGES):
        for i in range(count):
            first = side  # the first convolution of a block sees the size before the stride
            side = side // 2 if stage and not i else side
            products += [before * width * first**2, 9 * width**2 * side**2, 4 * width**2 * side**2]
            products += [4 * before * width * side**2] if not i else []
            before = 4 * width
    return (*products, 2048 * 1000)


RESNET50 = resnet50_products()


def scaled(products: tuple[int, ...], side: int) -> tuple[int, ...]:
    """About the multiply-adds for images of another side than 224."""
    return tuple(product * side**2 // 224**2 for product in products)


def autoencoder(nn: Any) -> Any:
    """28 x 28 pixels to 64 numbers and back: two convolutions of 3 x 3 that halve the size (16 and 32 channels) and one of 7 x 7
    over all that is left; the same in reverse with transposed convolutions, a sigmoid, mean squared error. 210,369 parameters."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.ReLU(),  # 14 x 14
        nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),  # 7 x 7
        nn.Conv2d(32, 64, 7),  # 1 x 1
        nn.ConvTranspose2d(64, 32, 7), nn.ReLU(),
        nn.ConvTranspose2d(32, 16, 3, stride=2, padding=1, output_padding=1), nn.ReLU(),
        nn.ConvTranspose2d(16, 1, 3, stride=2, padding=1, output_padding=1), nn.Sigmoid())


AUTOENCODER = (16 * 9 * 14 * 14, 32 * 144 * 7 * 7, 64 * 32 * 49, 64 * 32 * 49, 32 * 144 * 7 * 7, 16 * 9 * 14 * 14)

WIDTH, CONTEXT, LONG, DEPTH, VOCABULARY = 128, 64, 1024, 4, 65


def gpt(nn: Any, context: int = CONTEXT) -> Any:
    """A character GPT: 4 layers of width 128, 4 heads, context 64, no biases, tied weights, no dropout: 804,096 parameters."""
    return nn.Sequential(nn.GPT(VOCABULARY, context, WIDTH, DEPTH, 4), nn.Flatten(0, 1))


def long_gpt(nn: Any) -> Any:
    """The same with a context of 1,024: most of the work is attention."""
    return gpt(nn, LONG)


def transformer(context: int, width: int = WIDTH, depth: int = DEPTH, vocabulary: int = VOCABULARY) -> tuple[int, ...]:
    """Projections and dense layers, attention as if nothing were hidden, output."""
    return 0, *[12 * context * width**2, 2 * context**2 * width] * depth, context * width * vocabulary


def gpt2(nn: Any, vocabulary: int = 50_257, width: int = 768, depth: int = 12, heads: int = 12) -> Any:
    """A transformer of the size of GPT-2: 12 layers of width 768, 12 heads, context 128, an output with its own weights, no biases.

    162,246,912 parameters.
    """
    return nn.Sequential(nn.Decoder(vocabulary, 128, width, depth, heads), nn.Flatten(0, 1), nn.Linear(width, vocabulary, bias=False))


GPT2 = transformer(128, 768, 12, 50_257)


EMBEDDING, HIDDEN = 64, 256


def language(nn: Any, layer: str) -> Any:
    """A recurrent model of characters: for each place of a sequence the next token, from an embedding and one recurrent layer."""
    return nn.Sequential(nn.Embedding(VOCABULARY, EMBEDDING), nn.Outputs(getattr(nn, layer)(EMBEDDING, HIDDEN)), nn.Flatten(0, 1),
                         nn.Linear(HIDDEN, VOCABULARY))


def elman(nn: Any) -> Any:
    """h = tanh(W x + U h + b): 103,297 parameters with embedding and output."""
    return language(nn, "RNN")


def lstm(nn: Any) -> Any:
    """Input, forget and output gates: 350,593 parameters."""
    return language(nn, "LSTM")


def gru(nn: Any) -> Any:
    """Reset and update gates: 268,161 parameters."""
    return language(nn, "GRU")


def gated(gates: int) -> tuple[int, ...]:
    """The embedding is no product; the recurrent layer, the output."""
    return 0, gates * CONTEXT * HIDDEN * (EMBEDDING + HIDDEN), CONTEXT * HIDDEN * VOCABULARY
