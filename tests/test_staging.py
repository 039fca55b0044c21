"""Runs and studies saved together: a kill at any moment leaves the old or the new one whole, and nothing of it stays for good."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import slopes as sl
from slopes import nn, optim
from slopes.data import Dataset, load_safetensors, save_image_folder, save_safetensors
from slopes.errors import SaveError
from slopes.files import staging
from slopes.files.atomic import replacing
from slopes.train import runs
from slopes.train.history import History, Run
from slopes.train.runs import holds_run, load_run, save_run

posix = pytest.mark.skipif(sys.platform == "win32", reason="files are locked otherwise there")
NAMES = ["history.jsonl", "run.json", "weights.safetensors"]


def made(seed: int) -> Run:
    """A run without training, whose weights, losses and settings all tell its seed."""
    net = nn.Linear(2, 2)
    net.weight.assign(sl.full((2, 2), float(seed)))
    return Run(net, History([float(seed)], [], 1.0, 0.5), {"seed": seed})


def seeds(folder: Path) -> set[float]:
    """The seeds that weights, history and record of the run in a folder tell."""
    saved = load_run(folder)
    return {*saved.network.weights["weight"].ravel().tolist(), *saved.network.history.losses, saved.network.settings["seed"]}


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


# Kills

STEPS = "replace", "rename", "fsync", "mkdir", "rmdir", "unlink", "open", "close"


def killed_after(steps: int, folder: Path) -> bool:
    """Save run 2 in a child process that ends without a word before it takes one more step; whether it came so far."""
    child = os.fork()
    if child == 0:
        left = [steps]

        def counted(function):
            def call(*arguments, **options):
                left[0] -= 1
                if left[0] < 0:
                    os._exit(9)
                return function(*arguments, **options)
            return call

        for name in STEPS:
            setattr(os, name, counted(getattr(os, name)))
        staging.fcntl.flock = counted(staging.fcntl.flock)
        save_run(made(2), folder)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 9)
    return code == 9


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_kill_at_any_step_leaves_one_whole_run_and_nothing_for_good(tmp_path):
    found, going = [], True
    while going:
        folder = tmp_path / str(len(found))
        save_run(made(1), folder)
        going = killed_after(len(found), folder)
        assert holds_run(folder)
        found.append(seeds(folder))
        save_run(made(3), folder)
        assert seeds(folder) == {3} and names(folder) == NAMES
    new = found.index({2.0})  # there is one moment from which on the new run counts
    assert found[:new] == [{1.0}] * new and found[new:] == [{2.0}] * (len(found) - new)
    assert 10 < new < len(found) - 3


@posix
@pytest.mark.parametrize("function", ["replace", "rename", "fsync", "rmdir"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_ctrl_c_and_a_full_disk_at_any_step_leave_one_whole_run(tmp_path, monkeypatch, function, error):
    real = getattr(os, function)
    for call in range(30):
        left = [call]

        def failing(*arguments, left=left, **options):
            left[0] -= 1
            if left[0] == -1:
                raise error
            return real(*arguments, **options)

        folder = tmp_path / str(call)
        save_run(made(1), folder)
        with monkeypatch.context() as patch:
            patch.setattr(os, function, failing)
            with contextlib.suppress(KeyboardInterrupt, SaveError):
                save_run(made(2), folder)
        assert seeds(folder) in ({1.0}, {2.0})
        assert not [name for name in names(folder) if staging.STAGED.fullmatch(name)]
        save_run(made(3), folder)
        assert seeds(folder) == {3} and names(folder) == NAMES
        if left[0] >= 0:
            break
    assert call


def test_what_was_committed_counts_before_it_is_moved(tmp_path, monkeypatch):
    save_run(made(1), tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(staging, "finish", lambda folder: None)
        save_run(made(2), tmp_path)
    assert names(tmp_path) == [staging.COMMITTED, *NAMES] and seeds(tmp_path) == {2}
    os.replace(tmp_path / staging.COMMITTED / "run.json", tmp_path / "run.json")  # moved as far as this
    assert seeds(tmp_path) == {2} and holds_run(tmp_path)
    save_run(made(3), tmp_path)
    assert names(tmp_path) == NAMES and seeds(tmp_path) == {3}


def test_a_run_that_only_was_committed_is_one(tmp_path, monkeypatch):
    monkeypatch.setattr(staging, "finish", lambda folder: None)
    save_run(made(1), tmp_path / "run")
    assert names(tmp_path / "run") == [staging.COMMITTED] and holds_run(tmp_path / "run") and seeds(tmp_path / "run") == {1}


def test_a_run_that_is_replaced_while_it_is_read_is_read_again(tmp_path, monkeypatch):
    save_run(made(1), tmp_path)
    read, saved = runs.load_safetensors, []

    def slow(path):
        if not saved:
            saved.append(save_run(made(2), tmp_path))
        return read(path)

    monkeypatch.setattr(runs, "load_safetensors", slow)
    assert seeds(tmp_path) == {2}


def test_the_paths_of_two_runs_are_not_taken_for_those_of_one(tmp_path, monkeypatch):
    save_run(made(1), tmp_path)
    current, saved = runs.current, []

    def slow(folder, name):
        if name == "history.jsonl" and not saved:  # the record was looked at, the other files were not
            saved.append(save_run(made(2), tmp_path))
        return current(folder, name)

    monkeypatch.setattr(runs, "current", slow)
    assert runs.identity(tmp_path) is None and saved
    assert runs.identity(tmp_path) == runs.identity(tmp_path) is not None


SAVING = """
import sys
from test_staging import made
from slopes.train.runs import save_run
for _ in range(20):
    save_run(made(int(sys.argv[2])), sys.argv[1])
