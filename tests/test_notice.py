"""A long compilation says so on a terminal, once, and takes the line away; nothing is said elsewhere or beside another progress."""

from __future__ import annotations

import io
import sys
from weakref import WeakSet

import numpy as np
import pytest

import slopes as sl
from slopes import nn
from slopes.data import Dataset
from slopes.machine import build, native, notice
from slopes.machine.notice import CLEARED, TEXT


class Terminal(io.StringIO):
    """What is shown on a terminal."""

    encoding = "utf-8"

    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch, tmp_path):
    """Planning takes three seconds of this clock, which is the second item; nothing comes from a cache."""
    now = [0.0]
    monkeypatch.setenv("SLOPES_CACHE", str(tmp_path))
    monkeypatch.setattr(notice, "covered", WeakSet())  # other tests drop trainings before their end
    native._programs.clear()
    monkeypatch.setattr(notice.time, "monotonic", lambda: now[0])
    plan = build.plan_program

    def slow(*arguments, **options):
        now[0] += now_takes[0]
        return plan(*arguments, **options)

    now_takes = [3.0, now]
    monkeypatch.setattr(build, "plan_program", slow)
    return now_takes


def shown(monkeypatch, stream) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    assert sl.compile(lambda x: x * 2 + 1)(sl.ones(2)).tolist() == [3, 3]
    assert not notice.running
    return stream.getvalue()


def test_a_long_compilation_is_told_and_the_line_taken_away(clock, monkeypatch):
    assert shown(monkeypatch, Terminal()) == TEXT + CLEARED


def test_a_short_one_is_not(clock, monkeypatch):
    clock[0] = 1.0
    assert shown(monkeypatch, Terminal()) == ""


def test_nor_is_it_where_no_terminal_is(clock, monkeypatch):
    assert shown(monkeypatch, io.StringIO()) == ""


def test_the_progress_of_fit_says_so_itself(clock, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    points = Dataset(np.linspace(-1, 1, 16, dtype=np.float32).reshape(16, 1), np.arange(16) // 8)
    sl.fit(nn.Linear(1, 2), points, epochs=1)
    assert TEXT not in terminal.getvalue() and "compiling" in terminal.getvalue() and not notice.covered


def test_a_compilation_that_fails_leaves_no_line(clock, monkeypatch):
    def refuses(*_, **__):
        raise RuntimeError("no")

    monkeypatch.setattr(build.translate, "object_codes", refuses)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with pytest.raises(RuntimeError):
        sl.compile(lambda x: x * 2 + 1)(sl.ones(2))
    assert terminal.getvalue() == TEXT + CLEARED and not notice.running


def test_the_line_counts_what_is_translated(clock, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with notice.noticed():
        clock[1][0] += 3
        with notice.counted(2) as done:
            notice.look()
            notice.look()
            done()
            notice.look()
        notice.look()
    shown = [f"{TEXT} 0 of 2", f"{CLEARED}{TEXT} 1 of 2", CLEARED + TEXT, CLEARED]
    assert terminal.getvalue() == "".join(shown)


def test_pieces_are_counted_where_nothing_is_shown():
    with notice.counted(3) as done:
        done()
        notice.look()
    assert not notice.running
