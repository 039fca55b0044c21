"""Threads of native programs: how many, that each does its work once, and that nothing is left hanging by an error or an interruption."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from functools import cache

import numpy as np
import pytest
from native_graphs import Reported, compile_nodes, same_bits, thread_count

import slopes as sl
from slopes.graph.build import build, variable
from slopes.loops.module import Module
from slopes.machine import engine, entry, threads, translate
from slopes.machine import pool as pools
from slopes.machine.reference import evaluate
from slopes.ops import composite as c

# How many


def test_the_number_of_threads_can_be_named(monkeypatch):
    monkeypatch.setenv("SLOPES_THREADS", "5")
    assert threads.thread_count() == 5
    monkeypatch.setenv("SLOPES_THREADS", "")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert threads.thread_count() == threads.available()


@pytest.mark.parametrize(("allowed", "expected"), [("1", 1), ("3", 3), ("2,1", 2), ("99", 8), ("0", 8), ("", 8), ("many", 8), ("-1", 8)])
def test_openmp_settings_limit_the_threads_where_none_are_named(monkeypatch, allowed, expected):
    monkeypatch.setattr(threads, "available", lambda: 8)
    monkeypatch.delenv("SLOPES_THREADS", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", allowed)
    assert threads.thread_count() == expected
    monkeypatch.setenv("SLOPES_THREADS", "4")
    assert threads.thread_count() == 4


def test_joblib_limits_the_threads_of_its_worker_processes(monkeypatch):
    joblib = pytest.importorskip("joblib")
    monkeypatch.delenv("SLOPES_THREADS", raising=False)
    with joblib.parallel_config("loky", inner_max_num_threads=1):
        assert joblib.Parallel(n_jobs=2)(joblib.delayed(threads.thread_count)() for _ in range(2)) == [1, 1]


def test_the_number_of_threads_is_read_at_each_run(monkeypatch):
    f, x = sl.compile(lambda x: sl.tanh(x).sum()), sl.ones((2048, 2048))
    asked = []
    monkeypatch.setattr(pools.pool.backoff, "thread_count", lambda count: asked.append(count) or 1)
    for count in ("3", "1"):
        monkeypatch.setenv("SLOPES_THREADS", count)
        f(x)
    assert asked == [3, 1]


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


# The pool

COUNTING = """
define void @program(ptr %context, ptr %arguments, ptr %strides, ptr %arena, i64 %thread, i64 %threads, i64 %steps) {
  %slot = getelementptr i64, ptr %arguments, i64 %thread
  %old = load i64, ptr %slot
  %new = add i64 %old, %steps
  store i64 %new, ptr %slot
  ret void
}"""


ENTRIES = {"CPython": entry.entry, "portable": cache(entry.PortableEntry)}


@pytest.fixture(params=ENTRIES)
def pool(request, monkeypatch):
    """A pool of its own, in the place of the process's, for both entries."""
    for module in (pools, engine):
        monkeypatch.setattr(module, "entry", ENTRIES[request.param])
    monkeypatch.setattr(pools, "pool", pools.ThreadPool())
    return pools.pool


def counting(spin_limit: int = 1 << 40) -> engine.Program:
    """A program whose threads each add the number of steps to a counter of theirs."""
    codes = translate.object_codes([Module((), COUNTING)], *translate.host())
    program = engine.Program(engine.Manifest(0, 0, True, (), ()), codes)
    program.spin_limit, program.stalls.stall, program.choice.until_trial = spin_limit, math.inf, math.inf
    return program


def test_a_program_is_gone_with_its_last_reference():
    """Its code and its pages do not wait for a collection of garbage."""
    program = counting()
    gone = weakref.ref(program)
    assert gone() is program
    del program
    assert gone() is None


@pytest.mark.parametrize("count", [1, 2, 5])
def test_each_member_works_once_and_the_caller_waits_for_all(pool, count):
    program, counters = counting(), np.zeros(count + 1, np.int64)
    with thread_count(count):
        for run in range(1, 21):
            assert program.run(counters.ctypes.data, 0, 3) == 0
            assert counters.tolist() == [3 * run] * count + [0]
            assert program.joined == count


def asleep(number: int) -> bool:
    """Whether a helper goes to sleep; it is waited for."""
    deadline = time.monotonic() + 60
    while pools.state(number) != entry.ASLEEP and time.monotonic() < deadline:
        time.sleep(1e-4)
    return pools.state(number) == entry.ASLEEP


