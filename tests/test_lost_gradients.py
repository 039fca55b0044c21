"""No gradient is lost without a word: lists of tensors, tensors as options, NumPy's and Python's functions on tensors."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from together import together

import slopes as sl
from slopes import nn
from slopes.errors import ArgumentError, GradientError, ShapeError, SlopesError, TraceError
from slopes.numpy_calls import RENAMED, SAME

X = np.array([[0.3, -0.7, 1.2], [0.9, 0.1, -0.4]])
LABELS = np.array([0, 2])
HERE = re.compile(r"test_lost_gradients\.py:\d+")


def x():
    return sl.tensor(X)


def pair(t):
    return sl.stack([t, t])


def drawn(draw, **options):
    return draw((3,), dtype="float64", generator=sl.Generator(0), **options)


FOLLOWED = {  # functions of a 0-d float64 tensor; the right gradient must arrive
    "full": lambda t: sl.full((2,), t), "full of a type": lambda t: sl.full((2,), t, dtype="float64"),
    "full_like": lambda t: sl.full_like(x(), t), "pad": lambda t: sl.pad(x(), ((1, 2), (0, 1)), t),
    "clip below": lambda t: sl.clip(x(), t, None), "clip above": lambda t: sl.clip(x(), None, t), "x.clip": lambda t: x().clip(-t, t),
    "where": lambda t: sl.where(X > 0, t, 0.0), "where of lists": lambda t: sl.where([True, False], [t, t], [0.0, 0.0]),
    "leaky_relu": lambda t: sl.leaky_relu(x(), t), "elu": lambda t: sl.elu(x(), t), "softplus": lambda t: sl.softplus(x(), t),
    "linspace": lambda t: sl.linspace(t, 2 * t, 4, dtype="float64"),
    "uniform": lambda t: drawn(sl.uniform, low=t, high=3 * t), "normal": lambda t: drawn(sl.normal, mean=t, std=[t, t, 1.0]),
    "concat": lambda t: sl.concat([[t, t], [1.0]]), "stack": lambda t: sl.stack([[t, 2.0], [1.0, t]]),
    "sum of a list": lambda t: sl.sum([t, [1.0, t][1]]), "mean of a list": lambda t: sl.mean([t, 2 * t]),
    "max of a tuple": lambda t: sl.max((t, 2 * t)), "nested lists": lambda t: sl.asarray([[t, 1.0], [2, t]]),
    "beside arrays": lambda t: sl.asarray([X[0], pair(t).sum() * X[1]]), "a list for a tensor": lambda t: sl.tensor([t, t]),
    "a copy": lambda t: sl.tensor(t), "asarray's copy": lambda t: sl.asarray(t, copy=True), "add": lambda t: sl.add([t, 1.0], [1.0, t]),
    "matmul": lambda t: sl.matmul([t, t], [1.0, t]), "einsum": lambda t: sl.einsum("i,i->", [t, t], [1.0, t]),
    "conv1d": lambda t: sl.conv1d([[[t, 1.0, 2.0]]], [[[1.0, t]]], [t]), "filter_image": lambda t: sl.filter_image(x(), [[t, 1.0]]),
    "take": lambda t: sl.take([t, 2 * t], [0, 0]), "sort": lambda t: sl.sort([t, 0.1, 2 * t]), "unique": lambda t: sl.unique([t, 1.0, t]),
    "meshgrid": lambda t: sl.meshgrid([t, 1.0], [2.0, t])[0], "outer": lambda t: sl.outer([t, 1.0], [t, t]),
    "scale of attention": lambda t: sl.scaled_dot_product_attention(x(), x(), x(), scale=t),
    "mask of attention": lambda t: sl.scaled_dot_product_attention(x(), x(), x(), attn_mask=[[t, 0.0], [0.0, t]]),
    "class weights": lambda t: nn.cross_entropy(x(), LABELS, weight=[t, 1.0, 2.0]),
    "targets": lambda t: nn.mse_loss(x()[0], [t, t, 2 * t]),
    "weight of positives": lambda t: nn.binary_cross_entropy_with_logits(x(), (X > 0) * 1.0, pos_weight=[t, t, 1.0]),
    "np.exp": lambda t: np.exp(t), "np.add": lambda t: np.add([1.0, 2.0], t), "array * t": lambda t: X * t, "np.float64 * t": lambda t:
    np.float64(2) * t, "np.square": lambda t: np.square(t), "np.maximum": lambda t: np.maximum(X, t), "array @ t": lambda t:
    X.T @ pair(t), "np.power": lambda t: np.power(t, 3), "np.stack": lambda t: np.stack([t, t]),
    "np.concatenate": lambda t: np.concatenate([pair(t), np.ones(1)]), "np.sum": lambda t: np.sum(pair(t)),
    "np.mean": lambda t: np.mean(pair(t) * X[:, :2], axis=0, keepdims=True), "np.var": lambda t: np.var(x() * t, ddof=1),
    "np.max": lambda t: np.max(x() * t, axis=1), "np.where": lambda t: np.where(X > 0, t, 0.0), "np.clip": lambda t: np.clip(X, -5, t),
    "np.dot": lambda t: np.dot(X.T, pair(t)), "np.transpose": lambda t: np.transpose(x() * t) @ pair(t),
    "np.reshape": lambda t: np.reshape(x() * t, (3, 2)) @ pair(t), "np.expand_dims": lambda t: np.expand_dims(pair(t), 0) @ pair(t),
}


def into(array, t):
    array[0] = t


def added(array, t):
    array += t


REFUSED = {  # what would lose the gradient, and what the error proposes
    "np.asarray": (lambda t: np.asarray(t), "x.numpy()"), "np.array of a list": (lambda t: np.array([t, t]), "x.detach()"),
    "np.sum of a list": (lambda t: np.sum([t, t]), "x.numpy()"), "np.linalg.norm": (lambda t: np.linalg.norm(pair(t)), "sl.vector_norm"),
    "np.cumsum": (lambda t: np.cumsum(pair(t)), "sl.cumulative_sum"), "np.sum in a type": (lambda t: np.sum(t, dtype="f4"), "sl.sum"),
    "np.interp": (lambda t: np.interp(t, [0, 1], [0, 1]), "functions of slopes"), "np.modf": (lambda t: np.modf(t), "functions of slopes"),
    "np.add.reduce": (lambda t: np.add.reduce(pair(t)), "sl.add"), "array +=": (lambda t: added(np.zeros(2), t), "sl.add"),
    "np.copyto": (lambda t: np.copyto(np.zeros(2), t), "x.numpy()"), "a tensor's class": (lambda t: sl.Tensor(t), "sl.tensor(x)"),
}
ONLY_AT_ONCE = {  # while a function is traced there is no value at all
    "math.exp": (lambda t: math.exp(t) * t, "sl.exp"), "math.pow": (lambda t: math.pow(t, 2.0), "sl.pow"),
    "dlpack": (lambda t: np.from_dlpack(t), "x.detach()"),
}


def total(y):
    y = sl.asarray(y)
    return (y * y).sum() + y.sum()


def by_differences(f, h=1e-5):
    high, low = (total(f(sl.tensor(0.6 + step, dtype="float64"))).item() for step in (h, -h))
    return (high - low) / (2 * h)


def by_backward(f):
    t = sl.tensor(0.6, dtype="float64", requires_grad=True)
    total(f(t)).backward()
    return t.grad.item()


POINT = sl.tensor(0.6, dtype="float64")
WAYS = {
    "backward": by_backward,
    "grad": lambda f: sl.grad(lambda t: total(f(t)))(POINT).item(),
    "compiled": lambda f: sl.compile(sl.grad(lambda t: total(f(t))))(POINT).item(),
    "jvp": lambda f: sl.jvp(lambda t: total(f(t)), (POINT,), (sl.tensor(1.0, dtype="float64"),))[1].item(),
    "vmap": lambda f: sl.vmap(sl.grad(lambda t: total(f(t))))(POINT.reshape(1)).item(),
}
VALUES_NEEDED = ("unique",)  # a size depends on values


@pytest.mark.parametrize("name", FOLLOWED)
def test_the_gradient_arrives(name):
    f = FOLLOWED[name]
    expected = pytest.approx(by_differences(f), rel=1e-6)

    @together("way", WAYS)
    def check(way):
        if name in VALUES_NEEDED and way in ("compiled", "vmap"):
            with pytest.raises(TraceError):
                WAYS[way](f)
        else:
            assert WAYS[way](f) == expected

    check()


@pytest.mark.parametrize("name", {**REFUSED, **ONLY_AT_ONCE})
def test_what_loses_a_gradient_is_an_error_with_a_repair(name):
    f, repair = {**REFUSED, **ONLY_AT_ONCE}[name]
    with pytest.raises(GradientError) as caught:
        f(sl.tensor(0.6, dtype="float64", requires_grad=True))
    text = HERE.sub("LINE", str(caught.value))
    assert repair in text and "gradient would be silently lost" in text and text.endswith("at LINE")


@pytest.mark.parametrize("name", REFUSED)
@together("way", ["grad", "compiled", "jvp", "vmap"])
def test_nor_is_it_lost_within_a_derivative(name, way):
    with pytest.raises(SlopesError):
        WAYS[way](REFUSED[name][0])


def test_an_element_of_an_array_does_not_swallow_a_tensor():
    with pytest.raises(ValueError) as caught:  # NumPy puts an error of its own in front
        into(np.zeros(2), sl.tensor(0.6, requires_grad=True))
    assert isinstance(caught.value.__cause__, GradientError) and "sl.stack" in str(caught.value.__cause__)


def test_looking_at_values_stays_possible():
    t = sl.tensor(0.25, requires_grad=True)
    assert float(t) == 0.25 and t.item() == 0.25 and f"{t:.2f}" == "0.25" and not math.isnan(t) and np.float64(t.item()) == 0.25
    assert t.numpy() == 0.25 and np.array_equal(pair(t), [0.25, 0.25]) and np.shape(pair(t)) == (2,) and np.argmax(pair(t)) == 0
    with sl.no_grad():
        assert np.asarray(t) == 0.25 and math.exp(t) == math.exp(0.25) and float(np.from_dlpack(t)) == 0.25
    plain = t.detach()
    assert np.asarray(plain) == 0.25 and np.linalg.norm(sl.tensor([3.0, 4.0])) == 5 and np.array([plain, plain]).shape == (2,)


def test_numpys_functions_give_tensors_where_slopes_has_them_and_arrays_elsewhere():
    t = sl.tensor([1.0, 4.0])
    assert isinstance(np.sqrt(t), sl.Tensor) and isinstance(np.sum(t), sl.Tensor) and isinstance(np.cumsum(t), np.ndarray)
    array = np.ones(2)
    array += t
    assert isinstance(array, np.ndarray) and array.tolist() == [2.0, 5.0]
    with pytest.raises(ArgumentError, match=r"np\.cumsum: "):
        np.cumsum(t, axis=7)
    with pytest.raises(ShapeError, match=r"np\.dot: tensors of 3 and 1 axes"):
        np.dot(sl.ones((2, 2, 2)), t)


def test_every_name_that_is_proposed_exists():
    assert all(hasattr(sl, name) for name in (*SAME, *RENAMED.values()))


def test_lists_of_tensors_have_the_type_in_which_they_meet():
    double, whole = sl.tensor([1.5], dtype="float64"), sl.tensor([2])
    assert sl.asarray([double, [2]]).dtype == sl.float64 and sl.asarray([whole, [2.5]]).dtype == sl.float32
    assert sl.asarray([whole, sl.tensor([True])]).dtype == sl.int64 and sl.asarray([double, double], dtype="float32").dtype == sl.float32
    with pytest.raises(ShapeError, match=r"do not have one shape: they hold \(\) and \(1,\)"):
        sl.asarray([double, 1.0])
    deep = double
    for _ in range(500):
        deep = [deep]
    with pytest.raises(ShapeError):
        sl.asarray(deep)
    endless = [double]
    endless.append(endless)
    with pytest.raises(ShapeError):
        sl.asarray(endless)


def test_a_tensor_that_requires_a_gradient_itself_is_a_start():
    t = sl.tensor(2.0, requires_grad=True)
    leaf = sl.tensor([t, t], requires_grad=True)
    leaf.sum().backward()
    assert t.grad is None and leaf.grad.tolist() == [1, 1]


IN_PLACE = {
    "+=": lambda p, y: p.__iadd__(y), "-=": lambda p, y: p.__isub__(y), "*=": lambda p, y: p.__imul__(y),
    "/=": lambda p, y: p.__itruediv__(y), "//=": lambda p, y: p.__ifloordiv__(y), "%=": lambda p, y: p.__imod__(y),
    "**=": lambda p, y: p.__ipow__(y), "@=": lambda p, y: p.__imatmul__(y),
}


@pytest.mark.parametrize("symbol", IN_PLACE)
@pytest.mark.parametrize("run", [lambda f: f(), lambda f: sl.compile(f)()], ids=["eager", "compiled"])
def test_what_is_to_be_learned_does_not_silently_stay_what_it_was(symbol, run):
    frozen = sl.Parameter([[1.0]])
    frozen.requires_grad = False
    for p in (sl.Parameter([[1.0]]), sl.tensor([[1.0]], requires_grad=True), frozen):
        with sl.no_grad(), pytest.raises(GradientError) as caught:
            run(lambda p=p: IN_PLACE[symbol](p, sl.ones((1, 1))))
        assert str(caught.value).startswith(f"{symbol} on a ") and f"p.assign(p {symbol[:-1]} ...)" in str(caught.value)


def test_other_tensors_take_new_values_under_their_names():
    t = sl.tensor(2.0, requires_grad=True)
    y = total = t * 3
    total += t
    total *= 2
    total.backward()
    assert t.grad.item() == 8 and y.item() == 6
    count = sl.tensor([1])
    count += 1
    assert count.tolist() == [2]
    assert sl.grad(lambda x: [x := x * 1, x.__iadd__(1)] and (x + 1) ** 2)(t).item() == 6


def test_a_pair_is_not_made_of_rows():
    rows = sl.tensor([[1.0, 5.0, 2.0], [7.0, 0.0, 1.0]])
    for f in (lambda: sl.max(rows, 1), lambda: rows.max(1), lambda: sl.min(rows, axis=1), lambda: sl.abs(rows).min(1)):
        assert f().shape == (2,)
    with pytest.raises(ArgumentError, match="max returns one tensor") as caught:
        _, _places = sl.max(rows, 1)
    assert "sl.argmax(x, axis)" in str(caught.value) and HERE.search(str(caught.value))
    with pytest.raises(ArgumentError, match="min returns one tensor"):
        _, _places = sl.abs(rows).min(axis=1)
    with pytest.raises(ArgumentError, match="sort returns one tensor"):
        _, _order = sl.sort(rows, 1)
    with pytest.raises(ArgumentError, match="max returns one tensor"):
        sl.compile(unpacked)(rows)


def unpacked(x):
    _, places = x.max(1)
    return places


def test_rows_unpack_where_they_are_meant():
    rows = sl.tensor([[1.0, 5.0, 2.0], [7.0, 0.0, 1.0]])
    largest = sl.max(rows, 1)
    first, second = largest
    low, high = sl.unstack(sl.max(rows, 1))
    assert (first.item(), second.item(), low.item(), high.item()) == (5, 7, 5, 7)
    (a, b), (c, d) = rows[:, :2]
    assert [each.item() for each in (a, b, c, d)] == [1, 5, 7, 0]
    assert [p.item() + q.item() for p, q in rows[:, 1:]] == [7, 1]
    head, *rest = sl.max(rows, 0)
    assert head.item() == 7 and len(rest) == 2
    with pytest.raises(ShapeError, match=r"a tensor of shape \(2, 3\) does not unpack into 3 names"):
        a, b, c = rows
