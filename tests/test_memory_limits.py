"""Memory: the limits of containers are read, and what is beyond memory is refused in words, with the function's name and the size."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import slopes as sl
from slopes import arrays, nn
from slopes.errors import ShapeError, TooLargeError
from slopes.machine import arena, buffer, engine
from slopes.machine.arena import NOTHING

GIB = 2**30


def groups(root: Path, membership: str, files: dict[str, object]) -> int | None:
    """What the control groups of a process leave it, when its groups and their files are these."""
    (root / "self").write_text(membership)
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{content}\n")
    return buffer.container_memory(str(root), str(root / "self"))


def test_version_2_with_limits_on_several_levels(tmp_path):
    files = {"a/b/memory.max": 8 * GIB, "a/b/memory.high": "max", "a/b/memory.current": GIB, "a/memory.max": 4 * GIB,
             "a/memory.current": 2 * GIB, "a/memory.stat": f"anon 5\nfile 7\ninactive_file {GIB}"}
    assert groups(tmp_path, "0::/a/b\n", files) == 3 * GIB
    assert groups(tmp_path, "0::/a/b\n", {"a/b/memory.high": 3 * GIB}) == 2 * GIB
    assert groups(tmp_path, "0::/a/b\n", {"a/b/memory.current": 9 * GIB}) == 0


def test_a_container_sees_its_own_group_as_the_root(tmp_path):
    assert groups(tmp_path, "0::/\n", {"memory.max": 2 * GIB, "memory.current": GIB}) == GIB
    assert groups(tmp_path, "0::/../../elsewhere\n", {}) == GIB


def test_version_1_beside_version_2(tmp_path):
    files = {"memory/docker/x/memory.limit_in_bytes": 2 * GIB, "memory/docker/x/memory.usage_in_bytes": GIB,
             "memory/docker/x/memory.stat": f"cache 1\ninactive_file 5\ntotal_inactive_file {GIB // 2}",
             "memory/memory.limit_in_bytes": 9223372036854771712, "memory/memory.usage_in_bytes": 5 * GIB}
    membership = "4:cpu,memory:/docker/x\n3:cpu:/other\n0::/\n"
    assert groups(tmp_path, membership, files) == GIB * 3 // 2


@pytest.mark.parametrize("membership", ["", "nonsense\n", "0::/nowhere\n", "4:memory:/\n"])
def test_no_limit_is_none(tmp_path, membership):
    assert groups(tmp_path, membership, {"memory.max": "max", "memory/memory.limit_in_bytes": 9223372036854771712}) is None
    assert buffer.container_memory(str(tmp_path), str(tmp_path / "missing")) is None


def test_the_lesser_of_machine_and_container_counts(monkeypatch):
    for machine, container, found in ((3, 2, 2), (2, 3, 2), (None, 2, 2), (3, None, 3), (None, None, None)):
        monkeypatch.setattr(buffer, "machine_memory", lambda machine=machine: machine)
        monkeypatch.setattr(buffer, "container_memory", lambda container=container: container)
        assert buffer.available_memory() == found


LONG = 2**20
REFUSED = {
    "zeros": lambda x: sl.zeros((LONG, LONG)),
    "arange": lambda x: sl.arange(LONG * LONG),
    "an outer product": lambda x: x.reshape(-1, 1) * x.reshape(1, -1),
    "matmul": lambda x: x.reshape(-1, 1) @ x.reshape(1, -1),
    "an intermediate value": lambda x: sl.softmax(x.reshape(-1, 1) + x.reshape(1, -1), 0).sum(),
    "pad": lambda x: sl.pad(x, [(0, LONG * LONG)]),
    "one_hot": lambda x: sl.one_hot(sl.arange(LONG), LONG),
    "recorded": lambda x: sl.exp(sl.tensor(1.0, requires_grad=True).broadcast_to((LONG, LONG))),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_beyond_memory_is_refused_before_it_is_tried(monkeypatch, name):
    monkeypatch.setattr(arrays, "available_memory", lambda: GIB)
    with pytest.raises(TooLargeError) as caught:
        REFUSED[name](sl.ones(LONG))
    assert " needs " in caught.value.what and "but 1.0 GiB are free" in caught.value.what and "smaller" in caught.value.repair
    assert caught.value.where.startswith("at test_memory_limits.py")


def test_what_is_beyond_all_addresses_is_no_shape():
    with pytest.raises(ShapeError, match="more elements than memory has addresses"):
        sl.zeros((2**40, 2**40))


def test_views_are_not_refused(monkeypatch):
    monkeypatch.setattr(arrays, "available_memory", lambda: GIB)
    assert sl.ones(1).broadcast_to((LONG, LONG)).T[1:].shape == (LONG - 1, LONG)


@pytest.mark.parametrize("error", [MemoryError(), ValueError("Maximum allowed dimension exceeded")])
def test_an_arena_that_is_refused_leaves_the_program_as_good_as_new(monkeypatch, error):
    compiled = sl.compile(lambda x: (sl.sort(x @ x, axis=0) @ x).sum())
    x = sl.tensor(np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8))
    expected = compiled(x).numpy().tobytes()
    program, = compiled.programs
    program.arena.block, program.call[engine.ARENA], program.prepared = NOTHING, 0, None

    def refuse(count):
        raise error

    monkeypatch.setattr(arena, "aligned_bytes", refuse)
    with pytest.raises(TooLargeError, match=r"a program needs .* GiB for its intermediate values, but the system refuses") as caught:
        compiled(x)
    assert "smaller batch" in caught.value.repair
    monkeypatch.undo()
    assert compiled(x).numpy().tobytes() == expected


LIMITED = """
import resource, numpy as np, slopes as sl
from slopes import nn, optim
x, wide = sl.ones(20000), np.broadcast_to(np.ones(1, np.float32), (20000, 20000))
bound = int(open("/proc/self/statm").read().split()[0]) * 4096 + 150 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
for work in (lambda: sl.zeros((20000, 20000)), lambda: x.reshape(-1, 1) * x, lambda: sl.tensor(wide), lambda: nn.Linear(9000, 9000),
             lambda: sl.tensor(wide[:1]).broadcast_to((20000, 20000)).astype("float64"), lambda: sl.arange(2**28)):
    try:
        work()
    except sl.SlopesError as error:
        print(type(error).__name__, "which the system refuses" in error.what, "Unable" in str(error))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of address space are Linux's")
def test_what_the_system_refuses_is_said_in_words_too():
    done = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, text=True, timeout=120,
                          env={"SLOPES_THREADS": "1", "PYTHONPATH": str(Path(sl.__file__).parent.parent)})
    assert done.stdout.splitlines() == ["TooLargeError True False"] * 6, done.stderr


def test_a_layer_that_memory_does_not_hold_is_refused(monkeypatch):
    monkeypatch.setattr(arrays, "available_memory", lambda: GIB)
    with pytest.raises(TooLargeError, match=r"shape \(100000, 100000\)"):
        nn.Linear(100_000, 100_000)
