"""The studio's server: who may use it, sessions and their limits, and hostile clients."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import http.client
import importlib
import json
import sys
import threading
import time
import weakref
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("websockets")

from click.testing import CliRunner
from studio_hostile import attack
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from slopes.cli import command
from slopes.errors import ArgumentError, MissingExtraError
from slopes.studio import Studio, libraries
from slopes.studio.app import MOST_BAD
from slopes.studio.engine import Context, Frame
from slopes.studio.messages import Attached, Message, Upload, flag
from slopes.studio.pages import PAGES, Page
from slopes.studio.playground.engine import Playground
from slopes.studio.session import Session
from slopes.studio.sessions import Sessions


@dataclass(frozen=True)
class Break(Message):
    """Let the engine fail, in an expected way or not."""

    kind: ClassVar[str] = "break"
    expected: bool = flag(default=True)


class Toy:
    """An engine without a network: counts."""

    def __init__(self, context: Context) -> None:
        self.count, self.closed = 0, False

    def handle(self, message: Message) -> Frame | None:
        if isinstance(message, Break):
            raise ArgumentError("it broke", why="as asked", repair="do not ask", where="in the toy") if message.expected else KeyError("x")
        if isinstance(message, Upload):
            return Frame({"kind": "uploaded", "name": message.name, "bytes": len(message.data)})
        return Frame({"kind": "hello", "resumed": message.resumed}) if isinstance(message, Attached) else None

    def step(self, seconds: float) -> bool:
        self.count += 1
        time.sleep(0.001)
        return True

    def frame(self) -> Frame | None:
        return Frame({"kind": "state", "count": self.count}, {"a": np.zeros(4, np.float32)})

    def close(self) -> None:
        self.closed = True


@pytest.fixture(scope="module")
def studio():
    page = Page("toy", "Toy", Toy, (Break, Upload))
    PAGES["toy"] = page
    try:
        with Studio() as studio:
            yield studio
    finally:
        del PAGES["toy"]


def get(studio: Studio, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", studio.port, timeout=30)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    result = response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    connection.close()
    return result


def open_toy(studio: Studio, session: str = "", token: str | None = None, origin: str | None = None, page: str = "toy") -> ClientConnection:
    uri = f"ws://127.0.0.1:{studio.port}/ws/{page}?token={studio.token if token is None else token}&session={session}"
    return connect(uri, origin=origin or f"http://127.0.0.1:{studio.port}", compression=None)  # type: ignore[arg-type]


def header_of(message: bytes | str) -> dict:
    if isinstance(message, str):
        return json.loads(message)
    return json.loads(message[4 : 4 + int.from_bytes(message[:4], "little")])


def wait_for(socket: ClientConnection, kind: str) -> dict:
    while (header := header_of(socket.recv(timeout=30)))["kind"] != kind:
        if header["kind"] == "state":
            socket.send('{"kind":"shown"}')
    return header


def test_only_who_knows_the_token_gets_the_page(studio):
    status, headers, body = get(studio, f"/?token={studio.token}")
    assert status == 200 and b'<main id="main"' in body
    policy = headers["content-security-policy"]
    assert all(part in policy for part in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'")) and "unsafe" not in policy
    cookie = headers["set-cookie"].split(";")[0]
    assert "httponly" in headers["set-cookie"].lower() and "samesite=lax" in headers["set-cookie"].lower()
    assert get(studio, "/", cookie=cookie)[0] == 200
    for path, more in (("/", {}), ("/?token=wrong", {}), ("/?token=", {}), ("/", {"cookie": cookie[:-1] + "x"})):
        status, headers, body = get(studio, path, **more)
        assert status == 403 and b"lacks the token" in body and "set-cookie" not in headers


def test_foreign_hosts_paths_and_origins_are_refused(studio):
    port = studio.port
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1:{port + 1}", "[", f"localhost.evil.example:{port}"):
        assert get(studio, f"/?token={studio.token}", host=host)[0] in (400, 421), host
    assert get(studio, f"/?token={studio.token}", host=f"localhost:{studio.port}")[0] == 200
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static//etc/passwd", "/static/js/../../app.py",
                 "/app.py", "/static/%00", "/ws/playground", "/static/"):
        status, _, body = get(studio, path)
        assert status in (400, 404) and b"import" not in body, path
    for origin, token, page in (("http://evil.example", None, "toy"), (f"http://localhost:{port}", None, "toy"), ("null", None, "toy"),
                                (None, "wrong", "toy"), (None, "", "toy"), (None, None, "nothing"), (None, None, "..%2ftoy")):
        with pytest.raises(InvalidStatus):
            open_toy(studio, origin=origin, token=token, page=page)


def test_a_session_goes_on_after_errors_and_is_resumed(studio):
    with open_toy(studio) as socket:
        name = wait_for(socket, "session")["id"]
        assert wait_for(socket, "hello")["resumed"] is False
        socket.send('{"kind":"break"}')
        assert list(wait_for(socket, "error").values()) == ["error", "it broke", "in the toy", "as asked", "do not ask"]
        socket.send('{"kind":"break","expected":false}')
        assert "KeyError" in wait_for(socket, "error")["what"]
        socket.send('{"kind":"nonsense"}')
        assert "one of break" in wait_for(socket, "error")["what"]
        before = wait_for(socket, "state")["count"]
    with open_toy(studio, name) as socket:
        assert wait_for(socket, "session") == {"kind": "session", "id": name, "resumed": True}
        assert wait_for(socket, "hello")["resumed"] is True and wait_for(socket, "state")["count"] >= before
        with open_toy(studio, name) as other:  # a second tab on the same session takes it over
            assert wait_for(other, "session")["resumed"] is True
            with pytest.raises(ConnectionClosed) as closed:
                for _ in range(100):
                    socket.recv(timeout=30)
            assert closed.value.rcvd.code == 4409 and "another tab" in closed.value.rcvd.reason


def test_files_come_from_the_studios_own_pages_only(studio):
    origin = f"http://127.0.0.1:{studio.port}"
    with open_toy(studio) as socket:
        name = wait_for(socket, "session")["id"]
        path = f"/upload?token={studio.token}&session={name}&name=..%2F..%2Fa.png"
        assert get(studio, path, "POST", b"abc", origin=origin)[0] == 204
        assert wait_for(socket, "uploaded") == {"kind": "uploaded", "name": "a.png", "bytes": 3, "arrays": []}
        assert get(studio, path, "POST", b"abc")[0] == 403
        assert get(studio, path, "POST", b"abc", origin="http://evil.example")[0] == 403
        assert get(studio, path.replace(studio.token, "x"), "POST", b"abc", origin=origin)[0] == 403
        assert get(studio, path.replace(name, "x"), "POST", b"abc", origin=origin)[0] == 404


def test_uploads_have_a_limit(studio, monkeypatch):
    monkeypatch.setattr("slopes.studio.app.LARGEST_UPLOAD", 1 << 16)
    with open_toy(studio) as socket:
        name = wait_for(socket, "session")["id"]
        path = f"/upload?token={studio.token}&session={name}"
        status, _, body = get(studio, path, "POST", b"x" * (1 << 17), origin=f"http://127.0.0.1:{studio.port}")
        assert status == 413 and b"the limit" in body


def test_the_limit_of_sessions_says_what_it_is(studio):
    with contextlib.ExitStack() as stack:
        studio = stack.enter_context(Studio(sessions=2))
        for _ in range(2):
            wait_for(stack.enter_context(open_toy(studio)), "hello")
        with open_toy(studio) as socket, pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=30)
        assert closed.value.rcvd.code == 4429 and "this studio has 2 sessions, its limit" in closed.value.rcvd.reason


def test_hostile_messages_leave_the_session_alive(studio):
    assert attack(studio, 300)[0]
    with open_toy(studio) as socket, pytest.raises(ConnectionClosed) as closed:
        for _ in range(MOST_BAD):
            socket.send('{"kind":"nonsense"}')
        while True:
            socket.recv(timeout=30)
    assert closed.value.rcvd.code == 4400 and "refused" in closed.value.rcvd.reason


def test_frames_are_dropped_when_the_page_is_slow():
    posted = []
    session = Session(lambda: Toy(Context()), "toy")
    session.attach(posted.append, False)
    deadline = time.monotonic() + 20
    while len(posted) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)
    states = [frame for frame in posted if frame.header["kind"] == "state"]
    assert len(states) == 2  # no third one until the page has shown one
    session.acknowledge()
    while len(states) < 3 and time.monotonic() < deadline:
        states = [frame for frame in posted if frame.header["kind"] == "state"]
        time.sleep(0.01)
    assert states[2].header["count"] > states[1].header["count"] + 1  # the newest one, not the next one
    session.detach(posted.append)
    session.close()
    session.join()
    assert not session.thread.is_alive()


def wait_until(condition, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert condition()


def test_sessions_that_nobody_shows_end_by_themselves(monkeypatch):
    page, sessions, engines = Page("toy", "Toy", Toy, ()), Sessions(2), []
    monkeypatch.setattr("slopes.studio.session.IDLE_SECONDS", 0.01)
    page = dataclasses.replace(page, make=lambda context: engines.append(Toy(context)) or engines[-1])
    first, session, _ = sessions.open(page, "", Context())
    assert sessions.open(page, first, Context()) == (first, session, True)
    wait_until(lambda: engines)
    session.last_used -= 10_000
    wait_until(lambda: not session.thread.is_alive())
    assert engines[0].closed and not session.keep()
    assert sessions.open(page, first, Context())[2] is False
    assert sessions.find(first) == (None, None) and len(sessions.opened) == 1
    sessions.close()
    assert not sessions.opened


def test_a_browser_that_closes_while_it_compiles_or_trains_finds_its_session_again(monkeypatch):
    """Without a page the session rests; it is resumed where it was, or ends with its thread and its network."""
    monkeypatch.setattr("slopes.studio.session.IDLE_SECONDS", 0.01)
    engines, page, started = [], PAGES["playground"], threading.Event()

    class Observed(Playground):
        def train(self, seconds: float) -> None:
            started.set()
            super().train(seconds)

    def make(context: Context) -> Playground:
        engine = Observed(context)
        engines.append(weakref.ref(engine))
        return engine

    monkeypatch.setitem(PAGES, "playground", dataclasses.replace(page, make=make))
    with Studio() as studio:
        with open_toy(studio, page="playground") as socket:
            name = wait_for(socket, "session")["id"]
            socket.send('{"kind":"play","on":true}')
            assert started.wait(60)  # the first steps are being compiled
        session = studio.sessions.find(name)[0]
        experiment = engines[0]().experiment
        wait_until(lambda: session.post is None and experiment.last)
        time.sleep(0.1)
        rested = experiment.last  # it has done what was being compiled, and nothing since
        time.sleep(0.1)
        assert experiment.last == rested
        with open_toy(studio, name, page="playground") as socket:
            assert wait_for(socket, "session")["resumed"] is True
            catalogue = wait_for(socket, "catalogue")
            assert catalogue["resumed"] is True and catalogue["last"] >= rested
            while wait_for(socket, "state")["step"] <= rested:  # it goes on, and is left in the midst of it
                socket.send('{"kind":"shown"}')
        experiment = None
        wait_until(lambda: session.post is None)
        session.last_used -= 10_000
        wait_until(lambda: not session.thread.is_alive())
        gc.collect()
        assert engines[0]() is None


def test_ports_and_hosts_that_cannot_be_used_say_so(studio):
    port = studio.port
    with pytest.raises(ArgumentError, match=f"port {port} of 127\\.0\\.0\\.1 is in use"):
        Studio(port=port)
    with pytest.raises(ArgumentError, match=r"cannot listen at 203\.0\.113\.7"):
        Studio(host="203.0.113.7")


def test_a_library_that_is_missing_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(MissingExtraError, match=r"(?s)needs uvicorn.*pip install 'slopes\[studio\]'"):
        importlib.reload(libraries)


def test_the_command_refuses_what_it_cannot_open(tmp_path):
    for arguments, what in ((["--page", "nothing"], "the studio has no such page"), ([str(tmp_path / "none")], "there is no folder")):
        result = CliRunner().invoke(command, ["play", "--no-browser", *arguments])
        assert result.exit_code == 1 and what in result.output
    assert "--no-browser" in CliRunner().invoke(command, ["play", "--help"]).output
