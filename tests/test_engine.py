"""From LLVM code to something callable: other processors, forks, and no call into another library."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import llvmlite.binding as llvm
import numpy as np
import pytest
from native_graphs import Processor, compile_nodes, host, plan
from training import training_step

import slopes as sl
from slopes import native_backend, nn, optim, settings
from slopes.errors import ArgumentError, CompileError
from slopes.graph.build import variable
from slopes.loops.target import TARGETS
from slopes.machine import translate
from slopes.machine.reference import evaluate
from slopes.ops import composite as c

# Children of a process


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_computes_with_threads_of_its_own(monkeypatch):
    monkeypatch.setenv("SLOPES_THREADS", "3")
    compiled = sl.compile(lambda x: sl.exp(x).sum(axis=0))
    x = sl.tensor(np.linspace(-1, 1, 400_000, dtype=np.float32).reshape(400, 1000))
    expected = compiled(x).numpy().tobytes()
    child = os.fork()
    if child == 0:
        try:
            same = compiled(x).numpy().tobytes() == expected
            os._exit(0 if same else 1)
        except BaseException:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert compiled(x).numpy().tobytes() == expected


# Other processors

LINUX = "x86_64-unknown-linux-gnu"
PROCESSORS = {
    "AVX-512": Processor(TARGETS["avx512"], LINUX, "skylake-avx512"),
    "AVX2": Processor(TARGETS["avx2"], LINUX, "haswell"),
    "SSE": Processor(TARGETS["sse"], LINUX, "x86-64-v2"),
    "NEON": Processor(TARGETS["neon"], "aarch64-unknown-linux-gnu", "cortex-a72"),
    "Apple": Processor(TARGETS["neon"], "arm64-apple-macosx", "apple-m1"),
    "Windows": Processor(TARGETS["avx2"], "x86_64-pc-windows-msvc", "haswell"),
}
OWN = re.compile(r"_?([a-z]+(_[a-z]+)?_[0-9a-f]{20}|barrier|phases\d+|program)$")
CALL = re.compile(r"^\s+(?:callq?|jmp|bl?|b)\s+([A-Za-z_][\w.$]*)(@PLT)?\s*$", re.M)


@pytest.fixture(scope="module")
def lenet_step():
    """The graph of a training step with convolutions, normalization, dropout and Adam: (roots, updates)."""
    captured = []
    monkeypatch = pytest.MonkeyPatch()
    original = native_backend.compile_graph
    monkeypatch.setattr(native_backend, "compile_graph",
                        lambda roots, updates, **rest: captured.append((roots, updates)) or original(roots, updates, **rest))
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.BatchNorm2d(4), nn.Flatten(), nn.Dropout(0.3),
                        nn.Linear(100, 16), nn.GELU(), nn.Linear(16, 10))
    optimizer = optim.Adam(net.parameters(), lr=0.01)
    sl.compile(training_step(net, optimizer))(sl.ones((8, 1, 12, 12)), sl.zeros((8,), dtype="int64"))
    monkeypatch.undo()
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    return captured[0]


@pytest.mark.parametrize("name", PROCESSORS)
def test_a_training_step_is_built_for_every_processor_and_calls_nothing_outside(lenet_step, name):
    processor = PROCESSORS[name]
    made = plan(*lenet_step, target=processor.target)[0]
    assembly = translate.object_code(made.text, processor.triple, processor.name, processor.features, assembly=True)
    outside = {symbol for symbol, _ in CALL.findall(assembly) if not OWN.match(symbol) and not symbol.startswith((".L", "L"))}
    assert outside == set()
    code = translate.object_code(made.text, processor.triple, processor.name, processor.features)
    assert len(code) > 1000


def runs_here(name: str) -> bool:
    triple, _, features = translate.host()
    needed = {"AVX2": "+avx2", "SSE": "+sse4.2"}[name]
    return triple.startswith("x86_64") and sys.platform == "linux" and needed in features.split(",")


@pytest.mark.parametrize("name", ["AVX2", "SSE"])
def test_code_for_lesser_processors_computes_the_same(name):
    if not runs_here(name):
        pytest.skip(f"this processor has no {name}")
    rng = np.random.default_rng(0)
    x, w = variable((4, 3, 13, 11), np.dtype("float32")), variable((10, 3, 3, 3), np.dtype("float32"))
    b = variable((30,), np.dtype("float64"))
    env = {node: rng.normal(size=node.shape).astype(node.dtype) for node in (x, w, b)}
    y = c.convolution(x, w, 1, 1)
    functions = [c.gelu(b), c.sigmoid(b), c.softmax(b, 0), c.logsumexp(b, 0), c.max_pool(y, 2)]
    roots = [y, c.relu(y), c.softmax(c.mean(y, (2, 3)), 1), *functions, c.sort(b, 0)]
    found = compile_nodes(roots, processor=PROCESSORS[name], poison=True).run(env, threads=2)
    for ours, expected in zip(found, evaluate(roots, env)):
        np.testing.assert_allclose(ours, expected, rtol=2e-5, atol=2e-5)
    assert host().target in TARGETS.values()


def test_the_target_follows_from_the_features():
    def chosen(triple, features):
        return next(name for name, target in TARGETS.items() if target is translate.target_for(triple, features))

    assert chosen("x86_64-unknown-linux-gnu", "+avx512f,+avx512dq,+avx512vl,+avx512bw,+avx2,+fma") == "avx512"
    assert chosen("x86_64-unknown-linux-gnu", "+avx512f,-avx512dq,+avx2,+fma") == "avx2"
    assert chosen("x86_64-unknown-linux-gnu", "+avx2,-fma") == "sse"
    assert chosen("arm64-apple-darwin23", "+neon") == "neon"
    assert chosen("riscv64-unknown-linux-gnu", "") == "plain"


FULL = "+avx512f,+avx512dq,+avx512vl,+avx512bw,+avx2,+fma,+bmi2"
LACKING = [  # what a machine has, SLOPES_CPU, and the instruction set and processor that follow
    (FULL, "v4", "avx512", "itself"), (FULL, "v3", "avx2", "x86-64-v3"), (FULL, "sse", "sse", "x86-64-v2"),
    (FULL, "haswell", "avx2", "haswell"), (FULL, "znver4", "avx512", "znver4"), (FULL, "nehalem", "sse", "nehalem"),
    ("-avx512f,+avx2,+fma,+bmi2", "avx2", "avx2", "itself"),
    ("-avx512f,+avx2,-fma", "sse", "sse", "itself"),  # without FMA
    ("+avx512f,+avx512dq,-avx512vl,+avx512bw,+avx2,+fma,-bmi2", "znver3", "avx2", "znver3"),  # hidden by a container
]


@pytest.mark.parametrize("own, name, chosen, processor", LACKING)
def test_what_is_named_is_compiled_for_without_what_the_machine_lacks(monkeypatch, own, name, chosen, processor):
    monkeypatch.setattr(translate, "own_cpu", lambda features: ("itself", features))
    monkeypatch.setenv("SLOPES_CPU", name)
    triple = "x86_64-unknown-linux-gnu"
    cpu, features = translate.lesser_cpu(translate.instruction_set(triple, own), own, *settings.named_cpu())
    assert (cpu, translate.instruction_set(triple, features)) == (processor, chosen)
    last = {feature[1:]: feature[0] for feature in features.split(",")}
    assert all(last[feature[1:]] == "-" for feature in own.split(",") if feature[0] == "-")


@pytest.mark.parametrize("own, name, needed, best", [
    ("-avx512f,+avx2,+fma", "avx512", "avx512", "avx2"), ("-avx512f,+avx2,+fma", "znver5", "avx512", "avx2"),
    ("-avx512f,+avx2,-fma", "v3", "avx2", "sse"), ("", "haswell", "avx2", "sse")])
def test_what_the_machine_cannot_run_is_refused_before_it_is_compiled(monkeypatch, own, name, needed, best):
    monkeypatch.setenv("SLOPES_CPU", name)
    with pytest.raises(ArgumentError) as caught:
        translate.lesser_cpu(translate.instruction_set("x86_64-unknown-linux-gnu", own), own, *settings.named_cpu())
    shown = name if name in settings.PROCESSORS else needed
    assert str(caught.value) == (f"SLOPES_CPU is {shown}, which this processor cannot run\n  it needs {needed}, and the best instruction "
                                 f"set here is {best}\n  unset SLOPES_CPU, or set it to {best}")


def test_the_names_are_those_of_x86(monkeypatch):
    monkeypatch.setenv("SLOPES_CPU", "avx2")
    with pytest.raises(ArgumentError, match=r"the best instruction set here is neon\n  unset SLOPES_CPU$"):
        translate.lesser_cpu(translate.instruction_set("aarch64-unknown-linux-gnu", "+neon"), "+neon", *settings.named_cpu())


@pytest.mark.parametrize("name", [*settings.INSTRUCTION_SETS, "haswell", "znver4"])
def test_a_process_computes_with_what_is_named_or_refuses(tmp_path, name):
    """A cache that was filled for one instruction set is not used for another."""
    best = translate.instruction_set(*translate.host()[::2])
    if best not in settings.INSTRUCTION_SETS:
        pytest.skip("not an x86 processor")
    code = """
