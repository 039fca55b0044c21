"""State on XLA: it stays on the device between calls, and is fetched when it is looked at."""

from __future__ import annotations

import dis
import os
import pickle
import sys
import threading

import numpy as np
import pytest

import slopes as sl
from slopes import nn, optim
from slopes.errors import DeviceError, NonFiniteError
from slopes.tensor_fields import VALUE

# Programs of tests run once: XLA compiles them quickly, not well. It reads this when jax is imported, which nothing else here does.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")


@pytest.fixture(scope="module", autouse=True)
def jax():
    return pytest.importorskip("jax")


def counter():
    """A tensor, and a compiled function that adds to it and returns the sum of its elements."""
    total = sl.tensor([0.0, 0.0])

    def step(x):
        total.assign(total + x)
        return total.sum()

    return total, sl.compile(step, backend="xla"), step


def is_here(x):
    try:
        return VALUE.__get__(x) is not None
    except AttributeError:
        return False


def test_state_stays_on_the_device_until_it_is_read():
    total, step, plain = counter()
    one = sl.ones(2)
    for expected in (2, 4):
        assert step(one).item() == expected and not is_here(total)
    device = total._remote.array
    assert total.tolist() == [2, 2] and is_here(total) and total._remote.array is device
    view = total.numpy()
    assert not view.flags.writeable
    assert step(one).item() == 6 and not is_here(total) and device.is_deleted()  # its memory is that of the new value
    assert view.tolist() == [2, 2] and pickle.loads(pickle.dumps(total)).tolist() == [3, 3]
    total.assign(sl.tensor([10.0, 20.0]))
    assert total._remote is None and step(one).item() == 32
    total[0] = 0.0
    assert step(one).item() == 23
    native = sl.compile(plain)
    assert [native(one).item(), step(one).item(), native(one).item(), native(one).item(), step(one).item()] == [25, 27, 29, 31, 33]
    assert total.shape == (2,) and repr(total) == "tensor([ 6., 27.])"


def test_parameters_that_are_only_read_are_copied_to_the_device_once():
    weight = sl.Parameter([1.0, 2.0])
    compiled = sl.compile(lambda x: (weight * x).sum(), backend="xla")
    x = sl.ones(2)
    assert compiled(x).item() == 3
    device = weight._remote.array
    assert compiled(x * 2).item() == 6 and weight._remote.array is device
    weight.assign([3.0, 4.0])
    assert compiled(x).item() == 7
    sl.compile(lambda x: weight.assign(weight + x))(x)
    assert compiled(x).item() == 9


class Interruption:
    """Raises KeyboardInterrupt in the XLA backend where Python calls signal handlers, at the n-th such instruction."""

    def __init__(self, n):
        self.left, self.previous = n, ""

    def trace(self, frame, event, arg):
        if "/slopes/xla/" not in frame.f_code.co_filename:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            self.left -= self.previous.startswith(("CALL", "RESUME", "JUMP_BACKWARD"))
            self.previous = dis.opname[frame.f_code.co_code[frame.f_lasti]]
            if self.left < 0:
                sys.settrace(None)
                raise KeyboardInterrupt
        return self.trace


def test_a_call_that_is_interrupted_loses_no_state():
    total, step, _ = counter()
    one = sl.ones(2)
    step(one)
    before, done, interrupted = 1.0, False, 0
    while not done:
        sys.settrace(Interruption(interrupted).trace)
        try:
            step(one)
            done = True
        except KeyboardInterrupt:
            interrupted += 1
        finally:
            sys.settrace(None)
        first, second = total.tolist()
        assert first == second and first - before in ((1,) if done else (0, 1)), interrupted
        before = first
    assert interrupted > 30 and before > 5


def test_other_threads_see_the_values_of_whole_calls():
    total, step, _ = counter()
    one, torn = sl.ones(2), []
    step(one)

    def look():
        while not done.is_set():
            first, second = total.tolist()
            torn.append(first != second)

    done = threading.Event()
    thread = threading.Thread(target=look)
    thread.start()
    for _ in range(300):
        step(one)
    done.set()
    thread.join()
    assert torn and not any(torn) and total.tolist() == [301, 301]


def test_taps_are_values_and_a_training_that_diverges_goes_back():
    x = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
    seen = {}
    for backend in ("native", "xla"):
        sl.seed(0)
        net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
        tapped = sl.compile(lambda x, net=net: net(x).sum(), taps=("net[0]",), backend=backend)
        tapped(sl.asarray(x))
        with pytest.raises(NonFiniteError, match="the loss became inf in epoch 1, step 4 of 4") as error:
            sl.fit(net, x, x[:, :1] * 100, loss=nn.mse_loss, optimizer=optim.SGD(lr=3.0), epochs=30, batch_size=16, progress=False,
                   backend=backend)
        seen[backend] = [tapped.tapped["net[0]"].numpy(), net[0].weight.numpy(), error.value.run.losses]
    for xla, native in zip(seen["xla"], seen["native"]):
        np.testing.assert_allclose(xla, native, rtol=1e-4)


def test_values_that_the_device_lost_are_named():
    total, step, _ = counter()
    step(sl.ones(2))
    total._remote.array.delete()
    with pytest.raises(DeviceError, match="the value of this tensor is lost"):
        total.numpy()
    total.assign([1.0, 1.0])
    assert step(sl.ones(2)).item() == 4
