"""Programs translated in parts: a module cut into several, phases in functions of their own, and that nothing else changes."""

from __future__ import annotations

import re

import numpy as np
import pytest
from native_graphs import Reported, compile_nodes, plan, same_bits

from slopes.errors import CompileError
from slopes.graph.build import build, variable
from slopes.loops import program_writer
from slopes.machine import split, translate
from slopes.ops import composite as c


def graph():
    """Kernels of several kinds in several phases; the state is the mean of rows that are picked by an index, which may be wrong."""
    x, i, state = variable((40, 30), np.dtype("float32")), variable((40,), np.dtype("int64")), variable((30,), np.dtype("float32"))
    picked = build("take", c.softmax(c.matmul(x, build("permute", x, axes=(1, 0))), 1), i, axis=0)
    roots = [c.sort(picked, 1), c.mean(c.matmul(picked, x), (0,)) + state]
    rng = np.random.default_rng(0)
    env = {x: rng.normal(size=x.shape).astype(np.float32), i: rng.integers(0, 40, 40), state: np.ones(30, np.float32)}
    return roots, [None, state], env, i


def names(text: str) -> list[str]:
    return re.findall(r"^define .*@([\w.]+)\(", text, re.M)


@pytest.fixture(params=[(10**9, 32), (10**9, 1), (3000, 32), (3000, 2), (1, 1)], ids=str)
def sizes(request, monkeypatch):
    """Characters of a part, and phases of a function."""
    monkeypatch.setattr(split, "PART", request.param[0])
    monkeypatch.setattr(program_writer, "PHASES_IN_FUNCTION", request.param[1])
    return request.param


def test_each_function_is_in_one_part_and_the_cuts_follow_from_the_text(sizes):
    roots, updates, _, _ = graph()
    text = plan(roots, updates)[0].text
    found = split.split(text)
    assert found == split.split(text)
    assert sorted(name for part in found for name in names(part)) == sorted(names(text))
    assert (len(found) > 1) == (sizes[0] < len(text))
    assert any(name.startswith("phases") for name in names(text)) == (sizes[1] < 32)


def test_programs_in_parts_give_the_same_bits(sizes, monkeypatch):
    roots, updates, env, _ = graph()
    found = [compile_nodes(roots, updates, poison=True).run(env, threads) for threads in (1, 3)]
    monkeypatch.undo()
    expected = compile_nodes(roots, updates).run(env)
    assert all(same_bits(each, expected) for each in found)


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_in_one_part_stops_the_others(sizes, threads):
    roots, updates, env, i = graph()
    compiled = compile_nodes(roots, updates)
    expected = compiled.run(env, threads)
    bad = env[i].copy()
    bad[17] = 40
    with pytest.raises(Reported):
        compiled.run({**env, i: bad}, threads, steps=2)
    assert same_bits(compiled.run(env, threads), expected)


def test_a_part_that_llvm_refuses_is_told(monkeypatch):
    monkeypatch.setattr(split, "PART", 1)
    bad = "define void @program() {\n  ret void\n}\ndefine internal void @k0_map() {\n  ret i32 0\n}\n"
    with pytest.raises(CompileError, match="defect of slopes"):
        translate.object_codes(bad, *translate.host())
