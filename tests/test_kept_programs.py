"""How many programs a compiled function keeps, which ones it lets go, and that nothing of these stays in memory."""

from __future__ import annotations

import gc
import sys
import weakref

import pytest

import slopes as sl
from slopes.graph.build import variable
from slopes.graph.dtype import float32
from slopes.loops.program import plan_program
from slopes.machine import translate
from slopes.machine.buffer import give_back_freed
from slopes.machine.parts import join_small

COMPILE = sys.modules[sl.compile.__module__]


def resident() -> int:
    """Bytes of memory that this process holds."""
    gc.collect()
    give_back_freed()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(COMPILE, "PROGRAMS_KEPT", 4)


def test_a_bound_is_kept_and_the_oldest_go_first(few):
    compiled = sl.compile(lambda x: x * 2)
    for size in (1, 2, 3, 4, 1, 5, 6):
        compiled(sl.ones(size))
    assert compiled.compilations == 6 and len(compiled.programs) == 4
    for size in (4, 1, 5, 6):
        compiled(sl.ones(size))
    assert compiled.compilations == 6
    compiled(sl.ones(2))
    assert compiled.compilations == 7 and len(compiled.programs) == 4


def test_many_shapes_leave_a_bounded_number_of_programs():
    compiled = sl.compile(lambda x: x * 2)
    for size in range(1, COMPILE.PROGRAMS_KEPT + 20):
        assert compiled(sl.ones(size)).shape == (size,)
    assert len(compiled.programs) == COMPILE.PROGRAMS_KEPT and len(compiled._versions) == COMPILE.PROGRAMS_KEPT


def test_large_programs_go_sooner_but_some_always_stay(monkeypatch):
    monkeypatch.setattr(COMPILE, "ARENAS_KEPT", 0)
    compiled = sl.compile(lambda x: (sl.sort(sl.tanh(x)) * x).sum())
    for size in range(1, 10):
        compiled(sl.ones(size))
    assert len(compiled.programs) == COMPILE.ALWAYS_KEPT


def test_a_program_that_is_let_go_is_gone(few):
    compiled = sl.compile(lambda x: x * 2.5)
    compiled(sl.ones(77))
    program = weakref.ref(compiled.programs[0])
    for size in (1, 2, 3, 4):
        compiled(sl.ones(size))
    gc.collect()
    assert program() is None


def test_a_call_that_fails_while_it_is_traced_keeps_nothing():
    def function(x, fail):
        if fail:
            raise KeyError(fail)
        return x * 2

    compiled = sl.compile(function)
    compiled(sl.ones(2), 0)
    for number in range(1, 5):
        with pytest.raises(KeyError):
            compiled(sl.ones(2), number)
    compiled(sl.ones(2), 0)
    assert len(compiled._versions) == 1 and compiled.compilations == 1


def test_the_list_of_reasons_is_bounded_and_the_count_is_not(monkeypatch):
    monkeypatch.setattr(COMPILE, "REASONS_KEPT", 3)
    compiled = sl.compile(lambda x: x * 2)
    for size in range(1, 6):
        compiled(sl.ones(size))
    assert compiled.compilations == 5 and len(compiled.reasons) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of the process from /proc")
def test_nothing_of_a_compilation_stays_in_memory():
    x = variable((1024,), float32, "x")
    modules = join_small(plan_program([x * x + 1], [x], [1], translate.host_target()).modules)
    for _ in range(10):
        translate.object_codes(modules, *translate.host())
    before = resident()
    for _ in range(60):
        translate.object_codes(modules, *translate.host())
    assert (resident() - before) / 60 < 20_000  # it was 60,000
