"""Several processes that train together: the losses of one, what happens when one is gone, and going on with another number of them."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import hosts_job
import numpy as np
import pytest

from slopes.errors import ArgumentError, HostsError
from slopes.launch_command import read_hosts
from slopes.train.runs import load_run
from slopes.xla.channel import Channel, Line, Server, Settings
from slopes.xla.hosts import process_settings, reach

JOB = Path(hosts_job.__file__)


def launch(processes, folder, epochs, seconds=0.0, **environment):
    """Start the job in several processes of this host."""
    flags = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    command = [sys.executable, "-m", "slopes", "launch", "--processes", str(processes), "--", sys.executable, str(JOB), str(folder),
               str(processes), str(epochs), str(seconds)]
    return subprocess.Popen(command, env={**os.environ, "XLA_FLAGS": flags, **environment}, stderr=subprocess.PIPE, text=True)


def steps_of(folder, rank):
    """(process id, steps done) of a process, 0 before the first."""
    file = folder / f"steps-{rank}"
    text = file.read_text() if file.exists() else ""
    return tuple(map(int, text.split())) if " " in text else (0, 0)


def kill_in_mid_epoch(job, folder, rank):
    """Send SIGKILL to a process, once it is beyond its first epoch and a checkpoint is written."""
    while not (steps_of(folder, rank)[1] > 5 and steps_of(folder, rank)[1] % 5 and (folder / "run" / "run.json").exists()):
        assert job.poll() is None, job.communicate()[1]
        time.sleep(0.02)
    os.kill(steps_of(folder, rank)[0], signal.SIGKILL)


def test_a_process_is_killed_and_the_others_end_and_go_on_with_another_number(tmp_path):
    pytest.importorskip("jax")
    losses = hosts_job.train(tmp_path / "one", 1, 16).losses
    job = launch(4, tmp_path, 16, seconds=0.1)
    kill_in_mid_epoch(job, tmp_path, 2)
    started = time.monotonic()
    errors = job.communicate(timeout=60)[1]
    assert time.monotonic() - started < 60 and job.returncode == 128 + signal.SIGKILL
    assert f"process 2 of 4 (localhost, pid {steps_of(tmp_path, 2)[0]}) was ended by SIGKILL" in errors
    assert errors.count(f"process 2 of 4 ({socket.gethostname()}, pid {steps_of(tmp_path, 2)[0]}) ended") >= 3  # each names it
    done = len(load_run(tmp_path / "run").network.history.losses)
    assert 0 < done < 80
    for processes in (4, 2):
        folder = tmp_path / f"with {processes}"
        shutil.copytree(tmp_path / "run", folder / "run")
        job = launch(processes, folder, 16)
        assert not job.communicate()[1].count("Error") and job.returncode == 0
        history = load_run(folder / "run").network.history
        assert len(history.losses) == 80
        np.testing.assert_allclose(history.losses[-5:], losses[-5:], rtol=1e-4, err_msg=f"{processes} processes")


# ---------------------------------------------------------------------- the channel, without devices
@pytest.fixture
def members():
    """Three processes that are one: the first one's server, and their ends of the connections."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = [Settings("127.0.0.1", port, 3, rank, 1.5) for rank in range(3)]
    server, channels = Server(settings[0]), []
    for own in settings:
        channels.append(Channel(own, Line(reach(own))))
        channels[-1].grace = 1e6  # else the process of this test would end
    for channel in channels:
        channel.wait("start", 10)
    yield channels
    server.close()
    for channel in channels:
        channel.close()


def test_processes_agree_and_what_differs_is_named(members):
    for value in (True, 2.5):
        assert [channel.agree(value if channel.writes else None) for channel in members] == [value] * 3
    for channel in members:
        channel.send({"kind": "facts", "facts": {"seed": "1"}})
    assert [channel.wait("compared")["text"] for channel in members] == ["", "", ""]
    for channel, seed in zip(members, "112"):
        channel.send({"kind": "facts", "facts": {"the code": "a", "seed": seed}})
    texts = {channel.wait("compared")["text"] for channel in members}
    assert texts == {f"seed is 1 in {members[0].name}, 2 in {members[2].name}"}


@pytest.mark.parametrize("way, text", [("killed", "ended: its connection is closed"), ("frozen", "gives no sign of life for 2 s"),
                                       ("hangs", "hangs: the others wait for it for 2 s"), ("left", "left before the others")])
def test_a_process_that_is_gone_ends_the_others_by_name(members, way, text):
    members[0].calls = members[2].calls = 1
    if way == "killed":
        members[1].closing = True
        members[1].line.connection.shutdown(socket.SHUT_RDWR)
    elif way == "frozen":
        members[1].calls, members[1].closing = 1, True  # its beats end
    elif way == "left":
        members[1].close()
    for channel in (members[0], members[2]):
        assert channel.failed.wait(20)
        with pytest.raises(HostsError, match="cannot go on: process 1 of 3") as error:
            channel.agree(1)
        assert text in str(error.value) and "--resume" in error.value.repair


def test_who_a_process_is_stands_in_the_environment(tmp_path):
    ours = {"SLOPES_COORDINATOR": "a:7", "SLOPES_PROCESSES": "4"}
    for environment, expected in (
            ({}, None), ({"SLURM_NTASKS": "1", "SLURM_PROCID": "0"}, None), ({**ours, "SLOPES_RANK": "3"}, ("a", 7, 4, 3, 45.0)),
            ({**ours, "JOB_COMPLETION_INDEX": "1"}, ("a", 7, 4, 1, 45.0)),  # an indexed job of Kubernetes
            ({**ours, "OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "2", "SLOPES_HANG_SECONDS": "9"}, ("a", 7, 4, 2, 9.0)),
            ({"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_LOCAL_SIZE": "2"},
             ("127.0.0.1", 29400, 2, 1, 45.0))):
        assert process_settings(environment) == expected, environment
    for environment, error in (
            ({"SLOPES_COORDINATOR": "a:7"}, "not how many processes"), ({**ours, "SLOPES_RANK": "4"}, "process 4 of 4"),
            ({**ours, "SLOPES_RANK": "x"}, "SLOPES_RANK=x is no whole number"),
            ({**ours, "SLOPES_COORDINATOR": "a", "SLOPES_RANK": "1"}, "HOST:PORT"),
            ({"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "1"}, "nothing says where the first process is"),
            ({**ours, "SLOPES_RANK": "1", "SLOPES_HANG_SECONDS": "long"}, "is no number")):
        with pytest.raises(HostsError, match=error):
            process_settings(environment)
    (tmp_path / "hosts").write_text("gpu7 4  # the first\n\ngpu8\n")
    assert read_hosts(tmp_path / "hosts", 2) == [("gpu7", 4), ("gpu8", 2)]
    (tmp_path / "hosts").write_text("gpu7 four\n")
    with pytest.raises(ArgumentError, match="'gpu7 four' is no host"):
        read_hosts(tmp_path / "hosts", 2)


def test_a_first_process_that_cannot_be_reached_is_named(monkeypatch):
    monkeypatch.setenv("SLOPES_CONNECT_SECONDS", "0.3")
    with pytest.raises(HostsError, match="process 1 of 2 cannot reach the first one at 127"):
        reach(Settings("127.0.0.1", 9, 2, 1, 1.0))
