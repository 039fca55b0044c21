"""Objects that nobody has looked at: making a network invalidates no compiled function, changing one that was traced does."""

from __future__ import annotations

import inspect

import pytest

import slopes as sl
from slopes import nn, optim
from slopes.compile import Compiled
from slopes.versions import UNSEEN_KEPT, versions


class Model(nn.Module):
    def __init__(self) -> None:
        self.inner = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))
        self.slope = 2.0

    def forward(self, x: sl.Tensor) -> sl.Tensor:
        return self.inner(x) * self.slope


def traces(function: Compiled, x: sl.Tensor, monkeypatch: pytest.MonkeyPatch) -> int:
    """How often a call traces the function."""
    count = []
    trace = Compiled._trace
    with monkeypatch.context() as patch:
        patch.setattr(Compiled, "_trace", lambda *args: (count.append(1), trace(*args)))
        function(x)
    return len(count)


def test_networks_made_later_invalidate_nothing(monkeypatch):
    net, x = Model().eval(), sl.ones((3, 2))
    function = sl.compile(net)
    function(x)
    assert traces(function, x, monkeypatch) == 0
    other = Model().eval()
    optim.Adam(other.parameters())
    assert traces(function, x, monkeypatch) == 0
    other.slope = 3.0
    assert traces(function, x, monkeypatch) == 0


def test_a_change_of_what_was_traced_counts(monkeypatch):
    net, x = Model().eval(), sl.ones((3, 2))
    function = sl.compile(net)
    before = function(x)
    net.slope = 4.0
    assert traces(function, x, monkeypatch) == 1
    assert (function(x) == 2 * before).all()
    made = nn.Linear(2, 2)  # after the trace: unseen, until it is part of what is traced
    made.weight.assign(sl.zeros((2, 2)))
    made.bias = None
    net.inner[0] = made
    assert not function(x).any()
    made.bias = nn.Parameter([1.0, 1.0])
    assert traces(function, x, monkeypatch) == 1
    assert (function(x) == 4).all()


def test_an_object_made_while_traced_counts_afterwards():
    class Lazy(nn.Module):
        def forward(self, x: sl.Tensor) -> sl.Tensor:
            if not hasattr(self, "made"):
                self.made = nn.Identity()
                self.made.slope = 2.0
            return x * self.made.slope

    net = Lazy()
    function = sl.compile(net)
    assert float(function(sl.ones(()))) == 2
    net.made.slope = 3.0
    assert float(function(sl.ones(()))) == 3


def test_names_of_layers_follow_changes_after_an_eager_call():
    net = nn.Sequential(nn.Linear(2, 2))
    net(sl.ones((1, 2)))
    net.append(nn.Linear(3, 2))
    with pytest.raises(sl.SlopesError, match=r"net\[1\]"):
        net(sl.ones((1, 2)))


def test_signatures_and_arguments_are_those_of_init():
    assert str(inspect.signature(nn.Linear)).startswith("(in_features")
    assert str(inspect.signature(optim.SGD)).startswith("(params")
    assert "args" in str(inspect.signature(nn.ReLU()))
    with pytest.raises(TypeError, match="takes no arguments"):
        type("Plain", (nn.Module,), {})(1)


def test_the_unseen_are_limited():
    versions.observe_structure()
    kept = [nn.Identity() for _ in range(UNSEEN_KEPT + 1)]
    assert len(versions.unseen) == UNSEEN_KEPT
    before = versions.structure
    kept[-1].note = "seen at once"
    assert versions.structure == before + 1
    versions.observe_structure()
