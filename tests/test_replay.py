"""Errors found by native code are told with the values, the layer and the user's line, as eager code tells them."""

from __future__ import annotations

import platform
from pathlib import Path

import numpy as np
import pytest

import slopes as sl
from slopes import nn, optim
from slopes.errors import DivisionError, OutOfRangeError, TooLargeError
from slopes.machine import arena, buffer, pool


def labelled_step():
    net = nn.Linear(4, 3)
    optimizer = optim.SGD(net.parameters(), lr=0.1, momentum=0.9)

    @sl.compile
    def step(x, y):
        loss = nn.cross_entropy(net(x), y)
        net.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return net, step


def test_a_bad_label_is_named_and_nothing_changes():
    net, step = labelled_step()
    x = sl.ones((2, 4))
    step(x, sl.tensor([0, 1]))
    before = net.state_dict()
    with pytest.raises(OutOfRangeError) as error:
        step(x, sl.tensor([0, 3]))
    assert str(error.value).startswith("""cross_entropy: labels[1] is 3, but there are 3 classes, 0 to 2
  1 of 2 labels is outside of them
  give the last layer 4 outputs
  at test_replay.py:""")
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    step(x, sl.tensor([0, 2]))


def test_in_many_steps_the_one_that_failed_is_named_and_those_before_it_count():
    net, step = labelled_step()
    labels = sl.tensor([[0, 1], [1, 1], [0, 7]])
    alone, single = labelled_step()
    alone.load_state_dict(net.state_dict())
    with pytest.raises(OutOfRangeError, match=r"labels\[1\] is 7"):
        step.many(3, sl.ones((3, 2, 4)), labels, stepped=(0, 1))
    for row in (0, 1):
        single(sl.ones((2, 4)), labels[row])
    for name, array in alone.state_dict().items():
        np.testing.assert_array_equal(net.state_dict()[name], array)


def test_division_by_zero_is_told_as_eagerly():
    def divide(a, b):
        return a // b

    texts = []
    for function in (divide, sl.compile(divide)):
        with pytest.raises(DivisionError) as error:
            function(sl.tensor([4, 5]), sl.tensor([2, 0]))
        texts.append(str(error.value))
    assert texts[0] == texts[1]


def test_a_system_that_refuses_threads_gets_fewer(monkeypatch):
    fresh = pool.ThreadPool()

    def refuse(*args, **kwargs):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(pool._thread, "start_new_thread", refuse)
    assert fresh.grow(4) == 1
    monkeypatch.setattr(pool, "pool", fresh)
    monkeypatch.setenv("SLOPES_THREADS", "4")
    total = sl.compile(lambda x: sl.exp(x).sum(axis=0))
    np.testing.assert_allclose(total(sl.zeros((1000, 1000))).numpy(), np.full(1000, 1000.0))


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries keep less, or cannot be told")
def test_freed_memory_that_the_c_library_keeps_is_given_back():
    blocks = [(np.ones(1 << 17), np.ones(100)) for _ in range(200)]  # those of a megabyte are freed, with small ones between them
    pins = [small for _, small in blocks]
    for _ in range(2):  # from the first one freed on, the library no longer asks the system for each
        blocks = [(np.ones(1 << 17), small) for small in pins]
    last = np.ones(1 << 17)
    blocks.clear()
    before = memory_in_use()
    buffer.give_back_freed()
    assert before - memory_in_use() > 100 * 2**20 and last.sum() == 1 << 17


def memory_in_use() -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


@pytest.mark.parametrize(("size", "times"), [(1000, 0), (12_000_000, 1)])
def test_memory_is_given_back_when_a_large_arena_is_taken(monkeypatch, size, times):
    calls = []
    monkeypatch.setattr(arena, "give_back_freed", lambda: calls.append(size))
    cumulate = sl.compile(lambda x: sl.cumulative_sum(x * 2)[::-1].sum())
    cumulate(sl.ones(size))
    cumulate(sl.ones(size))
    assert len(calls) == times


def test_a_program_larger_than_memory_is_refused_before_it_runs():
    sort_all = sl.compile(lambda x: sl.sort(x[:, None] * x, axis=1).sum())
    with pytest.raises(TooLargeError, match=r"a program needs [0-9,.]+ GiB for its intermediate values"):
        sort_all(sl.ones(1_000_000))
    assert sort_all(sl.ones(2)).item() == 4
