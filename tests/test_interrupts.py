"""Code that runs in between: signal handlers, finalizers and other threads take no part in what is being traced."""

from __future__ import annotations

import gc
import signal
import threading

import numpy as np
import pytest

import slopes as sl
from slopes import nn
from slopes.trace import current_trace


class Handled:
    """A signal whose handler computes something, for the time of a test."""

    def __init__(self, handler):
        self.handler = handler

    def __enter__(self):
        self.before = signal.signal(signal.SIGUSR1, self.handler)
        return self

    def __exit__(self, *error):
        signal.signal(signal.SIGUSR1, self.before)


def raised():
    signal.raise_signal(signal.SIGUSR1)


def test_a_signal_handler_computes_at_once_while_a_function_is_traced():
    net, x, seen = nn.Linear(3, 2), sl.ones((2, 3)), []
    inner = sl.compile(lambda x: (net(x) * 3).sum())

    def handler(number, frame):
        seen.append((float(net(x).sum()), float(inner(x)), current_trace()))

    def function(x):
        y = net(x)
        for _ in range(3):
            raised()
            y = sl.tanh(y)
        return y.sum()

    compiled = sl.compile(function)
    with Handled(handler):
        found = float(compiled(x))
        assert signal.getsignal(signal.SIGUSR1) is handler
        assert len(seen) == 3
        assert np.isclose(found, float(function(x)))
    wanted = float(net(x).sum())
    for total, tripled, trace in seen:
        assert np.isclose(total, wanted) and np.isclose(tripled, 3 * wanted) and trace is None
    assert np.isclose(float(compiled(x)), found) and len(seen) == 6  # three of them eagerly


def test_a_signal_handler_may_call_the_function_that_is_being_traced():
    seen = []

    def function(x):
        if not seen:
            seen.append(None)
            raised()
        return x * 2

    compiled = sl.compile(function)
    with Handled(lambda number, frame: seen.append(compiled(sl.ones(2)))):
        assert (compiled(sl.ones(2)).numpy() == 2).all()
    assert (seen[1].numpy() == 2).all()


def test_what_a_handler_assigns_is_there_for_the_call():
    weight = sl.tensor([1.0])

    def function(x):
        y = x * weight
        raised()
        return y

    with Handled(lambda number, frame: weight.assign([5.0])):
        assert float(sl.compile(function)(sl.ones(1))[0]) == 5


def test_a_handler_that_the_function_sets_stays_set():
    def handler(number, frame):
        pass

    def function(x):
        signal.signal(signal.SIGUSR1, handler)
        return x * 2

    with Handled(lambda number, frame: None):
        sl.compile(function)(sl.ones(1))
        assert signal.getsignal(signal.SIGUSR1) is handler


def test_an_error_in_a_handler_ends_the_trace_and_the_next_call_is_right():
    armed = [True]

    def handler(number, frame):
        raise KeyError("from the handler")

    def function(x):
        if armed.pop() if armed else False:
            raised()
        return x * 2

    compiled = sl.compile(function)
    with Handled(handler):
        with pytest.raises(KeyError, match="from the handler"):
            compiled(sl.ones(1))
        assert current_trace() is None and signal.getsignal(signal.SIGUSR1) is handler
        assert float(compiled(sl.ones(1))[0]) == 2


def test_a_finalizer_that_the_collector_calls_computes_at_once():
    weight, seen = sl.tensor([3.0]), []

    class Cycle:
        def __init__(self):
            self.own = self

        def __del__(self):
            seen.append((float((weight * 2).sum()), current_trace()))

    def function(x):
        Cycle()
        gc.collect()
        return x * 2

    assert float(sl.compile(function)(sl.ones(1))[0]) == 2
    assert seen == [(6.0, None)]


def test_threads_trace_side_by_side():
    net, x, errors = nn.Linear(3, 2), sl.ones((4, 3)), []
    shared = sl.compile(lambda x: net(x).sum())
    start = threading.Barrier(4)

    def work(number):
        try:
            start.wait(60)
            for count in range(1, 5):
                own = sl.compile(lambda x, factor=number + count: (net(x) * factor).sum())
                assert np.isclose(float(own(x)), float(net(x).sum()) * (number + count), rtol=1e-4)
                assert np.isclose(float(shared(x[:count])), float(net(x[:count]).sum()), rtol=1e-4)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(120)
    assert not errors and shared.compilations == 4


def test_a_thread_that_runs_beside_a_trace_computes_at_once():
    weight, seen = sl.tensor([3.0]), []

    def function(x):
        thread = threading.Thread(target=lambda: seen.append(float((weight * 2).sum())))
        thread.start()
        thread.join()
        return x * 2

    assert float(sl.compile(function)(sl.ones(1))[0]) == 2 and seen == [6.0]
