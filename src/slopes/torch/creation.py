"""Making tensors, and drawing them: `torch.tensor`, `zeros`, `randn`. Seeds are slopes': the numbers differ from PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import functions as F
from .. import random
from ..errors import ArgumentError
from ..graph.dtype import as_dtype, bool_, float32, float64, int32, int64
from ..tensor import Tensor as CoreTensor
from ..tensor import asarray
from ..tensor import from_dlpack as core_from_dlpack
from ..tensor import tensor as core_tensor
from .devices import Device
from .functions import sizes
from .in_place import share
from .sides import lifted
from .tensor import Tensor


class Generator(random.Generator):
    """torch.Generator(): `manual_seed` starts it anew. The numbers differ from PyTorch's."""

    def __init__(self, device: Any = "cpu") -> None:
        super().__init__(0)
        Device(device)

    def manual_seed(self, seed: int) -> Generator:
        self.seed(seed)
        return self


def manual_seed(seed: int) -> random.Generator:
    """Start the default generator with this seed. The numbers differ from PyTorch's, and are the same in compiled functions."""
    random.seed(seed)
    return random.default


def finished(x: Any, requires_grad: bool, device: Any) -> Any:
    """A new tensor with what was asked for it."""
    Device("cpu" if device is None else device)
    if requires_grad:
        x.requires_grad = True
    return x


def shared(x: Any) -> Any:
    """The tensor, whose changes are written into the memory that it has from somewhere else."""
    if x._value is not None:
        share(x)
    return x


