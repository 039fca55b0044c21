"""Eager steps: graphs replayed on new arrays, recipes of operations, and gradients planned once per structure."""

from __future__ import annotations

import threading
import warnings

import numpy as np
import pytest

import slopes as sl
from slopes import backward, eager, nn, optim
from slopes.errors import ArgumentError, GradientError, SlopesError
from slopes.graph.build import build, constant, variable
from slopes.graph.composite import composed
from slopes.graph.node import Operation
from slopes.machine.reference import evaluate
from slopes.machine.replay import Replay, quietly

F32 = np.dtype("float32")


def x(*shape):
    return variable(shape, F32)


def array(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(F32)


# Replays


def test_a_replay_gives_what_the_reference_gives():
    a, b = x(4, 3), x(3)
    roots = [build("sum", build("exp", a) * build("expand", b, shape=(4, 3)) + 2.0, axes=(0,)), -build("expand", b, shape=(4, 3))]
    replay = Replay(roots, [a, b])
    for seed in range(3):
        given = array(4, 3, seed=seed), array(3, seed=seed)
        for found, wanted in zip(replay.run(given), evaluate(roots, dict(zip((a, b), given)))):
            assert np.array_equal(found, wanted)


def test_a_replay_reads_an_expansion_that_is_given():
    a = x(3)
    wide = build("expand", a, shape=(2, 3))
    (found,) = Replay([wide * 2.0], [wide]).run([array(2, 3)])
    assert np.array_equal(found, array(2, 3) * 2)


def test_a_replay_skips_expansions_that_only_broadcast_and_computes_those_that_are_read():
    a, b = x(4, 3), x(3)
    wide = build("expand", b, shape=(4, 3))
    assert [step[-1].op.name for step in Replay([a + wide], [a, b]).steps] == ["add"]
    assert [step[-1].op.name for step in Replay([build("sum", wide, axes=(0,))], [b]).steps] == ["expand", "sum"]
    assert [step[-1].op.name for step in Replay([build("exp", wide)], [b]).steps] == ["expand", "exp"]


def test_what_a_replay_computed_once_cannot_be_written():
    (found,) = Replay([build("exp", build("expand", constant(1.0), shape=(3,)))], []).run([])
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 2


def test_a_replay_lets_go_of_what_nobody_reads_any_more():
    a = x(3)
    values = Replay([build("exp", build("exp", build("exp", a)))], [a]).values([array(3)])
    assert [value is None for value in values] == [False, True, True, False]


def test_a_replay_checks_the_meaning_of_an_operation():
    class Fibber(Operation):
        def meaning(xp, a): return a.astype("float64")
        def rule(a): return a.shape, a.dtype
    try:
        with pytest.raises(SlopesError, match=r"fibber: its rule promises float32\[2\], its meaning returned float64\[2\]"):
            Replay([Fibber.make(a := x(2))], [a]).run([array(2)])
        with pytest.raises(SlopesError, match="its rule promises"):
            build("fibber", sl.ones(2))
    finally:
        del Operation.table["fibber"]


def test_nothing_warns_inside_and_settings_outside_stay():
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isinf(quietly(np.divide, np.float32(1), np.float32(0)))
        assert quietly(quietly, np.log, np.float32(0)) == -np.inf
        with pytest.raises(FloatingPointError):
            np.divide(np.float32(1), np.float32(0))


def test_threads_replay_at_the_same_time():
    w = sl.Parameter(array(50, 50))
    failed = []

    def work():
        try:
            for _ in range(20):
                assert np.isinf(sl.log(sl.zeros(3)).numpy()).all()
                ((w @ w) / (w * 0)).sum()
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert failed == []


# Recipes


def test_numbers_are_values_not_structure():
    w = sl.Parameter(array(3))
    before = len(eager._cached), len(backward._replays)
    for number in np.linspace(0.1, 5, 30):
        w.grad = None
        (w * float(number)).sum().backward()
        np.testing.assert_allclose(w.grad.numpy(), np.float32(number))
    assert len(eager._cached) - before[0] <= 2
    assert len(backward._replays) - before[1] <= 1


def test_the_exponent_of_a_power_is_structure():
    w = sl.Parameter(np.float32([2, 3]))
    for exponent, slope in ((2, [4, 6]), (3, [12, 27]), (-1, [-1 / 4, -1 / 9]), (0.5, 0.5 / np.sqrt([2, 3]))):
        w.grad = None
        (w ** exponent).sum().backward()
        np.testing.assert_allclose(w.grad.numpy(), np.float32(slope), rtol=1e-6)


def test_zeros_of_both_signs_are_different_numbers():
    one = sl.ones(2)
    assert (one / 0.0).numpy()[0] == np.inf
    assert (one / -0.0).numpy()[0] == -np.inf
    assert (one / 0.0).numpy()[0] == np.inf


def test_an_operation_of_the_same_name_is_another_one():
    results = []
    for factor in (2, 3):
        class Scaled(Operation):
            def meaning(xp, a, factor=factor): return a * factor
            def rule(a): return a.shape, a.dtype
        results.append(build("scaled", sl.tensor([1, 2])).tolist())
    del Operation.table["scaled"]
    assert results == [[2, 4], [3, 6]]


def test_arrays_among_the_operands_are_copied_when_they_are_recorded():
    w, factor = sl.Parameter(array(3)), array(3)
    before = factor.copy()
    loss = (w * factor).sum()
    factor[:] = 0
    loss.backward()
    assert np.array_equal(w.grad.numpy(), before)


def test_a_composite_is_the_same_as_its_operations_one_by_one():
    logits = sl.Parameter(array(4, 5))
    whole, one_by_one = [], []
    for results, softmax in ((whole, sl.log_softmax), (one_by_one, lambda x, axis: x - x.max(axis=axis, keepdims=True).detach()
                             - (x - x.max(axis=axis, keepdims=True).detach()).exp().sum(axis=axis, keepdims=True).log())):
        logits.grad = None
        y = softmax(logits, axis=1)
        (y * y).sum().backward()
        results += [y.numpy(), logits.grad.numpy()]
    for found, wanted in zip(whole, one_by_one):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_a_composite_takes_what_it_is_not_given_by_name_too_and_lists():
    a = sl.tensor(array(2, 3, 4))
    wanted = array(2, 3, 4).mean(axis=(0, 2))
    for found in (a.mean([0, 2]), a.mean((0, 2)), a.mean(axis=[0, 2]), a.mean({0, 2})):
        np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-5)


