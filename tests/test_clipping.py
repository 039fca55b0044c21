"""Clipping of gradients by norm and by value, eagerly and in compiled steps, by hand and in fit."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import slopes as sl
from slopes import nn, optim
from slopes.data import Dataset
from slopes.errors import ArgumentError


def steep():
    """Two parameters with gradients (3, 4) and 12: norm 13."""
    w, b = sl.Parameter([1.0, 1.0]), sl.Parameter(1.0)
    ((w * sl.tensor([3.0, 4.0])).sum() + 12 * b).backward()
    return w, b


def test_the_common_norm_is_brought_down_and_the_direction_kept():
    w, b = steep()
    assert float(optim.clip_by_norm([w, b], 6.5)) == pytest.approx(13)
    np.testing.assert_allclose(w.grad.numpy(), [1.5, 2.0], rtol=1e-6)
    assert float(b.grad) == pytest.approx(6)


def test_gradients_within_the_limit_stay_to_the_bit():
    w, b = steep()
    optim.clip_by_norm({"w": w, "b": b}, 14.0)
    assert w.grad.numpy().tolist() == [3, 4] and float(b.grad) == 12


def test_every_element_is_brought_within_the_limit():
    w, b = steep()
    optim.clip_by_value([w, b], 3.5)
    assert w.grad.numpy().tolist() == [3, 3.5] and float(b.grad) == 3.5


def test_parameters_without_gradient_are_left_out():
    w, b = steep()
    rest = sl.Parameter(5.0)
    assert float(optim.clip_by_norm([w, rest, b], 1.0)) == pytest.approx(13) and rest.grad is None
    assert float(optim.clip_by_norm([rest], 1.0)) == 0


@pytest.mark.parametrize("clip", [optim.clip_by_norm, optim.clip_by_value])
@pytest.mark.parametrize("limit", [0, -1.0, float("nan"), "1"])
def test_a_limit_that_is_none_is_refused(clip, limit):
    with pytest.raises(ArgumentError) as error:
        clip(steep(), limit)
    assert str(error.value).split("\n")[0] == f"{clip.__name__}: limit must be a finite number greater than 0, not {limit!r}"


@pytest.mark.parametrize("clip", [functools.partial(optim.clip_by_norm, limit=0.3), functools.partial(optim.clip_by_value, limit=0.1)],
                         ids=["norm", "value"])
def test_a_compiled_step_clips_as_an_eager_one(clip):
    def trained(wrap):
        sl.seed(1)
        net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
        opt = optim.SGD(net, lr=0.5)

        @wrap
        def step(x):
            net.zero_grad()
            (net(x) * 10).sum().backward()
            clip(net)
            opt.step()

        for _ in range(3):
            step(sl.ones((2, 3)))
        return net.state_dict()

    eager, compiled = trained(lambda step: step), trained(sl.compile)
    for name, array in eager.items():
        np.testing.assert_allclose(compiled[name], array, rtol=1e-5, atol=1e-6)


def far_target(**given):
    sl.seed(0)
    net = nn.Linear(1, 1)
    before = net.state_dict()
    data = Dataset(np.ones((4, 1), np.float32), np.full((4, 1), 1e4, np.float32))
    sl.fit(net, data, loss=nn.mse_loss, optimizer=optim.SGD(lr=1.0), batch_size=4, progress=False, **given)
    return [float((net.state_dict()[name] - before[name]).item()) for name in ("weight", "bias")]


def test_fit_clips_the_norm():
    assert far_target(clip=2.0) == pytest.approx([2 ** 0.5, 2 ** 0.5], rel=1e-5)


def test_fit_calls_a_function_between_backward_and_step():
    assert far_target(clip=functools.partial(optim.clip_by_value, limit=0.25)) == pytest.approx([0.25, 0.25], rel=1e-5)


@pytest.mark.parametrize("clip", [0, -1.0, "1"])
def test_fit_refuses_what_is_no_limit(clip):
    with pytest.raises(ArgumentError) as error:
        far_target(clip=clip)
    assert str(error.value).split("\n")[:3] == [
        f"clip is {clip!r}", "  it is the largest norm that all gradients together may have",
        "  use a number above 0, such as 1.0, or a function of the list of parameters"]
