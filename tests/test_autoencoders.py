"""Auto-encoders: shapes, losses as their formulas say, noise in training only, the linear one beside PCA, the variational one's bound."""

from __future__ import annotations

import numpy as np
import pytest

import slopes as sl
from slopes import nn, optim
from slopes.data import Dataset
from slopes.errors import ArgumentError
from slopes.zoo import autoencoders, variational

SHAPE = (1, 8, 8)
KINDS = {name: getattr(autoencoders, name) for name in ("linear", "deep", "sparse", "contractive", "denoising", "convolutional")}
X = np.random.default_rng(0).uniform(size=(6, *SHAPE)).astype(np.float32)


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_gives_its_input_s_shape_and_learns(name):
    sizes = {"deep": {"hidden": (24, 16)}, "convolutional": {"channels": 4}}.get(name, {})
    net = KINDS[name](SHAPE, code=9, **sizes)
    assert net(sl.tensor(X)).shape == X.shape and net.encode(sl.tensor(X)).shape == (6, 9)
    run = sl.fit(net, Dataset(X, X), loss=net.loss, optimizer=optim.Adam(lr=0.003), epochs=30, progress=False)
    assert run.losses[-1] < 0.8 * run.losses[0]
    assert sl.evaluate(net, Dataset(X, X), loss=nn.mse_loss)["loss"] < 0.3


def test_a_convolutional_one_needs_sides_that_halve_twice():
    with pytest.raises(ArgumentError, match="pictures of 8x7"):
        autoencoders.convolutional((1, 8, 7))


def test_noise_spoils_inputs_in_training_only():
    net = autoencoders.AutoEncoder(nn.Identity(), nn.Identity(), noise=nn.MaskingNoise(0.5))
    assert 0.3 < (net(sl.ones((1000,))).numpy() == 0).mean() < 0.7
    assert (net.eval()(sl.ones((1000,))).numpy() == 1).all()


def test_losses_are_not_error_plus_price():
    x = sl.tensor(X)
    sparse = autoencoders.sparse(SHAPE, 12, target=0.1, weight=0.5)
    wanted = nn.mse_loss(sparse(x), x) + 0.5 * nn.kl_sparsity(sparse.encode(x), 0.1)
    assert sparse.loss(sparse(x), x).item() == pytest.approx(wanted.item(), rel=1e-6)
    tight = autoencoders.contractive(SHAPE, 12, weight=0.5, draws=None)
    h, weight = tight.encode(x).detach().numpy(), tight.encoder[1].weight.detach().numpy()
    price = (((h * (1 - h)) ** 2) @ (weight ** 2).sum(axis=1)).mean()
    assert tight.loss(tight(x), x).item() == pytest.approx(nn.mse_loss(tight(x), x).item() + 0.5 * price, rel=1e-5)


def test_a_price_on_sensitivity_makes_the_code_less_sensitive():
    def sensitivity(weight):
        sl.seed(0)
        net = autoencoders.contractive(SHAPE, 12, weight=weight)
        sl.fit(net, Dataset(X, X), loss=net.loss, optimizer=optim.Adam(lr=0.01), epochs=100, progress=False)
        return nn.contractive_penalty(net.encode, sl.tensor(X)).item()

    assert sensitivity(1.0) < 0.5 * sensitivity(0.0)


def test_the_linear_one_finds_the_subspace_of_pca():
    random = np.random.default_rng(1)
    x = (random.normal(size=(200, 3)) @ random.normal(size=(3, 10)) + 0.3 * random.normal(size=(200, 10))).astype(np.float32)
    net = autoencoders.linear((10,), code=3)
    inputs = sl.tensor(x)
    optim.minimize(lambda: net.loss(net(inputs), inputs), net, steps=300)
    centred = x - x.mean(axis=0)
    values = np.linalg.svd(centred, compute_uv=False)
    assert nn.mse_loss(net(inputs), inputs).item() == pytest.approx((values[3:] ** 2).sum() / x.size, rel=1e-2)
    own = np.linalg.qr(net.decoder[0].weight.detach().numpy())[0]
    top = np.linalg.svd(centred, full_matrices=False)[2][:3].T
    assert np.linalg.svd(own.T @ top, compute_uv=False).min() > 0.999


def test_the_bound_is_not_kingma_and_welling_s():
    net, x = variational.variational(SHAPE, code=3, hidden=16), sl.tensor(X)
    guess = net.eval()(x)
    logits, mean, log_variance = (each.detach().numpy().astype(float) for each in guess)
    said = np.log1p(np.exp(-np.abs(logits))) + np.maximum(logits, 0) - logits * X
    price = 0.5 * (mean ** 2 + np.exp(log_variance) - log_variance - 1)
    assert net.loss(guess, x).item() == pytest.approx((said.sum() + price.sum()) / 6, rel=1e-5)
    assert net(x).logits.numpy().tolist() == logits.astype(np.float32).tolist()
    assert not np.array_equal(net.train()(x).logits.numpy(), net(x).logits.numpy())


def test_the_variational_one_learns_and_draws():
    sl.seed(0)
    net = variational.variational(SHAPE, code=2, hidden=32)
    run = sl.fit(net, Dataset(X, X), loss=net.loss, optimizer=optim.Adam(lr=0.01), epochs=60, progress=False)
    assert run.losses[-1] < run.losses[0]
    drawn = net.sample(5)
    assert drawn.shape == (5, *SHAPE) and drawn.numpy().min() >= 0 and drawn.numpy().max() <= 1
    assert net.plane(4).shape == (16, *SHAPE)
