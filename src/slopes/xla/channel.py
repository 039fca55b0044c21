"""The channel between the processes of a training: lines of JSON to the first one, which decides, compares, and notices who is gone."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import socket
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..errors import HostsError, error_text

BEAT = 1.0  # seconds between two signs of life
END_SECONDS = 2.0  # for a thread whose connection was closed
GRACE = 5.0  # as long has the main thread to end by itself, after another process is gone
Message = dict[str, Any]


class Settings(NamedTuple):
    """Who this process is: where the first one listens, how many there are, its own rank, and after how many silent seconds one is lost."""

    host: str
    port: int
    processes: int
    rank: int
    limit: float


class Line:
    """A connection that carries messages, one a line."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection, self.lock = connection, threading.Lock()
        self.reader = connection.makefile("r", encoding="utf-8")

    def send(self, message: Message) -> None:
        """Send a message; OSError where the other end is gone."""
        with self.lock:
            self.connection.sendall((json.dumps(message) + "\n").encode())

    def receive(self) -> Message | None:
        """The next message; None when the other end is gone, with which the connection ends."""
        line = ""
        with contextlib.suppress(OSError):
            line = self.reader.readline()
        if line.endswith("\n"):
            message: Message = json.loads(line)
            return message
        self.close()
        return None

    def close(self) -> None:
        """End the connection; nobody reads from it."""
        self.reader.close()
        self.connection.close()


class Member:
    """What the first process knows of one: its name, its connection, and its last sign of life."""

    def __init__(self, line: Line, name: str) -> None:
        self.line, self.name = line, name
        self.seen = self.moved = time.monotonic()
        self.calls, self.left = 0, False

    def beat(self, calls: int) -> None:
        """A sign of life, after so many calls of the devices."""
        self.seen = time.monotonic()
        if calls > self.calls:
            self.calls, self.moved = calls, self.seen


