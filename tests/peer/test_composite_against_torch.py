"""Convolution, pooling, activations and softmax give PyTorch's values and gradients."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import slopes as sl  # noqa: E402
from slopes.ops import composite as c  # noqa: E402

F = torch.nn.functional
CALLS = {
    "conv1d": (lambda x, w: c.convolution(x, w, 2, 3, 2), lambda x, w: F.conv1d(x, w, None, 2, 3, 2), [(2, 3, 17), (4, 3, 3)]),
    "conv2d": (lambda x, w: c.convolution(x, w, (2, 1), (1, 2), 1, 2), lambda x, w: F.conv2d(x, w, None, (2, 1), (1, 2), 1, 2),
               [(2, 4, 9, 8), (6, 2, 3, 2)]),
    "conv2d same": (lambda x, w: c.convolution(x, w, 1, "same"), lambda x, w: F.conv2d(x, w, padding="same"),
                    [(2, 3, 7, 7), (4, 3, 5, 3)]),
    "conv3d": (lambda x, w: c.convolution(x, w, 1, 1), lambda x, w: F.conv3d(x, w, None, 1, 1),
               [(1, 2, 4, 5, 6), (3, 2, 2, 3, 3)]),
    "depthwise": (lambda x, w: c.convolution(x, w, groups=4), lambda x, w: F.conv2d(x, w, groups=4),
                  [(2, 4, 6, 6), (8, 1, 3, 3)]),
    "conv_transpose1d": (lambda x, w: c.transposed_convolution(x, w, 3, 1, 2, 2),
                         lambda x, w: F.conv_transpose1d(x, w, None, 3, 1, 2, 1, 2), [(2, 4, 5), (4, 3, 3)]),
    "conv_transpose2d": (lambda x, w: c.transposed_convolution(x, w, 2, 1, 1, 1, 2),
                         lambda x, w: F.conv_transpose2d(x, w, None, 2, 1, 1, 2), [(2, 4, 5, 4), (4, 3, 3, 3)]),
    "max_pool2d": (lambda x: c.max_pool(x, 3, 2, 1), lambda x: F.max_pool2d(x, 3, 2, 1), [(2, 3, 8, 9)]),
    "max_pool1d dilated": (lambda x: c.max_pool(x, 3, 1, 0, 2), lambda x: F.max_pool1d(x, 3, 1, 0, 2), [(2, 3, 9)]),
    "avg_pool2d": (lambda x: c.avg_pool(x, (3, 2), None, 1), lambda x: F.avg_pool2d(x, (3, 2), None, 1), [(2, 3, 8, 9)]),
    "avg_pool2d inside": (lambda x: c.avg_pool(x, 3, 2, 1, False), lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
                          [(2, 3, 8, 9)]),
    "softmax": (lambda x: c.softmax(x, 1), lambda x: F.softmax(x, 1), [(4, 7)]),
    "log_softmax": (lambda x: c.log_softmax(x, 1), lambda x: F.log_softmax(x, 1), [(4, 7)]),
    "logsumexp": (lambda x: c.logsumexp(x, 1), lambda x: torch.logsumexp(x, 1), [(4, 7)]),
    "var": (lambda x: c.var(x, 1, 1), lambda x: torch.var(x, 1), [(4, 7)]),
    "relu": (c.relu, F.relu, [(41,)]),
    "leaky_relu": (lambda x: c.leaky_relu(x, 0.2), lambda x: F.leaky_relu(x, 0.2), [(41,)]),
    "sigmoid": (c.sigmoid, torch.sigmoid, [(41,)]),
    "softplus": (lambda x: c.softplus(x, 2.0), lambda x: F.softplus(x, 2.0), [(41,)]),
    "log_sigmoid": (c.log_sigmoid, F.logsigmoid, [(41,)]),
    "elu": (lambda x: c.elu(x, 0.7), lambda x: F.elu(x, 0.7), [(41,)]),
    "gelu": (c.gelu, F.gelu, [(41,)]),
    "gelu tanh": (lambda x: c.gelu(x, "tanh"), lambda x: F.gelu(x, approximate="tanh"), [(41,)]),
    "silu": (c.silu, F.silu, [(41,)]),
    "max": (lambda x: c.reduce("max", x, 1), lambda x: x.amax(1), [(4, 7)]),
    "prod": (lambda x: c.reduce("prod", x, 1), lambda x: x.prod(1), [(4, 5)]),
    "cumulative sum": (lambda x: sl.cumulative_sum(x, axis=1), lambda x: x.cumsum(1), [(4, 5)]),
}


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("name", CALLS)
def test_values_and_gradients_are_pytorchs(name, ties):
    ours, theirs, shapes = CALLS[name]
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape) * 3 for shape in shapes]
    if ties:  # whole numbers: equal maxima, zeros at kinks and in products
        arrays = [np.round(array) for array in arrays]
    mine = [sl.tensor(array, requires_grad=True) for array in arrays]
    other = [torch.tensor(array, requires_grad=True) for array in arrays]
    y, z = ours(*mine), theirs(*other)
    np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=1e-9, atol=1e-9)
    weights = rng.normal(size=y.shape)
    y.backward(sl.asarray(weights))
    z.backward(torch.tensor(weights))
    for a, b in zip(mine, other):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-8, atol=1e-9)
