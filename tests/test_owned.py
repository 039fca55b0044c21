"""The ownership of arrays, checked: SLOPES_CHECK=1 finds who breaks the rules, names the state, and lets everybody else pass."""

from __future__ import annotations

import copy
import sys
import threading

import numpy as np
import pytest
from alarm import alarm

import slopes as sl
from slopes import nn, optim
from slopes.bound import Bound
from slopes.checked import CheckedBound
from slopes.errors import OwnershipError

MISS = sys.modules["slopes.bound"].MISS


@pytest.fixture
def checking(monkeypatch):
    monkeypatch.setenv("SLOPES_CHECK", "1")


def network() -> tuple[nn.Module, sl.Tensor, object]:
    """A network that Adam trains in a compiled step, and its input."""
    net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
    optimizer = optim.Adam(net.parameters(), lr=0.01)

    def step(x):
        loss = (net(x) ** 2).mean()
        net.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return net, sl.asarray(np.linspace(-1, 1, 24, dtype=np.float32).reshape(4, 6)), sl.compile(step)


def bound_of(compiled) -> Bound:
    return next(iter(compiled._versions.values()))[0]


def hold_view(w) -> object:
    return w._value[1:]


def hold_array(w) -> object:
    return [w._value]


def hold_memory(w) -> object:
    return np.frombuffer(w._value.data, np.float32)


@pytest.mark.parametrize("hold", [hold_view, hold_array, hold_memory])
@pytest.mark.parametrize("backend", ["native", "reference"])
def test_who_holds_an_array_that_a_program_writes_is_found(checking, hold, backend):
    w = sl.Parameter(np.zeros(100, np.float32))

    def step(x):
        w.assign(w + x)

    compiled = sl.compile(step, backend=backend)
    compiled(sl.tensor(1.0))
    compiled(sl.tensor(1.0))
    held = hold(w)
    with pytest.raises(OwnershipError) as caught:
        compiled(sl.tensor(1.0))
    error = caught.value
    assert error.what == "the array of w is held by somebody else, or a view of it is"
    assert error.why.startswith("the program writes into this array")
    assert error.where == "in a call of the compiled function step"
    assert "x.numpy()" in error.repair and "x.assign(...)" in error.repair
    assert w.tolist() == [2.0] * 100
    del held
    compiled(sl.tensor(1.0))
    assert w.tolist() == [3.0] * 100


@pytest.mark.parametrize("size", [3, 100, 200_000])
def test_who_writes_behind_the_back_of_a_program_is_found(checking, size):
    net = nn.Linear(size, 1, bias=False)
    step = sl.compile(lambda x: net.weight.assign(net.weight * 0.5).sum() + x)
    step(sl.tensor(0.0))
    net.weight._value[0, 0] = 7
    with pytest.raises(OwnershipError, match=r"the array of (net\.)?weight has other values than the last call left"):
        step(sl.tensor(0.0))


def test_values_that_a_program_keeps_between_calls_are_watched_too(checking):
    net = nn.Sequential(nn.Linear(20, 20))
    use = sl.compile(lambda x: (net[0].weight.T @ net[0].weight).sum() + x)
    before = use(sl.tensor(0.0)).item()
    assert use(sl.tensor(0.0)).item() == before
    net[0].weight._value[3, 3] = 100
    with pytest.raises(OwnershipError, match="has other values than the last call left"):
        use(sl.tensor(0.0))


def test_an_array_that_was_exchanged_without_being_counted_is_found(checking):
    _, x, step = network()
    step(x)
    weight = bound_of(step).writes[0]
    weight._value = weight._value.copy()
    with pytest.raises(OwnershipError, match="is another one than the program is bound to"):
        step(x)


def test_an_array_that_was_given_away_without_being_counted_is_found(checking):
    _, x, step = network()
    step(x)
    bound_of(step).writes[0]._owned = False
    with pytest.raises(OwnershipError, match="is written by the program, but not owned"):
        step(x)


ALLOWED = {
    "numpy": lambda w: w.numpy(), "slice": lambda w: w[1:], "detach": lambda w: w.detach(), "array": np.asarray,
    "list": lambda w: w.tolist(), "copy": copy.deepcopy, "dlpack": np.from_dlpack, "computed": lambda w: w * 2,
    "assigned": lambda w: w.assign(w * 2),
    "numbers": lambda w: w.assign(np.ones(w.shape, np.float32)), "printed": repr, "transposed": lambda w: w.detach().T}


@pytest.mark.parametrize("name", ALLOWED)
def test_who_keeps_the_rules_meets_no_error(checking, name):
    net, x, step = network()
    held = []
    for _ in range(4):
        step(x)
        with sl.no_grad():
            held.append(ALLOWED[name](net[0].weight))
    assert len(held) == 4


def test_arrays_that_are_shared_with_numpy_may_change(checking):
    table = np.zeros(50, np.float32)
    shared = sl.asarray(table)
    use = sl.compile(lambda x: (shared * x).sum())
    assert use(sl.tensor(1.0)).item() == 0
    table[:] = 2
    assert use(sl.tensor(1.0)).item() == 100


def results(epochs: int = 3) -> list[np.ndarray]:
    """A training by `fit`, with averages, and what is left of it."""
    sl.seed(3)
    rng = np.random.default_rng(0)
    xs = rng.normal(size=(60, 6)).astype(np.float32)
    net = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3))
    run = sl.fit(net, sl.data.Dataset(xs, (xs.sum(1) > 0).astype(np.int64)), epochs=epochs, batch_size=10, seed=1, progress=False,
                 optimizer=optim.Adam(net.parameters(), lr=0.01), average=optim.Average(0.9))
    return [np.array(run.history.losses), *net.state_dict().values()]


def test_a_whole_training_passes_and_has_the_same_bits(monkeypatch):
    usual = results()
    monkeypatch.setenv("SLOPES_CHECK", "1")
    checked = results()
    assert all(np.array_equal(x, y) for x, y in zip(usual, checked, strict=True))


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_signal_handler_may_call_what_it_interrupts(checking):
    _, x, step = network()
    step(x)
    calls = []
    with alarm(lambda *_: calls.append(step(x))) as set_alarm:
        for i in range(200):
            set_alarm(1e-5 + i * 2e-6)
            step(x)
    assert calls


def test_several_threads_may_call_and_look(checking):
    net, x, step = network()
    use = sl.compile(lambda x: net(x).sum())
    step(x), use(x)
    errors = []

    def work(call) -> None:
        try:
            for _ in range(100):
                call()
        except Exception as error:
            errors.append(error)

    calls = (lambda: step(x), lambda: use(x), lambda: net[0].weight.numpy(), lambda: step(x))
    threads = [threading.Thread(target=work, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors


@pytest.mark.parametrize("setting", [None, "", "0"])
def test_without_the_setting_nothing_is_checked_and_calls_are_quick(monkeypatch, setting):
    monkeypatch.setenv("SLOPES_CHECK", "")
    if setting is None:
        monkeypatch.delenv("SLOPES_CHECK")
    else:
        monkeypatch.setenv("SLOPES_CHECK", setting)
    _, x, step = network()
    step(x)
    assert type(bound_of(step)) is Bound and step._recent is not None and step._recent((x,)) is not MISS
    held = bound_of(step).writes[0]._value[...]
    step(x)
    assert held.shape == bound_of(step).writes[0].shape


def test_checked_programs_take_the_usual_way(checking):
    _, x, step = network()
    step(x)
    assert type(bound_of(step)) is CheckedBound and step._recent is None