"""


def test_two_processes_may_save_into_one_folder_while_a_third_reads(tmp_path):
    save_run(made(1), tmp_path)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    found = []
    with contextlib.ExitStack() as stack:
        both = [stack.enter_context(subprocess.Popen([sys.executable, "-c", SAVING, str(tmp_path), str(seed)],
                                                     cwd=Path(__file__).parent, env=environment)) for seed in (1, 2)]
        while any(each.poll() is None for each in both):
            found.append(seeds(tmp_path))
    assert [each.returncode for each in both] == [0, 0]
    assert all(each in ({1.0}, {2.0}) for each in found) and seeds(tmp_path) in ({1.0}, {2.0}) and names(tmp_path) == NAMES


# What is left behind

WRITING = """
import sys, time
from slopes.files.atomic import replacing
with replacing(sys.argv[1]) as file:
    file.write(b"half")
    print("", flush=True)
    time.sleep(60)
"""


@posix
def test_a_file_of_a_living_process_stays_and_that_of_a_dead_one_goes(tmp_path):
    with subprocess.Popen([sys.executable, "-c", WRITING, str(tmp_path / "weights")], stdout=subprocess.PIPE,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}) as process:
        assert process.stdout is not None
        process.stdout.readline()
        save_safetensors(tmp_path / "other", {"a": np.ones(2, np.float32)})
        assert len(names(tmp_path)) == 2
        process.send_signal(signal.SIGKILL)
        process.wait()
    save_safetensors(tmp_path / "other", {"a": np.ones(2, np.float32)})
    assert names(tmp_path) == ["other"] and load_safetensors(tmp_path / "other")["a"].tolist() == [1, 1]


@posix
def test_folders_of_pictures_of_killed_processes_are_removed(tmp_path):
    pytest.importorskip("PIL")
    abandoned = tmp_path / staging.staging_name()
    (abandoned / "whole").mkdir(parents=True)
    for name in (".slopes-mine", "slopes-0123456789abcdef.tmp"):
        (tmp_path / name).mkdir()  # names that are not ours
    save_image_folder(Dataset(np.zeros((1, 1, 4, 4), np.float32), np.zeros(1, np.int64), ("a",)), tmp_path / "pictures")
    assert names(tmp_path) == [".slopes-mine", "pictures", "slopes-0123456789abcdef.tmp"]


def test_where_there_are_no_locks_only_old_files_are_removed(tmp_path, monkeypatch):
    if sys.platform != "win32":
        def none(*_):
            raise OSError(95, "Operation not supported")
        monkeypatch.setattr(staging.fcntl, "flock", none)
    new, old = tmp_path / staging.staging_name(), tmp_path / staging.staging_name()
    new.mkdir()
    old.write_bytes(b"")
    os.utime(old, (0, 0))
    with replacing(tmp_path / "file") as file:
        file.write(b"1")
    assert names(tmp_path) == sorted([new.name, "file"])
    assert save_run(made(1), tmp_path / "run") and seeds(tmp_path / "run") == {1}


@posix
def test_a_link_by_the_name_of_a_staging_folder_is_not_followed(tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_bytes(b"1")
    (tmp_path / staging.staging_name()).symlink_to(tmp_path / "precious")
    save_run(made(1), tmp_path / "run")
    with replacing(tmp_path / "file") as file:
        file.write(b"1")
    assert (tmp_path / "precious" / "file").read_bytes() == b"1"


def test_a_run_is_saved_and_loaded_by_fit_as_ever(tmp_path):
    run = sl.fit(nn.Linear(2, 2), Dataset(np.ones((4, 2), np.float32), np.arange(4) % 2), optimizer=optim.SGD(lr=0.1), progress=False)
    assert load_run(save_run(run, tmp_path)).network.history == run.history


@posix
def test_a_staging_folder_that_another_writer_takes_for_abandoned_is_made_again(tmp_path, monkeypatch):
    folders, mkdir = [], os.mkdir

    def removed_at_once(path, *args):
        mkdir(path, *args)
        folders.append(path)
        if len(folders) == 1:
            os.rmdir(path)

    monkeypatch.setattr(staging.os, "mkdir", removed_at_once)
    with staging.staged(tmp_path) as stage:
        (stage / "file").write_text("whole")
    assert len(folders) == 2 and (tmp_path / "file").read_text() == "whole"
