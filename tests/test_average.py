"""Averages of weights: their values, swapping in and out to the bit, compiled steps, and fit; accumulation of gradients."""

from __future__ import annotations

import numpy as np
import pytest

import slopes as sl
from slopes import nn, optim
from slopes.data import Dataset
from slopes.errors import ArgumentError, NonFiniteError, StateError

VALUES = [3.0, -1.0, 4.0, 1.5]


def walked(average, w, wrap=lambda step: step):
    @wrap
    def step(value):
        w.assign(value)
        average.update()

    for value in VALUES:
        step(sl.tensor([value]))
    with average.swapped():
        return float(w)


def test_the_average_begins_at_the_first_value_and_forgets_it_slowly():
    w = sl.Parameter([100.0])
    expected = VALUES[0]
    for value in VALUES[1:]:
        expected += 0.25 * (value - expected)
    assert walked(optim.Average(0.75, [w]), w) == pytest.approx(expected)
    assert float(w) == VALUES[-1]


def test_without_decay_it_is_the_mean_of_all():
    w = sl.Parameter([100.0])
    assert walked(optim.Average(None, [w]), w) == pytest.approx(np.mean(VALUES))


@pytest.mark.parametrize("decay", [0.0, 0.9, None])
def test_compiled_it_is_the_same(decay):
    w, other = sl.Parameter([0.0]), sl.Parameter([0.0])
    assert walked(optim.Average(decay, [w]), w) == pytest.approx(walked(optim.Average(decay, [other]), other, sl.compile))


def test_parameters_come_back_to_the_bit_also_after_an_error():
    sl.seed(3)
    net = nn.Linear(4, 3)
    average = optim.Average(0.5, net)
    average.update()
    net.weight.assign(net.weight.detach() / 3)
    before = net.state_dict()
    with pytest.raises(KeyError), average.swapped():
        assert not np.array_equal(net.state_dict()["weight"], before["weight"])
        raise KeyError
    assert all(np.array_equal(array, net.state_dict()[name]) for name, array in before.items())


def test_taking_the_average_is_for_good():
    w = sl.Parameter([1.0])
    average = optim.Average(0.5, [w])
    average.update()
    w.assign(sl.tensor([3.0]))
    average.update()
    average.take()
    assert float(w) == 2.0


def test_its_state_goes_round():
    w, other = sl.Parameter([1.0, 2.0]), sl.Parameter([0.0, 0.0])
    average, copy = optim.Average(0.5, {"w": w}), optim.Average(0.9, {"w": other})
    average.update()
    copy.load_state_dict(average.state_dict())
    assert copy.state_dict().keys() == {"decay", "steps", "w"} and repr(copy) == "Average(decay=0.5, steps=1)"
    copy.take()
    assert other.numpy().tolist() == [1.0, 2.0]
    with pytest.raises(StateError, match="missing: w"):
        copy.load_state_dict({"decay": 0.5, "steps": 1})


def test_an_average_of_nothing_says_so():
    for use in (optim.Average().update, optim.Average().take, optim.Average().swapped().__enter__):
        with pytest.raises(ArgumentError, match=r"it has no parameters yet\n  bind it first: average.bind\(net.parameters\(\)\)"):
            use()


@pytest.mark.parametrize("decay", [1, -0.1, "0.5"])
def test_a_decay_that_is_none_is_refused(decay):
    with pytest.raises(ArgumentError, match="Average: decay must be a number p with 0 <= p < 1, not"):
        optim.Average(decay)


# In fit


def points(examples=48):
    random = np.random.default_rng(0)
    labels = np.arange(examples) % 3
    return Dataset((np.eye(3)[labels] * 2 + random.standard_normal((examples, 3))).astype(np.float32), labels)


def trained(**given):
    sl.seed(0)
    net = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 3))
    given = {"optimizer": optim.SGD(lr=0.3, momentum=0.9), "batch_size": 16, "epochs": 2, "progress": False} | given
    return sl.fit(net, points(), **given)


def test_fit_averages_every_step_and_validates_with_the_average():
    average = optim.Average(0.5)
    run, plain = trained(average=average, validation=points()), trained(validation=points())
    for name, array in plain.net.state_dict().items():
        np.testing.assert_allclose(run.net.state_dict()[name], array, rtol=1e-6)
    assert int(average.steps) == 6
    assert run.epochs[-1].validation["loss"] != plain.epochs[-1].validation["loss"]
    with average.swapped():
        assert sl.evaluate(run.net, points())["loss"] == run.epochs[-1].validation["loss"]


def test_a_run_that_fails_leaves_a_sound_average():
    average, data = optim.Average(0.5), points()
    with pytest.raises(NonFiniteError):
        sl.fit(nn.Linear(3, 1), Dataset(data.inputs, data.inputs[:, :1]), loss=nn.mse_loss, optimizer=optim.SGD(lr=50.0), epochs=40,
               batch_size=16, average=average, progress=False)
    assert int(average.steps) > 0 and all(np.isfinite(each.numpy()).all() for each in average.averages)


@pytest.mark.parametrize("average, text", [
    (0.999, "average is 0.999, not an average\n  for example average=optim.Average(0.999)"),
    (optim.Average(0.9, [sl.Parameter([1.0])]), "average is bound to parameters that are not of this net\n  it was used with another net")])
def test_fit_refuses_what_is_no_average_of_its_net(average, text):
    with pytest.raises(ArgumentError) as error:
        trained(average=average)
    assert str(error.value).startswith(text)


@pytest.mark.parametrize("parts", [3, 50])
def test_gradients_of_parts_add_up_to_those_of_the_batch(parts):
    whole, cut = trained(metrics="accuracy"), trained(metrics="accuracy", accumulate=parts)
    np.testing.assert_allclose(cut.losses, whole.losses, rtol=1e-5)
    assert cut.epochs[-1].metrics == whole.epochs[-1].metrics
    for name, array in whole.net.state_dict().items():
        np.testing.assert_allclose(cut.net.state_dict()[name], array, rtol=1e-5, atol=1e-6)


def test_a_batch_of_odd_size_is_cut_fairly():
    np.testing.assert_allclose(trained(batch_size=11, accumulate=3).losses, trained(batch_size=11).losses, rtol=1e-5)


@pytest.mark.parametrize("parts", [0, 2.5, True])
def test_fit_refuses_a_number_of_parts_that_is_none(parts):
    with pytest.raises(ArgumentError) as error:
        trained(accumulate=parts)
    assert str(error.value).startswith(f"accumulate is {parts!r}\n  use an integer of at least 1")
