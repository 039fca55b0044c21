"""Small programs for PyTorch that run with slopes.torch after their import lines are changed: both give the same values."""

from __future__ import annotations

import numpy as np
import pytest

import slopes.torch as window
from slopes.errors import ArgumentError, ShapeError


def clipped(torch, norm_type):
    w, b = torch.nn.Parameter(torch.tensor([1.0, -2.0])), torch.nn.Parameter(torch.tensor([0.5]))
    (w * torch.tensor([3.0, 4.0]) + b).sum().backward()
    norm = torch.nn.utils.clip_grad_norm_([w, b], 1.5, norm_type=norm_type)
    return norm, w.grad, b.grad


def attention(torch):
    q, k, v = (torch.linspace(-1, 1, n).reshape(2, heads, -1, 4) for n, heads in ((2 * 4 * 12, 4), (2 * 2 * 20, 2), (2 * 2 * 20, 2)))
    return torch.nn.functional.scaled_dot_product_attention(q, k, v.exp(), enable_gqa=True)


def rows(torch):
    table = torch.nn.Parameter(torch.arange(6.0).reshape(3, 2))
    y = torch.nn.functional.embedding(torch.tensor([0, 2, 2]), table, padding_idx=-3)
    (y * y).sum().backward()
    return y.detach(), table.grad


def head_weights(torch):
    layer, x = torch.nn.MultiheadAttention(4, 2, batch_first=True), torch.linspace(-1, 1, 40).reshape(2, 5, 4)
    for parameter in layer.parameters():
        torch.nn.init.constant_(parameter, 0.25)
    (y, weights), (alone, nothing) = layer(x, x, x), layer(x, x, x, need_weights=False)
    assert nothing is None
    return y.detach(), weights.detach(), alone.detach()


def ignored(torch):
    scores, labels, functional = torch.arange(12.0).reshape(3, 4), torch.tensor([0, -100, 2]), torch.nn.functional
    return (torch.nn.CrossEntropyLoss()(scores, labels), torch.nn.NLLLoss()(scores, labels), functional.cross_entropy(scores, labels),
            functional.nll_loss(scores, labels), functional.softmin(scores, dim=1, dtype=torch.float64))


def vectors(torch):
    layer = torch.nn.Linear(2, 1)
    torch.nn.utils.vector_to_parameters(torch.nn.utils.parameters_to_vector(layer.parameters()) * 0 + 2, layer.parameters())
    return layer.weight.detach(), layer.bias.detach()


def mapped(torch):
    x = torch.arange(6.0).reshape(2, 3)
    squares = torch.func.grad(lambda row: (row.view(-1) ** 3).sum())
    return torch.vmap(torch.dot, in_dims=(0, None))(x, x[1]), torch.vmap(squares, out_dims=1)(x)


PROGRAMS = [(mapped,), (clipped, 1), (clipped, 3.0), (clipped, float("inf")), (attention,), (rows,), (head_weights,),
            (ignored,), (vectors,)]


@pytest.mark.filterwarnings("ignore")
def test_programs_give_the_values_of_pytorch():
    original = pytest.importorskip("torch")
    for program, *args in PROGRAMS:
        mine, theirs = program(window, *args), program(original, *args)
        for value, other in zip(*((y if isinstance(y, tuple) else (y,)) for y in (mine, theirs)), strict=True):
            np.testing.assert_allclose(value.numpy(), other.numpy(), rtol=1e-5, atol=1e-6, err_msg=program.__name__)


def test_heads_that_do_not_divide():
    x, y = window.ones(2, 3, 4, 5), window.ones(2, 2, 4, 5)
    with pytest.raises(ShapeError, match=r"enable_gqa with query \(2, 3, 4, 5\) and key \(2, 2, 4, 5\)\n.*must be a multiple"):
        window.nn.functional.scaled_dot_product_attention(x, y, y, enable_gqa=True)


def run_schedule(torch, make, resume):
    """The rates of 12 steps, with the schedule's state moved to a new one after some of them."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.5)
    schedule, rates = make(torch.optim.lr_scheduler, optimizer), []
    for i in range(12):
        optimizer.step()
        schedule.step()
        rates.append(schedule.get_last_lr()[0])
        if i == resume:
            state, optimizer = schedule.state_dict(), torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.5)
            schedule = make(torch.optim.lr_scheduler, optimizer)
            schedule.load_state_dict(state)
            optimizer.param_groups[0]["lr"] = rates[-1]
    return rates


@pytest.mark.filterwarnings("ignore")
def test_schedules_of_schedules_resume_as_in_pytorch():
    original = pytest.importorskip("torch")
    for make in (lambda s, o: s.SequentialLR(o, [s.LinearLR(o, 0.1, total_iters=4), s.ExponentialLR(o, 0.9)], [4]),
                 lambda s, o: s.ChainedScheduler([s.LinearLR(o, 0.1, total_iters=4), s.CosineAnnealingLR(o, 12)])):
        mine = run_schedule(window, make, resume=5)
        np.testing.assert_allclose(mine, run_schedule(window, make, resume=None), rtol=1e-6)
        np.testing.assert_allclose(mine, run_schedule(original, make, resume=None), rtol=1e-5, atol=1e-8)
    schedulers, optimizer = window.optim.lr_scheduler, window.optim.SGD([window.nn.Parameter(window.ones(1))], lr=0.5)
    with pytest.raises(ArgumentError, match=r"CosineAnnealingLR sets the rate(.*\n)*.*eta_min=0 makes it a factor"):
        schedulers.ChainedScheduler([schedulers.CosineAnnealingLR(optimizer, 5, eta_min=0.1)])
    with pytest.raises(ArgumentError, match="a state of 0 schedules for 1"):
        schedulers.ChainedScheduler([schedulers.LinearLR(optimizer)]).load_state_dict({"_schedulers": []})
