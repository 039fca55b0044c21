"""Dropout: in training, values (or whole channels) are set to zero at random."""

from __future__ import annotations

from ..constraint import FLAG, SHARE, check
from ..errors import ShapeError
from ..ops.activations import SELU_ALPHA, SELU_SCALE
from ..ops.composite import where
from ..random import Generator, bernoulli
from ..tensor import Tensor
from .hyper_parameter import HyperParameter, format_value
from .module import Module
from .where import layer_and_location


class Dropping(Module):
    """The base class of dropout layers: a probability, a random generator, and `inplace`, which has no effect."""

    p = HyperParameter(SHARE)
    constraints = {"p": SHARE, "inplace": FLAG}

    def __init__(self, p: float = 0.5, inplace: bool = False, generator: Generator | None = None) -> None:
        check(type(self).__name__, self.constraints, {"p": p, "inplace": inplace})
        self.p = p
        self.generator = generator

    def details(self) -> str:
        return format_value(self.p)


class Dropout(Dropping):
    """In training mode y = x m / (1 - p), where each m is 0 with probability p and 1 otherwise; in eval mode y = x.

    x and y: any shape. The scaling preserves the expected value. The mask is drawn from `generator`, or from the default one,
    which slopes.seed seeds. p is stored as a tensor: layer.p = 0.2 does not recompile. `inplace` has no effect.
    Raises ArgumentError unless 0 <= p < 1. Source: Srivastava et al., "Dropout", 2014.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> layer = nn.Dropout(0.5)
    >>> sorted(set(layer(sl.ones((1000,))).numpy().tolist()))
    [0.0, 2.0]
    >>> bool((layer.eval()(sl.ones((3,))) == 1).all())
    True
    """

    def forward(self, x: Tensor) -> Tensor:
        return drop(x, self.p, x.shape, self.generator) if self.training else x


class SharedMaskDropout(Dropping):
    """Dropout that draws once per index of the axes `drawn` and applies the result to all other axes."""

    axes: tuple[str, ...]  # of x
    drawn: tuple[int, ...]
    why: str

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != len(self.axes):
            what, where = layer_and_location(self, x)
            raise ShapeError(f"{what} needs x of shape ({', '.join(self.axes)}), but x is {tuple(x.shape)}",
                             why=self.why, repair="nn.Dropout drops single values", where=where)
        shape = tuple(n if axis in self.drawn else 1 for axis, n in enumerate(x.shape))
        return drop(x, self.p, shape, self.generator) if self.training else x


class Dropout1d(SharedMaskDropout):
    """Dropout of whole channels: y[n, c] = x[n, c] m[n, c] / (1 - p), one draw per channel and example; in eval mode y = x.

    x and y: (N, C, L). Raises ArgumentError unless 0 <= p < 1, ShapeError unless x has 3 axes.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> y = nn.Dropout1d(0.5)(sl.ones((2, 8, 3))).numpy()
    >>> sorted({float(channel.mean()) for example in y for channel in example})
    [0.0, 2.0]
    """

    axes, drawn, why = ("N", "C", "L"), (0, 1), "it drops whole channels of sequences"


class Dropout2d(SharedMaskDropout):
    """Dropout of whole channels: y[n, c] = x[n, c] m[n, c] / (1 - p), one draw per channel and example; in eval mode y = x.

    x and y: (N, C, H, W). Neighbouring pixels are strongly correlated, so dropping single pixels removes little information.
    Raises ArgumentError unless 0 <= p < 1, ShapeError unless x has 4 axes.
    Source: Tompson et al., "Efficient object localization using convolutional networks", 2015.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> y = nn.Dropout2d(0.5)(sl.ones((2, 8, 3, 3))).numpy()
    >>> sorted({float(channel.mean()) for example in y for channel in example})
    [0.0, 2.0]
    """

    axes, drawn, why = ("N", "C", "H", "W"), (0, 1), "it drops whole channels of images"


class Dropout3d(SharedMaskDropout):
    """Dropout2d with one more axis: x and y: (N, C, D, H, W).

    >>> import slopes as sl
    >>> from slopes import nn
    >>> y = nn.Dropout3d(0.5)(sl.ones((2, 8, 3, 2, 2))).numpy()
    >>> sorted({float(channel.mean()) for example in y for channel in example})
    [0.0, 2.0]
    """

    axes, drawn, why = ("N", "C", "D", "H", "W"), (0, 1), "it drops whole channels of volumes"


class SequenceDropout(SharedMaskDropout):
    """Dropout of the same features in all time steps: y[n, t, f] = x[n, t, f] m[n, f] / (1 - p); in eval mode y = x.

    x and y: (batch, time, features). One draw per sequence and feature: a recurrent network cannot recover the value from the
    previous step. Raises ArgumentError unless 0 <= p < 1, ShapeError unless x has 3 axes.
    Source: Gal and Ghahramani, "A theoretically grounded application of dropout in recurrent neural networks", 2016.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> y = nn.SequenceDropout(0.5)(sl.ones((2, 3, 8))).numpy()
    >>> bool((y == y[:, :1]).all()), sorted({float(value) for value in y.ravel()})
    (True, [0.0, 2.0])
    """

    axes, drawn, why = ("batch", "time", "features"), (0, 2), "it drops the same features in all steps"


SATURATION = -SELU_SCALE * SELU_ALPHA  # the limit of SELU as x goes to minus infinity


class AlphaDropout(Dropping):
    """In training mode y = a (x m + s (1 - m)) + b: dropped values become SELU's minimum s = -1.7581, and a, b preserve mean 0 and
    variance 1; in eval mode y = x.

    a = ((1 - p) (1 + p s^2))^(-1/2), b = -a p s. x and y: any shape. Raises ArgumentError unless 0 <= p < 1.
    Source: Klambauer et al., "Self-normalizing neural networks", 2017.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> y = nn.AlphaDropout(0.3)(sl.normal((100_000,)))
    >>> abs(float(y.mean())) < 0.02, abs(float(y.std()) - 1) < 0.02
    (True, True)
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        p = self.p.astype(x.dtype)
        scale = ((1 - p) * (1 + p * SATURATION ** 2)).sqrt()
        kept = bernoulli(1 - p, self.drawn_shape(x), generator=self.generator)
        return (where(kept, x, SATURATION) - p * SATURATION) / scale

    def drawn_shape(self, x: Tensor) -> tuple[int, ...]:
        """The shape of the draws, which broadcasts to x."""
        return x.shape


class FeatureAlphaDropout(AlphaDropout):
    """AlphaDropout of whole channels: one draw per channel and example. x and y: (N, C, ...), with at least 2 axes.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> y = nn.FeatureAlphaDropout(0.3)(sl.ones((2, 3, 8))).numpy()
    >>> bool((y == y[:, :, :1]).all())
    True
    """

    def drawn_shape(self, x: Tensor) -> tuple[int, ...]:
        if x.ndim < 2:
            what, where_ = layer_and_location(self, x)
            raise ShapeError(f"{what} needs x of shape (N, C, ...), but x is {tuple(x.shape)}", why="it drops whole channels",
                             repair="nn.AlphaDropout drops single values", where=where_)
        return (*x.shape[:2], *(1,) * (x.ndim - 2))


def drop(x: Tensor, p: Tensor, shape: tuple[int, ...], generator: Generator | None) -> Tensor:
    """Dropout of x with probability p; one draw per element of `shape`, which broadcasts to x."""
    keep = 1 - p.astype(x.dtype)
    return x * (bernoulli(keep, shape, generator=generator).astype(x.dtype) / keep)
