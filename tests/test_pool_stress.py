"""The pool under stress: many threads, programs and forks at once; and the portable entry, which gives the same bits."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from slopes.errors import ArgumentError
from slopes.machine import entry

PORTABLE = {"CPython": "", "portable": "portable"}


def run(code: str, portable: str, threads: int) -> str:
    """What Python code prints in a process of its own."""
    environment = {**os.environ, "SLOPES_THREADS": str(threads), "SLOPES_ENTRY": portable, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-W", "ignore::DeprecationWarning", "-c", code], env=environment, capture_output=True,
                          text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


STRESS = """
import os, threading, time
import numpy as np
import slopes as sl
from slopes.machine import engine, entry

assert type(entry.entry()) is entry.entry_class()
rng = np.random.default_rng(0)
inputs = [sl.asarray(rng.normal(size=(64 * n, 96)).astype(np.float32)) for n in (1, 3, 10)]
functions = [sl.compile(f) for f in (lambda x: (x @ x.T).sum(axis=0), lambda x: sl.softmax(x),
                                     lambda x: sl.exp(x * 0.1).sum(axis=1), lambda x: sl.sort(x, axis=1))]
cases = [(f, x, f(x).numpy().copy()) for f in functions for x in inputs]
wrong, calls = [], [0] * 6
until = time.monotonic() + 3.0

def work(index, until=until):
    rng = np.random.default_rng(index)
    while time.monotonic() < until:
        f, x, expected = cases[rng.integers(len(cases))]
        if not np.array_equal(f(x).numpy(), expected):
            wrong.append(index)
        calls[index] += 1
        if rng.random() < 0.1:
            time.sleep(rng.choice([0, 5e-5, 2e-3]))

def child():
    for f, x, expected in cases[::3]:
        if not np.array_equal(f(x).numpy(), expected):
            os._exit(1)
    os._exit(0)

threads = [threading.Thread(target=work, args=(index,)) for index in range(6)]
for thread in threads:
    thread.start()
forks = 0
while hasattr(os, "fork") and time.monotonic() < until:
    if (process := os.fork()) == 0:
        child()
    assert os.waitpid(process, 0)[1] == 0
    forks += 1
    time.sleep(0.05)
for thread in threads:
    thread.join()
assert not wrong and min(calls) > 0 and (forks > 0 or not hasattr(os, "fork"))
assert any(program.manifest.parallel for f in functions for program in f.programs)
print("right")
"""


@pytest.mark.parametrize("portable", PORTABLE.values(), ids=PORTABLE)
def test_many_threads_programs_and_forks_at_once_give_the_same_bits(portable):
    assert run(STRESS, portable, 4) == "right\n"


TRAINING = """
import hashlib
import slopes as sl
from slopes import nn, optim

splits = sl.data.digits()
sl.seed(1)
net = nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Dropout(0.1), nn.Linear(128, 10))
run = sl.fit(net, splits.train, epochs=2, batch_size=256, seed=1, optimizer=optim.Adam(net.parameters(), lr=0.01), progress=False)
digest = hashlib.sha256()
for name, array in net.state_dict().items():
    digest.update(name.encode() + array.tobytes())
print(len(run.history.losses), digest.hexdigest())
"""


def test_a_training_through_the_portable_entry_has_the_same_bits():
    pytest.importorskip("sklearn")
    assert run(TRAINING, "portable", 3) == run(TRAINING, "", 3) == run(TRAINING, "portable", 1)


@pytest.mark.parametrize(("implementation", "locked", "setting", "expected"), [
    ("CPython", True, "", entry.Entry), ("CPython", True, "portable", entry.PortableEntry), ("CPython", False, "", entry.PortableEntry),
    ("PyPy", True, "", entry.PortableEntry)])
def test_the_entry_is_chosen_by_the_interpreter(monkeypatch, implementation, locked, setting, expected):
    monkeypatch.setattr(entry.platform, "python_implementation", lambda: implementation)
    monkeypatch.setattr(entry.sys, "_is_gil_enabled", lambda: locked, raising=False)
    monkeypatch.setenv("SLOPES_ENTRY", setting)
    assert entry.entry_class() is expected


def test_an_unknown_entry_is_refused(monkeypatch):
    monkeypatch.setenv("SLOPES_ENTRY", "quick")
    with pytest.raises(ArgumentError, match="SLOPES_ENTRY is 'quick'"):
        entry.entry_class()
