"""The web application: static files, one WebSocket for each page, uploads; and who may use them."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import ipaddress
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from ..errors import SlopesError
from .engine import Context, Frame
from .messages import MessageError, Upload, parse
from .pages import PAGES, Page
from .session import Session, error_message
from .sessions import Sessions

STATIC = Path(__file__).parent / "static"
COOKIE = "slopes-studio"
LARGEST_UPLOAD = 32 << 20
MOST_BAD = 50  # messages that are refused before the connection is closed
MOST_OUTGOING = 500  # messages that the page has not taken yet, before the connection is closed
FORBIDDEN, TAKEN_OVER, FULL, TOO_MANY = 4403, 4409, 4429, 4400  # codes of a closed WebSocket

POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self' {sockets}; "
          "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors {ancestors}; require-trusted-types-for 'script'")


@dataclass(frozen=True)
class Access:
    """Who may use the studio: whoever knows the token, from pages of this very address.

    hosts      names that the studio may be addressed by, without the port; any address in figures is one too
    ancestors  pages that may show the studio in a frame, as the content security policy names them
    """

    token: str
    port: int
    hosts: frozenset[str] = frozenset({"localhost"})
    ancestors: str = "'none'"
    context: Context = field(default_factory=Context)

    def knows(self, token: str | None) -> bool:
        """Whether this is the token."""
        return token is not None and hmac.compare_digest(token.encode(), self.token.encode())

    def allows_host(self, host: str | None) -> bool:
        """Whether the Host header is an address of this studio: a foreign name that was made to point here is none."""
        try:
            parts = urlsplit(f"//{host}")
            name, port = parts.hostname, parts.port
        except ValueError:
            return False
        return host is not None and name is not None and port == self.port and (name in self.hosts or is_address(name))

    def allows_origin(self, headers: Headers) -> bool:
        """Whether a WebSocket or an upload comes from a page of this studio."""
        return headers.get("origin") == f"http://{headers.get('host')}"

    def policy(self, host: str) -> str:
        """The content security policy of all answers."""
        return POLICY.format(sockets=f"ws://{host}", ancestors=self.ancestors)


def is_address(name: str) -> bool:
    """Whether a host is an IP address in figures."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Guard:
    """Middleware: refuses foreign hosts, and gives every answer its headers."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app, self.access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        host = Headers(scope=scope).get("host")
        if not self.access.allows_host(host):
            await PlainTextResponse("This is not an address of this studio.", 421)(scope, receive, send)
            return
        await self.app(scope, receive, with_headers(send, self.headers(host or "")))

    def headers(self, host: str) -> list[tuple[bytes, bytes]]:
        """The headers of all answers."""
        values = {"content-security-policy": self.access.policy(host), "x-content-type-options": "nosniff",
                  "referrer-policy": "no-referrer",
                  "cross-origin-opener-policy": "same-origin", "cross-origin-resource-policy": "same-origin", "cache-control": "no-cache"}
        return [(name.encode(), value.encode()) for name, value in values.items()]


def with_headers(send: Send, headers: list[tuple[bytes, bytes]]) -> Send:
    """A `send` that adds headers to the answer."""

    async def send_more(message: Message) -> None:
        if message["type"] == "http.response.start":
            names = {name for name, _ in headers}
            message = {**message, "headers": [*(pair for pair in message["headers"] if pair[0] not in names), *headers]}
        await send(message)

    return send_more


class Application:
    """The routes, and the sessions behind them."""

    def __init__(self, access: Access, sessions: Sessions) -> None:
        self.access, self.sessions = access, sessions

    def asgi(self) -> ASGIApp:
        """The application that a server runs."""
        routes = [Route("/", self.index), Route("/pages", self.pages), Route("/upload", self.upload, methods=["POST"]),
                  WebSocketRoute("/ws/{page}", self.connect), Mount("/static", StaticFiles(directory=STATIC))]
        return Guard(Starlette(routes=routes), self.access)

    async def index(self, request: Request) -> Response:
        """The shell of all pages, for whoever knows the token."""
        if not self.may_use(request):
            return FileResponse(STATIC / "refused.html", 403)
        response = FileResponse(STATIC / "index.html")
        if self.access.knows(request.query_params.get("token")):
            response.set_cookie(self.cookie, self.access.token, httponly=True, samesite="lax")
        return response

    @property
    def cookie(self) -> str:
        """The name of the cookie: cookies do not tell ports apart."""
        return f"{COOKIE}-{self.access.port}"

    def may_use(self, request: Request | WebSocket) -> bool:
        """Whether the request knows the token, from its address or an earlier visit."""
        return self.access.knows(request.query_params.get("token")) or self.access.knows(request.cookies.get(self.cookie))

    async def pages(self, request: Request) -> Response:
        """The names and titles of the pages, and whether they have a help."""
        return JSONResponse([{"name": page.name, "title": page.title, "help": (STATIC / "js" / "help" / f"{page.name}.js").is_file()}
                             for page in PAGES.values()])

    async def upload(self, request: Request) -> Response:
        """A file for a session: POST /upload?session=ID&name=NAME."""
        if not (self.may_use(request) and self.access.allows_origin(request.headers)):
            return PlainTextResponse("The studio takes files from its own pages only.", 403)
        session, page = self.sessions.find(request.query_params.get("session", ""))
        if session is None or page is None or Upload not in page.messages:
            return PlainTextResponse("There is no such session, or it takes no files.", 404)
        data = await read_body(request)
        if data is None:
            return PlainTextResponse(f"The file is larger than {LARGEST_UPLOAD >> 20} MiB, the limit.", 413)
        name = Path(request.query_params.get("name", "file")).name[:200]
        taken = session.put(Upload(name, data))
        return PlainTextResponse("" if taken else "The session is busy: try again in a moment.", 204 if taken else 503)

    async def connect(self, socket: WebSocket) -> None:
        """The WebSocket of a page."""
        page = PAGES.get(socket.path_params["page"])
        allowed = self.access.allows_host(socket.headers.get("host")) and self.access.allows_origin(socket.headers)
        if page is None or not allowed or not self.may_use(socket):
            await socket.close(FORBIDDEN)
            return
        await socket.accept()
        name, session, resumed = self.sessions.open(page, socket.query_params.get("session", ""), self.access.context)
        if session is None:
            await socket.close(FULL, f"this studio has {self.sessions.most} sessions, its limit: close a tab, or start it with --sessions")
            return
        await Connection(socket, page, session).serve({"kind": "session", "id": name, "resumed": resumed})


async def read_body(request: Request) -> bytes | None:
    """The body of a request; None where it is too large."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > LARGEST_UPLOAD:
            return None
    return bytes(data)


