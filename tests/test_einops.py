"""einops works on tensors through the Python array API: values, gradients, compiled functions."""

import numpy as np
import pytest

import slopes as sl

einops = pytest.importorskip("einops")
array_api = pytest.importorskip("einops.array_api")

X = np.random.default_rng(0).normal(size=(2, 3, 4, 6))
CASES = {
    "transpose": ("rearrange", "b c h w -> b h w c", {}),
    "patches": ("rearrange", "b c (h p) (w q) -> b (h w) (p q c)", {"p": 2, "q": 3}),
    "flatten": ("rearrange", "b ... -> b (...)", {}),
    "unit axes": ("rearrange", "b c h w -> 1 (b c) h 1 w", {}),
    "mean": ("reduce", "b c h w -> b c", {"reduction": "mean"}),
    "maximum of blocks": ("reduce", "b c (h 2) (w 2) -> b c h w", {"reduction": "max"}),
    "sum of all": ("reduce", "b c h w -> ", {"reduction": "sum"}),
    "repeat": ("repeat", "b c h w -> b c (h 2) (w k)", {"k": 3}),
    "new axis": ("repeat", "b c h w -> n b c h w", {"n": 2}),
}


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients(name):
    function, pattern, options = CASES[name]
    expected = getattr(einops, function)(X, pattern, **options)

    def f(x):
        return getattr(array_api, function)(x, pattern, **options)

    x = sl.tensor(X)
    y = f(x)
    assert isinstance(y, sl.Tensor) and y.dtype == sl.float64
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-14)
    sl.check_grads(f, x, order=1, compiled=False)


def test_lists_packing_and_unpacking():
    parts = [sl.asarray(part) for part in X]
    np.testing.assert_array_equal(array_api.rearrange(parts, "b c h w -> c b h w").numpy(), X.transpose(1, 0, 2, 3))
    packed, shapes = array_api.pack([parts[0], sl.asarray(X[1, 0])], "* h w")
    assert packed.shape == (4, 4, 6) and list(shapes) == [(3,), ()]
    for part, expected in zip(array_api.unpack(packed, shapes, "* h w"), (X[0], X[1, 0])):
        np.testing.assert_array_equal(part.numpy(), expected)


def test_a_compiled_function_with_its_gradient():
    def loss(x, w):
        patches = array_api.rearrange(x, "b c (h p) (w q) -> b (h w) (p q c)", p=2, q=2)
        heads = array_api.repeat(patches @ w, "b n d -> b heads n d", heads=2)
        return array_api.reduce(heads**2, "b heads n d -> ", "mean")

    x, w = sl.asarray(X), sl.asarray(np.linspace(-1, 1, 60).reshape(12, 5))
    gradient = sl.value_and_grad(loss, argnums=(0, 1))
    value, gradients = sl.compile(gradient)(x, w)
    expected, eager = gradient(x, w)
    np.testing.assert_allclose(value.numpy(), expected.numpy(), rtol=1e-12)
    for one, other in zip(gradients, eager):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-12)
    patches = X.reshape(2, 3, 2, 2, 3, 2).transpose(0, 2, 4, 3, 5, 1).reshape(2, 6, 12)
    np.testing.assert_allclose(value.numpy(), np.mean((patches @ w.numpy()) ** 2), rtol=1e-12)


def test_the_error_for_a_wrong_pattern_is_that_of_einops():
    with pytest.raises(einops.EinopsError, match=r"Wrong shape: expected 3 dims. Received 4-dim tensor"):
        array_api.rearrange(sl.asarray(X), "b h w -> b w h")
