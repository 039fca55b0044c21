"""The claim on a folder: one owner at a time, whatever becomes of it, also where file systems have no locks."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import subprocess
import sys

import pytest

from slopes.errors import SaveError
from slopes.files import claim
from slopes.files.claim import CLAIM, claimed

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and forks of POSIX")

HOLDING = """
import os, sys, time
from slopes.files.claim import claimed
with claimed(sys.argv[1]):
    if "fork" in sys.argv and os.fork() == 0:
        print(os.getpid(), flush=True)
        time.sleep(60)
    if "fork" not in sys.argv:
        print(flush=True)
    time.sleep(60)
"""


@contextlib.contextmanager
def holder(folder, *options):
    """Another process that has the folder, and what it printed."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-W", "ignore", "-c", HOLDING, str(folder), *options], stdout=subprocess.PIPE, text=True,
                          env=environment) as process:
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def test_a_claim_is_there_during_the_block_and_refused_to_others(tmp_path):
    with claimed(tmp_path):
        assert (tmp_path / CLAIM).read_bytes()[1:] == f"{os.getpid()} on {socket.gethostname()}".encode()
        with pytest.raises(SaveError) as caught, claimed(tmp_path):
            pass
    assert caught.value.what == f"{tmp_path} is being written by this process already"
    assert "overwrite each other" in caught.value.why and "name another folder" in caught.value.repair
    assert not list(tmp_path.iterdir())
    with contextlib.suppress(ZeroDivisionError), claimed(tmp_path):
        raise ZeroDivisionError
    with claimed(tmp_path):
        pass


@posix
def test_a_claim_ends_with_its_owner(tmp_path):
    with holder(tmp_path) as (process, _):
        with pytest.raises(SaveError, match=rf"is being written by process {process.pid} on "), claimed(tmp_path):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert (tmp_path / CLAIM).exists()
        with claimed(tmp_path):
            pass
    assert not (tmp_path / CLAIM).exists()


@posix
def test_a_forked_process_does_not_keep_the_claim(tmp_path):
    with holder(tmp_path, "fork") as (process, child):
        process.send_signal(signal.SIGKILL)
        process.wait()
        try:
            with claimed(tmp_path):
                pass
        finally:
            os.kill(int(child), signal.SIGKILL)


@posix
def test_a_claim_that_was_just_given_back_is_taken_anew(tmp_path, monkeypatch):
    free, removed = claim.is_free, []

    def slow(file):
        if not removed:
            os.unlink(tmp_path / CLAIM)  # as its owner does, after this process has opened it
            removed.append(True)
        return free(file)

    monkeypatch.setattr(claim, "is_free", slow)
    with claimed(tmp_path):
        assert removed and (tmp_path / CLAIM).exists()


@posix
def test_without_locks_the_file_is_the_claim(tmp_path, monkeypatch):
    def none(file):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(claim, "try_lock", none)
    with claimed(tmp_path), pytest.raises(SaveError, match="this process already"), claimed(tmp_path):
        pass
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    (tmp_path / CLAIM).write_text(f" {gone.pid} on {socket.gethostname()}")
    with claimed(tmp_path):
        pass
    (tmp_path / CLAIM).write_text(f" {gone.pid} on another-machine")
    with pytest.raises(SaveError, match=r"process \d+ on another-machine already(?s:.)*if it runs no more, remove"), claimed(tmp_path):
        pass


@posix
def test_a_folder_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    def read_only(*args, **options):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "open", read_only)
    with pytest.raises(SaveError, match=r"Read-only file system(?s:.)*choose a folder that you may write to"), claimed(tmp_path):
        pass


@posix
def test_other_errors_of_locks_are_not_taken_for_their_absence(tmp_path, monkeypatch):
    def broken(file):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(claim, "try_lock", broken)
    with pytest.raises(SaveError, match="Input/output error"), claimed(tmp_path):
        pass
