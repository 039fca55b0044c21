"""The command `slopes launch`: one command in several processes that train together, here or on several hosts."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click

from .errors import ArgumentError

LOOK_SECONDS = 0.1
END_SECONDS = 60.0  # as long may the others take to end by themselves, after one has failed
LOCAL = "localhost", "127.0.0.1"


class Host(NamedTuple):
    """A host, and how many processes run on it."""

    name: str
    processes: int


@click.command(name="launch", context_settings={"ignore_unknown_options": True})
@click.option("--processes", "-n", type=click.IntRange(1, 4096), help="how many processes to start here, or on each host")
@click.option("--hosts", type=click.Path(path_type=Path), metavar="FILE",
              help="a file with a host in each line, and perhaps how many processes run there: `gpu7 4`. The first one is met "
                   "by all others")
@click.option("--port", type=click.IntRange(1, 65535), help="where the first process listens  [default: a free one, 29400 with --hosts]")
@click.option("--ssh", default="ssh", metavar="COMMAND", help="how a command is started on another host  [default: ssh]")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, required=True)
def launch(processes: int | None, hosts: Path | None, port: int | None, ssh: str, command: tuple[str, ...]) -> None:
    """Run COMMAND in several processes, which train together on a mesh of all their devices.

    Each process has SLOPES_COORDINATOR, SLOPES_PROCESSES and SLOPES_RANK in its environment; in jobs of Slurm and Open MPI, and with
    these variables set by hand, `launch` is not needed. The first process prints and writes the run; the others print errors only. When
    one ends with an error, the others end, too.

    \b
    Examples:
      slopes launch --processes 4 -- slopes train lenet --backend xla --mesh data=4 --out runs/four
      slopes launch --hosts hosts.txt -- slopes train lenet --backend xla --mesh data=16 --resume runs/four
    """
    listed = [Host(LOCAL[0], processes or 2)] if hosts is None else read_hosts(hosts, processes or 1)
    count = sum(host.processes for host in listed)
    coordinator = f"{LOCAL[1] if hosts is None else listed[0].name}:{port or (free_port() if hosts is None else 29400)}"
    ranks = [host.name for host in listed for _ in range(host.processes)]
    sys.exit(supervise([start(command, rank, count, coordinator, host, ssh) for rank, host in enumerate(ranks)], ranks))


def read_hosts(file: Path, processes: int) -> list[Host]:
    """The hosts in a file."""
    try:
        lines = [line.split("#")[0].split() for line in file.read_text(encoding="utf-8").splitlines()]
    except OSError as error:
        raise ArgumentError(f"--hosts {file}: {error.strerror}", repair="name a file with a host in each line") from error
    hosts = []
    for line in filter(None, lines):
        if len(line) > 2 or (len(line) == 2 and not line[1].isdecimal()):
            raise ArgumentError(f"--hosts {file}: {' '.join(line)!r} is no host", why="a line is HOST or HOST PROCESSES")
        hosts.append(Host(line[0], int(line[1]) if len(line) == 2 else processes))
    if not hosts:
        raise ArgumentError(f"--hosts {file}: there is no host in it", repair="write a host in each line, such as gpu7 4")
    return hosts


def free_port() -> int:
    """A port of this host that nobody listens at."""
    with socket.socket() as probe:
        probe.bind((LOCAL[1], 0))
        return int(probe.getsockname()[1])


def start(command: Sequence[str], rank: int, count: int, coordinator: str, host: str, ssh: str) -> subprocess.Popen[bytes]:
    """Start one process; all but the first print errors only."""
    settings = {"SLOPES_COORDINATOR": coordinator, "SLOPES_PROCESSES": str(count), "SLOPES_RANK": str(rank),
                "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "2")}  # XLA warns of what is meant here
    if host not in LOCAL:
        words = ["cd", os.getcwd(), "&&", "env", *(f"{name}={value}" for name, value in settings.items()), *command]
        command = [*shlex.split(ssh), host, " ".join(word if word == "&&" else shlex.quote(word) for word in words)]
    return subprocess.Popen(command, env={**os.environ, **settings}, stdin=subprocess.DEVNULL, start_new_session=True,
                            stdout=None if rank == 0 else subprocess.DEVNULL)


def supervise(processes: Sequence[subprocess.Popen[bytes]], hosts: Sequence[str]) -> int:
    """Wait for all; the exit code of the first that fails, after which the others have a minute. Signals go to the first process."""
    def forward(signum: int, frame: object) -> None:
        processes[0].send_signal(signum)

    before = {signum: signal.signal(signum, forward) for signum in (signal.SIGINT, signal.SIGTERM)}
    failed, deadline = 0, float("inf")
    try:
        while any(process.poll() is None for process in processes) and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)
            rank = min((rank for rank, process in enumerate(processes) if process.poll()), default=None,
                       key=lambda rank: processes[rank].returncode)  # one that a signal ended is the cause of the others' errors
            if rank is not None and not failed:
                failed, deadline = processes[rank].returncode, time.monotonic() + END_SECONDS
                click.echo(f"process {rank} of {len(processes)} ({hosts[rank]}, pid {processes[rank].pid}) {ending(failed)}", err=True)
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
        for signum, handler in before.items():
            signal.signal(signum, handler)
    return failed if failed >= 0 else 128 - failed


def ending(code: int) -> str:
    """How a process ended, in words.

    >>> ending(-9), ending(1)
    ('was ended by SIGKILL', 'ended with exit code 1')
    """
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
