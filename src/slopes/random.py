"""Random numbers from explicit state (key and counter): a seed gives the same sequence in eager and compiled mode."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .draws import LARGE, Numbers, draw_blocks
from .errors import ArgumentError, ShapeError
from .graph.build import build, constant
from .graph.dtype import DType, as_dtype, default_float, uint32
from .graph.shape import Shape, check_dimensions, size, whole
from .guarded import guarded
from .modes import mode
from .ops import composite, sampling
from .tensor import Tensor, asarray, from_array, perform, tensor

Sizes = int | Sequence[int]
Key = tuple[Tensor, Tensor]


class Generator:
    """A source of random numbers: a key of two 32-bit words made from the seed, and a counter of the draws so far.

    Draw c has its own key, threefry(key, 2c) and threefry(key, 2c + 1), and its element i is threefry(its key, i)
    (Salmon, Moraes, Dror, Shaw: Parallel random numbers, SC 2011). A number depends only on the seed, the number of draws before
    it, and its index. The sequence repeats after 2^31 draws; a draw has fewer than 2^32 numbers. Key and counter are state of a
    compiled function: each call continues where the last one stopped.

    >>> import slopes as sl
    >>> a, b = sl.Generator(seed=1), sl.Generator(seed=1)
    >>> bool(sl.all(sl.uniform(3, generator=a) == sl.uniform(3, generator=b)))
    True
    """

    def __init__(self, seed: int = 0) -> None:
        self.key = tensor(key_of(seed))
        self.counter = tensor(np.zeros((), np.uint32))

    def seed(self, seed: int) -> None:
        """Restart with this seed, an integer from 0 to 2^64 - 1."""
        self.key.assign(key_of(seed))
        self.counter.assign(np.zeros((), np.uint32))

    def draw(self) -> Key:
        """The key of the next draw; increments the counter."""
        first, second = self.key[0], self.key[1]
        counter = self.counter * 2
        keys = tuple(perform("random_bits", (first, second, counter + offset), {}) for offset in (0, 1))
        self.counter.assign(self.counter + 1)
        return keys  # type: ignore[return-value]

    def __repr__(self) -> str:
        return f"Generator(key={self.key.peek()}, draws={self.counter.peek()})"


def key_of(seed: int) -> np.ndarray:
    """The two words of a seed."""
    value = whole(seed)
    if value is None or not 0 <= value < 1 << 64:
        raise ArgumentError(f"seed {seed!r} is not a seed", why="a seed is an integer from 0 to 2^64 - 1")
    return np.array([value & 0xFFFFFFFF, value >> 32], np.uint32)


default = Generator()


class Using(threading.local):
    """The generators of the with-blocks that this thread is in, innermost last."""

    def __init__(self) -> None:
        self.generators: list[Generator] = []


in_use = Using()


@contextlib.contextmanager
def using(generator: Generator) -> Iterator[Generator]:
    """A block in which `generator` replaces the default one, in this thread only.

    A function compiled in the block continues to draw from this generator. `fit` runs in such a block, with its own generator.

    >>> import slopes as sl
    >>> from slopes import random
    >>> sl.seed(0)
    >>> with random.using(sl.Generator(7)):
    ...     first = sl.uniform(2)
    >>> with random.using(sl.Generator(7)):
    ...     bool(sl.all(first == sl.uniform(2)))
    True
    >>> int(random.default.counter)  # nothing was drawn
    0
    """
    in_use.generators.append(generator)
    try:
        yield generator
    finally:
        in_use.generators.pop()


def current() -> Generator:
    """The generator of the innermost `using` block of this thread; outside of such blocks, the default one."""
    return in_use.generators[-1] if in_use.generators else default


def seed(n: int) -> None:
    """Restart the default generator, or in a block of `using` its generator, with seed `n`, an integer from 0 to 2^64 - 1.

    >>> import slopes as sl
    >>> sl.seed(0)
    >>> first = sl.uniform(2)
    >>> sl.seed(0)
    >>> bool(sl.all(first == sl.uniform(2)))
    True
    """
    current().seed(n)


def sizes(shape: Sizes, name: str) -> Shape:
    shape = check_dimensions((shape,) if isinstance(shape, (int, np.integer)) else tuple(shape), name)
    if size(shape) >= 1 << 32:
        raise ShapeError(f"{name}: {size(shape)} numbers in one draw", why="a draw holds fewer than 2^32", repair="draw in parts")
    return shape


START = constant(0, uint32)  # the first index of a draw


def draw(numbers: Numbers, words: int, shape: Shape, generator: Generator | None) -> Tensor:
    """numbers(bits), each number from `words` words of random bits."""
    key = (generator or current()).draw()
    if mode.trace is None and size(shape) >= LARGE:
        return from_array(draw_blocks(numbers, words, [word.item() for word in key], shape), owned=True)
    return numbers(sampling.words(*key, START, shape, words))


def draw_scaled(numbers: Numbers, words: int, shape: Shape, kind: DType, generator: Generator | None, scale: Any, shift: Any) -> Tensor:
    """shift + scale * numbers(bits)."""
    if is_number(scale) and is_number(shift):
        return draw(lambda bits: scale_and_shift(numbers(bits), scale, shift), words, shape, generator)
    return scale_and_shift(draw(numbers, words, shape, generator), scale, shift).astype(kind)


def scale_and_shift(x: Any, scale: Any, shift: Any) -> Any:
    """shift + scale * x."""
    scale, shift = (value if is_number(value) else asarray(value) for value in (scale, shift))
    scaled = x if is_number(scale) and scale == 1 else x * scale
    return scaled if is_number(shift) and shift == 0 else scaled + shift


def is_number(x: Any) -> bool:
    return isinstance(x, (int, float))


@guarded
def uniform(shape: Sizes = (), low: Any = 0.0, high: Any = 1.0, dtype: Any = None, generator: Generator | None = None) -> Tensor:
    """Uniform random numbers low + (high - low) u, u in [0, 1). Float32 by default.

    low and high may be tensors that broadcast to the shape. Raises DTypeError for types other than float32 and float64.

    >>> import slopes as sl
    >>> x = sl.uniform((2, 3), -1., 1.)
    >>> x.shape, bool(sl.all(sl.abs(x) <= 1))
    ((2, 3), True)
    """
    kind = default_float if dtype is None else as_dtype(dtype)
    low, high = (value if is_number(value) else asarray(value) for value in (low, high))
    words, shape = sampling.uniform_words(kind), sizes(shape, "uniform")
    return draw_scaled(lambda bits: sampling.uniform_from(bits, kind), words, shape, kind, generator, high - low, low)


@guarded
def normal(shape: Sizes = (), mean: Any = 0.0, std: Any = 1.0, dtype: Any = None, generator: Generator | None = None) -> Tensor:
    """Normal random numbers mean + std z, z = sqrt(-2 log u) cos(2 pi v) (Box and Muller 1958). Float32 by default.

    mean and std may be tensors that broadcast to the shape. Raises DTypeError for types other than float32 and float64.

    >>> import slopes as sl
    >>> sl.normal((2, 3)).shape
    (2, 3)
    """
    kind = default_float if dtype is None else as_dtype(dtype)
    words, shape = sampling.normal_words(kind), sizes(shape, "normal")
    return draw_scaled(lambda bits: sampling.normal_from(bits, kind), words, shape, kind, generator, std, mean)


@guarded
def bernoulli(p: Any = 0.5, shape: Sizes | None = None, generator: Generator | None = None) -> Tensor:
    """True with probability p, a number or a tensor that broadcasts to `shape` (by default p's shape), as bool.

    Raises ArgumentError for a number p outside 0..1.

    >>> import slopes as sl
    >>> sl.bernoulli(1., (3,))
    tensor([ True,  True,  True])
    """
    if isinstance(p, (int, float)) and not 0 <= p <= 1:
        raise ArgumentError(f"bernoulli: p is {p}", why="a probability lies between 0 and 1",
                            repair="30% is p=0.3")
    target = (asarray(p).shape if not isinstance(p, (int, float)) else ()) if shape is None else sizes(shape, "bernoulli")
    probability = p if isinstance(p, (int, float, Tensor)) else asarray(p)
    words = sampling.uniform_words(default_float)
    if not isinstance(probability, Tensor):
        return draw(lambda bits: build("less", sampling.uniform_from(bits, default_float), probability), words, target, generator)
    drawn = draw(lambda bits: sampling.uniform_from(bits, default_float), words, target, generator)
    return build("less", drawn, probability)


@guarded
def integers(low: int, high: int | None = None, shape: Sizes = (), generator: Generator | None = None) -> Tensor:
    """Uniform random integers from low to high - 1 (one argument: from 0 to low - 1), as int64. ArgumentError if there are none.

    >>> import slopes as sl
    >>> sl.integers(3, 4, (2,))
    tensor([3, 3])
    """
    low, high = (0, low) if high is None else (low, high)
    first, last, shape = int(low), int(high), sizes(shape, "integers")
    sampling.check_range(first, last)
    return draw(lambda bits: sampling.integers_from(bits[0], first, last), 1, shape, generator)


@guarded
def permutation(x: Any, generator: Generator | None = None) -> Tensor:
    """A random permutation of 0 .. n - 1 for an integer n; for a tensor, its slices along axis 0 in random order.

    >>> import slopes as sl
    >>> sl.sort(sl.permutation(4))
    tensor([0, 1, 2, 3])
    """
    if isinstance(x, (int, np.integer)):
        shape = sizes(int(x), "permutation")
        return composite.argsort(draw(sampling.order_from, sampling.order_words(shape[0]), shape, generator))
    x = asarray(x)
    if not x.ndim:
        raise ShapeError("permutation: a 0-d tensor has no axis to permute", repair="give a Python number for 0 .. n - 1")
    return perform("take", (x, permutation(x.shape[0], generator)), {"axis": 0})
