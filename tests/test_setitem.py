"""x[...] = value: NumPy's values, nothing else changes, and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from together import together

import slopes as sl
from slopes.errors import ArgumentError, DTypeError, GradientError, OutOfRangeError, ShapeError, TraceError

START = np.arange(12, dtype=np.float32).reshape(3, 4)
MASK = START > 5
INDICES = [0, (1, 2), slice(1, 3), (slice(None), 1), ..., (..., -1), (slice(None, None, -2), slice(1, 3)), MASK, np.array([2, 0]),
           (slice(None), np.array([1, 3])), None, (None, 1), (np.array([0, 1]), np.array([1, 2])),
           slice(0, 0), np.array(True), np.array(False)]


@together("index", INDICES, ids=repr)
def test_parts_change_as_in_numpy(index):
    expected = START.copy()
    expected[index] = 2.5
    for key in (index, sl.asarray(index) if isinstance(index, np.ndarray) else index):
        for value in (2.5, np.float64(2.5), sl.tensor(2.5), [2.5]):
            x = sl.tensor(START)
            if np.shape(value) <= expected[index].shape:
                x[key] = value
                np.testing.assert_array_equal(x.numpy(), expected)


def test_a_mask_without_axes_chooses_the_whole_or_nothing():
    x = sl.tensor(START, requires_grad=True)
    for mask in (True, False):
        for index in (np.array(mask), np.bool_(mask), sl.tensor(mask)):
            np.testing.assert_array_equal(x.detach()[index].numpy(), START[mask])
    x[sl.tensor(True)].sum().backward()
    assert x.grad.tolist() == np.ones_like(START).tolist()
    with pytest.raises(TraceError, match="a Python branch depends"):
        sl.compile(lambda x, mask: x[mask])(sl.zeros(3), sl.tensor(True))
    with pytest.raises(ArgumentError, match="a single truth value is no index"):
        sl.zeros((2, 3))[0, sl.tensor(True)]


def test_values_broadcast_and_are_cast_to_a_larger_type():
    x = sl.tensor(START)
    x[1:] = [1, 2, 3, 4]
    x[:, 0] = sl.tensor([True, False, True])
    assert x.tolist() == [[1, 1, 2, 3], [0, 2, 3, 4], [1, 2, 3, 4]] and x.dtype == "float32"


def test_what_was_made_of_it_keeps_its_values():
    array = START.copy()
    x = sl.asarray(array)  # shares the memory
    view, plus, shown = x[0], x + 1, x.numpy()
    w = sl.tensor(2.0, requires_grad=True)
    product = (w * x).sum()
    x[...] = 0.0
    assert x.tolist() == [[0] * 4] * 3
    for kept, expected in ((view, START[0]), (plus, START + 1), (shown, START), (array, START)):
        np.testing.assert_array_equal(np.asarray(kept), expected)
    product.backward()
    assert w.grad.item() == START.sum()


def test_compiled_functions_see_the_change():
    x, net = sl.zeros(3), sl.nn.Linear(3, 1, bias=False)
    f = sl.compile(lambda: net(x).sum() + x.sum())
    assert f().item() == 0
    x[1] = 2.0
    assert f().item() == pytest.approx(2 + 2 * net.weight[0, 1].item())
    with sl.no_grad():
        net.weight[0] = [0, 1, 0]
    assert f().item() == 4


REFUSED = [
    (lambda x: x.__setitem__(slice(None), sl.ones(5)), ShapeError, r"a value of shape \(5,\) for a part of shape \(3, 4\)"),
    (lambda x: x.__setitem__((0, 0), sl.ones((1, 1))), ShapeError, r"a value of shape \(1, 1\) for a part of shape \(\)"),
    (lambda x: x.__setitem__(0, sl.tensor(1.0, "float64")), DTypeError, "a value of type float64 for a part of a tensor of type float32"),
    (lambda x: x.astype("int64").__setitem__(0, 1.5), DTypeError, "a value of type float32 for a part of a tensor of type int64"),
    (lambda x: x.__setitem__(5, 1), OutOfRangeError, "index 5"),
    (lambda x: x.__setitem__(0, sl.tensor(1.0, requires_grad=True)), GradientError, "would lose a gradient"),
    (lambda x: (x * sl.tensor(1.0, requires_grad=True)).__setitem__(0, 1.0), GradientError, "would lose a gradient"),
    (lambda x: sl.Parameter(START).__setitem__(0, 1.0), GradientError, "with sl.no_grad"),
    (lambda x: sl.compile(lambda x: x.__setitem__(0, 1.0))(x), TraceError, "not possible in a function that is compiled"),
    (lambda x: sl.grad(lambda x: (x.__setitem__(0, 1.0), x.sum())[1])(x), GradientError, "would lose a gradient"),
    (lambda x: sl.vmap(lambda x: (x.__setitem__(0, 1.0), x.sum())[1])(x), TraceError, "differentiated or batched"),
]


@pytest.mark.parametrize("change, error, text", REFUSED)
def test_what_is_refused_changes_nothing(change, error, text):
    x = sl.tensor(START)
    with pytest.raises(error, match=text):
        change(x)
    np.testing.assert_array_equal(x.numpy(), START)


def test_other_libraries_compute_with_tensors_through_the_array_api():
    pytest.importorskip("sklearn")
    script = """
import numpy as np, slopes as sl, scipy.special, scipy.stats
from sklearn import config_context, metrics, preprocessing
x = sl.asarray(np.random.default_rng(0).normal(size=(20, 4)))
y = x[:, 0]
for result, expected in ((scipy.special.logsumexp(x, axis=1), scipy.special.logsumexp(x.numpy(), axis=1)),
                         (scipy.stats.zscore(x), scipy.stats.zscore(x.numpy()))):
    assert isinstance(result, sl.Tensor)
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-12)
with config_context(array_api_dispatch=True):
    scaled = preprocessing.StandardScaler().fit_transform(x)
    assert isinstance(scaled, sl.Tensor)
    np.testing.assert_allclose(scaled.numpy(), preprocessing.StandardScaler().fit_transform(x.numpy()), rtol=1e-12)
    np.testing.assert_allclose(metrics.r2_score(y, y * 1.1), metrics.r2_score(y.numpy(), y.numpy() * 1.1))
    np.testing.assert_allclose(metrics.f1_score(y > 0, x[:, 1] > 0), metrics.f1_score(y.numpy() > 0, x[:, 1].numpy() > 0))
"""
    ran = subprocess.run([sys.executable, "-c", script], env={**os.environ, "SCIPY_ARRAY_API": "1"}, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
