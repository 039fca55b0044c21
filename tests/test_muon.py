"""Muon: PyTorch's path without its rounding to bfloat16, singular values, matrices only, and its part in a combination."""

from __future__ import annotations

import numpy as np
import pytest
from learning_parts import numbers, optimizer

import slopes as sl
from slopes import nn, optim
from slopes.data import Dataset
from slopes.errors import ArgumentError

OPTIONS = ("Muon(p)", "Muon(p, lr=0.05, weight_decay=0.0, momentum=0.8, nesterov=False)",
           "Muon(p, 0.02, 0.3, 0.9, True, (3.0, -3.2, 1.2), 0.5, 3, 'match_rms_adamw')", "Muon(p, lr=0.1, adjust_lr_fn='original')")
STARTS = [numbers("w", (5, 3)), numbers("v", (3, 4))]


def path(library, text, parameters, wrap=lambda step: step):
    opt = optimizer(library.optim, text, parameters)
    w, v = parameters

    def step(x):
        y = library.tanh(x @ w) @ v
        loss = (y * y).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        return loss

    step = wrap(step)
    return [step(library.tensor(numbers(f"x{i}", (7, 5)).astype(np.float64))).item() for i in range(10)]


def ours(text, wrap=lambda step: step):
    parameters = [sl.Parameter(start.astype(np.float64)) for start in STARTS]
    return path(sl, text, parameters, wrap), [parameter.detach().numpy() for parameter in parameters]


@pytest.mark.parametrize("text", OPTIONS)
def test_ten_steps_are_pytorchs_without_rounding(text, monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda tensor: tensor.clone())
    theirs = [torch.tensor(start.astype(np.float64), requires_grad=True) for start in STARTS]
    their_losses = path(torch, text, theirs)
    losses, mine = ours(text)
    np.testing.assert_allclose(losses, their_losses, rtol=1e-10)
    for one, other in zip(mine, theirs):
        np.testing.assert_allclose(one, other.detach().numpy(), rtol=1e-9, atol=1e-10)


def test_compiled_it_takes_the_same_steps():
    for one, other in zip(ours(OPTIONS[0])[1], ours(OPTIONS[0], sl.compile)[1]):
        np.testing.assert_allclose(one, other, rtol=1e-9)


@pytest.mark.parametrize("shape", [(6, 4), (4, 6)])
def test_the_singular_values_of_a_step_are_nearly_equal(shape):
    step = optim.muon.orthogonalize(sl.tensor(numbers("m", shape)), (3.4445, -4.775, 2.0315), 5, sl.tensor(1e-7)).numpy()
    values = np.linalg.svd(step, compute_uv=False)
    assert values.min() > 0.6 and values.max() < 1.3


def test_it_takes_matrices_only():
    with pytest.raises(ArgumentError, match=r"(?s)parameter bias has shape \(4,\), and is no matrix.*optim\.Combined"):
        optim.Muon(nn.Linear(3, 4))
    with pytest.raises(ArgumentError, match="parameter 0 has shape"):
        optim.Muon([{"params": [sl.Parameter([1.0])]}])


def test_with_adamw_it_trains_a_network():
    sl.seed(0)
    net = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 3))
    points = Dataset(numbers("points", (60, 6)), np.argmax(numbers("points", (60, 6))[:, :3], axis=1))
    hidden = optim.Muon([net[0].weight], lr=0.05)
    others = optim.AdamW([{"params": [net[0].bias]}, {"params": net[2], "lr": 0.02}], lr=0.01, weight_decay=0.0)
    run = sl.fit(net, points, optimizer=optim.Combined(hidden, others), schedule="cosine", epochs=20, batch_size=20, progress=False)
    assert run.losses[-1] < 0.5 * run.losses[0] and float(hidden.rate) == 0.05
