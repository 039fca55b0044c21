"""Initialization: each function fills a parameter and returns it."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from os import PathLike
from typing import Any, TypeVar

import numpy as np

from ..arrays import check_memory, too_large
from ..constraint import COUNT, NOT_NEGATIVE, REAL, SHARE_OR_ONE, Constraint, check, one_of
from ..errors import ArgumentError, ShapeError, TraceError
from ..files import load_safetensors
from ..graph.dtype import float32
from ..modes import mode
from ..owned import take_over
from ..parameter import Parameter
from ..random import Generator
from ..random import normal as draw_normal
from ..random import uniform as draw_uniform
from ..tensor import Tensor, restore

T = TypeVar("T", bound=Tensor)

class ShapesOnly(threading.local):
    """Whether this thread creates parameters without allocating memory."""

    on = False


shapes_only_mode = ShapesOnly()
DRAWING = 8  # temporary arrays of a parameter's size that drawing its random values needs
CONVOLUTIONS = [f"{kind}{axes}d" for kind in ("conv", "conv_transpose") for axes in (1, 2, 3)]
GAINS = {"linear": 1.0, **dict.fromkeys(CONVOLUTIONS, 1.0), "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}
LEAST_INSIDE = 1e-3  # share of the normal numbers that a truncated distribution keeps
LEAK = 0.01  # of a leaky ReLU whose slope is not named
OPTIONAL_SLOPE = Constraint("a finite number or None", lambda value: value is None or REAL.holds(value), (math.nan, "1"))
MODE = one_of("fan_in", "fan_out")
NONLINEARITY = one_of(*GAINS, "leaky_relu")
CONSTRAINTS = {"gain": NOT_NEGATIVE, "std": NOT_NEGATIVE, "mean": REAL, "a": REAL, "b": REAL, "mode": MODE,
               "nonlinearity": NONLINEARITY, "val": REAL, "blocks": COUNT, "groups": COUNT, "sparsity": SHARE_OR_ONE,
               "param": OPTIONAL_SLOPE}


def blank(shape: tuple[int, ...]) -> Parameter:
    """A float32 parameter of zeros; TooLargeError if memory does not suffice for it and for drawing its values."""
    if shapes_only_mode.on:
        return restore(Parameter, np.broadcast_to(np.zeros((), np.float32), shape), True)  # type: ignore[return-value]
    if mode.trace is not None:
        raise TraceError(f"a parameter of shape {shape} is created inside a function that is being traced",
                         why="it would be created again in every call, and lose its trained values",
                         repair="create layers outside the function, and use them inside")
    check_memory(math.prod(shape) * 4 * DRAWING, shape, float32)
    try:
        return restore(Parameter, np.zeros(shape, np.float32), True)  # type: ignore[return-value]
    except MemoryError as error:
        raise too_large(shape, float32, math.prod(shape) * 4, None) from error


@contextmanager
def shapes_only() -> Iterator[None]:
    """Layers created in this block have parameters of the right shapes, but no memory: all elements are one shared 0.

    Such a network of any size can be summarized and drawn, but not trained.

    >>> from slopes import nn
    >>> with nn.init.shapes_only():
    ...     net = nn.Linear(1_000_000, 1_000_000)
    >>> net.summary((1, 1_000_000)).parameters
    1000001000000
    """
    before, shapes_only_mode.on = shapes_only_mode.on, True
    try:
        yield
    finally:
        shapes_only_mode.on = before


def zeros(tensor: T) -> T:
    """All 0.

    >>> from slopes import nn
    >>> bool((nn.init.zeros(nn.Linear(3, 2).weight) == 0).all())
    True
    """
    return constant(tensor, 0.0)


def ones(tensor: T) -> T:
    """All 1.

    >>> from slopes import nn
    >>> nn.init.ones(nn.Linear(2, 1).weight).tolist()
    [[1.0, 1.0]]
    """
    return constant(tensor, 1.0)


def constant(tensor: T, val: float) -> T:
    """All `val`.

    >>> from slopes import nn
    >>> nn.init.constant(nn.Linear(2, 1).weight, 0.5).tolist()
    [[0.5, 0.5]]
    """
    check("init.constant", CONSTRAINTS, {"val": val})
    return fill(tensor, lambda: np.full(tensor.shape, val))


def uniform(tensor: T, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> T:
    """Uniform in [a, b).

    >>> from slopes import nn
    >>> weight = nn.init.uniform(nn.Linear(30, 20).weight, -1.0, 1.0)
    >>> bool((abs(weight) <= 1).all())
    True
    """
    check("init.uniform", CONSTRAINTS, {"a": a, "b": b})
    return fill(tensor, lambda: draw_uniform(tensor.shape, a, b, generator=generator))


def normal(tensor: T, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> T:
    """Normal with this mean and standard deviation.

    >>> from slopes import nn
    >>> weight = nn.init.normal(nn.Linear(100, 100).weight, mean=1.0, std=0.5)
    >>> 0.98 < float(weight.mean()) < 1.02
    True
    """
    check("init.normal", CONSTRAINTS, {"mean": mean, "std": std})
    return fill(tensor, lambda: draw_normal(tensor.shape, mean, std, generator=generator))


def trunc_normal(tensor: T, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0,
                 generator: Generator | None = None) -> T:
    """Normal with this mean and standard deviation, of values within [a, b] only.

    Numbers outside of [a, b] are drawn again. Raises ArgumentError where fewer than one of 1000 normal numbers is inside.

    >>> from slopes import nn
    >>> weight = nn.init.trunc_normal(nn.Linear(30, 20).weight, std=0.5, a=-0.5, b=1.0)
    >>> bool((weight >= -0.5).all() and (weight <= 1).all())
    True
    """
    check("init.trunc_normal", CONSTRAINTS, {"mean": mean, "std": std, "a": a, "b": b})
    inside = share_below((b - mean) / std) - share_below((a - mean) / std) if std else float(a <= mean <= b)
    if inside < LEAST_INSIDE:
        raise ArgumentError(f"init.trunc_normal: hardly any number is between a={a:g} and b={b:g} with mean={mean:g} and std={std:g}",
                            why="numbers outside are drawn again", repair="take a below b, and bounds nearer to the mean")

    def draw() -> np.ndarray:
        values = draw_normal((math.prod(tensor.shape),), mean, std, generator=generator).numpy().copy()
        while (outside := (values < a) | (values > b)).any():
            values[outside] = draw_normal((int(outside.sum()),), mean, std, generator=generator).numpy()
        return values.reshape(tensor.shape)

    return fill(tensor, draw)


def share_below(x: float) -> float:
    """The share of standard normal numbers below x."""
    return (1 + math.erf(x / math.sqrt(2))) / 2


def xavier_uniform(tensor: T, gain: float = 1.0, generator: Generator | None = None) -> T:
    """Uniform within gain sqrt(6 / (fan_in + fan_out)).

    Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.

    >>> from slopes import nn
    >>> weight = nn.init.xavier_uniform(nn.Linear(30, 20).weight)
    >>> float(abs(weight).max()) <= (6 / 50) ** 0.5
    True
    """
    check("init.xavier_uniform", CONSTRAINTS, {"gain": gain})
    bound = gain * math.sqrt(6 / sum(fans(tensor)))
    return uniform(tensor, -bound, bound, generator)


def xavier_normal(tensor: T, gain: float = 1.0, generator: Generator | None = None) -> T:
    """Normal with standard deviation gain sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio, 2010).

    >>> from slopes import nn
    >>> weight = nn.init.xavier_normal(nn.Linear(100, 100).weight)
    >>> 0.09 < float(weight.std()) < 0.11
    True
    """
    check("init.xavier_normal", CONSTRAINTS, {"gain": gain})
    return normal(tensor, 0.0, gain * math.sqrt(2 / sum(fans(tensor))), generator)


def kaiming_uniform(tensor: T, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
                    generator: Generator | None = None) -> T:
    """Uniform within gain sqrt(3 / fan), gain = sqrt(2 / (1 + a^2)) for a leaky ReLU of slope a.

    Source: He et al., "Delving deep into rectifiers", 2015.

    >>> from slopes import nn
    >>> weight = nn.init.kaiming_uniform(nn.Linear(600, 20).weight)
    >>> float(abs(weight).max()) <= (6 / 600) ** 0.5
    True
    """
    bound = math.sqrt(3) * kaiming_std("init.kaiming_uniform", tensor, a, mode, nonlinearity)
    return uniform(tensor, -bound, bound, generator)


def kaiming_normal(tensor: T, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
                   generator: Generator | None = None) -> T:
    """Normal with standard deviation gain / sqrt(fan), gain = sqrt(2 / (1 + a^2)) for a leaky ReLU of slope a (He et al., 2015).

    >>> from slopes import nn
    >>> weight = nn.init.kaiming_normal(nn.Linear(200, 100).weight)
    >>> 0.09 < float(weight.std()) < 0.11
    True
    """
    return normal(tensor, 0.0, kaiming_std("init.kaiming_normal", tensor, a, mode, nonlinearity), generator)


def kaiming_std(owner: str, tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    check(owner, CONSTRAINTS, {"a": a, "mode": mode, "nonlinearity": nonlinearity})
    return calculate_gain(nonlinearity, a) / math.sqrt(fans(tensor)[mode == "fan_out"])


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor of weights that keeps the variance through an activation: 1 for none and sigmoid, 5/3 for tanh, sqrt(2) for ReLU.

    For "leaky_relu" it is sqrt(2 / (1 + param^2)), param the slope, by default 0.01; for "selu" 3/4. Layers ("linear", "conv2d", ...)
    have the gain 1.

    >>> from slopes import nn
    >>> nn.init.calculate_gain("leaky_relu", 1.0)
    1.0
    """
    check("init.calculate_gain", CONSTRAINTS, {"nonlinearity": nonlinearity, "param": param})
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + (LEAK if param is None else param) ** 2))
    return GAINS[nonlinearity]


