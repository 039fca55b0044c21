"""Forks, signal handlers, Ctrl-C and the end of the interpreter: compiled functions work, or say at once why not; nothing hangs."""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import llvmlite.binding as llvm
import numpy as np
import pytest
from alarm import alarm

import slopes as sl
from slopes import data, extras, nn
from slopes.errors import CompileError, DataError, SaveError, line_text, user_location
from slopes.files import images
from slopes.files.lock import locked
from slopes.machine import engine, native, pool, translate
from slopes.workers import Workers

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
alarms = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no alarm signal here")
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@pytest.fixture
def cold(tmp_path, monkeypatch):
    """An empty cache, and no program left in this process."""
    monkeypatch.setenv("SLOPES_CACHE", str(tmp_path))
    native._programs.clear()


# Forks


def in_a_child(work) -> bool:
    """Whether a forked child carries it out and ends well within a minute."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if work() else 1)
        except BaseException:
            os._exit(2)
    for _ in range(6000):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def while_another_thread(works, check) -> bool:
    """Whether children forked while another thread is at work all do what they should."""
    stop = threading.Event()

    def on() -> None:
        while not stop.is_set():
            works()

    other = threading.Thread(target=on)
    other.start()
    try:
        return all(in_a_child(check) for _ in range(4))
    finally:
        stop.set()
        other.join()


@forks
@pytest.mark.parametrize("threads", ["1", "3"])
def test_a_child_runs_what_a_thread_of_the_parent_was_in(monkeypatch, threads):
    monkeypatch.setenv("SLOPES_THREADS", threads)
    product, x = sl.compile(lambda a, b: sl.matmul(a, b).sum()), sl.ones((300, 300))
    expected = product(x, x).numpy().tobytes()
    assert while_another_thread(lambda: product(x, x), lambda: all(product(x, x).numpy().tobytes() == expected for _ in range(5)))


@forks
def test_a_child_compiles_while_a_thread_of_the_parent_does(cold):
    factor = iter(range(1, 10**6))

    def compiles() -> bool:
        number = float(next(factor))
        return float(sl.compile(lambda x: (x * number).sum())(sl.ones(3))) == 3 * number

    assert while_another_thread(compiles, compiles)


@forks
def test_a_child_does_what_the_parent_is_tracing(cold):
    begun, go_on = threading.Event(), threading.Event()

    def slow(x):
        begun.set()
        go_on.wait(60)
        return x + 1

    compiled = sl.compile(slow)
    other = threading.Thread(target=compiled, args=(sl.ones(2),))
    other.start()
    begun.wait(60)

    def check() -> bool:
        go_on.set()
        return compiled(sl.ones(2)).tolist() == [2, 2]

    try:
        assert in_a_child(check)
    finally:
        go_on.set()
        other.join()


@forks
def test_a_child_reads_pictures_while_a_thread_of_the_parent_does(tmp_path):
    pytest.importorskip("PIL")
    data.save_image_folder(data.Dataset(np.zeros((4, 1, 8, 8), np.float32), np.arange(4) % 2, ("a", "b")), tmp_path / "pictures", (8, 8))
    path = next((tmp_path / "pictures").rglob("*.png"))
    images.QUIET.lock.acquire()  # as a thread of the parent has it, at the worst moment
    try:
        assert in_a_child(lambda: threaded(lambda: data.load_image(path).shape == (1, 8, 8)))
    finally:
        images.QUIET.lock.release()


def threaded(work) -> bool:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result(60)


@forks
def test_workers_of_multiprocessing_may_compile_and_train(cold):
    sl.compile(lambda x: x * 2)(sl.ones(2))
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map_async(trained, [0, 0, 0]).get(120) == [trained(0)] * 3


def trained(seed: int) -> list[float]:
    sl.seed(seed)
    points = data.Dataset(np.linspace(-1, 1, 32, dtype=np.float32).reshape(32, 1), np.arange(32) // 16)
    return sl.fit(nn.Linear(1, 2), points, epochs=2, batch_size=8, progress=False).history.losses


@forks
def test_a_program_begins_anew_in_a_child_even_in_the_middle_of_a_barrier():
    compiled = sl.compile(lambda x: sl.exp(x).sum(axis=0))
    expected = compiled(sl.ones((4, 4))).numpy().tobytes()
    program, = compiled.programs
    program._context[64:72].view(np.int64)[0] = 1  # one thread has come to the barrier
    program.entered[0] = True
    engine.renew_after_fork()
    assert program._context[64] == 0 and not program.entered[0] and program.prepared is None
    assert compiled(sl.ones((4, 4))).numpy().tobytes() == expected


@forks
def test_a_lock_on_a_file_ends_with_its_block_although_a_child_has_the_file_open(tmp_path):
    with locked(tmp_path / "lock"):
        child = os.fork()
        if child == 0:
            time.sleep(60)
            os._exit(0)
    try:
        began = time.monotonic()
        with locked(tmp_path / "lock"):
            assert time.monotonic() - began < 30
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


# Signal handlers


class Alarm:
    """While entered, a function is called again and again by signals, in the middle of whatever happens, for two minutes at most."""

    def __init__(self, function, seconds=0.001):
        self.function, self.calls, self.inside = function, 0, False
        self.alarms, self.seconds = alarm(self.handle), seconds

    def __enter__(self):
        self.end = time.monotonic() + 120
        self.alarms.__enter__()(self.seconds, self.seconds)
        return self

    def __exit__(self, *error):
        self.alarms.__exit__(*error)

    def handle(self, *_):
        if time.monotonic() > self.end:
            pytest.fail("still at work after two minutes")
        if not self.inside:
            self.inside = True
            try:
                self.function()
                self.calls += 1
            finally:
                self.inside = False


@alarms
@pytest.mark.parametrize("threads", ["1", "3"])
def test_a_handler_may_call_the_function_that_it_interrupts(monkeypatch, threads):
    monkeypatch.setenv("SLOPES_THREADS", threads)
    predict = sl.compile(lambda x, b: (sl.tanh(x @ x) + b).sum(axis=0))
    x, own = sl.tensor(np.linspace(-1, 1, 90_000, dtype=np.float32).reshape(300, 300)), sl.ones(300)
    expected, other = predict(x, own).numpy().tobytes(), predict(x, own * 2).numpy().tobytes()
    seen = []
    with Alarm(lambda: seen.append(predict(x, own * 2).numpy().tobytes())) as alarm:
        while alarm.calls < 100:
            assert predict(x, own).numpy().tobytes() == expected
    assert set(seen) == {other}


@alarms
def test_a_handler_may_train_what_is_trained():
    weight = nn.Parameter(np.zeros(3, np.float32))

    @sl.compile
    def step(x):
        weight.assign(weight + x)
        return weight * 1

    one, count = sl.ones(3), 0
    step(one)
    weight.assign(sl.zeros(3))
    with Alarm(lambda: step(one)) as alarm:
        while alarm.calls < 300:
            step(one)
            count += 1
    assert weight.tolist() == [count + alarm.calls] * 3


@alarms
def test_a_handler_may_compile_in_the_middle_of_a_compilation(cold):
    found = []

    def compiles(number):
        found.append(float(sl.compile(lambda x: (x * number).sum())(sl.ones(3))) == 3 * number)

    factor = iter(range(1, 10**6))
    with Alarm(lambda: compiles(float(next(factor))), 0.02) as alarm:
        while alarm.calls < 10:
            compiles(float(next(factor)))
    assert all(found)


def test_the_main_thread_never_has_the_lock_of_llvm(cold, monkeypatch):
    users, lock = [], type(llvm.ffi.lib._lock)
    enter = lock.__enter__
    monkeypatch.setattr(lock, "__enter__", lambda self: (users.append(threading.current_thread()), enter(self))[1])
    translate.host.cache_clear()
    for number in (1.5, 2.5):
        assert float(sl.compile(lambda x, number=number: (x * number).sum())(sl.ones(3))) == 3 * number
        native._programs.clear()
        gc.collect()
    assert users and threading.main_thread() not in users
    assert translate._unloaded, "the first program is gone, and this thread has not freed its memory"


def test_a_handler_may_compile_while_its_thread_forks(cold):
    translate.begin_fork()
    try:
        assert float(sl.compile(lambda x: (sl.exp(x) @ x).sum())(sl.ones((2, 2)))) == pytest.approx(8 * np.e)
    finally:
        translate.end_fork()


def test_a_module_that_is_being_loaded_is_said_to_be():
    extras._unfinished.add("slopes.machine.build")
    try:
        with pytest.raises(CompileError, match="is being loaded at this moment") as caught:
            extras.on_demand("slopes.machine.build")
    finally:
        extras._unfinished.discard("slopes.machine.build")
    assert "a signal handler interrupted that" in caught.value.why and caught.value.repair
    assert extras.on_demand("slopes.machine.build").__name__ == "slopes.machine.build"


def test_a_module_that_is_loaded_already_is_there_for_a_handler_too(monkeypatch):
    nested = []

    def import_module(name):
        monkeypatch.undo()
        nested.append(extras.on_demand(name))  # as a handler does which interrupts the look-up
        return sys.modules[name]

    monkeypatch.setattr(extras.importlib, "import_module", import_module)
    assert nested == [] and extras.on_demand("slopes.machine.native") is native and nested == [native]


@forks
def test_a_child_finds_a_public_name_that_a_thread_of_the_parent_is_looking_up():
    code = """
