"""Kernels that programs share: equal layers are one function, other programs find it on the disk, a changed layer compiles little."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest
from training import training_step

import slopes as sl
from slopes import errors, nn, optim
from slopes.loops.module import Module, Passes
from slopes.machine import build, cache, native, translate
from slopes.zoo.gpt import GPT


@pytest.fixture
def compiled(tmp_path, monkeypatch):
    """An empty cache; the programs that are planned, and the modules that are translated, in order."""
    tmp_path.chmod(0o700)
    monkeypatch.setenv("SLOPES_CACHE", str(tmp_path))
    monkeypatch.setattr(errors, "said", set())
    native._programs.clear()
    plan_program, object_codes = build.plan_program, translate.object_codes
    planned, translated = [], []

    def plans(*args, **options):
        planned.append(plan_program(*args, **options))
        return planned[-1]

    def codes(modules, *args, **options):
        translated.append([module for module in modules if module.name])
        return object_codes(modules, *args, **options)

    monkeypatch.setattr(build, "plan_program", plans)
    monkeypatch.setattr(translate, "object_codes", codes)
    yield planned, translated
    native._programs.clear()


def train(net, inputs, targets) -> np.ndarray:
    """One step of training by a function compiled anew; gives the loss and the new weights as one array."""
    optimizer = optim.AdamW(net.parameters(), lr=1e-3)
    step = sl.compile(training_step(net, optimizer))
    loss = step(sl.tensor(inputs), sl.tensor(targets)).numpy()
    return np.concatenate([loss.reshape(-1), *(array.reshape(-1) for array in net.state_dict().values())])


def gpt(depth: int) -> np.ndarray:
    sl.seed(0)
    tokens = np.arange(32).reshape(2, 16) % 65
    return train(nn.Sequential(GPT(65, 16, 32, depth, 4), nn.Flatten(0, 1)), tokens, tokens.reshape(-1))


def mlp(classes: int) -> np.ndarray:
    sl.seed(0)
    images = np.random.default_rng(0).normal(size=(64, 300)).astype(np.float32)
    net = nn.Sequential(nn.Linear(300, 128), nn.ReLU(), nn.Linear(128, 256), nn.ReLU(), nn.Linear(256, 96), nn.ReLU(),
                        nn.Linear(96, classes))
    return train(net, images, np.arange(64) % classes)


def test_equal_layers_are_one_function(compiled):
    planned, _ = compiled
    for depth in (2, 8):
        gpt(depth)
    few, many = planned
    assert len(many.kernels) > 3 * len(few.kernels)
    assert len(many.modules) < 1.25 * len(few.modules)


def test_another_program_finds_the_kernels_and_computes_the_same(compiled, tmp_path):
    planned, translated = compiled
    first = mlp(10)
    kept = sorted((tmp_path / "programs").glob("*.kernel"))
    assert translated[0] and len(kept) > 4
    for entry in (tmp_path / "programs").glob("*.bin"):
        entry.unlink()
    native._programs.clear()
    again = mlp(10)
    assert len(planned) == 2 and translated[1] == [part for part in translated[0] if len(part.functions) < 6000]
    assert first.tobytes() == again.tobytes()
    assert sorted((tmp_path / "programs").glob("*.kernel")) == kept


def test_another_last_layer_compiles_little(compiled):
    _, translated = compiled
    mlp(10)
    changed = mlp(7)
    before, after = (sum(len(module.functions) for module in modules) for modules in translated)
    assert 0 < after < before / 2
    os.environ["SLOPES_CACHE"] += "-other"
    native._programs.clear()
    assert changed.tobytes() == mlp(7).tobytes()


def test_a_damaged_kernel_is_translated_again_and_replaced(compiled, tmp_path, capsys):
    _, translated = compiled
    first = mlp(10)
    folder = tmp_path / "programs"
    victim, *_ = sorted(folder.glob("*.kernel"))
    victim.write_bytes(victim.read_bytes()[:-9])
    for entry in folder.glob("*.bin"):
        entry.unlink()
    native._programs.clear()
    assert first.tobytes() == mlp(10).tobytes()
    assert len([part for part in translated[1] if len(part.functions) >= 6000]) == 1
    assert capsys.readouterr().err == (f"slopes: an entry of {folder} is damaged, or was not written with its key: "
                                       "the program is compiled anew and the entry replaced\n")
    native._programs.clear()
    assert cache.load_entries([victim.stem], cache.KERNEL)[victim.stem]


def test_kernels_of_another_processor_are_not_used(compiled, monkeypatch):
    _, translated = compiled
    mlp(10)
    triple, processor, features = translate.host()
    monkeypatch.setattr(cache, "host", lambda: (triple, processor, features + ",+none"))
    native._programs.clear()
    mlp(10)
    assert [len(modules) for modules in translated] == [len(translated[0])] * 2


def test_a_cache_that_fills_up_removes_kernels_too(compiled, tmp_path, monkeypatch):
    mlp(10)
    files = [file for file in (tmp_path / "programs").iterdir() if file.suffix]
    kernels = [file for file in files if file.suffix == ".kernel"]
    for file in files:
        os.utime(file, (1000, 1000) if file in kernels else None)
    monkeypatch.setattr(cache, "MOST", sum(file.stat().st_size for file in files))
    monkeypatch.setattr(cache, "KEPT", cache.MOST * 2 // 3)
    monkeypatch.setattr(cache, "UNCHECKED", 0)
    sl.compile(lambda x: x * 2)(sl.ones(3))
    assert 0 < sum(not file.exists() for file in kernels) < len(kernels)
    assert all(file.exists() for file in files if file not in kernels)


def test_threads_that_compile_at_the_same_time_share_kernels(compiled):
    results: dict[int, np.ndarray] = {}
    images = np.random.default_rng(0).normal(size=(64, 300)).astype(np.float32)

    def work(i: int) -> None:
        sums = sl.compile(lambda x: (sl.exp(x) * (i + 1)).sum(axis=0) + (x @ x.T).sum())
        results[i] = sums(sl.tensor(images)).numpy()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, result in results.items():
        expected = (np.exp(images.astype(np.float64)) * (i + 1)).sum(0) + (images.astype(np.float64) @ images.T).sum()
        np.testing.assert_allclose(result, expected, rtol=1e-4)
    assert len(results) == 4


@pytest.mark.parametrize("threads", ["1", "2"])
def test_codes_come_in_the_order_of_the_modules_and_each_is_reported(threads, monkeypatch):
    monkeypatch.setenv("SLOPES_THREADS", threads)
    modules = [Module((), f"define i64 @f{i}() {{\n  ret i64 {i}\n}}" + "\n" * (i * 7 % 5), passes=Passes(i % 3)) for i in range(6)]
    done: list[int] = []
    codes = translate.object_codes(modules, *translate.host(), done=lambda: done.append(1))
    names = [f"f{i}" for i in range(6)]
    loaded = translate.Loaded(codes, names)
    assert len(done) == 6 and len({loaded.address(name) for name in names}) == 6
    assert all(f"f{i}".encode() in code for i, code in enumerate(codes))
