"""Whole training steps keep their bits: whatever dies is never read again, for any number of threads, with a warm or a cold cache."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable

import numpy as np
import pytest
from native_graphs import compile_nodes, plan, same_bits

import slopes as sl
from slopes import nn, optim
from slopes.autodiff.pullback import pull_back
from slopes.graph.build import build, constant, variable
from slopes.loops.kernels import ReduceKernel, buffers_read, buffers_written
from slopes.loops.order import may_fail
from slopes.machine import native
from slopes.machine.reference import evaluate
from slopes.ops import composite as c
from slopes.passes.storage import ALIGNMENT, Life, assign_offsets
from slopes.trace import Trace, tracing


class Attention(nn.Module):
    """Words looked up, and mixed by how much they have to do with each other."""

    def __init__(self) -> None:
        self.words = nn.Embedding(11, 24)
        self.ask, self.answer, self.value = nn.Linear(24, 24), nn.Linear(24, 24), nn.Linear(24, 24)
        self.out = nn.Linear(24, 5)

    def forward(self, x):
        x = self.words(x)
        scores = sl.einsum("bid,bjd->bij", self.ask(x), self.answer(x)) / 24**0.5
        return self.out(sl.einsum("bij,bjd->bid", sl.softmax(scores, axis=-1), self.value(x)).mean(axis=1))


def images(n=16, size=12):
    rng = np.random.default_rng(5)
    return rng.normal(size=(n, 1, size, size)).astype(np.float32), rng.integers(0, 5, n)


def words():
    rng = np.random.default_rng(6)
    return rng.integers(0, 11, (8, 9)), rng.integers(0, 5, 8)


def convolutions() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 9, 3), nn.ReLU(), nn.Flatten(), nn.Linear(81, 5))


MODELS: dict[str, tuple[Callable, Callable, Callable]] = {
    "mlp": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(144, 64), nn.Tanh(), nn.Linear(64, 5)), images, lambda p: optim.SGD(p, lr=0.1)),
    "convolutions, momentum": (convolutions, images, lambda p: optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3)),
    "convolutions, adam": (convolutions, images, lambda p: optim.Adam(p, lr=0.01)),
    "normalized, dropout, adamw": (lambda: nn.Sequential(
        nn.Conv2d(1, 5, 3, padding=1, stride=2), nn.BatchNorm2d(5), nn.GELU(), nn.AvgPool2d(2), nn.Flatten(), nn.Dropout(0.3),
        nn.Linear(45, 20), nn.BatchNorm1d(20), nn.SiLU(), nn.Linear(20, 5)), images, lambda p: optim.AdamW(p, lr=0.01)),
    "attention": (Attention, words, lambda p: optim.Adam(p, lr=0.02)),
}


def training(name: str):
    """A fresh network, its optimizer, its data and its compiled step."""
    build_net, data, optimizer = MODELS[name]
    sl.seed(7)
    net = build_net()
    opt = optimizer(net.parameters())

    def step(x, y):
        loss = nn.cross_entropy(net(x), y)
        net.zero_grad()
        loss.backward()
        opt.step()
        return loss

    return net, opt, tuple(map(sl.asarray, data())), step


def bits(name: str, steps: int = 3) -> list[bytes]:
    """Losses and weights after some compiled steps."""
    net, opt, (x, y), step = training(name)
    compiled = sl.compile(step)
    losses = [compiled(x, y).numpy().tobytes() for _ in range(steps)]
    kept = (*net.state_dict().values(), *opt.state_dict().values())
    return losses + [np.asarray(value).tobytes() for value in kept if not isinstance(value, dict)]


@pytest.fixture
def cold(tmp_path, monkeypatch):
    """An empty cache, and the parallel code also for small work."""
    monkeypatch.setenv("SLOPES_CACHE", str(tmp_path))
    monkeypatch.setattr("slopes.loops.program.THREAD_WORK", 0)
    native._programs.clear()
    yield
    native._programs.clear()


@pytest.mark.parametrize("name", MODELS)
def test_a_training_run_has_the_same_bits_for_any_threads_and_cache(name, cold, monkeypatch):
    monkeypatch.setenv("SLOPES_THREADS", "1")
    first = bits(name)
    for threads in ("2", "3", "1"):
        monkeypatch.setenv("SLOPES_THREADS", threads)
        native._programs.clear()  # the next one comes from the disk
        assert bits(name) == first


def traced(name: str):
    """The graph of a step and the arrays of its leaves: (roots, updates, env)."""
    _, _, given, step = training(name)
    with tracing(Trace()) as trace:
        arguments = [trace.argument(each.shape, each.dtype) for each in given]
        roots = [step(*arguments)._node_in(trace), *trace.writes.values()]
    updates = [None, *(trace.reads[each] for each in trace.writes)]
    env = {each: state.numpy() for state, each in trace.reads.items()}
    return roots, updates, {**env, **{argument._node: each.numpy() for argument, each in zip(arguments, given)}}


@pytest.mark.parametrize("name", MODELS)
def test_what_is_overwritten_at_its_death_is_never_read_again(name):
    roots, updates, env = traced(name)
    plain = compile_nodes(roots, updates).run(env)
    poisoned = compile_nodes(roots, updates, poison=True)
    for threads in (1, 2, 3):
        assert same_bits(poisoned.run(env, threads), plain)
    assert "0x7FF8000000000000" in poisoned.text
    # In these, some gradients are zero but for rounding, and Adam's steps are not.
    exact = name not in ("normalized, dropout, adamw", "attention")
    for ours, numpys in zip(plain, evaluate(roots if exact else roots[:1], env)):
        np.testing.assert_allclose(ours, numpys, rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("name", ["mlp", "convolutions, adam"])
def test_a_timed_program_computes_the_same_and_counts_every_kernel(name):
    roots, updates, env = traced(name)
    timed = compile_nodes(roots, updates, timed=True)
    assert same_bits(timed.run(env, 2), compile_nodes(roots, updates).run(env))
    assert len(timed.program.clocks) == len(timed.plan.kernels)
    assert (timed.program.clocks > 0).all()


def test_several_steps_in_one_run_are_several_runs():
    w, x = variable((6, 6), np.dtype("float32")), variable((6, 6), np.dtype("float32"))
    rng = np.random.default_rng(0)
    env = {node: rng.normal(size=(6, 6)).astype(np.float32) for node in (w, x)}
    new = c.softmax(c.matmul(w, x) + w, 1)
    program = compile_nodes([new], [w], poison=True)
    once = dict(env)
    for _ in range(4):
        once[w] = program.run(once)[0]
    assert same_bits(program.run(env, threads=2, steps=4), [once[w]])


# State


def node(*shape, dtype="float32"):
    return variable(shape, np.dtype(dtype))


def arrays(*nodes):
    rng = np.random.default_rng(1)
    return {each: (rng.normal(size=each.shape) * 3).astype(each.dtype) for each in nodes}


def test_updates_that_read_each_other_see_the_old_values():
    a, b, s = node(40, 30), node(30, 50), node(40, 50)
    env = arrays(a, b, s)
    roots = [a * 2.0 + c.matmul(s, build("permute", b, axes=(1, 0))), b - build("sum", c.matmul(a, b), axes=(0,)), c.matmul(a, b) + s, a]
    updates = [a, b, s, None]
    for poison in (False, True):
        found = compile_nodes(roots, updates, poison=poison).run(env, threads=2)
        for ours, expected in zip(found, evaluate(roots, env)):
            np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("axis", [0, 1], ids=["a lane for each element", "sums along the lanes"])
@pytest.mark.parametrize("update_first", [True, False], ids=["stored first", "stored last"])
def test_a_sibling_reduction_reads_the_old_state(axis, update_first):
    """Two sums over one matrix share a kernel: one makes the new state, the other reads the old one, element by element."""
    x, state = node(96, 96), node(96)
    env = arrays(x, state)
    new = state + build("sum", x, axes=(axis,))
    used = build("sum", build("exp", new * 0.01), axes=(0,))  # a later kernel needs the new state: its update cannot be moved away
    beside = state * build("sum", x * x, axes=(axis,))
    roots, updates = ([new, used, beside], [state, None, None]) if update_first else ([beside, new, used], [None, state, None])
    compiled = compile_nodes(roots, updates)
    joined = [kernel for kernel in compiled.plan.kernels if isinstance(kernel, ReduceKernel) and len(kernel.reductions) == 2]
    assert len(joined) == 1, "the two sums are no siblings any more"
    for poison in (False, True):
        results = compile_nodes(roots, updates, poison=poison).run(env)
        for ours, expected in zip(results, evaluate(roots, env)):
            np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-3)


def test_leaves_may_be_results_and_updates_in_any_mixture():
    a, b, k = node(7), node(7), node(7)
    env = arrays(a, b, k)
    number = constant(np.arange(7, dtype=np.float32))
    roots, updates = [b, a, a, number, a + b], [a, b, None, None, k]
    found = compile_nodes(roots, updates, poison=True).run(env)
    for ours, expected in zip(found, (env[b], env[a], env[a], np.arange(7, dtype=np.float32), env[a] + env[b])):
        np.testing.assert_array_equal(ours, expected)


def test_an_elementwise_update_is_made_in_place_without_a_copy():
    w, g, m = node(1000), node(1000), node(1000)
    roots = [m * 0.9 + g, w - (m * 0.9 + g) * 0.1]
    made = plan(roots, [m, w])[0]
    assert len(made.kernels) == 1 and made.arena == 0


def test_no_error_may_come_after_state_was_written():
    """A kernel that checks and every kernel that writes state are apart: first all checks, then all writing."""
    counter, table, indices = node(40), node(40, dtype="int64"), node(9, dtype="int64")
    roots = [counter + 1.0, build("floor_divide", table, build("max", indices, axes=(0,))), build("take", counter, indices, axis=0)]
    program = compile_nodes(roots, [counter, table, None])
    phases = program.plan.phases
    writing = {program.inputs.index(counter), program.inputs.index(table)}
    written = [number for number, phase in enumerate(phases) for kernel in phase for each in buffers_written(kernel)
               if each.kind == "argument" and each.number in writing]
    checking = [number for number, phase in enumerate(phases) for kernel in phase if may_fail(kernel, set())]
    assert checking
    assert max(checking) < min(written)


def test_phases_never_mix_a_value_with_its_readers():
    x = node(64, 64)
    y = c.softmax(c.matmul(x, x), 1)
    made = plan([build("sum", y, axes=(0,)), c.matmul(y, x), build("cumulative_sum", y, axis=1)])[0]
    for phase in made.phases:
        written = [each for kernel in phase for each in buffers_written(kernel)]
        assert len(written) == len(set(written))
        assert not set(written) & {each for kernel in phase for each in buffers_read(kernel)}


# The memory plan


def test_places_of_values_that_live_at_once_never_overlap():
    rng = np.random.default_rng(0)
    for _ in range(30):
        lives = {}
        for name in range(60):
            first = int(rng.integers(0, 30))
            lives[name] = Life(int(rng.integers(1, 5000)), first, first + int(rng.integers(0, 8)))
        offsets, top = assign_offsets(lives)
        for one, life in lives.items():
            assert offsets[one] % ALIGNMENT == 0 and offsets[one] + life.nbytes <= top
            for other, its in lives.items():
                if one < other and life.first <= its.last and its.first <= life.last:
                    assert offsets[one] + life.nbytes <= offsets[other] or offsets[other] + its.nbytes <= offsets[one]


def test_memory_of_the_dead_is_used_again():
    x = node(64, 256)
    y = x
    for _ in range(20):
        y = c.softmax(y * 2.0, 1)
    made = plan([y])[0]
    assert made.arena <= 4 * 64 * 256 * 4


# Size


def chain(length: int):
    x = node(16)
    y, other = x, constant(np.float32(0.5))
    for i in range(length):
        y = build("maximum", y, x) * other if i % 3 else build("sin", y) + x
    return x, y


def test_a_chain_of_20000_nodes_compiles_in_bounded_time_and_does_not_recurse():
    x, y = chain(7000)
    env = arrays(x)
    program = compile_nodes([y])
    np.testing.assert_allclose(program.run(env)[0], evaluate([y], env)[0], rtol=1e-4, atol=1e-4)


def test_a_deep_chain_leaves_room_on_the_stack_of_python():
    """Expressions of one kernel are written by functions that call themselves: not deeply, for the caller's own stack counts too."""
    _, y = chain(400)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 420)
    try:
        plan([y])
    finally:
        sys.setrecursionlimit(limit)