def test_helpers_without_work_sleep_and_are_woken(pool):
    program, counters = counting(), np.zeros(3, np.int64)
    with thread_count(3):
        for run in range(1, 6):
            program.run(counters.ctypes.data, 0)
            assert counters.tolist() == [run] * 3
            assert asleep(1)
            assert asleep(2)


def test_helpers_that_do_not_come_in_time_are_left_out_and_come_again(pool):
    hasty, patient = counting(spin_limit=-1), counting()
    counters = np.zeros(3, np.int64)
    with thread_count(3):
        for run in range(1, 6):
            hasty.run(counters.ctypes.data, 0)
            assert hasty.joined == 1 or counters[1:].any()  # a helper may be as quick as that
            assert counters[0] == 2 * run - 1
            counters[1:] = 0
            patient.run(counters.ctypes.data, 0)
            assert counters.tolist() == [2 * run, 1, 1]
            counters[1:] = 0
            assert asleep(1)
            assert asleep(2)


@pytest.mark.parametrize("seed", range(4))
def test_a_call_is_accepted_or_withdrawn_whatever_its_helpers_are_doing(pool, seed):
    """More threads than processors, pauses after which helpers look, fall asleep or sleep, and callers that hardly wait."""
    rng, program, counters = np.random.default_rng(seed), counting(), np.zeros(6, np.int64)
    joined = set()
    with thread_count(5):
        for _ in range(400):
            before = counters.copy()
            program.spin_limit = int(rng.choice([-1, 0, 20, 2000, 1 << 40], p=[0.2, 0.2, 0.2, 0.2, 0.2]))
            program.run(counters.ctypes.data, 0)
            ran = counters - before
            assert ran[0] == 1 and ran[1:].max() <= 1 and ran.sum() == program.joined
            joined.add(program.joined)
            if rng.random() < 0.5:
                time.sleep(rng.choice([0, 2e-5, 6e-5, 1e-3]))
            assert (counters - before == ran).all()  # nobody works on after the call
    assert 5 in joined and len(joined) > 1


def test_threads_that_others_hold_up_are_left_out_for_a_while(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(pools.time, "perf_counter", lambda: now[0])
    backoff = pools.ContentionBackoff()
    assert backoff.thread_count(3) == 3
    backoff.record_stall(1.0)
    assert backoff.thread_count(3) == 3  # once is bad luck
    backoff.record_stall(1.0)
    assert backoff.thread_count(3) == 2
    backoff.record_stall(1.0)
    assert [backoff.thread_count(3), backoff.thread_count(1)] == [1, 1]
    now[0] = 100.0
    assert backoff.thread_count(3) == 3


def test_the_longer_others_stay_the_longer_threads_are_left_out(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(pools.time, "perf_counter", lambda: now[0])
    backoff, waits = pools.ContentionBackoff(), []
    for _ in range(8):
        backoff.record_stall(1.0)
        before = now[0]
        while backoff.thread_count(2) == 1:
            now[0] += 0.25
        waits.append(round(now[0] - before))
    assert waits == [0, 1, 2, 4, 8, 16, 32, 32]
    for _ in range(6):
        backoff.record_success()
    backoff.record_stall(1.0)
    assert backoff.thread_count(2) == 2


def test_a_run_that_takes_far_longer_than_usual_sends_threads_away(pool):
    program, counters = counting(), np.zeros(2, np.int64)
    program.stalls.stall = 0.0
    with thread_count(2):
        program.run(counters.ctypes.data, 0)
        program.choice.usual[2] = 1e-12
        pools.pool.backoff.factor = 10**12
        program.run(counters.ctypes.data, 0)
        program.run(counters.ctypes.data, 0)
    assert counters.tolist() == [3, 2]


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_an_interruption_ends_the_call_and_the_next_one_is_right():
    roots, env, _ = large()
    program = compile_nodes(roots)
    expected = program.run(env)
    main = threading.main_thread().ident
    for delay in (0.0, 1e-4, 1e-3, 1e-2):
        timer = threading.Timer(delay, lambda: signal.pthread_kill(main, signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            timer.start()
            while True:
                program.run(env, threads=3, steps=5)
        assert same_bits(program.run(env, threads=3), expected)


AT_THE_END = """
import sys
import slopes as sl
f = sl.compile(lambda x: sl.exp(x).sum(axis=0))
f(sl.zeros((1000, 1000)))
sys.exit(0)
"""


def test_a_process_may_end_while_its_helpers_still_look_for_work():
    environment = {**os.environ, "SLOPES_THREADS": "3", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", AT_THE_END], env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


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