def lecun_uniform(tensor: T, generator: Generator | None = None) -> T:
    """Uniform within sqrt(3 / fan_in) (LeCun et al., "Efficient backprop", 1998).

    >>> from slopes import nn
    >>> weight = nn.init.lecun_uniform(nn.Linear(300, 20).weight)
    >>> bool((abs(weight) <= 0.1).all())
    True
    """
    bound = math.sqrt(3 / fans(tensor)[0])
    return uniform(tensor, -bound, bound, generator)


def lecun_normal(tensor: T, generator: Generator | None = None) -> T:
    """Normal with standard deviation 1 / sqrt(fan_in) (LeCun et al., "Efficient backprop", 1998).

    >>> from slopes import nn
    >>> weight = nn.init.lecun_normal(nn.Linear(100, 100).weight)
    >>> 0.09 < float(weight.std()) < 0.11
    True
    """
    return normal(tensor, 0.0, 1 / math.sqrt(fans(tensor)[0]), generator)


def orthogonal(tensor: T, gain: float = 1.0, generator: Generator | None = None, blocks: int = 1) -> T:
    """A random (semi-)orthogonal matrix times gain: the Q of the QR decomposition of a normal matrix, with unique signs.

    Axes after the first are flattened. With blocks=4 each quarter of the rows is such a matrix: one per gate of an LSTM.
    Raises ArgumentError unless the rows are divisible by blocks.
    Source: Saxe et al., "Exact solutions to the nonlinear dynamics of learning", 2014.

    >>> from slopes import nn
    >>> weight = nn.init.orthogonal(nn.Linear(5, 3).weight)
    >>> (weight @ weight.T).numpy().round(5).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    True
    """
    check("init.orthogonal", CONSTRAINTS, {"gain": gain, "blocks": blocks})
    fans(tensor)  # at least two axes
    rows, *others = tensor.shape
    if rows % blocks:
        raise ArgumentError(f"init.orthogonal: {blocks} blocks do not divide {rows} rows")

    def draw() -> np.ndarray:
        parts = [random_orthogonal((rows // blocks, *others), generator) for _ in range(blocks)]
        return gain * np.concatenate(parts).reshape(tensor.shape)

    return fill(tensor, draw)


def sparse(tensor: T, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> T:
    """Normal with standard deviation std, but in each column the same share of elements, `sparsity` of them rounded up, is 0.

    For matrices; which elements are 0 is drawn for each column. Source: Martens, "Deep learning via Hessian-free optimization", 2010.

    >>> from slopes import nn
    >>> weight = nn.init.sparse(nn.Linear(3, 10).weight, sparsity=0.75)
    >>> (weight != 0).sum(axis=0).tolist()
    [2, 2, 2]
    """
    check("init.sparse", CONSTRAINTS, {"sparsity": sparsity, "std": std})
    rows, columns = matrix_shape("init.sparse", tensor)

    def draw() -> np.ndarray:
        array = draw_normal((rows, columns), 0.0, std, generator=generator).numpy().copy()
        order = np.argsort(draw_uniform((rows, columns), generator=generator).numpy(), axis=0)
        array[order[: math.ceil(sparsity * rows)], np.arange(columns)] = 0
        return array

    return fill(tensor, draw)


def eye(tensor: T) -> T:
    """1 on the diagonal of a matrix, 0 elsewhere: a linear layer that passes its inputs on.

    >>> from slopes import nn
    >>> nn.init.eye(nn.Linear(3, 2).weight).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """
    rows, columns = matrix_shape("init.eye", tensor)
    return fill(tensor, lambda: np.eye(rows, columns))


def dirac(tensor: T, groups: int = 1) -> T:
    """A convolution that passes its channels on: 1 in the middle of the window from each input channel to its output channel, else 0.

    tensor: (out, in / groups, *window) of a convolution along one to three axes. Where there are fewer inputs than outputs of a group,
    the other outputs are 0. Raises ShapeError for other shapes and ArgumentError unless groups divide the outputs.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> layer = nn.Conv1d(1, 1, 3, padding=1, bias=False)
    >>> _ = nn.init.dirac(layer.weight)
    >>> layer(sl.tensor([[[1.0, 2.0, 3.0]]])).tolist()
    [[[1.0, 2.0, 3.0]]]
    """
    check("init.dirac", CONSTRAINTS, {"groups": groups})
    shape = tuple(tensor.shape)
    if not 3 <= len(shape) <= 5:
        raise ShapeError(f"init.dirac: a parameter of shape {shape} is no weight of a convolution", why="it has 3 to 5 axes",
                         repair="use init.eye for a matrix")
    if shape[0] % groups:
        raise ArgumentError(f"init.dirac: {groups} groups do not divide {shape[0]} outputs")

    def ones_in_the_middle() -> np.ndarray:
        array, outputs = np.zeros(shape), shape[0] // groups
        middle = tuple(size // 2 for size in shape[2:])
        for group in range(groups):
            for channel in range(min(outputs, shape[1])):
                array[(group * outputs + channel, channel, *middle)] = 1
        return array

    return fill(tensor, ones_in_the_middle)


def matrix_shape(owner: str, tensor: Tensor) -> tuple[int, int]:
    """The shape of a matrix; ShapeError for other tensors."""
    if tensor.ndim != 2:
        raise ShapeError(f"{owner}: a parameter of shape {tuple(tensor.shape)} is no matrix", repair="pass a weight with two axes")
    return tensor.shape[0], tensor.shape[1]


def random_orthogonal(shape: tuple[int, ...], generator: Generator | None) -> np.ndarray:
    """A random matrix with orthonormal rows (or columns, if there are fewer)."""
    drawn = draw_normal((shape[0], math.prod(shape[1:])), generator=generator).numpy().astype(np.float64)
    tall = drawn if drawn.shape[0] >= drawn.shape[1] else drawn.T
    q, r = np.linalg.qr(tall)
    q = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)
    return q if tall is drawn else q.T


def from_file(module: Any, path: str | PathLike[str], strict: bool = True) -> Any:
    """Load trained values by name from a safetensors file; returns the module.

    Raises DataError for a damaged file and StateError for names or shapes that do not match.

    >>> from slopes import data, nn
    >>> data.save_safetensors("trained.safetensors", nn.Linear(3, 2).state_dict())
    >>> nn.init.from_file(nn.Linear(3, 2), "trained.safetensors")
    Linear(3 -> 2)
    """
    module.load_state_dict(load_safetensors(path), strict)
    return module


def bias_for(weight: Tensor, count: int) -> Parameter:
    """A bias uniform within 1 / sqrt(fan_in) of its weight: PyTorch's default for linear and convolution layers."""
    bound = 1 / math.sqrt(fans(weight)[0])
    return uniform(blank((count,)), -bound, bound)


def set_rows(parameter: Tensor, start: int, stop: int, value: float) -> None:
    def with_rows() -> np.ndarray:
        array = parameter.detach().numpy().copy()
        array[start:stop] = value
        return array

    fill(parameter, with_rows)


def fans(parameter: Tensor) -> tuple[int, int]:
    """(fan_in, fan_out): inputs per output and outputs per input, of a weight (out, in, *window)."""
    shape = tuple(parameter.shape)
    if len(shape) < 2:
        raise ShapeError(f"init: a parameter of shape {shape} has no fan_in and fan_out", why="they come from its first two axes",
                         repair="use init.uniform, init.normal or init.constant for it")
    if 0 in shape:
        raise ArgumentError(f"init: a parameter of shape {shape} is empty")
    window = math.prod(shape[2:])
    return shape[1] * window, shape[0] * window


def fill(parameter: T, values: Callable[[], np.ndarray | Tensor]) -> T:
    """Compute and assign the values, unless parameters are created without memory."""
    if shapes_only_mode.on:
        return parameter
    drawn = values()
    if isinstance(drawn, Tensor) and drawn._owned and (drawn.shape, drawn.dtype) == (parameter.shape, parameter.dtype):
        take_over(parameter, drawn)
    else:
        parameter.assign(np.asarray(drawn.numpy() if isinstance(drawn, Tensor) else drawn, parameter.dtype))
    return parameter
