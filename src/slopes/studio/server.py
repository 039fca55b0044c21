"""The server of the studio: in the foreground for a command, in a thread of its own for programs and notebooks."""

from __future__ import annotations

import contextlib
import errno
import secrets
import socket
import threading
import time
import webbrowser
from collections.abc import Callable
from pathlib import Path

import uvicorn

from ..errors import ArgumentError
from .app import Access, Application
from .engine import Context
from .messages import LONGEST
from .sessions import Sessions

LOOPBACK = "127.0.0.1"
PORT = 8765  # when none is asked for; one of the next ones where it is in use
TRIES = 50
START_SECONDS = 10.0
MOST_SESSIONS = 32
EVERYWHERE = ("0.0.0.0", "::")


class Studio:
    """A studio that is served: `address` opens it, `close()` ends it. `with Studio() as studio:` serves it in a thread meanwhile.

    host       the address to listen at; others than 127.0.0.1 open it to the network, for everyone who has the token
    port       None takes the first free one from 8765 on
    context    what sessions are opened for
    sessions   the most sessions at one time
    ancestors  pages that may show it in a frame, as a content security policy names them

    Raises ArgumentError for a port in use and a host that is not of this machine.
    """

    def __init__(self, host: str = LOOPBACK, port: int | None = None, context: Context | None = None, sessions: int = MOST_SESSIONS,
                 ancestors: str = "'none'") -> None:
        self.socket = listen(host, port)
        self.host, self.port, self.token = host, self.socket.getsockname()[1], secrets.token_urlsafe(24)
        hosts = frozenset({"localhost", socket.gethostname().lower(), host.lower()})
        access = Access(self.token, self.port, hosts, ancestors, context or Context())
        self.sessions = Sessions(sessions)
        config = uvicorn.Config(Application(access, self.sessions).asgi(), log_level="warning", lifespan="off", ws="websockets-sansio",
                                ws_max_size=4 * LONGEST, server_header=False, timeout_graceful_shutdown=2)
        self.server = uvicorn.Server(config)
        self.thread: threading.Thread | None = None

    @property
    def address(self) -> str:
        """The address that opens it."""
        return self.page_address()

    def page_address(self, page: str = "") -> str:
        """The address that opens a page."""
        shown = LOOPBACK if self.host in EVERYWHERE else self.host
        host = f"[{shown}]" if ":" in shown else shown
        return f"http://{host}:{self.port}/?token={self.token}" + (f"#{page}" if page else "")

    def run(self) -> None:
        """Serve until Ctrl-C."""
        try:
            with contextlib.suppress(KeyboardInterrupt):
                self.server.run(sockets=[self.socket])
        finally:
            self.sessions.close()
            self.socket.close()

    def start(self) -> None:
        """Serve in a thread."""
        self.thread = threading.Thread(target=self.run, name="studio", daemon=True)
        self.thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not self.server.started and time.monotonic() < deadline:
            time.sleep(0.01)

    def close(self) -> None:
        """End the server and its sessions."""
        self.server.should_exit = True
        if self.thread is not None:
            self.thread.join(START_SECONDS)

    def __enter__(self) -> Studio:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def listen(host: str, port: int | None) -> socket.socket:
    """A socket at the port, or at the first free one; ArgumentError where there is none."""
    ports = range(PORT, PORT + TRIES) if port is None else (port,)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for candidate in ports:
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, candidate))
            return listener
        except OSError as error:
            listener.close()
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise ArgumentError(f"the studio cannot listen at {host}: {error.strerror or error}",
                                    repair="leave --host out, or give an address of this machine") from None
            refused = error.errno == errno.EACCES
    what = "may not be used by this user" if refused else "is in use"
    raise ArgumentError(f"port {port} of {host} {what}" if port is not None else f"all ports from {ports[0]} to {ports[-1]} are in use",
                        why="" if refused else "another program, perhaps another studio, listens there",
                        repair="leave --port out to take the first free one, or give another")


def serve(host: str = LOOPBACK, port: int | None = None, page: str = "", run: Path | None = None, sessions: int = MOST_SESSIONS,
          browser: bool = True, say: Callable[[str], object] = print, pictures: Path | None = None) -> None:
    """Serve the studio until Ctrl-C, and open the browser on it; `say` prints the address, `pictures` is a folder of one's own."""
    studio = Studio(host, port, Context(run=run, shared={} if pictures is None else {"pictures": pictures}), sessions)
    address = studio.page_address(page)
    say(f"the studio: {address}\nCtrl-C ends it")
    if browser:
        opening = threading.Timer(0.5, open_browser, (address, say))
        opening.daemon = True
        opening.start()
    studio.run()
    say("the studio has ended")


def open_browser(address: str, say: Callable[[str], object]) -> None:
    """Open the address, or say that there is no browser."""
    try:
        opened = webbrowser.open(address)
    except webbrowser.Error:
        opened = False
    if not opened:
        say("no browser could be opened: open the address above in one")
