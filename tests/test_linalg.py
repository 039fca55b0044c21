"""Linear algebra and Fourier transforms: NumPy's values, derivatives against differences, what is refused."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from together import together

import slopes as sl
from slopes import fft, linalg
from slopes.errors import ArgumentError, DTypeError, GradientError, ShapeError, TraceError

RNG = np.random.default_rng(3)
SQUARE = RNG.normal(size=(2, 3, 3)) + 2 * np.eye(3)
TALL, WIDE = RNG.normal(size=(2, 4, 3)), RNG.normal(size=(2, 3, 4))
SYMMETRIC = SQUARE @ np.swapaxes(SQUARE, -1, -2)
SINGULAR = np.array([[1.0, 2.0], [2.0, 4.0]])


def near(ours, theirs):
    for a, b in zip(ours, theirs) if isinstance(ours, tuple) else [(ours, theirs)]:
        assert a.shape == np.shape(b)
        np.testing.assert_allclose(a.numpy(), b, rtol=1e-10, atol=1e-10)


SAME_NAME = [("inv", (SQUARE,)), ("det", (SQUARE,)), ("slogdet", (SQUARE,)), ("cholesky", (SYMMETRIC,)), ("eigh", (SYMMETRIC,)),
             ("eigvalsh", (SYMMETRIC,)), ("eig", (SQUARE,)), ("eigvals", (SQUARE,)), ("qr", (TALL,)), ("qr", (WIDE,)),
             ("svd", (TALL,)), ("svd", (WIDE,)), ("svdvals", (WIDE,)), ("pinv", (TALL,)), ("pinv", (SINGULAR,)),
             ("matrix_rank", (SINGULAR,)), ("matrix_rank", (TALL,)), ("solve", (SQUARE, TALL[:, :3])), ("solve", (SQUARE[0], TALL[:, :3])),
             ("solve", (SQUARE[0], np.ones(3))), ("cross", (SQUARE[0], np.ones(3))), ("matrix_norm", (TALL,)),
             *(("matrix_power", (SQUARE, n)) for n in (-2, 0, 1, 5))]


@together("name, args", SAME_NAME)
def test_values_are_those_of_numpy(name, args):
    near(getattr(linalg, name)(*args), getattr(np.linalg, name)(*args))


def test_options_are_those_of_numpy():
    near(linalg.cholesky(SYMMETRIC, upper=True), np.swapaxes(np.linalg.cholesky(SYMMETRIC), -1, -2))
    near(linalg.qr(TALL, mode="complete"), np.linalg.qr(TALL, mode="complete"))
    near(linalg.svd(TALL, full_matrices=False), np.linalg.svd(TALL, full_matrices=False))
    for ord, keepdims in itertools.product(["fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf], [False, True]):
        near(linalg.matrix_norm(TALL, ord=ord, keepdims=keepdims), np.linalg.matrix_norm(TALL, ord=ord, keepdims=keepdims))
    for x, offset in itertools.product([TALL, WIDE], range(-5, 6)):
        near(linalg.diagonal(x, offset=offset), np.linalg.diagonal(x, offset=offset))
        near(linalg.trace(x, offset=offset), np.linalg.trace(x, offset=offset))
    near(linalg.cross(TALL, np.ones((2, 4, 3)), axis=-1), np.cross(TALL, 1.0 + np.zeros((2, 4, 3))))
    assert linalg.trace([[True, False], [False, True]], dtype="int8").dtype == "int8"
    assert linalg.inv(sl.eye(2)).dtype == "float32" and linalg.inv([[2, 0], [0, 1]]).dtype == "float32"
    assert linalg.matrix_rank(np.zeros((3, 0))).tolist() == 0


OF_SQUARE = [linalg.inv, linalg.det, lambda x: linalg.slogdet(x).logabsdet, linalg.svdvals, linalg.pinv,
             lambda x: linalg.matrix_power(x, -3),
             lambda x: linalg.matrix_norm(x, ord="nuc"), lambda x: linalg.solve(x, TALL[:, :3]), lambda x: linalg.cross(x, x[..., ::-1]),
             lambda x: linalg.eigvalsh(x), lambda x: linalg.trace(x, offset=1), lambda x: linalg.qr(x, mode="complete").R]


@together("function", OF_SQUARE)
def test_derivatives_agree_with_differences(function):
    """First and second ones."""
    x = sl.tensor(SQUARE)
    weights = RNG.normal(size=function(x).shape)

    def loss(x):
        return (function(x) * weights).sum()

    sl.check_grads(loss, x, compiled=False)


def test_equal_singular_values_have_the_derivative_of_what_does_not_depend_on_their_order():
    near(sl.grad(lambda x: linalg.pinv(x).sum())(sl.tensor(np.eye(3))), -np.ones((3, 3)))
    near(sl.grad(lambda x: linalg.eigvalsh(x).sum())(sl.tensor(np.eye(3))), np.eye(3))
    near(sl.grad(lambda x: linalg.svdvals(x).sum())(sl.tensor(np.eye(3))), np.eye(3))


def test_batches_and_forward_mode():
    x = sl.tensor(SQUARE)
    near(sl.vmap(linalg.inv)(x), np.linalg.inv(SQUARE))
    near(sl.vmap(sl.grad(linalg.det))(x), np.linalg.det(SQUARE)[:, None, None] * np.swapaxes(np.linalg.inv(SQUARE), -1, -2))
    near(sl.vmap(lambda b: linalg.solve(x[0], b))(sl.tensor(TALL[:, :3])), np.linalg.solve(SQUARE[0], TALL[:, :3]))
    inverse = np.linalg.inv(SQUARE)
    near(sl.jvp(linalg.inv, (x,), (sl.ones_like(x),))[1], -inverse @ np.ones((3, 3)) @ inverse)


# Fourier transforms

SIGNAL = RNG.normal(size=(2, 6, 5))
COMPLEX = SIGNAL + 1j * RNG.normal(size=SIGNAL.shape)
NORMS = ["backward", "ortho", "forward"]
ONE_AXIS = [(name, x, n, axis) for name, x in [("fft", COMPLEX), ("fft", SIGNAL), ("ifft", COMPLEX), ("rfft", SIGNAL), ("irfft", COMPLEX),
                                               ("hfft", COMPLEX), ("ihfft", SIGNAL)]
            for n, axis in [(None, -1), (4, 1), (9, 1), (7, -1), (1, 0), (2, 1)]]
AXES = [(name, x, s, axes) for name, x in [("fftn", COMPLEX), ("ifftn", COMPLEX), ("rfftn", SIGNAL), ("irfftn", COMPLEX)]
        for s, axes in [(None, None), (None, (0, 1)), ((4, 8), (1, 2))]]


@together("case", [*ONE_AXIS, *AXES])
def test_transforms_are_those_of_numpy(case):
    name, x, size, axis = case
    for norm in NORMS:
        near(getattr(fft, name)(x, size, axis, norm), getattr(np.fft, name)(x, size, axis, norm))


def test_frequencies_and_shifts_are_those_of_numpy():
    for n in range(1, 7):
        near(fft.fftfreq(n, d=0.5, dtype="float64"), np.fft.fftfreq(n, d=0.5))
        near(fft.rfftfreq(n, d=0.5, dtype="float64"), np.fft.rfftfreq(n, d=0.5))
    for axes in (None, 1, (0, 2)):
        near(fft.fftshift(SIGNAL, axes), np.fft.fftshift(SIGNAL, axes))
        near(fft.ifftshift(SIGNAL, axes), np.fft.ifftshift(SIGNAL, axes))
    assert fft.rfft(np.ones(4, np.float32)).dtype == "complex64" and fft.irfft(COMPLEX.astype(np.complex64)).dtype == "float32"


def spectrum(x):
    y = fft.rfft(x, 7)
    return sl.real(y) ** 2 + 2 * sl.imag(y) ** 3


@together("function", [spectrum, lambda x: fft.irfft(fft.rfft(x) * (1 + 2j), 6), lambda x: sl.real(sl.conj(fft.fftn(x)) * (2 - 1j)),
                       lambda x: fft.hfft(fft.ihfft(x) ** 2), lambda x: sl.real(fft.ifft(sl.exp(x) * 1j, norm="ortho"))])
def test_derivatives_of_transforms_agree_with_differences(function):
    x = sl.tensor(SIGNAL[0])
    weights = RNG.normal(size=function(x).shape)
    sl.check_grads(lambda x: (function(x) * weights).sum(), x, compiled=False)
    near(sl.vmap(function)(sl.tensor(SIGNAL)), np.stack([function(sl.tensor(part)).numpy() for part in SIGNAL]))


def test_parts_of_complex_numbers():
    near(sl.real(COMPLEX), COMPLEX.real)
    near(sl.imag(COMPLEX), COMPLEX.imag)
    near(sl.conj(COMPLEX), COMPLEX.conj())
    assert sl.real([1, 2]).tolist() == [1, 2] and sl.imag([1.5]).tolist() == [0] and sl.conj([1]).dtype == "int64"


# What is refused

REFUSED = [
    (lambda: linalg.inv(SINGULAR), ArgumentError, "solve: LAPACK came to no result: Singular matrix\n"
     "  a matrix whose determinant is 0 has no inverse\n"
     "  use sl.linalg.pinv, or add a small multiple of the identity:"),
    (lambda: linalg.cholesky(-np.eye(2)), ArgumentError, "cholesky: LAPACK came to no result: Matrix is not positive definite\n"
     "  only a positive definite matrix"),
    (lambda: linalg.svd([[np.nan, 1.0], [1.0, 1.0]]), ArgumentError, "svd: LAPACK came to no result: SVD did not converge\n  look for NaN"),
    (lambda: linalg.det(np.ones((2, 3))), ShapeError, r"determinant: x of shape \(2, 3\) is no square matrix"),
    (lambda: linalg.eigh(np.ones(3)), ShapeError, r"eigh: x of shape \(3,\) is no matrix"),
    (lambda: linalg.solve(np.eye(2), np.ones((3, 1))), ShapeError, r"solve: a \(2, 2\) and b \(3, 1\) do not fit"),
    (lambda: linalg.qr(TALL, mode="raw"), ArgumentError, "qr: there is no mode 'raw'"),
    (lambda: linalg.matrix_norm(TALL, ord=3), ArgumentError, "matrix_norm: ord=3 is not the order of a norm of matrices"),
    (lambda: linalg.matrix_power(TALL, 2), ShapeError, "matrix_power: x of shape"),
    (lambda: linalg.cross([1.0, 2.0], [1.0, 2.0]), ShapeError, r"cross: x \(2,\) and y \(2,\) do not hold vectors of three elements"),
    (lambda: sl.grad(lambda x: linalg.svd(x).U.sum())(sl.tensor(TALL)), GradientError, "full_matrices=True have no derivative"),
    (lambda: sl.grad(lambda x: linalg.qr(x).R.sum())(sl.tensor(WIDE)), GradientError, "qr: the factors of x .* have no derivative"),
    (lambda: sl.compile(linalg.inv)(SQUARE), TraceError, "solve is not compiled\n  LAPACK computes it, for which"),
    (lambda: sl.compile(lambda x: fft.rfft(x))(SIGNAL), TraceError, "cast computes complex128, which slopes does not compile yet"),
    (lambda: fft.rfft(COMPLEX), DTypeError, "rfft has no meaning for complex128\n"),
    (lambda: fft.fft(SIGNAL, 0), ShapeError, "fft: a transform of 0 elements"),
    (lambda: fft.fft(SIGNAL, norm="both"), ArgumentError, "fft: norm='both' is none"),
    (lambda: fft.fftn(SIGNAL, s=(2,), axes=(0, 1)), ArgumentError, "fft: 1 sizes for 2 axes"),
    (lambda: fft.fftfreq(0), ShapeError, "fftfreq: a transform of 0 elements"),
]


@pytest.mark.parametrize("call, error, text", REFUSED)
def test_what_is_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()
