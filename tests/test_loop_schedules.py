"""Schedules are values: frozen, printed and read back, and all that the code of a kernel depends on besides the kernel itself."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from native_graphs import plan

from benchmarks import engine_slopes
from benchmarks.workloads import WORKLOADS
from slopes.errors import ArgumentError
from slopes.graph.build import build, variable
from slopes.loops.kernels import ContractKernel, Kernel, ReduceKernel, leaves
from slopes.loops.pipeline import LOOP_PASSES, LoopProgram, run_passes
from slopes.loops.program import write_program
from slopes.loops.schedule import ContractSchedule, NestSchedule, ReduceSchedule, parse_schedule
from slopes.loops.target import TARGETS
from slopes.machine import build as machine_build

NETWORKS = ("mlp-sgd", "lenet-sgd", "lstm", "gpt")


def programs_of(network: str, monkeypatch) -> list[LoopProgram]:
    """The programs that a benchmark network compiles to, as the loop passes leave them."""
    programs: list[LoopProgram] = []
    plan_program = machine_build.plan_program

    def planned(roots, inputs, destinations, target, **options):
        programs.append(run_passes(LoopProgram(roots, inputs, destinations, target)))
        return plan_program(roots, inputs, destinations, target, **options)

    monkeypatch.setattr(machine_build, "plan_program", planned)
    engine_slopes.build(WORKLOADS[network], 2, "compiled").run(1)
    return programs


def kernels_of(program: LoopProgram) -> list[Kernel]:
    return [kernel for phase in program.phases for kernel in leaves(phase)]


@pytest.mark.parametrize("network", NETWORKS)
def test_a_printed_schedule_is_read_back_and_gives_the_same_code(network, monkeypatch, tmp_path):
    monkeypatch.setenv("SLOPES_CACHE", str(tmp_path))
    programs = programs_of(network, monkeypatch)
    assert programs
    for program in programs:
        text, kernels = write_program(program).text, kernels_of(program)
        before = [kernel.schedule for kernel in kernels]
        assert write_program(program).text == text, "writing a program changed it"
        for kernel in kernels:
            kernel.schedule = parse_schedule(str(kernel.schedule))
        assert [kernel.schedule for kernel in kernels] == before
        assert all(one is not other for one, other in zip(before, (kernel.schedule for kernel in kernels)))
        assert write_program(program).text == text


def product() -> LoopProgram:
    x, y = variable((96, 64), np.dtype("float32")), variable((64, 96), np.dtype("float32"))
    root = build("contract", x, y, a_axes=(0, 1), b_axes=(1, 2), out_axes=(0, 2))
    return run_passes(LoopProgram([root], [x, y], [2], TARGETS["avx2"]))


def test_another_schedule_is_other_code():
    program = product()
    kernel, = kernels_of(program)
    assert isinstance(kernel, ContractKernel)
    text = write_program(program).text
    kernel.schedule = replace(kernel.schedule, mr=kernel.schedule.mr - 1)
    assert write_program(program).text != text


def test_a_schedule_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        NestSchedule().blocks = 2


@pytest.mark.parametrize("schedule", [
    NestSchedule(), NestSchedule(4, 1, 16, 1), ReduceSchedule(3, None, 1, 2, 0, 1), ReduceSchedule(1, 0, 8, 0, 64),
    ContractSchedule(12, 6, 2, 16, (0,), (1, 2), (3,), 2, 4, True), ContractSchedule()], ids=str)
def test_print_and_parse_are_inverse(schedule):
    assert parse_schedule(str(schedule)) == schedule
    assert type(parse_schedule(str(schedule))) is type(schedule)


@pytest.mark.parametrize("text", ["", "nest", "nest(", "nest(4)", "rest(blocks=4)", "nest(block=4)", "nest(blocks=f())", "1 + 1"])
def test_what_is_no_schedule_is_refused(text):
    with pytest.raises(ArgumentError, match=r"is no schedule\n.*\n  write kind\(name=value"):
        parse_schedule(text)


def test_every_pass_says_why_it_stands_where_it_does():
    names = [each.__name__ for each in LOOP_PASSES]
    seen: list[str] = []
    x = variable((30, 40), np.dtype("float32"))
    root = build("sum", x, axes=(1,))
    program = run_passes(LoopProgram([root], [x], [1], TARGETS["avx2"]), lambda name, state: seen.append(f"{name}: {state}"))
    assert [text.split(":")[0] for text in seen] == names
    assert "1 groups, 0 kernels" in seen[0] and "reduce(blocks=" in seen[1] and "1 phases" in seen[-1]
    assert all(each.__doc__ and len(each.__doc__.splitlines()) > 1 for each in LOOP_PASSES)
    assert write_program(program).text == plan([root], target=TARGETS["avx2"], passes=False)[0].text


@pytest.mark.parametrize("name", ["avx512", "avx2"])
def test_a_dear_epilogue_is_computed_along_the_lanes(name):
    x, w = (variable((n, 8), np.dtype("float32")) for n in (32, 8))
    y = build("tanh", build("contract", x, w, a_axes=(0, 2), b_axes=(1, 2), out_axes=(0, 1)))
    kernel, = plan([y], target=TARGETS[name])[0].kernels
    assert kernel.vector in kernel.axes, "with sums along the lanes tanh would be computed for one element after the other"


@pytest.mark.parametrize("name", ["avx512", "avx2", "neon"])
def test_rows_taken_at_once_fit_into_the_registers(name):
    target = TARGETS[name]
    for rows, columns in ((6, 16), (16, 8), (12, 32), (30, 24), (64, 4)):
        a, b = variable((rows, 20), np.dtype("float32")), variable((20, columns), np.dtype("float32"))
        kernel, = plan([build("contract", a, b, a_axes=(0, 2), b_axes=(2, 1), out_axes=(0, 1))], target=target)[0].kernels
        row = kernel.row_axis if isinstance(kernel, ReduceKernel) else None
        if row is not None and kernel.vector in kernel.axes:
            vectors = kernel.schedule.lanes // target.lanes
            assert vectors * (row.extent + 1) + 1 <= target.registers
