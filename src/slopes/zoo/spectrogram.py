"""From how loud each pitch is at each moment to a word: convolutions that end in one row of features over time, or a recurrent layer."""

from __future__ import annotations

from .. import nn
from ..errors import ShapeError
from ..nn.transformer import make_dropout
from ..ops.composite import permute_dims
from ..tensor import Tensor
from .tokens import recurrent


class SpokenCNN(nn.Module):
    """The logits of a word's classes: three convolutions with pooling over pitches and moments, then one over moments alone.

    x: (N, 1, bands, time), a spectrogram; y: (N, classes). A word is the same a moment later, but not at another pitch: what is
    left of the pitches becomes channels before the last convolution, and only then the largest answer over all moments is taken.
    bands must be 8 or more, time 4 or more: ShapeError otherwise, as for other axes.
    Source: Abdel-Hamid et al., "Convolutional neural networks for speech recognition", 2014.

    >>> import slopes as sl
    >>> SpokenCNN(bands=40, classes=10, channels=4)(sl.zeros((2, 1, 40, 61))).shape
    (2, 10)
    """

    def __init__(self, bands: int, classes: int, channels: int = 16, dropout: float = 0.3) -> None:
        if bands < 8:
            raise ShapeError(f"SpokenCNN: bands={bands}", why="three poolings halve them", repair="use 8 or more, such as 40")
        wide = (1, channels, 2 * channels, 4 * channels)
        self.picture = nn.Sequential(*[
            layer for before, after, pool in zip(wide, wide[1:], (2, 2, (2, 1)))
            for layer in (nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(pool))])
        self.moments = nn.Sequential(
            nn.Dropout2d(dropout / 2), nn.Flatten(1, 2), nn.Conv1d(4 * channels * (bands // 8), 8 * channels, 3, padding=1, bias=False),
            nn.BatchNorm1d(8 * channels), nn.ReLU())
        self.head = nn.Sequential(make_dropout(dropout), nn.Linear(8 * channels, classes))
        self.bands = bands

    def forward(self, x: Tensor) -> Tensor:
        check_sound("SpokenCNN", x, self.bands)
        return self.head(self.moments(self.picture(x)).max(axis=2))


class SpokenGRU(nn.Module):
    """The logits of a word's classes: a recurrent layer reads the moments in both directions; its largest states over time tell.

    x: (N, 1, bands, time), a spectrogram; y: (N, classes). kind: "rnn", "lstm" or "gru". Raises ShapeError for other axes.
    Source: Graves, Mohamed, Hinton, "Speech recognition with deep recurrent neural networks", 2013.

    >>> import slopes as sl
    >>> SpokenGRU(bands=40, classes=10, hidden=8)(sl.zeros((2, 1, 40, 61))).shape
    (2, 10)
    """

    def __init__(self, bands: int, classes: int, hidden: int = 96, dropout: float = 0.3, kind: str = "gru") -> None:
        self.memory = recurrent("SpokenGRU", kind, bands, hidden, 1, bidirectional=True)
        self.head = nn.Sequential(make_dropout(dropout), nn.Linear(2 * hidden, classes))
        self.bands = bands

    def forward(self, x: Tensor) -> Tensor:
        check_sound("SpokenGRU", x, self.bands)
        states, _ = self.memory(permute_dims(x[:, 0], (0, 2, 1)))  # (N, time, 2 hidden)
        return self.head(states.max(axis=1))


def check_sound(name: str, x: Tensor, bands: int) -> None:
    """The axes of a batch of spectrograms."""
    if x.ndim != 4 or x.shape[1:3] != (1, bands) or x.shape[3] < 4:
        raise ShapeError(f"{name}: x is {tuple(x.shape)}", why=f"its axes are (sounds, 1, bands, time): {bands} bands, 4 moments or more")