import os, threading, time
import slopes as sl

looking = threading.Thread(target=lambda: sl.ones)
looking.start()
while "slopes.functions" not in __import__("sys").modules:
    time.sleep(1e-4)
child = os.fork()
if child == 0:
    os._exit(0 if sl.ones(3).sum().item() == 3 else 1)
for _ in range(3000):
    done, status = os.waitpid(child, os.WNOHANG)
    if done:
        break
    time.sleep(0.01)
else:
    os.kill(child, 9)
looking.join()
print(done == child and os.waitstatus_to_exitcode(status))"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "0", done.stderr


def test_a_lock_that_the_same_thread_has_is_refused_at_once(tmp_path):
    with locked(tmp_path / "lock"), pytest.raises(SaveError, match="is already locked by this thread"), locked(tmp_path / "lock"):
        pass
    with locked(tmp_path / "lock"):
        pass


# Ctrl-C


@alarms
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Python drops what is raised in a weak reference's callback
@pytest.mark.parametrize("seconds", [0.002, 0.005, 0.013, 0.03, 0.07])
def test_ctrl_c_at_any_moment_of_a_compilation_leaves_it_possible(cold, seconds):
    def interrupted(*_):
        raise KeyboardInterrupt

    compiled = sl.compile(lambda x: (sl.tanh(x * seconds) @ x).sum())
    with alarm(interrupted) as set_alarm, pytest.raises(KeyboardInterrupt):
        set_alarm(seconds, 1.0)  # again after a second, should the first be dropped
        compiled(sl.ones((4, 4)))
        time.sleep(10)
    x = sl.ones((4, 4))
    assert threaded(lambda: float(compiled(x))) == pytest.approx(float((sl.tanh(x * seconds) @ x).sum()))


