"""Lazy layers of slopes.torch: sizes of the first input."""

from __future__ import annotations

import pytest

import slopes as sl
import slopes.torch as torch
from slopes.errors import ArgumentError, ShapeError, StateError
from slopes.torch import nn


def test_the_first_input_decides_sizes():
    net = nn.Sequential(nn.LazyConv2d(4, 3, padding=1, groups=2), nn.LazyBatchNorm2d(momentum=0.5), nn.ReLU(), nn.Flatten(),
                        nn.LazyLinear(3, bias=False)).eval()
    assert isinstance(net[4], nn.Linear) and "LazyLinear(3, bias=False)" in repr(net)
    assert net(torch.ones(5, 2, 4, 4)).shape == (5, 3)
    assert [type(layer) for layer in net] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.Flatten, nn.Linear]
    assert {name: tuple(p.shape) for name, p in net.named_parameters()} == {
        "0.weight": (4, 1, 3, 3), "0.bias": (4,), "1.weight": (4,), "1.bias": (4,), "4.weight": (3, 64)}
    assert not net[1].training and net[1].momentum == 0.5
    net(torch.ones(5, 2, 4, 4)).sum().backward()
    assert net[4].weight.grad is not None
    for name, shape in [("LazyConv1d", (2, 3, 5)), ("LazyConv3d", (2, 3, 4, 4, 4))]:
        assert getattr(nn, name)(2, 3)(torch.ones(*shape)).shape[:2] == (2, 2)
    for name, shape in [("LazyBatchNorm1d", (2, 3)), ("LazyBatchNorm3d", (2, 3, 4, 4, 4))]:
        assert getattr(nn, name)()(torch.ones(*shape)).shape == shape


def test_parameters_asked_for_before_are_an_error_in_four_parts():
    net = nn.Sequential(nn.Linear(2, 3), nn.LazyLinear(1))
    for ask in (net.parameters, net.state_dict, lambda: torch.optim.SGD(net.parameters(), lr=0.1),
                lambda: sl.compile(lambda x: net(x))(sl.ones((4, 2)))):
        with pytest.raises(StateError, match=r"LazyLinear at .* has no parameters yet\n(.*\n)*.*call the network once on a batch"):
            ask()
    with pytest.raises(StateError, match=r"at net.*\[1\] has no parameters yet\n.*their sizes are those of the first input"):
        net.parameters()
    assert net(torch.ones(4, 2)).shape == (4, 1) and len(net.parameters()) == 4


def test_arguments_and_inputs_of_lazy_layers_are_checked():
    with pytest.raises(ArgumentError, match="LazyLinear: out_features"):
        nn.LazyLinear(0)
    layer = nn.LazyConv2d(3, 2)
    with pytest.raises(ShapeError, match=r"LazyConv2d needs x of 4 axes, but x is \(2, 5, 5\)"):
        layer(torch.ones(2, 5, 5))
    assert layer(torch.ones(1, 2, 5, 5)).shape == (1, 3, 4, 4)
