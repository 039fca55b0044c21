"""Full disks, closed pipes and missing streams behind standard output and error: trainings go on, and their runs are saved."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import numpy as np
import pytest

import slopes as sl
from slopes import cli, nn, streams
from slopes.data import Dataset
from slopes.data.sets.progress import Progress
from slopes.train.runs import load_run

TRAIN = f"{sys.executable} -m slopes train digits --epochs 2 --channels 2 --out run"
POSIX = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")


class Failing(io.StringIO):
    """A stream that takes so many writes."""

    encoding = "utf-8"

    def __init__(self, writes: int, error: Exception, terminal: bool = False) -> None:
        super().__init__()
        self.writes, self.failure, self.terminal = writes, error, terminal

    def write(self, text):
        self.writes -= 1
        if self.writes < 0:
            raise self.failure
        return super().write(text)

    def isatty(self):
        return self.terminal


FAILURES = {"full": OSError(28, "No space left on device"), "gone": BrokenPipeError(32, "Broken pipe"),
            "closed": ValueError("I/O operation on closed file")}


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("writes", [0, 1, 3])
@pytest.mark.parametrize("name", FAILURES)
def test_a_training_does_not_end_because_nobody_can_read_about_it(monkeypatch, name, writes, terminal):
    monkeypatch.setattr(sys, "stderr", Failing(writes, FAILURES[name], terminal))
    assert len(trained().epochs) == 4


@pytest.mark.parametrize("stream", [None, "closed"])
def test_a_process_without_stderr_trains_and_downloads(monkeypatch, stream):
    found = None if stream is None else io.StringIO()
    if found is not None:
        found.close()
    monkeypatch.setattr(sys, "stderr", found)
    assert len(trained().epochs) == 4
    with Progress("file", 10, "host") as progress:
        progress.show(10)


def trained():
    points = Dataset(np.linspace(-1, 1, 16, dtype=np.float32).reshape(16, 1), np.arange(16) // 8)
    return sl.fit(nn.Linear(1, 2), points, epochs=4, batch_size=8)


def test_characters_that_a_stream_has_no_bytes_for_become_escapes():
    raw = io.BytesIO()
    stream = streams.Lenient(io.TextIOWrapper(raw, encoding="ascii"))
    assert stream.write("é €\n") == 4
    stream.flush()
    assert raw.getvalue().rstrip() == b"\\xe9 \\u20ac" and stream.error is None


def ended(monkeypatch, capsys, output, *arguments) -> tuple[int, str]:
    """Exit code and standard error of a command whose standard output is this stream."""
    monkeypatch.setattr(sys, "stdout", output)
    with pytest.raises(SystemExit) as caught:
        cli.main(list(arguments))
    return caught.value.code, capsys.readouterr().err


@pytest.mark.parametrize("command", ["--version", "--help", "info"])
def test_a_full_disk_is_said_once_and_a_closed_pipe_not_at_all(monkeypatch, capsys, command):
    said = "error: standard output could not be written: No space left on device\n"
    assert ended(monkeypatch, capsys, Failing(0, FAILURES["full"]), command) == (1, said)
    assert ended(monkeypatch, capsys, Failing(0, FAILURES["gone"]), command) == (1, "")
    assert ended(monkeypatch, capsys, Failing(9999, FAILURES["gone"]), command) == (0, "")
    assert ended(monkeypatch, capsys, None, command) == (0, "")


@POSIX
@pytest.mark.parametrize("redirection, code, said", [
    ("> /dev/full", 1, "error: standard output could not be written: No space left on device\n"), ("2> /dev/full", 1, ""),
    ("> /dev/full 2>&1", 1, ""), ("| true", 0, ""), (">&-", 0, ""), (">&- 2>&-", 0, "")])
def test_a_training_is_saved_whatever_stands_behind_its_streams(tmp_path, redirection, code, said):
    pytest.importorskip("sklearn")
    source = os.path.dirname(os.path.dirname(sl.__file__))
    done = subprocess.run(["sh", "-c", f"{TRAIN} {redirection}"], cwd=tmp_path, env={**os.environ, "PYTHONPATH": source},
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr and done.stderr.endswith(said)
    assert done.returncode == code and len(load_run(tmp_path / "run").network.history.epochs) == 2
