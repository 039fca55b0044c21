"""The networks of the zoo, in the order in which courses introduce them; larger families have files of their own."""

from __future__ import annotations

import math

from .. import nn
from .alexnet import alexnet
from .bilstm_tagger import Tagger
from .factorization import Recommender
from .googlenet import googlenet
from .gpt import GPT, char_gpt
from .language import LanguageModel, char_model, word_model
from .recurrent_forecaster import Forecaster
from .resnet import resnet, small_resnet
from .sentence import SentenceEncoder, TextCNN
from .seq2seq import Translator
from .show_attend_tell import Captioner
from .spectrogram import SpokenCNN, SpokenGRU
from .transformer import Transformer
from .unet import UNet, small_unet
from .vgg import vgg
from .vit import VisionTransformer, small_vit, vit_b16

__all__ = ["GPT", "Captioner", "Forecaster", "LanguageModel", "Recommender", "SentenceEncoder", "SpokenCNN", "SpokenGRU",
           "Tagger", "TextCNN", "Transformer", "Translator", "UNet", "VisionTransformer", "alexnet", "char_gpt", "char_model",
           "dropout_mlp", "googlenet", "lenet", "mlp", "regularized_lenet", "resnet", "small_convolution", "small_resnet", "small_unet",
           "small_vit", "softmax_regression", "vgg", "vit_b16", "word_model"]


def softmax_regression(shape: tuple[int, ...], classes: int) -> nn.Module:
    """One layer: a weight per input and class, and softmax (inside the loss) over the sums."""
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape), classes))


def mlp(shape: tuple[int, ...], classes: int, hidden: int = 128) -> nn.Module:
    """One hidden layer of rectified units between inputs and classes."""
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape), hidden), nn.ReLU(), nn.Linear(hidden, classes))


def dropout_mlp(shape: tuple[int, ...], classes: int, hidden: int = 1024, dropout: float = 0.5) -> nn.Module:
    """One hidden layer of rectified units with dropout: of the units, and two fifths as much of the inputs."""
    return nn.Sequential(nn.Flatten(), nn.Dropout(0.4 * dropout), nn.Linear(math.prod(shape), hidden), nn.ReLU(), nn.Dropout(dropout),
                         nn.Linear(hidden, classes))


def small_convolution(shape: tuple[int, ...], classes: int, channels: int = 16, dropout: float = 0.5) -> nn.Module:
    """Two 3x3 convolutions that keep the size, one pooling, dropout, one dense layer: enough for 8x8 digits."""
    depth, height, width = shape
    return nn.Sequential(
        nn.Conv2d(depth, channels, 3, padding=1), nn.ReLU(),
        nn.Conv2d(channels, 2 * channels, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(dropout), nn.Linear(2 * channels * (height // 2) * (width // 2), classes))


def lenet(shape: tuple[int, ...], classes: int) -> nn.Module:
    """LeNet with 20 and 50 filters of 5x5 and 500 hidden units: 431,080 parameters for 1x28x28 inputs and 10 classes.

    Source: LeCun, Bottou, Bengio, Haffner, Gradient-based learning applied to document recognition (1998); these sizes are
    those of the courses that followed it.
    """
    depth, height, width = shape
    height, width = ((size - 4) // 2 for size in (height, width))  # after each 5x5 convolution and 2x2 pooling
    height, width = ((size - 4) // 2 for size in (height, width))
    return nn.Sequential(
        nn.Conv2d(depth, 20, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(20, 50, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(50 * height * width, 500), nn.ReLU(), nn.Linear(500, classes))


def regularized_lenet(shape: tuple[int, ...], classes: int, dropout: float = 0.4) -> nn.Module:
    """LeNet with batch norm after each convolution, and dropout: half as much of it on whole channels as in the dense layers.

    Sources: Ioffe and Szegedy, "Batch normalization", 2015; Srivastava et al., "Dropout", 2014; Tompson et al., 2015 (channels).
    """
    depth, height, width = shape
    height, width = ((size - 4) // 2 for size in (height, width))
    height, width = ((size - 4) // 2 for size in (height, width))
    return nn.Sequential(
        nn.Conv2d(depth, 20, 5, bias=False), nn.BatchNorm2d(20), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(20, 50, 5, bias=False), nn.BatchNorm2d(50), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout2d(dropout / 2),
        nn.Flatten(), nn.Dropout(dropout), nn.Linear(50 * height * width, 500), nn.ReLU(), nn.Dropout(dropout), nn.Linear(500, classes))
