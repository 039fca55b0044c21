"""Two compiled functions that take turns at the steps of one call: the same bits as calls one after the other, errors at the right step."""

from __future__ import annotations

import numpy as np
import pytest

import slopes as sl
from slopes import nn, optim
from slopes.alternate import Alternating
from slopes.backend import Alternation
from slopes.errors import ArgumentError, SlopesError
from slopes.machine.chain import Chain

STEPS, WIDTH = 150, 24


class Pair:
    """A step that learns, and the same step that also returns a norm; both of one net."""

    def __init__(self, backend: str = "native", hidden: int = 32) -> None:
        sl.seed(0)
        self.net = nn.Sequential(nn.Linear(WIDTH, hidden), nn.ReLU(), nn.Linear(hidden, 5))
        self.optimizer = optim.SGD(self.net.parameters(), lr=0.05, momentum=0.9)
        self.both = Alternating(sl.compile(self.step, backend=backend), sl.compile(self.measured, backend=backend))

    def step(self, x, labels):
        self.net.zero_grad()
        loss = nn.cross_entropy(self.net(x), labels)
        loss.backward()
        self.optimizer.step()
        return {"loss": loss.detach()}

    def measured(self, x, labels):
        return {**self.step(x, labels), "norm": sl.sqrt((self.net[0].weight.detach() ** 2).sum())}

    def weights(self):
        return [parameter.numpy().copy() for parameter in self.net.parameters()]


@pytest.fixture(scope="module")
def batches():
    rng = np.random.default_rng(0)
    return rng.normal(size=(STEPS, 8, WIDTH)).astype(np.float32), rng.integers(0, 5, (STEPS, 8))


def alternating_segments(every: int, steps: int = STEPS):
    return [(start, stop, which) for i in range(0, steps, every)
            for start, stop, which in ((i, i + 1, 1), (i + 1, min(i + every, steps), 0)) if start < stop]


def one_after_the_other(pair, segments, x, labels):
    """The losses of all steps and the norms of those of the second function, by a call for each segment."""
    losses, norms = [], []
    for start, stop, which in segments:
        results = pair.both.functions[which].many(stop - start, x[start:stop], labels[start:stop], stepped=(0, 1))
        losses.append(results["loss"].numpy())
        norms += [results["norm"].numpy()] if which else []
    return np.concatenate(losses), np.concatenate(norms)


def together(pair, segments, x, labels):
    results = pair.both.many(len(x), segments, x, labels, stepped=(0, 1))
    measured = np.concatenate([np.arange(start, stop) for start, stop, which in segments if which])
    return results["loss"], results["norm"][measured]


@pytest.mark.parametrize("hidden", [32, 1024])
def test_the_bits_are_those_of_calls_one_after_the_other(batches, hidden):
    apart, joined = Pair(hidden=hidden), Pair(hidden=hidden)
    for every in (2, 7, 40):  # of 2: more runs than a chain has room for at first
        segments = alternating_segments(every)
        for expected, got in zip(one_after_the_other(apart, segments, *batches), together(joined, segments, *batches)):
            assert np.array_equal(expected, got)
    assert all(np.array_equal(expected, got) for expected, got in zip(apart.weights(), joined.weights()))
    for function in joined.both.functions:
        assert function.compilations == 1 and function.programs[0].manifest.parallel == (hidden == 1024)


def test_any_backend_alternates(batches):
    x, labels = batches[0][:6], batches[1][:6]
    native, reference = Pair(), Pair("reference")
    segments = [(0, 2, 0), (2, 3, 1), (3, 5, 0), (5, 6, 1)]
    for expected, got in zip(together(native, segments, x, labels), together(reference, segments, x, labels)):
        np.testing.assert_allclose(expected, got, rtol=1e-5)
    kinds = [[type(known[1]) for known in pair.both._known.values()] for pair in (native, reference)]
    assert kinds[0][0] is not Alternation and kinds[1] == [Alternation]


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("bad", [0, 3, 4, 5])
def test_an_error_ends_the_call_at_its_step(batches, backend, bad):
    x, labels = batches[0][:6], batches[1][:6].copy()
    labels[bad, 2] = 77
    segments = [(0, 2, 0), (2, 4, 1), (4, 5, 0), (5, 6, 1)]
    pair, other = Pair(backend), Pair(backend)
    with pytest.raises(SlopesError, match="77"):
        together(pair, segments, x, labels)
    if bad:
        other.both.functions[0].many(bad, x[:bad], labels[:bad], stepped=(0, 1))
    assert all(np.array_equal(expected, got) for expected, got in zip(other.weights(), pair.weights()))


def test_a_signal_handler_may_do_steps_of_its_own_in_between(batches, monkeypatch):
    """It comes when the calls are written, but not entered yet; the outer call goes on as if nothing had happened."""
    x, labels = batches[0][:8], batches[1][:8]
    inner, outer = [(0, 1, 1), (1, 2, 0)], [(0, 3, 0), (3, 4, 1), (4, 8, 0)]
    pair, plain = Pair(), Pair()
    for backed in (pair, plain):
        together(backed, inner, x[:2], labels[:2])  # compiled
    write, handled = Chain._write, []

    def interrupted(self, runs, pool):
        steps = write(self, runs, pool)
        if not handled:
            handled.append(None)
            handled.append(together(pair, inner, x[:2], labels[:2]))
        return steps

    monkeypatch.setattr(Chain, "_write", interrupted)
    results = together(pair, outer, x, labels)
    expected = [together(plain, inner, x[:2], labels[:2]), together(plain, outer, x, labels)]
    for got, truth in zip((*handled[1], *results), (*expected[0], *expected[1])):
        assert np.array_equal(got, truth)
    assert all(np.array_equal(a, b) for a, b in zip(pair.weights(), plain.weights()))


def test_state_that_was_handed_out_keeps_its_values(batches):
    pair = Pair()
    weight = pair.net[0].weight
    held, before = weight.numpy(), weight.numpy().copy()
    together(pair, [(0, 1, 1), (1, 4, 0)], batches[0][:4], batches[1][:4])
    assert np.array_equal(held, before) and not np.array_equal(weight.numpy(), before)


def test_a_second_function_that_returns_something_else_is_refused(batches):
    pair = Pair()
    wrong = Alternating(pair.both.functions[0], sl.compile(lambda x, labels: x.sum(axis=0)))
    with pytest.raises(ArgumentError, match="does not return first what the first one does"):
        wrong.many(2, [(0, 1, 0), (1, 2, 1)], batches[0][:2], batches[1][:2], stepped=(0, 1))


def test_checked_programs_alternate(batches, monkeypatch):
    monkeypatch.setenv("SLOPES_CHECK", "1")
    pair, plain = Pair(), Pair()
    segments = alternating_segments(10, 30)
    for expected, got in zip(one_after_the_other(plain, segments, *batches), together(pair, segments, batches[0][:30], batches[1][:30])):
        assert np.array_equal(expected, got)
