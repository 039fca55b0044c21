"""Programs translated in parts: kernels alone or in runs, phases in functions of their own, and that nothing else changes."""

from __future__ import annotations

import re

import numpy as np
import pytest
from native_graphs import Reported, compile_nodes, plan, same_bits

from slopes.errors import CompileError
from slopes.graph.build import build, variable
from slopes.loops import program_writer
from slopes.loops.module import Module, Passes
from slopes.machine import parts, translate
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


@pytest.fixture(params=[(10**9, 10**9, 32), (10**9, 10**9, 1), (10**9, 2000, 32), (2000, 2000, 2), (1, 1, 1)], ids=str)
def sizes(request, monkeypatch):
    """Characters of a large kernel and of a run of small ones, and phases of a function."""
    monkeypatch.setattr(parts, "LARGE_KERNEL", request.param[0])
    monkeypatch.setattr(parts, "PART", request.param[1])
    monkeypatch.setattr(parts, "KEPT_CODE", request.param[1])
    monkeypatch.setattr(program_writer, "PHASES_IN_FUNCTION", request.param[2])
    return request.param


def test_each_function_is_in_one_part_and_the_program_in_the_last(sizes, monkeypatch):
    monkeypatch.setattr("slopes.loops.program.CALL_WORK", 10**9)
    roots, updates, _, _ = graph()
    modules = plan(roots, updates)[0].modules
    made = parts.join_small(modules)
    assert made == parts.join_small(modules)
    assert sorted(name for part in made for name in names(part.text)) == sorted(names("\n".join(module.text for module in modules)))
    assert "program" in names(made[-1].text) and not made[-1].name
    assert (len(made) == 1) == (sizes[:2] == (10**9, 10**9)) and (sizes[0] > 1 or len(made) == len(modules))
    assert any(name.startswith("phases") for name in names(made[-1].text)) == (sizes[2] < 32)


@pytest.mark.parametrize(("optimized", "large"), [(True, 10**9), (False, 1)])
def test_programs_in_parts_give_the_same_bits(sizes, large, optimized, monkeypatch):
    monkeypatch.setattr(parts, "LARGE_KERNEL", min(large, sizes[0]))
    monkeypatch.setattr("slopes.loops.program.CALL_WORK", 10**9 if optimized else 0)
    roots, updates, env, _ = graph()
    results = [compile_nodes(roots, updates, poison=True).run(env, threads) for threads in (1, 3)]
    monkeypatch.undo()
    expected = compile_nodes(roots, updates).run(env)
    assert all(same_bits(each, expected) for each in results)


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


@pytest.mark.parametrize("others", [[], [Module((), "define void @f() {\n  ret void\n}")]])
def test_a_part_that_llvm_refuses_is_a_compile_error(others):
    bad = Module((), "define internal void @k0_map() {\n  ret i32 0\n}")
    with pytest.raises(CompileError, match="defect of slopes"):
        translate.object_codes([*others, bad], *translate.host())


def kernel(i: int, size: int) -> Module:
    return Module((), f"{i:3}" + "." * (size - 3), name=f"map_{i * 2654435761 % 2**32:08x}", declared=f"declare void @map_{i}()")


@pytest.mark.parametrize("optimized", [True, False])
def test_another_small_kernel_changes_one_run_only(optimized):
    """Whatever the order of the kernels: runs end where names say so."""
    program = Module((), "define void @program()", passes=Passes.ALL if optimized else Passes.NONE)
    kernels = [kernel(i, 3000) for i in range(100)]
    before = parts.join_small([*kernels, program])
    after = parts.join_small([*reversed(kernels), kernel(1000, 3000), program])
    assert 6 <= len(before) < 50
    assert len(set(after) - set(before)) <= 2


def test_large_kernels_are_alone_and_in_order():
    large = [kernel(i, parts.LARGE_KERNEL) for i in range(5)]
    program = Module((), "define void @program()", passes=Passes.NONE)
    assert parts.join_small([large[0], kernel(7, 50), *large[1:], program]) == [*large, kernel(7, 50), program]
    assert [parts.is_kept(part) for part in (large[0], kernel(7, 50), program)] == [True, False, False]