def test_truth_is_no_axis_even_when_axis_1_was_met_before():
    a = sl.tensor(array(2, 3))
    a.mean(axis=1)
    with pytest.raises(ArgumentError, match="an axis is a whole number, not True"):
        a.mean(axis=True)


def test_a_composite_of_a_fresh_shape_raises_the_errors_of_its_operations():
    @composed(2)
    def pair(a, b): return a + b
    assert pair(sl.ones(2), sl.ones(2)).tolist() == [2, 2]
    with pytest.raises(sl.errors.ShapeError, match=r"add: shapes \(2,\) and \(3,\) do not broadcast"):
        pair(sl.ones(2), sl.ones(3))


def test_a_composite_can_be_compiled_and_differentiated_twice():
    @composed(1)
    def cube(a): return a * a * a
    assert float(sl.compile(cube)(sl.tensor(2.0))) == 8
    assert float(sl.grad(sl.grad(cube))(sl.tensor(2.0))) == 12


# Gradients


def training(net, loss_of, lr=0.1):
    optimizer = optim.SGD(net.parameters(), lr=lr)

    def step(inputs, targets):
        loss = loss_of(net(inputs), targets)
        net.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss)

    return step


def test_one_plan_serves_every_step_of_a_training():
    sl.seed(0)
    step = training(nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3)), nn.cross_entropy)
    inputs, labels = sl.tensor(array(8, 6)), sl.tensor(np.arange(8) % 3)
    first = step(inputs, labels)
    before = len(backward._replays), len(eager._cached)
    losses = [step(inputs, labels) for _ in range(20)]
    assert (len(backward._replays), len(eager._cached)) == before
    assert losses[-1] < losses[0] < first


def test_equal_structures_on_shared_and_on_separate_leaves_are_not_confused():
    a, b = sl.Parameter(np.float32([2])), sl.Parameter(np.float32([3]))
    (a * b).sum().backward()
    assert (a.grad.item(), b.grad.item()) == (3, 2)
    a.grad = None
    (a * a).sum().backward()
    assert a.grad.item() == 4


def test_equal_expressions_each_keep_their_own_gradient():
    a = sl.Parameter(np.float32([2]))
    left, right = (a * 3).retain_grad(), (a * 3).retain_grad()
    (left + right * 5).sum().backward()
    assert (left.grad.item(), right.grad.item(), a.grad.item()) == (1, 5, 18)


def test_a_leaf_that_stops_requiring_a_gradient_gets_none():
    a, b = sl.Parameter(np.float32([2])), sl.Parameter(np.float32([3]))
    for wanted in (True, False, True):
        b.requires_grad = wanted
        b.grad = a.grad = None
        (a * b).sum().backward()
        assert (b.grad is not None) == wanted
        assert a.grad.item() == 3


def test_a_given_gradient_is_a_value():
    a = sl.Parameter(np.float32([1, 2]))
    for factor in (1, 2):
        a.grad = None
        (a * a).backward(sl.tensor(np.float32([factor, 0])))
        assert a.grad.tolist() == [2 * factor, 0]


def test_a_graph_may_be_pulled_back_again():
    a = sl.Parameter(np.float32([3]))
    loss = (a * a).sum()
    loss.backward()
    loss.backward()
    assert a.grad.item() == 12


def test_old_replays_are_forgotten(monkeypatch):
    monkeypatch.setattr(backward, "STEPS_LIMIT", 12)
    monkeypatch.setattr(backward, "_replays", {})
    for n in range(1, 9):
        a = sl.Parameter(array(n))
        (a * a).sum().backward()
        np.testing.assert_allclose(a.grad.numpy(), 2 * array(n))
    assert 1 <= len(backward._replays) < 8


def test_a_long_chain_is_no_recursion():
    a = sl.Parameter(np.float32([1]))
    y = a
    for _ in range(3000):
        y = y + 1
    y.backward()
    assert a.grad.item() == 1


def test_a_pullback_of_the_wrong_shape_is_caught_where_it_was_built():
    class Crooked(Operation):
        def meaning(xp, a): return a * 2
        def rule(a): return a.shape, a.dtype
        def pullback(g, y, a): return (build("sum", g, axes=(0,)),)
    try:
        w = sl.Parameter(array(2))
        loss = build("crooked", w).sum()
        with pytest.raises(GradientError, match=r"crooked built at test_eager_steps.py:\d+"):
            loss.backward()
    finally:
        del Operation.table["crooked"]
