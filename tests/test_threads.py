"""Threads of native programs: how many, that each does its work once, and that nothing is left hanging by an error or an interruption."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from native_graphs import Reported, compile_nodes, same_bits, thread_count

from slopes.graph.operation import build, variable
from slopes.machine import threads
from slopes.machine.reference import evaluate
from slopes.ops import composite as c

# How many


def test_the_number_of_threads_can_be_named(monkeypatch):
    monkeypatch.setenv("SLOPES_THREADS", "5")
    assert threads.thread_count() == 5
    monkeypatch.setenv("SLOPES_THREADS", "")
    assert threads.thread_count() == threads.available()


@pytest.mark.parametrize(("files", "quota"), [
    ({"cpu.max": "150000 100000\n"}, 1.5), ({"cpu.max": "max 100000\n"}, None), ({}, None),
    ({"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 0.5),
    ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None), ({"cpu.max": "nonsense\n"}, None)])
def test_the_limit_of_a_container_is_read(tmp_path, files, quota):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert threads.container_quota(tmp_path) == quota


@pytest.mark.parametrize(("mask", "quota", "expected"), [(8, None, 8), (8, 2.0, 2), (8, 1.5, 2), (8, 0.25, 1), (2, 16.0, 2)])
def test_affinity_and_container_limit_the_threads(monkeypatch, mask, quota, expected):
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: set(range(mask)), raising=False)
    monkeypatch.setattr(threads, "container_quota", lambda: quota)
    assert threads.available() == expected


# The crew


@pytest.mark.parametrize("count", [1, 2, 5])
def test_each_member_works_once_and_the_caller_waits_for_all(count):
    crew = threads.Crew()
    for _ in range(20):
        done: list[int] = []
        crew.grow(count)
        crew.run(done.append, count)
        assert sorted(done) == list(range(count))


def test_a_crew_that_was_interrupted_is_ready_for_the_next_run():
    crew, release = threads.Crew(), threading.Event()

    def interrupted(number):
        if number == 0:
            release.set()
            raise KeyboardInterrupt
        release.wait()

    for _ in range(10):
        release.clear()
        with pytest.raises(KeyboardInterrupt):
            crew.grow(3)
            crew.run(interrupted, 3)
        done: list[int] = []
        crew.grow(3)
        crew.run(done.append, 3)
        assert sorted(done) == [0, 1, 2]


# Programs


def large():
    """Many blocks of every schedule, whose results depend on each other."""
    x, i = variable((96, 80), np.dtype("float32")), variable((96,), np.dtype("int64"))
    y = c.softmax(c.matmul(x, build("permute", x, axes=(1, 0))), 1)
    chosen = build("take", y, i, axis=0)
    roots = [c.matmul(chosen, x), build("sum", chosen, axes=(0, 1)), build("cumulative_sum", chosen, axis=0), c.sort(chosen, 1),
             build("scatter_add", i, chosen, axis=0, size=96), build("max", chosen, axes=(0,))]
    rng = np.random.default_rng(0)
    return roots, {x: rng.normal(size=x.shape).astype(np.float32), i: rng.integers(0, 96, 96)}, i


def test_any_number_of_threads_gives_the_same_bits_every_time():
    roots, env, _ = large()
    program = compile_nodes(roots, poison=True)
    first = program.run(env)
    for ours, expected in zip(first, evaluate(roots, env)):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-4)
    for count in (2, 3, 4, 2, 1, 7):
        for _ in range(3):
            assert same_bits(program.run(env, threads=count), first), count


@pytest.mark.parametrize("count", [1, 2, 3])
def test_an_error_stops_all_threads_and_the_next_run_is_right(count):
    roots, env, i = large()
    program = compile_nodes(roots)
    expected = program.run(env)
    for place in (0, 50, 95):
        bad = env[i].copy()
        bad[place] = 96
        with pytest.raises(Reported):
            program.run({**env, i: bad}, threads=count, steps=2)
        assert same_bits(program.run(env, threads=count), expected)


def test_programs_called_by_several_threads_at_once_take_turns():
    roots, env, _ = large()
    program = compile_nodes(roots)
    expected, wrong = program.run(env), []

    def call():
        wrong.extend(1 for _ in range(5) if not same_bits(program.run(env, threads=2), expected))

    callers = [threading.Thread(target=call) for _ in range(3)]
    with thread_count(2):
        for each in callers:
            each.start()
        for each in callers:
            each.join()
    assert not wrong
