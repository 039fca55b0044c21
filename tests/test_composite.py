"""Composed functions: their values against NumPy and published numbers, their derivatives, and that nothing overflows."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

import slopes as sl
from slopes.autodiff.check import check_graph
from slopes.autodiff.pullback import pull_back
from slopes.errors import ArgumentError, OutOfRangeError, ShapeError
from slopes.graph.build import constant, variable
from slopes.graph.walk import topological
from slopes.machine.reference import evaluate
from slopes.ops import composite as c
from slopes.ops import sampling

rng = np.random.default_rng(0)


def run(function, *arrays):
    """The result on nodes, after a check that tensors give the same bits."""
    variables = [variable(array.shape, array.dtype) for array in arrays]
    (expected,) = evaluate([function(*variables)], dict(zip(variables, arrays)))
    eager = function(*(sl.asarray(array) for array in arrays)).numpy()
    assert eager.dtype == expected.dtype
    np.testing.assert_array_equal(eager, expected)
    return expected


def gradients(function, *arrays, seed=None):
    variables = [variable(array.shape, array.dtype) for array in arrays]
    y = function(*variables)
    start = constant(np.ones(y.shape, y.dtype) if seed is None else seed)
    return evaluate(pull_back([y], [start], variables), dict(zip(variables, arrays)))


def check(function, *arrays):
    """First and second derivatives against differences."""
    variables = [variable(array.shape, array.dtype) for array in arrays]
    env = dict(zip(variables, arrays))
    y = function(*variables)
    check_graph(evaluate, [y], env)
    pulled = pull_back([y], [constant(rng.normal(size=y.shape))], variables)
    check_graph(evaluate, [each for each in pulled if each is not None], env)


def close(found, expected, tolerance=1e-12):
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


# Statistics


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2), ()])
@pytest.mark.parametrize("keepdims", [False, True])
def test_mean_and_variance_are_numpys(axis, keepdims):
    x = rng.normal(size=(3, 4, 5)) + 100
    close(run(lambda x: c.mean(x, axis, keepdims), x), x.mean(axis=axis, keepdims=keepdims))
    close(run(lambda x: c.var(x, axis, keepdims=keepdims), x), x.var(axis=axis, keepdims=keepdims))
    if axis != ():
        close(run(lambda x: c.std(x, axis, 1, keepdims), x), x.std(axis=axis, ddof=1, keepdims=keepdims))


def test_integers_are_averaged_as_float32():
    assert run(c.mean, np.array([1, 2], np.int64)) == np.float32(1.5)


def test_variance_does_not_cancel_for_large_means():
    close(run(c.var, np.array([1e8 + 1, 1e8 + 2, 1e8 + 3])), 2 / 3)


def test_logsumexp_of_huge_tiny_and_no_weights():
    x = np.array([[1e4, 1e4], [-1e4, -1e4], [-np.inf, 0], [-np.inf, -np.inf], [np.inf, 0]])
    close(run(lambda x: c.logsumexp(x, 1), x), [1e4 + np.log(2), -1e4 + np.log(2), 0, -np.inf, np.inf])
    (g,) = gradients(lambda x: c.logsumexp(x, 1), x[:4])
    close(g, [[0.5, 0.5], [0.5, 0.5], [0, 1], [0, 0]])
    check(lambda x: c.logsumexp(x, (0, 1)), rng.normal(size=(3, 4)) * 5)


def test_softmax_sums_to_one_and_log_softmax_does_not_underflow():
    x = np.array([[1e4, 0.0], [1.0, 2.0]])
    assert run(c.softmax, x).sum(axis=1).tolist() == [1, 1]
    assert run(c.log_softmax, x)[0].tolist() == [0, -1e4]
    for function in (c.softmax, c.log_softmax):
        check(function, rng.normal(size=(3, 5)))
        check(lambda x, function=function: function(x, 0), rng.normal(size=(3, 5)))


def test_cross_entropy_of_uniform_logits_is_log_of_the_number_of_classes():
    close(run(c.log_softmax, np.zeros(10)), np.full(10, -np.log(10)))


# Activations

ACTIVATIONS = [c.relu, c.leaky_relu, c.sigmoid, c.softplus, c.log_sigmoid, c.elu, c.silu, c.gelu, lambda x: c.gelu(x, "tanh"),
               lambda x: c.softplus(x, 3.0)]


@pytest.mark.parametrize("number", range(len(ACTIVATIONS)))
def test_activations_have_their_derivatives_and_stay_finite_far_out(number):
    function = ACTIVATIONS[number]
    check(function, np.array([-3.0, -1.0, -0.2, 0.1, 0.7, 4.0]))
    far = np.array([-1e3, -100, 0, 100, 1e3])
    assert np.isfinite(run(function, far)).all()
    x = variable(far.shape, far.dtype)
    (first,) = pull_back([function(x)], [constant(np.ones(5))], [x])
    (second,) = pull_back([first], [constant(np.ones(5))], [x])
    for each in (first, second):
        assert each is None or np.isfinite(evaluate([each], {x: far})[0]).all()
    assert np.isnan(run(function, np.array([np.nan]))).all()


def test_activations_at_the_points_that_the_books_give():
    assert run(c.sigmoid, np.zeros(1)) == 0.5 and gradients(c.sigmoid, np.zeros(1))[0] == 0.25
    close(run(c.softplus, np.array([0, 1e3, -1e3])), [np.log(2), 1e3, 0])
    assert gradients(c.softplus, np.zeros(1))[0] == 0.5
    assert gradients(c.relu, np.array([-1.0, 0, 1]))[0].tolist() == [0, 0, 1]
    assert gradients(c.leaky_relu, np.array([-1.0, 1]))[0].tolist() == [0.01, 1]
    close(run(c.sigmoid, np.array([-40.0])), np.exp(-40.0) / (1 + np.exp(-40.0)), 1e-15)
    close(gradients(c.sigmoid, np.array([0.0, 1, 2]))[0], [0.25, 0.19661193324, 0.10499358540], 1e-10)
    with pytest.raises(ArgumentError, match='choose "none" or "tanh"'):
        c.gelu(constant(1.0), "erf")


def test_relu_keeps_the_type_of_integers():
    assert run(c.relu, np.array([-3, 4], np.int8)).dtype == np.int8


# Products


@pytest.mark.parametrize("shapes", [((3, 4), (4, 5)), ((4,), (4, 5)), ((3, 4), (4,)), ((4,), (4,)), ((2, 3, 4), (4, 5)),
                                    ((2, 3, 4), (2, 4, 5)), ((2, 1, 3, 4), (7, 4, 5)), ((1, 3, 4), (6, 4, 5)), ((5, 3, 4), (4,)),
                                    ((4,), (5, 4, 2)), ((1, 1), (1, 1)), ((0, 3), (3, 2)), ((1, 2, 3), (1, 3, 2))], ids=str)
def test_matmul_is_numpys(shapes):
    a, b = (rng.normal(size=shape) for shape in shapes)
    close(run(c.matmul, a, b), np.matmul(a, b))
    check(c.matmul, a, b)


def test_matmul_of_unfitting_shapes_names_the_axes_and_the_transposition_that_fits():
    with pytest.raises(ShapeError) as caught:
        c.matmul(constant(np.zeros((2, 3))), constant(np.zeros((4, 3))))
    assert str(caught.value).startswith("matmul: a (2, 3) and b (4, 3) do not fit: the last axis of a has 3, axis 0 of b has 4\n")
    assert "the last axis of b has 3: a @ b.mT would fit" in str(caught.value)


EINSUMS = ["ij,jk->ik", "ij,jk", "ii->i", "ii", "ii->", "iij->j", "...ij,...jk->...ik", "ij->ji", "i,j->ij", "ij,ij->",
           "ij,ij->ij", "i,ij,j->", "ab,bc,cd->ad", "b...,b...->...b", "bhid,bhjd->bhij", "iji->j", "ij,kl->", "ijk->",
           "ab,ab,ab->a"]


@pytest.mark.parametrize("pattern", EINSUMS)
def test_einsum_is_numpys(pattern):
    sizes = dict(zip("abcdhijkl", (2, 3, 4, 5, 2, 3, 4, 5, 6)))
    sizes |= {"j": 4, "k": 5}
    inputs = pattern.split("->")[0].split(",")
    arrays = [rng.normal(size=[n for part in term.replace("...", ".") for n in ([2, 3] if part == "." else [sizes[part]])])
              for term in inputs]
    close(run(lambda *xs: c.einsum(pattern, *xs), *arrays), np.einsum(pattern, *arrays))
    check(lambda *xs: c.einsum(pattern, *xs), *arrays)


def test_einsum_broadcasts_under_the_ellipsis():
    a, b = rng.normal(size=(1, 3, 2, 4)), rng.normal(size=(5, 1, 4, 2))
    close(run(lambda a, b: c.einsum("...ij,...jk->...ik", a, b), a, b), a @ b)


@pytest.mark.parametrize("pattern, words", [
    ("ij,jk->ik", "letter 'j' in 'ij,jk->ik' has size 3 in one place and 4 in another"), ("ij->i", "names 1 operands, 2 were"),
    ("ijk,jk->i", "names 3 axes, its operand has 2"), ("ij,kl->im", "must have different letters"),
    ("i1,kl->k", "letters and one")])
def test_einsum_says_what_is_wrong(pattern, words):
    with pytest.raises((ShapeError, ArgumentError), match=words):
        c.einsum(pattern, constant(np.zeros((2, 3))), constant(np.zeros((4, 5))))


def test_tensordot_is_numpys():
    a, b = rng.normal(size=(2, 3, 4)), rng.normal(size=(4, 3, 5))
    close(run(lambda a, b: c.tensordot(a, b, ((1, 2), (1, 0))), a, b), np.tensordot(a, b, ((1, 2), (1, 0))))
    close(run(lambda a, b: c.tensordot(a, b, 1), a, b), np.tensordot(a, b, 1))
    close(run(lambda a, b: c.tensordot(a, b, 0), a, b), np.tensordot(a, b, 0))


# Convolution and pooling


def slow_convolution(x, w, stride, pairs, dilation, groups):
    """The formula, one output at a time."""
    x = np.pad(x, ((0, 0), (0, 0), *pairs))
    kernel, per = w.shape[2:], w.shape[1]
    out = [(n - d * (k - 1) - 1) // s + 1 for n, d, k, s in zip(x.shape[2:], dilation, kernel, stride)]
    y = np.zeros((x.shape[0], w.shape[0], *out))
    for n, o, *p in np.ndindex(*y.shape):
        group = o // (w.shape[0] // groups)
        place = tuple(slice(i * s, i * s + d * (k - 1) + 1, d) for i, s, d, k in zip(p, stride, dilation, kernel))
        y[(n, o, *p)] = (x[(n, slice(group * per, (group + 1) * per), *place)] * w[o]).sum()
    return y


@pytest.mark.parametrize("spatial, kernel, stride, pairs, dilation, groups", [
    ((9,), (3,), (1,), ((0, 0),), (1,), 1), ((9,), (4,), (2,), ((2, 1),), (1,), 2), ((10,), (3,), (1,), ((0, 0),), (3,), 4),
    ((7, 6), (3, 2), (1, 1), ((0, 0), (0, 0)), (1, 1), 1), ((7, 8), (3, 3), (2, 3), ((1, 1), (1, 1)), (1, 2), 2),
    ((6, 6), (1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1), 1), ((5, 5), (5, 5), (1, 1), ((0, 0), (0, 0)), (1, 1), 4),
    ((4, 5, 6), (2, 3, 2), (1, 2, 1), ((1, 0), (1, 1), (0, 0)), (1, 1, 2), 1)], ids=str)
def test_convolution_follows_its_formula(spatial, kernel, stride, pairs, dilation, groups):
    x, w = rng.normal(size=(2, 4, *spatial)), rng.normal(size=(8, 4 // groups, *kernel))

    def conv(x, w):
        return c.convolution(x, w, stride, pairs, dilation, groups)

    close(run(conv, x, w), slow_convolution(x, w, stride, pairs, dilation, groups))
    check(conv, x[:1], w)


@pytest.mark.parametrize("kernel, dilation, groups", [((3,), 1, 1), ((4,), 2, 1), ((2, 3), 1, 2)], ids=str)
def test_same_padding_keeps_the_size(kernel, dilation, groups):
    x, w = rng.normal(size=(1, 2, *(9,) * len(kernel))), rng.normal(size=(2, 2 // groups, *kernel))
    assert run(lambda x, w: c.convolution(x, w, 1, "same", dilation, groups), x, w).shape == x.shape


@pytest.mark.parametrize("spatial, kernel, stride, padding, extra, dilation, groups", [
    ((5,), (3,), 1, 0, 0, 1, 1), ((5,), (3,), 2, 1, 1, 1, 1), ((4,), (2,), 3, 0, 2, 1, 2), ((3, 3), (3, 3), 2, 1, 1, 1, 2),
    ((4, 3), (3, 2), (2, 1), (1, 0), 0, (1, 2), 1)], ids=str)
def test_transposed_convolution_is_the_adjoint_of_convolution(spatial, kernel, stride, padding, extra, dilation, groups):
    y, w = rng.normal(size=(2, 4, *spatial)), rng.normal(size=(4, 6 // groups, *kernel))

    def up(y, w):
        return c.transposed_convolution(y, w, stride, padding, extra, dilation, groups)

    made = run(up, y, w)
    x = rng.normal(size=made.shape)
    down = run(lambda x, w: c.convolution(x, w, stride, padding, dilation, groups), x, w)
    assert down.shape == y.shape
    close((down * y).sum(), (x * made).sum(), 1e-10)
    check(up, y[:1], w)


def test_convolution_and_pooling_of_the_text_books():
    image, kernel = np.arange(9.0).reshape(1, 1, 3, 3), np.arange(4.0).reshape(1, 1, 2, 2)
    assert run(c.convolution, image, kernel).tolist() == [[[[19, 25], [37, 43]]]]
    small = np.arange(4.0).reshape(1, 1, 2, 2)
    assert run(c.transposed_convolution, small, kernel)[0, 0].tolist() == [[0, 0, 1], [0, 4, 6], [4, 12, 9]]
    assert run(lambda x: c.max_pool(x, 2, 1), image)[0, 0].tolist() == [[4, 5], [7, 8]]
    assert run(lambda x: c.avg_pool(x, 2, 1), image)[0, 0].tolist() == [[2, 3], [5, 6]]
    line = np.array([[[2.0, 3, 1, 3, 2, 1]]])
    assert run(c.convolution, line, np.array([[[1.0, 2, 1]]]))[0, 0].tolist() == [9, 8, 9, 8]
    assert run(lambda x: c.max_pool(x, 3, 1), line)[0, 0].tolist() == [3, 3, 3, 3]
    assert run(lambda x: c.max_pool(x, 3), line)[0, 0].tolist() == [3, 3]
    close(run(lambda x: c.avg_pool(x, 3, 1), line)[0, 0], [2, 7 / 3, 2, 2])


def test_of_equal_elements_the_first_of_a_window_gets_the_gradient():
    x = np.array([[[1.0, 3, 3, 0, 2, 2]]])
    assert gradients(lambda x: c.max_pool(x, 3), x)[0].tolist() == [[[0, 1, 0, 0, 1, 0]]]
    assert gradients(lambda x: c.max_pool(x, 3, 1), x)[0].tolist() == [[[0, 2, 1, 0, 1, 0]]]
    square = np.ones((1, 1, 2, 2))
    assert gradients(lambda x: c.max_pool(x, 2), square)[0].tolist() == [[[[1, 0], [0, 0]]]]


def test_max_pool_padding_never_wins_and_integers_pool():
    assert run(lambda x: c.max_pool(x, 3, 2, 1), np.full((1, 1, 4), -5.0)).tolist() == [[[-5, -5]]]
    assert run(lambda x: c.max_pool(x, 3, 2, 1), np.full((1, 1, 4), -5, np.int8)).tolist() == [[[-5, -5]]]
    check(lambda x: c.max_pool(x, (2, 3), (1, 2), (1, 1), (1, 2)), rng.normal(size=(2, 5, 9)))


def test_average_pool_counts_padding_or_not():
    x = np.ones((1, 1, 4))
    close(run(lambda x: c.avg_pool(x, 3, 2, 1), x), [[[2 / 3, 1]]])
    close(run(lambda x: c.avg_pool(x, 3, 2, 1, count_include_pad=False), x), [[[1, 1]]])
    check(lambda x: c.avg_pool(x, (3, 2), (2, 1), (1, 1), False), rng.normal(size=(5, 4)))


@pytest.mark.parametrize("call, words", [
    (lambda x: c.convolution(x, constant(np.zeros((5, 4, 3, 3)))),
     r"x \(1, 3, 8, 8\) has 3 channels, but weights \(5, 4, 3, 3\) take 4"),
    (lambda x: c.convolution(x, constant(np.zeros((5, 3, 9, 9)))), "has size 8 but the window needs 9"),
    (lambda x: c.convolution(x, constant(np.zeros((5, 3, 3)))), "differ in their number of axes"),
    (lambda x: c.convolution(x, constant(np.zeros((5, 1, 3, 3))), groups=3), "5 output channels do not divide into 3 groups"),
    (lambda x: c.convolution(x, constant(np.zeros((5, 3, 3, 3))), stride=2, padding="same"), "only with stride 1"),
    (lambda x: c.convolution(x, constant(np.zeros((5, 3, 3, 3))), padding="full"), "padding='full' is not known"),
    (lambda x: c.convolution(x, constant(np.zeros((5, 3, 3, 3))), stride=0), "stride 0 does not fit 2 spatial axes"),
    (lambda x: c.max_pool(x, 2, padding=2), "more than half of the window")])
def test_convolution_and_pooling_say_what_is_wrong(call, words):
    with pytest.raises((ShapeError, ArgumentError), match=words):
        call(constant(np.zeros((1, 3, 8, 8))))


# Arrangement


@pytest.mark.parametrize("ours, theirs", [
    (lambda x: c.flip(x), lambda x: np.flip(x)), (lambda x: c.flip(x, (0, -1)), lambda x: np.flip(x, (0, -1))),
    (lambda x: c.roll(x, 2), lambda x: np.roll(x, 2)),
    (lambda x: c.roll(x, (-1, 5), (0, 2)), lambda x: np.roll(x, (-1, 5), (0, 2))),
    (lambda x: c.roll(x, 0, 1), lambda x: x), (lambda x: c.tile(x, 2), lambda x: np.tile(x, 2)),
    (lambda x: c.tile(x, (2, 1, 3, 2)), lambda x: np.tile(x, (2, 1, 3, 2))),
    (lambda x: c.repeat(x, 3, 1), lambda x: np.repeat(x, 3, 1)), (lambda x: c.repeat(x, 2), lambda x: np.repeat(x, 2)),
    (lambda x: c.repeat(x, [2, 0, 1], 1), lambda x: np.repeat(x, [2, 0, 1], 1)),
    (lambda x: c.moveaxis(x, 0, -1), lambda x: np.moveaxis(x, 0, -1)),
    (lambda x: c.moveaxis(x, (0, 2), (1, 0)), lambda x: np.moveaxis(x, (0, 2), (1, 0))),
    (c.matrix_transpose, np.matrix_transpose),
    (lambda x: c.expand_dims(x, -2), lambda x: np.expand_dims(x, -2)), (lambda x: c.tril(x), lambda x: np.tril(x)),
    (lambda x: c.triu(x, 1), lambda x: np.triu(x, 1)), (lambda x: c.tril(x, -1), lambda x: np.tril(x, -1)),
    (lambda x: c.stack([x, x], -1), lambda x: np.stack([x, x], -1)),
    (lambda x: c.concat([x, x], None), lambda x: np.concatenate([x, x], None)),
    (lambda x: c.split(x, [1, 3], 2)[1], lambda x: x[:, :, 1:]), (lambda x: c.split(x, 2, 0)[1], lambda x: x[1:]),
    (lambda x: c.unstack(x, 1)[2], lambda x: x[:, 2]), (lambda x: c.sort(x, 1), lambda x: np.sort(x, 1)),
    (lambda x: c.sort(x, -1, descending=True), lambda x: -np.sort(-x, -1)), (lambda x: c.flatten(x), lambda x: x.reshape(2, 12)),
    (lambda x: c.top_k(x, 2)[0], lambda x: -np.sort(-x, -1)[..., :2]),
    (lambda x: c.top_k(x, 2, 1, False)[0], lambda x: np.sort(x, 1)[:, :2]),
    (lambda x: c.diagonal(c.split(x, [2, 1], 1)[0], 0, 1), lambda x: np.diagonal(x[:, :2], axis1=0, axis2=1))])
def test_arrangements_are_numpys(ours, theirs):
    x = rng.normal(size=(2, 3, 4))
    np.testing.assert_array_equal(run(ours, x), theirs(x))
    check(ours, x)


def test_one_hot_marks_the_label_and_refuses_labels_outside():
    assert run(lambda x: c.one_hot(x, 3), np.array([[2, 0]])).tolist() == [[[0, 0, 1], [1, 0, 0]]]
    with pytest.raises(OutOfRangeError, match="index 3 is outside axis 1 of size 3"):
        run(lambda x: c.one_hot(x, 3), np.array([3]))


def test_sorting_is_stable_and_puts_nan_last():
    x = np.array([2.0, np.nan, 1, 2, 1])
    assert run(c.argsort, x).tolist() == [2, 4, 0, 3, 1]
    assert run(lambda x: c.argsort(x, descending=True), x).tolist() == [1, 0, 3, 2, 4]
    assert run(lambda x: c.top_k(x, 2)[1], np.array([1.0, 3, 3, 3])).tolist() == [1, 2]


# Random numbers


def keys():
    return [np.uint32(n) for n in (17, 42)]


def draw(numbers, words, shape, start=5):
    return run(lambda *key: numbers(sampling.words(*key, shape, words)), *(np.asarray(key) for key in keys()), np.asarray(np.uint32(start)))


def counters_used(function, start=5):
    """All counters that the random bits of a draw are made from."""
    a, b, s = (variable((), np.dtype("uint32")) for _ in range(3))
    bits = [node for node in topological(function(a, b, s)) if node.op.name == "random_bits"]
    used = evaluate([node.args[2] for node in bits], {s: np.asarray(np.uint32(start))})
    return sorted(np.concatenate([each.reshape(-1) for each in used]).tolist())


def test_words_use_the_counters_one_after_the_other():
    for shape, count in itertools.product(((3, 5), (7,), (), (0,)), (1, 2, 4)):
        n = math.prod(shape) * count
        assert counters_used(lambda a, b, s, h=shape, n=count: sampling.words(a, b, s, h, n)) == list(range(5, 5 + n))
    assert [sampling.order_words(n) for n in (0, 10, 1 << 16, (1 << 16) + 1)] == [1, 1, 1, 2]


def test_counters_wrap_around_without_an_error():
    assert draw(lambda bits: sampling.normal_from(bits, np.dtype("float32")), 2, (4,), start=2**32 - 3).shape == (4,)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_random_numbers_have_their_moments(dtype):
    n, dtype = 40_000, np.dtype(dtype)
    u = draw(lambda bits: sampling.uniform_from(bits, dtype), sampling.uniform_words(dtype), (n,))
    assert u.dtype == dtype and u.min() >= 0 and u.max() < 1
    assert abs(u.mean() - 1 / 2) < 0.01 and abs(u.var() - 1 / 12) < 0.005
    z = draw(lambda bits: sampling.normal_from(bits, dtype), sampling.normal_words(dtype), (n,))
    assert z.dtype == dtype and np.isfinite(z).all()
    assert abs(z.mean()) < 0.02 and abs(z.var() - 1) < 0.03 and abs((z**3).mean()) < 0.1 and abs((z**4).mean() - 3) < 0.3
    whole = draw(lambda bits: sampling.integers_from(bits[0], -2, 3), 1, (n,))
    assert set(whole.tolist()) == {-2, -1, 0, 1, 2} and abs(whole.mean()) < 0.05


@pytest.mark.parametrize("n", [0, 1, 7, (1 << 16) + 5])
def test_a_permutation_holds_each_number_once(n):
    order = draw(lambda bits: c.argsort(sampling.order_from(bits)), sampling.order_words(n), (n,))
    assert order.dtype == np.int64 and np.array_equal(np.sort(order), np.arange(n))
    assert n < 7 or not np.array_equal(order, np.arange(n))
