"""`slopes.torch`: PyTorch's functions, tensors and layers over slopes, so that a small program is ported by its import lines.

    import slopes.torch as torch
    import slopes.torch.nn as nn
    from slopes.torch.nn import functional as F
    from slopes.torch.utils.data import DataLoader, TensorDataset

How it is made:

The tensor. `torch.Tensor` is a subclass of the core's tensor without fields of its own; a tensor of the core becomes one by changing
its class, so that identity, gradients, the state of compiled functions and memory stay the same. It has PyTorch's methods: some
contradict those of the core (`size()` is a function, `max(dim)` has two results, `std` divides by n - 1).

Two sides. Code of the core that is called from here runs on the core's side (sides.py): there a tensor has the core's methods. Code
of the user runs on the window's side. Whoever calls across changes sides: `lifted` for functions, `Module.__call__` for layers in both
directions, `torch.compile` for steps. Results that go to the window's side get PyTorch's methods.

Layers. For each layer and loss of the core there is a class here that derives from it. Parameters keep names, shapes and initial
distributions, which are PyTorch's.

In place. Outside of recorded graphs, `x[...] = v`, `add_`, `zero_`, `+=` write into memory, and tensors that share it (`x[0]`, `view`,
`data`, `detach`, `from_numpy`) see the change. Memory that a recorded graph may hold is copied first (in_place.py). Where a
derivative would have to go through the change, and for values computed in a compiled function, it is an error that names another way;
`x += y` makes a new tensor there, which gets the name. Parameters and buffers can be changed as a whole in compiled functions.

Random numbers are slopes': `manual_seed` makes them repeatable, but they are not PyTorch's. The device is the CPU. `torch.compile(step)`
is `sl.compile`. What is missing is an AttributeError that names slopes' way.

>>> import slopes.torch as torch
>>> x = torch.arange(6).view(2, 3).float()
>>> x.sum(dim=1, keepdim=True)
tensor([[ 3.],
        [12.]])
"""

# ruff: noqa: F401  (the imports are names of the window)

from __future__ import annotations

from typing import Any

from ..graph.dtype import bool_ as bool
from ..graph.dtype import float32, float64, int8, int16, int32, int64, uint8
from ..modes import enable_grad, no_grad
from . import (
    autograd,
    elements,
    fft,
    func,
    functions,
    layout,
    linalg,
    matrices,
    nn,
    optim,
    scattering,
    settings,
    special,
    statistics,
    utils,
)
from .compiling import compile
from .creation import (
    BoolTensor,
    DoubleTensor,
    FloatTensor,
    Generator,
    IntTensor,
    LongTensor,
    arange,
    as_tensor,
    bernoulli,
    clone,
    empty,
    empty_like,
    eye,
    from_dlpack,
    from_numpy,
    full,
    full_like,
    is_tensor,
    linspace,
    logspace,
    manual_seed,
    multinomial,
    normal,
    ones,
    ones_like,
    rand,
    rand_like,
    randint,
    randint_like,
    randn,
    randn_like,
    randperm,
    scalar_tensor,
    tensor,
    zeros,
    zeros_like,
)
from .creation import as_tensor as asarray
from .devices import Device as device
from .devices import backends, cuda
from .func import vmap
from .saving import load, save
from .tensor import Tensor

float, double, int, long, short = float32, float64, int32, int64, int16
inference_mode = no_grad

for _module in (functions, elements, statistics, layout, scattering, matrices, settings):
    globals().update({name: getattr(_module, name) for name in _module.NAMES})

FUNCTIONAL = ("cosine_similarity", "pairwise_distance", "pdist", "layer_norm", "group_norm", "rms_norm", "dropout",
              "alpha_dropout", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "max_pool1d",
              "max_pool2d", "max_pool3d", "avg_pool1d", "celu", "prelu", "rrelu", "hardshrink", "threshold", "pixel_shuffle",
              "pixel_unshuffle", "channel_shuffle", "bilinear")  # of torch.nn.functional, which torch has too
globals().update({name: getattr(nn.functional, name) for name in FUNCTIONAL})

WAYS = {
    "half": "sl.fit(storage='bfloat16') keeps what derivatives need in 16 bits",
    "bfloat16": "sl.fit(storage='bfloat16') keeps what derivatives need in 16 bits",
    "float16": "sl.fit(storage='bfloat16') keeps what derivatives need in 16 bits",
    "jit": "sl.compile(function)",
    "onnx": "sl.save_onnx(net, path, example)",
    "distributed": "fit(threads=): one process uses all cores",
    "profiler": "sl.profile and sl.roofline",
    "set_num_threads": "the environment variable SLOPES_THREADS",
    "fx": "sl.capture and sl.graph",
    "export": "sl.save_onnx, sl.capture",
}


def __getattr__(name: str) -> Any:
    raise AttributeError(f"torch.{name} is not in slopes.torch, which has what small programs need; in slopes: "
                         f"{WAYS.get(name, 'see `Port a program` and the table of names in docs/pytorch.md')}")
