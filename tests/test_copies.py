"""Copies and pickles: a compiled function goes with what it computes with; everything that people send to workers can be sent."""

from __future__ import annotations

import copy
import functools
import multiprocessing
import pickle
import sys

import cloudpickle
import numpy as np
import pytest

import slopes as sl
from slopes import data, nn, optim

WAYS = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
    "cloudpickle": lambda value: cloudpickle.loads(cloudpickle.dumps(value)),
}
APART = [name for name in WAYS if name != "copy"]  # ways after which nothing is shared
each_way = pytest.mark.parametrize("way", WAYS)


def ones():
    return sl.ones((2, 3))


@sl.compile
def doubled(x):
    return x * 2


def scaled(x, factor):
    return x * factor


class Net(nn.Module):
    def __init__(self):
        self.linear = nn.Linear(3, 2)
        self.run = sl.compile(self.compute)

    def compute(self, x):
        return self.linear(x)

    def forward(self, x):
        return self.run(x)

    @sl.compile
    def step(self, x):
        return self.linear(x) * 2


def used(net):
    """The network, after each of its programs has run."""
    net(ones())
    net.step(ones())
    return net


@each_way
def test_a_compiled_function_is_copied(way):
    doubled(ones())
    made = WAYS[way](doubled)
    assert (made(ones()).numpy() == 2).all() and made.__name__ == "doubled" and made.taps == ()


@each_way
def test_a_function_that_can_be_imported_is_the_same_after_a_pickle(way):
    assert (WAYS[way](doubled) is doubled) == ("pickle" in way)


@each_way
def test_the_options_go_with_a_copy(way):
    compiled = sl.compile(functools.partial(scaled, factor=3.0), storage="bfloat16", taps=())
    made = WAYS[way](compiled)
    assert made.storage == "bfloat16" and (made(ones()).numpy() == 3).all()


@pytest.mark.parametrize("way", APART)
def test_a_copied_network_computes_with_the_weights_of_the_copy(way):
    net = used(Net())
    made = WAYS[way](net)
    assert np.array_equal(made(ones()).numpy(), net(ones()).numpy()) and made.run.function.__self__ is made
    made.linear.weight.assign(sl.zeros((2, 3)))
    made.linear.bias.assign(sl.ones(2))
    assert (made(ones()).numpy() == 1).all() and (made.step(ones()).numpy() == 2).all()
    assert not (net(ones()).numpy() == 1).all()


@pytest.mark.parametrize("way", APART)
@pytest.mark.parametrize("take", [lambda net: net.run, lambda net: net.step, lambda net: [net, net.run]])
def test_a_compiled_method_takes_its_network_along(way, take):
    net = used(Net())
    made = WAYS[way](take(net))
    if isinstance(made, list):
        assert made[1].function.__self__ is made[0]
        made = made[1]
    wanted = net.step(ones()) if take(net) == net.step else net(ones())
    assert np.array_equal(made(ones()).numpy(), wanted.numpy())


@pytest.mark.parametrize("way", APART)
def test_a_compiled_network_is_copied_whole(way):
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2)).eval()
    compiled = sl.compile(net)
    made = WAYS[way](compiled)
    net.layers[3].bias.assign(sl.ones(2))
    assert not np.array_equal(made(ones()).numpy(), compiled(ones()).numpy())


def test_what_a_network_has_in_its_attributes_is_not_taken_for_the_programs_own():
    class Named(nn.Module):
        def __init__(self):
            self.function, self.storage, self.taps, self.reasons = nn.Linear(3, 2), "disk", ["a"], None

        def forward(self, x):
            return self.function(x)

    net = Named()
    compiled = sl.compile(net)
    assert np.array_equal(compiled(ones()).numpy(), net(ones()).numpy())
    assert compiled.function is net and compiled.storage == "float32" and not hasattr(compiled, "training")


def test_what_has_no_name_can_be_sent_by_value():
    net, factor = Net(), 3.0

    def inner(x):
        return net(x) * factor

    for compiled in (sl.compile(lambda x: net(x) * factor), sl.compile(inner)):
        made = WAYS["cloudpickle"](compiled)
        assert np.array_equal(made(ones()).numpy(), compiled(ones()).numpy())
        with pytest.raises((pickle.PicklingError, AttributeError)):
            pickle.dumps(compiled)


def test_a_function_of_the_main_script_can_be_sent_in_both_ways(monkeypatch):
    def step(x):
        return x * 5

    step.__module__, step.__qualname__ = "__main__", "step_of_the_test"
    compiled = sl.compile(step)
    monkeypatch.setattr(sys.modules["__main__"], "step_of_the_test", compiled, raising=False)
    for way in ("pickle", "cloudpickle"):
        assert (WAYS[way](compiled)(ones()).numpy() == 5).all()


def test_workers_of_another_process_compute_the_same():
    net = used(Net())
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        for function in (doubled, net, net.step, net.run):
            assert np.array_equal(pool.apply(function, (ones(),)).numpy(), function(ones()).numpy())


@pytest.mark.parametrize("package", [sl, nn, optim, data, sl.text, sl.random, sl.data.augment])
def test_functions_that_speak_of_the_package_can_be_sent(package):
    def uses():
        return package

    uses.__module__ = "__main__"
    assert WAYS["cloudpickle"](uses)() is package


def test_the_package_itself_is_found_by_its_name():
    assert all(WAYS[way](sl) is sl for way in WAYS)


SENT = {
    "a tensor": ones,
    "a parameter": lambda: sl.Parameter([1.0]),
    "a buffer": lambda: nn.Buffer([1.0]),
    "a view": lambda: ones()[0],
    "a recorded tensor": lambda: sl.Parameter([1.0]) * 2,
    "nothing": lambda: sl.zeros((0, 3)),
    "a number": lambda: sl.tensor(1.0),
    "a type": lambda: sl.float32,
    "a generator": lambda: sl.Generator(3),
    "an optimizer": lambda: optim.Adam(nn.Linear(3, 2).parameters(), lr=0.1),
    "an average": lambda: optim.Average(0.9),
    "a schedule": lambda: optim.schedules.Cosine(10),
    "a layer": lambda: nn.LSTM(3, 4),
    "a data set": lambda: data.Dataset(np.ones((20, 3), np.float32), np.arange(20) % 2),
    "a data set in parts": lambda: data.split(data.Dataset(np.ones((20, 3), np.float32), np.arange(20) % 2)),
    "a vocabulary": lambda: sl.text.Vocabulary(["a", "b"]),
}


@each_way
@pytest.mark.parametrize("name", SENT)
def test_what_people_send_can_be_sent(name, way):
    value = SENT[name]()
    made = WAYS[way](value)
    assert type(made) is type(value) and (isinstance(value, np.dtype) or made is not value)


@pytest.mark.parametrize("way", WAYS)
def test_a_test_set_stays_untouched_in_a_copy(way):
    parts = SENT["a data set in parts"]()
    made = WAYS[way](parts)
    assert parts.test_untouched and made.test_untouched
    assert np.array_equal(made.test.inputs, parts.test.inputs)


def test_a_parameter_of_two_layers_is_one_parameter_in_a_copy():
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    for way in APART:
        made = WAYS[way](nn.Sequential(first, second))
        assert made.layers[0].weight is made.layers[1].weight