import numpy as np, slopes as sl
x = sl.asarray(np.random.default_rng(0).normal(size=(33, 70)).astype(np.float32))
f = sl.compile(lambda x: sl.tanh(x @ x.T).sum())
print(abs(float(f(x)) - float(sl.tanh(x @ x.T).sum())) < 1e-2)"""
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False,
                           env=dict(os.environ, SLOPES_CPU=cpu, SLOPES_CACHE=str(tmp_path))) for cpu in (name, "host", name)]
    needed = settings.PROCESSORS.get(name, name)
    if settings.INSTRUCTION_SETS.index(needed) < settings.INSTRUCTION_SETS.index(best):
        assert runs[0].returncode == 1 and f"SLOPES_CPU is {name}, which this processor cannot run" in runs[0].stderr
        return
    assert [run.stdout.split() for run in runs] == [["True"]] * 3, runs[0].stderr
    entries = list((tmp_path / "programs").glob("*.bin"))
    assert len(entries) == (1 if name == best else 2)


@pytest.mark.parametrize("text, name", [
    ("x86-64-v4", ("avx512", None)), ("X86-64-v3", ("avx2", None)), ("x86-64-v2", ("sse", None)), ("avx2", ("avx2", None)),
    ("v3", ("avx2", None)), ("znver3", ("avx2", "znver3")), ("host", None), ("", None)])
def test_levels_and_instruction_sets_are_one(monkeypatch, text, name):
    monkeypatch.setenv("SLOPES_CPU", text)
    assert settings.named_cpu() == name


def test_code_that_llvm_refuses_says_whose_fault_it_is():
    with pytest.raises(CompileError, match="defect of slopes"):
        translate.object_code("define void @program() { ret i32 0 }", *translate.host())


def test_programs_without_arguments_or_work_run():
    assert compile_nodes([]).run({}) == []
    labels = variable((0,), np.dtype("int64"))
    found, = compile_nodes([c.one_hot(labels, 3)]).run({labels: np.zeros(0, np.int64)})
    assert found.shape == (0, 3)
