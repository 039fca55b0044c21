"""Values that were handed out never change, and are those of whole calls, also while another thread trains."""

from __future__ import annotations

import threading
import time
from functools import partial

import numpy as np
import pytest

import slopes as sl
from slopes import nn, optim
from slopes.versions import versions

SIZE = 400_000


def adding(tensors):
    """A compiled step that adds its argument to each tensor."""
    def step(x):
        for each in tensors:
            each.assign(each + x)
        return x * 1

    return sl.compile(step)


class Training:
    """Steps in a thread of their own, for as long as the with-block lasts."""

    def __init__(self, step) -> None:
        self.step, self.over, self.steps = step, False, 0
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        one = sl.tensor(1.0)
        while not self.over:
            self.step(one)
            self.steps += 1

    def __enter__(self):
        self.step(sl.tensor(1.0))
        self.thread.start()
        return self

    def __exit__(self, *error) -> None:
        self.over = True
        self.thread.join()


LOOKS = {
    "numpy": lambda w: w.numpy(), "value": lambda w: w.value, "detach": lambda w: w.detach().numpy(),
    "slice": lambda w: w.detach()[1:].numpy(), "tolist": lambda w: np.array(w.tolist()), "asarray": lambda w: np.asarray(w.detach()),
    "dlpack": lambda w: np.from_dlpack(w.detach()), "assigned": lambda w: sl.zeros(SIZE).assign(w).numpy(),
}


@pytest.mark.parametrize("name", LOOKS)
def test_a_value_is_that_of_a_whole_step_and_stays(name):
    w = sl.Parameter(np.zeros(SIZE, np.float32))
    seen = []
    with Training(adding([w])) as training:
        for _ in range(8):
            found = LOOKS[name](w)
            seen.append((found, found.copy()))
            steps, until = training.steps, time.monotonic() + 30
            while training.steps < steps + 2 and time.monotonic() < until:
                time.sleep(0.001)
    for found, first in seen:
        assert np.array_equal(found, first) and len(np.unique(first)) == 1
    assert np.all(np.diff([first[0] for _, first in seen]) > 0)
    assert np.all(w.numpy() == training.steps + 1)


def test_a_state_is_of_one_step():
    net = nn.Sequential(*(nn.Linear(1, SIZE // 8, bias=False) for _ in range(8)))
    for parameter in net.parameters():
        parameter.assign(np.zeros(parameter.shape, np.float32))
    with Training(adding(net.parameters())) as training:
        states = [net.state_dict() for _ in range(10)]
    for state in states:
        assert len({number for array in state.values() for number in np.unique(array).tolist()}) == 1
    assert training.steps > 0


def test_an_optimizers_state_is_copied_as_a_whole_too():
    net = nn.Linear(3, 2)
    optimizer = optim.Adam(net.parameters(), lr=0.1)

    @sl.compile
    def step(x):
        loss = net(x).sum()
        net.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step(sl.ones((1, 3)))
    before = optimizer.state_dict()
    kept = {name: array.copy() for name, array in before.items()}
    step(sl.ones((1, 3)))
    assert all(np.array_equal(before[name], kept[name]) for name in kept)
    assert optimizer.state_dict()["steps"] == 2


def test_several_threads_may_look_and_several_functions_write():
    w = sl.Parameter(np.zeros(SIZE, np.float32))
    wrong = []

    def look(rounds: int) -> None:
        for _ in range(rounds):
            found = w.numpy()
            first = found.copy()
            time.sleep(0.002)
            if len(np.unique(first)) > 1 or not np.array_equal(found, first):
                wrong.append(first)

    with Training(adding([w])), Training(adding([sl.Parameter(np.zeros(10, np.float32))])):
        threads = [threading.Thread(target=look, args=(10,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


def test_a_value_is_handed_out_while_another_function_with_the_same_program_waits_at_the_gate():
    """Two functions run one native program: one is idle, a thread is in the other and has to bind its state anew."""
    weights = [sl.Parameter(sl.zeros(3)) for _ in range(2)]
    steps = [sl.compile(partial(add_to, weight)) for weight in weights]
    for step in steps * 2:
        step(sl.ones(3))
    program, = {program for step in steps for program in step.programs}
    thread = threading.Thread(target=steps[1], args=(sl.ones(3),))
    with versions.gate:
        weights[1].assign(sl.zeros(3))
        thread.start()
        deadline = time.monotonic() + 60
        while not program.binding and time.monotonic() < deadline:
            time.sleep(1e-3)
        value = weights[0].numpy()  # hands out an array that the idle function has bound
    thread.join(60)
    assert value.tolist() == [2, 2, 2] and weights[1].tolist() == [1, 1, 1]


def add_to(weight, x):
    weight.assign(weight + x)
    return weight * 1


def test_steps_between_which_nobody_looks_write_in_place():
    w = sl.Parameter(np.zeros(4, np.float32))
    step = adding([w])
    step(sl.tensor(1.0))
    array, state = w._value, versions.state
    for _ in range(5):
        step(sl.tensor(1.0))
    assert w._value is array and versions.state == state
    held = w.numpy()
    step(sl.tensor(1.0))
    assert w._value is not array and np.all(held == 6) and np.all(w.numpy() == 7)