@lifted
def tensor(data: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Any:
    """A copy of numbers, lists, arrays or tensors; Python floats become float32."""
    return finished(core_tensor(data.detach() if isinstance(data, CoreTensor) else data, dtype), requires_grad, device)


@lifted
def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Any:
    """A tensor that shares memory where possible."""
    return shared(finished(asarray(data, dtype), False, device))


def from_dlpack(ext_tensor: Any) -> Any:
    """A tensor that shares the memory of another library's; in slopes: sl.from_dlpack."""
    return shared(lifted(core_from_dlpack)(ext_tensor))


@lifted
def from_numpy(ndarray: np.ndarray) -> Any:
    """A tensor that shares the memory of an array: a change of one changes the other."""
    return shared(asarray(ndarray))


@lifted
def zeros(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Any:
    return finished(F.zeros(sizes(size), dtype), requires_grad, device)


@lifted
def ones(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Any:
    return finished(F.ones(sizes(size), dtype), requires_grad, device)


@lifted
def full(size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Any:
    return finished(F.full(sizes((size,)), fill_value, dtype), requires_grad, device)


@lifted
def zeros_like(input: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Any:
    return finished(F.zeros(input.shape, input.dtype if dtype is None else dtype), requires_grad, device)


@lifted
def ones_like(input: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Any:
    return finished(F.ones(input.shape, input.dtype if dtype is None else dtype), requires_grad, device)


@lifted
def full_like(input: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Any:
    return finished(F.full(input.shape, fill_value, input.dtype if dtype is None else dtype), requires_grad, device)


@lifted
def arange(start: Any, end: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Any:
    return finished(F.arange(start, end, step, dtype), requires_grad, device)


@lifted
def linspace(start: Any, end: Any, steps: int, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Any:
    return finished(F.linspace(start, end, steps, dtype), requires_grad, device)


@lifted
def eye(n: int, m: int | None = None, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Any:
    return finished(F.eye(n, m, dtype=dtype), requires_grad, device)


empty, empty_like = zeros, zeros_like



def FloatTensor(data: Any) -> Any:
    return tensor(data, dtype=float32)


def LongTensor(data: Any) -> Any:
    return tensor(data, dtype=int64)


def DoubleTensor(data: Any) -> Any:
    """A tensor of float64; in slopes: sl.tensor(x, dtype="float64")."""
    return tensor(data, dtype=float64)


def IntTensor(data: Any) -> Any:
    """A tensor of int32; in slopes: sl.tensor(x, dtype="int32")."""
    return tensor(data, dtype=int32)


def BoolTensor(data: Any) -> Any:
    """A tensor of truth values; in slopes: sl.tensor(x, dtype="bool")."""
    return tensor(data, dtype=bool_)


def scalar_tensor(s: Any, *, dtype: Any = None, device: Any = None) -> Any:
    """A tensor without axes; in slopes: sl.tensor(s)."""
    return tensor(s, dtype=float32 if dtype is None else dtype, device=device)


def clone(input: Any) -> Any:
    """A copy, through which the gradient flows; in slopes: sl.tensor(x)."""
    return input.clone()


@lifted
def logspace(start: Any, end: Any, steps: int, base: float = 10.0, *, dtype: Any = None, device: Any = None) -> Any:
    """base to the powers from start to end; in slopes: base ** sl.linspace(start, end, steps)."""
    return finished(F.pow(float(base), F.linspace(start, end, steps, dtype)), False, device)


# Random numbers


@lifted
def rand(*size: Any, generator: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Any:
    return finished(random.uniform(sizes(size), dtype=dtype, generator=generator), requires_grad, device)


@lifted
def randn(*size: Any, generator: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Any:
    return finished(random.normal(sizes(size), dtype=dtype, generator=generator), requires_grad, device)


@lifted
def rand_like(input: Any, *, dtype: Any = None, device: Any = None) -> Any:
    return finished(random.uniform(input.shape, dtype=input.dtype if dtype is None else dtype), False, device)


@lifted
def randn_like(input: Any, *, dtype: Any = None, device: Any = None) -> Any:
    return finished(random.normal(input.shape, dtype=input.dtype if dtype is None else dtype), False, device)


@lifted
def randint(low: int, high: Any = None, size: Any = None, *, generator: Any = None, dtype: Any = int64, device: Any = None) -> Any:
    """Integers in low..high-1, of this size; randint(high, size) starts at 0."""
    if size is None:
        low, high, size = 0, low, high
    return finished(F.astype(random.integers(low, high, sizes((size,)), generator), as_dtype(dtype)), False, device)


@lifted
def randint_like(input: Any, low: int, high: int | None = None, *, dtype: Any = None, device: Any = None) -> Any:
    """Integers in low..high-1 in the shape of x; of one limit, in 0..low-1; in slopes: sl.integers."""
    low, high = (0, low) if high is None else (low, high)
    drawn = random.integers(low, high, tuple(input.shape))
    return finished(F.astype(drawn, as_dtype(input.dtype if dtype is None else dtype)), False, device)


@lifted
def randperm(n: int, *, generator: Any = None, device: Any = None) -> Any:
    return finished(random.permutation(n, generator), False, device)


@lifted
def normal(mean: Any, std: Any = 1.0, size: Any = None, *, generator: Any = None) -> Any:
    shape = sizes((size,)) if size is not None else F.broadcast_shapes(np.shape(mean), np.shape(std))
    return random.normal(shape, generator=generator) * std + mean


@lifted
def bernoulli(input: Any, *, generator: Any = None) -> Any:
    return F.astype(random.bernoulli(input, generator=generator), input.dtype)


@lifted
def multinomial(input: Any, num_samples: int, replacement: bool = False, *, generator: Any = None) -> Any:
    """Indices drawn with these probabilities (or weights), along the last axis."""
    if num_samples > input.shape[-1] and not replacement:
        raise ArgumentError(f"multinomial: {num_samples} of {input.shape[-1]} classes cannot be drawn", why="each is drawn once at most",
                            repair="pass replacement=True")
    if replacement:
        cumulative = F.cumulative_sum(input, axis=-1)
        level = random.uniform((*input.shape[:-1], num_samples), dtype=input.dtype, generator=generator) * cumulative[..., -1:]
        return F.sum(F.expand_dims(cumulative, -2) <= F.expand_dims(level, -1), axis=-1)
    gumbel = -F.log(-F.log(random.uniform(input.shape, dtype=input.dtype, generator=generator)))
    return F.top_k(F.log(input) + gumbel, num_samples)[1]


def is_tensor(obj: Any) -> bool:
    return isinstance(obj, Tensor)