class Server:
    """The first process' end of all connections."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.members: dict[int, Member] = {}
        self.facts: dict[int, Mapping[str, str]] = {}
        self.lock = threading.Lock()
        self.ended = False
        self.socket = socket.create_server(("", settings.port), backlog=settings.processes)
        self.listening: list[threading.Thread] = []
        for target in (self.accept, self.watch):
            threading.Thread(target=target, daemon=True, name=f"slopes {target.__name__}").start()

    def accept(self) -> None:
        """Let processes in, each of which is listened to by a thread."""
        while not self.ended:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return  # it was closed
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.listening.append(threading.Thread(target=self.listen, args=(Line(connection),), daemon=True, name="slopes listen"))
            self.listening[-1].start()

    def listen(self, line: Line) -> None:
        """Handle the messages of one process."""
        hello = line.receive()
        if hello is None or "rank" not in hello:
            return
        rank = hello["rank"]
        with self.lock:
            if rank in self.members:
                line.send({"kind": "end", "text": f"two processes say that they are process {rank} of {self.settings.processes}"})
                return
            member = self.members[rank] = Member(line, hello["name"])
            if len(self.members) == self.settings.processes:
                self.tell_all({"kind": "start"})
        while (message := line.receive()) is not None:
            self.handle(rank, member, message)
        if not member.left:
            self.end(f"{member.name} ended: its connection is closed")

    def handle(self, rank: int, member: Member, message: Message) -> None:
        """One message."""
        kind = message["kind"]
        if kind == "beat":
            member.beat(message["calls"])
        elif kind == "left":
            member.left = True
            if all(other.left for i, other in self.members.items() if i):
                self.tell_all({"kind": "left"})
        elif kind == "value":
            self.tell_all(message)
        elif kind == "facts":
            with self.lock:
                self.facts[rank] = message["facts"]
                if len(self.facts) == self.settings.processes:
                    self.tell_all({"kind": "compared", "text": difference(self.facts, self.members)})
                    self.facts = {}

    def tell_all(self, message: Message) -> None:
        """Send a message to all."""
        for member in list(self.members.values()):
            with contextlib.suppress(OSError):  # its own thread notices
                member.line.send(message)

    def watch(self) -> None:
        """Look for processes that give no sign of life, or stay behind the others."""
        while not self.ended:
            time.sleep(BEAT)
            if lost := self.find_lost():
                self.end(lost)

    def find_lost(self) -> str:
        """Who is lost, and why; "" where nobody is."""
        now, limit, members = time.monotonic(), self.settings.limit, list(self.members.values())
        most = max((member.calls for member in members), default=0)
        ahead = [member.moved for member in members if member.calls == most]
        for member in members:
            if not member.left and now - member.seen > limit:
                return f"{member.name} gives no sign of life for {limit:.0f} s"
            if member.calls < most and (member.left or now - max(member.moved, min(ahead)) > limit):
                doing = "left before the others" if member.left else f"hangs: the others wait for it for {limit:.0f} s"
                return f"{member.name} {doing}, after {member.calls} calls of the devices, while they began the {most}th"
        return ""

    def close(self) -> None:
        """Listen no longer."""
        self.ended = True
        for connection in (self.socket, *(member.line.connection for member in self.members.values())):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        for thread in self.listening:
            thread.join(END_SECONDS)

    def end(self, text: str) -> None:
        """End all processes."""
        with self.lock:
            first, self.ended = not self.ended, True
        if first:
            self.tell_all({"kind": "end", "text": text})


class Channel:
    """This process' end of the connection to the first one: the `agreement.Group` of several processes."""

    def __init__(self, settings: Settings, line: Line) -> None:
        self.settings, self.line = settings, line
        self.messages: dict[str, queue.Queue[Message]] = {kind: queue.Queue() for kind in ("start", "value", "compared")}
        self.grace = GRACE
        self.calls, self.failure, self.closing = 0, "", False
        self.failed, self.others_left, self.closed = threading.Event(), threading.Event(), threading.Event()
        line.send({"kind": "hello", "rank": settings.rank, "name": self.name})
        self.listening, beating = (threading.Thread(target=target, daemon=True, name=f"slopes {target.__name__}")
                                   for target in (self.listen, self.beat))
        self.listening.start()
        beating.start()

    @property
    def name(self) -> str:
        """What errors call this process."""
        return f"process {self.settings.rank} of {self.settings.processes} ({socket.gethostname()}, pid {os.getpid()})"

    @property
    def writes(self) -> bool:
        """Whether this process writes files."""
        return self.settings.rank == 0

    # ------------------------------------------------------------------ threads
    def listen(self) -> None:
        """Sort what comes in; end this process when another is gone."""
        while (message := self.line.receive()) is not None and message["kind"] != "end":
            if message["kind"] == "left":
                self.others_left.set()
            else:
                self.messages[message["kind"]].put(message)
        if not self.closing:
            first = f"process 0 of {self.settings.processes} ({self.settings.host}) ended: its connection is closed"
            self.fail(message["text"] if message else first)

    def beat(self) -> None:
        """Give signs of life."""
        with contextlib.suppress(OSError):  # `listen` notices
            while not self.closing:
                self.line.send({"kind": "beat", "calls": self.calls})
                time.sleep(BEAT)

    def fail(self, text: str) -> None:
        """End the main thread by an error, or, where it hangs in a collective, the process."""
        self.failure = text
        self.failed.set()
        for waiting in self.messages.values():
            waiting.put({"kind": "end"})
        if self.closed.wait(self.grace):
            return
        print(error_text(self.error()), file=sys.stderr, flush=True)
        os._exit(1)

    # ------------------------------------------------------------------ the main thread
    def error(self) -> HostsError:
        """The error for the process that is gone."""
        return HostsError(f"the training cannot go on: {self.failure}", why="all processes compute each step together", where="",
                          repair="look at what that process printed last; the run continues from its last checkpoint: --resume, with as "
                                 "many processes as there are now")

    def wait(self, kind: str, seconds: float | None = None) -> Message:
        """The next message of this kind. HostsError when a process is gone; queue.Empty when it takes too long."""
        message = self.messages[kind].get(timeout=seconds)
        if message["kind"] == "end":
            raise self.error()
        return message

    def agree(self, value: Any) -> Any:
        """The first process' value."""
        if self.writes:
            self.send({"kind": "value", "value": value})
        return self.wait("value")["value"]

    def compare(self, facts: Mapping[str, str]) -> None:
        """Raise HostsError where processes differ."""
        self.send({"kind": "facts", "facts": facts})
        text = self.wait("compared")["text"]
        if text:
            raise HostsError(f"the processes do not run the same training: {text}", why="each computes a part of each step", where="",
                             repair="start all with the same code, settings and data")

    def send(self, message: Message) -> None:
        """Send a message; HostsError when the first process is gone."""
        try:
            self.line.send(message)
        except OSError:
            self.failed.wait(GRACE)
            raise self.error() from None

    def close(self) -> None:
        """Leave in order, at the end of the process."""
        self.closing = True
        self.closed.set()
        with contextlib.suppress(OSError):
            self.line.send({"kind": "left"})
            self.line.connection.shutdown(socket.SHUT_RDWR)
        self.listening.join(END_SECONDS)
        if not self.listening.is_alive():
            self.line.close()


def difference(facts: Mapping[int, Mapping[str, str]], members: Mapping[int, Member]) -> str:
    """What differs between processes, "" where nothing does.

    >>> difference({0: {"seed": "1"}, 1: {"seed": "2"}}, {})
    'seed is 1 in process 0, 2 in process 1'
    """
    for name, value in facts[0].items():
        for rank in sorted(facts):
            if facts[rank].get(name) != value:
                others = [members[i].name if i in members else f"process {i}" for i in (0, rank)]
                return f"{name} is {value} in {others[0]}, {facts[rank].get(name)} in {others[1]}"
    return ""
