"""Several processes, on one host or several, that run one program together: who they are, and how they find each other."""

from __future__ import annotations

import atexit
import contextlib
import os
import queue
import re
import socket
import sys
import time
from collections.abc import Iterator, Mapping

from .. import agreement
from ..errors import HostsError
from ..extras import require
from .channel import GRACE, Channel, Line, Server, Settings

PORT = 29400  # where nothing else is said
LIMIT = 45.0  # seconds; with the time that ending takes, a process that is gone ends the others within a minute
CONNECT_SECONDS, LEAVE_SECONDS = 60.0, 10.0
_joined: list[Channel] = []


def connect() -> None:
    """Join the other processes that the environment names, once; nothing is done where it names none.

    Raises HostsError for settings that do not fit together and for a first process that cannot be reached.
    """
    settings = process_settings(os.environ)
    if _joined or settings is None:
        return
    if settings.rank == 0:
        start_server(settings)
    channel = Channel(settings, Line(reach(settings)))
    _joined.append(channel)
    try:
        channel.wait("start", CONNECT_SECONDS)
    except queue.Empty:
        raise HostsError(f"not all of {settings.processes} processes came within {CONNECT_SECONDS:.0f} s", where="",
                         why=f"they meet at {settings.host}:{settings.port}",
                         repair="start all of them, with the same SLOPES_COORDINATOR and SLOPES_PROCESSES") from None
    start_jax(settings, channel)
    atexit.register(leave, channel)  # before JAX leaves in its own way
    agreement.join(channel)


def leave(channel: Channel) -> None:
    """At the end of the process: the others leave before the first one, at which all of them are connected."""
    if channel.failed.is_set():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)  # JAX would wait for those that are gone
    if channel.writes:
        channel.others_left.wait(LEAVE_SECONDS)
    require("jax", extra="xla").distributed.shutdown()
    channel.close()


def start_server(settings: Settings) -> None:
    """Listen for the others."""
    try:
        Server(settings)
    except OSError as error:
        raise HostsError(f"process 0 cannot listen at port {settings.port}: {error.strerror}", where="",
                         why="another program, or another training, uses it", repair="choose another port in SLOPES_COORDINATOR") from error


def reach(settings: Settings) -> socket.socket:
    """A connection to the first process, which may start later."""
    last: OSError | None = None
    deadline = time.monotonic() + float(os.environ.get("SLOPES_CONNECT_SECONDS", CONNECT_SECONDS))
    while time.monotonic() < deadline:
        try:
            connection = socket.create_connection((settings.host, settings.port), timeout=10)
        except OSError as error:
            last = error
            time.sleep(0.2)
            continue
        connection.settimeout(None)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection
    raise HostsError(f"process {settings.rank} of {settings.processes} cannot reach the first one at {settings.host}:{settings.port}",
                     why=str(last), where="", repair="start process 0 there, check SLOPES_COORDINATOR, and let the firewall pass this port")


def start_jax(settings: Settings, channel: Channel) -> None:
    """Let JAX connect the devices of all processes."""
    jax = require("jax", extra="xla", purpose="a mesh")
    port = channel_port(channel)
    jax.config.update("jax_enable_recoverability", True)  # who is gone is found, and named, by the channel
    try:
        jax.distributed.initialize(f"{settings.host}:{port}", settings.processes, settings.rank, cluster_detection_method="deactivate",
                                   heartbeat_timeout_seconds=int(4 * settings.limit) + 60, shutdown_timeout_seconds=10)
    except RuntimeError as error:
        raise HostsError("JAX cannot connect the processes", why=str(error), where="",
                         repair="make the mesh before anything else is computed with XLA") from error