class Connection:
    """A page's WebSocket: what it sends goes to the session, what the session posts goes to the page."""

    def __init__(self, socket: WebSocket, page: Page, session: Session) -> None:
        self.socket, self.page, self.session = socket, page, session
        self.loop = asyncio.get_running_loop()
        self.outgoing: asyncio.Queue[Frame | dict[str, Any] | None] = asyncio.Queue()
        self.bad = 0

    async def serve(self, greeting: dict[str, Any]) -> None:
        """Until one side closes it."""
        self.outgoing.put_nowait(greeting)
        self.session.attach(self.post, bool(greeting["resumed"]))
        sending = asyncio.ensure_future(self.send())
        receiving = asyncio.ensure_future(self.receive())
        try:
            await asyncio.wait([sending, receiving], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.session.detach(self.post)
            sending.cancel()
            receiving.cancel()
            await asyncio.gather(sending, receiving, return_exceptions=True)

    def post(self, message: Frame | dict[str, Any] | None) -> None:
        """Hand a message to the page, from any thread; None closes the connection, as another page has taken over."""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self.loop.call_soon_threadsafe(self.enqueue, message)

    def enqueue(self, message: Frame | dict[str, Any] | None) -> None:
        """Keep a message for the page; one that takes nothing is given up."""
        if self.outgoing.qsize() >= MOST_OUTGOING:
            self.bad = MOST_BAD
        else:
            self.outgoing.put_nowait(message)

    async def send(self) -> None:
        """Send what was posted."""
        while True:
            message = await self.outgoing.get()
            if message is None:
                await self.socket.close(TAKEN_OVER, "another tab shows this session now")
                return
            if isinstance(message, Frame):
                await self.socket.send_bytes(message.encode())
            else:
                await self.socket.send_text(json.dumps(message))

    async def receive(self) -> None:
        """Take what the page sends, until it closes the connection or sends too much that is refused."""
        while self.bad < MOST_BAD:
            try:
                text = await self.socket.receive_text()
            except (WebSocketDisconnect, KeyError):  # KeyError: a binary message
                return
            self.take(text)
        await self.socket.close(TOO_MANY, "too many messages were refused")

    def take(self, text: str) -> None:
        """Hand over one message."""
        if text == '{"kind":"shown"}':
            self.session.acknowledge()
            return
        try:
            message = parse(text, self.page.messages)
        except SlopesError as error:
            self.bad += isinstance(error, MessageError)
            self.post(error_message(error))
            return
        if not self.session.put(message):
            self.bad += 1
            self.post(error_message(MessageError("the session is busy: the message was left out", repair="try again", where="")))
