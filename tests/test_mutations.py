"""A sample of damaged files of every kind that slopes reads: each loads or is refused, by an error of slopes, in little memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

pytest.importorskip("PIL.Image")
pytest.importorskip("tokenizers")

import mutate

SAMPLE = 100


@pytest.mark.parametrize("name", mutate.KINDS)
def test_damaged_files_are_refused_or_read(tmp_path, name):
    path = tmp_path / "file"
    for sound in mutate.KINDS[name].sound:
        path.write_bytes(sound)
        mutate.KINDS[name].read(path)
    for number in range(SAMPLE):
        path.write_bytes(mutate.mutation(name, 1, number))
        tracemalloc.start()
        try:
            assert not mutate.problem_of(name, path), number
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 2 * path.stat().st_size + mutate.MOST_MEMORY, number


def test_mutations_are_the_same_files_every_time():
    for name in mutate.KINDS:
        assert mutate.mutation(name, 0, 5) == mutate.mutation(name, 0, 5)
    different = {mutate.mutation("csv", seed, number) for seed in range(3) for number in range(100)}
    assert len(different) > 280


def test_a_reader_that_hangs_dies_wastes_or_raises_something_else_is_told(tmp_path, monkeypatch):
    def raises(path):
        raise KeyError("a")

    path = tmp_path / "file"
    path.write_bytes(b"1")
    monkeypatch.setitem(mutate.KINDS, "bad", mutate.Kind((b"1",), raises))
    assert mutate.measured("bad", path) == "KeyError: 'a'"
    monkeypatch.setitem(mutate.KINDS, "bad", mutate.Kind((b"1",), lambda path: np.ones(20_000_000).sum()))
    assert "MB for a file of 1 bytes" in mutate.measured("bad", path)
    monkeypatch.setattr(mutate, "MOST_SECONDS", -1.0)
    assert "seconds" in mutate.measured("bad", path)
