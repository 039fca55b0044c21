"""The assembly of products: a loop over k keeps its tile in registers, for AVX2 and AVX-512, whatever the shape and the epilogue."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from native_graphs import plan

from slopes.graph.build import build, variable
from slopes.graph.node import Node
from slopes.loops.target import TARGETS
from slopes.machine import translate
from slopes.ops import composite as c

pytestmark = pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="reads the assembly of x86")

PROCESSORS = {"avx2": translate.LEVELS["avx2"], "avx512": ("x86-64-v4", "")}
LABEL, JUMP = re.compile(r"^(\.LBB\w+):"), re.compile(r"^\s+j\w+\s+(\.LBB\w+)")
MULTIPLY_ADD = re.compile(r"^\s+vfn?madd231p[sd]")
STACK_STORE = re.compile(r"^\s+vmov\w+\s+%[xyz]mm\d+,\s*-?\d*\(%rsp")
RESULT_STORE = re.compile(r"^\s+vmov\w+\s+%[xyz]mm\d+,\s*[^%]*\((?!%rsp)")


def innermost_loops(assembly: str) -> Iterator[list[str]]:
    """The lines of each loop that has no other one inside: from a label to a jump back to it."""
    lines, start_of = assembly.splitlines(), dict[str, int]()
    spans = []
    for i, line in enumerate(lines):
        if label := LABEL.match(line):
            start_of[label[1]] = i
        elif (jump := JUMP.match(line)) and jump[1] in start_of:
            spans.append((start_of[jump[1]], i))
    for start, stop in spans:
        if not any((start, stop) != span and start <= span[0] and span[1] <= stop for span in spans):
            yield lines[start:stop + 1]


def loops_over_k(assembly: str) -> list[list[str]]:
    """The innermost loops that accumulate products; those of epilogues, which evaluate polynomials, also store results."""
    return [loop for loop in innermost_loops(assembly)
            if sum(bool(MULTIPLY_ADD.match(line)) for line in loop) > 1 and not any(map(RESULT_STORE.match, loop))]


def spills(loop: list[str]) -> list[str]:
    """The instructions that store a vector on the stack."""
    return [line for line in loop if STACK_STORE.match(line)]


def assembly_of(root: Node, name: str) -> str:
    """The code of a graph for an instruction set, which this processor need not have."""
    triple = translate.host()[0]
    return "\n".join(str(translate.object_code(module.text, triple, *PROCESSORS[name], assembly=True, passes=module.passes))
                     for module in plan([root], target=TARGETS[name])[0].modules)


def product(a: tuple[int, ...], b: tuple[int, ...], a_axes: str, b_axes: str, out: str, dtype: str = "float32") -> Node:
    """A contraction whose axes have these labels."""
    labels = {name: i for i, name in enumerate(dict.fromkeys(a_axes + b_axes + out))}
    numbered = [tuple(labels[name] for name in axes) for axes in (a_axes, b_axes, out)]
    return build("contract", variable(a, np.dtype(dtype)), variable(b, np.dtype(dtype)),
                 a_axes=numbered[0], b_axes=numbered[1], out_axes=numbered[2])


def adam(gradient: Node) -> Node:
    """A step of Adam with its moments, as the epilogue of a gradient has it."""
    w, m, v = (variable(gradient.shape, gradient.dtype) for _ in range(3))
    m, v = m * 0.9 + gradient * 0.1, v * 0.999 + gradient * gradient * 0.001
    return w - m * 0.01 / (build("sqrt", v) + 1e-8)


EPILOGUES: dict[str, Callable[[Node], Node]] = {
    "none": lambda y: y,
    "bias and relu": lambda y: c.relu(y + variable(y.shape[-1:], y.dtype)),
    "gelu": c.gelu,
    "tanh": lambda y: build("tanh", y),
    "adam": adam,
}
SHAPES = [(64, 64, 64), (13, 300, 70), (128, 784, 64), (100, 33, 9), (7, 200, 500), (6, 128, 16), (256, 32, 24), (37, 129, 1000)]


@pytest.mark.parametrize("epilogue", EPILOGUES)
@pytest.mark.parametrize("name", PROCESSORS)
def test_no_loop_over_k_spills(name, epilogue):
    for m, k, n in SHAPES:
        for y in (product((m, k), (k, n), "mk", "kn", "mn"), product((k, m), (n, k), "km", "nk", "mn")):
            loops = loops_over_k(assembly_of(EPILOGUES[epilogue](y), name))
            assert loops, f"no loop over k in the code of {m} x {k} x {n}"
            assert [spills(loop) for loop in loops] == [[]] * len(loops), f"{m} x {k} x {n}"


@pytest.mark.parametrize("name", PROCESSORS)
def test_float64_and_batches_do_not_spill_either(name):
    for y in (product((50, 60), (60, 70), "mk", "kn", "mn", "float64"), product((5, 40, 96), (5, 96, 33), "bmk", "bkn", "bmn")):
        loops = loops_over_k(assembly_of(y, name))
        assert loops and not any(map(spills, loops))


def test_a_spill_is_noticed():
    loop = "\n".join([".LBB0_1:", "\tvfmadd231ps\t(%rax), %ymm1, %ymm2", "\tvfmadd231ps\t(%rcx), %ymm1, %ymm3",
                      "\tvmovups\t%ymm2, -64(%rsp)", "\tjb\t.LBB0_1"])
    only, = loops_over_k(f".LBB0_0:\n{loop}\n\tjne\t.LBB0_0")
    assert spills(only) == ["\tvmovups\t%ymm2, -64(%rsp)"]