@alarms
def test_ctrl_c_at_any_moment_of_a_call_leaves_every_lock_open():
    weight = nn.Parameter(np.zeros(3, np.float32))

    @sl.compile
    def step(x):
        weight.assign(weight + x)
        return (weight * 1).sum()

    one = sl.ones(3)
    step(one)

    def interrupted(*_):
        raise KeyboardInterrupt

    with alarm(interrupted) as set_alarm:
        for number in range(300):
            with contextlib.suppress(KeyboardInterrupt):
                set_alarm(0.0002 + number * 1e-6)
                while True:
                    step(one)
    weight.assign(sl.zeros(3))
    assert threaded(lambda: [float(step(one)) for _ in range(3)]) == [3, 6, 9]
    program, = step.programs
    assert not program.entered[0] and not pool.pool.busy._is_owned()


# The end of the interpreter

LATE = """
import atexit, sys, numpy as np, slopes as sl
from slopes import nn
from slopes.data.loaders.stream import prefetched
class Slow:
    shape, dtype = (8, 3), np.dtype(np.float32)
    def __len__(self): return 8
    def __getitem__(self, index): return self.gather(np.arange(8)[index])
    def gather(self, numbers): return np.ones((len(np.atleast_1d(numbers)), 3), np.float32)
net = nn.Sequential(*(nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), nn.ReLU()) for _ in range(3)))
@sl.compile
def step(x):
    net.zero_grad(); loss = (net(x) ** 2).sum(); loss.backward()
    for p in net.parameters(): p.assign(p - 0.01 * p.grad)
    return loss
def late():
    print(float(step(sl.ones((2, 2, 8, 8)))) >= 0, [len(each) for each in prefetched(Slow().gather, [np.arange(3), np.arange(2)])])
atexit.register(late)
"""


@pytest.mark.parametrize("threads", ["1", "3"])
def test_the_first_compilation_may_come_at_the_end_of_the_interpreter(tmp_path, threads):
    environment = {**os.environ, "SLOPES_CACHE": str(tmp_path), "SLOPES_THREADS": threads}
    done = subprocess.run([sys.executable, "-c", LATE], env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True [3, 2]\n", "")


# Worker threads


def test_without_threads_the_work_is_done_at_once(monkeypatch):
    def refuses(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuses)
    with Workers(2) as pool:
        assert list(pool.map(abs, [-1, 2, -3])) == [1, 2, 3]
        with pytest.raises(ZeroDivisionError):
            pool.submit(divmod, 1, 0).result()


def test_an_error_of_a_worker_names_the_line_that_asked_for_the_work(tmp_path):
    (tmp_path / "pictures" / "cat").mkdir(parents=True)
    (tmp_path / "pictures" / "cat" / "damaged.pgm").write_bytes(b"P5 2 2 255 x")
    found = data.image_folder(tmp_path / "pictures", 4, 1)
    with pytest.raises(DataError) as caught:
        found.inputs[:]
    assert "test_processes.py" in caught.value.where or caught.value.where == ""
    with Workers(1) as pool:
        assert line_text(pool.submit(user_location).result()).startswith("test_processes.py:")


def test_a_thread_without_a_line_of_the_user_is_named():
    with ThreadPoolExecutor(1, thread_name_prefix="mine") as pool, pytest.raises(sl.SlopesError) as caught:
        pool.submit(sl.reshape, sl.ones(3), (2,)).result()
    assert caught.value.where == "at the beginning of thread mine_0"