def channel_port(channel: Channel) -> int:
    """A free port of the first process' host."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(channel.agree(probe.getsockname()[1]))


@contextlib.contextmanager
def guard() -> Iterator[None]:
    """Around a call of devices: an error that comes of a process that is gone names that process."""
    if not _joined:
        yield
        return
    channel = _joined[0]
    channel.calls += 1
    try:
        yield
    except Exception as error:
        if channel.failed.wait(GRACE):
            raise channel.error() from error
        raise


# ---------------------------------------------------------------------- who this process is
def process_settings(environment: Mapping[str, str]) -> Settings | None:
    """What the environment says of this process: our own variables, or those of Slurm, Open MPI and Kubernetes jobs; None for one
    process.

    >>> process_settings({"SLOPES_COORDINATOR": "node1:5000", "SLOPES_PROCESSES": "4", "SLOPES_RANK": "2"})
    Settings(host='node1', port=5000, processes=4, rank=2, limit=45.0)
    >>> process_settings({"SLURM_PROCID": "3", "SLURM_NTASKS": "8", "SLURM_STEP_NODELIST": "gpu[07-08,11]", "SLURM_JOB_ID": "12345"})
    Settings(host='gpu07', port=29679, processes=8, rank=3, limit=45.0)
    """
    count = first_of(environment, "SLOPES_PROCESSES", "SLURM_NTASKS", "OMPI_COMM_WORLD_SIZE")
    rank = first_of(environment, "SLOPES_RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "JOB_COMPLETION_INDEX")
    if count is None or rank is None or count < 2:
        if environment.get("SLOPES_COORDINATOR") and (count is None or rank is None):
            raise wrong("SLOPES_COORDINATOR is set, but not how many processes there are, or which this one is")
        return None
    if not 0 <= rank < count:
        raise wrong(f"process {rank} of {count}: processes are counted from 0")
    host, port = coordinator(environment, count)
    limit = environment.get("SLOPES_HANG_SECONDS", str(LIMIT))
    try:
        return Settings(host, port, count, rank, float(limit))
    except ValueError:
        raise wrong(f"SLOPES_HANG_SECONDS={limit} is no number") from None


def first_of(environment: Mapping[str, str], *names: str) -> int | None:
    """The whole number in the first of these variables that is set."""
    name = next((name for name in names if environment.get(name)), None)
    if name is None:
        return None
    if not environment[name].isdecimal():
        raise wrong(f"{name}={environment[name]} is no whole number")
    return int(environment[name])


def coordinator(environment: Mapping[str, str], count: int) -> tuple[str, int]:
    """Host and port of the first process."""
    if named := environment.get("SLOPES_COORDINATOR"):
        host, _, port = named.rpartition(":")
        if not port.isdecimal() or not host:
            raise wrong(f"SLOPES_COORDINATOR={named} is not HOST:PORT")
        return host.strip("[]"), int(port)
    nodes = environment.get("SLURM_STEP_NODELIST") or environment.get("SLURM_JOB_NODELIST")
    if environment.get("SLURM_PROCID") and nodes:
        return first_node(nodes), port_of(environment.get("SLURM_JOB_ID", ""))
    if environment.get("OMPI_COMM_WORLD_LOCAL_SIZE") == str(count):  # all on this host
        return "127.0.0.1", port_of(environment.get("PMIX_NAMESPACE", ""))
    raise wrong("nothing says where the first process is")


def first_node(nodes: str) -> str:
    """The first host of Slurm's list.

    >>> first_node("gpu[07-08,11],cpu1"), first_node("a1,a2"), first_node("rack[1-2]-node[03-04]")
    ('gpu07', 'a1', 'rack1-node03')
    """
    first = re.split(r",(?![^\[]*\])", nodes)[0]
    return re.sub(r"\[(\w+)[^\]]*\]", r"\1", first)


def port_of(job: str) -> int:
    """A port for a job: two of them on one host do not meet."""
    digits = re.sub(r"\D", "", job)
    return PORT + int(digits or 0) % 2_011


def wrong(what: str) -> HostsError:
    """The error for settings that do not fit together."""
    return HostsError(what, why="several processes find each other by SLOPES_COORDINATOR=HOST:PORT, SLOPES_PROCESSES and SLOPES_RANK",
                      repair="set these three in each process, or start all with `slopes launch`; with one process unset them", where="")