def test_a_loop_of_which_quotients_are_taken_is_split_where_they_change():
    """Heads side by side, moved behind one another: neighbours within a head stay neighbours, and nothing is gathered."""
    x = variable((4, 3, 10, 32), np.dtype("float32"))
    heads = build("reshape", build("permute", x, axes=(0, 2, 1, 3)), shape=(4, 10, 96))
    roots = [build("pad", heads, widths=((0, 0), (0, 0), (96, 0)), value=0) + variable((4, 10, 192), np.dtype("float32"))]
    program = compile_nodes(roots, poison=True)
    assert "masked.gather" not in program.text
    rng = np.random.default_rng(0)
    env = {node: rng.normal(size=node.shape).astype(np.float32) for node in (x, roots[0].args[1])}
    np.testing.assert_array_equal(program.run(env)[0], evaluate(roots, env)[0])


@pytest.mark.parametrize("length", [54, 55, 56])
def test_the_gradient_of_overlapping_pooling_reads_vectors(length):
    """Phases of a stride are interleaved by shuffles, also where the last phase is short; nothing is gathered."""
    x = variable((2, 3, length, length), np.dtype("float32"))
    y = c.max_pool(x, 3, 2)
    g, factor = variable(y.shape, y.dtype), variable(x.shape, x.dtype)
    roots = [each * factor for each in pull_back([y], [g], [x])]
    program = compile_nodes(roots, poison=True)
    assert "masked.gather" not in program.text
    rng = np.random.default_rng(length)
    env = {node: rng.normal(size=node.shape).astype(np.float32) for node in (x, g, factor)}
    np.testing.assert_allclose(program.run(env)[0], evaluate(roots, env)[0], rtol=1e-5, atol=1e-6)
